"""Laws of standard error that no thread waits for."""

import subprocess
import sys

_LINES = 2000

# The process logs more than a pipe holds before anybody reads what it says.
_CHATTY = f"""
import sys, threading
import rclpy.logging
from flash_wam_ros.core import standard_error
standard_error.relay()
log = rclpy.logging.get_logger('chatty')
for number in range({_LINES}):
    log.info('line ' + str(number) + ' ' + 'x' * 50)
print('said all', flush=True)
sys.stdin.read()
standard_error.restore()
print('on the real one again', file=sys.stderr)
"""


def test_logging_goes_on_while_nobody_takes_what_was_logged() -> None:
    """Without the relay the logger waits for ever, with the interpreter's lock."""
    pipe = subprocess.PIPE
    child = subprocess.Popen(
        [sys.executable, '-c', _CHATTY], stdin=pipe, stdout=pipe, stderr=pipe, text=True
    )
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == 'said all\n'
        _, said = child.communicate('', timeout=60)
    finally:
        child.kill()
    numbers = [line.split('line ')[1].split()[0] for line in said.splitlines()[:-1]]
    assert numbers == [str(number) for number in range(_LINES)]
    assert said.endswith('on the real one again\n')


def test_a_child_is_given_the_real_one() -> None:
    words = (
        'import subprocess, sys\n'
        'from flash_wam_ros.core import standard_error\n'
        'before = standard_error.real()\n'
        'standard_error.relay()\n'
        'standard_error.relay()\n'
        'child = [sys.executable, "-c", "import os; os.write(2, b\'child\')"]\n'
        'subprocess.run(child, stderr=standard_error.real(), check=True)\n'
        'standard_error.restore()\n'
        'standard_error.restore()\n'
        'assert before == standard_error.real() == 2\n'
    )
    done = subprocess.run([sys.executable, '-c', words], capture_output=True, check=True)
    assert done.stderr == b'child'
