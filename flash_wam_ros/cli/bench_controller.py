"""``flash-wam bench controller``: what the control loop costs at 250 and 500 Hz."""

import argparse
import dataclasses
import itertools
from typing import Any

from flash_wam_ros.cli.drilling import add_output, finish, pages_of
from flash_wam_ros.cli.stack import say
from flash_wam_ros.core import UserError
from flash_wam_ros.drill.cost import loop_cost
from flash_wam_ros.drill.machine import machine, machine_line

HELP = 'time the running controller: share of a core, by rate and with or without self-collision'
EXAMPLE = 'flash-wam bench controller --seconds 10'

_RATES_HZ = (250.0, 500.0)
_TARGET = 0.35


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument('--seconds', type=float, default=20.0, help='time of each row [s]')
    add_output(parser)


def run(args: argparse.Namespace) -> int:
    """Measure every row; return 0."""
    if not 1.0 <= args.seconds <= 3600.0:
        raise UserError(f'--seconds {args.seconds} outside [1, 3600]')
    found, rows = machine(), []
    for rate_hz, collision in itertools.product(_RATES_HZ, (True, False)):
        say(f'{rate_hz:.0f} Hz, self-collision {"on" if collision else "off"}')
        rows.append(dataclasses.asdict(loop_cost(rate_hz, collision, args.seconds)))
    figures = {'rows': rows, 'machine': found, 'seconds': args.seconds}
    return finish(args, 'cost', figures, page(figures), 0)


def page(figures: dict[str, Any]) -> list[str]:
    """Return the section of the page of drills."""
    rows = [
        f'| {row["rate_hz"]:.0f} Hz | {"on" if row["self_collision"] else "off"} '
        f'| {100 * row["process"]:.0f} % | {100 * row["control_thread"]:.0f} % '
        f'| {row["tick_ms"]:.2f} ms | {row["achieved_hz"]:.1f} Hz '
        f'| {row["period_p99_ms"]:.1f} / {row["period_max_ms"]:.1f} ms | {row["missed_ticks"]} |'
        for row in figures['rows']
    ]
    words = f'flash-wam bench controller --seconds {figures["seconds"]:g}'
    return [
        '## What the loop costs',
        '',
        pages_of(words, machine_line(figures['machine'])),
        '',
        'Processor time of the running controller, arms in motion, as a share of one core. The',
        f'target at 250 Hz with self-collision is {100 * _TARGET:.0f} %.',
        '',
        '| rate | self-collision | whole process | control thread | a tick | achieved '
        '| period p99 / max | ticks skipped |',
        '|---|---|---|---|---|---|---|---|',
        *rows,
    ]
