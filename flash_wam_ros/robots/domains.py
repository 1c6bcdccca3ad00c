"""Keep ROS and motor commands apart: which DDS domains and interfaces may be used together.

CycloneDDS (the SDK) and any ROS 2 middleware in the same DDS domain see each other; every ROS
node could then publish motor commands. Convention of Unitree's own tools: SDK domain 0 is the
robot, 1 the simulator.
"""

import os
import socket
from collections.abc import Mapping

from flash_wam_ros.core import UserError, did_you_mean

ROBOT_DOMAIN = 0
SIM_DOMAIN = 1
DEFAULT_ROS_DOMAIN = 0  # what ROS 2 uses where ROS_DOMAIN_ID is not set
SUGGESTED_ROS_DOMAIN = 42
MAX_DOMAIN = 232  # above it the ports that DDS derives from the domain overflow
LOOPBACK = 'lo'


def check_dds(
    *,
    sdk_domain: int,
    interface: str,
    simulated: bool,
    allow_equal_domains: bool = False,
    environ: Mapping[str, str] | None = None,
) -> None:
    """Raise UserError, with the line that mends it, unless SDK and ROS are safely apart.

    Args:
        sdk_domain: DDS domain of the SDK's topics.
        interface: network interface of the SDK's topics.
        simulated: the robot on that domain is a simulated one.
        allow_equal_domains: accept equal domains where ROS is kept to the loopback and the SDK
            is on another interface.
        environ: environment variables; the process's own if None.
    """
    env = os.environ if environ is None else environ
    _check_domain('the SDK domain', sdk_domain)
    _check_interface(interface)
    _check_middleware(env)
    if simulated and sdk_domain == ROBOT_DOMAIN and interface != LOOPBACK:
        raise UserError(
            f'a simulated robot on domain {ROBOT_DOMAIN} and interface {interface} would answer '
            f"in a real robot's name; use domain {SIM_DOMAIN} or interface {LOOPBACK}"
        )
    if ros_domain(env) != sdk_domain:
        return
    if not allow_equal_domains:
        raise UserError(
            f'ROS_DOMAIN_ID equals the SDK domain {sdk_domain}, so any ROS node could command '
            f'the motors; run: export ROS_DOMAIN_ID={_other_domain(sdk_domain)}'
        )
    if interface == LOOPBACK or not _ros_is_local(env):
        raise UserError(
            f'equal domains are allowed on disjoint interfaces only, but ROS and the SDK may meet '
            f'on {interface}; run: export ROS_LOCALHOST_ONLY=1 '
            'ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST, and keep the SDK off the loopback'
        )


def ros_domain(environ: Mapping[str, str]) -> int:
    """Return ROS's DDS domain; UserError if ROS_DOMAIN_ID is no domain."""
    text = environ.get('ROS_DOMAIN_ID') or str(DEFAULT_ROS_DOMAIN)
    try:
        domain = int(text)
    except ValueError:
        raise UserError(
            f'ROS_DOMAIN_ID {text!r} is no number; '
            f'run: export ROS_DOMAIN_ID={SUGGESTED_ROS_DOMAIN}'
        ) from None
    _check_domain('ROS_DOMAIN_ID', domain)
    return domain


def _other_domain(sdk_domain: int) -> int:
    taken = sdk_domain == SUGGESTED_ROS_DOMAIN
    return SUGGESTED_ROS_DOMAIN + 1 if taken else SUGGESTED_ROS_DOMAIN


def _check_domain(what: str, domain: int) -> None:
    if not 0 <= domain <= MAX_DOMAIN:
        raise UserError(
            f'{what} {domain} outside [0, {MAX_DOMAIN}]; the robot uses {ROBOT_DOMAIN}, '
            f'the simulator {SIM_DOMAIN}'
        )


def _check_interface(interface: str) -> None:
    present = [name for _, name in socket.if_nameindex()]
    if interface not in present:
        raise UserError(
            f'network interface {interface!r} does not exist; {did_you_mean(interface, present)}'
        )


def _check_middleware(environ: Mapping[str, str]) -> None:
    middleware = environ.get('RMW_IMPLEMENTATION', '')
    if 'cyclonedds' in middleware:
        raise UserError(
            f'RMW_IMPLEMENTATION {middleware} and the Unitree SDK cannot share a process; '
            'run: export RMW_IMPLEMENTATION=rmw_fastrtps_cpp'
        )


def _ros_is_local(environ: Mapping[str, str]) -> bool:
    """Return whether both Humble's and the later variable keep ROS on the loopback."""
    discovery = environ.get('ROS_AUTOMATIC_DISCOVERY_RANGE', '').upper()
    return environ.get('ROS_LOCALHOST_ONLY') == '1' and discovery in ('LOCALHOST', 'OFF')
