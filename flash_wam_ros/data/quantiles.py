"""Exact quantiles of any amount of numbers in little memory, by radix selection.

float32 numbers keep their order when their bits are read as integers (with the sign's twist).
One pass counts them by the upper 16 bits, which tells in which of 65,536 bins each wanted order
statistic lies; a second pass counts the lower 16 bits inside those bins alone. So the result is
the exact order statistic, whatever the distribution, with 0.5 MB a channel.
"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np

_BINS = 1 << 16


def _sortable(values: np.ndarray) -> np.ndarray:
    """Return float32 ``values`` as uint32 of the same order."""
    # Adding zero turns -0.0 into 0.0, which are one number but two bit patterns.
    bits = (np.ascontiguousarray(values, np.float32) + np.float32(0)).view(np.uint32)
    return np.where(bits >> 31 == 1, ~bits, bits | np.uint32(1 << 31))


def _from_sortable(keys: np.ndarray) -> np.ndarray:
    """Undo ``_sortable``."""
    keys = keys.astype(np.uint32)
    return np.where(keys >> 31 == 1, keys & np.uint32(0x7FFFFFFF), ~keys).view(np.float32)


def exact_quantiles(
    blocks: Callable[[], Iterable[np.ndarray]], levels: Sequence[float]
) -> np.ndarray:
    """Return the quantiles of each channel, linear between order statistics as in numpy.

    Args:
        blocks: starts a fresh pass over the (T, C) float32 blocks; it is called twice.
        levels: (Q,) levels in [0, 1].

    Returns:
        (Q, C) float64.

    Raises:
        ValueError: a level outside [0, 1], no rows, or a number that is not finite.
    """
    if not all(0 <= level <= 1 for level in levels):
        raise ValueError(f'quantile levels {list(levels)} must lie in [0, 1]')
    upper, count = _count_upper(blocks())
    places = np.asarray(levels, np.float64) * (count - 1)
    ranks = np.unique(np.concatenate([np.floor(places), np.ceil(places)]).astype(np.int64))
    ordered = _select(blocks(), upper, ranks)
    low = ordered[np.searchsorted(ranks, np.floor(places).astype(np.int64))]
    high = ordered[np.searchsorted(ranks, np.ceil(places).astype(np.int64))]
    return low + (high - low) * (places - np.floor(places))[:, None]


def _count_upper(blocks: Iterable[np.ndarray]) -> tuple[np.ndarray, int]:
    """Return the (C, 65536) counts by upper half, and the number of rows."""
    counts: np.ndarray | None = None
    rows = 0
    for block in blocks:
        if not np.all(np.isfinite(block)):
            raise ValueError('quantiles of numbers that are not finite; repair the data')
        keys = _sortable(block) >> 16
        if counts is None:
            counts = np.zeros((block.shape[1], _BINS), np.int64)
        for channel in range(block.shape[1]):
            counts[channel] += np.bincount(keys[:, channel], minlength=_BINS)
        rows += len(block)
    if counts is None or rows == 0:
        raise ValueError('quantiles of no rows; give at least one')
    return counts, rows


def _select(blocks: Iterable[np.ndarray], upper: np.ndarray, ranks: np.ndarray) -> np.ndarray:
    """Return the (R, C) order statistics of the given ranks, counted from 0."""
    channels = len(upper)
    before = np.cumsum(upper, axis=1) - upper
    bins = np.stack([_bin_of_rank(upper[c], ranks) for c in range(channels)])
    lower = {(c, b): np.zeros(_BINS, np.int64) for c in range(channels) for b in set(bins[c])}
    for block in blocks:
        keys = _sortable(block)
        for channel, bin_ in lower:
            column = keys[:, channel]
            inside = column[column >> 16 == bin_] & np.uint32(0xFFFF)
            lower[channel, bin_] += np.bincount(inside, minlength=_BINS)
    keys = np.empty((len(ranks), channels), np.uint32)
    for channel in range(channels):
        for row, (rank, bin_) in enumerate(zip(ranks, bins[channel], strict=True)):
            rest = rank - before[channel, bin_]
            low = np.searchsorted(np.cumsum(lower[channel, bin_]), rest, side='right')
            keys[row, channel] = (np.uint32(bin_) << np.uint32(16)) | np.uint32(low)
    return _from_sortable(keys).astype(np.float64)


def _bin_of_rank(counts: np.ndarray, ranks: np.ndarray) -> np.ndarray:
    return np.searchsorted(np.cumsum(counts), ranks, side='right')
