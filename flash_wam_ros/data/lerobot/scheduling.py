"""Keeps a library from changing how the kernel schedules this process.

SVT-AV1, run as root, puts the caller and all of its own threads on real-time scheduling with the
highest priority. Children inherit it, and two of them are enough to stall a small machine.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_TASKS = Path('/proc/self/task')


def _threads() -> list[int]:
    """Return the ids of this process's threads; none where the kernel does not tell."""
    return [int(entry.name) for entry in _TASKS.iterdir()] if _TASKS.is_dir() else []


@contextmanager
def kept_scheduling() -> Iterator[None]:
    """Give every thread its scheduling back, and new ones that of the caller."""
    if not hasattr(os, 'sched_getscheduler'):
        yield
        return
    own = os.sched_getscheduler(0), os.sched_getparam(0)
    before = {tid: (os.sched_getscheduler(tid), os.sched_getparam(tid)) for tid in _threads()}
    try:
        yield
    finally:
        for tid in _threads():
            policy, parameter = before.get(tid, own)
            # A thread may end meanwhile.
            with suppress(ProcessLookupError):
                if os.sched_getscheduler(tid) != policy:
                    os.sched_setscheduler(tid, policy, parameter)
