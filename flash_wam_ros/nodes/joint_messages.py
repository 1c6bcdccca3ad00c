"""Joint states and chunks as messages, and back; the order of the joints is the layout's."""

import numpy as np
from builtin_interfaces.msg import Duration, Time
from sensor_msgs.msg import JointState
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from flash_wam_ros.core import NS_PER_S, ActionChunk, JointLayout, did_you_mean, ns_from_s


def stamp_of(time_ns: int) -> Time:
    """Return nanoseconds as a message stamp."""
    return Time(sec=time_ns // NS_PER_S, nanosec=time_ns % NS_PER_S)


def chunk_message(chunk: ActionChunk) -> JointTrajectory:
    """Return ``chunk`` as a trajectory stamped with its observation."""
    message = JointTrajectory(joint_names=list(chunk.layout.names))
    message.header.stamp = stamp_of(chunk.stamp_ns)
    for time_s, q in zip(chunk.times_s, chunk.q, strict=True):
        after_ns = ns_from_s(float(time_s))
        after = Duration(sec=after_ns // NS_PER_S, nanosec=after_ns % NS_PER_S)
        point = JointTrajectoryPoint(positions=q.tolist(), time_from_start=after)
        message.points.append(point)
    return message


def slots_in(names: list[str], layout: JointLayout) -> list[int]:
    """Return where each joint of ``layout`` stands in ``names``; ValueError if one is missing."""
    places = {name: slot for slot, name in enumerate(names)}
    for name in layout.names:
        if name not in places:
            raise ValueError(f'message lacks joint {name!r}; {did_you_mean(name, places)}')
    return [places[name] for name in layout.names]


def joint_rows(message: JointState, layout: JointLayout) -> tuple[np.ndarray, np.ndarray]:
    """Return (J,) positions and velocities of ``message`` in the order of ``layout``."""
    slots = slots_in(message.name, layout)
    return np.array(message.position)[slots], np.array(message.velocity)[slots]
