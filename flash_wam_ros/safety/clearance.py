"""Distance between the arms and the rest of the body, from convex hulls of the robot's own URDF.

Checked are the two arms against each other, and each arm below the shoulder against trunk, head
and legs. A hull contains its mesh, so the distance is never overestimated. A pair whose hulls
overlap or nearly touch in the neutral pose is left out: what is bolted together there cannot be
told apart by distance.
"""

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import coal
import numpy as np
import pinocchio as pin

from flash_wam_ros.core import JointLayout
from flash_wam_ros.safety.levers import Levers, LowerBounds

_SIDES = ('left', 'right')
_UPPER_ARM = 'shoulder'
_ARM_WORDS = ('shoulder_yaw', 'elbow', 'wrist', 'gripper', 'finger')
_ARM_JOINTS = ('shoulder', 'elbow', 'wrist', 'gripper')
_FEET = ('ankle',)
_NEUTRAL_GAP_M = 0.005
_TOLERANCE_M = 1e-9
_NOT_FINITE = 'a pose that is not finite'
# Where one pair must be measured, those are too that would have to be soon [m].
_AHEAD_M = 0.03
# Pairs that are measured without a look at the spheres around them.
_FEW = 24
# What measured distances may be too large by, for rounding and the search's own tolerance [m].
_SPARE_M = 1e-6
NEAR_M = 0.08
"""Distance beyond which nothing is measured unless less is asked for [m]."""


class Obstacle(Protocol):
    """What the arms keep out of; `keepout.Plane` and `keepout.Box` are some."""

    def distance(self, corners: np.ndarray) -> float:
        """Return a lower bound of the distance [m] of the hull of (V, 3) ``corners``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Nearest:
    """The nearest pair of bodies.

    Attributes:
        distance_m: distance of their hulls [m], not above 0 where they overlap; at most the
            distance beyond which nothing is measured.
        pair: names of the two bodies, '' if nothing is near.
    """

    distance_m: float
    pair: str


class ClearanceModel:
    """Measures the robot's clearance from itself in a given pose."""

    def __init__(
        self, urdf: Path, layout: JointLayout, obstacles: Sequence[Obstacle] = ()
    ) -> None:
        """Read kinematics and collision meshes of ``urdf``; poses come on ``layout``.

        The arms below the shoulder keep clear of ``obstacles`` too.
        """
        self._model = pin.buildModelFromUrdf(str(urdf))
        self._geometry = pin.buildGeomFromUrdf(self._model, str(urdf), pin.GeometryType.COLLISION)
        self._data = self._model.createData()
        bodies = list(self._geometry.geometryObjects)
        for body in bodies:
            body.geometry = _hull(body.geometry)
        self._names = [body.name for body in bodies]
        self._shapes = [body.geometry for body in bodies]
        self._parents = [body.parentJoint for body in bodies]
        self._offsets = [body.placement for body in bodies]
        self._centres, self._radii = _spheres(self._shapes)
        self._local = np.array([offset.homogeneous for offset in self._offsets])
        self._middles = np.array(self._centres)
        self._neutral = pin.neutral(self._model)
        self._slots, self._joints, self._coordinates = self._map(layout)
        self._first, self._second = self._pairs()
        self._touching = self._radii[self._first] + self._radii[self._second]
        self._placed = self._place_pairs(zip(self._first, self._second, strict=True))
        self._pair_names = [
            f'{self._names[one]}|{self._names[two]}'
            for one, two in zip(self._first, self._second, strict=True)
        ]
        self._by_name = {name: pair for pair, name in enumerate(self._pair_names)}
        rows = np.array([('', *_SIDES).index(self._side(i)) for i in range(len(self._names))])
        self._rows = rows
        self._sides = np.array([rows[self._first], rows[self._second]])
        self._levers = self._measure_levers(len(layout))
        self._reach = self._reaches(layout)
        self._still = np.zeros(1 + len(_SIDES))
        self._known = LowerBounds(self._levers.pairs(self._first, self._second))
        self._unknown = np.full(len(self._first), -np.inf)
        self._obstacles = tuple(obstacles)
        self._outer = [
            index
            for index in range(len(self._names))
            if obstacles and self._side(index) and _UPPER_ARM not in self._names[index]
        ]
        self._corners = {index: _corners(self._shapes[index]) for index in self._outer}

    def __len__(self) -> int:
        """Return how many pairs are checked."""
        return len(self._first)

    def nearest(self, q: np.ndarray, drift: np.ndarray | None = None) -> Nearest:
        """Return the nearest pair of `near`, as far as `NEAR_M`."""
        found = self.near(q, drift, NEAR_M)
        if not found:
            return Nearest(distance_m=NEAR_M, pair='')
        pair = min(found, key=found.__getitem__)
        return Nearest(distance_m=found[pair], pair=pair)

    def near(
        self,
        q: np.ndarray,
        drift: np.ndarray | None = None,
        within_m: float = NEAR_M,
        among: Collection[str] | None = None,
    ) -> dict[str, float]:
        """Return the distances [m] of all pairs that are, or may be, nearer than ``within_m``.

        Only pairs are measured that may be nearer after all that is known of them. A pose that is
        not finite is near itself.

        Args:
            q: (J,) positions of all joints.
            drift: (J,) ways by which the joints may be elsewhere; each pair then counts as
                nearer by what its own two arms can make of them.
            within_m: up to where to look [m]; the less, the cheaper.
            among: the pairs to look at, None for all.

        Returns:
            pair, such as ``left_finger_0|torso_link_0``, -> distance of the hulls, not above 0
            where they overlap.
        """
        by_side = self._still if drift is None else self._reach @ np.abs(drift)
        # A sum is finite only if all of it is, and cheaper than a look at each.
        if not math.isfinite(float(q.sum()) + float(by_side.sum())):
            return {_NOT_FINITE: 0.0}
        nearer = by_side[self._sides[0]] + by_side[self._sides[1]]
        bounds = self._known.at(q) if self._levers.hold(q) else self._unknown
        suspects = _below(bounds - nearer, within_m + _SPARE_M)
        if among is not None:
            suspects = [pair for pair in suspects if self._pair_names[pair] in among]
        if not suspects and not self._outer:
            return {}
        self._pose(q)
        if among is None and suspects:
            suspects = self._survey(q, bounds, nearer, within_m)
        found: dict[str, float] = {}
        for pair in suspects:
            distance = self._measured(pair) - float(nearer[pair])
            if not distance >= within_m:
                found[self._pair_names[pair]] = distance
        for body in self._outer:
            found.update(self._near_obstacles(body, float(by_side[self._rows[body]]), within_m))
        return found

    def _survey(
        self, q: np.ndarray, bounds: np.ndarray, nearer: np.ndarray, within_m: float
    ) -> list[int]:
        """Learn how far apart the pairs are at ``q`` (J,), where the bodies are placed.

        Args:
            q: the pose.
            bounds: (P,) what is known of their distances there [m].
            nearer: (P,) what they count as nearer by [m].
            within_m: up to where pairs must be measured [m].

        Returns:
            the pairs that must be measured.
        """
        look = _below(bounds - nearer, within_m + _AHEAD_M)
        if len(look) > _FEW:
            bounds = np.maximum(bounds, self._spheres_apart())
            look = _below(bounds - nearer, within_m + _AHEAD_M)
        bounds[look] = [self._measured(pair) for pair in look]
        if self._levers.hold(q):
            self._known.renew(q, bounds)
        return _below(bounds - nearer, within_m)

    def _measured(self, pair: int) -> float:
        """Return the distance [m] of a pair where the bodies are placed."""
        return float(pin.computeDistance(self._geometry, self._placed, pair).min_distance)

    def _spheres_apart(self) -> np.ndarray:
        """Return the (P,) distances [m] of the spheres around the pairs' bodies."""
        places = self._places()
        centres = np.einsum('gij,gj->gi', places[:, :3, :3], self._middles) + places[:, :3, 3]
        between = centres[self._first] - centres[self._second]
        return np.asarray(np.sqrt(np.einsum('ij,ij->i', between, between)) - self._touching)

    def _near_obstacles(
        self, body: int, nearer_m: float, within_m: float
    ) -> Iterator[tuple[str, float]]:
        """Yield the obstacles that ``body`` is nearer to than ``within_m``, with the distance."""
        place = self._placed.oMg[body]
        corners = self._corners[body] @ place.rotation.T + place.translation
        for number, obstacle in enumerate(self._obstacles, start=1):
            distance = obstacle.distance(corners) - nearer_m
            if not distance >= within_m:
                kind = type(obstacle).__name__.lower()
                yield f'{self._names[body]}|{kind} {number}', distance

    def _pose(self, q: np.ndarray) -> None:
        """Put the joints at ``q`` (J,)."""
        configuration = self._neutral.copy()
        configuration[self._coordinates] = q[self._slots]
        pin.updateGeometryPlacements(
            self._model, self._data, self._geometry, self._placed, configuration
        )

    def _places(self) -> np.ndarray:
        """Return the (G, 4, 4) placements of all bodies."""
        joints = np.array([place.homogeneous for place in self._data.oMi])
        return np.asarray(joints[self._parents] @ self._local)

    def _place_pairs(self, pairs: Iterable[tuple[int, int]]) -> pin.GeometryData:
        """Let ``pairs`` be what is measured; return what holds their placements and distances."""
        self._geometry.removeAllCollisionPairs()
        for one, two in pairs:
            self._geometry.addCollisionPair(pin.CollisionPair(int(one), int(two)))
        placed = self._geometry.createData()
        # A request of its own: those of pin begin where the last search ended, so that distances
        # would depend, by rounding, on what was measured before. How deep hulls overlap is not
        # asked: it costs ten times as much as whether they do.
        request = coal.DistanceRequest()
        request.enable_signed_distance = False
        request.gjk_tolerance = _TOLERANCE_M
        for index in range(len(placed.distanceRequests)):
            placed.distanceRequests[index] = request
        return placed

    def _map(self, layout: JointLayout) -> tuple[np.ndarray, list[int], np.ndarray]:
        """Return slots of ``layout``, the model's joints that they set, and their coordinates."""
        slots, joints, coordinates = [], [], []
        for joint, name in enumerate(self._model.names):
            # The second finger mirrors the first, so it has the same travel.
            source = name.replace('_mimic', '')
            if source in layout.names:
                slots.append(layout.index(source))
                joints.append(joint)
                coordinates.append(self._model.joints[joint].idx_q)
        return np.array(slots), joints, np.array(coordinates)

    def _side(self, index: int) -> str:
        """Return whose arm the body belongs to, '' for trunk and legs."""
        name = self._names[index]
        side = name.split('_', 1)[0]
        return side if side in _SIDES and any(word in name for word in _ARM_WORDS) else ''

    def _pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the bodies of each pair that matters and is apart in the neutral pose."""
        count = len(self._names)
        pairs = [(a, b) for a in range(count) for b in range(a) if self._matter(a, b)]
        self._placed = self._place_pairs(pairs)
        self._pose(np.zeros(int(self._slots.max()) + 1))
        apart = [
            pair
            for index, pair in enumerate(pairs)
            if pin.computeDistance(self._geometry, self._placed, index).min_distance
            > _NEUTRAL_GAP_M
        ]
        first, second = np.array(apart).T
        return first, second

    def _matter(self, one: int, two: int) -> bool:
        sides = (self._side(one), self._side(two))
        names = (self._names[one], self._names[two])
        if all(sides):
            return sides[0] != sides[1]
        if not any(sides) or any(word in name for name in names for word in _FEET):
            return False
        arm, body = names if sides[0] else names[::-1]
        return _UPPER_ARM not in arm and _UPPER_ARM not in body

    def _measure_levers(self, size: int) -> Levers:
        """Return the levers of the bodies on a layout of ``size`` joints."""
        middles = [
            place.act(centre) for place, centre in zip(self._offsets, self._centres, strict=True)
        ]
        extents = np.linalg.norm(middles, axis=1) + self._radii
        slots = dict(zip(self._joints, self._slots.tolist(), strict=True))
        return Levers(self._model, slots, size, self._parents, extents)

    def _reaches(self, layout: JointLayout) -> np.ndarray:
        """Return how far what each joint moves can be from it [m], a row a side; 1 for fingers.

        The first row, of trunk and legs, is zero: they are not what the controller moves.
        """
        reach = np.zeros((1 + len(_SIDES), len(layout)))
        for joint, name in enumerate(self._model.names):
            side = name.split('_', 1)[0]
            if name not in layout.names or not any(word in name for word in _ARM_JOINTS):
                continue
            row = 1 + _SIDES.index(side)
            reach[row, layout.index(name)] = 1.0 if 'gripper' in name else self._lever(joint)
        return reach

    def _lever(self, joint: int) -> float:
        """Return the largest distance from ``joint`` to a body that it moves, fingers closed."""
        longest = 0.0
        for index, parent in enumerate(self._parents):
            way, link = 0.0, parent
            while link not in (0, joint):
                way += float(np.linalg.norm(self._model.jointPlacements[link].translation))
                link = self._model.parents[link]
            if link == joint:
                centre = self._offsets[index].act(self._centres[index])
                longest = max(
                    longest, way + float(np.linalg.norm(centre)) + float(self._radii[index])
                )
        return longest


def _below(bounds: np.ndarray, limit_m: float) -> list[int]:
    """Return where ``bounds`` (P,) are not known to be at least ``limit_m`` [m]."""
    below: list[int] = np.flatnonzero(~(bounds >= limit_m)).tolist()
    return below


def _hull(shape: coal.CollisionGeometry) -> coal.CollisionGeometry:
    """Return the convex hull of a mesh; primitives are convex already."""
    if isinstance(shape, coal.BVHModelBase):
        shape.buildConvexHull(True, 'Qt')
        return shape.convex
    return shape


def _corners(shape: coal.CollisionGeometry) -> np.ndarray:
    """Return (V, 3) points whose hull contains the shape, in its own frame."""
    if isinstance(shape, coal.ConvexBase):
        return np.array(shape.points())
    shape.computeLocalAABB()
    box = shape.aabb_local
    low, high = np.array(box.min_), np.array(box.max_)
    choices = np.array(np.meshgrid(*[(0.0, 1.0)] * 3)).reshape(3, -1).T
    return np.asarray(low + choices * (high - low))


def _spheres(shapes: list[coal.CollisionGeometry]) -> tuple[list[np.ndarray], np.ndarray]:
    """Return centre and radius of a sphere around each shape, in its own frame."""
    centres, radii = [], []
    for shape in shapes:
        shape.computeLocalAABB()
        centres.append(np.array(shape.aabb_center))
        radii.append(float(shape.aabb_radius))
    return centres, np.array(radii)
