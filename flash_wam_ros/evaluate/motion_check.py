"""An independent checker of commanded motion: it knows positions, times and limits, no filter.

Derivatives are divided differences. The k-th derivative of a smooth motion takes the value k!
times the divided difference of order k somewhere between the samples, so that a motion inside its
limits shows no more than them. Between two commands the chord of a hand is no longer than its
way, so that a hand which keeps its speed shows no more than it.

Rounding of positions by e_m moves the difference of order k by at most k! sum_m e_m / prod_l
|t_m - t_l|; a float32 rounds by at most half the spacing of numbers there. That is the whole
bound for the bytes that are sent; nothing is added by hand.
"""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np

ORDERS = ('velocity', 'acceleration', 'jerk')
_POINTS = {'hand': 'grasp', 'elbow': 'elbow_link'}
_SIDES = ('left', 'right')
_TRUNK = 'torso_link'
# Rounding of double precision, of positions [rad] and hence of their differences.
_EPSILON_RAD = 2e-15
# Ruckig meets its limits, and a rest that is taken as one, to this [share, rad].
_SHARE, _SLACK_RAD = 1e-6, 2e-9


@dataclass(frozen=True, kw_only=True, slots=True)
class Bounds:
    """What a motion of J joints must keep.

    Attributes:
        lower: (J,) lowest position [rad or m].
        upper: (J,) highest position.
        velocity: (J,) highest speed upward.
        descent: (J,) highest speed downward.
        acceleration: (J,) highest acceleration.
        jerk: (J,) highest jerk.
        point_m_s: highest speed of hands and elbows [m/s].
    """

    lower: np.ndarray
    upper: np.ndarray
    velocity: np.ndarray
    descent: np.ndarray
    acceleration: np.ndarray
    jerk: np.ndarray
    point_m_s: float


@dataclass(kw_only=True, slots=True)
class Findings:
    """What was seen.

    Attributes:
        commands: how many commands were looked at.
        violations: broken limit -> how often.
        worst: quantity -> its largest share of what is allowed.
        trials: numbers of the trials in which a limit was broken, where there were trials.
    """

    commands: int = 0
    violations: 'Counter[str]' = field(default_factory=Counter)
    worst: dict[str, float] = field(default_factory=dict)
    trials: list[int] = field(default_factory=list)

    def see(self, name: str, share: np.ndarray) -> None:
        """Take shares of what is allowed; above 1, or not a number, is a violation."""
        if not share.size:
            return
        broken = int(np.count_nonzero(~(share <= 1.0)))
        if broken:
            self.violations[name] += broken
        self.worst[name] = max(
            self.worst.get(name, 0.0), float(np.nan_to_num(share.max(), nan=9e9))
        )

    def add(self, other: 'Findings') -> None:
        """Take the findings of another trail."""
        self.commands += other.commands
        self.violations.update(other.violations)
        self.trials += other.trials
        for name, share in other.worst.items():
            self.worst[name] = max(self.worst.get(name, 0.0), share)


def differences(times: np.ndarray, q: np.ndarray, order: int) -> np.ndarray:
    """Return order! times the (N - order, J) divided differences of ``q`` (N, J)."""
    table, column = q, times[:, None]
    for k in range(1, order + 1):
        table = k * np.diff(table, axis=0) / (column[k:] - column[:-k])
    return table


def rounding(times: np.ndarray, error: np.ndarray, order: int) -> np.ndarray:
    """Return by how much (N, J) ``error`` of positions may move `differences` of ``order``."""
    count = len(times) - order
    total = np.zeros((count, error.shape[1]))
    for m in range(order + 1):
        product = np.ones(count)
        for other in range(order + 1):
            if other != m:
                product *= np.abs(times[m : m + count] - times[other : other + count])
        total += error[m : m + count] / product[:, None]
    return np.asarray(np.prod(np.arange(1, order + 1)) * total)


class ArmKinematics:
    """Positions of hands and elbows for many poses at once, read from the URDF's text."""

    def __init__(self, urdf: Path, names: tuple[str, ...]) -> None:
        """Read ``urdf``; poses come on the J joints ``names``."""
        joints = {joint.find('child').get('link'): joint for joint in _joints(urdf)}  # type: ignore[union-attr]
        self.names = tuple(f'{side}_{point}' for side in _SIDES for point in _POINTS)
        self._chains = [
            self._chain(joints, f'{side}_{link}', names)
            for side in _SIDES
            for link in _POINTS.values()
        ]

    def _chain(
        self, joints: 'dict[str | None, ET.Element]', link: str, names: tuple[str, ...]
    ) -> list[tuple[np.ndarray, np.ndarray, np.ndarray | None, int]]:
        chain = []
        at: str | None = link
        while at != _TRUNK:
            joint = joints[at]
            turn, shift = _origin(joint)
            moves = joint.get('type') == 'revolute'
            axis = _numbers(joint.find('axis'), 'xyz') if moves else None
            slot = names.index(str(joint.get('name'))) if moves else -1
            chain.append((turn, shift, axis, slot))
            at = joint.find('parent').get('link')  # type: ignore[union-attr]
        return chain

    def __call__(self, q: np.ndarray) -> np.ndarray:
        """Return the (N, P, 3) places [m] in the trunk for (N, J) poses."""
        return np.stack([self._walk(chain, q) for chain in self._chains], axis=1)

    @staticmethod
    def _walk(
        chain: list[tuple[np.ndarray, np.ndarray, np.ndarray | None, int]], q: np.ndarray
    ) -> np.ndarray:
        """Carry the point from the last link inward: a vector, never a matrix a pose."""
        point = np.zeros((len(q), 3))
        for turn, shift, axis, slot in chain:
            if axis is not None:
                point = _turned(point, axis, q[:, slot])
            point = point @ turn.T + shift
        return point


def _turned(points: np.ndarray, axis: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Return (N, 3) ``points`` turned by (N,) ``angle`` about ``axis`` (Rodrigues' formula)."""
    cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
    along = (points @ axis)[:, None] * axis
    return points * cos + np.cross(axis, points) * sin + along * (1.0 - cos)


class MotionCheck:
    """Holds trails of commands to `Bounds`, in double precision and as float32."""

    def __init__(self, bounds: Bounds, kinematics: ArmKinematics) -> None:
        self._bounds = bounds
        self._kinematics = kinematics

    def __call__(self, times_s: np.ndarray, q: np.ndarray) -> Findings:
        """Return what is wrong with (N, J) positions commanded at (N,) ascending times."""
        found = Findings(commands=len(q))
        if not np.isfinite(q).all():
            found.violations['not finite'] += int(np.count_nonzero(~np.isfinite(q)))
            return found
        same = np.diff(times_s) <= 0.0
        if (np.diff(q, axis=0)[same] != 0.0).any():
            found.violations['moved without time'] += 1
        fresh = np.concatenate([[True], ~same])
        times_s, q = times_s[fresh], q[fresh]
        self._look(found, times_s, q, np.full(q.shape, _EPSILON_RAD), '')
        sent = q.astype(np.float32)
        self._look(found, times_s, sent.astype(float), 0.5 * np.spacing(np.abs(sent)), ' sent')
        return found

    def _look(
        self, found: Findings, times: np.ndarray, q: np.ndarray, error: np.ndarray, what: str
    ) -> None:
        bounds = self._bounds
        slack = error + _SLACK_RAD
        middle, half = 0.5 * (bounds.lower + bounds.upper), 0.5 * (bounds.upper - bounds.lower)
        found.see('position' + what, np.abs(q - middle) / (half + slack))
        for order, name in enumerate(ORDERS, start=1):
            if len(q) <= order:
                return
            value = differences(times, q, order)
            limit = np.where(value < 0, bounds.descent, bounds.velocity)
            limit = limit if order == 1 else getattr(bounds, name)
            room = rounding(times, error, order) + _SHARE * limit
            found.see(name + what, np.abs(value) / (limit + room))
        self._hands(found, times, q, error, what)

    def _hands(
        self, found: Findings, times: np.ndarray, q: np.ndarray, error: np.ndarray, what: str
    ) -> None:
        places = self._kinematics(q)
        step = np.diff(times)
        speed = np.linalg.norm(np.diff(places, axis=0), axis=2) / step[:, None]
        # No point of an arm is further than a metre from any of its axes.
        moved = error.sum(axis=1)
        room = (moved[1:] + moved[:-1]) / step + 1e-8
        found.see('hand speed' + what, speed / (self._bounds.point_m_s + room[:, None]))


def _joints(urdf: Path) -> list[ET.Element]:
    return ET.parse(urdf).getroot().findall('joint')


def _numbers(element: 'ET.Element | None', key: str) -> np.ndarray:
    text = '0 0 0' if element is None else element.get(key, '0 0 0')
    return np.array([float(word) for word in text.split()])


def _origin(joint: ET.Element) -> tuple[np.ndarray, np.ndarray]:
    """Return rotation and translation of a joint's frame in that of its parent."""
    place = joint.find('origin')
    roll, pitch, yaw = _numbers(place, 'rpy')
    about_x = np.array(
        [[1, 0, 0], [0, np.cos(roll), -np.sin(roll)], [0, np.sin(roll), np.cos(roll)]]
    )
    about_y = np.array(
        [[np.cos(pitch), 0, np.sin(pitch)], [0, 1, 0], [-np.sin(pitch), 0, np.cos(pitch)]]
    )
    about_z = np.array([[np.cos(yaw), -np.sin(yaw), 0], [np.sin(yaw), np.cos(yaw), 0], [0, 0, 1]])
    return about_z @ about_y @ about_x, _numbers(place, 'xyz')
