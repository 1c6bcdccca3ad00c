"""Noise levels of training: drawn per frame from the 1000-step table, and the jumps between.

Index 0 of a table is sigma = 1; a higher index is cleaner. The table ends just above zero
(index 999: 0.00498 at shift 5, 0.001 at shift 1), so a jump "to the end" stops there unless
``end_sigma`` asks for exactly zero.
"""

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from flash_wam_ros.core import UserError, did_you_mean
from flash_wam_ros.distill.window import CleanBatch, NoisyWindow, Stream
from flash_wam_ros.wam.context import Seen
from flash_wam_ros.wam.schedule import TRAIN_STEPS, TrainingTable

EndSigma = Literal['published', 'zero']
END_SIGMAS = ('published', 'zero')
Draws = Literal['published', 'rollout']
DRAWS = ('published', 'rollout')
_HISTORY_FIRST_INDEX = TRAIN_STEPS // 2


@dataclass(frozen=True, kw_only=True, slots=True)
class LevelConfig:
    """Noise levels of both streams.

    Attributes:
        video_shift: signal-to-noise shift of the video table (5 in every released setting).
        action_shift: shift of the action table (1; 0.05 for LIBERO).
        draws: ``published`` draws a level a frame, shared over the batch; ``rollout`` draws as
            a rollout has them: a level a chunk and sample, the window's first frame known.
    """

    video_shift: float = 5.0
    action_shift: float = 1.0
    draws: Draws = 'published'

    def __post_init__(self) -> None:
        if self.draws not in DRAWS:
            raise UserError(f'unknown draws {self.draws!r}; {did_you_mean(self.draws, DRAWS)}')
        for shift in (self.video_shift, self.action_shift):
            TrainingTable.make(shift)

    def tables(self) -> tuple[TrainingTable, TrainingTable]:
        """Return the video table and the action table."""
        return TrainingTable.make(self.video_shift), TrainingTable.make(self.action_shift)

    def draw(self, batch: CleanBatch, chunk_size: int, rng: torch.Generator) -> 'Noised':
        """Return a batch noised at levels drawn as ``draws`` says."""
        if self.draws == 'published':
            return draw_noised(batch, self.tables(), rng)
        return draw_rollout(batch, self.tables(), chunk_size, rng)

    def at(
        self, batch: CleanBatch, t_video: Tensor, t_action: Tensor, rng: torch.Generator
    ) -> 'Noised':
        """Return a batch at given timesteps (B, F); a rollout's first frame is known."""
        make = noised if self.draws == 'published' else known_first
        return make(batch, t_video, t_action, rng)


def check_end_sigma(end_sigma: str) -> None:
    """Raise UserError unless ``end_sigma`` is a known end of the jump."""
    if end_sigma not in END_SIGMAS:
        raise UserError(f'unknown end_sigma {end_sigma!r}; {did_you_mean(end_sigma, END_SIGMAS)}')


def draw_timesteps(
    table: TrainingTable, frames: int, rng: torch.Generator, first_index: int = 0
) -> Tensor:
    """Return one timestep per frame, (F,), uniform over table entries >= ``first_index``."""
    u = torch.rand(frames, generator=rng)
    index = first_index + (u * (TRAIN_STEPS - first_index)).long()
    return table.timesteps[index]


def jump_timesteps(
    table: TrainingTable, timesteps: Tensor, stride: int, end_sigma: EndSigma = 'published'
) -> Tensor:
    """Return the timesteps ``stride`` table entries further towards the data, same shape.

    Past the table's end a jump stops at its last entry (``published``) or at 0 (``zero``). What is
    at 0 stays there.
    """
    at = table.timesteps.to(timesteps.device)
    middles = ((at[1:] + at[:-1]) / 2).flip(0)
    index = TRAIN_STEPS - 1 - torch.searchsorted(middles, timesteps.contiguous()) + stride
    ends = at[index.clamp_max(TRAIN_STEPS - 1)]
    past = index > TRAIN_STEPS - 1 if end_sigma == 'zero' else torch.zeros_like(ends).bool()
    return torch.where(past | (timesteps == 0), 0.0, ends)


def interpolate(x0: Tensor, noise: Tensor, t: Tensor) -> Tensor:
    """Return (1 - sigma) x0 + sigma noise of (B, C, F, ., .) tensors at timesteps t (B, F)."""
    sigma = (t / TRAIN_STEPS)[:, None, :, None, None].to(x0)
    return (1 - sigma) * x0 + sigma * noise


def normal_like(x: Tensor, rng: torch.Generator) -> Tensor:
    """Return standard normal noise like ``x``, drawn on the CPU so that devices agree."""
    return torch.randn(x.shape, generator=rng).to(x)


@dataclass(frozen=True, kw_only=True, slots=True)
class Noised:
    """A noisy window together with what it was made from.

    Attributes:
        window: input of the network.
        video_velocity: eps - x0 of the video, the flow-matching target.
        action_velocity: eps - x0 of the actions, zero where the mask is False.
        actions_mask: True where an action is supervised.
        frames_mask: True where the video is supervised, (B, 1, F, 1, 1).
        noiseless: (B, F) True where the actions start from nothing instead of noise; None for
            nowhere (see ``with_noiseless_starts``).
        pure: (B, F) True where the video starts as a rollout's first step does; None for nowhere
            (see ``with_pure_starts``).
    """

    window: NoisyWindow
    video_velocity: Tensor
    action_velocity: Tensor
    actions_mask: Tensor
    frames_mask: Tensor
    noiseless: Tensor | None = None
    pure: Tensor | None = None


def noised(batch: CleanBatch, t_video: Tensor, t_action: Tensor, rng: torch.Generator) -> Noised:
    """Noise a batch at per-frame timesteps (B, F); unsupervised action channels stay zero."""
    mask = batch.actions_mask.to(batch.actions)
    noise_video = normal_like(batch.latent, rng)
    noise_action = normal_like(batch.actions, rng) * mask
    actions = batch.actions * mask
    history = actions if batch.executed is None else batch.executed * mask
    zero = torch.zeros_like(t_video)
    window = NoisyWindow(
        video=Stream(
            noisy=interpolate(batch.latent, noise_video, t_video),
            clean=batch.latent,
            t=t_video,
            t_clean=zero,
        ),
        action=Stream(
            noisy=interpolate(actions, noise_action, t_action),
            clean=history,
            t=t_action,
            t_clean=zero,
        ),
        text_emb=batch.text_emb,
        seen=Seen(batch.latent, batch.state),
    )
    return Noised(
        window=window,
        video_velocity=noise_video - batch.latent,
        action_velocity=noise_action - actions,
        actions_mask=batch.actions_mask,
        frames_mask=torch.ones_like(t_video, dtype=torch.bool)[:, None, :, None, None],
    )


def draw_noised(
    batch: CleanBatch, tables: tuple[TrainingTable, TrainingTable], rng: torch.Generator
) -> Noised:
    """Noise a batch at levels drawn per frame and shared over the batch, as published."""
    size, _, frames = batch.latent.shape[:3]
    device = batch.latent.device
    t_video, t_action = (draw_timesteps(table, frames, rng).to(device) for table in tables)
    return noised(batch, t_video.expand(size, -1), t_action.expand(size, -1), rng)


def draw_rollout(
    batch: CleanBatch,
    tables: tuple[TrainingTable, TrainingTable],
    chunk_size: int,
    rng: torch.Generator,
) -> Noised:
    """Noise a batch as a rollout meets it: a level a chunk and sample, the first frame known.

    Like the first chunk of an episode, the window's first frame stands there clean at timestep 0
    beside actions of zero, and neither is supervised.
    """
    size, _, frames = batch.latent.shape[:3]
    chunk_of = torch.arange(frames).div(chunk_size, rounding_mode='floor')
    levels = []
    for table in tables:
        chunks = int(chunk_of[-1]) + 1
        index = (torch.rand(size, chunks, generator=rng) * TRAIN_STEPS).long()
        t = table.timesteps[index][:, chunk_of].to(batch.latent.device)
        t[:, 0] = 0.0
        levels.append(t)
    return known_first(batch, levels[0], levels[1], rng)


def known_first(
    batch: CleanBatch, t_video: Tensor, t_action: Tensor, rng: torch.Generator
) -> Noised:
    """Noise a batch whose first frame is known: timestep 0, no actions, no supervision."""
    t_video, t_action = t_video.clone(), t_action.clone()
    t_video[:, 0] = t_action[:, 0] = 0.0
    mask = batch.actions_mask.clone()
    mask[:, :, 0] = False
    sample = noised(replace(batch, actions_mask=mask), t_video, t_action, rng)
    counted = sample.frames_mask.clone()
    counted[:, :, 0] = False
    return replace(sample, frames_mask=counted)


def with_history_noise(sample: Noised, table: TrainingTable, rng: torch.Generator) -> Noised:
    """Noise the clean video copy at per-frame levels of the cleaner half of the table."""
    video = sample.window.video
    size, frames = video.t.shape
    t = draw_timesteps(table, frames, rng, _HISTORY_FIRST_INDEX).to(video.t).expand(size, -1)
    clean = interpolate(video.clean, normal_like(video.clean, rng), t)
    noisy_history = replace(video, clean=clean, t_clean=t)
    return replace(sample, window=replace(sample.window, video=noisy_history))


def with_noiseless_starts(
    sample: Noised, probability: float, chunk_size: int, rng: torch.Generator
) -> Noised:
    """Let the actions of some chunks start at sigma 1 from zeros instead of noise.

    The velocity from there is the negative mean of what was done in such a place: what one step
    with temperature 0 needs. The table's weight vanishes at sigma 1, so that nothing else teaches
    it (docs/distillation.md).

    Args:
        sample: what is changed; frames at timestep 0 stay as they are.
        probability: of each chunk.
        chunk_size: frames in a chunk.
        rng: draws the chunks.
    """
    action = sample.window.action
    noiseless = _drawn_chunks(action, probability, chunk_size, rng)
    here = noiseless[:, None, :, None, None]
    supervised = sample.actions_mask.to(action.clean)
    actions = action.noisy - action.sigma * sample.action_velocity
    action = replace(
        action,
        noisy=torch.where(here, 0.0, action.noisy),
        t=torch.where(noiseless, float(TRAIN_STEPS), action.t),
    )
    return replace(
        sample,
        window=replace(sample.window, action=action),
        action_velocity=torch.where(here, -actions * supervised, sample.action_velocity),
        noiseless=noiseless,
    )


def with_pure_starts(
    sample: Noised, probability: float, chunk_size: int, rng: torch.Generator
) -> Noised:
    """Let the video of some chunks start at sigma 1 itself, where a rollout starts.

    The table's weight vanishes there as well, so that little else teaches the one step of a
    one-step rollout.

    Args:
        sample: what is changed; frames at timestep 0 stay as they are.
        probability: of each chunk.
        chunk_size: frames in a chunk.
        rng: draws the chunks.
    """
    video = sample.window.video
    pure = _drawn_chunks(video, probability, chunk_size, rng)
    noise = video.noisy + (1 - video.sigma) * sample.video_velocity
    video = replace(
        video,
        noisy=torch.where(pure[:, None, :, None, None], noise, video.noisy),
        t=torch.where(pure, float(TRAIN_STEPS), video.t),
    )
    return replace(sample, window=replace(sample.window, video=video), pure=pure)


def _drawn_chunks(
    stream: Stream, probability: float, chunk_size: int, rng: torch.Generator
) -> Tensor:
    """Return (B, F) True in the chunks that were drawn, but never in a frame that is known."""
    size, frames = stream.t.shape
    chunk_of = torch.arange(frames).div(chunk_size, rounding_mode='floor')
    drawn = torch.rand(size, int(chunk_of[-1]) + 1, generator=rng) < probability
    return drawn[:, chunk_of].to(stream.t.device) & (stream.t > 0)
