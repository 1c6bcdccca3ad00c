"""The scripted expert as a policy that is disturbed on purpose and remembers what it did.

Two actions are kept for every frame. *Executed* is what was sent to the robot, disturbance and
all: a model's history. *Expert* is what should be sent at that state by the newest plan, which
knows where the robot is but not of the disturbance: a model's target. So noise is never a label.

A model may drive in turns with the expert. What it does is executed and never a label.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from flash_wam_ros.collect import features as keys
from flash_wam_ros.collect.disturbance import Disturbance, DisturbanceConfig
from flash_wam_ros.collect.learner import Learner
from flash_wam_ros.collect.turns import Turns
from flash_wam_ros.core import NS_PER_S, ActionChunk, Observation
from flash_wam_ros.policy.protocol import PolicyOutput, SentCommands
from flash_wam_ros.robots.g1_layout import POLICY
from flash_wam_ros.safety import TickResult
from flash_wam_ros.sim.world import World

# The world draws from streams 0 and 1 of a seed, the expert from 3.
_STREAM, _TURNS_STREAM = 2, 4
_FRAME_S = 1.0 / keys.FPS


class Planner(Protocol):
    """What a scripted expert offers."""

    def reset(self, seed: int) -> None:
        """Begin an episode."""

    def plan(
        self,
        q: np.ndarray,
        q_sent: np.ndarray,
        objects: Mapping[str, np.ndarray],
        disturbance: np.ndarray | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return (T,) times [s] and (T, J) joint targets that ignore the disturbance."""

    def take_over(
        self,
        q: np.ndarray,
        dq: np.ndarray,
        q_sent: np.ndarray,
        objects: Mapping[str, np.ndarray],
    ) -> None:
        """Go on from where somebody else brought the arms."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Demonstration:
    """One episode, T frames.

    Attributes:
        instruction: its words.
        bursts: disturbances that began in it.
        vectors: feature -> (T, D) numbers.
        images: feature -> T pictures (H, W, 3) uint8.
    """

    instruction: str
    bursts: int
    vectors: Mapping[str, np.ndarray]
    images: Mapping[str, list[np.ndarray]]


@dataclass(kw_only=True, slots=True)
class _Account:
    """What happened so far: looks with the command in force, hand poses, plans, turns."""

    looks: list[Observation] = field(default_factory=list)
    sent: list[np.ndarray] = field(default_factory=list)
    hands: list[Mapping[str, np.ndarray]] = field(default_factory=list)
    plans: list[ActionChunk] = field(default_factory=list)
    turns: list[tuple[int, bool]] = field(default_factory=list)

    def labelled(self, stamp_ns: int) -> bool:
        """Return whether the expert drives from the frame at ``stamp_ns`` on."""
        past = (learner for begin_ns, learner in reversed(self.turns) if begin_ns <= stamp_ns)
        return not next(past, False)

    def planned(self, stamp_ns: int) -> np.ndarray:
        """Return the (16,) command one frame after ``stamp_ns`` by the newest plan known then."""
        plan = next(plan for plan in reversed(self.plans) if plan.stamp_ns <= stamp_ns)
        ahead_s = (stamp_ns - plan.stamp_ns) / NS_PER_S + _FRAME_S
        return np.array([np.interp(ahead_s, plan.times_s, column) for column in plan.q.T])


class Demonstrator:
    """Policy and witness in one; see the module.

    Args:
        world: the world of the episodes.
        expert: the scripted expert of its task.
        config: how it is disturbed; None for not at all.
        replan_s: time between plans [s].
        learner: a model that drives in turns with the expert; None for nobody.
    """

    privileged = True

    def __init__(
        self,
        world: World,
        expert: Planner,
        config: DisturbanceConfig | None,
        replan_s: float = 0.4,
        learner: Learner | None = None,
    ) -> None:
        self.cameras = keys.CAMERAS
        self.replan_s = replan_s
        self._world = world
        self._expert = expert
        self._config = config
        self._learner = learner
        self.reset(world.instruction, 0)

    def reset(self, instruction: str, seed: int = 0) -> None:
        """Begin the episode of ``seed``; its disturbances follow from it."""
        self._expert.reset(seed)
        self._instruction = instruction
        self._account = _Account()
        self._disturbance: Disturbance | None = None
        self._turns: Turns | None = None
        self._learner_drives = False
        task = self._world.task
        if self._config is not None:
            rng = np.random.default_rng((seed, _STREAM))
            self._disturbance = Disturbance(self._config, rng, task.sides, task.time_limit_s)
        if self._learner is not None:
            rng = np.random.default_rng((seed, _TURNS_STREAM))
            self._turns = Turns(self._learner.turns, rng, task.time_limit_s)
            self._learner.reset(instruction, seed)

    def step(self, observations: Sequence[Observation], sent: SentCommands) -> PolicyOutput:
        """Return the expert's next plan with the disturbance on top, or the model's."""
        newest = observations[-1]
        slots = newest.layout.indices(POLICY.names)
        measured = newest.q[slots]
        last_sent = sent.q[-1] if len(sent.q) else measured
        if self._learner is not None and self._turns is not None:
            wanted = self._learner.follow(observations, sent)
            drove = self._learner_drives
            self._learner_drives = self._turns.learner_drives(self._seconds(newest.stamp_ns))
            self._account.turns.append((newest.stamp_ns, self._learner_drives))
            if self._learner_drives:
                return PolicyOutput(chunk=wanted)
            if drove:
                self._expert.take_over(measured, newest.dq[slots], last_sent, newest.privileged)
        now = self._offsets(newest.stamp_ns, np.zeros(1))[0]
        times_s, q = self._expert.plan(measured, last_sent, newest.privileged, now)
        plan = ActionChunk(stamp_ns=newest.stamp_ns, layout=POLICY, times_s=times_s, q=q)
        self._account.plans.append(plan)
        disturbed = np.clip(
            q + self._offsets(newest.stamp_ns, times_s), POLICY.lower, POLICY.upper
        )
        return PolicyOutput(
            chunk=ActionChunk(
                stamp_ns=newest.stamp_ns, layout=POLICY, times_s=times_s, q=disturbed
            )
        )

    def look(self, observation: Observation, tick: TickResult) -> None:
        """Remember one frame and the command in force."""
        if tick.sent_q16 is None:
            raise RuntimeError(f'the controller sends nothing ({tick.state}); nothing to record')
        self._account.looks.append(observation)
        self._account.sent.append(tick.sent_q16)
        self._account.hands.append(self._world.hands())

    def demonstration(self) -> Demonstration:
        """Return the episode so far; the last look only tells what the frame before led to."""
        account = self._account
        looks = account.looks[:-1]
        if not looks:
            raise ValueError('fewer than two looks; run an episode first')
        stamps_ns = np.array([seen.stamp_ns for seen in looks])
        state, velocity = _joints(looks)
        offsets = np.array([self._offsets(stamp, np.array([_FRAME_S]))[0] for stamp in stamps_ns])
        labelled = np.array([account.labelled(stamp) for stamp in stamps_ns])
        executed = np.array(account.sent[1:])
        wanted = executed.copy()
        for frame in np.flatnonzero(labelled):
            wanted[frame] = account.planned(stamps_ns[frame])
        vectors = {
            keys.STATE_KEY: state,
            keys.VELOCITY_KEY: velocity,
            keys.END_EFFECTOR_KEY: _end_effectors(account.hands[:-1], state),
            **{
                f'{keys.PRIVILEGED_PREFIX}{name}': np.array([s.privileged[name] for s in looks])
                for name in self._world.task.objects
            },
            keys.EXPERT_KEY: wanted,
            keys.EXECUTED_KEY: executed,
            keys.DISTURBANCE_KEY: offsets,
            keys.LABELLED_KEY: labelled[:, None],
        }
        return Demonstration(
            instruction=self._instruction,
            bursts=self._begun(stamps_ns[-1]),
            vectors={name: values.astype(np.float32) for name, values in vectors.items()},
            images={
                f'{keys.IMAGE_PREFIX}{name}': [seen.images[name] for seen in looks]
                for name in self.cameras
            },
        )

    def _seconds(self, stamp_ns: int) -> float:
        first = self._account.looks[0].stamp_ns if self._account.looks else stamp_ns
        return (stamp_ns - first) / NS_PER_S

    def _offsets(self, stamp_ns: int, times_s: np.ndarray) -> np.ndarray:
        """Return the (T, 16) disturbance at (T,) times after ``stamp_ns``."""
        if self._disturbance is None:
            return np.zeros((len(times_s), len(POLICY)))
        begin_s = self._seconds(stamp_ns)
        return np.array([self._disturbance.at(begin_s + time_s) for time_s in times_s])

    def _begun(self, stamp_ns: int) -> int:
        if self._disturbance is None:
            return 0
        now_s = self._seconds(stamp_ns)
        return sum(burst.start_s < now_s for burst in self._disturbance.bursts)


def _joints(looks: Sequence[Observation]) -> tuple[np.ndarray, np.ndarray]:
    """Return (T, 16) positions and velocities on the policy's layout."""
    slots = looks[0].layout.indices(POLICY.names)
    return np.array([s.q[slots] for s in looks]), np.array([s.dq[slots] for s in looks])


def _end_effectors(hands: Sequence[Mapping[str, np.ndarray]], state: np.ndarray) -> np.ndarray:
    """Return (T, 16): pose and gripper of the left hand, then of the right."""
    left, right = (np.array([poses[side] for poses in hands]) for side in ('left', 'right'))
    return np.concatenate([left, state[:, 14:15], right, state[:, 15:16]], axis=1)
