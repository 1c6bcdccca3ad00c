"""``flash-wam ship``: put a teacher and its student into the form in which they come along."""

import argparse
import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from flash_wam_ros.bringup.paths import config_file
from flash_wam_ros.core import UserError
from flash_wam_ros.evaluate.records import Record
from flash_wam_ros.evaluate.results import Setting

HELP = 'put a teacher and its student, with their model card, into a folder that ships'
EXAMPLE = (
    'flash-wam ship --teacher runs/teacher --student runs/flash_wam --records records '
    '--datasets datasets/red_bottle --out models/g1-tiny'
)
_CARD = 'README.md'
_FAILURES = 'failures'
_MEGA = 1e6
_ABOUT = """\
A world-action model for the simulated Unitree G1: a teacher of many steps and {student}.
Weights are kept in float16 and run in float32. Written by `flash-wam ship`."""
_DISTILLED = 'the student that\n`{recipe}` distilled from it to one step a modality'
_PLAIN = 'as student the\nsame weights in fewer steps'
_SAMPLED = 'The {who} is sampled by `{sampling}`: steps, and temperature where it is not 1.'
_SETTINGS = """\
All settings stand in `teacher/run.yaml` and `student/run.yaml`; `flash-wam reproduce {name}` names
every command, from the first demonstration on. All of it took {hours:.1f} hours: {machine}."""
_LIMITS = """\
## Limits

It knows the tasks, objects, cameras and light of the simulator and no others. It was never on a
real robot."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument('--teacher', type=Path, required=True, help='folder of its run')
    parser.add_argument('--student', type=Path, required=True, help='folder of its run')
    parser.add_argument('--records', type=Path, required=True, help='folder of evaluations')
    parser.add_argument(
        '--datasets', type=Path, nargs='+', required=True, help='what they were trained on'
    )
    for option, whose in (
        ('--sampling', 'student, such as 1v1a+t0'),
        ('--teacher-sampling', 'teacher'),
    ):
        parser.add_argument(option, default='', help=f"steps of the {whose} (default: its run's)")
    parser.add_argument(
        '--failures',
        type=Path,
        nargs='+',
        default=[],
        help='strips of episodes that it failed, of `flash-wam evaluate --pictures`',
    )
    parser.add_argument(
        '--plan', default='g1-tiny', help='plan of `flash-wam reproduce` that makes them'
    )
    parser.add_argument('--out', type=Path, required=True, help='the new folder')


def run(args: argparse.Namespace) -> int:
    """Write the folder; return 0."""
    from flash_wam_ros.policy.sampling import Sampling
    from flash_wam_ros.wam.pipeline import load_config, store_config
    from flash_wam_ros.wam.shipping import store_half, write_manifest

    wanted = {'teacher': args.teacher_sampling, 'student': args.sampling}
    samplings = {who: Sampling.parse(words) for who, words in wanted.items() if words}
    if args.out.exists():
        raise UserError(f'{args.out} exists already; remove it or give another folder')
    card = _card(args)
    for name, folder in (('teacher', args.teacher), ('student', args.student)):
        store_half(folder / 'model', args.out / name)
        shutil.copy(folder / 'run.yaml', args.out / name / 'run.yaml')
    for who, sampling in samplings.items():
        store_config(args.out / who, sampling.applied(load_config(args.out / who)))
    shutil.copytree(args.records, args.out / 'records')
    for strip in args.failures:
        (args.out / _FAILURES).mkdir(exist_ok=True)
        shutil.copy(strip, args.out / _FAILURES / strip.name)
    (args.out / _CARD).write_text(card, encoding='utf-8')
    size = write_manifest(args.out)
    Console().print(f'{args.out}: {size / _MEGA:.1f} MB', markup=False)
    return 0


def _card(args: argparse.Namespace) -> str:
    from flash_wam_ros.evaluate.page import Page
    from flash_wam_ros.evaluate.records import read_records
    from flash_wam_ros.reproduce.plan import Plan, find_plan

    plan = Plan.load(find_plan(args.plan, config_file('reproduce')))
    records, foresights = read_records([args.records])
    page = Page(
        records=records,
        foresights=foresights,
        teacher=args.teacher.name,
        command='flash-wam ship',
    )
    runs = {'teacher': _run(args.teacher), 'student': _run(args.student)}
    recipe = (runs['student'].get('recipe') or {}).get('name', '')
    student = _DISTILLED.format(recipe=recipe) if recipe else _PLAIN
    data = [
        '| dataset | driven by | demonstrations | failures left out | first seed |',
        '|---|---|---|---|---|',
    ]
    data += [_dataset(folder) for folder in args.datasets]
    training = ['| | steps | windows a step | learning rate | seed |', '|---|---|---|---|---|']
    training += [_row(name, values) for name, values in runs.items()]
    sections = [
        f'# {args.out.name}',
        _ABOUT.format(student=student),
        '\n'.join(
            _SAMPLED.format(who=who, sampling=words)
            for who, words in (('student', args.sampling), ('teacher', args.teacher_sampling))
            if words
        ),
        '## Data',
        '\n'.join(data),
        '## Training',
        '\n'.join(training),
        _SETTINGS.format(name=args.plan, hours=plan.minutes / 60, machine=plan.machine),
        page.section_successes(),
        page.section_notes(),
        '## Failures' if args.failures else '',
        *(_failure(strip, records, args) for strip in args.failures),
        _LIMITS,
    ]
    return '\n\n'.join(section for section in sections if section) + '\n'


def _failure(strip: Path, records: Sequence[Record], args: argparse.Namespace) -> str:
    """Return the paragraph of a strip, with the reason that the evaluation gave."""
    task, _, seed = strip.stem.rpartition('_')
    wanted = Setting(task=task, policy='wam', seed=0, sampling=args.sampling)
    for record in records:
        if record.name != args.student.name or replace(record.setting, seed=0, model='') != wanted:
            continue
        for episode in record.episodes:
            if str(episode.seed) == seed and not episode.success:
                name = f'{task}, layout {seed}'
                return f'{name}: {episode.reason}.\n\n![{name}]({_FAILURES}/{strip.name})'
    raise UserError(
        f'{strip}: no record has a failure of {args.student.name} with this task and seed; '
        'give strips of the episodes in --records'
    )


def _run(folder: Path) -> dict[str, Any]:
    path = folder / 'run.yaml'
    try:
        values: dict[str, Any] = yaml.safe_load(path.read_text(encoding='utf-8'))
    except OSError as error:
        raise UserError(f'{path} cannot be read: {error.strerror}; give a run') from None
    return values


def _row(name: str, values: dict[str, Any]) -> str:
    loop = values['loop']
    windows = loop['micro_batch'] * loop['micro_batches']
    return (
        f'| {name} | {loop["steps"]} | {windows} | {values["optimiser"]["lr"]:g} | '
        f'{loop["seed"]} |'
    )


def _dataset(folder: Path) -> str:
    path = folder / 'collection.json'
    try:
        facts = json.loads(path.read_text(encoding='utf-8'))
    except (OSError, ValueError) as error:
        raise UserError(f'{path} cannot be read ({error}); give a collected dataset') from None
    failures = len(facts['failures'])
    first, learner = facts['config']['first_seed'], facts['config'].get('learner')
    driver = 'expert and model in turns' if learner else 'expert'
    return f'| {folder.name} | {driver} | {facts["episodes"]} | {failures} | {first} |'
