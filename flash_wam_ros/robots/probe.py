"""Look at a robot without moving it: is it there, how fast, and who else commands it?"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from flash_wam_ros.core import RobotState, s_from_ns
from flash_wam_ros.robots.port import RobotPort

_POLL_S = 0.0005


@dataclass(frozen=True, kw_only=True, slots=True)
class Probe:
    """What was seen of a robot.

    Attributes:
        state: the newest state, None if none came.
        lowstate_hz: states that the robot sent per second, by its tick.
        seen_hz: states that arrived per second.
        crc_errors: states refused meanwhile.
        grippers: whether (left, right) gripper states came.
        other_writers: publications of others on the command topic.
    """

    state: RobotState | None
    lowstate_hz: float = 0.0
    seen_hz: float = 0.0
    crc_errors: int = 0
    grippers: tuple[bool, bool] = (False, False)
    other_writers: int = 0


def probe(
    port: RobotPort,
    *,
    duration_s: float = 1.0,
    patience_s: float = 3.0,
    sleep: Callable[[float], None] = time.sleep,
) -> Probe:
    """Watch ``port`` for ``duration_s`` [s] after its first state; sends nothing.

    Args:
        port: the robot.
        duration_s: how long to count states [s].
        patience_s: how long to wait for the first state [s].
        sleep: waits between two reads.
    """
    first = _first_state(port, patience_s, sleep)
    if first is None:
        return Probe(state=None, other_writers=port.other_writers())
    last, seen = first, 0
    deadline_s = time.monotonic() + duration_s
    while time.monotonic() < deadline_s:
        sleep(_POLL_S)
        state = port.read() or last
        seen += state.tick != last.tick
        last = state
    span_s = s_from_ns(last.received_mono_ns - first.received_mono_ns)
    left_ns, right_ns = last.gripper_received_mono_ns
    return Probe(
        state=last,
        lowstate_hz=(last.tick - first.tick) / span_s if span_s else 0.0,
        seen_hz=seen / span_s if span_s else 0.0,
        crc_errors=last.crc_errors,
        grippers=(left_ns > 0, right_ns > 0),
        other_writers=port.other_writers(),
    )


def _first_state(
    port: RobotPort, patience_s: float, sleep: Callable[[float], None]
) -> RobotState | None:
    deadline_s = time.monotonic() + patience_s
    while (state := port.read()) is None and time.monotonic() < deadline_s:
        sleep(_POLL_S)
    return state
