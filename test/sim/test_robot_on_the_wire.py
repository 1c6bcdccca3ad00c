"""The whole simulated robot, physics and all, at the other end of a G1 port."""

import dataclasses
import threading

import numpy as np
import pytest
from waiting import wait_for

from flash_wam_ros.core import RobotCommand
from flash_wam_ros.robots.g1_layout import ARM_KD, ARM_KP, ARM_SDK, FIRST_ARM_SDK
from flash_wam_ros.robots.sdk.g1_port import G1Port
from flash_wam_ros.sim.bridge import SdkBridge
from flash_wam_ros.sim.onboard import OnboardController
from flash_wam_ros.sim.realtime import RealTimeLoop
from flash_wam_ros.sim.world import World, WorldConfig

ELBOW = ARM_SDK.index('left_elbow_joint')


@pytest.fixture
def robot(sdk_domain):
    config = WorldConfig(task='red_bottle')
    world, onboard = World(config), OnboardController()
    bridge = SdkBridge(onboard, domain=sdk_domain, interface='lo')
    loop = RealTimeLoop(world, onboard, bridge, timestep_s=config.timestep_s)
    stop = threading.Event()
    thread = threading.Thread(target=loop.run, args=(stop,))
    thread.start()
    with G1Port(sdk_domain, 'lo') as port:
        wait_for(port.read, 'the first state')
        yield port, loop
    stop.set()
    thread.join()
    bridge.close()


def test_the_elbow_bends_and_the_gripper_closes_as_commanded_and_a_reset_puts_them_back(robot):
    port, loop = robot
    start = port.read()
    q = start.q[FIRST_ARM_SDK:].copy()
    q[ELBOW] += 0.4
    still = np.zeros(len(ARM_SDK))
    command = RobotCommand(
        weight=1.0, q=q, dq=still, tau=still, kp=ARM_KP, kd=ARM_KD, gripper_q=np.full(2, 0.02)
    )

    def arrived():
        port.write(command)
        state = port.read()
        bend = state.q[FIRST_ARM_SDK + ELBOW] - start.q[FIRST_ARM_SDK + ELBOW]
        return bend > 0.25 and np.allclose(state.gripper_q, 0.02, atol=0.002)

    wait_for(arrived, 'the bent elbow')
    port.write(dataclasses.replace(command, weight=0.0))
    loop.request_reset(0).result(timeout=20)
    wait_for(
        lambda: abs(port.read().q[FIRST_ARM_SDK + ELBOW] - start.q[FIRST_ARM_SDK + ELBOW]) < 0.2,
        'the start pose',
    )
