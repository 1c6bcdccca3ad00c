"""Interpolation of waypoints that never leaves the range between two neighbours."""

import numpy as np


def monotone_slopes(times: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the (T, J) slopes of a monotone cubic through ``values`` (T, J) at ``times`` (T,).

    Inside, the weighted harmonic mean of the neighbouring secants where they agree in sign, else
    zero (Fritsch and Butland, SIAM J. Sci. Stat. Comput. 5, 1984); at both ends the secant.
    """
    if len(times) == 1:
        return np.zeros_like(values)
    step = np.diff(times)[:, None]
    secant = np.diff(values, axis=0) / step
    left, right = secant[:-1], secant[1:]
    agree = left * right > 0
    w_left, w_right = 2 * step[1:] + step[:-1], step[1:] + 2 * step[:-1]
    weighted = w_left * right + w_right * left
    inner = np.divide(
        (w_left + w_right) * left * right, weighted, out=np.zeros_like(left), where=agree
    )
    return np.concatenate([secant[:1], inner, secant[-1:]])


class MonotoneCubic:
    """A curve through waypoints (T, J), constant before the first and after the last."""

    def __init__(self, times: np.ndarray, values: np.ndarray) -> None:
        self._times = times
        self._values = values
        self._slopes = monotone_slopes(times, values)
        self._columns = np.arange(values.shape[1])

    def __call__(self, at: np.ndarray) -> np.ndarray:
        """Return the (J,) values, joint i at its own time ``at[i]``."""
        times = self._times
        if len(times) == 1:
            return self._values[0].copy()
        at = np.clip(at, times[0], times[-1])
        left = np.clip(np.searchsorted(times, at, side='right') - 1, 0, len(times) - 2)
        step = times[left + 1] - times[left]
        u = (at - times[left]) / step
        start, end = self._values[left, self._columns], self._values[left + 1, self._columns]
        m_start = self._slopes[left, self._columns] * step
        m_end = self._slopes[left + 1, self._columns] * step
        square, cube = u * u, u * u * u
        return np.asarray(
            (2 * cube - 3 * square + 1) * start
            + (cube - 2 * square + u) * m_start
            + (3 * square - 2 * cube) * end
            + (cube - square) * m_end
        )
