"""The thread that ticks the controller: the only place that reads and commands the robot."""

import queue
import threading
import traceback
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from flash_wam_ros.core import ActionChunk, RobotState
from flash_wam_ros.nodes.realtime import ask_for_fifo, calm_interpreter
from flash_wam_ros.robots.port import PortError, RobotPort
from flash_wam_ros.robots.release import release
from flash_wam_ros.safety import Controller, ControllerState, Reply, TickResult
from flash_wam_ros.safety.schedule import Schedule

# Looking for other writers asks the middleware; ten times a second is soon enough.
_WRITERS_EVERY_S = 0.1
_WRITE_FAILURES = 25
_REPLY_S = 1.0


@dataclass(frozen=True, slots=True)
class Moment:
    """What one tick left behind, for the threads that publish.

    Attributes:
        ros_ns: ROS time of the tick [ns].
        state: the robot's state that it saw.
        result: what it decided.
        weight: the weight that it sent, 0 if nothing.
    """

    ros_ns: int
    state: RobotState | None
    result: TickResult
    weight: float


class ControlLoop:
    """Ticks a controller on an absolute schedule, in a thread of its own.

    Attributes:
        newest: the last tick, None before the first.
        scheduling: how the operating system schedules the thread, in words.
        error: what ended the thread, None while it runs and after an ordinary end.
    """

    def __init__(
        self, controller: Controller, port: RobotPort, ros_clock_ns: Callable[[], int]
    ) -> None:
        self._controller = controller
        self._port = port
        self._ros_clock_ns = ros_clock_ns
        self._requests: queue.SimpleQueue[tuple[Callable[[], Any], Future[Any]]]
        self._requests = queue.SimpleQueue()
        self._chunks: deque[ActionChunk] = deque(maxlen=1)
        self._beats: deque[tuple[bool, int]] = deque(maxlen=8)
        self._refusals: deque[str] = deque(maxlen=8)
        self._schedule = Schedule(controller.config.period_s)
        self._stop = threading.Event()
        self._write_failures = 0
        self._other_writers = 0
        self._ticks = 0
        self._writers_every = max(1, round(_WRITERS_EVERY_S * controller.config.rate_hz))
        self.newest: Moment | None = None
        self.scheduling = ''
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name='control', daemon=True)

    # From other threads -----------------------------------------------------------------------

    def start(self) -> None:
        """Begin to tick."""
        calm_interpreter()
        self._thread.start()

    def offer_chunk(self, chunk: ActionChunk) -> None:
        """Hand over a chunk; only the newest between two ticks counts."""
        self._chunks.append(chunk)

    def beat(self, alive: bool, now_mono_ns: int) -> None:
        """Hand over an operator heartbeat received at ``now_mono_ns``."""
        self._beats.append((alive, now_mono_ns))

    def ask(self, request: Callable[[], Reply]) -> Reply:
        """Run ``request`` between two ticks; return its answer."""
        if not self._thread.is_alive():
            return Reply(accepted=False, reason='the control loop has ended; restart it')
        future: Future[Reply] = Future()
        self._requests.put((request, future))
        try:
            return future.result(timeout=_REPLY_S)
        except TimeoutError:
            return Reply(accepted=False, reason='the control loop did not answer')

    def take_refusals(self) -> list[str]:
        """Return why chunks were refused since the last call, at most the newest eight."""
        found = []
        while self._refusals:
            found.append(self._refusals.popleft())
        return found

    @property
    def schedule(self) -> Schedule:
        """Return the schedule with its statistics."""
        return self._schedule

    @property
    def other_writers(self) -> int:
        """Return how many other writers were matched on the command topic at the last look."""
        return self._other_writers

    @property
    def alive(self) -> bool:
        """Return whether the thread ticks."""
        return self._thread.is_alive()

    def end(self, cause: str, patience_s: float) -> None:
        """Let go of the arms, then stop ticking; ramps from here if the thread is gone."""
        if self._thread.is_alive():
            self.ask(lambda: self._controller.release(cause))
            self._stop.set()
            self._thread.join(timeout=patience_s)
        newest = self.newest
        if self.error is not None and newest is not None and newest.result.command is not None:
            release(
                self._port,
                newest.result.command,
                duration_s=self._controller.config.release_ramp_s,
            )

    # In the thread ----------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self.scheduling = ask_for_fifo()
            while not (self._stop.is_set() and self._controller.finished):
                self._schedule.wait()
                self._tick()
        except BaseException as error:
            traceback.print_exc()
            self.error = error

    def _tick(self) -> None:
        state = self._read()
        self._take_inputs()
        if self._ticks % self._writers_every == 0:
            self._other_writers = self._port.other_writers()
        self._ticks += 1
        ros_ns = self._ros_clock_ns()
        result = self._controller.tick(
            self._now_ns(), ros_ns, state, other_writers=self._other_writers
        )
        self._write(result)
        weight = 0.0 if result.command is None else result.command.weight
        self.newest = Moment(ros_ns, state, result, weight)

    def _now_ns(self) -> int:
        return self._schedule.now_ns()

    def _read(self) -> RobotState | None:
        """Return the newest state; where the port cannot read, the old one ages on."""
        try:
            return self._port.read()
        except PortError:
            return self.newest.state if self.newest is not None else None

    def _take_inputs(self) -> None:
        while self._beats:
            self._controller.heartbeat(*self._beats.popleft())
        if self._chunks:
            reply = self._controller.submit_chunk(self._chunks.popleft())
            if not reply.accepted:
                self._refusals.append(reply.reason)
        while not self._requests.empty():
            request, future = self._requests.get()
            try:
                future.set_result(request())
            except Exception as error:
                future.set_exception(error)

    def _write(self, result: TickResult) -> None:
        if result.command is None:
            return
        try:
            self._port.write(result.command)
            self._write_failures = 0
        except (PortError, ValueError) as error:
            self._write_failures += 1
            if result.state is not ControllerState.FAULT and (
                isinstance(error, ValueError) or self._write_failures >= _WRITE_FAILURES
            ):
                self._controller.fail(f'commands cannot be sent: {error}')
