"""A peer of the controller for drills: operator and policy in one, who misbehave on demand.

Reads one JSON object a line on standard input: ``{"ask": "safety/enable", "data": true}`` calls a
service, ``{"spoil": "heartbeat", "fault": "stop"}`` applies a fault to the heartbeats or to the
chunks. Writes one JSON object a line: states, answers, and when a fault began.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from rosgraph_msgs.msg import Clock
from std_msgs.msg import Bool, String
from trajectory_msgs.msg import JointTrajectory

from flash_wam_ros.core import NS_PER_S, ActionChunk, check_fields, number, switch, words
from flash_wam_ros.core.realtime import ask_for_fifo
from flash_wam_ros.nodes.asking import Asker
from flash_wam_ros.nodes.joint_messages import chunk_message, stamp_of
from flash_wam_ros.nodes.orders import obey, tell
from flash_wam_ros.nodes.running import BaseNode, run
from flash_wam_ros.nodes.status import values_of
from flash_wam_ros.nodes.wire import publisher, subscribe
from flash_wam_ros.robots.g1_layout import POLICY
from flash_wam_ros.sim.posture import ready_posture

_RATE_HZ = 30
_CLOCK_S = 0.005
_CLOCK_JUMP_NS = 5 * NS_PER_S
_PRIORITY = 20
_JUMP_NS = 3600 * NS_PER_S
_MOVING = ('shoulder_pitch', 'elbow', 'wrist_yaw')
_RAD_S = 2.0


@dataclass(frozen=True, kw_only=True, slots=True)
class DrillParameters:
    """Parameters of the peer."""

    heartbeat_hz: float = number(20.0, 1.0, 100.0, 'operator heartbeats a second [Hz]')
    chunk_period_s: float = number(0.4, 0.05, 10.0, 'time between two chunks [s]')
    chunk_s: float = number(1.2, 0.1, 10.0, 'duration of a chunk [s]')
    amplitude_rad: float = number(0.15, 0.0, 0.5, 'how far the arms swing [rad]')
    delay_s: float = number(3.0, 0.1, 30.0, 'lag of a delayed message [s]')
    operates: bool = switch(True, 'send heartbeats')
    decides: bool = switch(True, 'send chunks')
    clock: bool = switch(False, 'be the clock of all, on /clock')
    instruction: str = words('', 'what a policy is told; empty for nothing')

    def __post_init__(self) -> None:
        """Check ranges."""
        check_fields(self)


class _Late:
    """Messages on their way, in the order in which they are due."""

    def __init__(self) -> None:
        self._due: deque[tuple[int, Callable[[], None]]] = deque()

    def after(self, delay_s: float, action: Callable[[], None]) -> None:
        self._due.append((time.monotonic_ns() + round(delay_s * NS_PER_S), action))

    def run(self) -> None:
        while self._due and self._due[0][0] <= time.monotonic_ns():
            self._due.popleft()[1]()


class DrillNode(BaseNode):
    """Sends heartbeats and chunks, spoilt as it is told; repeats what the controller says."""

    CONFIGS = (DrillParameters,)

    def __init__(self) -> None:
        super().__init__('drill')
        (self._p,) = self.configs
        pose = ready_posture()
        self._pose = np.concatenate([pose[15:29], pose[29:31]])
        self._swing = np.array(
            [
                self._p.amplitude_rad * any(part in name for part in _MOVING)
                for name in POLICY.names
            ]
        )
        self._faults = {'heartbeat': 'none', 'chunk': 'none', 'clock': 'none'}
        # What is told of the last message before a fault is true: none is under way meanwhile.
        self._sending = threading.Lock()
        self._spoilt_told = True
        self._clock_offset_ns = 0
        self._late = _Late()
        self._newest: JointTrajectory | None = None
        self._expiry_ns = self._beat_ns = self._seen_beat_ns = 0
        self._told = ''
        self._asker = Asker(self)
        self._beats = publisher(self, 'safety/heartbeat')
        self._chunks = publisher(self, 'action_chunk')
        subscribe(self, 'safety/state', self._see)
        subscribe(self, '/diagnostics', self._measure)
        if self._p.operates:
            self.create_timer(1.0 / self._p.heartbeat_hz, self._beat)
        if self._p.decides:
            self.create_timer(self._p.chunk_period_s, self._decide)
        else:
            subscribe(self, 'action_chunk', self._witness)
        if not self._p.operates:
            subscribe(self, 'safety/heartbeat', self._hear)
        if self._p.clock:
            self._times = self.create_publisher(Clock, '/clock', 10)
            self.create_timer(_CLOCK_S, self._tick)
        if self._p.instruction:
            self._instructions = publisher(self, 'instruction')
            self._instructions.publish(String(data=self._p.instruction))
        obey(self._obey, self._end)
        # A part of the drill, not of what is drilled: on time also where the machine is busy.
        ask_for_fifo(_PRIORITY, every_thread=True)
        tell(ready=True)

    def _end(self) -> None:
        self.exit_code = 0

    # What the controller says -----------------------------------------------------------------

    def _see(self, message: DiagnosticArray) -> None:
        for status in message.status:
            figures = values_of(status)
            if 'state' in figures and figures['since_mono_ns'] != self._told:
                self._told = figures['since_mono_ns']
                tell(
                    state=figures['state'],
                    cause=figures['cause'],
                    since_ns=int(figures['since_mono_ns']),
                )

    def _measure(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name == 'controller':
                tell(figures=values_of(status))

    def _hear(self, _message: Bool) -> None:
        self._seen_beat_ns = time.monotonic_ns()

    def _witness(self, message: JointTrajectory) -> None:
        """Remember until when somebody else's chunk lasts."""
        last = message.points[-1].time_from_start
        self._lasts(message, last.sec * NS_PER_S + last.nanosec)

    def _lasts(self, message: JointTrajectory, duration_ns: int) -> None:
        stamp = message.header.stamp
        ros_ns = stamp.sec * NS_PER_S + stamp.nanosec + duration_ns
        self._expiry_ns = ros_ns - self._ros_ns() + time.monotonic_ns()

    # What the controller is told ---------------------------------------------------------------

    def _ros_ns(self) -> int:
        return time.time_ns() + self._clock_offset_ns

    def _tick(self) -> None:
        now = stamp_of(self._ros_ns())
        self._times.publish(Clock(clock=now))

    def _beat(self) -> None:
        with self._sending:
            self._beat_once()

    def _beat_once(self) -> None:
        self._late.run()
        fault = self._faults['heartbeat']
        if fault in ('stop', 'freeze'):
            return
        if fault == 'delay':
            self._late.after(self._p.delay_s, lambda: self._beats.publish(Bool(data=True)))
            return
        self._beat_ns = time.monotonic_ns()
        self._beats.publish(Bool(data=fault != 'corrupt'))
        if fault == 'corrupt' and not self._spoilt_told:
            self._spoilt_told = True
            tell(spoilt_ns=self._beat_ns)
        if fault == 'duplicate':
            self._beats.publish(Bool(data=True))

    def _decide(self) -> None:
        with self._sending:
            self._decide_once()

    def _decide_once(self) -> None:
        fault = self._faults['chunk']
        if fault == 'stop':
            return
        if fault == 'freeze' and self._newest is not None:
            self._chunks.publish(self._newest)
            return
        message = self._chunk()
        if fault == 'delay':
            self._late.after(self._p.delay_s, lambda: self._send(message))
            return
        older, self._newest = self._newest, message
        self._send(message)
        if fault == 'duplicate':
            self._chunks.publish(message)
        if fault == 'reorder' and older is not None:
            self._chunks.publish(older)

    def _send(self, message: JointTrajectory) -> None:
        if self._faults['chunk'] not in ('corrupt', 'clock jump'):
            self._lasts(message, round(self._p.chunk_s * NS_PER_S))
        self._chunks.publish(message)

    def _chunk(self) -> JointTrajectory:
        stamp_ns = self._ros_ns()
        times = np.arange(1, round(self._p.chunk_s * _RATE_HZ) + 1) / _RATE_HZ
        phase = _RAD_S * (stamp_ns % (1000 * NS_PER_S) / NS_PER_S + times)
        q = self._pose + np.sin(phase)[:, None] * self._swing
        message = chunk_message(ActionChunk(stamp_ns=stamp_ns, layout=POLICY, times_s=times, q=q))
        if self._faults['chunk'] == 'corrupt':
            message.points[0].positions[3] = float('nan')
        if self._faults['chunk'] == 'clock jump':
            message.header.stamp = stamp_of(stamp_ns + _JUMP_NS)
        return message

    # Orders ------------------------------------------------------------------------------------

    def _obey(self, order: dict[str, Any]) -> None:
        if 'ask' in order:
            name = order.pop('ask')
            accepted, answer = self._asker.ask(name, **order)
            tell(ask=name, accepted=accepted, message=answer)
        elif 'spoil' in order:
            with self._sending:
                self._spoil(order['spoil'], order['fault'])
        elif 'report' in order:
            tell(seen_beat_ns=self._seen_beat_ns, expiry_ns=self._expiry_ns)

    def _spoil(self, what: str, fault: str) -> None:
        self._spoilt_told = False
        self._faults[what] = fault
        if what == 'clock':
            self._clock_offset_ns = _CLOCK_JUMP_NS if fault == 'clock jump' else 0
        tell(
            fault=fault,
            at_ns=time.monotonic_ns(),
            expiry_ns=self._expiry_ns,
            beat_ns=self._beat_ns,
        )


def main() -> None:
    """Run the node."""
    run(DrillNode)


if __name__ == '__main__':
    main()
