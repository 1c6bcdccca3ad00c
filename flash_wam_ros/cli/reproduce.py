"""``flash-wam reproduce``: make a model again from nothing."""

import argparse
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from flash_wam_ros.bringup.paths import config_file
from flash_wam_ros.reproduce.plan import Plan, Stage, find_plan
from flash_wam_ros.reproduce.runner import Reproduction

HELP = 'make a model again from nothing: demonstrations, training, distillation, evaluation'
EXAMPLE = 'flash-wam reproduce g1-tiny --out out/g1-tiny --cost'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument('plan', help='name of a plan in config/reproduce, such as g1-tiny')
    parser.add_argument('--out', type=Path, required=True, help='folder in which all is made')
    parser.add_argument('--until', default='', metavar='STAGE', help='stop after this stage')
    parser.add_argument('--cost', action='store_true', help='say what it costs and do nothing')


def run(args: argparse.Namespace) -> int:
    """Say the cost, then do what is left."""
    plan = Plan.load(find_plan(args.plan, config_file('reproduce')))
    work = Reproduction(plan, args.out, config_file(''))
    console = Console()
    _say_cost(console, plan, work)
    if args.cost:
        return 0

    def announce(stage: Stage) -> None:
        number = plan.stages.index(stage) + 1
        console.rule(f'{number} of {len(plan.stages)}: {stage.name}, about {stage.minutes:g} min')

    work.run(args.until, announce)
    return 0


def _say_cost(console: Console, plan: Plan, work: Reproduction) -> None:
    table = Table(title=f'about {plan.minutes / 60:.1f} h on {plan.machine}')
    for column in ('stage', 'minutes', 'command'):
        table.add_column(column, justify='right' if column == 'minutes' else 'left')
    took_s = {done.name: done.wall_s for done in work.done}
    for stage in plan.stages:
        done = f' (done in {took_s[stage.name] / 60:.1f})' if stage.name in took_s else ''
        table.add_row(stage.name, f'{stage.minutes:g}{done}', escape(f'flash-wam {stage.run}'))
    console.print(table)
