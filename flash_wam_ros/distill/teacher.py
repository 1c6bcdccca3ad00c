"""Teacher training: flow matching on both streams under teacher forcing (LingBot-VA)."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from flash_wam_ros.core import UserError
from flash_wam_ros.distill.imagining import with_own_imagination
from flash_wam_ros.distill.look import LookingNetwork, places_loss
from flash_wam_ros.distill.losses import pseudo_huber, squared_error
from flash_wam_ros.distill.networks import ema_update, frozen_copy, trainable_copy
from flash_wam_ros.distill.noising import (
    LevelConfig,
    Noised,
    with_history_noise,
    with_noiseless_starts,
    with_pure_starts,
)
from flash_wam_ros.distill.objective import Losses, Objective
from flash_wam_ros.distill.wam_network import WamNetwork
from flash_wam_ros.distill.window import CleanBatch, Velocities, View
from flash_wam_ros.wam.context_training import told_frames
from flash_wam_ros.wam.schedule import TrainingTable

_GUARD = 1e-6


@dataclass(frozen=True, kw_only=True, slots=True)
class TeacherConfig:
    """How a teacher is trained; the defaults are LingBot-VA's.

    Attributes:
        chunk_sizes: frames denoised together, one drawn per batch.
        window_min: least window (half-chunks), drawn per batch.
        window_max: largest window.
        history_noise: probability that the clean video copy of a batch is noised.
        text_dropout: probability that a prompt is replaced by the empty one.
        ema_decay: decay of the network's moving average.
        action_history_dropout: probability that a window's executed actions are hidden, so that
            a small network looks instead of going on with what it did.
        imagination_dropout: probability that a batch's actions do not see the video of their own
            chunk, so that the model also works with imagination off.
        noiseless_starts: probability that a chunk's actions start at sigma 1 from zeros, where one
            step with temperature 0 starts; its weight is 1.
        noiseless_huber: where the error of these starts passes from square to distance, in
            normalised units; 0 for the square throughout. One answer to a place where this and
            that was done is then nearer to what was done more often than to the mean of both.
        pure_starts: probability that a chunk's video starts at sigma 1, where one step starts; its
            weight is 1.
        own_imagination: probability that the actions of a window's last chunk see what the network
            itself imagines for it in one step, as in a rollout, instead of what then came.
        look: weight of the loss of a probe that reads where things are (see look.py); 0 for none.
    """

    chunk_sizes: tuple[int, ...] = (1, 2, 3, 4)
    window_min: int = 4
    window_max: int = 64
    history_noise: float = 0.5
    text_dropout: float = 0.1
    ema_decay: float = 0.999
    action_history_dropout: float = 0.0
    imagination_dropout: float = 0.0
    noiseless_starts: float = 0.0
    noiseless_huber: float = 0.0
    pure_starts: float = 0.0
    own_imagination: float = 0.0
    look: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, 'chunk_sizes', tuple(self.chunk_sizes))
        if not self.chunk_sizes or min(self.chunk_sizes) < 1:
            raise UserError(f'chunk_sizes {self.chunk_sizes} must be whole numbers >= 1')
        if not 1 <= self.window_min <= self.window_max:
            raise UserError(
                f'window_min {self.window_min} and window_max {self.window_max} must rise from 1'
            )
        for name in (
            *('history_noise', 'text_dropout', 'action_history_dropout'),
            *('imagination_dropout', 'noiseless_starts', 'pure_starts', 'own_imagination'),
        ):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise UserError(f'{name} {getattr(self, name)} must be a probability')
        if not 0.0 <= self.ema_decay < 1.0:
            raise UserError(f'ema_decay {self.ema_decay} must be in [0, 1)')
        for name in ('look', 'noiseless_huber'):
            if not 0.0 <= getattr(self, name) < float('inf'):
                raise UserError(f'{name} {getattr(self, name)} must be 0 or more')


def frame_weighted(error: Tensor, mask: Tensor, weight: Tensor) -> Tensor:
    """Return the mean over frames of the masked mean error of a frame times its weight.

    Args:
        error: elementwise errors (B, C, F, ., .).
        mask: where they count, of that shape.
        weight: weight of each frame (B, F).
    """
    over = (1, 3, 4)
    counted = mask.to(error.dtype)
    per_frame = (error * counted).sum(over) / (counted.sum(over) + _GUARD)
    return (per_frame * weight).mean()


def flow_matching_losses(
    velocity: Velocities,
    sample: Noised,
    tables: tuple[TrainingTable, TrainingTable],
    noiseless_huber: float = 0.0,
) -> tuple[Tensor, Tensor]:
    """Return the weighted video and action losses of predicted velocities.

    Args:
        velocity: the predictions.
        sample: what they are held against.
        tables: of the video and of the actions, with the weights.
        noiseless_huber: see :class:`TeacherConfig`; scaled so that small errors count as squares.
    """
    video = squared_error(velocity.video, sample.video_velocity)
    action = squared_error(velocity.action, sample.action_velocity)
    video_weight = tables[0].weight_of(sample.window.video.t)
    action_weight = tables[1].weight_of(sample.window.action.t)
    if sample.pure is not None:
        video_weight = torch.where(sample.pure, 1.0, video_weight)
    if sample.noiseless is not None:
        action_weight = torch.where(sample.noiseless, 1.0, action_weight)
        if noiseless_huber:
            far = pseudo_huber(velocity.action, sample.action_velocity, noiseless_huber)
            here = sample.noiseless[:, None, :, None, None]
            action = torch.where(here, 2 * noiseless_huber * far, action)
    return (
        frame_weighted(video, sample.frames_mask.expand(video.shape), video_weight),
        frame_weighted(action, sample.actions_mask, action_weight),
    )


def _draw(options: Iterable[int], rng: torch.Generator) -> int:
    choices = list(options)
    return choices[int(torch.randint(len(choices), (), generator=rng))]


def _with_hidden_history(sample: Noised, probability: float, rng: torch.Generator) -> Noised:
    """Put zeros for the executed actions of some windows."""
    if probability == 0:
        return sample
    action = sample.window.action
    kept = torch.rand(len(action.clean), generator=rng) >= probability
    clean = action.clean * kept.to(action.clean)[:, None, None, None, None]
    return replace(sample, window=replace(sample.window, action=replace(action, clean=clean)))


class TeacherObjective(Objective):
    """Flow matching of one network, with its moving average.

    Args:
        config: sampling of chunks, history noise and prompts.
        network: where training starts; it is copied.
        levels: noise-level tables.
        empty_text: embedding of the empty prompt (1, L, D).
    """

    def __init__(
        self, config: TeacherConfig, network: nn.Module, levels: LevelConfig, empty_text: Tensor
    ) -> None:
        self.config = config
        if config.look:
            if not isinstance(network, WamNetwork):
                raise UserError('teacher.look needs a network with an observation context')
            network = LookingNetwork(network)
        self.levels, self.tables = levels, levels.tables()
        self.empty_text = empty_text
        self.networks = {
            'online': trainable_copy(network),
            'average': frozen_copy(network).float(),
        }

    def _sample(self, batch: CleanBatch, rng: torch.Generator) -> Noised:
        config = self.config
        sample = self.levels.draw(batch, max(config.chunk_sizes), rng)
        if torch.rand((), generator=rng) < config.history_noise:
            sample = with_history_noise(sample, self.tables[0], rng)
        dropped = torch.rand(len(batch.text_emb), generator=rng) < config.text_dropout
        text = torch.where(
            dropped.to(batch.text_emb.device)[:, None, None],
            self.empty_text.to(batch.text_emb),
            batch.text_emb,
        )
        windows = range(config.window_min, config.window_max + 1)
        view = View(_draw(config.chunk_sizes, rng), _draw(windows, rng))
        if config.imagination_dropout:
            imagines = torch.rand((), generator=rng).item() >= config.imagination_dropout
            view = view._replace(imagination=imagines)
        sample = replace(sample, window=replace(sample.window, text_emb=text, view=view))
        if config.noiseless_starts:
            sample = with_noiseless_starts(sample, config.noiseless_starts, view.chunk_size, rng)
        if config.pure_starts:
            sample = with_pure_starts(sample, config.pure_starts, view.chunk_size, rng)
        sample = _with_hidden_history(sample, config.action_history_dropout, rng)
        if view.imagination and config.own_imagination:
            own = torch.rand((), generator=rng).item() < config.own_imagination
            if own:
                online = self.networks['online']
                sample = with_own_imagination(sample, online, view.chunk_size, rng)
        return sample

    def loss(self, player: str, batch: CleanBatch, rng: torch.Generator) -> Losses:
        """Return the flow-matching losses of a batch."""
        sample = self._sample(batch, rng)
        velocity = self.networks['online'](sample.window)
        video, action = flow_matching_losses(
            velocity, sample, self.tables, self.config.noiseless_huber
        )
        total = video + action
        parts = {'video': video, 'action': action}
        if self.config.look:
            look = self._look(velocity, batch, sample)
            total = total + self.config.look * look.total
            parts |= {**look.parts, 'look': look.total}
        parts['total'] = total
        return Losses(total=total, parts={k: v.detach() for k, v in parts.items()})

    def _look(self, velocity: Velocities, batch: CleanBatch, sample: Noised) -> Losses:
        """Return the loss of what each chunk was told of the frame before it."""
        assert velocity.places is not None
        assert sample.window.view is not None
        anchors = told_frames(batch.latent.shape[2], sample.window.view.chunk_size)
        true = None if batch.places is None else batch.places[:, anchors]
        return places_loss(velocity.places, true)

    def after_step(self) -> None:
        """Move the average towards the network."""
        ema_update(self.networks['average'], self.networks['online'], self.config.ema_decay)
