"""``flash-wam distill``: a teacher into a few-step student, on one process or under torchrun."""

import argparse

from flash_wam_ros.cli.training import add_training_arguments, run_training

HELP = 'distil a teacher into a few-step student; goes on from its last checkpoint'
EXAMPLE = 'flash-wam distill config/train/distill.yaml recipe.name=flash_wam out=runs/student'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_training_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Distil."""
    return run_training(args, ('recipe',))
