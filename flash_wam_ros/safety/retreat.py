"""The way back: a path through poses that were commanded before, walked backwards to park."""

import numpy as np

_SPACING = 0.1
_MOST_CRUMBS = 1000


class Retreat:
    """Remembers where the arms have been, without loops, and leads them back.

    A pose that was reached without harm is the best evidence that it can be passed again, so
    parking follows the poses commanded since arming in reverse, down to the pose of arming, in
    which the onboard controller held the arms. Between two remembered poses the way is straight
    in joint space; they are 0.1 rad apart in the joint that moves most. Loops are cut out where
    the path comes back to within that distance of itself, and beyond 1000 poses every second one
    is dropped.
    """

    def __init__(self, start: np.ndarray) -> None:
        self._crumbs = [start.copy()]

    def remember(self, q: np.ndarray) -> None:
        """See the commanded positions (J,)."""
        if np.abs(q - self._crumbs[-1]).max() < _SPACING:
            return
        distance = np.abs(np.array(self._crumbs) - q).max(axis=1)
        again = np.flatnonzero(distance < _SPACING)
        if len(again):
            del self._crumbs[int(again[0]) + 1 :]
        self._crumbs.append(q.copy())
        if len(self._crumbs) > _MOST_CRUMBS:
            self._crumbs[1:-1] = self._crumbs[1:-1:2]

    def __len__(self) -> int:
        """Return how many poses are remembered."""
        return len(self._crumbs)

    def path(self, q: np.ndarray) -> np.ndarray:
        """Return the (K, J) poses from ``q`` (J,) back to the start."""
        return np.array([q, *reversed(self._crumbs)])


class PathWalk:
    """A point that walks along a path at given joint speeds and waits for who follows it."""

    def __init__(self, path: np.ndarray, velocity: np.ndarray) -> None:
        """Walk ``path`` (K, J) so that no joint exceeds ``velocity`` (J,)."""
        self._path = path
        leg_s = (np.abs(np.diff(path, axis=0)) / velocity).max(axis=1)
        self._times = np.concatenate([[0.0], np.cumsum(leg_s)])
        self._now_s = 0.0

    @property
    def done(self) -> bool:
        """Return whether the end of the path is reached."""
        return bool(self._now_s >= self._times[-1])

    def advance(self, dt_s: float, follower: np.ndarray) -> np.ndarray:
        """Walk on for ``dt_s`` unless ``follower`` (J,) has fallen behind; return the point."""
        if np.abs(self._point() - follower).max() < 2 * _SPACING:
            self._now_s = min(self._now_s + dt_s, float(self._times[-1]))
        return self._point()

    def _point(self) -> np.ndarray:
        return np.array([np.interp(self._now_s, self._times, column) for column in self._path.T])
