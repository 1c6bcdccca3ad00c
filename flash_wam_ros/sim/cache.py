"""Where built things are kept between runs, written so that no reader ever sees half of one."""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

CACHE_VARIABLE = 'FLASH_WAM_CACHE'


def cache_root() -> Path:
    """Return ``$FLASH_WAM_CACHE``, or ``~/.cache/flash_wam_ros`` where it is not set."""
    chosen = os.environ.get(CACHE_VARIABLE)
    return Path(chosen).expanduser() if chosen else Path.home() / '.cache' / 'flash_wam_ros'


def cached_folder(name: str, build: Callable[[Path], None]) -> Path:
    """Return the folder ``name`` of the cache, made by ``build`` where it is missing.

    ``build`` fills a folder of another name that is renamed when it is whole, so that processes
    that start together never read a part; whoever comes second drops its own copy.
    """
    final = cache_root() / name
    if final.is_dir():
        return final
    final.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f'.{final.name}-', dir=final.parent))
    try:
        build(scratch)
        scratch.chmod(0o755)
        scratch.rename(final)
    except OSError:
        if not final.is_dir():
            raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return final
