"""``flash-wam bench link``: time the wire between controller and robot."""

import argparse
import json
from pathlib import Path

from rich.console import Console
from rich.table import Table

from flash_wam_ros.core import UserError

HELP = 'time the wire between controller and robot: rates, round trip, CPU'
EXAMPLE = 'flash-wam bench link --duration 10 --json link.json'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument('--domain', type=int, default=99, help='DDS domain nobody else uses')
    parser.add_argument('--interface', default='lo', help='network interface')
    parser.add_argument('--duration', type=float, default=10.0, help='seconds to measure')
    parser.add_argument('--json', type=Path, help='write the figures here')


def run(args: argparse.Namespace) -> int:
    """Measure and print; return 0."""
    from flash_wam_ros.evaluate.sdk_link import measure_link
    from flash_wam_ros.robots.domains import check_dds

    if not 1.0 <= args.duration <= 3600.0:
        raise UserError(f'--duration {args.duration} s outside [1, 3600]')
    check_dds(sdk_domain=args.domain, interface=args.interface, simulated=True)
    console = Console()
    with console.status(f'measuring for {args.duration:g} s'):
        figures = measure_link(
            domain=args.domain, interface=args.interface, duration_s=args.duration
        ).as_dict()
    table = Table('figure', 'value')
    for name, value in figures.items():
        table.add_row(name, f'{value:.3g}' if isinstance(value, float) else str(value))
    console.print(table)
    if args.json is not None:
        args.json.write_text(json.dumps(figures, indent=2) + '\n')
    return 0
