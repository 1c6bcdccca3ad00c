"""Checkpoints that any number of processes reads, and that are whole or not there.

A checkpoint is a folder ``step_<n>`` in the form of torch.distributed.checkpoint: networks,
optimisers and the number of steps done. Writers fill a hidden folder and rename it when every
process has finished, so an interrupted or failed save leaves the older checkpoints alone.
"""

import shutil
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.checkpoint import state_dict_loader, state_dict_saver
from torch.distributed.checkpoint._nested_dict import flatten_state_dict
from torch.distributed.checkpoint.default_planner import DefaultLoadPlanner
from torch.distributed.checkpoint.filesystem import FileSystemReader
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_optimizer_state_dict,
    set_model_state_dict,
    set_optimizer_state_dict,
)

from flash_wam_ros.core import UserError
from flash_wam_ros.distill.train.processes import barrier
from flash_wam_ros.distill.train.stepper import Stepper

_PREFIX = 'step_'
_STEP = 'steps_done'
_OPTIMISER = 'optimiser.'
TEACHER = 'teacher'


def _state(stepper: Stepper) -> dict[str, Any]:
    """Return what a checkpoint holds; the teacher never changes, so it is not kept."""
    networks = stepper.objective.networks
    state: dict[str, Any] = {
        f'network.{name}': get_model_state_dict(network)
        for name, network in networks.items()
        if name != TEACHER
    }
    for name, optimiser in stepper.optimisers.items():
        state[f'{_OPTIMISER}{name}'] = get_optimizer_state_dict(networks[name], optimiser)
    return state


def steps_of(folder: Path) -> int:
    """Return the steps that a checkpoint folder was saved after."""
    return int(folder.name.removeprefix(_PREFIX))


def checkpoints(folder: Path) -> list[Path]:
    """Return the whole checkpoints of a run, oldest first; hidden (unfinished) ones are not."""
    found = [path for path in folder.glob(f'{_PREFIX}*') if (path / '.metadata').is_file()]
    return sorted(found, key=steps_of)


def save(folder: Path, stepper: Stepper, steps_done: int, keep: int) -> Path:
    """Write a checkpoint after ``steps_done`` steps and remove all but the newest ``keep``.

    Raises:
        UserError: the disk refuses (full, read-only); older checkpoints stay as they are.
    """
    final = folder / f'{_PREFIX}{steps_done:08d}'
    partial = folder / f'.partial-{final.name}'
    first = not dist.is_initialized() or dist.get_rank() == 0
    if first:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
    barrier()
    state = {**_state(stepper), _STEP: torch.tensor(steps_done)}
    try:
        _write(state, partial)
    except Exception as error:
        if first:
            shutil.rmtree(partial, ignore_errors=True)
        raise UserError(
            f'checkpoint of step {steps_done} could not be written to {folder} '
            f'({_cause(error)}); free space there and resume: {len(checkpoints(folder))} older '
            'checkpoints are untouched'
        ) from error
    if first:
        shutil.rmtree(final, ignore_errors=True)
        partial.rename(final)
        for old in checkpoints(folder)[:-keep]:
            shutil.rmtree(old)
    barrier()
    return final


def _write(state: dict[str, Any], folder: Path) -> None:
    state_dict_saver.save(state, checkpoint_id=folder, no_dist=not dist.is_initialized())


def _read(state: dict[str, Any], checkpoint: Path) -> None:
    """Fill ``state``; only optimiser entries of weights that never had a gradient may lack."""
    found = FileSystemReader(checkpoint).read_metadata().state_dict_metadata
    wanted = flatten_state_dict(state)[0]
    missing = [key for key in wanted if key not in found and not key.startswith(_OPTIMISER)]
    if missing:
        raise KeyError(f'{len(missing)} entries are missing, among them {missing[0]}')
    state_dict_loader.load(
        state,
        checkpoint_id=checkpoint,
        planner=DefaultLoadPlanner(allow_partial_load=True),
        no_dist=not dist.is_initialized(),
    )


def _cause(error: BaseException) -> str:
    """Return the innermost reason of an error in one line."""
    while error.__cause__ is not None:
        error = error.__cause__
    return ' '.join(str(error).split())[-200:] or type(error).__name__


def load(checkpoint: Path, stepper: Stepper) -> int:
    """Put a checkpoint into networks and optimisers; return the steps done.

    Raises:
        UserError: the checkpoint is of other networks, or damaged.
    """
    state = {**_state(stepper), _STEP: torch.tensor(0)}
    try:
        _read(state, checkpoint)
    except Exception as error:
        raise UserError(
            f'{checkpoint} does not fit this run ({_cause(error)}); resume with the '
            'configuration that wrote it, or remove the folder to fall back to the one before'
        ) from error
    networks = stepper.objective.networks
    for name, network in networks.items():
        if name != TEACHER:
            set_model_state_dict(network, state[f'network.{name}'], options=StateDictOptions())
    for name, optimiser in stepper.optimisers.items():
        set_optimizer_state_dict(
            networks[name], optimiser, optim_state_dict=state[f'{_OPTIMISER}{name}']
        )
    return int(state[_STEP])
