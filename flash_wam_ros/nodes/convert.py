"""What the controller reads and writes as messages: chunks, sent commands, joint states."""

import numpy as np
from sensor_msgs.msg import JointState
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from flash_wam_ros.core import ActionChunk, JointLayout, s_from_ns
from flash_wam_ros.nodes.images import ns_of
from flash_wam_ros.nodes.joint_messages import stamp_of


def chunk_of(message: JointTrajectory, layout: JointLayout) -> ActionChunk:
    """Return the chunk in ``message``.

    Args:
        message: a trajectory of joints of ``layout``, in any order.
        layout: the joints with their limits.

    Raises:
        ValueError: an unknown joint, a point of another size, times out of order, NaN.
    """
    names = message.joint_names
    found = layout.select(names)
    for number, point in enumerate(message.points):
        if len(point.positions) != len(names):
            raise ValueError(
                f'point {number} has {len(point.positions)} positions for {len(names)} joints; '
                'chunk refused'
            )
    times = [s_from_ns(ns_of(point.time_from_start)) for point in message.points]
    q = np.array([point.positions for point in message.points], dtype=float)
    return ActionChunk(
        stamp_ns=ns_of(message.header.stamp),
        layout=found,
        times_s=np.array(times),
        q=q.reshape(len(times), len(names)),
    )


def command_message(names: tuple[str, ...], q: np.ndarray, stamp_ns: int) -> JointTrajectory:
    """Return positions ``q`` (J,) that were sent at ``stamp_ns`` as a one-point trajectory."""
    message = JointTrajectory()
    message.header.stamp = stamp_of(stamp_ns)
    message.joint_names = list(names)
    message.points.append(JointTrajectoryPoint(positions=q.tolist()))
    return message


def joint_state_message(
    names: tuple[str, ...], q: np.ndarray, dq: np.ndarray, tau: np.ndarray, stamp_ns: int
) -> JointState:
    """Return measured (J,) positions, velocities and torques at ROS time ``stamp_ns``."""
    message = JointState()
    message.header.stamp = stamp_of(stamp_ns)
    message.name = list(names)
    message.position = q.tolist()
    message.velocity = dq.tolist()
    message.effort = tau.tolist()
    return message
