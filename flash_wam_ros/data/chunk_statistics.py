"""Statistics of joints, and of actions relative to the pose at the start of their chunk."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from flash_wam_ros.core import UserError
from flash_wam_ros.data.keyframe_windows import EpisodeNumbers, KeyframeSpec, read_numbers
from flash_wam_ros.data.lerobot import open_dataset
from flash_wam_ros.data.quantiles import exact_quantiles
from flash_wam_ros.wam.actions import NUM_CHANNELS, ActionConfig
from flash_wam_ros.wam.config import WamConfig
from flash_wam_ros.wam.state import StateConfig

LEAST_RANGE = 0.02
"""Least range of an action and least spread of a joint [rad; m for grippers].

A joint that rests in all demonstrations would else turn the model's noise into motion.
"""


def with_statistics(
    config: WamConfig,
    spec: KeyframeSpec,
    most: int = sys.maxsize,
    objects: tuple[str, ...] = (),
) -> WamConfig:
    """Return ``config`` with statistics of chunk-relative actions, and the spread of joints.

    Both targets and executed actions count. Each action of a chunk gets a scale of its own: one
    standard deviation about its mean maps to [-1, 1]. The 1 % and 99 % quantiles of all of them
    together are exact.

    Args:
        config: the model.
        spec: the datasets.
        most: episodes of each dataset that count, its first ones; so that a large dataset does
            not outvote a small one.
        objects: whose places the model reads after the joints.

    Raises:
        UserError: a dataset lacks a feature, or has another number of joints.
    """
    used = config.actions.used
    span = config.chunk.actions_per_chunk

    def offsets() -> Iterator[np.ndarray]:
        for numbers in _episodes(spec, len(used), most):
            for values in (numbers.wanted, numbers.executed):
                yield from _ahead(values, numbers.state, span).swapaxes(0, 1)

    low, high = _widened(*exact_quantiles(offsets, (0.01, 0.99)))
    actions = ActionConfig.from_limits(used, low.tolist(), high.tolist())
    whole = (
        _ahead(values, numbers.state, span).reshape(len(numbers.state), -1)
        for numbers in _episodes(spec, len(used), most)
        for values in (numbers.wanted, numbers.executed)
    )
    middle, spread = (column.reshape(span, len(used)) for column in _spread(whole))
    spread = np.maximum(spread, LEAST_RANGE / 2)
    actions = replace(
        actions,
        step_low=_rows(used, middle - spread),
        step_high=_rows(used, middle + spread),
    )
    if config.state is None or config.model.context is None:
        return replace(config, actions=actions, state=None)
    mean, std = _spread(numbers.read for numbers in _episodes(spec, len(used), most, objects))
    state = StateConfig(
        mean=tuple(mean.tolist()),
        std=tuple(np.maximum(std, LEAST_RANGE).tolist()),
        objects=objects,
    )
    context = replace(config.model.context, state_dim=state.size)
    model = replace(config.model, context=context)
    return replace(config, model=model, actions=actions, state=state)


def _episodes(
    spec: KeyframeSpec, joints: int, most: int, objects: Sequence[str] = ()
) -> Iterator[EpisodeNumbers]:
    for folder in spec.datasets:
        reader = open_dataset(Path(folder))
        for episode in range(min(len(reader), most)):
            numbers = read_numbers(reader, spec, episode, objects)
            if numbers.state.shape[1] != joints:
                raise UserError(
                    f'{folder} has {numbers.state.shape[1]} joints, the model {joints}; '
                    'use a preset of this robot'
                )
            yield numbers


def _ahead(values: np.ndarray, state: np.ndarray, span: int) -> np.ndarray:
    """Return (T, K, J) offsets of the next K of (T, J) values from each of (T, J) states."""
    rows = np.arange(len(state))[:, None] + np.arange(span)
    return np.asarray(values[rows.clip(max=len(state) - 1)] - state[:, None])


def _rows(used: Sequence[int], values: np.ndarray) -> tuple[tuple[float, ...], ...]:
    """Return (K, C) rows of the (K, U) values in environment order; unused channels are 0."""
    table = np.zeros((len(values), NUM_CHANNELS))
    table[:, list(used)] = values
    return tuple(tuple(row) for row in table.tolist())


def _widened(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    lacking = np.maximum(LEAST_RANGE - (high - low), 0) / 2
    return low - lacking, high + lacking


def _spread(blocks: Iterable[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation of each column."""
    count, total, squares = 0, 0.0, 0.0
    for block in blocks:
        values = block.astype(np.float64)
        count += len(values)
        total = total + values.sum(0)
        squares = squares + (values**2).sum(0)
    mean = np.asarray(total) / count
    return mean, np.sqrt(np.maximum(np.asarray(squares) / count - mean**2, 0))
