"""What the ``flash-wam data`` commands share: arguments, progress bars, JSON."""

import argparse
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from flash_wam_ros.core import UserError

Report = Callable[[int, int], None]


def add_dataset(parser: argparse.ArgumentParser) -> None:
    """Add the dataset's folder and ``--json``."""
    parser.add_argument('dataset', type=Path, help='folder of a LeRobot dataset')
    parser.add_argument('--json', type=Path, metavar='FILE', help='also write the result as JSON')


@contextmanager
def progress_bar(title: str) -> Iterator[Report]:
    """Show a bar on standard error; yield what is to be called with (done, total)."""
    columns = (
        TextColumn('{task.description}'),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(title, total=None)

        def report(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        yield report


def save_json(path: Path | None, content: Any) -> None:
    """Write ``content`` to ``path`` unless it is None; UserError if the disk refuses."""
    if path is None:
        return
    try:
        path.write_text(json.dumps(content, indent=2) + '\n', encoding='utf-8')
    except OSError as error:
        raise UserError(f'{path} cannot be written ({error.strerror}); choose another') from None


def size_hw(text: str) -> tuple[int, int]:
    """Return (H, W) of text such as ``256x320``; UserError if it is not that."""
    height, cross, width = text.partition('x')
    if not (cross and height.isdigit() and width.isdigit() and int(height) and int(width)):
        raise UserError(f'size {text!r} is not HEIGHTxWIDTH; write 256x320')
    return int(height), int(width)
