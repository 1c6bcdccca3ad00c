"""Configuration of the world-action model: network, schedules, chunks, guidance.

Sources: the released ``transformer/config.json`` of LingBot-VA and its per-benchmark settings.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from flash_wam_ros.core import UserError, did_you_mean
from flash_wam_ros.wam.actions import ActionConfig
from flash_wam_ros.wam.canvas import CanvasConfig
from flash_wam_ros.wam.context_config import ContextConfig
from flash_wam_ros.wam.settings import from_strict_dict
from flash_wam_ros.wam.state import StateConfig

ATTENTION_MODES = ('torch', 'flashattn', 'flex')
VIDEO_HEADS = ('x0', 'consistency')


def _require_positive(what: str, **counts: Any) -> None:
    for name, value in counts.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise UserError(f'{what}: {name} is {value!r}, expected a whole number >= 1')


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelConfig:
    """Shape of the network; the fields of the published ``transformer/config.json``.

    Attributes:
        num_layers: blocks of the one stack that both modalities share.
        num_attention_heads: heads of both attentions.
        attention_head_dim: channels a head, even; heads times this is the model width D.
        ffn_dim: hidden width of the feed-forward part.
        freq_dim: channels of the sinusoidal time embedding, even.
        text_dim: channels of the text embedding.
        in_channels: latent channels in.
        out_channels: latent channels out; equal to ``in_channels``.
        action_dim: action channels of the model.
        patch_size: (frames, rows, columns) of latent pixels a video token.
        cross_attn_norm: whether a block has an affine norm before the text attention.
        eps: guard of all norms.
        rope_max_seq_len: kept for the file form; positions are computed, not tabulated.
        pos_embed_seq_len: kept for the file form.
        attn_mode: kept for the file form; ``flex`` marks a training checkpoint.
        context: what a small network is told of the present beside its history; None, as in
            the published network, leaves it out.
        target_time: whether actions are told which timestep a step shall reach, as a flow map
            is; the published network is not.
    """

    num_layers: int = 30
    num_attention_heads: int = 24
    attention_head_dim: int = 128
    ffn_dim: int = 14336
    freq_dim: int = 256
    text_dim: int = 4096
    in_channels: int = 48
    out_channels: int = 48
    action_dim: int = 30
    patch_size: tuple[int, int, int] = (1, 2, 2)
    cross_attn_norm: bool = True
    eps: float = 1e-6
    rope_max_seq_len: int = 1024
    pos_embed_seq_len: int | None = None
    attn_mode: str = 'torch'
    context: ContextConfig | None = None
    target_time: bool = False

    def __post_init__(self) -> None:
        """Refuse sizes that no network of this form can have."""
        _require_positive(
            'model',
            **{
                name: getattr(self, name)
                for name in (
                    *('num_layers', 'num_attention_heads', 'attention_head_dim', 'ffn_dim'),
                    *('freq_dim', 'text_dim', 'in_channels', 'out_channels', 'action_dim'),
                )
            },
        )
        object.__setattr__(self, 'patch_size', tuple(self.patch_size))
        if len(self.patch_size) != 3 or self.patch_size[0] != 1:
            raise UserError(f'model: patch_size is {self.patch_size}, expected (1, rows, columns)')
        _require_positive('model', patch_rows=self.patch_size[1], patch_columns=self.patch_size[2])
        for name, least in (('attention_head_dim', 6), ('freq_dim', 2)):
            value = getattr(self, name)
            if value % 2 or value < least:
                raise UserError(f'model: {name} is {value}, expected an even number >= {least}')
        if self.in_channels != self.out_channels:
            raise UserError(
                f'model: in_channels {self.in_channels} and out_channels {self.out_channels} '
                'differ; a velocity has the channels of its latent'
            )
        if not 0 < self.eps < 1:
            raise UserError(f'model: eps is {self.eps}, expected a number in (0, 1)')
        if self.attn_mode not in ATTENTION_MODES:
            raise UserError(
                f'model: unknown attn_mode {self.attn_mode!r}; '
                f'{did_you_mean(str(self.attn_mode), ATTENTION_MODES)}'
            )

    @property
    def width(self) -> int:
        """Return D, the channels of a token."""
        return self.num_attention_heads * self.attention_head_dim

    @property
    def patch_channels(self) -> int:
        """Return the numbers a video token covers."""
        return self.in_channels * self.patch_size[0] * self.patch_size[1] * self.patch_size[2]

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> 'ModelConfig':
        """Return the configuration of a ``config.json``.

        Keys that begin with an underscore (``_class_name``, ``_diffusers_version``) belong to
        the file form and are passed over; any other unknown key raises UserError.
        """
        own = {key: value for key, value in values.items() if not str(key).startswith('_')}
        if own.get('context') is not None:
            own['context'] = from_strict_dict(ContextConfig, own['context'], 'context')
        return from_strict_dict(cls, own, 'model')

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as ``config.json`` keeps them."""
        values = {**asdict(self), 'patch_size': list(self.patch_size)}
        if self.context is None:
            del values['context']
        if not self.target_time:
            del values['target_time']
        return values


@dataclass(frozen=True, kw_only=True, slots=True)
class ScheduleConfig:
    """Denoising of one modality.

    Attributes:
        steps: network passes from noise to data, >= 1.
        shift: signal-to-noise shift of the noise levels, > 0; 1 spaces them evenly.
        exec_steps: -1 denoises fully; m in [1, steps] stops after m steps and leaves the tokens
            of the last one, still noisy, in the cache (video only).
    """

    steps: int
    shift: float
    exec_steps: int = -1

    def __post_init__(self) -> None:
        """Refuse step counts and shifts that define no schedule."""
        _require_positive('schedule', steps=self.steps)
        if not 0 < self.shift < float('inf'):
            raise UserError(f'schedule: shift is {self.shift}, expected a finite number > 0')
        if self.exec_steps != -1 and not 1 <= self.exec_steps <= self.steps:
            raise UserError(
                f'schedule: exec_steps is {self.exec_steps}, expected -1 (all) or a count in '
                f'[1, {self.steps}]'
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class ChunkConfig:
    """What one rollout step covers.

    Attributes:
        frames_per_chunk: latent frames imagined at once.
        actions_per_frame: actions a latent frame.
        attn_window: half-chunks (video and action alternate) that the cache holds, >= 2.
    """

    frames_per_chunk: int
    actions_per_frame: int
    attn_window: int

    def __post_init__(self) -> None:
        """Refuse counts below one and a window that can't hold one chunk."""
        _require_positive(
            'chunk',
            frames_per_chunk=self.frames_per_chunk,
            actions_per_frame=self.actions_per_frame,
            attn_window=self.attn_window,
        )
        if self.attn_window < 2:
            raise UserError('chunk: attn_window is 1, expected >= 2 (one video, one action group)')

    @property
    def pairs(self) -> int:
        """Return how many chunks, video and actions, the cache holds."""
        return self.attn_window // 2

    @property
    def actions_per_chunk(self) -> int:
        """Return the actions of one chunk."""
        return self.frames_per_chunk * self.actions_per_frame


@dataclass(frozen=True, kw_only=True, slots=True)
class GuidanceConfig:
    """Classifier-free guidance scales: v = v_empty + scale (v_prompt - v_empty); 1 is none."""

    video: float = 1.0
    action: float = 1.0

    def __post_init__(self) -> None:
        """Refuse scales below one: the published server takes those as none."""
        for name in ('video', 'action'):
            value = getattr(self, name)
            if not 1 <= value < float('inf'):
                raise UserError(
                    f'guidance: {name} is {value}, expected a finite number >= 1 (1 is none)'
                )

    @property
    def active(self) -> bool:
        """Return whether the empty prompt has to be run beside the instruction."""
        return self.video > 1 or self.action > 1


_PLAIN_PARTS: Mapping[str, type] = {
    'video': ScheduleConfig,
    'action': ScheduleConfig,
    'chunk': ChunkConfig,
    'guidance': GuidanceConfig,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class WamConfig:
    """A whole world-action model: network, schedules, chunks, cameras, actions.

    Attributes:
        model: the network.
        video: denoising of the latents.
        action: denoising of the actions.
        chunk: frames, actions and window.
        canvas: cameras and the latent canvas they are composed on.
        actions: used channels and their quantiles.
        guidance: classifier-free guidance.
        video_head: ``x0`` takes plain Euler steps, as the published code does; ``consistency``
            takes the function that Flash-WAM trains for the video stream.
        imagination: whether the video is imagined; without it the actions see the past alone
            (Fast-WAM), which the weights must have been trained for.
        acts_blind: whether the weights were trained to act without imagination too.
        state: normalisation of the joint positions that the network reads; None if it reads none.
        temperature: size of the noise that the actions start from: 1 draws from all that was
            demonstrated, 0 always takes what lies in the middle.
    """

    model: ModelConfig
    video: ScheduleConfig
    action: ScheduleConfig
    chunk: ChunkConfig
    canvas: CanvasConfig
    actions: ActionConfig
    guidance: GuidanceConfig = GuidanceConfig()
    video_head: str = 'x0'
    imagination: bool = True
    acts_blind: bool = False
    state: StateConfig | None = None
    temperature: float = 1.0

    def __post_init__(self) -> None:
        """Refuse parts that do not fit each other."""
        if not 0 <= self.temperature <= 1:
            raise UserError(f'temperature {self.temperature} outside [0, 1]')
        if self.video_head not in VIDEO_HEADS:
            raise UserError(
                f'unknown video_head {self.video_head!r}; '
                f'{did_you_mean(str(self.video_head), VIDEO_HEADS)}'
            )
        if self.action.exec_steps != -1:
            raise UserError('action exec_steps must be -1: only the video may stay noisy')
        if self.actions.channels != self.model.action_dim:
            raise UserError(
                f'action statistics cover {self.actions.channels} channels, the model has '
                f'{self.model.action_dim}; use the statistics of this model'
            )
        for name in ('imagination', 'acts_blind'):
            if not isinstance(getattr(self, name), bool):
                raise UserError(f'{name} is {getattr(self, name)!r}, expected true or false')
        if not self.imagination and self.chunk.pairs < 2:
            raise UserError(
                f'without imagination the actions see the past alone, and attn_window '
                f'{self.chunk.attn_window} holds none; use 4 or more'
            )
        reads = self.model.context.state_dim if self.model.context else 0
        given = self.state.size if self.state else 0
        if reads != given:
            raise UserError(
                f'the model reads {reads} joint positions, the configuration normalises {given}; '
                'use the state section of this model'
            )
        for view in self.model.context.views if self.model.context else ():
            if view[0] + view[2] > self.latent_hw[0] or view[1] + view[3] > self.latent_hw[1]:
                raise UserError(
                    f'context: view {view} (top, left, height, width) leaves the canvas of '
                    f'{self.latent_hw} latents; use the boxes of its cameras'
                )
        for name, size, patch in zip(
            ('height', 'width'), self.latent_hw, self.model.patch_size[1:], strict=True
        ):
            if size % patch:
                raise UserError(
                    f'latent {name} {size} is not a multiple of the patch {patch}; '
                    'change the camera resolution'
                )

    @property
    def latent_hw(self) -> tuple[int, int]:
        """Return the height and width of the latent canvas [latent pixels]."""
        return self.canvas.latent_hw

    @property
    def video_tokens_per_frame(self) -> int:
        """Return the video tokens of one latent frame."""
        height, width = self.latent_hw
        return height // self.model.patch_size[1] * (width // self.model.patch_size[2])

    @property
    def video_tokens(self) -> int:
        """Return the video tokens of one chunk."""
        return self.chunk.frames_per_chunk * self.video_tokens_per_frame

    @property
    def action_tokens(self) -> int:
        """Return the action tokens of one chunk."""
        return self.chunk.actions_per_chunk

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> 'WamConfig':
        """Return the configuration written by :meth:`to_dict`; unknown keys raise UserError."""
        parts: dict[str, Any] = dict(values)
        for name, part in _PLAIN_PARTS.items():
            if name in parts:
                parts[name] = from_strict_dict(part, parts[name], name)
        readers = {
            'model': ModelConfig.from_dict,
            'canvas': CanvasConfig.from_dict,
            'actions': ActionConfig.from_dict,
            'state': StateConfig.from_dict,
        }
        for name, reader in readers.items():
            if parts.get(name) is not None:
                parts[name] = reader(parts[name])
        return from_strict_dict(cls, parts, 'configuration')

    def to_dict(self) -> dict[str, Any]:
        """Return plain tables, as JSON keeps them."""
        values = {
            'model': self.model.to_dict(),
            'video': asdict(self.video),
            'action': asdict(self.action),
            'chunk': asdict(self.chunk),
            'canvas': self.canvas.to_dict(),
            'actions': self.actions.to_dict(),
            'guidance': asdict(self.guidance),
            'video_head': self.video_head,
            'imagination': self.imagination,
            'acts_blind': self.acts_blind,
            'temperature': self.temperature,
        }
        return values if self.state is None else {**values, 'state': self.state.to_dict()}
