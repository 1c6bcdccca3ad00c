"""``flash-wam bench safety``: hostile commands for the safety controller, counted violations."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn

from flash_wam_ros.cli.drilling import replace_section
from flash_wam_ros.core import UserError

if TYPE_CHECKING:
    from flash_wam_ros.evaluate.fuzz_run import FuzzSetting
    from flash_wam_ros.evaluate.motion_check import Findings

HELP = 'shake the safety controller with hostile commands; an independent checker counts'
EXAMPLE = 'flash-wam bench safety --commands 1000000 --processes 2 --json safety.json'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument('--commands', type=int, default=100_000, help='commands to judge')
    parser.add_argument('--seed', type=int, default=0, help='seed of the run')
    parser.add_argument(
        '--clearance', action='store_true', help='with the check of clearance in every trial'
    )
    parser.add_argument('--processes', type=int, default=1, help='processes that share the work')
    parser.add_argument('--json', type=Path, help='keep the figures here; taken up again if there')
    parser.add_argument('--page', type=Path, help='page whose section of this bench is replaced')


def run(args: argparse.Namespace) -> int:
    """Shake, show progress and print; return 1 if anything was violated."""
    from flash_wam_ros.evaluate.fuzz_run import FuzzSetting
    from flash_wam_ros.evaluate.fuzz_run import run as shake

    for name, low, high in (('commands', 1, 10**10), ('processes', 1, 256), ('seed', 0, 2**32)):
        if not low <= getattr(args, name) <= high:
            raise UserError(f'--{name} {getattr(args, name)} outside [{low}, {high}]')
    setting = FuzzSetting(commands=args.commands, seed=args.seed, clearance=args.clearance)
    console = Console()
    columns = (*Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task('commands', total=args.commands)
        for found in shake(setting, args.json, args.processes):
            progress.update(bar, completed=min(found.commands, args.commands))
    lines = page(setting, found)
    print('\n'.join(lines))
    if args.page:
        replace_section(args.page, 'fuzz_clearance' if args.clearance else 'fuzz', lines)
    return 1 if found.violations else 0


def page(setting: 'FuzzSetting', found: 'Findings') -> list[str]:
    """Return the section of the page of drills."""
    words = f'flash-wam bench safety --commands {setting.commands}'
    words += f' --seed {setting.seed}' if setting.seed else ''
    words += ' --clearance' if setting.clearance else ''
    broken = sum(found.violations.values())
    rows = []
    for name in sorted({*found.worst, *found.violations}):
        share = found.worst.get(name)
        told = '' if share is None else f'{share:.6f}'
        rows.append(f'| {name} | {found.violations.get(name, 0)} | {told} |')
    lines = [
        '## Hostile commands' + (' near the body' if setting.clearance else ''),
        '',
        f'`{words}`, in lock step, so that it gives the same figures on every machine.',
        '',
        '| limit | violations | largest share of what is allowed |',
        '|---|---|---|',
        *rows,
        '',
        f'{found.commands:,} commands, {broken} violations. "Sent" is what the bytes carry.',
    ]
    if found.trials:
        lines += ['', f'Broken in the trials {", ".join(map(str, found.trials))}.']
    return lines
