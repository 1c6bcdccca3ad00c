"""The simulated G1: physics, cameras, tasks, and the robot's own computer."""

import os

# MuJoCo reads this once, when it is first imported; EGL needs no display.
os.environ.setdefault('MUJOCO_GL', 'egl')
