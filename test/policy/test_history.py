import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from flash_wam_ros.core import Observation
from flash_wam_ros.policy.history import History
from flash_wam_ros.policy.protocol import SentCommands
from flash_wam_ros.robots.g1_layout import POLICY, STATE


def look(stamp_ns: int) -> Observation:
    zeros = np.zeros(len(STATE))
    return Observation(stamp_ns=stamp_ns, images={}, layout=STATE, q=zeros, dq=zeros)


def sent(stamps_ns) -> SentCommands:
    stamps = np.array(stamps_ns, np.int64)
    return SentCommands(stamps_ns=stamps, q=np.repeat(stamps[:, None], len(POLICY), 1) * 1.0)


def test_a_frame_from_the_future_is_never_picked():
    history = History()
    history.add([look(0), look(100), look(200)], sent([]))
    picked = history.frames_at(np.array([0, 99, 100, 150, 250]))
    assert [seen.stamp_ns for seen in picked] == [0, 0, 100, 100, 200]


def test_before_the_first_command_the_fallback_is_in_force():
    history = History()
    history.add([look(0)], sent([50]))
    commands = history.commands_at(np.array([10, 50, 60]), np.full(len(POLICY), -1.0))
    assert commands[:, 0].tolist() == [-1.0, 50.0, 50.0]


@given(
    st.lists(st.integers(1, 20), min_size=1, max_size=30),
    st.integers(0, 600),
    st.integers(0, 300),
)
def test_forgetting_changes_nothing_at_or_after_its_time(gaps, cut, later):
    stamps = np.cumsum(gaps).tolist()
    fallback = np.full(len(POLICY), -1.0)
    whole, cut_down = History(), History()
    for history in (whole, cut_down):
        history.add([look(stamp) for stamp in stamps], sent(stamps))
    cut_down.forget_before(cut)
    time = np.array([max(cut, stamps[0]) + later])
    assert cut_down.frames_at(time)[0].stamp_ns == whole.frames_at(time)[0].stamp_ns
    np.testing.assert_array_equal(
        cut_down.commands_at(time, fallback), whole.commands_at(time, fallback)
    )
