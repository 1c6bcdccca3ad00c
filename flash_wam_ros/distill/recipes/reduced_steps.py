"""No distillation: the teacher itself with fewer Euler steps."""

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from flash_wam_ros.core import UserError
from flash_wam_ros.distill.objective import Objective
from flash_wam_ros.distill.recipes.base import Recipe, Setting


@dataclass(frozen=True, kw_only=True, slots=True)
class ReducedSteps(Recipe):
    """The teacher as it is; the baseline that any training has to beat."""

    name: ClassVar[str] = 'reduced_steps'
    summary: ClassVar[str] = 'the teacher with fewer Euler steps; nothing is trained'
    trains: ClassVar[bool] = False

    def objective(self, teacher: nn.Module, setting: Setting) -> Objective:
        """Refuse: there is nothing to train."""
        raise UserError('reduced_steps trains nothing; run the teacher with fewer steps instead')
