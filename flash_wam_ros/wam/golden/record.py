"""Reading a folder of recordings."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from flash_wam_ros.core import UserError
from flash_wam_ros.wam.config import ModelConfig
from flash_wam_ros.wam.transformer import WorldActionTransformer

CONFIG_FILE = 'tiny_config.json'
WEIGHTS_FILE = 'tiny_state_dict.safetensors'


def read_json(path: Path) -> dict[str, Any]:
    """Return the table of a JSON file; raise UserError if it is missing or no JSON."""
    try:
        values = json.loads(path.read_text(encoding='utf-8'))
    except FileNotFoundError:
        raise UserError(f'{path} is missing; complete the folder of recordings') from None
    except ValueError as error:
        raise UserError(f'{path} is no JSON ({error}); copy it anew') from None
    if not isinstance(values, dict):
        raise UserError(f'{path} holds a {type(values).__name__}, expected a table')
    return values


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a file; raise UserError if it is missing or damaged."""
    try:
        return load_file(path)
    except FileNotFoundError:
        raise UserError(f'{path} is missing; complete the folder of recordings') from None
    except SafetensorError as error:
        raise UserError(f'{path} is damaged ({error}); copy it anew') from None


class Recordings:
    """A folder of recordings and the network they were made with.

    Args:
        folder: where the files are.

    Raises:
        UserError: the folder, its configuration or its weights are missing or do not fit.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        if not folder.is_dir():
            raise UserError(f'{folder} is no folder; give one with recordings')
        self.config = ModelConfig.from_dict(read_json(folder / CONFIG_FILE))
        self._weights = read_tensors(folder / WEIGHTS_FILE)

    def model(self, dtype: torch.dtype) -> WorldActionTransformer:
        """Return a new network with the recorded weights in ``dtype``."""
        model = WorldActionTransformer(self.config)
        try:
            model.load_state_dict(self._weights)
        except RuntimeError as error:
            reason = ' '.join(str(error).split())
            raise UserError(
                f'{self.folder / WEIGHTS_FILE} does not fit {CONFIG_FILE}: {reason}'
            ) from None
        return model.to(dtype).eval()

    def files(self, pattern: str) -> list[Path]:
        """Return the files that match, in order of name."""
        return sorted(self.folder.glob(pattern))


def need(record: Mapping[str, Tensor], name: str, path: Path) -> Tensor:
    """Return tensor ``name``; raise UserError if the file lacks it."""
    if name not in record:
        raise UserError(f'{path} lacks the tensor {name!r}; record it anew')
    return record[name]
