"""What a demonstration holds, frame by frame.

Row t of an action is the command in force when frame t + 1 is taken: it leads from frame t to
frame t + 1. It is to be learned where it is labelled: where the expert drives. Poses are
x y z [m] qw qx qy qz in the pelvis frame.
"""

from flash_wam_ros.data.lerobot import Feature, VideoSettings, camera, vector
from flash_wam_ros.robots.g1_layout import POLICY
from flash_wam_ros.sim.tasks import TASKS

FPS = 10
IMAGE_PX = 128
VIDEO = VideoSettings(pixel_format='yuv444p', crf=16)
"""Small coloured things must keep their colour, so the colour keeps its full resolution."""
EPISODE_FIELDS = {'seed': 'int64', 'duration_s': 'float64', 'bursts': 'int64'}

STATE_KEY, VELOCITY_KEY = 'observation.state', 'observation.velocity'
END_EFFECTOR_KEY = 'observation.end_effector'
PRIVILEGED_PREFIX, IMAGE_PREFIX = 'observation.privileged.', 'observation.images.'
EXPERT_KEY, EXECUTED_KEY = 'action.expert', 'action.executed'
DISTURBANCE_KEY = 'action.disturbance'
LABELLED_KEY = 'action.labelled'
_POSE = ('x', 'y', 'z', 'qw', 'qx', 'qy', 'qz')


CAMERAS: tuple[str, ...] = ('head', 'left_wrist', 'right_wrist')
"""All are recorded, whichever hand has work: one model looks at all tasks through the same."""


def features(task: str) -> dict[str, Feature]:
    """Return the features of the dataset of ``task``."""
    joints = POLICY.names
    hands = [f'{side}_{part}' for side in ('left', 'right') for part in (*_POSE, 'gripper')]
    return {
        STATE_KEY: vector(*joints),
        VELOCITY_KEY: vector(*joints),
        END_EFFECTOR_KEY: vector(*hands),
        **{f'{PRIVILEGED_PREFIX}{name}': vector(*_POSE) for name in TASKS[task].objects},
        EXPERT_KEY: vector(*joints),
        EXECUTED_KEY: vector(*joints),
        DISTURBANCE_KEY: vector(*joints),
        LABELLED_KEY: vector('expert'),
        **{f'{IMAGE_PREFIX}{name}': camera(IMAGE_PX, IMAGE_PX) for name in CAMERAS},
    }
