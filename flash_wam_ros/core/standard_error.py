"""Standard error that no thread waits for.

The logger of rclpy holds the interpreter's lock while it writes. Where a terminal or a disk
stalls, all threads of the process then stand still, one that ticks in real time too. Relayed, what
is written goes into a pipe that takes it at once, and a thread copies it on, waiting without the
lock.
"""

import contextlib
import fcntl
import os
import threading

_STDERR = 2
_PIPE_BYTES = 1 << 20
_READ_BYTES = 1 << 16
_PATIENCE_S = 1.0


class _Relay:
    """The pipe, the thread that empties it, and where it goes."""

    def __init__(self) -> None:
        self.real = os.dup(_STDERR)
        self._source, sink = os.pipe()
        # A user who has many pipes gets no larger ones.
        with contextlib.suppress(OSError):
            fcntl.fcntl(sink, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        # A pipe that is full loses what is written; it keeps nobody waiting.
        os.set_blocking(sink, False)
        os.dup2(sink, _STDERR)
        os.close(sink)
        self._thread = threading.Thread(target=self._copy, name='standard error', daemon=True)
        self._thread.start()

    def _copy(self) -> None:
        while words := os.read(self._source, _READ_BYTES):
            while words:
                try:
                    words = words[os.write(self.real, words) :]
                except OSError:  # nobody reads it any more
                    break

    def end(self) -> None:
        """Put the real one back; wait a moment for what is on its way."""
        os.dup2(self.real, _STDERR)
        self._thread.join(_PATIENCE_S)


_relay: _Relay | None = None


def relay() -> None:
    """Relay standard error from here on."""
    global _relay
    if _relay is None:
        _relay = _Relay()


def real() -> int:
    """Return the descriptor of the real standard error, for processes that outlive this one."""
    return _STDERR if _relay is None else _relay.real


def restore() -> None:
    """Relay no more, if it was relayed."""
    global _relay
    if _relay is not None:
        _relay.end()
        _relay = None
