"""Looking a whole dataset over: every fault is found and named, not only the first."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from flash_wam_ros.core import UserError, did_you_mean
from flash_wam_ros.data.lerobot import LeRobotReader

_BLOCK_FRAMES = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckReport:
    """What a dataset holds, and its faults.

    Attributes:
        root: its folder.
        version: its format version.
        robot_type: the robot, None if unknown.
        fps: frames per second.
        episodes: number of episodes.
        frames: number of frames.
        shortest: least frames of an episode.
        longest: most frames of an episode.
        cameras: camera -> (H, W, 3).
        vectors: feature -> shape.
        tasks: instruction -> number of episodes in which it occurs.
        problems: one line a fault.
    """

    root: str
    version: str
    robot_type: str | None
    fps: float
    episodes: int
    frames: int
    shortest: int
    longest: int
    cameras: dict[str, tuple[int, ...]]
    vectors: dict[str, tuple[int, ...]]
    tasks: dict[str, int]
    problems: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


def check_dataset(
    reader: LeRobotReader,
    *,
    cameras: Sequence[str] = (),
    features: Sequence[str] = (),
    fps: float | None = None,
    every_frame: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> CheckReport:
    """Read every episode and report every fault.

    Args:
        reader: the dataset.
        cameras: cameras that it must have.
        features: features that it must have.
        fps: the rate that it must have, None for any.
        every_frame: decode all video, not only each episode's first and last frame.
        progress: called with (episodes done, episodes in all).
    """
    problems = _wrong_declarations(reader, cameras, features, fps)
    for done, record in enumerate(reader, start=1):
        problems += _wrong_episode(reader, record.index, every_frame)
        progress(done, len(reader))
    info, lengths = reader.info, [record.length for record in reader]
    return CheckReport(
        root=str(reader.root),
        version=info.version,
        robot_type=info.robot_type,
        fps=info.fps,
        episodes=len(reader),
        frames=info.total_frames,
        shortest=min(lengths, default=0),
        longest=max(lengths, default=0),
        cameras={name: info.features[name].shape for name in info.cameras},
        vectors={name: info.features[name].shape for name in info.vectors},
        tasks=dict(Counter(task for record in reader for task in record.tasks)),
        problems=tuple(problems),
    )


def _wrong_declarations(
    reader: LeRobotReader, cameras: Sequence[str], features: Sequence[str], fps: float | None
) -> list[str]:
    info, problems = reader.info, []
    for kind, wanted, found in (
        ('camera', cameras, info.cameras),
        ('feature', features, info.vectors),
    ):
        problems += [
            f'{reader.root} has no {kind} {name!r}; {did_you_mean(name, found)}'
            for name in wanted
            if name not in found
        ]
    if fps is not None and not np.isclose(fps, info.fps):
        problems.append(f'{reader.root} has {info.fps:g} fps; {fps:g} are asked for; resample it')
    if len(reader) == 0:
        problems.append(f'{reader.root} has no episodes')
    return problems


def _wrong_episode(reader: LeRobotReader, episode: int, every_frame: bool) -> list[str]:
    problems = []
    try:
        reader.arrays(episode)
    except UserError as error:
        problems.append(str(error))
    length = reader.episodes[episode].length
    for camera in reader.info.cameras:
        try:
            _decode(reader, episode, camera, length, every_frame)
        except UserError as error:
            problems.append(f'episode {episode}, {camera}: {error}')
    return problems


def _decode(
    reader: LeRobotReader, episode: int, camera: str, length: int, every_frame: bool
) -> None:
    if not every_frame:
        for frame in {0, length - 1}:
            reader.images(episode, camera, [frame])
        return
    for start in range(0, length, _BLOCK_FRAMES):
        reader.images(episode, camera, range(start, min(start + _BLOCK_FRAMES, length)))


def sample_frames(
    reader: LeRobotReader, cameras: Sequence[str], count: int, seed: int = 0
) -> dict[str, np.ndarray]:
    """Return frames drawn at random over a dataset, such as a codec is fitted to.

    Args:
        reader: the dataset.
        cameras: the wanted cameras.
        count: frames of each camera, fewer if the dataset has fewer.
        seed: of the draw.

    Returns:
        Camera -> (N, H, W, 3) uint8 RGB, the same moments for every camera.

    Raises:
        UserError: no episodes, an unknown camera, or a damaged video.
    """
    if not len(reader):
        raise UserError(f'{reader.root} has no episodes to draw frames from')
    total = reader.info.total_frames
    drawn = np.sort(np.random.default_rng(seed).choice(total, min(count, total), replace=False))
    ends = np.cumsum([record.length for record in reader])
    owners = np.searchsorted(ends, drawn, side='right')
    images: dict[str, list[np.ndarray]] = {camera: [] for camera in cameras}
    for episode in np.unique(owners).tolist():
        begin = ends[episode] - reader.episodes[episode].length
        frames = (drawn[owners == episode] - begin).tolist()
        for camera in cameras:
            images[camera].append(reader.images(episode, camera, frames))
    return {camera: np.concatenate(parts) for camera, parts in images.items()}
