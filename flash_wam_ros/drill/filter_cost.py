"""What one step of the trajectory filter costs, without the rest of a tick."""

import time
from dataclasses import dataclass

import numpy as np

from flash_wam_ros.robots.g1_layout import ARM_KD, ARM_KP, ARM_SDK, POLICY, STATE
from flash_wam_ros.safety import ControllerConfig, Plant
from flash_wam_ros.safety.cartesian import SpeedGuard
from flash_wam_ros.safety.filter import TrajectoryFilter
from flash_wam_ros.safety.points import ArmPoints
from flash_wam_ros.sim.description import build_urdf

TARGETS = ('moving', 'jumping')
"""What the filter follows: slow sines, or a pose anywhere in the range twice a second."""
_PERIOD_S = 0.004
_WARM_STEPS = 250
_JUMP_STEPS = 125


@dataclass(frozen=True, kw_only=True, slots=True)
class StepCost:
    """Processor time of a step, as the median over runs of what each run had.

    Attributes:
        targets: one of ``TARGETS``.
        joints: how many the filter moves.
        runs: how many there were.
        steps: of each run.
        p50_ms: half of the steps cost no more [ms].
        p99_ms: 99 of 100 cost no more [ms].
        max_ms: no step cost more [ms].
    """

    targets: str
    joints: int
    runs: int
    steps: int
    p50_ms: float
    p99_ms: float
    max_ms: float


def step_cost(targets: str, steps: int, runs: int) -> StepCost:
    """Step the filter of the G1, with its guard of hand speed, and time each step."""
    assert targets in TARGETS, targets
    config = ControllerConfig()
    plant = Plant(state=STATE, command=ARM_SDK, policy=POLICY, kp=ARM_KP, kd=ARM_KD)
    limits = plant.limits(config)
    guard = SpeedGuard(ArmPoints(build_urdf(), POLICY), limits, config.hand_limit_m_s(False))
    motion = TrajectoryFilter(limits, guard)
    figures = []
    for run in range(runs):
        motion.reset(0.5 * (limits.lower + limits.upper))
        path = _path(targets, limits.lower, limits.upper, steps + _WARM_STEPS, run)
        spent_ns = [_timed_ns(motion, target) for target in path][_WARM_STEPS:]
        figures.append([*np.percentile(spent_ns, [50, 99]), max(spent_ns)])
    p50_ns, p99_ns, max_ns = np.median(figures, axis=0).tolist()
    return StepCost(
        targets=targets,
        joints=len(limits),
        runs=runs,
        steps=steps,
        p50_ms=p50_ns * 1e-6,
        p99_ms=p99_ns * 1e-6,
        max_ms=max_ns * 1e-6,
    )


def _timed_ns(motion: TrajectoryFilter, target: np.ndarray) -> int:
    """Return the processor time of one step [ns]: what this thread used, not what it waited."""
    start_ns = time.thread_time_ns()
    motion.step(target, _PERIOD_S)
    return time.thread_time_ns() - start_ns


def _path(targets: str, lower: np.ndarray, upper: np.ndarray, steps: int, seed: int) -> np.ndarray:
    """Return (steps, J) targets."""
    rng = np.random.default_rng(seed)
    middle, half = 0.5 * (lower + upper), 0.5 * (upper - lower)
    if targets == 'moving':
        time_s = _PERIOD_S * np.arange(steps)[:, None]
        phase, rate = rng.uniform(0.0, 2 * np.pi, len(lower)), rng.uniform(0.5, 1.5, len(lower))
        return np.asarray(middle + 0.3 * half * np.sin(rate * time_s + phase))
    poses = rng.uniform(lower, upper, (-(-steps // _JUMP_STEPS), len(lower)))
    return np.repeat(poses, _JUMP_STEPS, axis=0)[:steps]
