"""The model that a run leaves: a folder that the runtime loads."""

import shutil
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from flash_wam_ros.distill.objective import Objective
from flash_wam_ros.distill.train.config import RunConfig
from flash_wam_ros.distill.train.processes import barrier, gathered
from flash_wam_ros.wam.config import WamConfig
from flash_wam_ros.wam.pipeline import TEXT, VAE, save_pipeline
from flash_wam_ros.wam.presets import few_steps
from flash_wam_ros.wam.transformer import WorldActionTransformer

MODEL_NAME = 'model'
STUDENT_VIDEO_STEPS = 1
STUDENT_ACTION_STEPS = 2
POLICY_NAME = 'policy.json'
"""How a robot places the model's actions in time and space; the policy room reads it."""

_PREFIX = 'transformer.'
_SMALL_BYTES = 4 << 20


def takes_target(network: nn.Module) -> bool:
    """Return whether a network is a flow map."""
    transformer = getattr(network, 'transformer', None)
    return isinstance(transformer, WorldActionTransformer) and transformer.config.target_time


def export_model(run: Path, objective: Objective, wam: WamConfig, config: RunConfig) -> Path:
    """Write the moving average as a model folder.

    Small codecs and text encoders of the start come along, and what a robot must know of the
    model; large ones stay there: name that folder as the base when loading.
    """
    average = objective.networks['average']
    state = gathered(average)
    folder = run / MODEL_NAME
    if state:
        wam = replace(wam, model=replace(wam.model, target_time=takes_target(average)))
        with torch.device('meta'):
            transformer = WorldActionTransformer(wam.model)
        weights = {
            key.removeprefix(_PREFIX): value
            for key, value in state.items()
            if key.startswith(_PREFIX)
        }
        transformer.load_state_dict(weights, assign=True)
        if config.teacher is not None:
            wam = replace(wam, acts_blind=config.teacher.imagination_dropout > 0)
        if config.recipe is not None:
            # No recipe trains a student without its imagination.
            wam = replace(wam, acts_blind=False)
            wam = few_steps(wam, STUDENT_VIDEO_STEPS, STUDENT_ACTION_STEPS)
        save_pipeline(folder, wam, transformer, overwrite=True)
        if config.start.checkpoint:
            _bring_along(Path(config.start.checkpoint), folder)
    barrier()
    return folder


def _bring_along(start: Path, folder: Path) -> None:
    """Copy what belongs to a model beside its network, where it is small."""
    for name in (VAE, TEXT):
        part = start / name
        if part.is_dir() and sum(f.stat().st_size for f in part.rglob('*')) <= _SMALL_BYTES:
            shutil.copytree(part, folder / name, dirs_exist_ok=True)
    if (start / POLICY_NAME).is_file():
        shutil.copyfile(start / POLICY_NAME, folder / POLICY_NAME)
