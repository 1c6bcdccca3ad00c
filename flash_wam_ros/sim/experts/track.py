"""One arm's motion through a list of joint goals, inside limits of speed and its derivatives."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ruckig import InputParameter, Ruckig, RuckigError, Synchronization, Trajectory

SAMPLE_S = 0.025
HORIZON_S = 1.2
_SAMPLES = round(HORIZON_S / SAMPLE_S) + 1
# Well inside the safety controller's defaults, so that what is planned is what is done.
_SPEED_RAD_S, _ACCELERATION_RAD_S2, _JERK_RAD_S3 = 1.3, 5.0, 45.0
_JAWS_M_S = 0.1
_DOFS = 7
# A plan repeats this much of the one before: by the time it reaches the controller its first
# points are past, and a change among them would be a jump.
_COMMITTED = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class Track:
    """An arm's motion to come, sampled every ``SAMPLE_S``.

    Attributes:
        q: (S, 7) positions [rad].
        dq: (S, 7) velocities [rad/s].
        ddq: (S, 7) accelerations [rad/s2].
        jaws_m: (S,) travel of a finger [m].
    """

    q: np.ndarray
    dq: np.ndarray
    ddq: np.ndarray
    jaws_m: np.ndarray

    @classmethod
    def still(cls, q: np.ndarray, jaws_m: float) -> 'Track':
        """Return the track of an arm at rest at (7,) ``q``."""
        zeros = np.zeros((_SAMPLES, _DOFS))
        return cls(q=zeros + q, dq=zeros, ddq=zeros, jaws_m=np.full(_SAMPLES, jaws_m))

    @classmethod
    def coasting(cls, q: np.ndarray, dq: np.ndarray, jaws_m: float) -> 'Track':
        """Return the track of an arm at (7,) ``q`` that goes on with (7,) ``dq`` for a moment.

        It lasts as long as a plan that follows repeats of it.
        """
        dq = np.clip(dq, -_SPEED_RAD_S, _SPEED_RAD_S)
        sample = np.arange(_SAMPLES)[:, None]
        return cls(
            q=q + dq * SAMPLE_S * np.minimum(sample, _COMMITTED),
            dq=np.where(sample <= _COMMITTED, dq, 0.0),
            ddq=np.zeros((_SAMPLES, _DOFS)),
            jaws_m=np.full(_SAMPLES, jaws_m),
        )


def run_through(start: Track, at: int, goals: Sequence[tuple[np.ndarray, float]]) -> Track:
    """Return the motion from sample ``at`` of ``start`` through ``goals``.

    Args:
        start: the motion under way.
        at: the sample of it at which the new motion begins.
        goals: (7,) positions and jaw travel each; the arm rests at each of them in between.
    """
    begin = min(at + _COMMITTED, _SAMPLES - 1)
    state = (start.q[begin], start.dq[begin], start.ddq[begin])
    pieces = [(start.q[at:begin], start.dq[at:begin], start.ddq[at:begin])]
    jaws = list(start.jaws_m[at : begin + 1])
    goal_m = jaws[-1]
    used = begin - at
    offset = 0.0
    for target, goal_m in goals:
        piece, offset = _ride(state, target, _SAMPLES - used, offset)
        pieces.append(piece)
        used += len(piece[0])
        jaws += _ramp(jaws[-1], goal_m, len(piece[0]))
        state = (target, np.zeros(_DOFS), np.zeros(_DOFS))
        if used >= _SAMPLES:
            break
    rest = _SAMPLES - used
    zeros = np.zeros((rest, _DOFS))
    pieces.append((zeros + state[0], zeros, zeros))
    jaws += _ramp(jaws[-1], goal_m, rest)
    q, dq, ddq = (np.concatenate(parts) for parts in zip(*pieces, strict=True))
    return Track(q=q, dq=dq, ddq=ddq, jaws_m=np.array(jaws[:_SAMPLES]))


def _ride(
    state: tuple[np.ndarray, np.ndarray, np.ndarray], target: np.ndarray, room: int, late_s: float
) -> tuple[tuple[np.ndarray, np.ndarray, np.ndarray], float]:
    """Return samples of the ride to ``target``, and how far past its end the next sample lies."""
    ask = InputParameter(_DOFS)
    ask.current_position, ask.current_velocity, ask.current_acceleration = map(list, state)
    ask.target_position = list(target)
    ask.max_velocity = [_SPEED_RAD_S] * _DOFS
    ask.max_acceleration = [_ACCELERATION_RAD_S2] * _DOFS
    ask.max_jerk = [_JERK_RAD_S3] * _DOFS
    path = _straight_or_each(ask)
    count = max(0, int(np.floor((path.duration - late_s) / SAMPLE_S)) + 1)
    times = late_s + SAMPLE_S * np.arange(min(count, room))
    samples = [path.at_time(time) for time in times]
    next_late_s = max(0.0, late_s + SAMPLE_S * count - path.duration)
    parts = [np.array([sample[i] for sample in samples]).reshape(-1, _DOFS) for i in range(3)]
    return (parts[0], parts[1], parts[2]), next_late_s


def _straight_or_each(ask: InputParameter) -> Trajectory:
    """Return the motion on a straight line, or each joint's own where that is not found.

    Raises:
        RuckigError: there is no motion.
    """
    path = Trajectory(_DOFS)
    ask.synchronization = Synchronization.Phase
    try:
        Ruckig(_DOFS).calculate(ask, path)
    except RuckigError:  # no common duration is found for joints that are almost in phase
        ask.synchronization = Synchronization.No
        Ruckig(_DOFS).calculate(ask, path)
    return path


def _ramp(start_m: float, goal_m: float, count: int) -> list[float]:
    """Return ``count`` values from ``start_m`` (excluded) to ``goal_m`` at the jaws' speed."""
    steps = np.arange(1, count + 1) * _JAWS_M_S * SAMPLE_S
    distance = goal_m - start_m
    return list(start_m + np.sign(distance) * np.minimum(steps, abs(distance)))
