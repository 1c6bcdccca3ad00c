"""Rotations of the past and the next chunk, in buffers that stay where they are."""

import torch

from flash_wam_ros.wam.config import WamConfig
from flash_wam_ros.wam.rope import (
    Rope,
    action_grid,
    axis_dims,
    frequencies,
    rope_table,
    video_grid,
)


class _Track:
    """Rotations of one modality: of the chunk to imagine, and of the one before.

    Only the frame axis turns with time, so that is all that is computed anew.

    Args:
        grid_4L: positions of the first chunk.
        part_L: the part of a frame by which each token comes after it.
        head_dim: channels a head.
    """

    def __init__(self, grid_4L: torch.Tensor, part_L: torch.Tensor, head_dim: int) -> None:
        self._part = part_L
        self._frame = (grid_4L[0] - part_L).round()
        self._frequency = frequencies(axis_dims(head_dim)[0], grid_4L.device)
        self.next = rope_table(grid_4L, head_dim)
        self.past = Rope(self.next.cos.clone(), self.next.sin.clone())

    def place(self, frame: int) -> None:
        """Turn the chunk to imagine to ``frame``."""
        # In fp32 up to the product, in the order of the grids, so that both round alike.
        time_L1 = ((self._frame + frame) + self._part)[:, None]
        angle = (time_L1.double() * self._frequency).float()
        pairs = self._frequency.shape[0]
        torch.cos(angle, out=self.next.cos[:, :pairs])
        torch.sin(angle, out=self.next.sin[:, :pairs])

    def keep(self) -> None:
        """Make the chunk to imagine the past one."""
        self.past.cos.copy_(self.next.cos)
        self.past.sin.copy_(self.next.sin)


class RopeBuffers:
    """Rotations of both modalities for the chunk to imagine and the one before it.

    Args:
        config: sizes of a chunk.
        device: where the buffers live.
    """

    def __init__(self, config: WamConfig, device: torch.device) -> None:
        frames, head_dim = config.chunk.frames_per_chunk, config.model.attention_head_dim
        rows, columns = (
            size // patch
            for size, patch in zip(config.latent_hw, config.model.patch_size[1:], strict=True)
        )
        video = video_grid(frames, rows, columns, device=device)
        actions = action_grid(frames, config.chunk.actions_per_frame, device=device)
        part = action_grid(1, config.chunk.actions_per_frame, device=device)[0].repeat(frames)
        self._tracks = {
            False: _Track(video, torch.zeros_like(video[0]), head_dim),
            True: _Track(actions, part, head_dim),
        }

    def reset(self) -> None:
        """Go back to frame 0."""
        for track in self._tracks.values():
            track.place(0)

    def advance(self, frame: int) -> None:
        """Make the next chunk the past one, and begin the next at latent frame ``frame``."""
        for track in self._tracks.values():
            track.keep()
            track.place(frame)

    def of(self, action: bool, past: bool) -> Rope:
        """Return the rotations of a modality, of the past chunk or the next one."""
        track = self._tracks[action]
        return track.past if past else track.next
