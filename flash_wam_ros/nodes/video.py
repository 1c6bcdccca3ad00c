"""The video of an episode: what the cameras saw beside what the policy had imagined."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import cv2
import numpy as np


def tile(rows: Sequence[Sequence[np.ndarray]]) -> np.ndarray:
    """Return pictures (H, W, 3) of one size as one picture, ``rows`` below each other."""
    return np.vstack([np.hstack(list(row)) for row in rows])


def enlarge(pixels: np.ndarray, height: int) -> np.ndarray:
    """Return ``pixels`` enlarged by whole pixels to at least ``height``."""
    factor = max(1, -(-height // pixels.shape[0]))
    return pixels.repeat(factor, axis=0).repeat(factor, axis=1)


class VideoFile:
    """An mp4 (H.264) that grows frame by frame; use it as a context manager.

    Args:
        path: file to write.
        rate_hz: frames a second.
    """

    def __init__(self, path: Path, rate_hz: int) -> None:
        self._path = path
        self._rate_hz = rate_hz
        self._container: av.container.OutputContainer | None = None
        self._stream: av.VideoStream | None = None

    def add(self, pixels: np.ndarray) -> None:
        """Append a picture (H, W, 3) uint8 RGB, all of one size with H and W even."""
        if self._container is None or self._stream is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._container = av.open(str(self._path), 'w')
            self._stream = self._container.add_stream('libx264', rate=Fraction(self._rate_hz))
            self._stream.height, self._stream.width = pixels.shape[:2]
            self._stream.pix_fmt = 'yuv420p'
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format='rgb24')
        for packet in self._stream.encode(frame):
            self._container.mux(packet)

    def close(self) -> None:
        """Write what is left and close the file; without a frame there is no file."""
        if self._container is None or self._stream is None:
            return
        for packet in self._stream.encode():
            self._container.mux(packet)
        self._container.close()

    def __enter__(self) -> 'VideoFile':
        """Return this file."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file."""
        self.close()


class VideoLog:
    """The newest real and imagined picture of each camera, put side by side.

    Args:
        cameras: the cameras, left to right.
    """

    def __init__(self, cameras: Sequence[str]) -> None:
        self._cameras = tuple(cameras)
        self.seen: dict[str, np.ndarray] = {}
        self._imagined: dict[str, list[tuple[int, np.ndarray]]] = {n: [] for n in cameras}
        self._imagines: bool | None = None

    def begin(self, imagines: bool) -> None:
        """Begin to film, with a row for the imagined video if the policy ``imagines`` one.

        The size of a video cannot change, so that a second call changes nothing.
        """
        if self._imagines is None:
            self._imagines = imagines

    def imagine(self, camera: str, stamp_ns: int, pixels: np.ndarray) -> None:
        """Take a picture that the policy imagined for ROS time ``stamp_ns``."""
        kept = [entry for entry in self._imagined[camera] if entry[0] < stamp_ns]
        self._imagined[camera] = [*kept, (stamp_ns, pixels)]

    def picture(self, now_ns: int) -> np.ndarray | None:
        """Return the picture of this moment, None before `begin` and without all cameras."""
        if self._imagines is None or any(name not in self.seen for name in self._cameras):
            return None
        real = [self.seen[name] for name in self._cameras]
        if not self._imagines:
            return enlarge(tile([real]), 256)
        dreams = [self._dream(name, now_ns, self.seen[name]) for name in self._cameras]
        return enlarge(tile([real, dreams]), 512)

    def _dream(self, camera: str, now_ns: int, like: np.ndarray) -> np.ndarray:
        """Return what was imagined for now, black where nothing was."""
        entries = self._imagined[camera]
        past = [entry for entry in entries if entry[0] <= now_ns]
        self._imagined[camera] = entries[max(len(past) - 1, 0) :]
        if not past:
            return np.zeros_like(like)
        height, width = like.shape[:2]
        return cv2.resize(past[-1][1], (width, height), interpolation=cv2.INTER_NEAREST)
