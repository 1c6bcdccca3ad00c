"""The simulated G1: physics, cameras, tasks, and the robot's own computer."""
