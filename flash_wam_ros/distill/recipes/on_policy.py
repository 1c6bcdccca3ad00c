"""On-policy distillation: the teacher corrects the student where the student really goes.

The student rolls out several chunks in one step each, and its own video and actions become the
history of the next chunk: nothing resets it to the recording. On that history the many-step
teacher denoises the same noise, and the student regresses the teacher's end points. Errors that
only appear after a student's own mistakes are thus trained on, and the target is the end of the
teacher's path, not the average of one coarse jump.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from flash_wam_ros.core import UserError
from flash_wam_ros.distill.losses import masked_mean, pseudo_huber
from flash_wam_ros.distill.networks import ema_update, frozen_copy, trainable_copy
from flash_wam_ros.distill.noising import Noised
from flash_wam_ros.distill.objective import Losses, Objective
from flash_wam_ros.distill.recipes.base import Recipe, Setting
from flash_wam_ros.distill.step import euler, guided_velocities
from flash_wam_ros.distill.window import CleanBatch, NoisyWindow, Stream
from flash_wam_ros.wam.context import Seen
from flash_wam_ros.wam.schedule import TRAIN_STEPS, InferenceSchedule


@dataclass(frozen=True, kw_only=True, slots=True)
class OnPolicy(Recipe):
    """Regression of the many-step teacher on the student's own rollouts.

    Attributes:
        teacher_steps: Euler steps of the teacher in both streams.
        lambda_action: weight of the action loss.
        temperature: size of the noise that the actions start from. At 0 the student learns the one
            answer that its teacher gives without noise, and is sampled so.
    """

    name: ClassVar[str] = 'on_policy'
    summary: ClassVar[str] = "the many-step teacher regressed on the student's own rollouts"
    teacher_steps: int = 16
    lambda_action: float = 1.0
    temperature: float = 1.0

    def __post_init__(self) -> None:
        Recipe.__post_init__(self)
        if self.teacher_steps < 2:
            raise UserError(f'teacher_steps {self.teacher_steps} must be at least 2')
        if not 0.0 <= self.lambda_action < float('inf'):
            raise UserError(f'lambda_action {self.lambda_action} must be finite and >= 0')
        if not 0.0 <= self.temperature <= 1.0:
            raise UserError(f'temperature {self.temperature} outside [0, 1]')

    def objective(self, teacher: nn.Module, setting: Setting) -> Objective:
        """Return the objective of this recipe."""
        return OnPolicyObjective(self, teacher, setting)


def _to_data(stream: Stream, velocity: Tensor) -> Tensor:
    return stream.noisy - stream.sigma * velocity


def _put(history: Tensor, made: Tensor, frames: slice) -> Tensor:
    """Return ``history`` (B, C, F, ., .) with ``frames`` taken from ``made``."""
    changed = history.clone()
    changed[:, :, frames] = made[:, :, frames]
    return changed


def _imagined(seen: Seen | None, made: Tensor, frames: slice) -> Seen | None:
    """Return what was seen with imagined ``frames``; the joints stay as they were measured."""
    return None if seen is None else seen._replace(latents=_put(seen.latents, made, frames))


class OnPolicyObjective(Objective):
    """Teacher, online student and its average.

    Args:
        recipe: step count and weights.
        teacher: the network to distil; it is copied.
        setting: noise tables, chunking, empty prompt.
    """

    def __init__(self, recipe: OnPolicy, teacher: nn.Module, setting: Setting) -> None:
        self.recipe = recipe
        self.setting = setting
        self.networks = {
            'teacher': frozen_copy(teacher),
            'online': trainable_copy(teacher),
            'average': frozen_copy(teacher).float(),
        }

    def loss(self, player: str, batch: CleanBatch, rng: torch.Generator) -> Losses:
        """Return the regression losses on a fresh rollout; the first chunk is given."""
        if batch.latent.shape[2] <= self.setting.chunk_size:
            raise UserError(
                f'on_policy needs windows of more than {self.setting.chunk_size} frames (one '
                f'chunk is given), got {batch.latent.shape[2]}; lengthen the windows'
            )
        full = torch.full(
            (len(batch.latent), batch.latent.shape[2]),
            float(TRAIN_STEPS),
            device=batch.latent.device,
        )
        sample = self.setting.levels.at(batch, full, full, rng)
        low, high = self.recipe.guidance_min, self.recipe.guidance_max
        guidance = low + (high - low) * torch.rand((), generator=rng).item()
        window = self._rollout(self._calmed(sample))
        video_end, action_end = self._teacher_ends(window, guidance)
        velocity = self.networks['online'](window)
        own = slice(self.setting.chunk_size, None)
        c = self.recipe.huber_c
        video = pseudo_huber(_to_data(window.video, velocity.video), video_end, c)[:, :, own]
        action = pseudo_huber(_to_data(window.action, velocity.action), action_end, c)[:, :, own]
        parts = {
            'video': video.mean(),
            'action': masked_mean(action, sample.actions_mask[:, :, own]),
        }
        total = parts['video'] + self.recipe.lambda_action * parts['action']
        named = {**parts, 'total': total}
        return Losses(total=total, parts={k: v.detach() for k, v in named.items()})

    def _calmed(self, sample: Noised) -> Noised:
        """Return ``sample``, whose actions are pure noise, with noise of the temperature."""
        action = sample.window.action
        action = replace(action, noisy=action.noisy * self.recipe.temperature)
        return replace(sample, window=replace(sample.window, action=action))

    @torch.no_grad()
    def _rollout(self, sample: Noised) -> NoisyWindow:
        """Return the window of pure noise whose history is the student's own, chunk by chunk."""
        window, student, size = sample.window, self.networks['online'], self.setting.chunk_size
        mask = sample.actions_mask.to(window.action.noisy)
        for first in range(size, window.video.t.shape[1], size):
            frames = slice(first, first + size)
            made = _to_data(window.video, student(window).video)
            video = replace(window.video, clean=_put(window.video.clean, made, frames))
            window = replace(window, video=video, seen=_imagined(window.seen, made, frames))
            made = _to_data(window.action, student(window).action) * mask
            action = replace(window.action, clean=_put(window.action.clean, made, frames))
            window = replace(window, action=action)
        return window

    @torch.no_grad()
    def _teacher_ends(self, window: NoisyWindow, guidance: float) -> tuple[Tensor, Tensor]:
        """Return where the many-step teacher ends from the window's noise on its history."""
        levels, steps = self.setting.levels, self.recipe.teacher_steps
        schedules = [
            [*InferenceSchedule.make(steps, shift).timesteps.tolist(), 0.0]
            for shift in (levels.video_shift, levels.action_shift)
        ]
        for t_video, t_action in zip(schedules[0][1:], schedules[1][1:], strict=True):
            velocity = guided_velocities(
                self.networks['teacher'], window, guidance, self.setting.empty_text
            )
            window = replace(
                window,
                video=euler(window.video, velocity.video, window.video.t.clamp_max(t_video)),
                action=euler(window.action, velocity.action, window.action.t.clamp_max(t_action)),
            )
        return window.video.noisy, window.action.noisy

    def after_step(self) -> None:
        """Move the average towards the student."""
        ema_update(self.networks['average'], self.networks['online'], self.recipe.ema_decay)
