"""``flash-wam bench filter``: what one step of the trajectory filter costs."""

import argparse
import dataclasses
from typing import Any

from flash_wam_ros.cli.drilling import add_output, finish, pages_of
from flash_wam_ros.core import UserError
from flash_wam_ros.drill.machine import machine, machine_line

HELP = 'time single steps of the trajectory filter, 16 joints with the guard of hand speed'
EXAMPLE = 'flash-wam bench filter --steps 20000 --runs 5'

_TARGET_MS = 0.2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument('--steps', type=int, default=20_000, help='steps of a run')
    parser.add_argument('--runs', type=int, default=5, help='runs, of which the median is told')
    add_output(parser)


def run(args: argparse.Namespace) -> int:
    """Time the steps; return 0."""
    for name, low, high in (('steps', 100, 10**7), ('runs', 1, 1000)):
        if not low <= getattr(args, name) <= high:
            raise UserError(f'--{name} {getattr(args, name)} outside [{low}, {high}]')
    from flash_wam_ros.drill.filter_cost import TARGETS, step_cost

    found = machine()
    rows = [dataclasses.asdict(step_cost(targets, args.steps, args.runs)) for targets in TARGETS]
    figures = {'rows': rows, 'machine': found}
    return finish(args, 'filter', figures, page(figures), 0)


def page(figures: dict[str, Any]) -> list[str]:
    """Return the section of the page of drills."""
    rows = figures['rows']
    words = f'flash-wam bench filter --steps {rows[0]["steps"]} --runs {rows[0]["runs"]}'
    return [
        '## What the filter costs',
        '',
        pages_of(words, machine_line(figures['machine'])),
        '',
        f'Processor time of one step of the filter alone, {rows[0]["joints"]} joints with the',
        'guard of hand speed, as the median over the runs. Targets move slowly, or jump anywhere',
        f'in the range twice a second. The target is {_TARGET_MS} ms at p99.',
        '',
        '| targets | p50 | p99 | max |',
        '|---|---|---|---|',
        *(
            f'| {row["targets"]} | {row["p50_ms"]:.3f} ms | {row["p99_ms"]:.3f} ms '
            f'| {row["max_ms"]:.3f} ms |'
            for row in rows
        ),
    ]
