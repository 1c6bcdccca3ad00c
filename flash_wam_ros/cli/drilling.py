"""What the drills of ``flash-wam drill`` share: options, records, JSON and the page."""

import argparse
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flash_wam_ros.cli.stack import say
from flash_wam_ros.drill.records import Records

_BEGIN, _END = '<!-- {name} -->', '<!-- /{name} -->'


def add_common(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `open_records` and `finish`."""
    parser.add_argument(
        '--out', type=Path, help='folder for what was measured; a drill that was cut off goes on'
    )
    add_output(parser)


def add_output(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `finish`."""
    parser.add_argument('--json', type=Path, help='file for the figures')
    parser.add_argument('--page', type=Path, help='page whose section of this drill is replaced')


def open_records(args: argparse.Namespace, name: str, settings: dict[str, Any]) -> Records:
    """Return the records below ``--out``, or below out/drill of the working folder."""
    folder = args.out or Path('out', 'drill')
    records = Records(folder, name, settings)
    if records.lines:
        say(f'{len(records.lines)} done before in {folder}; going on')
    return records


def pages_of(command: str, machine: str) -> str:
    """Return the line that stands beside every table: how it was made, and where."""
    return f'`{command}`, on {machine}.'


def finish(
    args: argparse.Namespace, name: str, figures: dict[str, Any], lines: Sequence[str], code: int
) -> int:
    """Print the section, write ``--json`` and ``--page``; return ``code``."""
    print('\n'.join(lines))
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(figures, indent=1) + '\n')
    if args.page:
        replace_section(args.page, name, lines)
    return code


def replace_section(page: Path, name: str, lines: Sequence[str]) -> None:
    """Replace the section of drill ``name`` in the file ``page``, which is begun if missing."""
    text = page.read_text(encoding='utf-8') if page.exists() else _head()
    page.write_text(replaced(text, name, lines), encoding='utf-8')
    say(f'wrote {page}')


def replaced(text: str, name: str, lines: Sequence[str]) -> str:
    """Return the page ``text`` with the section of drill ``name`` replaced, or added."""
    begin, end = _BEGIN.format(name=name), _END.format(name=name)
    section = '\n'.join([begin, *lines, end])
    pattern = re.compile(f'{re.escape(begin)}.*?{re.escape(end)}', re.DOTALL)
    if pattern.search(text):
        return pattern.sub(lambda _: section, text)
    return text.rstrip() + '\n\n' + section + '\n'


def _head() -> str:
    return (
        '# Drills of the safety controller\n\n'
        'Measured, not promised; made by the commands that stand beside the tables. What the\n'
        'controller should do in each case is told in [safety.md](safety.md).\n'
    )
