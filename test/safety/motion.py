"""An independent checker of motion: from sent positions alone, by divided differences."""

import numpy as np


def derivatives(times, positions):
    """Return the largest |velocity|, |acceleration| and |jerk| (J,) over positions (N, J).

    The k-th derivative of a smooth motion takes the value k! times the divided difference of
    order k somewhere between the samples, so a motion inside its limits shows no more than them.
    """
    column = np.asarray(times)[:, None]
    table, largest = np.asarray(positions, float), []
    for order, factorial in ((1, 1.0), (2, 2.0), (3, 6.0)):
        table = np.diff(table, axis=0) / (column[order:] - column[:-order])
        largest.append(factorial * np.abs(table).max(axis=0))
    return largest


def violations(times, positions, lower, upper, velocity, acceleration, jerk, eps=1e-7):
    """Return the broken limits as words, [] for a motion inside all of them."""
    positions = np.asarray(positions, float)
    found = []
    if not np.all(np.isfinite(positions)):
        return ['not finite']
    if not np.all((positions >= lower - eps) & (positions <= upper + eps)):
        found.append('position')
    peaks = derivatives(times, positions)
    limits = (velocity, acceleration, jerk)
    for name, peak, limit in zip(('velocity', 'acceleration', 'jerk'), peaks, limits, strict=True):
        # Rounding of positions grows with the order of the difference.
        room = {'velocity': 1e-9, 'acceleration': 1e-6, 'jerk': 1e-3}[name]
        if not np.all(peak <= limit * (1 + 1e-6) + room):
            found.append(f'{name} {(peak / limit).max():.6f} of its limit')
    return found
