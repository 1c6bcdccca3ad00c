"""Safetensors files that are either whole or absent."""

import errno
import os
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from flash_wam_ros.data.files import write_whole


def save_tensors(path: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, str]) -> None:
    """Write tensors and the facts about them, whole or not at all.

    Raises:
        StorageError: the disk refused.
    """

    def write(partial: Path) -> None:
        try:
            save_file(dict(tensors), partial, dict(facts))
        except SafetensorError as error:
            # The library reports a refusing disk in a type of its own.
            raise OSError(errno.EIO, f'{os.strerror(errno.EIO)}: {error}') from None

    write_whole(path, write)
