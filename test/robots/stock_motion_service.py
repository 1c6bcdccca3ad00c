"""A program of somebody else: a motion service made with the unmodified Unitree SDK.

Arguments: SDK domain, then the FSM that it tells at each call in turn, the last one for ever.
"""

import json
import sys
import time

from unitree_sdk2py.core.channel import ChannelFactoryInitialize
from unitree_sdk2py.g1.loco.g1_loco_api import LOCO_SERVICE_NAME, ROBOT_API_ID_LOCO_GET_FSM_ID
from unitree_sdk2py.rpc.server import Server


def main():
    ChannelFactoryInitialize(int(sys.argv[1]), 'lo')
    states = [int(word) for word in sys.argv[2:]]

    def tell(_parameter):
        return 0, json.dumps({'data': states.pop(0) if len(states) > 1 else states[0]})

    server = Server(LOCO_SERVICE_NAME)
    server._RegistHandler(ROBOT_API_ID_LOCO_GET_FSM_ID, tell, False)
    server.Start()
    time.sleep(60.0)


if __name__ == '__main__':
    main()
