"""Statistics of what a model learns to do, from which its actions are normalised."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from flash_wam_ros.core import UserError
from flash_wam_ros.data.files import read_json, write_json
from flash_wam_ros.data.lerobot import LeRobotReader
from flash_wam_ros.data.quantiles import exact_quantiles
from flash_wam_ros.data.segments import all_segments
from flash_wam_ros.data.spaces import ActionSpace
from flash_wam_ros.wam.actions import ActionConfig

STATISTICS_PATH = 'meta/action_statistics.json'
_LEVELS = {'q01': 0.01, 'q50': 0.5, 'q99': 0.99}


@dataclass(frozen=True, kw_only=True, slots=True)
class ActionStatistics:
    """Statistics of each of U channels over all frames of a dataset; quantiles are exact.

    Attributes:
        feature: the recorded feature.
        space: the space's name.
        names: (U,) channel names, () if unknown.
        count: frames.
        min: (U,) least value.
        max: (U,) greatest value.
        mean: (U,) mean.
        std: (U,) standard deviation (of the population).
        q01: (U,) 1 % quantile, or the low end of a fixed range.
        q50: (U,) median.
        q99: (U,) 99 % quantile, or the high end of a fixed range.
    """

    feature: str
    space: str
    names: tuple[str, ...]
    count: int
    min: tuple[float, ...]
    max: tuple[float, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    q01: tuple[float, ...]
    q50: tuple[float, ...]
    q99: tuple[float, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)

    def action_config(self, used: Sequence[int]) -> ActionConfig:
        """Return the model's channels and quantiles, unused channels [0, 0].

        Args:
            used: (U,) the model's channel of each of these channels.

        Raises:
            UserError: another number of channels.
        """
        return ActionConfig.from_limits(used, self.q01, self.q99)

    def write(self, path: Path) -> None:
        """Write them as JSON, whole or not at all."""
        write_json(path, self.to_json())


def read_statistics(path: Path) -> ActionStatistics:
    """Read what ``ActionStatistics.write`` wrote.

    Raises:
        UserError: the file is missing, damaged or of another kind.
    """
    content = read_json(path)
    try:
        fields: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in content.items()
        }
        return ActionStatistics(**fields)
    except (TypeError, AttributeError) as error:
        raise UserError(f'{path} holds no action statistics ({error}); make them again') from None


def action_statistics(
    reader: LeRobotReader,
    feature: str,
    space: ActionSpace,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> ActionStatistics:
    """Compute the statistics of ``feature`` in ``space`` over a dataset, in bounded memory.

    Args:
        reader: the dataset.
        feature: the recorded actions.
        space: how they are turned into what is learned.
        progress: called with (segments done, segments in all) of three passes.

    Raises:
        UserError: no episodes, an unknown feature, or a damaged or non-finite episode.
    """
    segments = list(all_segments(reader))
    if not segments:
        raise UserError(f'{reader.root} has no episodes, so no statistics; record some first')
    done = 0

    def blocks() -> Iterator[np.ndarray]:
        nonlocal done
        wanted = [name for name in (feature, space.state_feature) if name is not None]
        for segment in segments:
            vectors = reader.arrays(segment.episode, list(dict.fromkeys(wanted))).vectors
            state = None if space.state_feature is None else vectors[space.state_feature]
            converted = space.convert(vectors[feature], state, segment.start)
            yield converted[segment.start : segment.end].astype(np.float32)
            done += 1
            progress(done, 3 * len(segments))

    moments = _moments(blocks())
    quantiles = exact_quantiles(blocks, list(_LEVELS.values()))
    values = {name: row.copy() for name, row in zip(_LEVELS, quantiles, strict=True)}
    for column, (low, high) in space.fixed_ranges.items():
        values['q01'][column], values['q99'][column] = low, high
    names = reader.info.feature(feature).names
    facts: dict[str, Any] = {
        'feature': feature,
        'space': space.name,
        'names': names if len(names) == len(values['q01']) else (),
        'count': moments.count,
    }
    for name, row in (moments.rows() | values).items():
        facts[name] = tuple(row.tolist())
    return ActionStatistics(**facts)


@dataclass(slots=True)
class _Moments:
    """Running count, extremes, mean and sum of squared deviations (Chan, Golub, LeVeque)."""

    count: int
    low: np.ndarray
    high: np.ndarray
    mean: np.ndarray
    deviation: np.ndarray

    def rows(self) -> dict[str, np.ndarray]:
        return {
            'min': self.low,
            'max': self.high,
            'mean': self.mean,
            'std': np.sqrt(self.deviation / self.count),
        }


def _moments(blocks: Iterable[np.ndarray]) -> _Moments:
    total: _Moments | None = None
    for block in blocks:
        values = block.astype(np.float64)
        mean = values.mean(axis=0)
        part = _Moments(
            count=len(values),
            low=values.min(axis=0),
            high=values.max(axis=0),
            mean=mean,
            deviation=((values - mean) ** 2).sum(axis=0),
        )
        total = part if total is None else _joined(total, part)
    assert total is not None
    return total


def _joined(a: _Moments, b: _Moments) -> _Moments:
    count, step = a.count + b.count, b.mean - a.mean
    return _Moments(
        count=count,
        low=np.minimum(a.low, b.low),
        high=np.maximum(a.high, b.high),
        mean=a.mean + step * (b.count / count),
        deviation=a.deviation + b.deviation + step**2 * (a.count * b.count / count),
    )
