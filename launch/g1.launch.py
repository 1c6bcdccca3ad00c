"""Start controller, cameras and policy for a G1, real or simulated.

ros2 launch flash_wam_ros g1.launch.py robot:=g1 network_interface:=eth0
"""

from flash_wam_ros.bringup.launching import describe


def generate_launch_description():
    """Return the processes of the robot that ``robot:=`` names."""
    return describe()
