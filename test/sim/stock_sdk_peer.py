"""A program of somebody else: the unmodified Unitree SDK against the robot on a domain.

Reads states, commands the arms to half of 0.25 rad by weight 0.5, opens the left gripper by
half, sends commands with a wrong CRC, and prints what it saw as a line of JSON.
"""

import json
import sys
import time

from unitree_sdk2py.core.channel import (
    ChannelFactoryInitialize,
    ChannelPublisher,
    ChannelSubscriber,
)
from unitree_sdk2py.idl.default import (
    unitree_go_msg_dds__MotorCmd_,
    unitree_hg_msg_dds__LowCmd_,
)
from unitree_sdk2py.idl.unitree_go.msg.dds_ import MotorCmds_, MotorStates_
from unitree_sdk2py.idl.unitree_hg.msg.dds_ import LowCmd_, LowState_
from unitree_sdk2py.utils.crc import CRC

WRONG_CRC_COMMANDS = 3
COMMANDS = 25


def arm_command(mode_machine):
    command = unitree_hg_msg_dds__LowCmd_()
    command.mode_machine = mode_machine
    for motor in command.motor_cmd[15:29]:
        motor.mode, motor.q, motor.kp, motor.kd = 1, 0.25, 60.0, 1.5
    command.motor_cmd[29].q = 1.0
    return command


def send(publisher, crc, state):
    command = arm_command(state.mode_machine)
    command.crc = crc.Crc(command) ^ 1
    for _ in range(WRONG_CRC_COMMANDS):
        publisher.Write(command)
        time.sleep(0.01)
    for motor in command.motor_cmd[15:29]:
        motor.q = 0.125
    command.crc = crc.Crc(command)
    for _ in range(COMMANDS):
        publisher.Write(command)
        time.sleep(0.01)


def main():
    ChannelFactoryInitialize(int(sys.argv[1]), 'lo')
    states = ChannelSubscriber('rt/lowstate', LowState_)
    grippers = ChannelSubscriber('rt/dex1/left/state', MotorStates_)
    arm = ChannelPublisher('rt/arm_sdk', LowCmd_)
    gripper = ChannelPublisher('rt/dex1/left/cmd', MotorCmds_)
    for channel in (states, grippers, arm, gripper):
        channel.Init()
    crc = CRC()
    seen = [states.Read(10.0) for _ in range(20)]
    gripper_state = grippers.Read(10.0)
    target = unitree_go_msg_dds__MotorCmd_()
    target.mode, target.q, target.kp, target.kd = 1, 2.7, 5.0, 0.05
    for _ in range(5):
        gripper.Write(MotorCmds_([target]))
        time.sleep(0.01)
    send(arm, crc, seen[-1])
    print(
        json.dumps(
            {
                'q': [motor.q for motor in seen[-1].motor_state[:29]],
                'crc_right': all(crc.Crc(state) == state.crc for state in seen),
                'mode_machine': seen[-1].mode_machine,
                'ticks': [state.tick for state in seen],
                'quaternion': list(seen[-1].imu_state.quaternion),
                'gripper_rad': gripper_state.states[0].q,
                'wrong_crc_sent': WRONG_CRC_COMMANDS,
            }
        )
    )


if __name__ == '__main__':
    main()
