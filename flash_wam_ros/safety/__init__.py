"""Between a neural network and a robot: limits, watchdogs, and a state machine.

A protective stop, not a safety-rated emergency stop.
"""

from flash_wam_ros.safety.config import ControllerConfig
from flash_wam_ros.safety.controller import Controller, Reply, TickResult
from flash_wam_ros.safety.plant import Plant
from flash_wam_ros.safety.states import TRANSITIONS, ControllerState, Transition

__all__ = [
    'TRANSITIONS',
    'Controller',
    'ControllerConfig',
    'ControllerState',
    'Plant',
    'Reply',
    'TickResult',
    'Transition',
]
