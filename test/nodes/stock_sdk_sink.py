"""A program of somebody else: the unmodified Unitree SDK records what is sent on rt/arm_sdk.

Prints one JSON line a command: receive time [s], weight, the 17 positions, whether the CRC fits.
"""

import json
import sys
import time

from unitree_sdk2py.core.channel import ChannelFactoryInitialize, ChannelSubscriber
from unitree_sdk2py.idl.unitree_hg.msg.dds_ import LowCmd_
from unitree_sdk2py.utils.crc import CRC


def main():
    ChannelFactoryInitialize(int(sys.argv[1]), 'lo')
    crc = CRC()
    channel = ChannelSubscriber('rt/arm_sdk', LowCmd_)
    channel.Init()
    print('ready', flush=True)
    while True:
        command = channel.Read(10.0)
        if command is None:
            continue
        row = {
            't': time.monotonic(),
            'weight': command.motor_cmd[29].q,
            'q': [motor.q for motor in command.motor_cmd[12:29]],
            'crc': crc.Crc(command) == command.crc,
        }
        print(json.dumps(row), flush=True)


if __name__ == '__main__':
    main()
