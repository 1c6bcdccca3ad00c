"""The tasks of the simulated G1."""

from flash_wam_ros.sim.tasks.base import Area, Judgement, Task
from flash_wam_ros.sim.tasks.registry import TASKS, make_task

__all__ = ['TASKS', 'Area', 'Judgement', 'Task', 'make_task']
