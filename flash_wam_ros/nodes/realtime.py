"""What a Python process can do to keep a control loop on time."""

import gc
import os
import sys

_SWITCH_INTERVAL_S = 0.0005
_FIFO_PRIORITY = 40


def calm_interpreter() -> None:
    """Let threads hand over quickly and keep the garbage collector away from what exists now.

    The default switch interval of 5 ms is longer than a control period.
    """
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    gc.collect()
    gc.freeze()


def ask_for_fifo() -> str:
    """Ask for real-time scheduling of the calling thread; return in words what came of it."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(_FIFO_PRIORITY))
    except OSError as error:
        return (
            f'no real-time scheduling ({error.strerror}); allow it with: '
            'echo "@$(id -gn) - rtprio 50" | sudo tee /etc/security/limits.d/rtprio.conf'
        )
    return f'SCHED_FIFO, priority {_FIFO_PRIORITY}'
