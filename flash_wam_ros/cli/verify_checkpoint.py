"""Says what a model folder holds, loads it, and runs one chunk on random frames."""

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from flash_wam_ros.core import UserError
from flash_wam_ros.wam.canvas_codec import CanvasEncoder
from flash_wam_ros.wam.checkpoint import (
    TransformerReport,
    inspect_transformer,
    load_transformer,
)
from flash_wam_ros.wam.codec import VideoCodec
from flash_wam_ros.wam.config import WamConfig
from flash_wam_ros.wam.pipeline import (
    INFERENCE_ATTENTION,
    TEXT,
    TRANSFORMER,
    VAE,
    WAM_NAME,
    check_parts,
    load_codec,
    load_config,
    load_text,
)
from flash_wam_ros.wam.presets import few_steps
from flash_wam_ros.wam.session import ChunkResult, WamSession
from flash_wam_ros.wam.text import TextEncoder
from flash_wam_ros.wam.transformer import WorldActionTransformer
from flash_wam_ros.wam.weights import CONFIG_NAME

DTYPES = {'bf16': torch.bfloat16, 'fp32': torch.float32}
DEFAULT_PRESET = 'robotwin'
_INSTRUCTION = 'pick up the bottle'
# Positions of the random embedding that stands in for a missing text encoder.
_STAND_IN_LENGTH = 512
_MEGA, _GIGA = 1e6, 1e9


def verify_checkpoint(
    folder: Path,
    *,
    preset_name: str | None = None,
    device: str = 'cpu',
    dtype_name: str | None = None,
) -> dict[str, Any]:
    """Print what ``folder`` holds and how one chunk went; return the findings.

    Raises:
        UserError: missing, damaged or unfitting parts.
    """
    place, dtype = _device(device), DTYPES[dtype_name] if dtype_name else None
    report = inspect_transformer(folder / TRANSFORMER, attn_mode=INFERENCE_ATTENTION)
    _print_transformer(report)
    config = few_steps(_config(folder, preset_name), video_steps=1, action_steps=1)
    print('loading        every weight is read and must be finite', flush=True)
    started = time.monotonic()
    model = load_transformer(
        folder / TRANSFORMER, attn_mode=INFERENCE_ATTENTION, device=place, dtype=dtype
    )
    print(f'loaded         {time.monotonic() - started:.1f} s, {model.dtype}', flush=True)
    codec, text = _codec(folder, model, dtype), _text(folder, model, dtype)
    check_parts(config, codec, text)
    chunk = _one_chunk(model, config, codec, text)
    findings = asdict(report) | {'folder': str(folder), 'chunk': chunk}
    return findings | {'config': report.config.to_dict(), 'passed': chunk['finite']}


def _device(name: str) -> torch.device:
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f'device {name!r} cannot be used: {reason}; try cpu') from None
    return device


def _config(folder: Path, preset_name: str | None) -> WamConfig:
    if preset_name is None and not (folder / WAM_NAME).exists():
        preset_name = DEFAULT_PRESET
    source = f'preset {preset_name}' if preset_name else WAM_NAME
    config = load_config(folder, preset_name=preset_name)
    canvas, chunk = config.canvas, config.chunk
    print(
        f'configuration  {source}: {canvas.layout} of {", ".join(canvas.cameras)}; '
        f'{chunk.frames_per_chunk} frames x {chunk.actions_per_frame} actions a chunk; '
        f'{config.actions.num_used} of {config.actions.channels} action channels',
        flush=True,
    )
    return config


def _size(num_bytes: int) -> str:
    large = num_bytes >= _GIGA
    return f'{num_bytes / (_GIGA if large else _MEGA):.2f} {"GB" if large else "MB"}'


def _print_transformer(report: TransformerReport) -> None:
    types = ', '.join(f'{count} {dtype}' for dtype, count in sorted(report.dtypes.items()))
    print(
        f'transformer    {report.class_name}: {_size(report.num_bytes)} in '
        f'{", ".join(report.files)}; {report.num_keys} tensors ({types}); '
        f'{report.num_parameters:,} parameters'
    )
    if report.dead_keys:
        print(f'               unused tensors dropped: {", ".join(report.dead_keys)}')
    if report.stored_attn_mode != report.config.attn_mode:
        print(
            f'               attn_mode {report.stored_attn_mode!r} is replaced by '
            f'{report.config.attn_mode!r}: inference uses the attention of PyTorch (SDPA)'
        )


def _codec(
    folder: Path, model: WorldActionTransformer, dtype: torch.dtype | None
) -> VideoCodec | None:
    if not (folder / VAE / CONFIG_NAME).exists():
        print('vae            none; the chunk runs on random latents', flush=True)
        return None
    codec = load_codec(folder / VAE, weight_dtype=dtype, dtype=model.dtype, device=model.device)
    print(
        f'vae            {type(codec).__name__}: {codec.latent_channels} channels, '
        f'{codec.spatial_factor} px and {codec.temporal_factor} frames a latent',
        flush=True,
    )
    return codec


def _text(
    folder: Path, model: WorldActionTransformer, dtype: torch.dtype | None
) -> TextEncoder | None:
    if not (folder / TEXT / CONFIG_NAME).exists():
        print('text_encoder   none; the chunk runs on a random embedding', flush=True)
        return None
    text = load_text(folder, dtype=dtype, device=model.device)
    print(
        f'text_encoder   {type(text).__name__}: {text.length} positions, {text.text_dim} channels',
        flush=True,
    )
    return text


def _one_chunk(
    model: WorldActionTransformer,
    config: WamConfig,
    codec: VideoCodec | None,
    text: TextEncoder | None,
) -> dict[str, Any]:
    """Run the first chunk of an episode with one video and one action step; print how it went."""
    session = WamSession(model, config)
    session.reset(_embedding(config, text))
    print('computing      one chunk of 1 video and 1 action step', flush=True)
    started = time.monotonic()
    session.observe(_first_latent(config, codec))
    seen_s = time.monotonic() - started
    result = session.imagine_and_act()
    acted_s = time.monotonic() - started - seen_s
    finite = _finite(result)
    low, high = float(result.actions.min()), float(result.actions.max())
    print(
        f'one chunk      {result.passes} passes on random frames: '
        f'actions {tuple(result.actions.shape)} in [{low:.3g}, {high:.3g}]; '
        f'encoded in {seen_s:.1f} s, computed in {acted_s:.1f} s'
    )
    print('all numbers are finite' if finite else 'NOT ALL NUMBERS ARE FINITE')
    return {
        'passes': result.passes,
        'actions_shape': list(result.actions.shape),
        'encode_s': seen_s,
        'compute_s': acted_s,
        'finite': finite,
    }


def _finite(result: ChunkResult) -> bool:
    return all(bool(torch.isfinite(part).all()) for part in (result.actions, result.latents))


def _embedding(config: WamConfig, text: TextEncoder | None) -> Tensor:
    if text is not None:
        return text.encode(_INSTRUCTION)
    return torch.randn(_STAND_IN_LENGTH, config.model.text_dim)


def _first_latent(config: WamConfig, codec: VideoCodec | None) -> Tensor:
    """Return the (1, C, 1, H, W) latent of random pictures, random itself without a codec."""
    if codec is None:
        return torch.randn(1, config.model.in_channels, 1, *config.latent_hw)
    generator = np.random.default_rng(0)
    look = {
        camera: generator.integers(0, 256, (*config.canvas.pixel_size(camera), 3), dtype=np.uint8)
        for camera in config.canvas.cameras
    }
    return CanvasEncoder(config.canvas, codec).push([look])
