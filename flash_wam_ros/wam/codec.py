"""Video codecs: what turns camera frames into latents, as they arrive, and back on demand.

A codec is causal in time. The first frame of an episode gives one latent frame; after it each
``temporal_factor`` frames give one more. An :class:`EncoderStream` keeps the codec's memory from
call to call, and the frames that do not fill a group yet.

Shapes: B cameras, T frames, (H, W) pixels, C latent channels, F latent frames, (h, w) latents.
Pixels are RGB in [-1, 1].
"""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from flash_wam_ros.core import UserError


@runtime_checkable
class VideoCodec(Protocol):
    """What the rollout engine needs of a codec.

    Attributes:
        latent_channels: C.
        spatial_factor: pixels a latent in each direction.
        temporal_factor: frames a latent frame, after the first.
    """

    latent_channels: int
    spatial_factor: int
    temporal_factor: int

    def encode_step(
        self, video_BCTHW: Tensor, cameras: Sequence[str], memory: Any
    ) -> tuple[Tensor, Any]:
        """Encode the next frames of B cameras.

        Args:
            video_BCTHW: (B, 3, T, H, W); T = 1 where ``memory`` is None, else a multiple of
                ``temporal_factor``.
            cameras: (B,) names.
            memory: what the step before returned, None at the start of an episode.

        Returns:
            Normalised latents (B, C, F, h, w), and the memory for the next step.
        """

    def decode(self, latents_BCFHW: Tensor, cameras: Sequence[str]) -> Tensor:
        """Return the video (B, 3, 1 + (F - 1) * temporal_factor, H, W) of normalised latents."""


class EncoderStream:
    """Encodes the frames of some cameras as they arrive, one episode at a time.

    Args:
        codec: the codec; many streams may share it.
        cameras: (B,) names of the cameras encoded as one batch.
    """

    def __init__(self, codec: VideoCodec, cameras: Sequence[str]) -> None:
        self.codec = codec
        self.cameras = tuple(cameras)
        self._memory: Any = None
        self._pending: Tensor | None = None

    @property
    def pending(self) -> int:
        """Return the number of frames that wait for their group to fill."""
        return 0 if self._pending is None else self._pending.shape[2]

    def reset(self) -> None:
        """Begin a new episode."""
        self._memory = None
        self._pending = None

    def push(self, video_BCTHW: Tensor) -> Tensor:
        """Return the (B, C, F, h, w) latents that the new frames complete; F may be 0.

        After an error the stream is as it was before the call.

        Raises:
            UserError: frames of a shape that does not fit.
        """
        self._check(video_BCTHW)
        frames, memory, latents = video_BCTHW, self._memory, []
        if self._pending is not None:
            frames = torch.cat([self._pending, frames], dim=2)
        if memory is None and frames.shape[2]:
            first, memory = self.codec.encode_step(frames[:, :, :1], self.cameras, None)
            latents.append(first)
            frames = frames[:, :, 1:]
        whole = frames.shape[2] - frames.shape[2] % self.codec.temporal_factor
        if whole:
            more, memory = self.codec.encode_step(frames[:, :, :whole], self.cameras, memory)
            latents.append(more)
        self._memory, self._pending = memory, frames[:, :, whole:]
        return torch.cat(latents, dim=2) if latents else self._nothing(video_BCTHW)

    def _check(self, video: Tensor) -> None:
        batch, step = len(self.cameras), self.codec.spatial_factor
        if video.ndim != 5 or video.shape[0] != batch or video.shape[1] != 3:
            raise UserError(
                f'video has shape {tuple(video.shape)}, expected ({batch}, 3, frames, height, '
                f'width) for the cameras {", ".join(self.cameras)}'
            )
        if video.shape[3] % step or video.shape[4] % step:
            raise UserError(
                f'video of {video.shape[3]}x{video.shape[4]} px does not divide into latents of '
                f'{step} px; resize it'
            )
        if self._pending is not None and self._pending.shape[3:] != video.shape[3:]:
            raise UserError(
                f'video of {tuple(video.shape[3:])} px follows one of '
                f'{tuple(self._pending.shape[3:])} px; reset the stream before the size changes'
            )

    def _nothing(self, video: Tensor) -> Tensor:
        step = self.codec.spatial_factor
        height, width = video.shape[3] // step, video.shape[4] // step
        return video.new_zeros(video.shape[0], self.codec.latent_channels, 0, height, width)
