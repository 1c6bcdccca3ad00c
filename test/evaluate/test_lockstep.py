from collections.abc import Sequence
from functools import partial

import numpy as np
import pytest

from flash_wam_ros.core import ActionChunk, Observation, UserError
from flash_wam_ros.evaluate.limits import EvaluatedLimits
from flash_wam_ros.evaluate.lockstep import Lockstep, LockstepConfig
from flash_wam_ros.evaluate.runner import g1_controller
from flash_wam_ros.policy.protocol import PolicyOutput, SentCommands
from flash_wam_ros.robots.g1_layout import POLICY
from flash_wam_ros.sim.cameras import CameraRenderer
from flash_wam_ros.sim.world import World, WorldConfig

ELBOW = POLICY.index('right_elbow_joint')


class Wave:
    """A policy that waves the right forearm and remembers what it was shown."""

    cameras: tuple[str, ...] = ()
    privileged = False
    replan_s = 0.5

    def __init__(self) -> None:
        self.shown: list[Observation] = []
        self.sent: list[SentCommands] = []
        self.resets: list[tuple[str, int]] = []

    def reset(self, instruction: str, seed: int = 0) -> None:
        self.resets.append((instruction, seed))
        self._home: np.ndarray | None = None

    def step(self, observations: Sequence[Observation], sent: SentCommands) -> PolicyOutput:
        self.shown.extend(observations)
        self.sent.append(sent)
        newest = observations[-1]
        if self._home is None:
            self._home = newest.q[newest.layout.indices(POLICY.names)]
        times_s = np.arange(1, 21) * 0.05
        q = np.tile(self._home, (len(times_s), 1))
        q[:, ELBOW] -= 0.2 * np.sin(2 * np.pi * (newest.stamp_ns * 1e-9 + times_s)) ** 2
        chunk = ActionChunk(stamp_ns=newest.stamp_ns, layout=POLICY, times_s=times_s, q=q)
        return PolicyOutput(chunk=chunk)


@pytest.fixture(scope='module')
def world() -> World:
    return World(WorldConfig(task='red_bottle'))


@pytest.fixture
def short(world, monkeypatch) -> World:
    monkeypatch.setattr(type(world.task), 'time_limit_s', 2.0)
    return world


def test_the_same_seed_gives_the_same_episode(short):
    def end() -> tuple:
        policy = Wave()
        episode = Lockstep(short, policy, g1_controller).episode(7)
        return episode.duration_s, episode.reason, policy.shown[-1].q.tobytes()

    assert end() == end()


def test_the_robot_does_what_the_chunks_say(short):
    policy = Wave()
    Lockstep(short, policy, g1_controller).episode(0)
    elbow = [seen.q[seen.layout.index('right_elbow_joint')] for seen in policy.shown]
    assert max(elbow) - min(elbow) == pytest.approx(0.2, abs=0.05)


def test_wide_limits_change_less_of_what_is_asked(short):
    changed = []
    for words in ('', 'widest'):
        limits = EvaluatedLimits.parse(words)
        make = partial(g1_controller, limits.config, limits.check_clearance)
        episode = Lockstep(short, Wave(), make).episode(0)
        changed.append(sum(episode.interventions.values()))
    assert changed[1] < changed[0]


def test_every_command_is_told_once_and_in_order(short):
    policy = Wave()
    Lockstep(short, policy, g1_controller).episode(0)
    stamps = np.concatenate([sent.stamps_ns for sent in policy.sent])
    assert np.all(np.diff(stamps) == 4_000_000)
    assert policy.sent[0].stamps_ns[0] < policy.shown[0].stamp_ns


def test_no_command_from_after_the_observation_is_told(short):
    policy = Wave()
    Lockstep(short, policy, g1_controller).episode(0)
    looks = [seen.stamp_ns for seen in policy.shown]
    for number, sent in enumerate(policy.sent):
        newest = looks[number * 5]
        assert np.all(sent.stamps_ns <= newest)


def test_a_policy_is_shown_no_more_than_it_asks_for(short):
    policy = Wave()
    Lockstep(short, policy, g1_controller).episode(0)
    assert all(not seen.images and not seen.privileged for seen in policy.shown)

    looking = Wave()
    looking.cameras = ('head',)
    with CameraRenderer(short, 64, 64) as cameras:
        Lockstep(short, looking, g1_controller, cameras).episode(0)
    assert {tuple(seen.images) for seen in looking.shown} == {('head',)}
    assert looking.shown[0].images['head'].shape == (64, 64, 3)


def test_a_longer_latency_delays_the_motion(short):
    def first_motion_s(latency_s: float) -> float:
        policy = Wave()
        config = LockstepConfig(latency_s=latency_s, camera_period_s=0.02)
        Lockstep(short, policy, g1_controller, config=config).episode(0)
        start = policy.shown[0]
        slot = start.layout.index('right_elbow_joint')
        moved = next(s for s in policy.shown if abs(s.q[slot] - start.q[slot]) > 0.05)
        return (moved.stamp_ns - start.stamp_ns) * 1e-9

    assert first_motion_s(0.3) > first_motion_s(0.0) + 0.05


def test_a_policy_with_cameras_needs_a_renderer(world):
    policy = Wave()
    policy.cameras = ('head',)
    with pytest.raises(UserError, match='needs the cameras head'):
        Lockstep(world, policy, g1_controller)


@pytest.mark.parametrize(
    'wrong',
    [
        {'control_period_s': 0.0},
        {'control_period_s': float('nan')},
        {'camera_period_s': 0.001},
        {'latency_s': -0.1},
        {'latency_s': float('nan')},
    ],
)
def test_a_time_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(ValueError, match='must be'):
        LockstepConfig(**wrong)
