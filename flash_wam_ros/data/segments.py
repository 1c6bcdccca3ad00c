"""The stretches of a dataset that are learned: one instruction from first to last frame."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from flash_wam_ros.data.lerobot import LeRobotReader, Segment


@dataclass(frozen=True, kw_only=True, slots=True)
class EpisodeSegment:
    """A stretch of one episode.

    Attributes:
        episode: the episode's index.
        start: first frame.
        end: frame after the last.
        text: the instruction.
    """

    episode: int
    start: int
    end: int
    text: str

    @property
    def name(self) -> str:
        """The stem of its files, as LingBot-VA names them."""
        return f'episode_{self.episode:06d}_{self.start}_{self.end}'


def episode_segments(reader: LeRobotReader, episode: int) -> tuple[Segment, ...]:
    """Return the segments of an episode: those of its meta, else the runs of one instruction.

    Raises:
        UserError: the data of an episode with several instructions is damaged.
    """
    record = reader.episodes[episode]
    if record.segments:
        return record.segments
    if len(record.tasks) == 1:
        return (Segment(start=0, end=record.length, text=record.tasks[0]),)
    task_index = reader.arrays(episode, ()).task_index
    cuts = [0, *(np.flatnonzero(np.diff(task_index)) + 1).tolist(), record.length]
    return tuple(
        Segment(start=start, end=end, text=reader.tasks[int(task_index[start])])
        for start, end in pairwise(cuts)
    )


def all_segments(reader: LeRobotReader) -> Iterator[EpisodeSegment]:
    """Yield every segment of a dataset in order."""
    for record in reader:
        for segment in episode_segments(reader, record.index):
            yield EpisodeSegment(
                episode=record.index, start=segment.start, end=segment.end, text=segment.text
            )
