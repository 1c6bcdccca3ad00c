"""Named configurations: the published benchmarks, the G1, and sizes of the network.

A preset joins what a robot needs (cameras, actions, chunks, schedules) with a size. Chunks,
schedules and guidance of the first four: the configuration files of LingBot-VA.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from flash_wam_ros.core import UserError, did_you_mean
from flash_wam_ros.wam.action_presets import ACTIONS, G1_STATE
from flash_wam_ros.wam.canvas import CanvasConfig
from flash_wam_ros.wam.config import (
    ChunkConfig,
    GuidanceConfig,
    ModelConfig,
    ScheduleConfig,
    WamConfig,
)
from flash_wam_ros.wam.context_config import ContextConfig
from flash_wam_ros.wam.state import StateConfig

SIZES: Mapping[str, ModelConfig] = {
    '5b': ModelConfig(),
    '130m': ModelConfig(
        num_layers=12, num_attention_heads=6, attention_head_dim=128, ffn_dim=3584
    ),
    'tiny': ModelConfig(
        num_layers=4,
        num_attention_heads=4,
        attention_head_dim=32,
        ffn_dim=512,
        freq_dim=64,
        text_dim=384,
        in_channels=24,
        out_channels=24,
    ),
    'micro': ModelConfig(
        num_layers=2,
        num_attention_heads=2,
        attention_head_dim=32,
        ffn_dim=96,
        freq_dim=32,
        text_dim=24,
        in_channels=6,
        out_channels=6,
    ),
    'g1-tiny': ModelConfig(
        num_layers=4,
        num_attention_heads=4,
        attention_head_dim=32,
        ffn_dim=512,
        freq_dim=64,
        text_dim=384,
        in_channels=24,
        out_channels=24,
        patch_size=(1, 4, 4),
        context=ContextConfig(state_dim=16),
    ),
    'g1-micro': ModelConfig(
        num_layers=2,
        num_attention_heads=4,
        attention_head_dim=24,
        ffn_dim=256,
        freq_dim=64,
        text_dim=384,
        in_channels=24,
        out_channels=24,
        patch_size=(1, 4, 4),
        context=ContextConfig(state_dim=16, stem_channels=16, keypoints=8),
    ),
    'g1-base': ModelConfig(
        num_layers=12,
        num_attention_heads=8,
        attention_head_dim=64,
        ffn_dim=2048,
        freq_dim=256,
        text_dim=384,
        in_channels=24,
        out_channels=24,
        context=ContextConfig(state_dim=16, stem_channels=64, keypoints=64),
    ),
}
"""Networks by size: ``5b`` is the published one; ``130m`` keeps its proportions; ``tiny`` runs in
real time on a CPU with the light codec and text encoder; ``micro`` is for tests. ``g1-tiny`` is
what ships, trained on a CPU; ``g1-micro`` is trained in minutes, for trials of the way from data
to closed loop; ``g1-base`` is for one GPU: all three have an observation context."""

_TEACHER_GUIDANCE = GuidanceConfig(video=5.0, action=1.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Task:
    """What a robot or benchmark sets, whatever the size of the network."""

    video: ScheduleConfig
    action: ScheduleConfig
    chunk: ChunkConfig
    canvas: CanvasConfig
    guidance: GuidanceConfig = _TEACHER_GUIDANCE
    size: str = '5b'
    state: StateConfig | None = None


def _keys(*names: str) -> tuple[str, ...]:
    return tuple(f'observation.images.{name}' for name in names)


_TASKS: Mapping[str, _Task] = {
    'robotwin': _Task(
        video=ScheduleConfig(steps=25, shift=5.0),
        action=ScheduleConfig(steps=50, shift=1.0),
        chunk=ChunkConfig(frames_per_chunk=2, actions_per_frame=16, attn_window=72),
        canvas=CanvasConfig(
            layout='t_shape',
            cameras=_keys('cam_high', 'cam_left_wrist', 'cam_right_wrist'),
            height=256,
            width=320,
        ),
    ),
    'libero': _Task(
        video=ScheduleConfig(steps=20, shift=5.0),
        action=ScheduleConfig(steps=50, shift=0.05),
        chunk=ChunkConfig(frames_per_chunk=4, actions_per_frame=4, attn_window=30),
        canvas=CanvasConfig(
            layout='side_by_side',
            cameras=_keys('agentview_rgb', 'eye_in_hand_rgb'),
            height=128,
            width=128,
        ),
    ),
    'franka': _Task(
        video=ScheduleConfig(steps=5, shift=5.0),
        action=ScheduleConfig(steps=10, shift=1.0),
        chunk=ChunkConfig(frames_per_chunk=4, actions_per_frame=20, attn_window=30),
        canvas=CanvasConfig(
            layout='side_by_side',
            cameras=_keys('cam_high', 'cam_left_wrist', 'cam_right_wrist'),
            height=224,
            width=320,
        ),
    ),
    'demo': _Task(
        video=ScheduleConfig(steps=5, shift=5.0),
        action=ScheduleConfig(steps=10, shift=1.0),
        chunk=ChunkConfig(frames_per_chunk=4, actions_per_frame=8, attn_window=30),
        canvas=CanvasConfig(
            layout='side_by_side',
            cameras=_keys('cam_high', 'cam_wrist'),
            height=256,
            width=256,
        ),
    ),
    'g1': _Task(
        video=ScheduleConfig(steps=1, shift=5.0),
        action=ScheduleConfig(steps=1, shift=1.0),
        chunk=ChunkConfig(frames_per_chunk=2, actions_per_frame=16, attn_window=72),
        canvas=CanvasConfig(
            layout='t_shape',
            cameras=('head', 'left_wrist', 'right_wrist'),
            height=256,
            width=320,
        ),
        guidance=GuidanceConfig(),
    ),
    'g1-tiny': _Task(
        video=ScheduleConfig(steps=10, shift=5.0),
        action=ScheduleConfig(steps=10, shift=1.0),
        chunk=ChunkConfig(frames_per_chunk=2, actions_per_frame=4, attn_window=4),
        canvas=CanvasConfig(
            layout='t_shape',
            cameras=('head', 'left_wrist', 'right_wrist'),
            height=128,
            width=128,
            spatial_factor=8,
        ),
        guidance=GuidanceConfig(),
        size='g1-tiny',
        state=G1_STATE,
    ),
    'g1-micro': _Task(
        video=ScheduleConfig(steps=10, shift=5.0),
        action=ScheduleConfig(steps=10, shift=1.0),
        chunk=ChunkConfig(frames_per_chunk=2, actions_per_frame=4, attn_window=4),
        canvas=CanvasConfig(
            layout='single', cameras=('head',), height=64, width=64, spatial_factor=8
        ),
        guidance=GuidanceConfig(),
        size='g1-micro',
        state=G1_STATE,
    ),
    'g1-base': _Task(
        video=ScheduleConfig(steps=10, shift=5.0),
        action=ScheduleConfig(steps=10, shift=1.0),
        chunk=ChunkConfig(frames_per_chunk=2, actions_per_frame=8, attn_window=6),
        canvas=CanvasConfig(
            layout='t_shape',
            cameras=('head', 'left_wrist', 'right_wrist'),
            height=128,
            width=128,
            spatial_factor=8,
        ),
        guidance=GuidanceConfig(),
        size='g1-base',
        state=G1_STATE,
    ),
}
PRESETS = tuple(_TASKS)
"""Names that :func:`preset` knows."""


def preset(name: str, size: str = '') -> WamConfig:
    """Return the configuration of a robot or benchmark with a network of a named size.

    Args:
        name: of the preset.
        size: of the network; empty takes the preset's own (``5b``, but for ``g1-micro``,
            ``g1-tiny`` and ``g1-base``).

    Raises:
        UserError: an unknown name or size, with the nearest known one.
    """
    if name not in _TASKS:
        raise UserError(f'unknown preset {name!r}; {did_you_mean(name, _TASKS)}')
    task = _TASKS[name]
    size = size or task.size
    if size not in SIZES:
        raise UserError(f'unknown model size {size!r}; {did_you_mean(size, SIZES)}')
    model = _with_views(SIZES[size], task.canvas)
    return WamConfig(
        model=model,
        video=task.video,
        action=task.action,
        chunk=task.chunk,
        canvas=task.canvas,
        actions=ACTIONS[name],
        guidance=task.guidance,
        state=task.state if model.context else None,
    )


def _with_views(model: ModelConfig, canvas: CanvasConfig) -> ModelConfig:
    """Return ``model`` with a view of its context for each camera of the canvas, if several."""
    if model.context is None or len(canvas.cameras) == 1:
        return model
    views = tuple(canvas.box(camera) for camera in canvas.cameras)
    return replace(model, context=replace(model.context, views=views))


def few_steps(config: WamConfig, video_steps: int, action_steps: int) -> WamConfig:
    """Return ``config`` with other step counts and no guidance, as a distilled student runs."""
    return replace(
        config,
        video=replace(config.video, steps=video_steps, exec_steps=-1),
        action=replace(config.action, steps=action_steps),
        guidance=GuidanceConfig(),
    )
