"""A robot without physics as a process of its own, whose lowstates can be spoilt.

Reads the name of a fault a line on standard input and answers with one JSON line: the fault and
the monotonic time of the last good lowstate. Ends when the input ends.
"""

import argparse
import json
import sys
import threading
import time

from flash_wam_ros.core.realtime import ask_for_fifo, calm_interpreter
from flash_wam_ros.drill.spoil import Spoiler
from flash_wam_ros.evaluate.sdk_link import STATE_PERIOD_S, MirrorWorld
from flash_wam_ros.sim.bridge import SdkBridge
from flash_wam_ros.sim.onboard import OnboardController
from flash_wam_ros.sim.posture import ready_posture
from flash_wam_ros.sim.realtime import RealTimeLoop

_PRIORITY = 42


def _tell(**words: object) -> None:
    """Write one line, whole: two threads write."""
    sys.stdout.write(json.dumps(words) + '\n')
    sys.stdout.flush()


def main() -> None:
    """Run the robot until standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--domain', type=int, required=True)
    parser.add_argument('--interface', default='lo')
    parser.add_argument('--period', type=float, default=STATE_PERIOD_S)
    args = parser.parse_args()
    # A robot is a computer of its own: it is on time also where this one is busy.
    calm_interpreter()
    ask_for_fifo(_PRIORITY)
    spoiler = Spoiler(lambda: _tell(spoilt_ns=time.monotonic_ns()))
    onboard, ended = OnboardController(), threading.Event()
    bridge = SdkBridge(onboard, domain=args.domain, interface=args.interface, spoil=spoiler)
    world = MirrorWorld(ready_posture())
    loop = RealTimeLoop(world, onboard, bridge, timestep_s=args.period)
    thread = threading.Thread(target=loop.run, args=(ended,))
    thread.start()
    _tell(ready=True)
    for line in sys.stdin:
        spoiler.begin(line.strip())
        _tell(fault=spoiler.fault, at_ns=time.monotonic_ns())
    ended.set()
    thread.join()
    bridge.close()


if __name__ == '__main__':
    main()
