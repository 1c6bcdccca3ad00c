"""``flash-wam collect``: demonstrations of the scripted expert, as a LeRobot dataset."""

import argparse
import os
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from flash_wam_ros.cli import collect_libero
from flash_wam_ros.cli.ending import ending_in_order
from flash_wam_ros.collect.seeds import FIRST_DEMONSTRATION_SEED
from flash_wam_ros.core import UserError

HELP = 'record demonstrations of the scripted expert; goes on where it stopped'
EXAMPLE = (
    'flash-wam collect --task red_bottle --episodes 2000 --workers 2 --out datasets/red_bottle'
)

_EPISODES = 2000
# One thread a process: the workers are as many as there are cores to use.
_THREADS = {'LP_NUM_THREADS': '0', 'OMP_NUM_THREADS': '1'}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument('--task', default='', help='name of the task')
    parser.add_argument(
        '--episodes',
        type=int,
        help=f'demonstrations in the dataset at the end (default: {_EPISODES}); of each task with '
        '--benchmark (default: 25)',
    )
    parser.add_argument('--workers', type=int, default=2, help='number of processes')
    parser.add_argument('--out', type=Path, required=True, help='folder of the dataset')
    parser.add_argument(
        '--seed',
        type=int,
        default=FIRST_DEMONSTRATION_SEED,
        help=f'seed of the first layout, {FIRST_DEMONSTRATION_SEED} or more',
    )
    parser.add_argument(
        '--undisturbed', action='store_true', help='let the expert work without disturbances'
    )
    parser.add_argument(
        '--learner',
        default='',
        metavar='MODEL',
        help='a model that drives in turns with the expert, who shows what it should have done',
    )
    parser.add_argument(
        '--sampling', default='', help="steps of the learner, such as 1v1a (default: the model's)"
    )
    parser.add_argument(
        '--longest-turn',
        type=float,
        metavar='S',
        help='longest time that the learner drives before the expert takes over [s] (default: 4)',
    )
    collect_libero.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Collect; return 0."""
    if args.benchmark:
        own = (args.task, args.undisturbed, args.learner, args.sampling, args.longest_turn)
        if any(own) or args.seed != FIRST_DEMONSTRATION_SEED:
            raise UserError(
                '--task, --seed, --undisturbed, --learner, --sampling and --longest-turn are not '
                'for --benchmark libero'
            )
        return collect_libero.run(args)
    if not args.task:
        raise UserError('--task is missing; name a task of this simulator, or a --benchmark')
    episodes = _EPISODES if args.episodes is None else args.episodes
    os.environ.update(_THREADS)
    from flash_wam_ros.collect.collection import CollectionConfig, collect
    from flash_wam_ros.collect.disturbance import DisturbanceConfig
    from flash_wam_ros.collect.turns import TurnsConfig

    if args.sampling and not args.learner:
        raise UserError(f'--sampling {args.sampling} is that of a --learner; name its folder')
    turns = TurnsConfig()
    if args.longest_turn is not None:
        if not args.learner:
            raise UserError(f'--longest-turn {args.longest_turn} is that of a --learner; name it')
        if not args.longest_turn >= turns.learner_min_s:
            raise UserError(
                f'--longest-turn {args.longest_turn} s is shorter than the shortest, '
                f'{turns.learner_min_s} s'
            )
        turns = replace(turns, learner_max_s=args.longest_turn)
    calm = args.undisturbed or args.learner  # a learner disturbs enough
    config = CollectionConfig(
        task=args.task,
        disturbance=None if calm else DisturbanceConfig(),
        first_seed=args.seed,
        learner=args.learner,
        sampling=args.sampling,
        turns=turns,
    )
    with _progress() as progress, ending_in_order():
        bar = progress.add_task(args.task, total=episodes, failed=0)
        record = collect(
            config,
            args.out,
            episodes,
            args.workers,
            lambda done, failed: progress.update(bar, completed=done, failed=failed),
        )
    tried = record.episodes + len(record.failures)
    Console().print(
        f'{record.episodes} demonstrations of {args.task} in {args.out}; '
        f'{len(record.failures)} of {tried} attempts failed and were left out',
        markup=False,
    )
    return 0


def _progress() -> Progress:
    return Progress(
        TextColumn('{task.description}'),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn('{task.fields[failed]} failed'),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
