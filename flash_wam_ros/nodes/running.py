"""The life of a node's process: start, spin, end on a signal, tell bad input in one line.

Exit codes: 0 on SIGINT, SIGTERM and SIGHUP, 2 for bad input, what the node says when it ends by
itself. SIGHUP means that the launcher died: the controller ends at once, while the others go on
for ``LINGER_S``, so that it lets go of a robot that still answers.
"""

import signal
import sys
import time
from collections.abc import Sequence
from types import FrameType

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from flash_wam_ros.bringup.interface import NAMESPACE
from flash_wam_ros.core import UserError
from flash_wam_ros.nodes.params import listing, read

LINGER_S = 4.0
_SPIN_S = 0.1
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class BaseNode(Node):
    """A node of the stack: its parameters read and checked, its end in order.

    Attributes:
        exit_code: None while it runs; a number makes ``run`` end the process with it.
    """

    CONFIGS: tuple[type, ...] = ()
    LINGERS = True

    def __init__(self, name: str) -> None:
        super().__init__(  # type: ignore[no-untyped-call]
            name,
            namespace=NAMESPACE,
            automatically_declare_parameters_from_overrides=True,
            start_parameter_services=True,
        )
        self.exit_code: int | None = None
        self.configs = read(self, *self.CONFIGS)

    def close(self) -> None:
        """Let go of what the node holds; called once, also after a failed start."""


class StopRequest:
    """Remembers the first signal that asked this process to end."""

    def __init__(self, lingers: bool) -> None:
        self._lingers = lingers
        self._due_s: float | None = None
        for number in _SIGNALS:
            signal.signal(number, self._ask)

    def _ask(self, number: int, _frame: FrameType | None) -> None:
        wait_s = LINGER_S if number == signal.SIGHUP and self._lingers else 0.0
        due_s = time.monotonic() + wait_s
        self._due_s = due_s if self._due_s is None else min(self._due_s, due_s)

    @property
    def due(self) -> bool:
        """Whether the process should end now."""
        return self._due_s is not None and time.monotonic() >= self._due_s


def _complain(name: str, error: Exception) -> int:
    line = ' '.join(str(error).split())
    print(f'{name}: {line}', file=sys.stderr, flush=True)
    return 2


def _live(make: type[BaseNode], stop: StopRequest) -> int:
    node: BaseNode | None = None
    executor = SingleThreadedExecutor()
    try:
        node = make()  # type: ignore[call-arg]
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


def run(make: type[BaseNode], argv: Sequence[str] | None = None) -> int:
    """Run a node until a signal or its own end; return the exit code."""
    words = list(sys.argv if argv is None else argv)
    if '--parameters' in words:
        print(listing(*make.CONFIGS))
        return 0
    stop = StopRequest(make.LINGERS)
    try:
        rclpy.init(args=words, signal_handler_options=SignalHandlerOptions.NO)
    except Exception as error:  # rclpy has no common base for malformed --ros-args
        return _complain(make.__name__, error)
    try:
        return _live(make, stop)
    except UserError as error:
        return _complain(make.__name__, error)
    finally:
        rclpy.try_shutdown()
