"""The controller as a real process, a robot on the SDK's topics, and an operator on ROS."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import rclpy
from std_msgs.msg import Bool
from std_srvs.srv import SetBool, Trigger
from waiting import wait_for

from flash_wam_ros.bringup.processes import environment
from flash_wam_ros.evaluate.sdk_link import MirrorWorld
from flash_wam_ros.nodes.status import controller_cause, controller_state, values_of
from flash_wam_ros.nodes.wire import publisher, subscribe
from flash_wam_ros.sim.bridge import SdkBridge
from flash_wam_ros.sim.onboard import OnboardConfig, OnboardController
from flash_wam_ros.sim.realtime import RealTimeLoop

# A busy test machine starves processes for longer than a robot would be left alone, so that
# rates are low and deadlines long here.
PATIENT = {
    'rate_hz': 100.0,
    'lowstate_timeout_s': 0.5,
    'loop_timeout_s': 0.5,
    'heartbeat_timeout_s': 2.0,
    'arm_ramp_s': 2.0,
    'release_ramp_s': 1.0,
}
_ROBOT_STEP_S = 0.005


class Robot:
    """A robot without physics on the SDK's topics, in a thread of this process."""

    def __init__(self, domain):
        self.onboard = OnboardController(OnboardConfig())
        self.bridge = SdkBridge(self.onboard, domain=domain, interface='lo')
        self.loop = RealTimeLoop(
            MirrorWorld(), self.onboard, self.bridge, timestep_s=_ROBOT_STEP_S
        )
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self.loop.run, args=(self._stop,))
        self._thread.start()

    def close(self):
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
            self.bridge.close()


class Sink:
    """The unmodified SDK, recording the command topic in a process of its own."""

    def __init__(self, domain):
        self._process = subprocess.Popen(
            [sys.executable, '-m', 'flash_wam_ros.robots.sdk.stock_sink', str(domain)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout.readline() == 'ready\n'
        self.rows = []
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        for line in self._process.stdout:
            # The SDK prints a remark of its own now and then.
            if line.startswith('{'):
                self.rows.append(json.loads(line))

    @property
    def weights(self):
        return [row['weight'] for row in self.rows]

    def close(self):
        self._process.kill()
        self._process.wait()
        self._thread.join()


class Operator:
    """Heartbeats and requests over ROS, and what the controller says."""

    def __init__(self, context):
        self.node = rclpy.create_node('test_operator', context=context)
        self._executor = rclpy.executors.SingleThreadedExecutor(context=context)
        self._executor.add_node(self.node)
        self.alive = True
        self.states = []
        self.causes = []
        self.other_writers = None
        self._beats = publisher(self.node, 'safety/heartbeat')
        subscribe(self.node, 'safety/state', self._see)
        subscribe(self.node, '/diagnostics', self._count)
        self.node.create_timer(0.05, self._beat)
        self._running = True
        self._thread = threading.Thread(target=self._spin)
        self._thread.start()

    def _spin(self):
        while self._running:
            self._executor.spin_once(timeout_sec=0.05)

    def _beat(self):
        if self.alive is not None:
            self._beats.publish(Bool(data=self.alive))

    def _see(self, message):
        state = controller_state(message)
        if not self.states or self.states[-1] != state:
            self.states.append(state)
            self.causes.append(controller_cause(message))

    def _count(self, message):
        for status in message.status:
            figures = values_of(status)
            if 'other_writers' in figures:
                self.other_writers = int(figures['other_writers'])

    def wait(self, state):
        wait_for(lambda: self.states and self.states[-1] == state, f'state {state}')
        return self.causes[-1]

    def ask(self, name, **fields):
        kind = SetBool if fields else Trigger
        client = self.node.create_client(kind, f'/flash_wam/safety/{name}')
        try:
            assert client.wait_for_service(timeout_sec=20.0)
            future = client.call_async(kind.Request(**fields))
            return wait_for(lambda: future.result() if future.done() else None, name)
        finally:
            self.node.destroy_client(client)

    def enable(self):
        """Enable once the controller has heard the heartbeat and seen the robot."""
        wait_for(lambda: self.ask('enable', data=True).success, 'arming')

    def close(self):
        self._running = False
        self._thread.join()
        self.node.destroy_node()


class ControllerProcess:
    """The node as ``flash-wam controller`` starts it."""

    def __init__(self, log, **parameters):
        command = [sys.executable, '-m', 'flash_wam_ros.nodes.controller_node', '--ros-args']
        for name, value in {**PATIENT, **parameters}.items():
            command += ['-p', f'{name}:={value}']
        self._log = log
        with open(log, 'w') as handle:
            self.process = subprocess.Popen(
                command,
                stdout=handle,
                stderr=handle,
                env={**os.environ, **environment()},
                start_new_session=True,
            )

    @property
    def log(self):
        return Path(self._log).read_text()

    def signal(self, number=signal.SIGTERM):
        self.process.send_signal(number)

    def end(self):
        """Return (exit code, seconds) of an ordinary end."""
        begin = time.monotonic()
        return self.process.wait(timeout=30), time.monotonic() - begin

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
