"""A whole model on disk: network, video codec, text encoder, configuration.

The folder is that of diffusers: ``transformer``, ``vae``, ``text_encoder``, ``tokenizer``. One
that this package wrote also has ``wam.json``: cameras, chunks, schedules, guidance, actions with
their statistics. A published checkpoint has none, so it needs the name of a preset.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import torch

from flash_wam_ros.core import UserError, did_you_mean
from flash_wam_ros.wam.checkpoint import inspect_transformer, load_transformer, save_transformer
from flash_wam_ros.wam.codec import VideoCodec
from flash_wam_ros.wam.config import ModelConfig, WamConfig
from flash_wam_ros.wam.presets import PRESETS, preset
from flash_wam_ros.wam.text import TextEncoder
from flash_wam_ros.wam.transformer import WorldActionTransformer
from flash_wam_ros.wam.weights import (
    CONFIG_NAME,
    read_json,
    replaced_folder,
    write_json,
)

WAM_NAME = 'wam.json'
TRANSFORMER, VAE, TEXT, TOKENIZER = 'transformer', 'vae', 'text_encoder', 'tokenizer'
# The attention of this package, whatever a folder was trained with.
INFERENCE_ATTENTION = 'torch'


class StoredCodec(VideoCodec, Protocol):
    """A video codec that can write itself."""

    def save(self, folder: Path) -> None:
        """Write a ``vae`` folder."""


class StoredText(TextEncoder, Protocol):
    """A text encoder that can write itself."""

    def save(self, root: Path) -> None:
        """Write its folders into ``root``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pipeline:
    """A world-action model with all that it needs to see, read and act.

    Attributes:
        config: configuration of the whole.
        transformer: the network.
        codec: camera frames to latents and back.
        text: instructions to embeddings.
    """

    config: WamConfig
    transformer: WorldActionTransformer
    codec: VideoCodec
    text: TextEncoder


def load_config(folder: Path, *, preset_name: str | None = None) -> WamConfig:
    """Return the configuration of a model folder, without loading weights.

    Args:
        folder: the model.
        preset_name: in place of ``wam.json``; needed for a published checkpoint, which has none.

    Raises:
        UserError: a missing or damaged file, or neither ``wam.json`` nor a preset.
    """
    model = inspect_transformer(folder / TRANSFORMER, attn_mode=INFERENCE_ATTENTION).config
    if preset_name is not None:
        return replace(preset(preset_name), model=model)
    if not (folder / WAM_NAME).exists():
        raise UserError(
            f'{folder} has no {WAM_NAME}, so its cameras and actions are not known; name a '
            f'preset: {", ".join(PRESETS)}'
        )
    return _wam_config(read_json(folder / WAM_NAME), model)


def load_pipeline(
    folder: Path,
    *,
    preset_name: str | None = None,
    base: Path | None = None,
    device: torch.device | str = 'cpu',
    dtype: torch.dtype | None = None,
) -> Pipeline:
    """Return a model from its folder.

    Args:
        folder: the model.
        preset_name: as in :func:`load_config`.
        base: folder that gives the codec and text encoder which ``folder`` lacks, such as the
            teacher of a student of which only the network was saved.
        device: where everything runs.
        dtype: type of network, codec and text encoder; None keeps the stored ones.

    Raises:
        UserError: missing, damaged or unfitting parts.
    """
    config = load_config(folder, preset_name=preset_name)
    transformer = load_transformer(
        folder / TRANSFORMER, attn_mode=INFERENCE_ATTENTION, device=device, dtype=dtype
    )
    codec = load_codec(
        _part(VAE, folder, base), weight_dtype=dtype, dtype=transformer.dtype, device=device
    )
    text = load_text(_part(TEXT, folder, base).parent, dtype=dtype, device=device)
    check_parts(config, codec, text)
    return Pipeline(config=config, transformer=transformer, codec=codec, text=text)


def load_codec(
    folder: Path,
    *,
    weight_dtype: torch.dtype | None = None,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = 'cpu',
) -> VideoCodec:
    """Return the video codec of a ``vae`` folder, of the class that its config.json names.

    Args:
        folder: the ``vae`` folder.
        weight_dtype: type of the Wan codec's weights; None keeps the stored one.
        dtype: type of the latents.
        device: where it runs.

    Raises:
        UserError: an unknown class, missing or damaged files.
    """

    # Imported here: the light codec must not need diffusers.
    def wan() -> VideoCodec:
        from flash_wam_ros.wam.wan_codec import WanCodec

        return WanCodec.load(folder, weight_dtype=weight_dtype, dtype=dtype, device=device)

    def light() -> VideoCodec:
        from flash_wam_ros.wam.light_codec import LightCodec

        return LightCodec.load(folder, dtype=dtype, device=device)

    name = read_json(folder / CONFIG_NAME).get('_class_name')
    return _choose({'AutoencoderKLWan': wan, 'LightCodec': light}, name, folder)


def load_text(
    root: Path, *, dtype: torch.dtype | None = None, device: torch.device | str = 'cpu'
) -> TextEncoder:
    """Return the text encoder of a model folder.

    Args:
        root: holds ``text_encoder``, and ``tokenizer`` for UMT5.
        dtype: type of UMT5; None keeps the stored one.
        device: where it runs.

    Raises:
        UserError: an unknown class, missing or damaged files.
    """
    folder = root / TEXT

    def umt5() -> TextEncoder:
        from flash_wam_ros.wam.umt5_text import Umt5Text

        return Umt5Text.load(folder, root / TOKENIZER, dtype=dtype, device=device)

    def light() -> TextEncoder:
        from flash_wam_ros.wam.light_text import MiniLmText

        return MiniLmText.load(folder, device=device)

    settings = read_json(folder / CONFIG_NAME)
    name = settings.get('_class_name', settings.get('model_type'))
    return _choose({'umt5': umt5, 'MiniLmText': light}, name, folder)


def save_pipeline(
    folder: Path,
    config: WamConfig,
    transformer: WorldActionTransformer,
    *,
    codec: StoredCodec | None = None,
    text: StoredText | None = None,
    overwrite: bool = False,
) -> None:
    """Write a model folder, whole or not at all.

    Args:
        folder: the new folder.
        config: configuration; that of the network is written with its weights.
        transformer: the network.
        codec: video codec; None leaves it out, to be taken from a base folder.
        text: text encoder; likewise.
        overwrite: whether ``folder`` may exist and is replaced.

    Raises:
        UserError: the folder exists, or the parts do not fit each other.
    """
    with replaced_folder(folder, overwrite=overwrite) as new:
        save_transformer(new / TRANSFORMER, transformer)
        if codec is not None:
            codec.save(new / VAE)
        if text is not None:
            text.save(new)
        store_config(new, config)


def store_config(folder: Path, config: WamConfig) -> None:
    """Write all of ``config`` but the shape of the network, which stands with the weights."""
    values = config.to_dict()
    del values['model']
    write_json(folder / WAM_NAME, values)


def _wam_config(values: Mapping[str, Any], model: ModelConfig) -> WamConfig:
    if 'model' in values:
        raise UserError(
            f'{WAM_NAME} has a model; the shape of the network stands in '
            f'{TRANSFORMER}/{CONFIG_NAME} alone; remove it'
        )
    return WamConfig.from_dict({**values, 'model': model.to_dict()})


def _part(name: str, folder: Path, base: Path | None) -> Path:
    for root in (folder, base):
        if root is not None and (root / name / CONFIG_NAME).exists():
            return root / name
    tried = folder if base is None else f'{folder} and {base}'
    raise UserError(f'{tried}: no {name} folder with a {CONFIG_NAME}; name a base that has one')


def _choose(loaders: Mapping[str, Callable[[], Any]], name: Any, folder: Path) -> Any:
    if name not in loaders:
        raise UserError(
            f'{folder / CONFIG_NAME} is of unknown class {name!r}; '
            f'{did_you_mean(str(name), loaders)}'
        )
    return loaders[name]()


def check_parts(
    config: WamConfig, codec: VideoCodec | None = None, text: TextEncoder | None = None
) -> None:
    """Raise UserError unless the parts given have the sizes that the network expects."""
    pairs: list[tuple[str, str, int, int]] = []
    if codec is not None:
        channels, pixels = config.model.in_channels, config.canvas.spatial_factor
        pairs.append(('latent channels', 'video codec', codec.latent_channels, channels))
        pairs.append(('pixels a latent', 'video codec', codec.spatial_factor, pixels))
    if text is not None:
        pairs.append(('text channels', 'text encoder', text.text_dim, config.model.text_dim))
    for what, part, found, expected in pairs:
        if found != expected:
            raise UserError(
                f'the {part} has {found} {what}, the model {expected}; '
                'take all parts from one checkpoint'
            )
