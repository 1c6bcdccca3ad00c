"""Latents in LingBot-VA's published layout: latents/chunk-XXX/CAMERA/episode_N_START_END.pth.

These files are pickles. They are read with ``torch.load(weights_only=True)``, which builds tensors
and plain containers and refuses everything else, so that a foreign file cannot run code.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor

from flash_wam_ros.core import UserError
from flash_wam_ros.data.alignment import FrameGrid
from flash_wam_ros.data.latents import WHOLE
from flash_wam_ros.data.lerobot import LeRobotReader
from flash_wam_ros.data.segments import EpisodeSegment, all_segments

EMPTY_TEXT = 'empty_emb.pt'


@dataclass(frozen=True, kw_only=True, slots=True)
class PublishedLatents:
    """The content of one file.

    Attributes:
        latent: (C, F, h, w).
        text_emb: (L, D) embedding of the instruction.
        text: the instruction.
        frame_ids: the encoded frames of the episode.
    """

    latent: Tensor
    text_emb: Tensor
    text: str
    frame_ids: tuple[int, ...]


def read_published(path: Path) -> PublishedLatents:
    """Read one published file.

    Raises:
        UserError: it is missing, holds more than tensors and plain values, or is not complete.
    """
    content = _load(path)
    try:
        frames, height, width = (
            int(content[f'latent_{name}']) for name in ('num_frames', 'height', 'width')
        )
        latent = content['latent'].reshape(frames, height, width, -1).permute(3, 0, 1, 2)
        return PublishedLatents(
            latent=latent.contiguous(),
            text_emb=content['text_emb'],
            text=str(content['text']),
            frame_ids=tuple(int(frame) for frame in content['frame_ids']),
        )
    except (KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise UserError(f'{path} is not a published latent file ({error}); restore it') from None


def read_empty_text(root: Path) -> Tensor:
    """Return the (L, D) embedding of the empty instruction of a published dataset."""
    tensor = _load(root / EMPTY_TEXT)
    if not isinstance(tensor, Tensor):
        raise UserError(f'{root / EMPTY_TEXT} holds no tensor; restore it')
    return tensor


def _load(path: Path) -> Any:
    try:
        return torch.load(path, map_location='cpu', weights_only=True)
    except FileNotFoundError:
        raise UserError(f'{path} is missing; check that the latents were copied too') from None
    except (UnpicklingError, RuntimeError, EOFError, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f'{path} cannot be read safely ({reason}); restore it') from None


@cache
def _frame_ids(path: Path) -> tuple[int, ...]:
    """Return the frames of a file; every window of it asks for them."""
    return read_published(path).frame_ids


@dataclass(frozen=True, kw_only=True, slots=True)
class PublishedStore:
    """The published latents of a dataset, in the form that windows read.

    Attributes:
        root: the dataset.
        chunk_size: episodes a folder.
        temporal_factor: encoded frames a latent frame, after the first (4 for Wan 2.2).
        camera: the camera from whose files the frames are taken.
        segments: the segments.
    """

    root: Path
    chunk_size: int
    temporal_factor: int
    camera: str
    segments: tuple[EpisodeSegment, ...]

    def read(self, index: int, camera: str) -> PublishedLatents:
        """Return the file of a segment and camera."""
        return read_published(self.path(index, camera))

    def path(self, index: int, camera: str) -> Path:
        """Return the path of the file of a segment and camera."""
        segment = self.segments[index]
        folder = self.root / 'latents' / f'chunk-{segment.episode // self.chunk_size:03d}'
        return folder / camera / f'{segment.name}.pth'

    def load(self, index: int, camera: str, frames: slice = WHOLE) -> Tensor:
        """Return latents (C, F, h, w) of a segment."""
        return self.read(index, camera).latent[:, frames]

    def texts(self) -> dict[str, Tensor]:
        """Return instruction -> embedding (L, D), and the empty one under the empty name."""
        first = {
            segment.text: index for index, segment in reversed(list(enumerate(self.segments)))
        }
        found = {text: self.read(index, self.camera).text_emb for text, index in first.items()}
        return found | {'': read_empty_text(self.root)}

    def grid(self, index: int) -> FrameGrid:
        """Return which frames of a segment were encoded.

        Raises:
            UserError: the frames are not evenly spaced.
        """
        frames = _frame_ids(self.path(index, self.camera))
        steps = {late - early for early, late in pairwise(frames)} or {1}
        if len(steps) != 1 or min(steps) < 1:
            raise UserError(
                f'{self.segments[index].name} has frames {sorted(steps)} apart; '
                'one stride is needed'
            )
        return FrameGrid(
            start=frames[0],
            end=frames[-1] + 1,
            stride=steps.pop(),
            temporal_factor=self.temporal_factor,
        )


def open_published(
    reader: LeRobotReader, cameras: Sequence[str], temporal_factor: int = 4
) -> PublishedStore:
    """Return the published latents of a dataset.

    Raises:
        UserError: no episodes, no cameras, or the first segment has no file.
    """
    segments = tuple(all_segments(reader))
    if not segments or not cameras:
        raise UserError(f'{reader.root} has no episodes or no cameras were named')
    store = PublishedStore(
        root=reader.root,
        chunk_size=reader.info.chunk_size,
        temporal_factor=temporal_factor,
        camera=cameras[0],
        segments=segments,
    )
    for camera in cameras:
        store.read(0, camera)
    return store
