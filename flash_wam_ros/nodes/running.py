"""The life of a node's process: start, spin, end on a signal, tell bad input in one line.

Exit codes: 0 on SIGINT, SIGTERM and SIGHUP, 2 for bad input, what the node says when it ends by
itself. SIGHUP means that the launcher died, and ``ros2 launch`` sends SIGINT to all processes at
once: a node that lingers (the simulated robot) goes on for ``LINGER_S`` then, so that the
controller lets go of a robot that still answers. SIGTERM and a second signal end it at once.
"""

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from types import FrameType
from typing import NoReturn

import rclpy
import rclpy.utilities
from rclpy.executors import Executor, ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from flash_wam_ros.bringup.interface import NAMESPACE
from flash_wam_ros.core import UserError, standard_error
from flash_wam_ros.nodes.params import listing, read

LINGER_S = 2.8
_SPIN_S = 0.1
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class BaseNode(Node):
    """A node of the stack: its parameters read and checked, its end in order.

    Attributes:
        exit_code: None while it runs; a number makes ``run`` end the process with it.
        ending: returns whether the process is asked to end; what takes long looks at it.
    """

    CONFIGS: tuple[type, ...] = ()
    LINGERS = False
    ROS_ARGS: tuple[str, ...] = ()

    def __init__(self, name: str) -> None:
        super().__init__(  # type: ignore[no-untyped-call]
            name,
            namespace=NAMESPACE,
            automatically_declare_parameters_from_overrides=True,
            start_parameter_services=True,
        )
        self.exit_code: int | None = None
        self.ending: Callable[[], bool] = lambda: False
        self.configs = read(self, *self.CONFIGS)

    def close(self) -> None:
        """Let go of what the node holds; called once, before the node is destroyed."""


class Bell:
    """Tells any thread, at once, that a signal asked this process to end.

    Python runs signal handlers in the main thread only, when it gets to them; the interpreter
    itself writes each signal's number to a pipe before, which this reads.
    """

    def __init__(self) -> None:
        self._hear, self._ring = os.pipe()
        os.set_blocking(self._hear, False)
        os.set_blocking(self._ring, False)
        signal.set_wakeup_fd(self._ring, warn_on_full_buffer=False)

    def rang(self) -> bool:
        """Return whether such a signal came since the last call; never blocks."""
        try:
            numbers = os.read(self._hear, 64)
        except BlockingIOError:
            return False
        return any(number in numbers for number in _SIGNALS)


class StopRequest:
    """Remembers the first signal that asked this process to end."""

    def __init__(self, lingers: bool) -> None:
        self._lingers = lingers
        self._due_s: float | None = None
        for number in _SIGNALS:
            signal.signal(number, self._ask)

    def _ask(self, number: int, _frame: FrameType | None) -> None:
        patient = self._lingers and number != signal.SIGTERM and self._due_s is None
        self._due_s = time.monotonic() + (LINGER_S if patient else 0.0)

    @property
    def due(self) -> bool:
        """Whether the process should end now."""
        return self._due_s is not None and time.monotonic() >= self._due_s


def _complain(name: str, error: Exception) -> int:
    line = ' '.join(str(error).split())
    print(f'{name}: {line}', file=sys.stderr, flush=True)
    return 2


def _executor() -> Executor:
    """Return the executor that costs least: the usual one rebuilds its wait set at every wake.

    The events executor, which Humble does not have, halves the time of a node that listens.
    """
    try:
        from rclpy.experimental.events_executor import EventsExecutor
    except ImportError:
        return SingleThreadedExecutor()
    return EventsExecutor()


def _live(make: type[BaseNode], stop: StopRequest) -> int:
    node: BaseNode | None = None
    executor = _executor()
    try:
        node = make()  # type: ignore[call-arg]
        node.ending = lambda: stop.due
        executor.add_node(node)
        while not stop.due and node.exit_code is None:
            executor.spin_once(timeout_sec=_SPIN_S)
        return node.exit_code or 0
    except ExternalShutdownException:
        return 0
    finally:
        executor.shutdown(timeout_sec=0)
        if node is not None:
            node.close()
            node.destroy_node()


def _run(make: type[BaseNode], words: list[str]) -> int:
    stop = StopRequest(make.LINGERS)
    try:
        rclpy.init(
            args=[*words, '--ros-args', *make.ROS_ARGS],
            signal_handler_options=SignalHandlerOptions.NO,
        )
    except Exception as error:  # rclpy has no common base for malformed --ros-args
        return _complain(make.__name__, error)
    try:
        return _live(make, stop)
    except UserError as error:
        return _complain(make.__name__, error)
    finally:
        rclpy.utilities.try_shutdown()


def run(make: type[BaseNode], argv: Sequence[str] | None = None) -> NoReturn:
    """Run a node until a signal or its own end, then end the process.

    Everything that matters is closed by then. The interpreter's own teardown is left out: on a
    loaded machine it takes seconds with GL, DDS and torch loaded, and signals that come
    meanwhile would spoil the exit code.
    """
    words = list(sys.argv if argv is None else argv)
    code = 1
    try:
        if '--parameters' in words:
            print(listing(*make.CONFIGS))
            code = 0
        else:
            code = _run(make, words)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        standard_error.restore()
        os._exit(code)
