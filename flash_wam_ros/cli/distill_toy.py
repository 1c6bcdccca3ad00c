"""``flash-wam distill toy``: every recipe on a world that can be solved on paper."""

import argparse
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from flash_wam_ros.cli.data_common import save_json
from flash_wam_ros.core import UserError

HELP = 'run every recipe on a toy world with a known optimum; write the table'
EXAMPLE = (
    'flash-wam distill toy --recipes all --seeds 10 --out runs/toy --page docs/distillation.md'
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        '--recipes', default='all', help='names with commas between them, or all (default: all)'
    )
    parser.add_argument('--seeds', type=int, default=10, help='how many (default: 10)')
    parser.add_argument(
        '--out', type=Path, default=Path('runs/toy'), help='one file a seed (default: runs/toy)'
    )
    parser.add_argument(
        '--page',
        type=Path,
        metavar='FILE',
        help='also put the tables into this document, between its marks',
    )
    parser.add_argument('--json', type=Path, metavar='FILE', help='also write the scores as JSON')


def run(args: argparse.Namespace) -> int:
    """Run what is missing of the study and print its table."""
    from flash_wam_ros.distill.recipes import RECIPES
    from flash_wam_ros.distill.toy.measure import Examination
    from flash_wam_ros.distill.toy.page import put_into, study_page
    from flash_wam_ros.distill.toy.study import TEACHER_ROW, StudyConfig, run_study
    from flash_wam_ros.distill.train.atomic import write_text

    names = list(RECIPES) if args.recipes == 'all' else args.recipes.split(',')
    config, console = StudyConfig(), Console(stderr=True)
    columns = (
        TextColumn('{task.description:16s}'),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    trained = sum(RECIPES[name].trains for name in names if name in RECIPES)
    steps = config.teacher_steps + trained * config.student_steps
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(TEACHER_ROW, total=steps * args.seeds)
        results = run_study(
            args.out,
            names,
            args.seeds,
            config,
            lambda what: bar.update(task, advance=1, description=what),
        )
    command = f'flash-wam distill toy --recipes {args.recipes} --seeds {args.seeds}'
    page = study_page(results, names, config, Examination(config.examined).floor(), command)
    Console().print(page, markup=False, highlight=False, soft_wrap=True)
    save_json(args.json, {str(seed): rows for seed, rows in results.items()})
    if args.page is not None:
        try:
            document = args.page.read_text(encoding='utf-8') if args.page.exists() else ''
            write_text(args.page, put_into(document, page))
        except OSError as error:
            raise UserError(f'{args.page} cannot be written: {error.strerror}') from None
    return 0
