"""Three-dimensional rotary positions with fractional action frames (LingBot-VA).

Legend: L tokens, R = head_dim / 2 rotated pairs, h heads, K = head_dim.
"""

from typing import NamedTuple

import torch
from torch import Tensor

_THETA = 10000.0


class Rope(NamedTuple):
    """Cosines and sines of L tokens, both (..., L, R) fp32."""

    cos: Tensor
    sin: Tensor


def video_grid(
    frames: int, rows: int, columns: int, frame_shift: int = 0, device: torch.device | None = None
) -> Tensor:
    """Return (4, frames*rows*columns) fp32 positions f, h, w and the modality flag 0."""
    axes = (
        torch.arange(frames, dtype=torch.float32, device=device) + frame_shift,
        torch.arange(rows, dtype=torch.float32, device=device),
        torch.arange(columns, dtype=torch.float32, device=device),
    )
    grid = torch.stack(torch.meshgrid(*axes, indexing='ij')).flatten(1)
    return torch.cat([grid, torch.zeros_like(grid[:1])])


def action_grid(
    frames: int, actions: int, frame_shift: int = 0, device: torch.device | None = None
) -> Tensor:
    """Return (4, frames*actions) fp32 positions of actions, and the modality flag 1.

    Action k = 1..N of frame f stands at (f + k / (N + 1), -1, -1): after its video frame in time,
    outside the picture in space.
    """
    frame = torch.arange(frames, dtype=torch.float32, device=device) + frame_shift
    part = torch.arange(1, actions + 1, dtype=torch.float32, device=device) / (actions + 1)
    time = (frame[:, None] + part).flatten()
    outside = -torch.ones_like(time)
    return torch.stack([time, outside, outside, torch.ones_like(time)])


def axis_dims(head_dim: int) -> tuple[int, int, int]:
    """Return the channels of a head that turn with frame, row and column."""
    side = 2 * (head_dim // 6)
    return head_dim - 2 * side, side, side


def frequencies(dim: int, device: torch.device | None = None) -> Tensor:
    """Return (dim/2,) fp64 base frequencies of one axis: theta^(-2j/dim)."""
    exponent = torch.arange(0, dim, 2, dtype=torch.float64, device=device) / dim
    return 1.0 / _THETA**exponent


def rope_table(grid_4L: Tensor, head_dim: int) -> Rope:
    """Return the rotations of tokens at ``grid_4L`` (..., 4, L).

    Angles are multiplied in fp64 and rounded to fp32 before the cosine, as published.
    """
    angles = [
        grid_4L[..., axis, :, None].double() * frequencies(dim, grid_4L.device)
        for axis, dim in enumerate(axis_dims(head_dim))
    ]
    angle_LR = torch.cat(angles, -1).float()
    return Rope(angle_LR.cos(), angle_LR.sin())


def rotate(x_BLhK: Tensor, rope: Rope) -> Tensor:
    """Return ``x_BLhK`` with each (even, odd) pair of channels turned by its token's angle."""
    cos, sin = rope.cos.unsqueeze(-2), rope.sin.unsqueeze(-2)
    even, odd = x_BLhK.float().unflatten(-1, (-1, 2)).unbind(-1)
    turned = torch.stack((even * cos - odd * sin, even * sin + odd * cos), -1)
    return turned.flatten(-2).to(x_BLhK.dtype)
