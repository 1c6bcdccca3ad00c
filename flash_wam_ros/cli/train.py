"""``flash-wam train``: a teacher by flow matching, on one process or under torchrun."""

import argparse

from flash_wam_ros.cli.training import add_training_arguments, run_training

HELP = 'train a teacher by flow matching; goes on from its last checkpoint'
EXAMPLE = 'flash-wam train config/train/teacher.yaml loop.steps=2000 out=runs/teacher'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_training_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Train."""
    return run_training(args, ('look', 'teacher'))
