"""Streamed video encoding, against the record of diffusers' AutoencoderKLWan.

A folder holds ``vae_stream_*.safetensors`` (``in.video`` and the posterior's parameters) beside
``tiny_vae_config.json`` and ``tiny_vae_encoder.safetensors``.
"""

from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

import torch
from torch import Tensor

from flash_wam_ros.core import UserError
from flash_wam_ros.wam.golden.record import need, read_json, read_tensors
from flash_wam_ros.wam.golden.result import CaseResult, Comparison
from flash_wam_ros.wam.wan_codec import WanCodec

CONFIG_FILE = 'tiny_vae_config.json'
WEIGHTS_FILE = 'tiny_vae_encoder.safetensors'
# Latent frames encoded at once after the first, in turn: parts of several sizes.
_PARTS = (1, 2, 1)
_OUTPUTS = ('out.stream_params', 'out.full_params')


def run_streams(folder: Path | str) -> Iterator[CaseResult]:
    """Yield one result for each ``vae_stream_*`` file of a folder, in order of name.

    Raises:
        UserError: missing or damaged files, weights that do not fit their configuration.
    """
    for path in sorted(Path(folder).glob('vae_stream_*.safetensors')):
        yield _run_stream(path)


def _run_stream(path: Path) -> CaseResult:
    dtype = torch.bfloat16 if path.stem.endswith('bf16') else torch.float32
    codec = WanCodec.from_weights(
        read_json(path.parent / CONFIG_FILE),
        read_tensors(path.parent / WEIGHTS_FILE),
        weight_dtype=dtype,
    )
    record = read_tensors(path)
    found = _streamed(codec, need(record, 'in.video', path))
    comparison = Comparison(path.stem, dtype)
    for name in _OUTPUTS:
        if name in record:
            comparison.add(name, found, record[name])
    return comparison.result()


def _streamed(codec: WanCodec, video_BCTHW: Tensor) -> Tensor:
    """Return the posterior's parameters (B, 2C, F, h, w) of a video encoded part by part."""
    params, memory = codec.encode_params(video_BCTHW[:, :, :1], None)
    parts, rest = [params], video_BCTHW[:, :, 1:]
    if rest.shape[2] % codec.temporal_factor:
        raise UserError(
            f'in.video has {video_BCTHW.shape[2]} frames, expected 1 and a multiple of '
            f'{codec.temporal_factor}; record it anew'
        )
    sizes = cycle(_PARTS)
    while rest.shape[2]:
        size = next(sizes) * codec.temporal_factor
        params, memory = codec.encode_params(rest[:, :, :size], memory)
        parts.append(params)
        rest = rest[:, :, size:]
    return torch.cat(parts, dim=2)
