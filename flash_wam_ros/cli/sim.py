"""``flash-wam sim``: the simulated G1 and its cameras, without controller and policy."""

import argparse

from flash_wam_ros.bringup.processes import BringupConfig
from flash_wam_ros.cli.stack import add_world_arguments, log_folder, run_stack, world_options

HELP = 'Start the simulated G1 on the SDK topics, with its cameras, until Ctrl-C.'
EXAMPLE = 'flash-wam sim --task pot_potato --seed 3'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    add_world_arguments(parser)
    parser.add_argument('--no-cameras', action='store_true', help='render nothing')
    parser.add_argument('--out', help='folder for logs')


def run(args: argparse.Namespace) -> int:
    """Run the simulator."""
    cameras = 'none' if args.no_cameras else 'sim'
    config = BringupConfig(robot='sim', cameras=cameras, **world_options(args))
    return run_stack(config, log_folder(args.out), only=('sim', 'camera'), loud=('sim', 'camera'))
