"""What a model sees before it does anything: colours through its codec, places in its context.

Two questions that a model must pass before its training is worth its time:

- do coloured things keep their colour in the latents? Each strongly coloured pixel is compared
  with itself after the codec.
- is it known where things are? A ridge regression from what the noisy tokens are told of the
  present to the true positions of the objects: fitted on demonstrations, judged on others.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from flash_wam_ros.core import UserError
from flash_wam_ros.data.cameras import dataset_camera
from flash_wam_ros.data.lerobot import LeRobotReader
from flash_wam_ros.data.places import PRIVILEGED_PREFIX
from flash_wam_ros.wam.canvas import image_from_pixels, pixels_from_image
from flash_wam_ros.wam.canvas_codec import CanvasEncoder, recode
from flash_wam_ros.wam.pipeline import Pipeline
from flash_wam_ros.wam.state import StateConfig

STATE_KEY = 'observation.state'
"""Name of the joints in a dataset; see collect/features.py."""
COLOURED = 0.5
"""Least saturation, 0..1, of a pixel whose colour counts."""
_LEAST_VALUE = 0.25
_RIDGE = 1e-2


@dataclass(frozen=True, kw_only=True, slots=True)
class Colours:
    """How coloured pixels come through the codec.

    Attributes:
        pixels: how many were compared.
        hue_error_deg: median difference of hue [degrees].
        kept: share of them whose hue is within 20 degrees and whose saturation is still coloured
            by half.
    """

    pixels: int
    hue_error_deg: float
    kept: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """How well a linear probe finds an object.

    Attributes:
        name: of the object.
        error_m: mean distance on the table of the found from the true place [m].
        p90_m: the 90th percentile of that [m].
        spread_m: mean distance of the true places from their mean: the error of not looking [m].
        frames: how many were judged.
    """

    name: str
    error_m: float
    p90_m: float
    spread_m: float
    frames: int


def colours(reader: LeRobotReader, pipeline: Pipeline, frames: int, seed: int = 0) -> Colours:
    """Return how the colours of drawn frames of a dataset come through the codec.

    Raises:
        UserError: no frame has a coloured pixel.
    """
    errors, kept = [], []
    canvas = pipeline.config.canvas
    camera = canvas.cameras[0]
    for episode, frame in _drawn(reader, frames, seed):
        image = reader.images(episode, dataset_camera(reader, camera), [frame])[0]
        seen = image_from_pixels(pixels_from_image(image, canvas.pixel_size(camera)))
        decoded = recode(canvas, pipeline.codec, seen, camera)
        before, after = _hsv(seen), _hsv(decoded)
        counted = (before[..., 1] >= COLOURED) & (before[..., 2] >= _LEAST_VALUE)
        turned = abs(before[counted][:, 0] - after[counted][:, 0])
        turned = np.minimum(turned, 360 - turned)
        errors.append(turned)
        kept.append((turned < 20) & (after[counted][:, 1] >= COLOURED / 2))
    turned = np.concatenate(errors)
    if not len(turned):
        raise UserError(f'{reader.root}: no pixel of {frames} frames is coloured; draw more')
    return Colours(
        pixels=len(turned),
        hue_error_deg=float(np.median(turned)),
        kept=float(np.concatenate(kept).mean()),
    )


def _hsv(image: np.ndarray) -> np.ndarray:
    """Return (H, W, 3) hue [degrees], saturation and value 0..1 of an RGB uint8 picture."""
    return np.asarray(cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2HSV))


def places(
    fitted: LeRobotReader, held_out: LeRobotReader, pipeline: Pipeline, frames: int
) -> tuple[Place, ...]:
    """Return how well a linear probe finds each object of held-out demonstrations.

    Args:
        fitted: demonstrations that the probe is fitted to.
        held_out: demonstrations that it is judged on.
        pipeline: a model with an observation context.
        frames: drawn from each.

    Raises:
        UserError: the model has no such context, or the datasets no poses of objects.
    """
    names = [name for name in fitted.info.features if name.startswith(PRIVILEGED_PREFIX)]
    if not names or pipeline.transformer.context is None:
        raise UserError(
            f'{fitted.root} names {len(names)} poses of objects and the model '
            f'{"an" if pipeline.transformer.context else "no"} observation context; a probe '
            'needs both'
        )
    (known, wanted), (shown, true) = (
        _features(reader, pipeline, frames, names) for reader in (fitted, held_out)
    )
    found = _ridge(known, wanted, shown)
    rows = []
    for index, name in enumerate(names):
        at = slice(2 * index, 2 * index + 2)
        away = np.linalg.norm(found[:, at] - true[:, at], axis=1)
        spread = np.linalg.norm(true[:, at] - true[:, at].mean(0), axis=1)
        rows.append(
            Place(
                name=name.removeprefix(PRIVILEGED_PREFIX),
                error_m=float(away.mean()),
                p90_m=float(np.quantile(away, 0.9)),
                spread_m=float(spread.mean()),
                frames=len(away),
            )
        )
    return tuple(rows)


def _drawn(reader: LeRobotReader, frames: int, seed: int = 0) -> Iterator[tuple[int, int]]:
    """Yield episodes and frames, drawn evenly over all frames."""
    lengths = np.array([record.length for record in reader])
    ends = np.cumsum(lengths)
    for row in np.random.default_rng(seed).integers(0, ends[-1], frames):
        episode = int(np.searchsorted(ends, row, side='right'))
        yield episode, int(row - ends[episode] + lengths[episode])


@torch.no_grad()
def _features(
    reader: LeRobotReader, pipeline: Pipeline, frames: int, names: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Return (N, D) what the noisy tokens are told, and (N, 2 objects) where things are [m]."""
    config, texts = pipeline.config, dict[str, Tensor]()
    told, true = [], []
    for episode, frame in _drawn(reader, frames):
        words = reader.episodes[episode].tasks[0]
        if words not in texts:
            texts[words] = pipeline.text.encode(words)
        vectors = reader.arrays(episode, [STATE_KEY, *names]).vectors
        looks = {
            camera: reader.images(episode, dataset_camera(reader, camera), [frame])[0]
            for camera in config.canvas.cameras
        }
        still = CanvasEncoder(config.canvas, pipeline.codec).push([looks])
        state = _read(config.state, vectors, frame) if config.state else None
        context = pipeline.transformer.observation_context(
            still, texts[words][None], None if state is None else state[None]
        )
        assert context is not None
        told.append(torch.cat([context.places.flatten(), context.summary.flatten()]).numpy())
        true.append(np.concatenate([vectors[name][frame][:2] for name in names]))
    return np.array(told, np.float64), np.array(true, np.float64)


def _read(state: StateConfig, vectors: Mapping[str, np.ndarray], frame: int) -> Tensor:
    """Return the (S,) numbers that a model reads with a frame, normalised."""
    poses = {
        name.removeprefix(PRIVILEGED_PREFIX): values[frame]
        for name, values in vectors.items()
        if name.startswith(PRIVILEGED_PREFIX)
    }
    return state.normalise(state.reading(vectors[STATE_KEY][frame], poses))


def _ridge(known: np.ndarray, wanted: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """Return what a ridge regression of ``wanted`` on ``known`` says of ``shown``."""
    middle, spread = known.mean(0), known.std(0) + 1e-9
    x, y = (known - middle) / spread, wanted - wanted.mean(0)
    gram = x.T @ x + _RIDGE * len(x) * np.eye(x.shape[1])
    weights = np.linalg.solve(gram, x.T @ y)
    return np.asarray((shown - middle) / spread @ weights + wanted.mean(0))
