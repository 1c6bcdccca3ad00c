"""Files and folders that are there whole or not at all."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_folder(final: Path) -> Iterator[Path]:
    """Yield a new folder beside ``final`` that is renamed to it if the block succeeds.

    Whatever interrupts the block, ``final`` is either as it was or complete. A leftover of an
    interrupted attempt is removed first; the leftover of a failed one is removed at once, which
    also gives back the space that a full disk lacks.
    """
    partial = final.with_name(f'.partial-{final.name}')
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    _sync(partial)
    os.replace(partial, final)


def _sync(folder: Path) -> None:
    """Force every file below ``folder`` to the disk, so that the rename is the last act."""
    for path in folder.rglob('*'):
        if path.is_file():
            with open(path, 'rb') as handle:
                os.fsync(handle.fileno())


def write_text(path: Path, text: str) -> None:
    """Write a text file whole."""
    partial = path.with_name(f'.partial-{path.name}')
    try:
        partial.write_text(text, encoding='utf-8')
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
