"""Folders of weights in the form of diffusers: config.json and (sharded) safetensors.

Files are memory-mapped: a tensor that is read shares the pages of its file, so weights of n bytes
need about n bytes of memory, in the type that they were stored in. Folders are written beside
their place and renamed into it: a folder is whole or not there.
"""

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from flash_wam_ros.core import UserError

CONFIG_NAME = 'config.json'
SHARD_BYTES = 5 * 10**9
_NAMES_SHOWN = 3
# The library makes files that nobody else may read.
_FILE_MODE = 0o644


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file; UserError if it is missing or damaged."""
    try:
        values = json.loads(path.read_text(encoding='utf-8'))
    except FileNotFoundError:
        raise UserError(f'{path} is missing; copy the whole folder') from None
    except (OSError, ValueError) as error:
        raise UserError(f'{path} cannot be read as JSON: {error}; copy it again') from None
    if not isinstance(values, dict):
        raise UserError(f'{path} holds a {type(values).__name__}, expected an object')
    return values


def read_config(folder: Path, class_name: str) -> dict[str, Any]:
    """Return config.json of ``folder``; UserError unless it names ``class_name``."""
    values = read_json(folder / CONFIG_NAME)
    found = values.get('_class_name')
    if found != class_name:
        raise UserError(
            f'{folder / CONFIG_NAME} is of class {found!r}, expected {class_name!r}; '
            'check which folder this is'
        )
    return values


def weight_files(folder: Path, stem: str) -> dict[Path, frozenset[str] | None]:
    """Return each safetensors file of ``folder`` with the keys that its index expects in it.

    The value is None where one file stands without an index.

    Raises:
        UserError: no weights, or a shard that the index names is not there.
    """
    index, single = folder / f'{stem}.safetensors.index.json', folder / f'{stem}.safetensors'
    if not index.exists():
        if not single.exists():
            raise UserError(
                f'{folder} holds neither {index.name} nor {single.name}; expected a folder in '
                'the form of diffusers with safetensors; check the path'
            )
        return {single: None}
    shards: dict[Path, set[str]] = {}
    for key, file in read_json(index).get('weight_map', {}).items():
        shards.setdefault(folder / file, set()).add(key)
    missing = sorted(path.name for path in shards if not path.exists())
    if missing or not shards:
        raise UserError(
            f'{index} names {len(shards)} shards, {len(missing)} are missing '
            f'({_some(missing)}); copy them'
        )
    return {path: frozenset(keys) for path, keys in shards.items()}


def read_shapes(folder: Path, stem: str) -> dict[str, tuple[tuple[int, ...], str]]:
    """Return key -> (shape, stored type) from the file headers alone."""
    shapes = {}
    for _, file in _opened(folder, stem):
        for key in file.keys():  # noqa: SIM118 (not a dict)
            part = file.get_slice(key)
            shapes[key] = (tuple(part.get_shape()), str(part.get_dtype()))
    return shapes


def read_weights(folder: Path, stem: str) -> dict[str, Tensor]:
    """Return key -> memory-mapped tensor in its stored type.

    Raises:
        UserError: missing or damaged files, or shards that do not hold what the index says.
    """
    weights: dict[str, Tensor] = {}
    for _, file in _opened(folder, stem):
        for key in file.keys():  # noqa: SIM118 (not a dict)
            weights[key] = file.get_tensor(key)
    return weights


def _opened(folder: Path, stem: str) -> Iterator[tuple[Path, Any]]:
    """Yield each file of weights, opened, after holding it against the index."""
    for path, expected in weight_files(folder, stem).items():
        try:
            with safe_open(path, framework='pt') as file:
                found = frozenset(file.keys())
                if expected is not None and found != expected:
                    raise UserError(
                        f'{path} does not hold what the index says: lacks '
                        f'{_some(expected - found)}, has besides {_some(found - expected)}; '
                        'copy shards and index again'
                    )
                yield path, file
        except (SafetensorError, OSError) as error:
            raise UserError(f'{path} cannot be read: {error}; copy it again') from None


def assign_weights(
    module: nn.Module,
    weights: Mapping[str, Tensor],
    *,
    what: str,
    device: torch.device | str = 'cpu',
    dtype: torch.dtype | None = None,
) -> None:
    """Give ``weights`` to a module that was built on the meta device, strictly.

    Args:
        module: its parameters have no storage yet.
        weights: key -> tensor; taken as they are, not copied, where device and type fit.
        what: name for error lines.
        device: where the weights go.
        dtype: type to convert them to; None keeps the stored one.

    Raises:
        UserError: missing or unexpected keys, wrong shapes, numbers that are not finite.
    """
    expected = {name: tuple(value.shape) for name, value in module.state_dict().items()}
    check_shapes({key: tuple(value.shape) for key, value in weights.items()}, expected, what)
    placed = {}
    for key, value in weights.items():
        check_finite(key, value, what)
        placed[key] = value.to(device, dtype)
    module.load_state_dict(placed, strict=True, assign=True)


def check_shapes(
    found: Mapping[str, tuple[int, ...]], expected: Mapping[str, tuple[int, ...]], what: str
) -> None:
    """Raise UserError unless both have the same keys and shapes."""
    missing, unexpected = sorted(expected.keys() - found.keys()), sorted(found.keys() - expected)
    if missing or unexpected:
        raise UserError(
            f'{what} weights do not fit config.json: {len(missing)} keys missing '
            f'({_some(missing)}), {len(unexpected)} unexpected ({_some(unexpected)}), '
            f'{len(expected)} expected; check that configuration and weights belong together'
        )
    for key, shape in expected.items():
        if found[key] != shape:
            raise UserError(
                f'{what} weight {key} has shape {found[key]}, expected {shape}; '
                'check that configuration and weights belong together'
            )


def check_finite(key: str, value: Tensor, what: str) -> None:
    """Raise UserError if ``value`` holds a number that is not finite."""
    if not value.is_floating_point() or not value.numel():
        return
    # The extremes carry NaN along, and need one pass and no temporary.
    low, high = torch.aminmax(value.detach())
    if not (bool(torch.isfinite(low)) and bool(torch.isfinite(high))):
        bad = int((~torch.isfinite(value)).sum())
        raise UserError(
            f'{what} weight {key} holds {bad} of {value.numel()} numbers that are not '
            'finite; the file is damaged or training diverged; take another checkpoint'
        )


def write_folder(
    folder: Path,
    stem: str,
    weights: Mapping[str, Tensor],
    config: Mapping[str, Any],
    *,
    shard_bytes: int = SHARD_BYTES,
    overwrite: bool = False,
) -> None:
    """Write config.json and safetensors to ``folder``, whole or not at all.

    Raises:
        UserError: ``folder`` exists and ``overwrite`` is not set.
    """
    with replaced_folder(folder, overwrite=overwrite) as new:
        write_weights(new, stem, weights, shard_bytes)
        write_json(new / CONFIG_NAME, config)


def write_weights(
    folder: Path, stem: str, weights: Mapping[str, Tensor], shard_bytes: int = SHARD_BYTES
) -> None:
    """Write safetensors of at most ``shard_bytes`` each, with an index if there are several."""
    shards = _shards(weights, shard_bytes)
    if len(shards) == 1:
        _save(shards[0], folder / f'{stem}.safetensors')
        return
    weight_map: dict[str, str] = {}
    for number, shard in enumerate(shards, start=1):
        name = f'{stem}-{number:05d}-of-{len(shards):05d}.safetensors'
        _save(shard, folder / name)
        weight_map |= dict.fromkeys(shard, name)
    total = sum(value.nbytes for value in weights.values())
    index = {'metadata': {'total_size': total}, 'weight_map': weight_map}
    write_json(folder / f'{stem}.safetensors.index.json', index)


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Write ``values`` as indented JSON."""
    with path.open('w', encoding='utf-8') as file:
        json.dump(values, file, indent=2)
        file.write('\n')
        file.flush()
        os.fsync(file.fileno())


@contextlib.contextmanager
def replaced_folder(folder: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Yield a new folder beside ``folder`` that takes its place when the block succeeds.

    Raises:
        UserError: ``folder`` exists and ``overwrite`` is not set.
    """
    if folder.exists() and not overwrite:
        raise UserError(f'{folder} exists; choose another path or ask to overwrite it')
    folder.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f'.{folder.name}.', dir=folder.parent))
    try:
        new = work / 'new'
        new.mkdir()
        yield new
        _take_place(new, folder, work / 'old')
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _take_place(new: Path, folder: Path, old: Path) -> None:
    """Rename ``new`` to ``folder``; what stood there goes to ``old``, and back on failure."""
    if not folder.exists():
        new.rename(folder)
        return
    folder.rename(old)
    try:
        new.rename(folder)
    except OSError:
        old.rename(folder)
        raise


def _shards(weights: Mapping[str, Tensor], shard_bytes: int) -> list[dict[str, Tensor]]:
    shards: list[dict[str, Tensor]] = [{}]
    size = 0
    for key, value in weights.items():
        if shards[-1] and size + value.nbytes > shard_bytes:
            shards.append({})
            size = 0
        shards[-1][key] = value
        size += value.nbytes
    return shards


def _save(shard: Mapping[str, Tensor], path: Path) -> None:
    contiguous = {key: value.detach().cpu().contiguous() for key, value in shard.items()}
    save_file(contiguous, path, metadata={'format': 'pt'})
    path.chmod(_FILE_MODE)
    with path.open('rb') as file:
        os.fsync(file.fileno())


def _some(names: Any) -> str:
    """Return the first few of ``names`` for an error line."""
    ordered = sorted(names)
    more = ', ...' if len(ordered) > _NAMES_SHOWN else ''
    return (', '.join(ordered[:_NAMES_SHOWN]) + more) or 'none'
