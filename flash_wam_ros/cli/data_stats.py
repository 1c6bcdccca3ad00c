"""``flash-wam data stats``: the statistics from which a model normalises its actions."""

import argparse
from pathlib import Path

from rich.console import Console
from rich.table import Table

from flash_wam_ros.cli.data_common import add_dataset, progress_bar, save_json
from flash_wam_ros.core import UserError, did_you_mean
from flash_wam_ros.data.lerobot import open_dataset
from flash_wam_ros.data.spaces import SPACES
from flash_wam_ros.data.statistics import STATISTICS_PATH, ActionStatistics, action_statistics
from flash_wam_ros.wam.action_presets import ACTIONS

HELP = 'compute the quantiles, means and deviations of the actions of a dataset'
EXAMPLE = 'flash-wam data stats datasets/red_bottle --robot g1'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_dataset(parser)
    parser.add_argument('--feature', default='action', help='the feature (default: action)')
    parser.add_argument(
        '--space', choices=tuple(SPACES), default='joint', help='the space that is learned'
    )
    parser.add_argument(
        '--robot',
        metavar='NAME',
        help=f'add the model channels of a preset to --json: {", ".join(ACTIONS)}',
    )
    parser.add_argument(
        '--out',
        type=Path,
        metavar='FILE',
        help=f'where to write them (default: DATASET/{STATISTICS_PATH})',
    )


def run(args: argparse.Namespace) -> int:
    """Compute, write and show the statistics."""
    if args.robot is not None and args.robot not in ACTIONS:
        raise UserError(f'unknown robot {args.robot!r}; {did_you_mean(args.robot, ACTIONS)}')
    reader = open_dataset(args.dataset)
    with progress_bar('reading actions') as report:
        statistics = action_statistics(reader, args.feature, SPACES[args.space](), report)
    content = statistics.to_json()
    if args.robot is not None:
        config = statistics.action_config(ACTIONS[args.robot].used)
        content['actions'] = config.to_dict()
    path = args.out or args.dataset / STATISTICS_PATH
    statistics.write(path)
    save_json(args.json, content)
    _show(statistics, path)
    return 0


def _show(statistics: ActionStatistics, path: Path) -> None:
    title = f'{statistics.feature}, {statistics.space} space, {statistics.count} frames'
    table = Table('channel', title=title, title_justify='left')
    columns = ('min', 'q01', 'mean', 'std', 'q99', 'max')
    for column in columns:
        table.add_column(column, justify='right')
    for channel in range(len(statistics.q01)):
        name = statistics.names[channel] if statistics.names else str(channel)
        values = [f'{getattr(statistics, column)[channel]:.4f}' for column in columns]
        table.add_row(name, *values)
    console = Console(markup=False)
    console.print(table)
    console.print(f'written to {path}')
