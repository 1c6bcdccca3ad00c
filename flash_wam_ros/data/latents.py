"""Encoded video on disk: one file a segment and camera, made once for a codec.

A cache lies in a folder named by what decides its content: the codec's weights, the camera sizes
and the stride. Another codec therefore has another folder. Each file states from which video it
was made, so that a segment recorded anew is encoded anew. Files appear whole; an interrupted run
goes on where it stopped.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from flash_wam_ros.core import UserError, did_you_mean
from flash_wam_ros.data.alignment import FrameGrid
from flash_wam_ros.data.files import read_json
from flash_wam_ros.data.lerobot import LeRobotReader
from flash_wam_ros.data.segments import EpisodeSegment, all_segments

CACHE_FOLDER = 'latents'
WHOLE = slice(None)
SPEC_NAME = 'cache.json'
TENSOR_NAME = 'latent'
DTYPES = {'float32': torch.float32, 'bfloat16': torch.bfloat16, 'float16': torch.float16}


@dataclass(frozen=True, kw_only=True, slots=True)
class LatentSpec:
    """What decides the content of a cache.

    Attributes:
        codec: digest of the codec's configuration and weights.
        temporal_factor: encoded frames a latent frame, after the first.
        sizes: camera -> (H, W) that its frames are resized to [px].
        stride: frames of the dataset from one encoded frame to the next.
        dtype: the type that latents are kept in.
    """

    codec: str
    temporal_factor: int
    sizes: Mapping[str, tuple[int, int]]
    stride: int = 1
    dtype: str = 'float32'

    def __post_init__(self) -> None:
        """Refuse no cameras, an unknown type, steps below one."""
        if not self.sizes:
            raise UserError('a latent cache needs a camera; name at least one')
        if self.dtype not in DTYPES:
            raise UserError(
                f'unknown latent type {self.dtype!r}; {did_you_mean(self.dtype, DTYPES)}'
            )
        if not (self.stride >= 1 and self.temporal_factor >= 1):
            raise UserError(
                f'stride {self.stride} and temporal factor {self.temporal_factor} must be >= 1'
            )

    def to_json(self) -> dict[str, object]:
        """Return plain values."""
        return {
            'codec': self.codec,
            'temporal_factor': self.temporal_factor,
            'sizes': {camera: list(size) for camera, size in sorted(self.sizes.items())},
            'stride': self.stride,
            'dtype': self.dtype,
        }

    @property
    def key(self) -> str:
        """A short digest of all of it, the name of the folder."""
        text = json.dumps(self.to_json(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def grid(self, segment: EpisodeSegment) -> FrameGrid:
        """Return which frames of a segment are encoded."""
        return FrameGrid(
            start=segment.start,
            end=segment.end,
            stride=self.stride,
            temporal_factor=self.temporal_factor,
        )


def weights_digest(folder: Path) -> str:
    """Return the digest of a model's folder: its configuration and every weight in it.

    Raises:
        UserError: the folder holds none.
    """
    files = sorted([*folder.glob('*.json'), *folder.glob('*.safetensors')])
    if not files:
        raise UserError(f'{folder} holds no config.json or safetensors; check the path')
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.name.encode() + b'\0' + file_digest(path).encode())
    return digest.hexdigest()


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file; UserError if it cannot be read."""
    digest = hashlib.sha256()
    try:
        with path.open('rb') as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError as error:
        raise UserError(f'{path} cannot be read ({error}); restore it') from None
    return digest.hexdigest()


class LatentStore(Protocol):
    """Where windows get their video from."""

    @property
    def segments(self) -> Sequence[EpisodeSegment]:
        """The segments that it holds, in order."""

    def grid(self, index: int) -> FrameGrid:
        """Return which frames of a segment were encoded."""

    def load(self, index: int, camera: str, frames: slice = WHOLE) -> Tensor:
        """Return latents (C, F, h, w) of a segment; UserError if missing or damaged."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LatentCache:
    """The cache of a dataset for one codec, for reading.

    Attributes:
        root: the folder of all caches of the dataset.
        spec: what decides the content.
        segments: the segments of the dataset.
    """

    root: Path
    spec: LatentSpec
    segments: tuple[EpisodeSegment, ...]

    @property
    def folder(self) -> Path:
        """The folder of this codec's files."""
        return self.root / self.spec.key

    def path(self, index: int, camera: str) -> Path:
        """Return the file of a segment and camera."""
        return self.folder / camera / f'{self.segments[index].name}.safetensors'

    def grid(self, index: int) -> FrameGrid:
        """Return which frames of a segment were encoded."""
        return self.spec.grid(self.segments[index])

    def load(self, index: int, camera: str, frames: slice = WHOLE) -> Tensor:
        """Return latents (C, F, h, w) of a segment; UserError if missing or damaged."""
        if camera not in self.spec.sizes:
            raise UserError(f'no latents of {camera!r}; {did_you_mean(camera, self.spec.sizes)}')
        path = self.path(index, camera)
        try:
            with safe_open(path, framework='pt') as file:
                stored = file.get_slice(TENSOR_NAME)
                shape = tuple(stored.get_shape())
                latents: Tensor = stored[:, frames]
        except FileNotFoundError:
            raise UserError(f'{path} is missing; run `flash-wam data encode`') from None
        except (OSError, SafetensorError) as error:
            raise UserError(
                f'{path} cannot be read ({error}); delete it and encode again'
            ) from None
        if len(shape) != 4 or shape[1] != self.grid(index).latent_frames:
            raise UserError(
                f'{path} holds latents {shape}; '
                f'{self.grid(index).latent_frames} frames expected; delete it and encode again'
            )
        return latents


def open_cache(reader: LeRobotReader, root: Path, key: str | None = None) -> LatentCache:
    """Open a dataset's cache for reading.

    Args:
        reader: the dataset.
        root: the folder of all its caches.
        key: which of them; None if there is only one.

    Raises:
        UserError: there is none, or several and no ``key``, or it lacks files.
    """
    found = {path.parent.name: path.parent for path in sorted(root.glob(f'*/{SPEC_NAME}'))}
    if not found:
        raise UserError(f'{root} holds no latents; run `flash-wam data encode`')
    if key is None and len(found) > 1:
        raise UserError(f'{root} holds latents of {len(found)} codecs; choose {", ".join(found)}')
    chosen = key or next(iter(found))
    if chosen not in found:
        raise UserError(f'{root} has no latents {chosen!r}; {did_you_mean(chosen, found)}')
    cache = LatentCache(
        root=root, spec=_read_spec(found[chosen] / SPEC_NAME), segments=tuple(all_segments(reader))
    )
    for index in range(len(cache.segments)):
        for camera in cache.spec.sizes:
            if not cache.path(index, camera).is_file():
                raise UserError(
                    f'{cache.path(index, camera)} is missing; run `flash-wam data encode`'
                )
    return cache


def _read_spec(path: Path) -> LatentSpec:
    content = read_json(path)
    try:
        sizes = {camera: (int(h), int(w)) for camera, (h, w) in content.pop('sizes').items()}
        spec = LatentSpec(sizes=sizes, **content)
    except (TypeError, ValueError, AttributeError, KeyError) as error:
        raise UserError(
            f'{path} is damaged ({error}); delete its folder and encode again'
        ) from None
    if spec.key != path.parent.name:
        raise UserError(f'{path} does not fit the name of its folder; delete it and encode again')
    return spec
