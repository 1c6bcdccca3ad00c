"""An outsider that measures the running stack: rates, losses, latencies."""

import threading
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from diagnostic_msgs.msg import DiagnosticArray
from sensor_msgs.msg import Image
from trajectory_msgs.msg import JointTrajectory

from flash_wam_ros.bringup.interface import CAMERAS, image_topic
from flash_wam_ros.core import check_fields, number, words
from flash_wam_ros.evaluate.results import write_json
from flash_wam_ros.nodes.images import ns_of
from flash_wam_ros.nodes.measures import Sightings, report
from flash_wam_ros.nodes.running import BaseNode, run
from flash_wam_ros.nodes.status import controller_state, values_of
from flash_wam_ros.nodes.wire import subscribe
from flash_wam_ros.robots.domains import check_dds
from flash_wam_ros.robots.sdk.dds import Participant
from flash_wam_ros.robots.sdk.g1_port import ARM_SDK_TOPIC, LOW_STATE_TOPIC
from flash_wam_ros.robots.sdk.idl import LOW_CMD, LOW_STATE
from flash_wam_ros.robots.sdk.lowstate import LowStateFrame

_DEPTH = 256
_POLL_S = 0.05
_SETTLE_S = 2.0


@dataclass(frozen=True, kw_only=True, slots=True)
class ProbeParameters:
    """Parameters of the probe."""

    sdk_domain: int = number(1, 0, 232, 'DDS domain of the SDK topics')
    network_interface: str = words('lo', 'network interface of the SDK topics')
    duration_s: float = number(30.0, 1.0, 3600.0, 'time to measure, once the arms track [s]')
    camera_rate_hz: float = number(10.0, 0.1, 120.0, 'rate at which the cameras should come [Hz]')
    output: str = words('', 'file for the figures (JSON); empty for none')

    def __post_init__(self) -> None:
        """Check ranges."""
        check_fields(self)


class ProbeNode(BaseNode):
    """Waits until the arms track, watches for a while, writes what it saw and ends."""

    CONFIGS = (ProbeParameters,)

    def __init__(self) -> None:
        super().__init__('probe')
        (self._p,) = self.configs
        self._seen = Sightings()
        self._from_s = float('inf')
        domain, interface = self._p.sdk_domain, self._p.network_interface
        check_dds(sdk_domain=domain, interface=interface, simulated=False)
        self._participant = Participant(domain, interface)
        self._states = self._participant.reader(LOW_STATE_TOPIC, LOW_STATE, depth=_DEPTH)
        self._commands = self._participant.reader(ARM_SDK_TOPIC, LOW_CMD, depth=_DEPTH)
        for name in CAMERAS:
            subscribe(self, image_topic(name), partial(self._see, name))
        subscribe(self, 'action_chunk', self._see_chunk)
        subscribe(self, 'safety/state', self._see_state)
        subscribe(self, '/diagnostics', self._see_figures)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch_wire, name='wire', daemon=True)
        self._thread.start()

    @property
    def _on(self) -> bool:
        return time.monotonic() >= self._from_s

    def _now_ns(self) -> int:
        return int(self.get_clock().now().nanoseconds)

    def _watch_wire(self) -> None:
        while not self._stop.wait(_POLL_S):
            states, commands = self._states.take_stamped(), self._commands.take_stamped()
            if self._on:
                self._seen.lowstate_written_ns += [written for _, written in states]
                self._seen.lowstate_ticks += [LowStateFrame(data).tick for data, _ in states]
                self._seen.command_written_ns += [written for _, written in commands]
            if time.monotonic() > self._from_s + self._p.duration_s:
                self._finish()
                return

    def _see(self, camera: str, message: Image) -> None:
        if self._on:
            stamp_ns = ns_of(message.header.stamp)
            self._seen.image_stamps_ns.setdefault(camera, []).append(stamp_ns)
            self._seen.image_arrivals_ns.setdefault(camera, []).append(self._now_ns())

    def _see_chunk(self, message: JointTrajectory) -> None:
        if self._on:
            self._seen.chunk_arrivals_ns.append(self._now_ns())
            self._seen.chunk_stamps_ns.append(ns_of(message.header.stamp))

    def _see_state(self, message: DiagnosticArray) -> None:
        if controller_state(message) == 'TRACKING' and self._from_s == float('inf'):
            self._from_s = time.monotonic() + _SETTLE_S

    def _see_figures(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name == 'sim' and self._on:
                factor = float(values_of(status)['real_time_factor'])
                self._seen.real_time_factors.append(factor)

    def _finish(self) -> None:
        if self._p.output:
            write_json(Path(self._p.output), report(self._seen, self._p.camera_rate_hz))
        self.exit_code = 0

    def close(self) -> None:
        """Leave the SDK's domain."""
        self._stop.set()
        self._thread.join(timeout=1.0)
        self._participant.close()


def main() -> None:
    """Run the node."""
    run(ProbeNode)


if __name__ == '__main__':
    main()
