"""Where the things of a demonstration are, seen from the pelvis and from both hands.

Legend: T frames, P = 27: three objects at most, for each x y z in the pelvis frame, in that of the
left and in that of the right grasp point [m]; NaN where a task has fewer objects.
"""

import numpy as np

from flash_wam_ros.core import UserError
from flash_wam_ros.data.lerobot import LeRobotReader

PRIVILEGED_PREFIX, END_EFFECTOR_KEY = 'observation.privileged.', 'observation.end_effector'
_OBJECTS, _FRAMES = 3, 3
PLACES = 3 * _OBJECTS * _FRAMES
"""P."""
_LEFT, _RIGHT = 0, 8


def read_places(reader: LeRobotReader, episode: int) -> np.ndarray:
    """Return (T, P) float32 places of an episode.

    Raises:
        UserError: the dataset does not tell them, or of more objects than three.
    """
    names = [name for name in reader.info.features if name.startswith(PRIVILEGED_PREFIX)]
    if not 1 <= len(names) <= _OBJECTS or END_EFFECTOR_KEY not in reader.info.features:
        raise UserError(
            f'{reader.root} tells the poses of {len(names)} objects, expected 1 to {_OBJECTS} '
            f'beside {END_EFFECTOR_KEY}; collect it with `flash-wam collect`'
        )
    vectors = reader.arrays(episode, [*names, END_EFFECTOR_KEY]).vectors
    hands = vectors[END_EFFECTOR_KEY].astype(np.float64)
    places = np.full((len(hands), _OBJECTS, _FRAMES, 3), np.nan)
    for index, name in enumerate(names):
        position = vectors[name][:, :3].astype(np.float64)
        places[:, index, 0] = position
        for frame, first in ((1, _LEFT), (2, _RIGHT)):
            hand = hands[:, first : first + 7]
            places[:, index, frame] = _turned_back(hand[:, 3:], position - hand[:, :3])
    return places.reshape(len(hands), PLACES).astype(np.float32)


def _turned_back(quat_T4: np.ndarray, vector_T3: np.ndarray) -> np.ndarray:
    """Return (T, 3) vectors in the frames that w x y z quaternions (T, 4) turn to."""
    w, axis = quat_T4[:, :1], -quat_T4[:, 1:]
    twice = 2 * np.cross(axis, vector_T3)
    return np.asarray(vector_T3 + w * twice + np.cross(axis, twice))
