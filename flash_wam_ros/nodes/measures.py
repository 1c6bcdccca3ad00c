"""Figures of the running stack out of what an outsider saw; free of ROS."""

from dataclasses import dataclass, field

import numpy as np

from flash_wam_ros.core import NS_PER_S

_LATE_COMMAND_NS = NS_PER_S // 2


@dataclass(slots=True)
class Sightings:
    """What was seen, in system time [ns].

    Attributes:
        lowstate_written_ns: when each lowstate was written.
        lowstate_ticks: the tick in each.
        command_written_ns: when each arm_sdk command was written.
        image_stamps_ns: camera -> stamp of each picture.
        image_arrivals_ns: camera -> arrival of each picture.
        chunk_stamps_ns: observation stamp of each chunk.
        chunk_arrivals_ns: arrival of each chunk.
        real_time_factors: what the simulator says of each second.
    """

    lowstate_written_ns: list[int] = field(default_factory=list)
    lowstate_ticks: list[int] = field(default_factory=list)
    command_written_ns: list[int] = field(default_factory=list)
    image_stamps_ns: dict[str, list[int]] = field(default_factory=dict)
    image_arrivals_ns: dict[str, list[int]] = field(default_factory=dict)
    chunk_stamps_ns: list[int] = field(default_factory=list)
    chunk_arrivals_ns: list[int] = field(default_factory=list)
    real_time_factors: list[float] = field(default_factory=list)


def rate_hz(times_ns: list[int]) -> float:
    """Return the mean rate of events at ``times_ns``, NaN for fewer than two."""
    if len(times_ns) < 2:
        return float('nan')
    return (len(times_ns) - 1) * NS_PER_S / (times_ns[-1] - times_ns[0])


def lost_in(ticks: list[int]) -> int:
    """Return how many numbers are missing in the counter values ``ticks``."""
    return int((np.diff(np.array(ticks, np.int64)) - 1).sum()) if len(ticks) > 1 else 0


def lost_frames(stamps_ns: list[int], rate: float) -> int:
    """Return how many periods of a camera at ``rate`` [Hz] passed without a picture."""
    if len(stamps_ns) < 2:
        return 0
    periods = np.rint(np.diff(stamps_ns) * rate / NS_PER_S)
    return int(np.maximum(periods - 1, 0).sum())


def chunk_to_command_ns(seen: Sightings) -> np.ndarray:
    """Return (N,) time from each chunk's observation to the first command that can use it.

    That is the first command written after the chunk had reached the observer. Chunks without a
    command within half a second, as at the end, are left out.
    """
    commands = np.array(seen.command_written_ns, np.int64)
    arrivals = np.array(seen.chunk_arrivals_ns, np.int64)
    slots = np.searchsorted(commands, arrivals, side='right')
    inside = slots < len(commands)
    used = commands[np.minimum(slots, len(commands) - 1)] if len(commands) else arrivals
    inside &= used - arrivals < _LATE_COMMAND_NS
    return (used - np.array(seen.chunk_stamps_ns, np.int64))[inside]


def milliseconds(values_ns: np.ndarray) -> dict[str, float | int]:
    """Return count, p50, p99 and maximum of durations, in milliseconds."""
    if len(values_ns) == 0:
        return {'count': 0}
    low, high = np.percentile(values_ns, (50, 99)) / 1e6
    top = float(np.max(values_ns)) / 1e6
    return {'count': len(values_ns), 'p50_ms': low, 'p99_ms': high, 'max_ms': top}


def report(seen: Sightings, camera_rate_hz: float) -> dict[str, object]:
    """Return all figures of ``seen`` as one dictionary for JSON."""
    periods = np.diff(np.array(seen.command_written_ns, np.int64))
    cameras = {
        name: {
            'frames': len(stamps),
            'rate_hz': rate_hz(stamps),
            'lost_frames': lost_frames(stamps, camera_rate_hz),
            'stamp_to_arrival': milliseconds(
                np.array(seen.image_arrivals_ns[name], np.int64) - np.array(stamps, np.int64)
            ),
        }
        for name, stamps in sorted(seen.image_stamps_ns.items())
    }
    factors = seen.real_time_factors
    return {
        'lowstate_hz': rate_hz(seen.lowstate_written_ns),
        'lowstate_lost': lost_in(seen.lowstate_ticks),
        'command_hz': rate_hz(seen.command_written_ns),
        'command_period': milliseconds(periods),
        'cameras': cameras,
        'observation_to_command': milliseconds(chunk_to_command_ns(seen)),
        'real_time_factor': {
            'mean': float(np.mean(factors)) if factors else float('nan'),
            'min': float(np.min(factors)) if factors else float('nan'),
        },
    }
