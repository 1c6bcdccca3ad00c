"""Windows cut at any frame, with actions relative to the pose at the start of each chunk.

The layout is that of windows.py. A window of F latent frames begins at frame s of an episode and
takes every k-th frame; past the episode's end the last frame stays. Block f holds the k actions
that lead from latent frame f - 1 to f. The first chunk of a window begins with its own first
frame, which is known; later chunks begin after the last frame of the one before. Each chunk's
actions are offsets from the joints measured at the frame that it is told: that is how
:class:`~flash_wam_ros.policy.wam_policy.WamPolicy` places them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from flash_wam_ros.core import UserError
from flash_wam_ros.data.keyframes import Keyframes, encode_keyframes
from flash_wam_ros.data.lerobot import LeRobotReader, open_dataset
from flash_wam_ros.data.places import PRIVILEGED_PREFIX, read_places
from flash_wam_ros.wam.actions import ActionLayout
from flash_wam_ros.wam.codec import VideoCodec
from flash_wam_ros.wam.config import WamConfig

_CACHED_EPISODES = 16384


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyframeSpec:
    """Which windows are cut.

    Attributes:
        datasets: LeRobot folders.
        chunks: chunks a window.
        feature: the actions to be learned: what should have been done.
        executed_feature: what was done; the history.
        labelled_feature: whether an action is to be learned; all are in a dataset without it.
        state_feature: measured joints.
        last_start_s: how long before an episode's end the last window begins [s].
        places: whether windows also tell where the things are.
        unlabelled: whether windows are cut also where nothing is to be learned, and no action is
            masked: for recipes that ask the teacher what was to be done, not the dataset.
    """

    datasets: tuple[str, ...]
    chunks: int = 2
    feature: str = 'action.expert'
    executed_feature: str = 'action.executed'
    labelled_feature: str = 'action.labelled'
    state_feature: str = 'observation.state'
    last_start_s: float = 0.2
    places: bool = False
    unlabelled: bool = False

    def __post_init__(self) -> None:
        """Refuse no datasets and counts below one."""
        object.__setattr__(self, 'datasets', tuple(self.datasets))
        if not self.datasets or not self.chunks >= 1 or not self.last_start_s >= 0:
            raise UserError(
                f'keyframes: {len(self.datasets)} datasets, {self.chunks} chunks, last start '
                f'{self.last_start_s} s; expected at least one of each and a time >= 0'
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class EpisodeNumbers:
    """The numbers of one episode, (T, J) each.

    Also ``read``, (T, S) what a model reads beside pictures, ``labelled``, (T,), and ``places``,
    (T, P) or None.
    """

    state: np.ndarray
    read: np.ndarray
    wanted: np.ndarray
    executed: np.ndarray
    labelled: np.ndarray
    places: np.ndarray | None


def read_numbers(
    reader: LeRobotReader, spec: KeyframeSpec, episode: int, objects: Sequence[str] = ()
) -> EpisodeNumbers:
    """Return the numbers of an episode, those of ``objects`` read after the joints.

    Raises:
        UserError: a feature is missing or damaged.
    """
    poses = [PRIVILEGED_PREFIX + name for name in objects]
    names = [spec.state_feature, spec.feature, spec.executed_feature, *poses]
    marked = spec.labelled_feature in reader.info.features
    marks = [spec.labelled_feature] if marked else []
    vectors = reader.arrays(episode, list(dict.fromkeys(names + marks))).vectors
    state, wanted, executed = (vectors[name].astype(np.float32) for name in names[:3])
    read = np.concatenate([state, *(vectors[name][:, :3] for name in poses)], 1, dtype=np.float32)
    labelled = vectors[marks[0]][:, 0] > 0.5 if marked else np.ones(len(state), bool)
    places = read_places(reader, episode) if spec.places else None
    return EpisodeNumbers(
        state=state, read=read, wanted=wanted, executed=executed, labelled=labelled, places=places
    )


class KeyframeWindows:
    """The windows of one dataset, indexable.

    Args:
        reader: the dataset.
        keyframes: its latents.
        config: the model that reads them.
        spec: the windows.
        text: instruction -> its embedding (L, D).
    """

    def __init__(
        self,
        reader: LeRobotReader,
        keyframes: Keyframes,
        config: WamConfig,
        spec: KeyframeSpec,
        text: Mapping[str, Tensor],
    ) -> None:
        if reader.info.fps <= 0 or not len(reader):
            raise UserError(f'{reader.root} holds no episodes; collect some')
        self._reader, self._keyframes, self._config = reader, keyframes, config
        self._spec, self._text = spec, text
        self._layout = ActionLayout(config.actions)
        self._chunk, self._step = config.chunk.frames_per_chunk, config.chunk.actions_per_frame
        objects = config.state.objects if config.state else ()
        margin = round(spec.last_start_s * reader.info.fps)
        self._numbers: Callable[[int], EpisodeNumbers] = lru_cache(_CACHED_EPISODES)(
            lambda episode: read_numbers(reader, spec, episode, objects)
        )
        counts = [max(record.length - margin, 1) for record in reader]
        self._starts = [np.arange(count) for count in counts]
        if spec.labelled_feature in reader.info.features and not spec.unlabelled:
            self._starts = [self._taught(e, starts) for e, starts in enumerate(self._starts)]
        self._ends = np.cumsum([len(starts) for starts in self._starts])

    def __len__(self) -> int:
        """Return the number of windows."""
        return int(self._ends[-1])

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        """Return a window; see windows.py, and ``state`` (S, F)."""
        episode = int(np.searchsorted(self._ends, index, side='right'))
        place = index - (int(self._ends[episode - 1]) if episode else 0)
        first = int(self._starts[episode][place])
        numbers, frames = self._numbers(episode), self._spec.chunks * self._chunk
        last = len(numbers.state) - 1
        at = np.minimum(first + self._step * np.arange(frames), last)
        blocks = self._blocks(numbers, first, at)
        mask = self._layout.mask_C[:, None, None, None].expand(blocks[0].shape)
        if not self._spec.unlabelled:
            labelled = numbers.labelled[self._rows(first, frames, last)]
            mask = mask & torch.from_numpy(labelled)[..., None]
        sample = {
            'latent': self._keyframes.load(episode, at),
            'actions': blocks[0],
            'actions_mask': mask,
            'executed': blocks[1],
            'text_emb': self._text[self._reader.episodes[episode].tasks[0]],
        }
        if numbers.places is not None:
            sample['places'] = torch.from_numpy(numbers.places[at])
        if self._config.state is not None:
            sample['state'] = self._config.state.normalise(numbers.read[at]).T.contiguous()
        return sample

    def _taught(self, episode: int, starts: np.ndarray) -> np.ndarray:
        """Return those of ``starts`` whose windows hold something to be learned."""
        labelled = self._numbers(episode).labelled
        frames = self._spec.chunks * self._chunk
        # Block 0 is no action: it lies before the window.
        rows = [self._rows(first, frames, len(labelled) - 1)[1:] for first in starts]
        return starts[[bool(labelled[row].any()) for row in rows]]

    def _rows(self, first: int, frames: int, last: int) -> np.ndarray:
        """Return the (F, N) frames at which the actions of a window begin."""
        starts = first + self._step * np.arange(-1, frames - 1)
        return np.asarray((starts[:, None] + np.arange(self._step)).clip(0, last))

    def _blocks(self, numbers: EpisodeNumbers, first: int, at: np.ndarray) -> list[Tensor]:
        """Return the (A, F, N, 1) normalised wanted and executed actions; block 0 is zero."""
        last, frames = len(numbers.state) - 1, len(at)
        rows = self._rows(first, frames, last)
        anchors = at[np.maximum(np.arange(frames) // self._chunk * self._chunk - 1, 0)]
        origin = numbers.state[anchors][:, None]
        blocks = []
        for values in (numbers.wanted, numbers.executed):
            offsets = torch.from_numpy(values[rows] - origin).permute(2, 0, 1)
            channels = self._layout.normalise(offsets)
            channels[:, 0] = 0
            blocks.append(channels.unsqueeze(-1))
        return blocks


class KeyframeSource:
    """The windows of several datasets, one after the other.

    Args:
        parts: the windows of each.
    """

    def __init__(self, parts: list[KeyframeWindows]) -> None:
        self._parts, self._ends = parts, np.cumsum([len(part) for part in parts])

    def __len__(self) -> int:
        """Return the number of windows."""
        return int(self._ends[-1])

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        """Return a window."""
        part = int(np.searchsorted(self._ends, index, side='right'))
        return self._parts[part][index - (int(self._ends[part - 1]) if part else 0)]


def open_keyframes(
    spec: KeyframeSpec,
    config: WamConfig,
    codec: VideoCodec,
    digest: str,
    text: Callable[[tuple[str, ...]], Mapping[str, Tensor]],
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> KeyframeSource:
    """Return the windows of all datasets, encoding what is not encoded yet.

    Args:
        spec: datasets and windows.
        config: the model that reads them.
        codec: its codec.
        digest: of the codec.
        text: instructions -> their embeddings.
        progress: called with (episodes done, episodes in all) of each dataset.

    Raises:
        UserError: files are missing or damaged, or do not fit the model.
    """
    parts = []
    for folder in spec.datasets:
        reader = open_dataset(Path(folder))
        keyframes = encode_keyframes(reader, codec, config.canvas, digest, progress)
        table = text(reader.instructions())
        parts.append(KeyframeWindows(reader, keyframes, config, spec, table))
    return KeyframeSource(parts)
