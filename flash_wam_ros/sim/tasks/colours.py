"""Colours within the meaning of a word: every red is red to a person, none is the same."""

import colorsys

import numpy as np

from flash_wam_ros.sim.tasks.shapes import Rgb

# Word -> ranges of hue, saturation and value, each 0..1; a hue range may pass through 0.
_RANGES: dict[str, tuple[tuple[float, float], tuple[float, float], tuple[float, float]]] = {
    'red': ((-0.02, 0.01), (0.85, 1.0), (0.65, 0.95)),
    'yellow': ((0.135, 0.165), (0.8, 1.0), (0.8, 1.0)),
    'pink': ((0.90, 0.94), (0.45, 0.65), (0.9, 1.0)),
    'green': ((0.30, 0.40), (0.6, 0.9), (0.45, 0.75)),
    'blue': ((0.58, 0.65), (0.6, 0.9), (0.5, 0.85)),
    'brown': ((0.08, 0.11), (0.45, 0.65), (0.55, 0.75)),
    'grey': ((0.0, 1.0), (0.0, 0.06), (0.3, 0.85)),
    'wood': ((0.06, 0.11), (0.15, 0.5), (0.5, 0.9)),
}


def shade(word: str, rng: np.random.Generator) -> Rgb:
    """Return an RGB colour, each 0..1, that people call by ``word``."""
    hue, saturation, value = (float(rng.uniform(*bounds)) for bounds in _RANGES[word])
    return colorsys.hsv_to_rgb(hue % 1.0, saturation, value)
