"""``flash-wam data inspect``: what a dataset holds, and every fault in it."""

import argparse

from rich.console import Console
from rich.table import Table

from flash_wam_ros.cli.data_common import add_dataset, progress_bar, save_json
from flash_wam_ros.core import UserError
from flash_wam_ros.data.check import CheckReport, check_dataset
from flash_wam_ros.data.lerobot import open_dataset

HELP = 'show what a LeRobot dataset holds and name every fault in it'
EXAMPLE = 'flash-wam data inspect datasets/red_bottle --camera observation.images.head --fps 10'

_TASKS_SHOWN = 8


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_dataset(parser)
    parser.add_argument(
        '--camera', action='append', default=[], metavar='NAME', help='a camera it must have'
    )
    parser.add_argument(
        '--feature', action='append', default=[], metavar='NAME', help='a feature it must have'
    )
    parser.add_argument('--fps', type=float, help='the frame rate it must have')
    parser.add_argument(
        '--every-frame',
        action='store_true',
        help="decode all video, not only each episode's first and last frame",
    )


def run(args: argparse.Namespace) -> int:
    """Check the dataset; raise UserError with the first fault if there is any."""
    reader = open_dataset(args.dataset)
    with progress_bar('checking episodes') as report:
        result = check_dataset(
            reader,
            cameras=args.camera,
            features=args.feature,
            fps=args.fps,
            every_frame=args.every_frame,
            progress=report,
        )
    save_json(args.json, result.to_json())
    _show(result)
    if result.problems:
        more = len(result.problems) - 1
        raise UserError(result.problems[0] + (f' (and {more} more faults)' if more else ''))
    return 0


def _show(report: CheckReport) -> None:
    table = Table(title=report.root, show_header=False, title_justify='left')
    rows = [
        ('format', report.version),
        ('robot', report.robot_type or 'not stated'),
        ('episodes', str(report.episodes)),
        ('frames', f'{report.frames} at {report.fps:g} fps ({report.frames / report.fps:.1f} s)'),
        ('episode length', f'{report.shortest} to {report.longest} frames'),
    ]
    rows += [(name, 'x'.join(map(str, shape))) for name, shape in report.vectors.items()]
    rows += [(name, f'video {shape[1]}x{shape[0]} px') for name, shape in report.cameras.items()]
    for task, count in list(report.tasks.items())[:_TASKS_SHOWN]:
        rows.append((f'{count} episodes', task))
    hidden = len(report.tasks) - _TASKS_SHOWN
    if hidden > 0:
        rows.append(('', f'and {hidden} more instructions'))
    rows += [('FAULT', problem) for problem in report.problems]
    for row in rows:
        table.add_row(*row)
    Console(markup=False).print(table)
