"""Distances between predictions, and their reductions.

Sums over masked elements are divided by the number of unmasked ones, so that a window with
fewer supervised actions weighs the same.
"""

from torch import Tensor


def pseudo_huber(prediction: Tensor, target: Tensor, c: float) -> Tensor:
    """Return sqrt(d^2 + c^2) - c elementwise: quadratic below ``c``, linear above it."""
    difference = (prediction - target).float()
    return (difference.square() + c * c).sqrt() - c


def squared_error(prediction: Tensor, target: Tensor) -> Tensor:
    """Return d^2 elementwise, in fp32."""
    return (prediction - target).float().square()


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Return the mean of ``values`` where ``mask`` is True (0 if it is nowhere True)."""
    weights = mask.to(values.dtype)
    return (values * weights).sum() / weights.sum().clamp_min(1.0)
