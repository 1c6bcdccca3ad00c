"""``flash-wam results``: one page with the figures of many evaluations."""

import argparse
import shlex
from pathlib import Path

from rich.console import Console

from flash_wam_ros.core import UserError

HELP = 'write one page with the figures of many evaluations'
EXAMPLE = 'flash-wam results models/g1-tiny/records --page docs/results.md'
TEACHER = 'teacher'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        'records',
        nargs='+',
        type=Path,
        help='JSON files of flash-wam evaluate and bench imagination, or folders of them',
    )
    parser.add_argument('--page', type=Path, required=True, help='the Markdown file to write')
    parser.add_argument(
        '--teacher', default=TEACHER, help='the model that all others are compared with'
    )
    parser.add_argument(
        '--teacher-sampling',
        default='',
        help='steps that it is compared at, such as 10v10a+t0 (default: its own)',
    )


def run(args: argparse.Namespace) -> int:
    """Write the page; return 0."""
    from flash_wam_ros.evaluate.page import Page
    from flash_wam_ros.evaluate.records import pooled, read_records

    records, foresights = read_records(args.records)
    words = ['flash-wam', 'results', *map(str, args.records), '--page', str(args.page)]
    if args.teacher != TEACHER:
        words += ['--teacher', args.teacher]
    if args.teacher_sampling:
        words += ['--teacher-sampling', args.teacher_sampling]
    page = Page(
        records=pooled(records),
        foresights=foresights,
        teacher=args.teacher,
        teacher_sampling=args.teacher_sampling,
        command=shlex.join(words),
    )
    try:
        args.page.write_text(page.markdown(), encoding='utf-8')
    except OSError as error:
        raise UserError(f'{args.page} cannot be written: {error.strerror}') from None
    Console().print(f'{args.page}: {len(records) + len(foresights)} records', markup=False)
    return 0
