"""``flash-wam controller``: start the controller, or ask a running one."""

import argparse
import os
import sys

from flash_wam_ros.bringup import interface
from flash_wam_ros.bringup.processes import environment
from flash_wam_ros.core import UserError

HELP = 'start the safety controller, or ask a running one to enable, stop, reset, park or release'
EXAMPLE = 'flash-wam controller park'

_START = 'start'
_SERVICES = {
    'enable': 'safety/enable',
    'stop': 'safety/enable',
    'reset': 'safety/reset',
    'park': 'safety/park',
    'release': 'safety/release',
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        'action', nargs='?', default=_START, choices=(_START, *_SERVICES), help='what to do'
    )
    parser.add_argument(
        '--parameter',
        '-p',
        action='append',
        default=[],
        metavar='NAME:=VALUE',
        help='parameter of the node that is started; repeat for more',
    )
    parser.add_argument(
        '--timeout', type=float, default=5.0, metavar='S', help='how long to wait for an answer'
    )


def run(args: argparse.Namespace) -> int:
    """Become the node's process, or call a service; return 1 if the controller declines."""
    if args.action == _START:
        return _start(args.parameter)
    return _call(args.action, args.timeout)


def _start(parameters: list[str]) -> int:
    command = [sys.executable, '-m', 'flash_wam_ros.nodes.controller_node', '--ros-args']
    for parameter in parameters:
        if ':=' not in parameter:
            raise UserError(f'parameter {parameter!r} is not NAME:=VALUE, such as robot:=sim')
        command += ['-p', parameter]
    os.execvpe(command[0], command, {**os.environ, **environment()})


def _call(action: str, timeout_s: float) -> int:
    os.environ.update(environment())
    try:
        import rclpy
        from rclpy.utilities import try_shutdown
        from std_srvs.srv import SetBool, Trigger
    except ImportError as error:
        raise UserError(f'ROS 2 is not here ({error}); source its setup.bash') from error
    kind = SetBool if _SERVICES[action] == 'safety/enable' else Trigger
    request = kind.Request(data=action == 'enable') if kind is SetBool else kind.Request()
    rclpy.init()
    node = rclpy.create_node('flash_wam_controller_cli')
    try:
        client = node.create_client(kind, interface.full_name(_SERVICES[action]))
        if not client.wait_for_service(timeout_sec=timeout_s):
            raise UserError(
                f'no controller answers in ROS domain {os.environ.get("ROS_DOMAIN_ID", "0")} '
                f'within {timeout_s} s; start it with: flash-wam controller'
            )
        future = client.call_async(request)
        rclpy.spin_until_future_complete(node, future, timeout_sec=timeout_s)
        reply = future.result()
        if reply is None:
            raise UserError(f'the controller did not answer within {timeout_s} s')
    finally:
        node.destroy_node()
        try_shutdown()
    print(f'{"accepted" if reply.success else "declined"}: {reply.message}')
    return 0 if reply.success else 1
