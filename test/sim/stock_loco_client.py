"""A program of somebody else: the unmodified SDK asks a motion service for its FSM.

Argument: SDK domain. Prints code and data of GetFsmId, and the code of an order to damp.
"""

import json
import sys
import time

from unitree_sdk2py.core.channel import ChannelFactoryInitialize
from unitree_sdk2py.g1.loco.g1_loco_api import ROBOT_API_ID_LOCO_GET_FSM_ID
from unitree_sdk2py.g1.loco.g1_loco_client import LocoClient

PATIENCE_S = 20.0


def main():
    ChannelFactoryInitialize(int(sys.argv[1]), 'lo')
    client = LocoClient()
    client.Init()
    deadline_s = time.monotonic() + PATIENCE_S
    code, data = -1, None
    while code != 0 and time.monotonic() < deadline_s:
        # The SDK's own getter is missing in its Python client; the call is the same.
        code, data = client._Call(ROBOT_API_ID_LOCO_GET_FSM_ID, '')
    print(json.dumps({'code': code, 'data': data, 'damp': client.SetFsmId(1)}))


if __name__ == '__main__':
    main()
