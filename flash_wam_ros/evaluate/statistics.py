"""Intervals for success rates."""

import math
from statistics import NormalDist


def wilson_interval(successes: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the Wilson score interval of a success rate.

    Args:
        successes: number of successes, 0..trials.
        trials: number of independent trials, >= 1.
        confidence: two-sided coverage, in (0, 1).

    Returns:
        (lower, upper) bounds of the rate, both in [0, 1].

    Raises:
        ValueError: the counts or the confidence are out of range.

    Source: E. B. Wilson, J. Am. Stat. Assoc. 22 (1927) 209-212.
    """
    if not (trials >= 1 and 0 <= successes <= trials):
        raise ValueError(f'{successes} successes of {trials} trials; need 0 <= k <= n, n >= 1')
    if not 0 < confidence < 1:
        raise ValueError(f'confidence {confidence} outside (0, 1); 0.95 is usual')
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    rate = successes / trials
    denominator = 1 + z * z / trials
    centre = (rate + z * z / (2 * trials)) / denominator
    half = z * math.sqrt(rate * (1 - rate) / trials + z * z / (4 * trials**2)) / denominator
    lower = 0.0 if successes == 0 else centre - half
    upper = 1.0 if successes == trials else centre + half
    return lower, upper
