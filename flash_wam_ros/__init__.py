"""Real-time world-action models for the Unitree G1 humanoid, on ROS 2."""

__version__ = '0.1.0'
