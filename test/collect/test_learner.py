"""A model follows an episode in its own rhythm, whoever drives."""

import numpy as np
import pytest

from flash_wam_ros.collect.learner import Learner
from flash_wam_ros.core import ActionChunk, Observation, ns_from_s
from flash_wam_ros.policy.protocol import PolicyOutput, SentCommands
from flash_wam_ros.robots.g1_layout import POLICY, STATE

LOOK_S, SENT_S = 0.1, 0.02
PER_LOOK = round(LOOK_S / SENT_S)
REST = np.add(POLICY.lower, POLICY.upper) / 2


class Ramp:
    """Moves every joint evenly; remembers what it was told."""

    cameras, privileged, replan_s = (), False, 0.8

    def __init__(self):
        self.told = []

    def reset(self, instruction, seed=0):
        self.told = []

    def step(self, observations, sent):
        self.told.append(([seen.stamp_ns for seen in observations], list(sent.stamps_ns)))
        times_s = np.arange(1, 9) * LOOK_S
        q = REST + 0.01 * times_s[:, None]
        stamp_ns = observations[-1].stamp_ns
        return PolicyOutput(
            chunk=ActionChunk(stamp_ns=stamp_ns, layout=POLICY, times_s=times_s, q=q)
        )


def _look(time_s):
    still = np.zeros(len(STATE))
    return Observation(stamp_ns=ns_from_s(time_s), images={}, layout=STATE, q=still, dq=still)


def _followed(policy, asks, looks_each):
    """Return the wanted chunks of ``asks`` calls, each told the ``looks_each`` newest looks."""
    learner, chunks = Learner(policy), []
    learner.reset('lift it', 0)
    for ask in range(asks):
        seen = range(ask * looks_each, (ask + 1) * looks_each)
        ticks = range(seen.start * PER_LOOK, seen.stop * PER_LOOK)
        sent = SentCommands(
            stamps_ns=np.array([ns_from_s(tick * SENT_S) for tick in ticks], np.int64),
            q=np.tile(REST, (len(ticks), 1)),
        )
        chunks.append(learner.follow([_look(look * LOOK_S) for look in seen], sent))
    return chunks


def test_a_policy_is_asked_when_its_step_is_due_and_told_everything_once():
    policy = Ramp()
    _followed(policy, 11, 4)
    asked = [looks[-1] for looks, _ in policy.told]
    assert np.diff(asked) == pytest.approx(ns_from_s(policy.replan_s))
    looks = [stamp for seen, _ in policy.told for stamp in seen]
    commands = [stamp for _, sent in policy.told for stamp in sent]
    assert looks == [ns_from_s(look * LOOK_S) for look in range(11 * 4)]
    assert commands == [ns_from_s(tick * SENT_S) for tick in range(11 * 4 * PER_LOOK)]


def test_between_two_steps_the_rest_of_the_chunk_is_wanted_at_the_same_times():
    first, rest = _followed(Ramp(), 2, 4)
    assert rest.stamp_ns - first.stamp_ns == ns_from_s(0.4)
    times_s = rest.times_s + 0.4
    np.testing.assert_allclose(times_s, first.times_s[4:])
    np.testing.assert_allclose(rest.q, first.q[4:])


def test_a_chunk_that_is_used_up_ends_in_its_last_point():
    class Slow(Ramp):
        replan_s = 5.0

    chunks = _followed(Slow(), 6, 4)
    np.testing.assert_allclose(chunks[-1].q, chunks[0].q[-1:])
    assert chunks[-1].times_s > 0
