"""meta/stats.json: min, max, mean, std, count and five quantiles of each feature."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from flash_wam_ros.core import UserError
from flash_wam_ros.data.files import write_json

STATS_PATH = 'meta/stats.json'
QUANTILES = {'q01': 0.01, 'q10': 0.1, 'q50': 0.5, 'q90': 0.9, 'q99': 0.99}
STATISTICS = ('min', 'max', 'mean', 'std', 'count', *QUANTILES)

Stats = Mapping[str, np.ndarray]

_IMAGE_GRID = 32
_IMAGE_EVERY = 10


def vector_stats(values: np.ndarray) -> dict[str, np.ndarray]:
    """Return the statistics of (T, n) values: each (n,) float64, ``count`` (1,) int64."""
    values = values.astype(np.float64)
    stats = {
        'min': values.min(axis=0),
        'max': values.max(axis=0),
        'mean': values.mean(axis=0),
        'std': values.std(axis=0),
        'count': np.array([len(values)]),
    }
    levels = np.quantile(values, list(QUANTILES.values()), axis=0)
    return stats | dict(zip(QUANTILES, levels, strict=True))


class ImageSampler:
    """Gathers a thin sample of a camera's pixels, from which its statistics are estimated."""

    def __init__(self) -> None:
        self._seen = 0
        self._samples: list[np.ndarray] = []

    def add(self, image: np.ndarray) -> None:
        """Look at one (H, W, 3) uint8 frame; one in ten is sampled on a grid."""
        if self._seen % _IMAGE_EVERY == 0:
            rows, columns = (max(1, size // _IMAGE_GRID) for size in image.shape[:2])
            self._samples.append(image[::rows, ::columns].reshape(-1, 3).copy())
        self._seen += 1

    def stats(self) -> dict[str, np.ndarray]:
        """Return statistics of the channels in [0, 1], each (3, 1, 1), count in frames."""
        stats = vector_stats(np.concatenate(self._samples) / 255.0)
        shaped = {name: value.reshape(3, 1, 1) for name, value in stats.items() if name != 'count'}
        return shaped | {'count': np.array([len(self._samples)])}


def merge_stats(parts: Sequence[Stats]) -> dict[str, np.ndarray]:
    """Return the statistics of several sets of frames together.

    min, max, mean, std and count are exact; the quantiles are the means of the parts' quantiles
    weighted by their counts, an estimate (LeRobot's own).
    """
    counts = np.array([float(part['count'][0]) for part in parts])
    weights = counts / counts.sum()

    def mean(arrays: Iterable[np.ndarray]) -> np.ndarray:
        return np.tensordot(weights, np.stack(list(arrays)), axes=1)

    centre = mean(part['mean'] for part in parts)
    variance = mean(part['std'] ** 2 + (part['mean'] - centre) ** 2 for part in parts)
    merged = {
        'min': np.min([part['min'] for part in parts], axis=0),
        'max': np.max([part['max'] for part in parts], axis=0),
        'mean': centre,
        'std': np.sqrt(variance),
        'count': np.array([int(counts.sum())]),
    }
    return merged | {name: mean(part[name] for part in parts) for name in QUANTILES}


def write_stats(root: Path, stats: Mapping[str, Stats]) -> None:
    """Write meta/stats.json."""
    content = {
        feature: {name: np.asarray(value).tolist() for name, value in values.items()}
        for feature, values in stats.items()
    }
    write_json(root / STATS_PATH, content)


def stats_from_json(content: Mapping[str, Any]) -> dict[str, dict[str, np.ndarray]]:
    """Return statistics as arrays from their JSON form."""
    return {
        feature: {name: np.asarray(value) for name, value in values.items()}
        for feature, values in content.items()
    }


def stats_columns(stats: Mapping[str, Stats]) -> dict[str, Any]:
    """Return the columns ``stats/FEATURE/NAME`` of one row of meta/episodes."""
    return {
        f'stats/{feature}/{name}': np.asarray(values[name]).tolist()
        for feature, values in stats.items()
        for name in STATISTICS
    }


def stats_type(name: str, is_video: bool) -> pa.DataType:
    """Return the arrow type of one statistic of a vector or a camera."""
    if name == 'count':
        return pa.list_(pa.int64())
    return pa.list_(pa.list_(pa.list_(pa.float64()))) if is_video else pa.list_(pa.float64())


def read_episode_stats(
    path: Path, features: Sequence[str], episodes: int
) -> list[dict[str, dict[str, np.ndarray]]]:
    """Return the statistics of those episodes of a meta/episodes file that are below a number.

    Raises:
        UserError: the file cannot be read or lacks a statistic.
    """
    names = [f'stats/{feature}/{name}' for feature in features for name in STATISTICS]
    try:
        rows = pq.read_table(path, columns=['episode_index', *names]).to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise UserError(f'{path} cannot be read ({error}); restore the file') from None
    return [
        {
            feature: {name: np.array(row[f'stats/{feature}/{name}']) for name in STATISTICS}
            for feature in features
        }
        for row in rows
        if row['episode_index'] < episodes
    ]
