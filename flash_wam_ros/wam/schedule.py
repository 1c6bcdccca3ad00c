"""Noise levels: the inference schedule and the 1000-step training table (LingBot-VA).

Notation: x = (1 - sigma) x0 + sigma eps, v = eps - x0, timestep t = 1000 sigma.
"""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from flash_wam_ros.core import UserError

TRAIN_STEPS = 1000


def _shifted(even: Tensor, shift: float) -> Tensor:
    return shift * even / (1 + (shift - 1) * even)


def _check_shift(shift: float) -> None:
    if not 0 < shift < float('inf'):
        raise UserError(f'schedule shift is {shift}, expected a finite number > 0')


@dataclass(frozen=True)
class InferenceSchedule:
    """Noise levels of ``steps`` Euler steps from 1 towards 0.

    Attributes:
        sigmas: (steps,) noise level before each step; the level after the last is 0.
        timesteps: (steps,) 1000 sigma.
    """

    sigmas: Tensor
    timesteps: Tensor

    @classmethod
    def make(cls, steps: int, shift: float) -> 'InferenceSchedule':
        """Return sigma_i = shift s / (1 + (shift - 1) s), s = 1 - i / steps, in fp32."""
        if steps < 1:
            raise UserError(f'schedule has {steps} steps, expected >= 1')
        _check_shift(shift)
        even = torch.linspace(1, 0, steps + 1)[:-1]
        sigmas = _shifted(even, shift)
        return cls(sigmas, sigmas * TRAIN_STEPS)

    def deltas(self) -> list[float]:
        """Return sigma_next - sigma of each step (negative)."""
        sigmas = [*self.sigmas.tolist(), 0.0]
        return [after - before for before, after in pairwise(sigmas)]


@dataclass(frozen=True)
class TrainingTable:
    """The 1000 noise levels that training draws from, and their loss weights.

    Attributes:
        sigmas: (1000,) falling noise levels; entry 0 is 1.
        timesteps: (1000,) 1000 sigma.
        weights: (1000,) loss weight: a Gaussian in t, minus its least value, of mean 1.
    """

    sigmas: Tensor
    timesteps: Tensor
    weights: Tensor

    @classmethod
    def make(cls, shift: float) -> 'TrainingTable':
        """Return the table of a signal-to-noise ``shift``, in fp32."""
        _check_shift(shift)
        even = torch.linspace(1, 0, TRAIN_STEPS + 1)[:-1]
        sigmas = _shifted(even, shift)
        timesteps = sigmas * TRAIN_STEPS
        bell = torch.exp(-2 * ((timesteps - TRAIN_STEPS / 2) / TRAIN_STEPS) ** 2)
        bell = bell - bell.min()
        weights = bell * (TRAIN_STEPS / bell.sum())
        return cls(sigmas, timesteps, weights)

    def weight_of(self, timesteps: Tensor) -> Tensor:
        """Return the loss weight of the table entry nearest to each timestep (any shape)."""
        table = self.timesteps.to(timesteps.device)
        nearest = (timesteps.unsqueeze(-1) - table).abs().argmin(-1)
        return self.weights.to(timesteps.device)[nearest]
