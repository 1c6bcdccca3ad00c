"""A video-action world of Gaussian mixtures whose optimal velocity is known in closed form.

A "frame" is a point z in the plane. Given the last frame of the chunk before, the frames of a
chunk follow one of three ways (a mixture); given the frames, the actions of the chunk are the
displacements, turned, in one of two grips (a mixture again). So the video is multimodal given
its history, and the actions are multimodal given the video: the causal order of a world-action
model. Conditional densities are mixtures of isotropic Gaussians, hence the optimal velocity
E[eps - x0 | x] is a weighted sum of linear functions of x.

Legend: B windows, G chunks a window, K frames a chunk, d = 2, N actions a frame, M components.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from flash_wam_ros.distill.window import CleanBatch, NoisyWindow, Velocities

DIM = 2
K = 2
N = 2
CHUNKS = 3
FRAMES = CHUNKS * K
VIDEO_DIMS = K * DIM
ACTION_DIMS = K * N * DIM

_WAYS_MD = torch.tensor([[1.2, 0.4], [-1.2, 0.4], [0.0, -1.2]])
_WAY_WEIGHTS = torch.tensor([0.5, 0.3, 0.2])
_GRIPS_MD = torch.tensor([[0.7, -0.5], [-0.7, 0.5]])
_GRIP_WEIGHTS = torch.tensor([0.6, 0.4])
_TURN = torch.tensor([[0.0, -1.0], [1.0, 0.0]])
_MEMORY = 0.6
_VIDEO_STD = 0.15
_ACTION_STD = 0.1


@dataclass(frozen=True, kw_only=True, slots=True)
class Mixture:
    """Isotropic Gaussians of equal width.

    Attributes:
        weights: (M,) sum to 1.
        means: (..., M, D).
        std: of every component.
    """

    weights: Tensor
    means: Tensor
    std: float

    def sample(self, rng: torch.Generator) -> Tensor:
        """Return one draw for each leading index, (..., D)."""
        lead, dims = self.means.shape[:-2], self.means.shape[-1]
        count = lead.numel()
        index = torch.multinomial(self.weights, count, replacement=True, generator=rng)
        means = self.means.reshape(count, len(self.weights), dims)[torch.arange(count), index]
        return (means + self.std * torch.randn(count, dims, generator=rng)).reshape(*lead, dims)

    def velocity(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Return E[eps - x0 | x] for x = (1 - sigma) x0 + sigma eps; both (..., D).

        Each component has the posterior means E[x0] = mu + (1 - sigma) s^2 r / q and
        E[eps] = sigma r / q with r = x - (1 - sigma) mu and q = (1 - sigma)^2 s^2 + sigma^2.
        """
        x, sigma = x[..., None, :], sigma[..., None, :]
        q = (1 - sigma) ** 2 * self.std**2 + sigma**2
        r = x - (1 - sigma) * self.means
        log_weight = self.weights.log() - 0.5 * (r**2 / q).sum(-1)
        posterior = torch.softmax(log_weight, -1)[..., None]
        each = (sigma - (1 - sigma) * self.std**2) * r / q - self.means
        return (posterior * each).sum(-2)


def previous_frames(frames_BFD: Tensor) -> Tensor:
    """Return the frame before each chunk, (B, G, d); before the first it is the origin."""
    last = frames_BFD.unflatten(1, (-1, K))[:, :, -1]
    return torch.cat([torch.zeros_like(last[:, :1]), last[:, :-1]], 1)


def video_given(previous: Tensor) -> Mixture:
    """Return p(frames of a chunk | frame before it) for (..., d): dims ordered (frame, axis)."""
    progress = (torch.arange(K) + 1.0)[:, None] / K
    means = _MEMORY * previous[..., None, None, :] + progress * _WAYS_MD[:, None, :]
    return Mixture(weights=_WAY_WEIGHTS, means=means.flatten(-2), std=_VIDEO_STD)


def actions_given(frames: Tensor, previous: Tensor) -> Mixture:
    """Return p(actions of a chunk | its frames (..., K, d)): dims ordered (frame, n, axis)."""
    before = torch.cat([previous[..., None, :], frames[..., :-1, :]], -2)
    moved = (frames - before) @ _TURN.T
    sign = 1.0 - 2.0 * torch.arange(N)[:, None] / N
    means = moved[..., None, :, None, :] + _GRIPS_MD[:, None, None, :] * sign
    return Mixture(weights=_GRIP_WEIGHTS, means=means.flatten(-3), std=_ACTION_STD)


def draw_windows(size: int, rng: torch.Generator) -> CleanBatch:
    """Return ``size`` windows of `FRAMES` frames."""
    previous, frames, actions = torch.zeros(size, DIM), [], []
    for _ in range(CHUNKS):
        chunk = video_given(previous).sample(rng).unflatten(-1, (K, DIM))
        actions.append(actions_given(chunk, previous).sample(rng))
        frames.append(chunk)
        previous = chunk[:, -1]
    return CleanBatch(
        latent=as_latent(torch.cat(frames, 1)),
        actions=as_actions(torch.stack(actions, 1)),
        actions_mask=torch.ones(size, DIM, FRAMES, N, 1, dtype=torch.bool),
        text_emb=torch.zeros(size, 1, 1),
    )


def as_latent(frames_BFD: Tensor) -> Tensor:
    """Return (B, d, F, 1, 1)."""
    return frames_BFD.transpose(1, 2)[..., None, None]


def as_frames(latent: Tensor) -> Tensor:
    """Return (B, F, d) of a latent."""
    return latent[..., 0, 0].transpose(1, 2)


def as_actions(chunks_BGE: Tensor) -> Tensor:
    """Return (B, d, F, N, 1) of actions of chunks, dims ordered (frame, n, axis)."""
    per_frame = chunks_BGE.unflatten(-1, (K, N, DIM)).flatten(1, 2)
    return per_frame.permute(0, 3, 1, 2)[..., None]


def as_chunks(actions: Tensor) -> Tensor:
    """Return (B, G, K N d) of actions (B, d, F, N, 1)."""
    return actions[..., 0].permute(0, 2, 3, 1).unflatten(1, (-1, K)).flatten(2)


class ExactNetwork(nn.Module):
    """The optimal velocities of both streams, in place of a trained network."""

    def forward(self, window: NoisyWindow) -> Velocities:
        """Return E[eps - x0 | noisy copy, clean history]."""
        clean = as_frames(window.video.clean)
        previous = previous_frames(clean)
        chunks = clean.unflatten(1, (-1, K))
        noisy = as_frames(window.video.noisy).unflatten(1, (-1, K)).flatten(2)
        sigma_v = (window.video.t / 1000).unflatten(1, (-1, K)).repeat_interleave(DIM, 2)
        sigma_a = (window.action.t / 1000).unflatten(1, (-1, K)).repeat_interleave(N * DIM, 2)
        video = video_given(previous).velocity(noisy, sigma_v)
        action = actions_given(chunks, previous).velocity(as_chunks(window.action.noisy), sigma_a)
        return Velocities(
            as_latent(video.unflatten(-1, (K, DIM)).flatten(1, 2)), as_actions(action)
        )
