"""Start the simulated G1 with controller, cameras and policy.

ros2 launch flash_wam_ros sim.launch.py task:=red_bottle
"""

from flash_wam_ros.bringup.launching import describe


def generate_launch_description():
    """Return the processes of the simulated robot."""
    return describe(robot='sim')
