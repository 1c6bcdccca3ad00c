"""The limits that the independent checker holds the controller to, written out once more."""

import numpy as np
from motion import violations

from flash_wam_ros.robots.g1_layout import POLICY

ARMS = np.arange(16) < 14
LOWER = np.array(POLICY.lower) + 0.05 * ARMS
UPPER = np.array(POLICY.upper) - 0.05 * ARMS
VELOCITY = np.where(ARMS, 2.0, 0.15)
ACCELERATION = np.where(ARMS, 8.0, 1.5)
JERK = np.where(ARMS, 200.0, 30.0)


def broken(times, positions):
    """Return the limits that (N, 16) ``positions`` at (N,) ``times`` break."""
    return violations(times, positions, LOWER, UPPER, VELOCITY, ACCELERATION, JERK)
