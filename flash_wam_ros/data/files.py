"""Files that are either whole or absent, also after a crash."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flash_wam_ros.core import UserError

PARTIAL_SUFFIX = '.partial'


class StorageError(UserError):
    """The disk refused: full, read-only, gone."""


@contextmanager
def storing(path: Path) -> Iterator[None]:
    """Turn what the system says about writing ``path`` into one line for a person."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise StorageError(
            f'{path} cannot be written ({reason}); free some space or choose another place'
        ) from error


def sync_folder(folder: Path) -> None:
    """Make the names in ``folder`` durable, where the system lets a folder be synced."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_file(path: Path) -> None:
    """Make the bytes of ``path`` durable."""
    with path.open('rb+') as file:
        os.fsync(file.fileno())


def write_whole(path: Path, write: Callable[[Path], None]) -> None:
    """Have ``write`` fill a temporary neighbour of ``path``, then put it in place in one step.

    Readers see the former file or the new one, never a part. A full disk or a crash leaves the
    former file and at most a neighbour whose name ends in ``.partial``.

    Raises:
        StorageError: the disk refused; the neighbour is removed.
    """
    partial = path.with_name(path.name + PARTIAL_SUFFIX)
    with storing(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write(partial)
            sync_file(partial)
            partial.replace(path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


def write_json(path: Path, content: Any) -> None:
    """Write ``content`` as JSON, whole or not at all; numbers that are not finite are refused."""
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + '\n'
    write_whole(path, lambda partial: _write_text(partial, text))


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding='utf-8')


def read_json(path: Path) -> Any:
    """Return the JSON of ``path``.

    Raises:
        UserError: the file is missing or is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding='utf-8'))
    except FileNotFoundError:
        raise UserError(f'{path} is missing; check the path') from None
    except (OSError, ValueError) as error:
        raise UserError(f'{path} cannot be read as JSON ({error}); restore the file') from None


def read_json_lines(path: Path) -> list[dict[str, Any]]:
    """Return the objects of a JSON-lines file, blank lines left out.

    Raises:
        UserError: the file is missing, or a line is not a JSON object; the line is named.
    """
    try:
        lines = path.read_text(encoding='utf-8').splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f'{path} cannot be read ({error}); restore the file') from None
    rows = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if not isinstance(row, dict):
            raise UserError(f'{path} line {number} is not a JSON object; restore the file')
        rows.append(row)
    return rows
