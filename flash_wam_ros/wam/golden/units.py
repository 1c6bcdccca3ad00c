"""Schedules, positions, time embeddings and patches."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor

from flash_wam_ros.wam.embed import patchify, sinusoid, unpatchify
from flash_wam_ros.wam.golden.record import Recordings, need, read_tensors
from flash_wam_ros.wam.golden.result import CaseResult, Comparison
from flash_wam_ros.wam.rope import action_grid, rope_table, video_grid
from flash_wam_ros.wam.schedule import InferenceSchedule, TrainingTable
from flash_wam_ros.wam.transformer import WorldActionTransformer

_SCHEDULE = re.compile(r'sched\.shift(?P<shift>[\d.e-]+)\.n(?P<n>\d+)\.(?P<part>\w+)')
_TABLE = re.compile(r'train_sched\.shift(?P<shift>[\d.e-]+)\.(?P<part>\w+)')
_VIDEO_GRID = re.compile(r'grid\.video\.f(?P<f>\d+)h(?P<h>\d+)w(?P<w>\d+)\.shift(?P<shift>\d+)')
_ACTION_GRID = re.compile(r'grid\.action\.f(?P<f>\d+)n(?P<n>\d+)\.shift(?P<shift>\d+)')


def _schedule(match: re.Match[str]) -> Tensor:
    schedule = InferenceSchedule.make(int(match['n']), float(match['shift']))
    return getattr(schedule, match['part'])  # type: ignore[no-any-return]


def _table(match: re.Match[str]) -> Tensor:
    return getattr(TrainingTable.make(float(match['shift'])), match['part'])  # type: ignore[no-any-return]


def _video_grid(match: re.Match[str]) -> Tensor:
    return video_grid(int(match['f']), int(match['h']), int(match['w']), int(match['shift']))


def _action_grid(match: re.Match[str]) -> Tensor:
    return action_grid(int(match['f']), int(match['n']), int(match['shift']))


_NAMED: Mapping[re.Pattern[str], Callable[[re.Match[str]], Tensor]] = {
    _SCHEDULE: _schedule,
    _TABLE: _table,
    _VIDEO_GRID: _video_grid,
    _ACTION_GRID: _action_grid,
}


def _by_name(name: str) -> Tensor | None:
    """Return what the name of a tensor alone defines."""
    for pattern, make in _NAMED.items():
        match = pattern.fullmatch(name)
        if match:
            return make(match)
    return None


def _positions(record: Mapping[str, Tensor], path: Path) -> dict[str, Tensor]:
    recorded = need(record, 'rope.cos', path)
    rope = rope_table(need(record, 'rope.grid', path), 2 * recorded.shape[-1])
    return {'rope.cos': rope.cos, 'rope.sin': rope.sin}


def _times(
    record: Mapping[str, Tensor], path: Path, model: WorldActionTransformer
) -> dict[str, Tensor]:
    timesteps = need(record, 'temb.t', path)
    found = {'temb.sinusoid': sinusoid(timesteps.flatten(), model.config.freq_dim)}
    for kind in ('video', 'action'):
        temb, modulation = model.embed_time(timesteps, action=kind == 'action')
        found |= {f'temb.{kind}': temb, f'temb.{kind}_proj': modulation.flatten(-2)}
    return found


def _patches(
    record: Mapping[str, Tensor], path: Path, model: WorldActionTransformer
) -> dict[str, Tensor]:
    patch, found = model.config.patch_size, {}
    if 'patchify.out' in record:
        found['patchify.out'] = patchify(need(record, 'patchify.in', path), patch)
    if 'unpatch.out' in record:
        frames, height, width = record['unpatch.out'].shape[2:]
        found['unpatch.out'] = unpatchify(
            need(record, 'unpatch.proj_out', path),
            frames,
            height // patch[1],
            width // patch[2],
            patch,
        )
    return found


@torch.no_grad()
def run_units(path: Path, recordings: Recordings) -> CaseResult:
    """Return how far the parts are from ``units.safetensors``."""
    record = read_tensors(path)
    model = recordings.model(torch.float32)
    found = {name: value for name in record if (value := _by_name(name)) is not None}
    if 'rope.cos' in record:
        found |= _positions(record, path)
    if 'temb.t' in record:
        found |= _times(record, path, model)
    found |= _patches(record, path, model)
    comparison = Comparison(path.stem, torch.float32)
    for name, value in found.items():
        if name in record:
            comparison.add(name, value, record[name])
    return comparison.result()
