"""The nouns every room shares: stamps, joints, observations, chunks, robot state, verdicts."""

from flash_wam_ros.core.chunk import ActionChunk
from flash_wam_ros.core.errors import UserError, did_you_mean
from flash_wam_ros.core.fields import (
    check_fields,
    choice,
    from_mapping,
    number,
    switch,
    words,
)
from flash_wam_ros.core.joints import JointLayout
from flash_wam_ros.core.observation import Observation
from flash_wam_ros.core.robot import RobotCommand, RobotState
from flash_wam_ros.core.stamp import NS_PER_S, ns_from_s, s_from_ns
from flash_wam_ros.core.verdict import Change, Verdict

__all__ = [
    'NS_PER_S',
    'ActionChunk',
    'Change',
    'JointLayout',
    'Observation',
    'RobotCommand',
    'RobotState',
    'UserError',
    'Verdict',
    'check_fields',
    'choice',
    'did_you_mean',
    'from_mapping',
    'ns_from_s',
    'number',
    's_from_ns',
    'switch',
    'words',
]
