"""Which action belongs to which latent frame (LingBot-VA's training data, inference's zeros).

Frames ``frame_ids`` of an episode, ``stride`` apart, are encoded; with a temporal factor k the
first gives latent frame 0 and each k more give one more. Block f holds the N = stride * k actions
that lead from latent frame f - 1 to f. Nothing leads to latent frame 0, so its block is padding.

Shapes: T frames of an episode, U used channels, F latent frames, N actions a latent frame.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from flash_wam_ros.core import UserError, did_you_mean

FIRST_BLOCKS = ('normalised_zero', 'raw_zero')
"""What stands in block 0: zeros after normalisation, as inference feeds them, or zeros before it,
as LingBot-VA's published training code has it."""

_LEAST_NORM = 1e-6


@dataclass(frozen=True, kw_only=True, slots=True)
class FrameGrid:
    """The frames of a segment that are encoded, and the latent frames that they give.

    Attributes:
        start: first frame.
        end: frame after the last that may be used.
        stride: frames from one encoded frame to the next.
        temporal_factor: encoded frames a latent frame, after the first (k).
    """

    start: int
    end: int
    stride: int
    temporal_factor: int

    def __post_init__(self) -> None:
        """Refuse empty segments and steps below one."""
        if not 0 <= self.start < self.end:
            raise UserError(f'segment [{self.start}, {self.end}) is empty or begins before 0')
        if not (self.stride >= 1 and self.temporal_factor >= 1):
            raise UserError(
                f'stride {self.stride} and temporal factor {self.temporal_factor} must be >= 1'
            )

    @property
    def latent_frames(self) -> int:
        """F: the latent frames that are complete."""
        encoded = (self.end - 1 - self.start) // self.stride + 1
        return (encoded - 1) // self.temporal_factor + 1

    @property
    def frame_ids(self) -> range:
        """The encoded frames; those that fill no latent frame are left out."""
        count = (self.latent_frames - 1) * self.temporal_factor + 1
        return range(self.start, self.start + count * self.stride, self.stride)

    @property
    def actions_per_frame(self) -> int:
        """N."""
        return self.stride * self.temporal_factor


def align_actions(actions: np.ndarray, grid: FrameGrid) -> np.ndarray:
    """Return the actions of each latent frame, zeros in block 0.

    Args:
        actions: (T, U) actions of the whole episode; row t is commanded at frame t.
        grid: the encoded frames.

    Returns:
        (F, N, U), in the type of ``actions``.

    Raises:
        UserError: the episode has fewer actions than the segment has frames.
    """
    if len(actions) < grid.end:
        raise UserError(
            f'{len(actions)} actions for a segment that ends at frame {grid.end}; '
            'an episode needs one action a frame'
        )
    frames, size = grid.latent_frames, grid.actions_per_frame
    used = actions[grid.start : grid.start + (frames - 1) * size]
    padded = np.concatenate([np.zeros((size, actions.shape[1]), actions.dtype), used])
    return padded.reshape(frames, size, actions.shape[1])


def check_first_block(name: str) -> None:
    """Raise UserError unless ``name`` is one of ``FIRST_BLOCKS``."""
    if name not in FIRST_BLOCKS:
        raise UserError(f'unknown first block {name!r}; {did_you_mean(name, FIRST_BLOCKS)}')


def relative_poses(poses: np.ndarray, origin: np.ndarray) -> np.ndarray:
    """Return poses relative to an origin: p - p0 in world axes, R0^-1 R.

    The four rotation numbers are taken as (x, y, z, w) in the order in which they come, and are
    never reordered: LingBot-VA does so with numbers that RoboTwin delivers as (w, x, y, z), in its
    data set and its client alike, and a checkpoint knows no other.

    Args:
        poses: (..., 7) position [m] and quaternion.
        origin: (7,) the pose to refer to.

    Returns:
        (..., 7) with unit quaternions.

    Raises:
        UserError: wrong shapes, or a quaternion of length zero.
    """
    _check_poses(poses, origin)
    inverse = origin[3:] * np.array([-1.0, -1.0, -1.0, 1.0])
    rotation = _product(_unit(inverse), _unit(poses[..., 3:]))
    return np.concatenate([poses[..., :3] - origin[:3], rotation], axis=-1)


def absolute_poses(relative: np.ndarray, origin: np.ndarray) -> np.ndarray:
    """Undo ``relative_poses``: p0 + p, R0 R; quaternions come back up to their sign.

    Raises:
        UserError: wrong shapes, or a quaternion of length zero.
    """
    _check_poses(relative, origin)
    rotation = _product(_unit(origin[3:]), _unit(relative[..., 3:]))
    return np.concatenate([relative[..., :3] + origin[:3], rotation], axis=-1)


def _check_poses(poses: np.ndarray, origin: np.ndarray) -> None:
    if poses.shape[-1:] != (7,) or origin.shape != (7,):
        raise UserError(
            f'poses of shape {poses.shape} and origin {origin.shape}; expected (..., 7) and (7,)'
        )


def _unit(quaternion: np.ndarray) -> np.ndarray:
    norm = np.linalg.norm(quaternion, axis=-1, keepdims=True)
    if not np.all(norm > _LEAST_NORM):
        raise UserError('a quaternion has length zero; check the pose columns')
    return np.asarray(quaternion / norm)


def _product(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return the Hamilton product of (x, y, z, w) quaternions, ``left`` one, ``right`` many."""
    vector = (
        left[3] * right[..., :3]
        + right[..., 3:] * left[:3]
        + np.cross(np.broadcast_to(left[:3], right[..., :3].shape), right[..., :3])
    )
    scalar = left[3] * right[..., 3:] - right[..., :3] @ left[:3, None]
    return np.concatenate([vector, scalar], axis=-1)


def take_columns(values: np.ndarray, columns: Sequence[int] | None, what: str) -> np.ndarray:
    """Return the chosen columns of (T, D) values, all for None; UserError if one is missing."""
    if columns is None:
        return values
    if columns and not 0 <= min(columns) <= max(columns) < values.shape[1]:
        raise UserError(f'{what} has {values.shape[1]} columns; asked for {list(columns)}')
    return values[:, list(columns)]
