"""Wait for a condition across threads and processes."""

import time

PATIENCE_S = 20.0


def wait_for(condition, what, patience_s=PATIENCE_S):
    """Return the first true value of ``condition()``; fail after ``patience_s``."""
    deadline_s = time.monotonic() + patience_s
    while time.monotonic() < deadline_s:
        value = condition()
        if value:
            return value
        time.sleep(0.005)
    raise AssertionError(f'{what} did not happen within {patience_s} s')
