"""``flash-wam report``: one page with the curves of one run or several."""

import argparse
from pathlib import Path

from rich.console import Console

from flash_wam_ros.core import UserError

HELP = 'write one self-contained HTML page with the curves of one run or several'
EXAMPLE = 'flash-wam report runs/flash_wam runs/naive_joint --out report.html'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument('runs', nargs='+', type=Path, metavar='RUN', help='folders of runs')
    parser.add_argument(
        '--out', type=Path, default=Path('report.html'), help='the page (default: report.html)'
    )


def run(args: argparse.Namespace) -> int:
    """Write the page."""
    from flash_wam_ros.distill.report import report_page

    page = report_page(args.runs)
    try:
        args.out.write_text(page, encoding='utf-8')
    except OSError as error:
        raise UserError(f'{args.out} cannot be written: {error.strerror}') from None
    Console().print(f'{args.out}: {len(args.runs)} runs', markup=False)
    return 0
