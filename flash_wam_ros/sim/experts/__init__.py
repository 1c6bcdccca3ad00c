"""Scripted experts: they see the true poses of all objects and plan by inverse kinematics."""

from flash_wam_ros.core import UserError, did_you_mean
from flash_wam_ros.sim.experts.expert import Expert
from flash_wam_ros.sim.experts.recipes import RECIPES

__all__ = ['Expert', 'make_expert']


def make_expert(task: str) -> Expert:
    """Return the expert of ``task``; raise UserError with the nearest name if there is none."""
    if task not in RECIPES:
        raise UserError(f'no expert for task {task!r}; {did_you_mean(task, RECIPES)}')
    return Expert(RECIPES[task])
