"""``flash-wam bench trainer``: a training step against the bare loop."""

import argparse
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.progress import track

from flash_wam_ros.cli.data_common import save_json

HELP = 'time a training step beside the bare forward, backward and update'
EXAMPLE = 'flash-wam bench trainer config/train/teacher.yaml loop.micro_batches=2'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument('config', type=Path, help='YAML file of a run; nothing of it is written')
    parser.add_argument('overrides', nargs='*', metavar='section.key=value', help='changes')
    parser.add_argument('--repeats', type=int, default=20, help='turns (default: 20)')
    parser.add_argument('--json', type=Path, metavar='FILE', help='also write the result there')


def run(args: argparse.Namespace) -> int:
    """Measure and print."""
    from flash_wam_ros.distill.train.benchmark import measure
    from flash_wam_ros.distill.train.config import from_tables, overridden, read_tables

    config = from_tables(overridden(read_tables(args.config), args.overrides))
    turns = iter(
        track(range(args.repeats + 1), 'measuring', console=Console(stderr=True), transient=True)
    )
    cost = measure(config, args.repeats, lambda: next(turns, None))
    Console().print(
        f'bare forward and backward {1e3 * cost.bare_s:.1f} ms, update {1e3 * cost.update_s:.1f} '
        f'ms, trainer step {1e3 * cost.trainer_s:.1f} ms: {100 * cost.overhead:+.1f} % '
        f'(medians of {cost.repeats})',
        markup=False,
        highlight=False,
    )
    save_json(args.json, asdict(cost))
    return 0
