"""What ``flash-wam train`` and ``flash-wam distill`` share."""

import argparse
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from flash_wam_ros.core import UserError


def add_training_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the configuration file and its overrides."""
    parser.add_argument('config', type=Path, help='YAML file; see config/train')
    parser.add_argument(
        'overrides', nargs='*', metavar='section.key=value', help='changes to the file'
    )


def run_training(args: argparse.Namespace, sections: tuple[str, ...]) -> int:
    """Run or resume what the configuration says; it must contain one of ``sections``."""
    from flash_wam_ros.distill.train.config import from_tables, overridden, read_tables
    from flash_wam_ros.distill.train.run import execute
    from flash_wam_ros.distill.train.stepper import StepRecord

    config = from_tables(overridden(read_tables(args.config), args.overrides))
    if all(getattr(config, section) is None for section in sections):
        other = 'flash-wam distill' if 'teacher' in sections else 'flash-wam train'
        raise UserError(
            f'{args.config} has no {" or ".join(sections)} section; did you mean {other}?'
        )
    console = Console(stderr=True)
    columns = (
        TextColumn('{task.description}'),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    bar = Progress(*columns, console=console)
    task = bar.add_task('step', total=config.loop.steps)
    status = console.status('opening networks and data')

    def report(done: int, total: int, record: StepRecord) -> None:
        status.stop()
        bar.start()
        loss = record.losses.get('online/total', float('nan'))
        bar.update(task, completed=done, total=total, description=f'loss {loss:.4f}')

    try:
        status.start()
        result = execute(config, report, lambda words: bar.update(task, description=words))
    finally:
        status.stop()
        bar.stop()
    Console().print(f'{result.steps_done} steps; model in {result.model}', markup=False)
    return 0
