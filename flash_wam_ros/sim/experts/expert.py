"""The scripted expert: looks, lets each hand's script advance, plans the next second."""

from collections.abc import Callable, Mapping

import mink
import numpy as np

from flash_wam_ros.robots.g1_layout import POLICY
from flash_wam_ros.sim.experts.arms import BASE, Arms
from flash_wam_ros.sim.experts.hands import gap
from flash_wam_ros.sim.experts.sag import Sag
from flash_wam_ros.sim.experts.track import SAMPLE_S, Track, run_through
from flash_wam_ros.sim.experts.view import SIDES, Move, Script, View
from flash_wam_ros.sim.posture import ready_arms

_STRIDE = 2
POINT_S = _STRIDE * SAMPLE_S
"""Time between two points of a plan [s]."""
_BLEND_S = 0.3
_REST_RAD_S = 0.05
_LOOK_S = 0.1
_STRAYED_RAD = 0.12
_SAME_M, _SAME_RAD = 0.002, 0.01
_JAWS_WEIGHT_RAD_M = 10.0  # one finger's full travel counts like half a radian
_ARM = {'left': slice(0, 7), 'right': slice(7, 14)}
_JAWS = {'left': 14, 'right': 15}

Scripts = Callable[[Mapping[str, mink.SE3], np.random.Generator], Mapping[str, Script]]
STREAM = 3
"""Its stream of a seed: the world draws from 0 and 1, disturbances from 2."""


class Expert:
    """Plans both arms towards the goal of one task.

    Args:
        make_scripts: given side -> home pose in the pelvis frame and random numbers, returns the
            scripts of the hands that have work.
    """

    def __init__(self, make_scripts: Scripts) -> None:
        self._make_scripts = make_scripts
        self._arms = Arms()
        self._sag = Sag(self._arms)
        self.reset(0)

    def reset(self, seed: int) -> None:
        """Begin an episode; where a task may be done in several ways, ``seed`` decides."""
        self._rng = np.random.default_rng((seed, STREAM))
        self._sag.reset()
        self._scripts: Mapping[str, Script] = {}
        self._tracks: dict[str, Track] = {}
        self._sent = np.zeros((0, len(POLICY)))
        self._jaws_before: dict[str, float] = {}
        self._goals: dict[str, list[tuple[mink.SE3, np.ndarray]]] = {}

    def plan(
        self,
        q: np.ndarray,
        q_sent: np.ndarray,
        objects: Mapping[str, np.ndarray],
        disturbance: np.ndarray | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the commands for the time from now on.

        Args:
            q: (16,) measured positions on the policy's layout [rad, m].
            q_sent: (16,) last sent positions.
            objects: name -> (7,) pose in the pelvis frame, with ``torso_link`` among them.
            disturbance: (16,) what somebody else added to ``q_sent``; the plan goes on as if it
                had not been. None for nothing.

        Returns:
            (T,) times from now [s] and (T, 16) positions to command.
        """
        pelvis_torso = _pose(objects[BASE])
        if not self._tracks:
            self._begin(q, q_sent, pelvis_torso)
        asked = q_sent if disturbance is None else q_sent - disturbance
        at = self._locate(q, asked)
        resting = {side: self._rests(side, at) for side in SIDES}
        if disturbance is None or not disturbance.any():
            still = np.repeat([resting['left'], resting['right']], 7)
            self._sag.learn(q[:14], q_sent[:14], still)
        view = self._look(q, q_sent, objects, pelvis_torso, resting)
        for side, script in self._scripts.items():
            moves = script.moves(view)
            goals = [(self._reach(side, move, pelvis_torso), move.jaws_m) for move in moves]
            self._tracks[side] = run_through(self._tracks[side], at, goals)
        for side in SIDES:
            if side not in self._scripts:
                track = self._tracks[side]
                goals = [(track.q[-1], float(track.jaws_m[-1]))]
                self._tracks[side] = run_through(track, at, goals)
        return self._commands(asked)

    def take_over(
        self,
        q: np.ndarray,
        dq: np.ndarray,
        q_sent: np.ndarray,
        objects: Mapping[str, np.ndarray],
    ) -> None:
        """Go on from where somebody else brought the arms; the next plan starts there.

        Args:
            q: (16,) measured positions on the policy's layout [rad, m].
            dq: (16,) measured velocities [rad/s, m/s].
            q_sent: (16,) last sent positions.
            objects: as :meth:`plan` sees them.
        """
        pelvis_torso = _pose(objects[BASE])
        if not self._tracks:
            self._begin(q, q_sent, pelvis_torso)
        for side in SIDES:
            jaws = _JAWS[side]
            self._tracks[side] = Track.coasting(q[_ARM[side]], dq[_ARM[side]], float(q_sent[jaws]))
            self._jaws_before[side] = float(q[jaws] - _LOOK_S * dq[jaws])
        self._sent = np.tile(q_sent, (len(self._tracks['left'].q), 1))
        view = self._look(q, q_sent, objects, pelvis_torso, dict.fromkeys(SIDES, False))
        for script in self._scripts.values():
            script.resume(view)

    def _begin(self, q: np.ndarray, q_sent: np.ndarray, pelvis_torso: mink.SE3) -> None:
        """Start from where the arms are, at rest."""
        homes = {side: pelvis_torso @ self._arms.hand(side, ready_arms()) for side in SIDES}
        self._scripts = self._make_scripts(homes, self._rng)
        self._jaws_before = {side: float(q[_JAWS[side]]) for side in SIDES}
        self._stop(q, q_sent)

    def _stop(self, q: np.ndarray, q_sent: np.ndarray) -> None:
        for side in SIDES:
            jaws_m = float(q_sent[_JAWS[side]])
            self._tracks[side] = Track.still(q[_ARM[side]], jaws_m)
        self._sent = np.tile(q_sent, (len(self._tracks['left'].q), 1))

    def _locate(self, q: np.ndarray, q_sent: np.ndarray) -> int:
        """Return the sample of the last plan that was being sent; begin anew if none was."""
        apart = np.abs(self._sent - q_sent)
        apart[:, 14:] *= _JAWS_WEIGHT_RAD_M
        distance = apart.max(axis=1)
        at = int(distance.argmin())
        if distance[at] <= _STRAYED_RAD:
            return at
        self._stop(q, q_sent)
        return 0

    def _rests(self, side: str, at: int) -> bool:
        """Return whether the arm had no motion to make from sample ``at`` on."""
        track = self._tracks[side]
        arms_rest = np.abs(track.dq[at:]).max() < _REST_RAD_S
        return bool(arms_rest and np.ptp(track.jaws_m[at:]) < 1e-3)

    def _look(
        self,
        q: np.ndarray,
        q_sent: np.ndarray,
        objects: Mapping[str, np.ndarray],
        pelvis_torso: mink.SE3,
        resting: Mapping[str, bool],
    ) -> View:
        jaws_m = {side: float(q[_JAWS[side]]) for side in SIDES}
        view = View(
            objects=objects,
            hands={side: pelvis_torso @ self._arms.hand(side, q[:14]) for side in SIDES},
            jaws_m=jaws_m,
            jaws_sent_m={side: float(q_sent[_JAWS[side]]) for side in SIDES},
            jaws_change_m={side: jaws_m[side] - self._jaws_before[side] for side in SIDES},
            resting=resting,
        )
        self._jaws_before = jaws_m
        return view

    def _reach(self, side: str, move: Move, pelvis_torso: mink.SE3) -> np.ndarray:
        """Return the (7,) positions that bring the hand there; unmoved goals keep theirs."""
        target = pelvis_torso.inverse() @ move.hand
        for known, solution in self._goals.get(side, ()):
            away_m, away_rad = gap(known, target)
            if away_m < _SAME_M and away_rad < _SAME_RAD:
                return solution
        reach = self._arms.reach({side: target}, ready_arms(), ready_arms())
        solution = reach.q[_ARM[side]]
        self._goals[side] = [*self._goals.get(side, ())[-3:], (target, solution)]
        return solution

    def _commands(self, q_asked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return plan times and commands: the tracks, lifted against gravity, from q_asked on."""
        left, right = self._tracks['left'], self._tracks['right']
        q = np.concatenate([left.q, right.q], axis=1)
        sent = np.concatenate([q, left.jaws_m[:, None], right.jaws_m[:, None]], axis=1)
        sent[:, :14] += self._sag.offsets(q)
        times_s = SAMPLE_S * np.arange(len(sent))
        phase = np.clip(times_s / _BLEND_S, 0.0, 1.0)[:, None]
        fade = 1.0 - phase**3 * (10.0 - 15.0 * phase + 6.0 * phase**2)
        sent += fade * (q_asked - sent[0])
        self._sent = np.clip(sent, POLICY.lower, POLICY.upper)
        return times_s[_STRIDE::_STRIDE], self._sent[_STRIDE::_STRIDE]


def _pose(pose: np.ndarray) -> mink.SE3:
    return mink.SE3.from_rotation_and_translation(mink.SO3(np.array(pose[3:])), pose[:3])
