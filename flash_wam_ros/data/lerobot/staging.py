"""Whole episodes that are not yet part of the dataset: a folder each, complete or absent.

A worker process may record episodes into folders of its own; the one process that owns the
dataset adopts them. Nothing here depends on an episode's final number.
"""

import json
import math
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from flash_wam_ros.core import UserError, did_you_mean
from flash_wam_ros.data.files import (
    PARTIAL_SUFFIX,
    read_json,
    storing,
    sync_file,
    sync_folder,
    write_json,
)
from flash_wam_ros.data.lerobot.frames import frame_table
from flash_wam_ros.data.lerobot.info import DatasetInfo
from flash_wam_ros.data.lerobot.stats import ImageSampler, stats_from_json, vector_stats
from flash_wam_ros.data.lerobot.videos import VideoSettings, VideoWriter

_FACTS = 'episode.json'
_FRAMES = 'frames.parquet'
_FIELD_TYPES: dict[str, type | tuple[type, ...]] = {
    'int64': int,
    'float64': (int, float),
    'string': str,
    'bool': bool,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class StagedEpisode:
    """A finished episode in a folder of its own.

    Attributes:
        folder: where it lies.
        length: frames.
        tasks: instruction of each stretch, in order of first use.
        fields: its further facts.
        stats: feature -> statistics.
    """

    folder: Path
    length: int
    tasks: tuple[str, ...]
    fields: Mapping[str, Any]
    stats: Mapping[str, Mapping[str, np.ndarray]]

    def frames(self) -> pa.Table:
        """Return its rows; ``task_index`` counts in its own ``tasks``, the rest from 0."""
        return pq.read_table(self.folder / _FRAMES)

    def video(self, camera: str) -> Path:
        """Return the file of one camera."""
        return self.folder / f'{camera}.mp4'


def read_staged(folder: Path) -> StagedEpisode:
    """Return the finished episode in ``folder``; raise UserError if there is none."""
    facts = read_json(folder / _FACTS)
    return StagedEpisode(
        folder=folder,
        length=facts['length'],
        tasks=tuple(facts['tasks']),
        fields=facts['fields'],
        stats=stats_from_json(facts['stats']),
    )


class EpisodeRecorder:
    """Records one episode into a folder; video is encoded as the frames arrive.

    Leaving the ``with`` block finishes the folder, an exception or ``discard()`` removes it.

    Args:
        folder: the folder to make; it must not exist.
        info: the dataset that it is meant for.
        task: the instruction.
        fields: the values of ``info.episode_fields``.
        settings: the compression of the cameras.

    Raises:
        UserError: an empty instruction, or fields that the dataset does not declare.
    """

    def __init__(
        self,
        folder: Path,
        info: DatasetInfo,
        *,
        task: str,
        fields: Mapping[str, Any] | None = None,
        settings: VideoSettings | None = None,
    ) -> None:
        self._info = info
        self._fields = _checked_fields(info, dict(fields or {}))
        self._settings = settings or VideoSettings()
        self._tasks: list[str] = []
        self._task = task
        self._rows: dict[str, list[np.ndarray]] = {name: [] for name in info.vectors}
        self._task_index: list[int] = []
        self._videos: dict[str, VideoWriter] = {}
        self._samplers: dict[str, ImageSampler] = {}
        self._discarded = False
        self.set_task(task)
        self._final = folder
        self._folder = folder.with_name(folder.name + PARTIAL_SUFFIX)
        shutil.rmtree(self._folder, ignore_errors=True)
        with storing(self._folder):
            self._folder.mkdir(parents=True)

    def __enter__(self) -> 'EpisodeRecorder':
        """Return the recorder."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Finish the episode, or remove it if the block failed or discarded it."""
        try:
            with storing(self._folder):
                for video in self._videos.values():
                    video.close()
                if kind is None and not self._discarded:
                    self._finish()
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def finished(self) -> bool:
        """Whether the folder is complete."""
        return self._final.is_dir()

    def set_task(self, task: str) -> None:
        """Give the instruction of the frames to come; raise UserError if it is empty."""
        if not task.strip():
            raise UserError('an episode needs an instruction; give its task in words')
        self._task = task

    def discard(self) -> None:
        """Drop this episode: a failed demonstration is no data."""
        self._discarded = True

    def add(self, vectors: Mapping[str, np.ndarray], images: Mapping[str, np.ndarray]) -> None:
        """Add one frame.

        Args:
            vectors: every numeric feature, each of its declared shape.
            images: every camera, (H, W, 3) uint8 RGB.

        Raises:
            UserError: a feature is missing or unknown, has another shape, or is not finite.
        """
        self._check_names('feature', vectors, self._info.vectors)
        self._check_names('camera', images, self._info.cameras)
        row = {name: self._checked(name, vectors[name]) for name in self._info.vectors}
        for camera in self._info.cameras:
            with storing(self._folder):
                self._video(camera).add(images[camera])
            self._samplers[camera].add(images[camera])
        for name, value in row.items():
            self._rows[name].append(value)
        if self._task not in self._tasks:
            self._tasks.append(self._task)
        self._task_index.append(self._tasks.index(self._task))

    def _check_names(self, kind: str, given: Mapping[str, Any], known: tuple[str, ...]) -> None:
        for name in given:
            if name not in known:
                raise UserError(f'unknown {kind} {name!r}; {did_you_mean(name, known)}')
        for name in known:
            if name not in given:
                raise UserError(
                    f'frame {len(self._task_index)} lacks the {kind} {name!r}; give all of '
                    f'{", ".join(known)}'
                )

    def _checked(self, name: str, value: np.ndarray) -> np.ndarray:
        feature = self._info.features[name]
        array = np.asarray(value)
        if array.shape != feature.shape:
            raise UserError(f'{name} has shape {array.shape}; {feature.shape} is declared')
        if not np.can_cast(array.dtype, feature.dtype, 'same_kind'):
            raise UserError(f'{name} is {array.dtype}; {feature.dtype} is declared; convert it')
        with np.errstate(over='ignore'):
            array = array.astype(feature.dtype)
        if array.dtype.kind == 'f' and not np.all(np.isfinite(array)):
            raise UserError(
                f'{name} is not finite at frame {len(self._task_index)}; check its source'
            )
        return array

    def _video(self, camera: str) -> VideoWriter:
        if camera not in self._videos:
            height, width, _ = self._info.features[camera].shape
            path = self._folder / f'{camera}.mp4'
            self._videos[camera] = VideoWriter(
                path, (height, width), self._info.fps, self._settings
            )
            self._samplers[camera] = ImageSampler()
        return self._videos[camera]

    def _finish(self) -> None:
        length = len(self._task_index)
        if length == 0:
            raise UserError('the episode has no frame; add one or discard it')
        columns = {name: np.stack(rows) for name, rows in self._rows.items()}
        stats = {name: vector_stats(values) for name, values in columns.items()}
        stats |= {camera: sampler.stats() for camera, sampler in self._samplers.items()}
        count = np.arange(length)
        columns |= {
            'timestamp': (count / self._info.fps).astype(np.float32),
            'frame_index': count,
            'episode_index': np.zeros(length, np.int64),
            'index': count,
            'task_index': np.array(self._task_index),
        }
        pq.write_table(frame_table(self._info, columns), self._folder / _FRAMES)
        for path in self._folder.iterdir():
            sync_file(path)
        facts = {
            'length': length,
            'tasks': self._tasks,
            'fields': self._fields,
            'stats': json.loads(json.dumps(stats, default=lambda array: array.tolist())),
        }
        write_json(self._folder / _FACTS, facts)
        self._folder.replace(self._final)
        sync_folder(self._final.parent)


def _checked_fields(info: DatasetInfo, fields: dict[str, Any]) -> dict[str, Any]:
    for name in fields:
        if name not in info.episode_fields:
            raise UserError(
                f'unknown episode field {name!r}; {did_you_mean(name, info.episode_fields)}'
            )
    for name, dtype in info.episode_fields.items():
        value = fields.get(name)
        if isinstance(value, np.generic):
            fields[name] = value = value.item()
        if not isinstance(value, _FIELD_TYPES[dtype]) or (
            isinstance(value, bool) and dtype != 'bool'
        ):
            raise UserError(f'episode field {name!r} is {value!r}; a {dtype} is declared')
        if isinstance(value, float) and not math.isfinite(value):
            raise UserError(f'episode field {name!r} is {value}; give a finite number')
    return fields
