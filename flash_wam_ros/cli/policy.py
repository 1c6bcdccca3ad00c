"""``flash-wam policy``: the policy node alone, beside a stack that runs already."""

import argparse

from flash_wam_ros.bringup.processes import BringupConfig
from flash_wam_ros.cli.stack import add_world_arguments, log_folder, run_stack, world_options

HELP = 'Start the policy node alone, beside a running stack, until Ctrl-C.'
EXAMPLE = "flash-wam policy --policy wam --instruction 'pick the red bottle'"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    add_world_arguments(parser)
    parser.add_argument('--out', help='folder for logs')


def run(args: argparse.Namespace) -> int:
    """Run the policy node."""
    config = BringupConfig(robot='sim', **world_options(args))
    return run_stack(config, log_folder(args.out), only=('policy',), loud=('policy',))
