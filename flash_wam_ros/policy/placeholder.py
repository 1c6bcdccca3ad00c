"""A world-action model with random weights: all parts work, and what they say means nothing.

It takes real frames and joint states through the real rollout engine, so that the model's place
in the stack can be exercised where no trained weights are at hand. Its motion stays within a few
degrees of the pose that each chunk starts from.
"""

from dataclasses import replace

import numpy as np
import torch

from flash_wam_ros.policy.wam_policy import WamPolicySettings
from flash_wam_ros.robots.g1_layout import FINGER_TRAVEL_M, GRIPPER_NAMES, POLICY
from flash_wam_ros.wam.actions import ActionConfig
from flash_wam_ros.wam.canvas import CanvasConfig
from flash_wam_ros.wam.config import ChunkConfig, WamConfig
from flash_wam_ros.wam.light_codec import LightCodec, LightCodecConfig
from flash_wam_ros.wam.light_text import MiniLmText
from flash_wam_ros.wam.pipeline import Pipeline
from flash_wam_ros.wam.presets import preset
from flash_wam_ros.wam.transformer import WorldActionTransformer

_CAMERA = 'head'
_SIZE_PX = 64
_SPAN_RAD = 0.05
_FRAMES = 64
_SEED = 0


def placeholder_settings() -> WamPolicySettings:
    """Return 20 actions a second, relative to the measured pose."""
    return WamPolicySettings(action_rate_hz=20.0, action_space='relative')


def placeholder_config() -> WamConfig:
    """Return a configuration of CPU size: one head camera, chunks of 16 actions."""
    base = preset('g1', 'tiny')
    span = [0.1 * FINGER_TRAVEL_M if n in GRIPPER_NAMES else _SPAN_RAD for n in POLICY.names]
    return replace(
        base,
        canvas=CanvasConfig(
            layout='single',
            cameras=(_CAMERA,),
            height=_SIZE_PX,
            width=_SIZE_PX,
            spatial_factor=LightCodecConfig().patch,
        ),
        chunk=ChunkConfig(frames_per_chunk=2, actions_per_frame=8, attn_window=8),
        actions=ActionConfig.from_limits(base.actions.used, [-s for s in span], span),
    )


def placeholder_pipeline() -> Pipeline:
    """Return the model with seeded random weights."""
    config = placeholder_config()
    with torch.random.fork_rng():
        torch.manual_seed(_SEED)
        transformer = WorldActionTransformer(config.model).eval().requires_grad_(False)
    codec = LightCodec.fit(
        {_CAMERA: _clouds()}, LightCodecConfig(components=config.model.in_channels)
    )
    return Pipeline(config=config, transformer=transformer, codec=codec, text=MiniLmText())


def _clouds() -> np.ndarray:
    """Return (N, H, W, 3) uint8 frames of smooth random colours, to fit a codec to."""
    rng = np.random.default_rng(_SEED)
    noise = rng.standard_normal((_FRAMES, _SIZE_PX, _SIZE_PX, 3))
    frequency = np.hypot.outer(np.fft.fftfreq(_SIZE_PX), np.fft.fftfreq(_SIZE_PX))
    falloff = 1.0 / np.maximum(frequency, 1.0 / _SIZE_PX)
    spectrum = np.fft.fft2(noise, axes=(1, 2)) * falloff[:, :, None]
    smooth = np.fft.ifft2(spectrum, axes=(1, 2)).real
    scaled = 128 + 48 * smooth / smooth.std()
    return np.clip(scaled, 0, 255).astype(np.uint8)
