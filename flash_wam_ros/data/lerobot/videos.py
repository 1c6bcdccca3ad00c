"""Video files: streaming encoding, joining without loss, frame-accurate decoding (PyAV).

Frame i of a file has the presentation time i / fps exactly; no B-frames, a key frame at least
every ``key_frame_every`` frames, so that a window in the middle decodes quickly.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import numpy as np

from flash_wam_ros.core import UserError, did_you_mean
from flash_wam_ros.data.lerobot.scheduling import kept_scheduling

TIMESTAMP_TOLERANCE_S = 1e-4
"""How far a frame may lie from its time; stock LeRobot refuses more."""

# The AV1 encoder prints a page for each video unless told, before it is loaded, to be quiet.
os.environ.setdefault('SVT_LOG', '1')

_ENCODERS = {'h264': 'libx264', 'av1': 'libsvtav1'}
_PIXEL_FORMATS = ('yuv420p', 'yuv444p')


@dataclass(frozen=True, kw_only=True, slots=True)
class VideoSettings:
    """How camera frames are compressed.

    Attributes:
        codec: ``h264`` or ``av1``.
        pixel_format: ``yuv420p`` (half the colour resolution, plays everywhere) or ``yuv444p``
            (full colour; h264 only).
        crf: constant rate factor, lower is better and larger; 18 is near lossless in h264.
        key_frame_every: frames from one key frame to the next at most.
    """

    codec: str = 'h264'
    pixel_format: str = 'yuv420p'
    crf: int = 18
    key_frame_every: int = 8

    def __post_init__(self) -> None:
        """Refuse what the encoders refuse."""
        if self.codec not in _ENCODERS:
            raise UserError(
                f'unknown video codec {self.codec!r}; {did_you_mean(self.codec, _ENCODERS)}'
            )
        if self.pixel_format not in _PIXEL_FORMATS:
            raise UserError(
                f'unknown pixel format {self.pixel_format!r}; '
                f'{did_you_mean(self.pixel_format, _PIXEL_FORMATS)}'
            )
        if self.codec == 'av1' and self.pixel_format != 'yuv420p':
            raise UserError('the av1 encoder takes yuv420p only; choose it, or codec h264')
        if not 0 <= self.crf <= 51:
            raise UserError(f'crf {self.crf} outside [0, 51]; 18 is near lossless')
        if not 1 <= self.key_frame_every <= 1000:
            raise UserError(f'key_frame_every {self.key_frame_every} outside [1, 1000]')

    def encoder_options(self) -> dict[str, str]:
        """Return the options of the FFmpeg encoder."""
        options = {'crf': str(self.crf), 'g': str(self.key_frame_every)}
        if self.codec == 'h264':
            return options | {'preset': 'veryfast', 'bf': '0'}
        return options | {'preset': '10', 'svtav1-params': 'pred-struct=1:lp=1'}


class VideoWriter:
    """Encodes one video as its frames arrive; use it as a context manager.

    Args:
        path: the file to write.
        size_hw: (height, width) of each frame [px].
        fps: frames per second.
        settings: the compression.
    """

    def __init__(
        self, path: Path, size_hw: tuple[int, int], fps: float, settings: VideoSettings
    ) -> None:
        height, width = size_hw
        if settings.pixel_format == 'yuv420p' and (height % 2 or width % 2):
            raise UserError(
                f'yuv420p video needs an even size, not {height}x{width}; '
                'crop a pixel or use yuv444p'
            )
        self._size_hw = size_hw
        self._frames = 0
        self._container: Any = av.open(str(path), 'w', format='mp4')
        rate = Fraction(fps).limit_denominator(1001)
        stream: Any = self._container.add_stream(_ENCODERS[settings.codec], rate=rate)
        stream.width, stream.height = width, height
        stream.pix_fmt = settings.pixel_format
        stream.options = settings.encoder_options()
        stream.time_base = 1 / rate
        stream.codec_context.time_base = 1 / rate
        stream.codec_context.thread_count = 1
        self._stream = stream

    def __enter__(self) -> 'VideoWriter':
        """Return the writer."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Finish the file."""
        self.close()

    @property
    def frames(self) -> int:
        """The number of frames added."""
        return self._frames

    def add(self, image: np.ndarray) -> None:
        """Encode one (H, W, 3) uint8 RGB frame; raise UserError if it is not that."""
        expected = (*self._size_hw, 3)
        if image.dtype != np.uint8 or image.shape != expected:
            raise UserError(f'frame is {image.dtype} {image.shape}; expected uint8 {expected}')
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format='rgb24')
        frame.pts = self._frames
        frame.time_base = self._stream.codec_context.time_base
        if self._frames:
            packets = self._stream.encode(frame)
        else:
            # The first frame opens the encoder.
            with kept_scheduling():
                packets = self._stream.encode(frame)
        self._container.mux(packets)
        self._frames += 1

    def close(self) -> None:
        """Flush the encoder and write the index without which no reader opens the file."""
        if self._container is None:
            return
        if self._frames:
            self._container.mux(self._stream.encode(None))
        self._container.close()
        self._container = None


def join_videos(parts: Sequence[tuple[Path, int]], target: Path, fps: float) -> None:
    """Put videos of equal encoding behind each other without encoding them again.

    Args:
        parts: (file, its number of frames), in order.
        target: the file to write.
        fps: their frames per second.
    """
    with av.open(str(target), 'w', format='mp4') as output:
        stream: Any = None
        done = 0
        for path, frames in parts:
            with av.open(str(path)) as source:
                if stream is None:
                    stream = output.add_stream_from_template(source.streams.video[0], opaque=True)
                _append_packets(output, stream, source, Fraction(done) / Fraction(fps))
            done += frames


def _append_packets(output: Any, stream: Any, source: Any, offset_s: Fraction) -> None:
    for packet in source.demux(source.streams.video[0]):
        if packet.dts is None:
            continue
        shift = round(offset_s / packet.time_base)
        packet.pts += shift
        packet.dts += shift
        packet.stream = stream
        output.mux(packet)


def describe_video(path: Path) -> dict[str, Any]:
    """Return the facts of a stream under the names by which LeRobot writes them in info.json."""
    with _open(path) as container:
        stream = container.streams.video[0]
        rate = stream.base_rate or stream.average_rate
        return {
            'video.height': stream.height,
            'video.width': stream.width,
            'video.codec': stream.codec_context.codec.canonical_name,
            'video.pix_fmt': stream.codec_context.pix_fmt,
            'video.is_depth_map': False,
            'video.fps': float(rate) if rate.denominator != 1 else int(rate),
            'video.channels': 3,
            'has_audio': False,
        }


def count_frames(path: Path) -> int:
    """Return the number of frames in a file, counted by its packets without decoding them.

    Raises:
        UserError: the file cannot be read; a truncated one is named as such.
    """
    with _open(path) as container:
        return sum(1 for packet in container.demux(container.streams.video[0]) if packet.size)


def decode_frames(path: Path, times_s: Sequence[float], *, tolerance_s: float) -> np.ndarray:
    """Decode the frames that are shown at given times of a file.

    Args:
        path: the video.
        times_s: (N,) times from the start of the file [s], strictly increasing.
        tolerance_s: how far a frame's own time may lie from the one asked for [s].

    Returns:
        (N, H, W, 3) uint8 RGB.

    Raises:
        UserError: the file is damaged, or has no frame at one of the times.
    """
    wanted = list(times_s)
    if any(late <= early for early, late in pairwise(wanted)):
        raise ValueError('times_s must increase strictly')
    images: list[np.ndarray] = []
    for time_s, frame in _frames_from(path, wanted[0] - tolerance_s):
        if time_s > wanted[len(images)] + tolerance_s:
            break
        if abs(time_s - wanted[len(images)]) <= tolerance_s:
            images.append(frame.to_ndarray(format='rgb24'))
            if len(images) == len(wanted):
                return np.stack(images)
    raise UserError(
        f'{path} has no frame at {wanted[len(images)]:.4f} s (within {tolerance_s} s); '
        'it is cut short or has another frame rate; restore it or leave the episode out'
    )


def _frames_from(path: Path, start_s: float) -> Iterator[tuple[float, Any]]:
    """Yield (time, frame) from the last key frame at or before ``start_s`` on."""
    with _open(path) as container:
        stream = container.streams.video[0]
        if start_s > 0:
            container.seek(int(start_s / stream.time_base), stream=stream, backward=True)
        try:
            for frame in container.decode(stream):
                yield float(frame.pts * stream.time_base), frame
        except (av.FFmpegError, OSError) as error:
            raise _damaged(path, error) from None


def _open(path: Path) -> Any:
    if not path.is_file():
        raise UserError(f'{path} is missing; restore the video or leave its episodes out')
    try:
        container = av.open(str(path))
    except (av.FFmpegError, OSError) as error:
        raise _damaged(path, error) from None
    if not container.streams.video:
        container.close()
        raise UserError(f'{path} holds no video stream; restore the file')
    return container


def _damaged(path: Path, error: Exception) -> UserError:
    return UserError(
        f'{path} cannot be decoded ({type(error).__name__}): truncated or not a video; '
        'restore it or leave its episodes out'
    )
