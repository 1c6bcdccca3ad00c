"""``flash-wam evaluate``: run a policy on a task many times and count the successes."""

import argparse
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from flash_wam_ros.bringup.interface import CAMERAS
from flash_wam_ros.bringup.processes import BringupConfig
from flash_wam_ros.cli import evaluate_libero
from flash_wam_ros.cli.stack import log_folder, run_stack
from flash_wam_ros.core import UserError
from flash_wam_ros.evaluate.conditions import LOOKS
from flash_wam_ros.evaluate.results import TRAINED, Results, Setting
from flash_wam_ros.evaluate.runner import check_names, episode_runner
from flash_wam_ros.evaluate.statistics import wilson_interval
from flash_wam_ros.policy.protocol import Policy

if TYPE_CHECKING:
    from flash_wam_ros.record.keeper import KeepingPolicy

HELP = 'run a policy on a task many times and count the successes'
EXAMPLE = 'flash-wam evaluate --policy expert --task red_bottle --episodes 50 --seed 1000'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument('--task', default='', help='name of the task')
    parser.add_argument('--policy', default='expert', help='name of the policy')
    parser.add_argument('--model', default='', help='folder of the weights')
    parser.add_argument(
        '--sampling', default='', help='steps of the model, such as 1v1a or 25v50a+g5 (lockstep)'
    )
    parser.add_argument(
        '--look', choices=LOOKS, default='', help='what happens to the cameras (lockstep)'
    )
    parser.add_argument(
        '--words',
        default=TRAINED,
        help='trained or held_out wordings, or an instruction (lockstep; default: trained)',
    )
    parser.add_argument(
        '--limits',
        default='',
        help='of the controller, such as jerk_rad_s3=80; widest: as little as can be set, and no '
        'look at self-collision; widest,jerk_rad_s3=80: that and one limit (lockstep)',
    )
    parser.add_argument('--episodes', type=int, default=50, help='number of episodes')
    parser.add_argument('--seed', type=int, default=1000, help='seed of the first episode')
    parser.add_argument(
        '--through',
        choices=('lockstep', 'ros'),
        default='lockstep',
        help='lockstep: one process, simulated time; ros: all processes, real time',
    )
    parser.add_argument(
        '--domain', type=int, default=BringupConfig().domain, help='SDK domain (through ros)'
    )
    parser.add_argument(
        '--pictures', type=Path, help='folder for a strip of pictures an episode (lockstep)'
    )
    parser.add_argument(
        '--bags', type=Path, help='folder for a rosbag2 recording of each episode (lockstep)'
    )
    parser.add_argument('--json', type=Path, help='write the result here; taken up again if there')
    evaluate_libero.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Evaluate; return 0."""
    if args.benchmark:
        _refuse_own_options(args)
        return evaluate_libero.run(args)
    if not args.task:
        raise UserError('--task is missing; name a task of this simulator, or a --benchmark')
    if not args.episodes >= 1:
        raise UserError(f'--episodes {args.episodes} must be at least 1')
    if not args.seed >= 0:
        raise UserError(f'--seed {args.seed} must be 0 or more')
    setting = Setting(
        task=args.task,
        policy=args.policy,
        seed=args.seed,
        through=args.through,
        model=args.model,
        sampling=args.sampling,
        look=args.look,
        words=args.words,
        limits=args.limits,
    )
    check_names(setting)
    results = Results(setting, args.json)
    console = Console()
    if results.episodes:
        console.print(f'{args.json} holds {len(results.episodes)} episodes; going on from there')
    if args.through == 'ros':
        if args.sampling or args.look or args.limits or args.words != TRAINED:
            raise UserError('--sampling, --look, --words and --limits need --through lockstep')
        if args.pictures or args.bags:
            raise UserError(
                '--pictures and --bags need --through lockstep; flash-wam demo --record films '
                'and records through ros'
            )
        results = _through_ros(args, setting)
    else:
        _in_lockstep(args, results, console)
    _summary(console, results)
    return 0


def _refuse_own_options(args: argparse.Namespace) -> None:
    """Refuse what only this package's simulator has."""
    given = {
        '--task': bool(args.task),
        '--look': bool(args.look),
        '--limits': bool(args.limits),
        '--words': args.words != TRAINED,
        '--through ros': args.through != 'lockstep',
        '--pictures': args.pictures is not None,
        '--bags': args.bags is not None,
    }
    for name, is_given in given.items():
        if is_given:
            raise UserError(f'{name} is not for --benchmark {args.benchmark}; leave it out')


def _in_lockstep(args: argparse.Namespace, results: Results, console: Console) -> None:
    """Run the episodes that ``results`` still lacks, in this process."""
    setting, done, episodes = results.setting, len(results.episodes), args.episodes
    kept: list[KeepingPolicy] = []
    wrap = partial(_keep, args.bags, setting, kept) if args.bags else None
    with (
        episode_runner(setting, args.pictures, wrap) as runner,
        _progress(console) as progress,
    ):
        results.notes = runner.notes
        for note in runner.notes:
            console.print(f'note: {note}')
        bar = progress.add_task(f'{setting.policy} on {setting.task}', total=episodes)
        progress.advance(bar, done)
        for seed in range(setting.seed + done, setting.seed + episodes):
            episode = runner.run(seed)
            for keeper in kept:
                keeper.finish(episode.success, episode.reason)
            results.add(episode)
            progress.advance(bar)
            verdict = '[green]done[/]' if episode.success else '[red]failed[/]'
            progress.console.print(
                f'seed {seed}: {verdict} after {episode.duration_s:.1f} s: {episode.reason}'
            )


def _keep(
    folder: Path, setting: Setting, kept: 'list[KeepingPolicy]', policy: Policy
) -> 'KeepingPolicy':
    """Return ``policy`` as one whose episodes become bags; remember it in ``kept``."""
    from flash_wam_ros.record.keeper import KeepingPolicy
    from flash_wam_ros.record.replay import RecordedPolicy

    who = RecordedPolicy(policy=setting.policy, model=setting.model, task=setting.task)
    kept.append(
        KeepingPolicy(policy, lambda seed: folder / f'{setting.task}_{seed}', who, CAMERAS)
    )
    return kept[-1]


def _through_ros(args: argparse.Namespace, setting: Setting) -> Results:
    """Run the episodes through all processes in real time; the operator process writes them."""
    folder = log_folder()
    path = args.json or folder / 'results.json'
    config = BringupConfig(
        robot='sim',
        operator=True,
        task=setting.task,
        policy=setting.policy,
        model=setting.model,
        seed=setting.seed,
        domain=args.domain,
        episodes=args.episodes,
        results=str(path),
    )
    run_stack(config, folder, loud=('operator',))
    results = Results(setting, path)
    if len(results.episodes) < args.episodes:
        raise UserError(
            f'the stack ended after {len(results.episodes)} of {args.episodes} episodes; '
            f'see the logs in {folder}, then run the same command again to go on'
        )
    return results


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn('{task.description}'),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
    )


def _summary(console: Console, results: Results) -> None:
    count = len(results.episodes)
    lower, upper = wilson_interval(results.successes, count)
    console.print(
        f'{results.successes} of {count} episodes succeeded: '
        f'{results.successes / count:.1%}, 95 % interval [{lower:.1%}, {upper:.1%}]'
    )
