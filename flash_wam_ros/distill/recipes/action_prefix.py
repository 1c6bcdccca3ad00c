"""Flash-WAM with the actions still in flight as a condition, for asynchronous execution.

While a chunk is computed, the first actions of the period it covers are already being executed
and can't be changed. The student is trained to continue them: the first d latent frames of a
chunk's noisy actions are given clean, at timestep 0, and carry no loss (the idea of
training-time action conditioning for real-time chunking). Timesteps are per latent frame, so the
prefix counts whole frames.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from flash_wam_ros.distill.noising import Noised
from flash_wam_ros.distill.objective import Objective
from flash_wam_ros.distill.recipes.base import Setting
from flash_wam_ros.distill.recipes.consistency import ConsistencyObjective, FlashWam
from flash_wam_ros.distill.step import Jump
from flash_wam_ros.distill.window import CleanBatch


@dataclass(frozen=True, kw_only=True, slots=True)
class ActionPrefix(FlashWam):
    """Flash-WAM whose actions continue a prefix of 0 to chunk_size - 1 frames."""

    name: ClassVar[str] = 'action_prefix'
    summary: ClassVar[str] = 'flash_wam, given the actions still in flight'

    def objective(self, teacher: nn.Module, setting: Setting) -> Objective:
        """Return the objective of this recipe."""
        return ActionPrefixObjective(self, teacher, setting)


def in_flight(frames: int, chunk_size: int, prefix: int) -> Tensor:
    """Return (F,) True where a frame is among the first ``prefix`` of its chunk."""
    return torch.arange(frames) % chunk_size < prefix


class ActionPrefixObjective(ConsistencyObjective):
    """The consistency objective on windows with a clean action prefix."""

    def sample(self, batch: CleanBatch, rng: torch.Generator) -> Noised:
        """Return a noised window whose chunks begin with 0 to chunk_size - 1 clean frames."""
        sample = ConsistencyObjective.sample(self, batch, rng)
        action, chunk_size = sample.window.action, self.setting.chunk_size
        prefix = int(torch.randint(chunk_size, (), generator=rng))
        given = in_flight(action.t.shape[1], chunk_size, prefix).to(action.t.device)
        frame = given[None, None, :, None, None]
        held = action.at(
            torch.where(frame, batch.actions * batch.actions_mask, action.noisy),
            torch.where(given, 0.0, action.t),
        )
        return replace(
            sample,
            window=replace(sample.window, action=held),
            actions_mask=sample.actions_mask & ~frame,
        )

    def jump(self, sample: Noised, rng: torch.Generator) -> Jump:
        """Return the jump, in which the prefix stays where it is."""
        jump = ConsistencyObjective.jump(self, sample, rng)
        return replace(jump, action_t=torch.minimum(jump.action_t, sample.window.action.t))
