"""Runs an expert in lock step with a stand-in for the controller: the tests' own, ideal one."""

from dataclasses import dataclass

import numpy as np

from flash_wam_ros.robots.g1_layout import ARM_KD, ARM_KP, BODY, POLICY
from flash_wam_ros.sim.experts import Expert
from flash_wam_ros.sim.experts.expert import POINT_S
from flash_wam_ros.sim.motors import MotorTargets
from flash_wam_ros.sim.world import Outcome, World

CONTROL_S, REPLAN_S = 0.004, 0.4
LEG_KP, LEG_KD = 100.0, 2.0
_SPEED = np.array([2.0] * 14 + [0.15] * 2)
_ARMS = BODY.indices(POLICY.names[:14])


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """What came of an episode."""

    outcome: Outcome
    time_s: float
    trail: np.ndarray
    fastest_rad_s: float
    steepest_rad_s2: float


def motor_targets(q: np.ndarray, gripper_q: np.ndarray) -> MotorTargets:
    """Return targets that hold all joints at (29,) ``q`` with the arm_sdk gains."""
    kp, kd = np.full(29, LEG_KP), np.full(29, LEG_KD)
    kp[12:], kd[12:] = ARM_KP, ARM_KD
    zeros = np.zeros(29)
    return MotorTargets(q=q, dq=zeros, tau=zeros, kp=kp, kd=kd, gripper_q=gripper_q)


def run_expert(
    world: World, expert: Expert, seed: int, latency_s: float = 0.15, limit_s: float | None = None
) -> Run:
    """Run one episode until success, until it is lost, or until time is up."""
    world.reset(seed)
    expert.reset(seed)
    state = world.state()
    hold = state.q.copy()
    sent = np.concatenate([state.q[_ARMS], state.gripper_q])
    plan: tuple[float, np.ndarray, np.ndarray] | None = None
    coming: tuple[float, np.ndarray, np.ndarray] | None = None
    trail = []
    substeps = round(CONTROL_S / world.config.timestep_s)
    ticks = round((limit_s or world.task.time_limit_s) / CONTROL_S)
    time_s = 0.0
    for tick in range(ticks):
        time_s = tick * CONTROL_S
        if tick % round(REPLAN_S / CONTROL_S) == 0:
            state = world.state()
            measured = np.concatenate([state.q[_ARMS], state.gripper_q])
            coming = (time_s, *expert.plan(measured, sent, world.objects()))
        if coming is not None and time_s >= coming[0] + latency_s:
            plan, coming = coming, None
        if plan is not None:
            sent = _follow(plan, time_s, sent)
        hold[_ARMS] = sent[:14]
        for _ in range(substeps):
            world.step(motor_targets(hold, sent[14:]))
        trail.append(sent)
        outcome = world.outcome()
        if outcome.success or outcome.over:
            break
    coarse = np.array(trail)[:: round(POINT_S / CONTROL_S), :14]
    speeds = np.diff(coarse, axis=0) / (round(POINT_S / CONTROL_S) * CONTROL_S)
    return Run(
        outcome=world.outcome(),
        time_s=time_s,
        trail=np.array(trail),
        fastest_rad_s=float(np.abs(speeds).max()),
        steepest_rad_s2=float(np.abs(np.diff(speeds, axis=0)).max() / POINT_S),
    )


def _follow(
    plan: tuple[float, np.ndarray, np.ndarray], time_s: float, sent: np.ndarray
) -> np.ndarray:
    """Return the plan's command at ``time_s``, at most the speed limit away from the last."""
    stamp_s, times_s, q = plan
    wanted = np.array([np.interp(time_s - stamp_s, times_s, joint) for joint in q.T])
    step = _SPEED * CONTROL_S
    return sent + np.clip(wanted - sent, -step, step)
