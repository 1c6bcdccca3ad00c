"""Reading: a dataset is a sequence of episodes; arrays and frames are loaded when asked for."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from flash_wam_ros.core import UserError, did_you_mean
from flash_wam_ros.data.lerobot.episodes import EpisodeRecord, read_episodes
from flash_wam_ros.data.lerobot.frames import (
    INDEX_COLUMNS,
    column_array,
    column_pictures,
    read_rows,
)
from flash_wam_ros.data.lerobot.info import INDEX_FEATURES, DatasetInfo, Feature, read_info
from flash_wam_ros.data.lerobot.tasks import read_tasks
from flash_wam_ros.data.lerobot.videos import TIMESTAMP_TOLERANCE_S, decode_frames


@dataclass(frozen=True, kw_only=True, slots=True)
class EpisodeArrays:
    """The numbers of one episode of T frames.

    Attributes:
        vectors: feature -> (T, *shape).
        task_index: (T,) number of the instruction in force.
        timestamp: (T,) time since the episode's start [s].
    """

    vectors: dict[str, np.ndarray]
    task_index: np.ndarray
    timestamp: np.ndarray


@dataclass(frozen=True, kw_only=True, slots=True)
class LeRobotReader:
    """A LeRobot dataset of version v2.1 or v3.0, open for reading.

    Attributes:
        root: its folder.
        info: meta/info.json.
        tasks: the instructions by index.
        episodes: the episodes by index.
    """

    root: Path
    info: DatasetInfo
    tasks: tuple[str, ...]
    episodes: tuple[EpisodeRecord, ...]

    def __len__(self) -> int:
        """Return the number of episodes."""
        return len(self.episodes)

    def __iter__(self) -> Iterator[EpisodeRecord]:
        """Iterate over the episodes."""
        return iter(self.episodes)

    def instructions(self) -> tuple[str, ...]:
        """Return every instruction that occurs, those of segments included, each once."""
        segments = (segment.text for record in self for segment in record.segments)
        tasks = (task for record in self for task in record.tasks)
        return tuple(dict.fromkeys([*tasks, *segments]))

    def arrays(self, episode: int, features: Sequence[str] | None = None) -> EpisodeArrays:
        """Load the numbers of an episode and check them.

        Args:
            episode: its index.
            features: the wanted features, None for all numeric ones.

        Raises:
            UserError: a feature is unknown or missing, its length is wrong, a number is not
                finite, the index columns contradict the episode, or the rate is not ``fps``.
        """
        record = self._record(episode)
        names = self.info.vectors if features is None else tuple(features)
        table = read_rows(self.root / record.data_path, record.data_row, record.length)
        where = f'episode {episode} of {self.root}'
        index = {
            name: column_array(table, name, _index_feature(name), where)[:, 0]
            for name in INDEX_COLUMNS
        }
        _check_index(index, record, where, len(self.tasks))
        _check_rate(index['timestamp'], self.info.fps, where)
        vectors = {}
        for name in names:
            vectors[name] = column_array(table, name, self.info.feature(name), where)
            _check_finite(vectors[name], name, where)
        return EpisodeArrays(
            vectors=vectors, task_index=index['task_index'], timestamp=index['timestamp']
        )

    def images(self, episode: int, camera: str, frames: Sequence[int] | None = None) -> np.ndarray:
        """Decode frames of an episode.

        Args:
            episode: its index.
            camera: the name of a camera.
            frames: the wanted frame indices in rising order, None for all.

        Returns:
            (N, H, W, 3) uint8 RGB.

        Raises:
            UserError: no such camera, or the video is damaged, short or of another size or rate.
        """
        record = self._record(episode)
        if camera not in self.info.cameras:
            raise UserError(
                f'{self.root} has no camera {camera!r}; {did_you_mean(camera, self.info.cameras)}'
            )
        wanted = range(record.length) if frames is None else frames
        if len(wanted) == 0 or not 0 <= wanted[0] <= wanted[-1] < record.length:
            raise UserError(
                f'episode {episode} of {self.root} has frames 0 to {record.length - 1}'
            )
        images = self._pictures(record, camera, wanted)
        expected = self.info.features[camera].shape
        if images.shape[1:] != expected:
            raise UserError(
                f'{self.source(episode, camera)} shows {images.shape[1:]}, info.json declares '
                f'{expected}; correct one of them'
            )
        return images

    def source(self, episode: int, camera: str) -> Path:
        """Return the file in which an episode's frames of a camera lie."""
        record = self._record(episode)
        span = record.videos.get(camera)
        return self.root / (record.data_path if span is None else span.path)

    def _pictures(self, record: EpisodeRecord, camera: str, frames: Sequence[int]) -> np.ndarray:
        path = self.source(record.index, camera)
        if camera not in record.videos:
            table = read_rows(path, record.data_row, record.length)
            where = f'episode {record.index} of {self.root}'
            return column_pictures(table, camera, frames, where)
        start_s = record.videos[camera].from_s
        times = [start_s + frame / self.info.fps for frame in frames]
        return decode_frames(path, times, tolerance_s=TIMESTAMP_TOLERANCE_S)

    def _record(self, episode: int) -> EpisodeRecord:
        if not 0 <= episode < len(self.episodes):
            raise UserError(
                f'{self.root} has no episode {episode}; it has 0 to {len(self.episodes) - 1}'
            )
        return self.episodes[episode]


def open_dataset(root: Path) -> LeRobotReader:
    """Open the LeRobot dataset in ``root`` for reading.

    Raises:
        UserError: it is no LeRobot dataset of version v2.1 or v3.0, or its meta is damaged.
    """
    info = read_info(root)
    tasks = read_tasks(root, info.version) if info.total_episodes else ()
    return LeRobotReader(root=root, info=info, tasks=tasks, episodes=read_episodes(root, info))


def _index_feature(name: str) -> Feature:
    return Feature(dtype=INDEX_FEATURES[name]['dtype'], shape=(1,))


def _check_index(
    index: dict[str, np.ndarray], record: EpisodeRecord, where: str, tasks: int
) -> None:
    if np.any(index['episode_index'] != record.index):
        found = sorted(set(index['episode_index'].tolist()))[:3]
        raise UserError(f'{where}: its rows carry episode_index {found}; restore the data file')
    if np.any(index['frame_index'] != np.arange(record.length)):
        raise UserError(f'{where}: frame_index does not count 0 to {record.length - 1}')
    low, high = int(index['task_index'].min()), int(index['task_index'].max())
    if not 0 <= low <= high < tasks:
        raise UserError(f'{where}: task_index {low}..{high} outside the {tasks} known tasks')


def _check_rate(timestamp: np.ndarray, fps: float, where: str) -> None:
    expected = np.arange(len(timestamp)) / fps
    error = np.abs(timestamp.astype(np.float64) - timestamp[0] - expected)
    # A float32 time has a grain of 1e-7 of its size.
    allowed = TIMESTAMP_TOLERANCE_S + 2e-7 * expected
    if np.all(error <= allowed):
        return
    frame = int(np.argmax(~(error <= allowed)))
    seen = (len(timestamp) - 1) / max(float(timestamp[-1] - timestamp[0]), 1e-9)
    raise UserError(
        f'{where}: frame {frame} is at {timestamp[frame]:.4f} s, {expected[frame]:.4f} s '
        f'expected at {fps:g} fps (its times look like {seen:.3g} fps); correct fps or resample'
    )


def _check_finite(values: np.ndarray, name: str, where: str) -> None:
    if values.dtype.kind != 'f' or np.all(np.isfinite(values)):
        return
    frame, *channel = np.argwhere(~np.isfinite(values))[0].tolist()
    raise UserError(
        f'{where}: {name}{channel} is {values[(frame, *channel)]} at frame {frame}; '
        'leave the episode out or repair it'
    )
