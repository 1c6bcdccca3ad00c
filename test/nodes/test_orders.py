"""Laws of the lines that drill processes write."""

import json
import subprocess
import sys

_WRITERS = """
import sys, threading
from {module} import {tell} as tell
sys.setswitchinterval(1e-6)
def write(who):
    for number in range(3000):
        tell(who=who, number=number)
threads = [threading.Thread(target=write, args=(who,)) for who in range(3)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


def _lines(module: str, tell: str) -> list[str]:
    words = [sys.executable, '-c', _WRITERS.format(module=module, tell=tell)]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout.splitlines()


def test_lines_of_several_threads_stay_whole() -> None:
    for module, tell in (
        ('flash_wam_ros.nodes.orders', 'tell'),
        ('flash_wam_ros.drill.robot', '_tell'),
    ):
        told = [json.loads(line) for line in _lines(module, tell)]
        for who in range(3):
            assert [line['number'] for line in told if line['who'] == who] == list(range(3000))
