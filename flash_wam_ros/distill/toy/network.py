"""A tiny network for the toy world: one shared trunk, an embedder and a head per modality.

It sees what a world-action transformer sees: noisy video of a chunk sees the frame before the
chunk; noisy actions see that and the chunk's clean video.
"""

import copy
import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from flash_wam_ros.distill.toy.world import (
    ACTION_DIMS,
    DIM,
    VIDEO_DIMS,
    K,
    as_actions,
    as_chunks,
    as_frames,
    as_latent,
    previous_frames,
)
from flash_wam_ros.distill.window import NoisyWindow, Velocities

_OCTAVES = 4
_LEVEL_DIMS = 1 + 2 * _OCTAVES


def _level_features(t_BF: Tensor) -> Tensor:
    """Return (B, G, K * levels) features of the noise level of each frame of a chunk."""
    sigma = (t_BF / 1000).unsqueeze(-1)
    angle = sigma * math.pi * 2.0 ** torch.arange(_OCTAVES)
    return torch.cat([sigma, angle.sin(), angle.cos()], -1).unflatten(1, (-1, K)).flatten(2)


class ToyNetwork(nn.Module):
    """Velocities of both streams from a shared residual MLP.

    Args:
        width: channels of the trunk.
        depth: residual layers of the trunk.
        target_time: whether the action stream is told where to jump to.
    """

    def __init__(self, width: int = 96, depth: int = 3, *, target_time: bool = False) -> None:
        super().__init__()
        levels = K * _LEVEL_DIMS
        self.video_in = nn.Linear(VIDEO_DIMS + levels + DIM, width)
        self.action_in = nn.Linear(ACTION_DIMS + levels + VIDEO_DIMS + DIM, width)
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        self.video_out = nn.Linear(width, VIDEO_DIMS)
        self.action_out = nn.Linear(width, ACTION_DIMS)
        self.target_in = nn.Linear(levels, width) if target_time else None
        if self.target_in is not None:
            nn.init.zeros_(self.target_in.weight)
            nn.init.zeros_(self.target_in.bias)

    def with_target_time(self) -> 'ToyNetwork':
        """Return a copy that takes a target time, and ignores it until it is trained."""
        width, depth = self.video_in.out_features, len(self.layers)
        mapped = ToyNetwork(width, depth, target_time=True)
        mapped.load_state_dict(copy.deepcopy(self.state_dict()), strict=False)
        return mapped

    def forward(self, window: NoisyWindow) -> Velocities:
        """Return the velocities of the noisy copies."""
        clean = as_frames(window.video.clean)
        previous = previous_frames(clean)
        chunks = clean.unflatten(1, (-1, K)).flatten(2)
        noisy = as_frames(window.video.noisy).unflatten(1, (-1, K)).flatten(2)
        video = self.video_in(torch.cat([noisy, _level_features(window.video.t), previous], -1))
        action = self.action_in(
            torch.cat(
                [
                    as_chunks(window.action.noisy),
                    _level_features(window.action.t),
                    chunks,
                    previous,
                ],
                -1,
            )
        )
        if self.target_in is not None:
            assert window.action_target_t is not None, 'a flow map needs a target time'
            action = action + self.target_in(_level_features(window.action_target_t))
        hidden = torch.stack([video, action])
        for layer in self.layers:
            hidden = hidden + layer(functional.silu(hidden))
        hidden = functional.silu(hidden)
        frames = self.video_out(hidden[0]).unflatten(-1, (K, DIM)).flatten(1, 2)
        return Velocities(as_latent(frames), as_actions(self.action_out(hidden[1])))
