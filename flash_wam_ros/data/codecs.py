"""Opening a video codec by its folder, whichever of the two kinds it is."""

from pathlib import Path

import torch

from flash_wam_ros.core import UserError, did_you_mean
from flash_wam_ros.data.files import read_json
from flash_wam_ros.wam.codec import VideoCodec

_KINDS = ('AutoencoderKLWan', 'LightCodec')


def open_codec(folder: Path, device: str = 'cpu') -> VideoCodec:
    """Return the codec in ``folder`` (config.json and safetensors).

    Raises:
        UserError: no such folder, another class, or damaged weights.
    """
    path = folder / 'config.json'
    if not path.is_file():
        raise UserError(f'{folder} holds no codec (config.json is missing); check the path')
    kind = str(read_json(path).get('_class_name'))
    if kind == 'LightCodec':
        from flash_wam_ros.wam.light_codec import LightCodec

        return LightCodec.load(folder, device=device)
    if kind == 'AutoencoderKLWan':
        # diffusers takes seconds to import, so only whoever needs it waits.
        from flash_wam_ros.wam.wan_codec import WanCodec

        weight_dtype = torch.bfloat16 if device != 'cpu' else None
        return WanCodec.load(folder, device=device, weight_dtype=weight_dtype)
    raise UserError(f'{path} names the class {kind!r}; {did_you_mean(kind, _KINDS)}')
