"""Regression on where the teacher's many action steps end (after Luhman & Luhman 2021).

Under teacher forcing on recorded observations, the actions of a window's last chunk see what the
student itself imagines in one step, as they do in a rollout. From the same noise, or from none,
the teacher denoises them in many steps, and the student is to be there in one. The video's one
step stays the teacher's.

No label is asked for, so that observations serve as well where nobody said what was to be done:
those that the student drove itself into (`data.keyframes.unlabelled`).
"""

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from flash_wam_ros.core import UserError
from flash_wam_ros.distill.imagining import with_own_imagination
from flash_wam_ros.distill.losses import masked_mean, pseudo_huber
from flash_wam_ros.distill.networks import ema_update, frozen_copy, trainable_copy
from flash_wam_ros.distill.noising import Noised
from flash_wam_ros.distill.objective import Losses, Objective
from flash_wam_ros.distill.recipes.base import Recipe, Setting
from flash_wam_ros.distill.step import euler
from flash_wam_ros.distill.wam_network import Kept, WamNetwork
from flash_wam_ros.distill.window import CleanBatch, Velocities
from flash_wam_ros.wam.schedule import TRAIN_STEPS, InferenceSchedule


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint(Recipe):
    """Regression of the actions on the end of the teacher's path.

    Attributes:
        teacher_steps: Euler steps of the teacher's actions.
        lambda_action: weight of the action loss beside that which holds the video.
        temperature: size of the noise that the actions start from. At 0 the student learns the one
            answer that its teacher gives without noise, and is sampled so.
    """

    name: ClassVar[str] = 'endpoint'
    summary: ClassVar[str] = "the end of the teacher's many action steps regressed, video held"
    teacher_steps: int = 10
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
        return EndpointObjective(self, teacher, setting)


def _keeping(network: nn.Module) -> dict[str, Kept]:
    """Return what lets a network compute nothing twice, if it can."""
    return {'kept': Kept()} if isinstance(network, WamNetwork) else {}


class EndpointObjective(Objective):
    """Teacher, online student and its average.

    Args:
        recipe: step count and weights.
        teacher: the network to distil; it is copied.
        setting: noise tables, chunking, empty prompt.
    """

    def __init__(self, recipe: Endpoint, teacher: nn.Module, setting: Setting) -> None:
        self.recipe = recipe
        self.setting = setting
        self.networks = {
            'teacher': frozen_copy(teacher),
            'online': trainable_copy(teacher),
            'average': frozen_copy(teacher).float(),
        }

    def loss(self, player: str, batch: CleanBatch, rng: torch.Generator) -> Losses:
        """Return the regression losses from where a rollout's one step starts."""
        sample = self._start(batch, rng)
        window = sample.window
        video_velocity, action_end = self._teacher_ends(sample)
        velocity = self.networks['online'](window)
        c = self.recipe.huber_c
        video = pseudo_huber(velocity.video, video_velocity, c)
        made = window.action.noisy - window.action.sigma * velocity.action
        parts = {
            'video': masked_mean(video, sample.frames_mask.expand(video.shape)),
            'action': masked_mean(pseudo_huber(made, action_end, c), sample.actions_mask),
        }
        total = parts['video'] + self.recipe.lambda_action * parts['action']
        named = {**parts, 'total': total}
        return Losses(total=total, parts={k: v.detach() for k, v in named.items()})

    def _start(self, batch: CleanBatch, rng: torch.Generator) -> Noised:
        """Return pure noise, the actions' of the temperature, beside the student's imagination."""
        size, frames = batch.latent.shape[0], batch.latent.shape[2]
        full = torch.full((size, frames), float(TRAIN_STEPS), device=batch.latent.device)
        sample = self.setting.levels.at(batch, full, full, rng)
        action = sample.window.action
        # A frame that is known is no noise and stays.
        here = (action.t > 0)[:, None, :, None, None]
        calmed = torch.where(here, self.recipe.temperature * action.noisy, action.noisy)
        window = replace(sample.window, action=replace(action, noisy=calmed))
        return with_own_imagination(
            replace(sample, window=window),
            self.networks['online'],
            self.setting.chunk_size,
            rng,
        )

    @torch.no_grad()
    def _teacher_ends(self, sample: Noised) -> tuple[Tensor, Tensor]:
        """Return the teacher's velocity of the video, and where its actions end."""
        teacher, mask = self.networks['teacher'], sample.actions_mask
        window, kept = sample.window, _keeping(teacher)
        velocity: Velocities = teacher(window, **kept)
        video = velocity.video
        schedule = InferenceSchedule.make(
            self.recipe.teacher_steps, self.setting.levels.action_shift
        )
        for t in [*schedule.timesteps.tolist()[1:], 0.0]:
            moved = euler(window.action, velocity.action * mask, window.action.t.clamp_max(t))
            window = replace(window, action=moved)
            if t > 0:
                velocity = teacher(window, **kept)
        return video, window.action.noisy

    def after_step(self) -> None:
        """Move the average towards the student."""
        ema_update(self.networks['average'], self.networks['online'], self.recipe.ema_decay)
