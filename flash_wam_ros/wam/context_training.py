"""The observation context of every chunk of a training batch at once.

Legend: B batch, K chunks, C latent channels, F frames, H W latent canvas, S state channels, T text
tokens, E text channels, D width.
"""

import torch
from torch import Tensor

from flash_wam_ros.wam.context import Context, ObservationContext, Seen
from flash_wam_ros.wam.streams import StreamBatch, Velocity


def told_frames(frames: int, chunk_size: int) -> list[int]:
    """Return the frame that each chunk of a window is told: the one before, or its own first."""
    return [max(start - 1, 0) for start in range(0, frames, chunk_size)]


class TaughtContext:
    """Each chunk is told the frame before it; the first chunk, which begins with it, its own.

    Args:
        module: makes contexts.
        seen: (B, ...) what was observed over the whole window.
        text_BTE: embedding of the instruction.
        chunk_size: frames of a chunk.
    """

    def __init__(
        self, module: ObservationContext, seen: Seen, text_BTE: Tensor, chunk_size: int
    ) -> None:
        self._module, self._chunk = module, chunk_size
        self._batch, self._frames = seen.latents.shape[0], seen.latents.shape[2]
        anchors = told_frames(self._frames, chunk_size)
        self._still = seen.latents[:, :, anchors]
        still = self._still.movedim(2, 1).flatten(0, 1).unsqueeze(2)
        state = None if seen.state is None else seen.state[:, :, anchors].movedim(2, 1)
        self._context: Context = module(
            still,
            text_BTE.repeat_interleave(len(anchors), 0),
            None if state is None else state.flatten(0, 1),
        )

    def video_tokens(self, frames: int) -> Tensor:
        """Return (B, frames*h*w, D) for the noisy video tokens of the window."""
        return self._windows(self._module.video_tokens(self._context, self._chunk), frames)

    def action_tokens(self, frames: int, actions: int) -> Tensor:
        """Return (B, frames*actions, D) for the noisy action tokens of the window."""
        tokens = self._module.action_tokens(self._context, self._chunk, actions)
        return self._windows(tokens, frames)

    def copied(self, velocity: Velocity, video: StreamBatch, action: StreamBatch) -> Velocity:
        """Return the velocities with their copy paths, and what was told."""
        still = self._still.repeat_interleave(self._chunk, 2)[:, :, : self._frames]
        noisy = video.noisy.to(still)
        acted = action.noisy.to(still)
        return Velocity(
            velocity.video + self._module.video_copy(noisy, still, video.t_noisy),
            velocity.action + self._module.action_copy(acted, action.t_noisy),
            self._context.summary.unflatten(0, (self._batch, -1)),
        )

    def _windows(self, chunks_BKLD: Tensor, frames: int) -> Tensor:
        """Join the tokens of K chunks; the last chunk may be cut short."""
        per_frame = chunks_BKLD.shape[1] // self._chunk
        joined = torch.unflatten(chunks_BKLD, 0, (self._batch, -1)).flatten(1, 2)
        return joined[:, : frames * per_frame]
