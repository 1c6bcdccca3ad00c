"""Time stamps: integer nanoseconds, as ROS messages and the monotonic clock count them.

A stamp is a plain ``int`` named ``*_ns``. Which clock it belongs to stands in the name too:
``stamp_ns`` is ROS time (data), ``*_mono_ns`` is ``time.monotonic_ns()`` (intervals).
"""

import math

NS_PER_S = 1_000_000_000


def ns_from_s(seconds: float) -> int:
    """Return ``seconds`` [s] as integer nanoseconds; raise ValueError if not finite."""
    if not math.isfinite(seconds):
        raise ValueError(f'time {seconds} s is not finite; pass a finite number of seconds')
    return round(seconds * NS_PER_S)


def s_from_ns(nanoseconds: int) -> float:
    """Return integer nanoseconds as seconds [s]."""
    return nanoseconds / NS_PER_S
