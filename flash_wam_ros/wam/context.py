"""What a small network is told of the present beside its history: a goal-conditioned look.

A network of billions of parameters finds in its history all that it needs. A small one learns
faster when the newest observation reaches every noisy token directly:

- a convolutional *stem* reads the newest latents under the instruction: its features are scaled
  and shifted by the goal (FiLM, Perez et al. 2018), and goal-specific spatial softmaxes give
  key points (Levine et al. 2016) in the view of each camera;
- the *measured joints* and the key points go to every noisy token, the features of a place to the
  noisy video tokens of that place;
- the *copy path* adds (1 + a(t)) x - (1 + b(t)) z to the video velocity, where z is the newest
  latent: with a = b = 0 the untrained network already says that nothing moves.

``ModelConfig.context`` switches it on; the published network has none.

Legend: B batch, C latent channels, F frames, H W latent canvas, h w token grid, D width, T text
tokens, E text channels, S state channels, A action channels, N actions a frame, V views, K key
points of all views.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from flash_wam_ros.wam.context_config import ContextConfig
from flash_wam_ros.wam.embed import sinusoid

_POSITION_CHANNELS = 32
_GOAL_CHANNELS = 64
_SHARPNESS = 3.0


class Seen(NamedTuple):
    """What was really observed, without noise.

    Attributes:
        latents: (B, C, F, H, W).
        state: (B, S, F) normalised joint positions, or None for a network that reads none.
    """

    latents: Tensor
    state: Tensor | None


class Context(NamedTuple):
    """The present, as the noisy tokens of one chunk are told it.

    Attributes:
        places: (B, h*w, D) for the video tokens of each place.
        summary: (B, D) for all tokens.
        still: (B, C, 1, H, W) the newest latents.
    """

    places: Tensor
    summary: Tensor
    still: Tensor


class _Stem(nn.Module):
    """Latents and goal to features of places and key points."""

    def __init__(self, config: ContextConfig, channels: int, patch: int, width: int) -> None:
        super().__init__()
        inner, fine = config.stem_channels, config.upsample
        self.fine, self.patch, self.views = fine, patch, config.views
        points = points_of(config)
        self.keypoints = points
        self.lift = nn.Conv2d(channels, inner // 2 * fine**2, 1)
        self.local = nn.Conv2d(inner // 2, inner, 3, padding=1)
        self.goal_conv = nn.Conv2d(inner, inner, 3, padding=1)
        self.film = nn.Linear(_GOAL_CHANNELS, 2 * inner)
        self.point_map = nn.Conv2d(inner, points, 1)
        self.goal_points = nn.Linear(_GOAL_CHANNELS, points * inner)
        self.sharpness = nn.Parameter(torch.full((points,), _SHARPNESS))
        self.coarse = nn.Conv2d(inner, inner, fine, stride=fine)
        self.places = nn.Linear(inner * patch**2, width)

    def forward(self, latents_BCHW: Tensor, goal_BG: Tensor) -> tuple[Tensor, Tensor]:
        """Return (B, h*w, D) features of places and (B, 3K) x, y and strength of key points."""
        fine = functional.pixel_shuffle(functional.relu(self.lift(latents_BCHW)), self.fine)
        x = functional.relu(self.local(fine))
        scale, shift = self.film(goal_BG)[:, :, None, None].chunk(2, 1)
        x = functional.relu(x + self.goal_conv(x) * (1 + scale) + shift)
        points = self._points(x, goal_BG)
        grid = functional.pixel_unshuffle(functional.relu(self.coarse(x)), self.patch)
        return self.places(grid.flatten(2).transpose(1, 2)), points

    def _points(self, x_BIHW: Tensor, goal_BG: Tensor) -> Tensor:
        """Return where each key point is in [-1, 1]^2 of its view, and how sure it is."""
        views = self._views(x_BIHW)
        bias = self.point_map.bias
        assert bias is not None
        filters = self.goal_points(goal_BG).unflatten(1, (self.keypoints, -1))
        filters = filters + self.point_map.weight.flatten(1)
        parts = (part.chunk(len(views)) for part in (bias, self.sharpness))
        found = [
            _softmax_places(*part)
            for part in zip(views, filters.chunk(len(views), 1), *parts, strict=True)
        ]
        x, y, sure = (torch.cat(part, 1) for part in zip(*found, strict=True))
        return torch.cat([2 * x, 2 * y, sure], 1)

    def _views(self, x_BIHW: Tensor) -> list[Tensor]:
        """Return the part (B, I, h, w) of each view."""
        if not self.views:
            return [x_BIHW]
        boxes = [[self.fine * edge for edge in view] for view in self.views]
        return [x_BIHW[..., t : t + h, left : left + w] for t, left, h, w in boxes]


def points_of(config: ContextConfig) -> int:
    """Return K, the key points of all views."""
    return config.keypoints * max(len(config.views), 1)


def _softmax_places(
    x_BIhw: Tensor, filters_BKI: Tensor, bias_K: Tensor, sharpness_K: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return (B, K) columns and rows in [-1, 1], and mean strengths, of spatial softmaxes."""
    strength = filters_BKI @ x_BIhw.flatten(2) + bias_K[:, None]
    share = (strength * sharpness_K[:, None]).softmax(-1)
    rows, columns = (
        torch.linspace(-1, 1, size, device=x_BIhw.device, dtype=x_BIhw.dtype)
        for size in x_BIhw.shape[-2:]
    )
    grid = share.unflatten(2, x_BIhw.shape[-2:])
    return (grid.sum(2) * columns).sum(2), (grid.sum(3) * rows).sum(2), (share * strength).sum(2)


class ObservationContext(nn.Module):
    """Makes a :class:`Context` and brings it to tokens and velocities.

    Args:
        config: its parts.
        channels: C.
        action_dim: A.
        text_dim: E.
        patch: side of a video token in latents.
        freq_dim: channels of the sinusoidal time features.
        width: D.
    """

    def __init__(
        self,
        config: ContextConfig,
        *,
        channels: int,
        action_dim: int,
        text_dim: int,
        patch: int,
        freq_dim: int,
        width: int,
    ) -> None:
        super().__init__()
        self.config, self.freq_dim = config, freq_dim
        self.goal = nn.Linear(text_dim, _GOAL_CHANNELS)
        self.stem = _Stem(config, channels, patch, width)
        inputs = _GOAL_CHANNELS + 3 * points_of(config) + config.state_dim
        self.summary = nn.Sequential(
            nn.Linear(inputs, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )
        self.video_position = nn.Linear(_POSITION_CHANNELS, width)
        self.action_position = nn.Linear(_POSITION_CHANNELS, width)
        self.video_gain = nn.Linear(freq_dim, 2 * channels)
        self.action_gain = nn.Linear(freq_dim, action_dim)
        for gain in (self.video_gain, self.action_gain):
            nn.init.zeros_(gain.weight)
            nn.init.zeros_(gain.bias)

    def forward(self, still_BC1HW: Tensor, text_BTE: Tensor, state_BS: Tensor | None) -> Context:
        """Return the context of a chunk.

        Args:
            still_BC1HW: the newest latents.
            text_BTE: embedding of the instruction, zero past its end.
            state_BS: normalised joint positions; None where the network reads none.
        """
        goal = functional.gelu(self.goal(_mean_of_words(text_BTE)))
        places, points = self.stem(still_BC1HW.squeeze(2), goal)
        parts = [goal, points] if state_BS is None else [goal, points, state_BS]
        return Context(places, self.summary(torch.cat(parts, 1)), still_BC1HW)

    def video_tokens(self, context: Context, frames: int) -> Tensor:
        """Return (B, frames*h*w, D) to be added to the noisy video tokens of a chunk."""
        position = self._positions(self.video_position, frames, context.summary)
        place = context.places + context.summary[:, None]
        return (place[:, None] + position[:, None]).flatten(1, 2)

    def action_tokens(self, context: Context, frames: int, actions: int) -> Tensor:
        """Return (B, frames*actions, D) to be added to the noisy action tokens of a chunk."""
        position = self._positions(self.action_position, frames * actions, context.summary)
        return context.summary[:, None] + position

    def video_copy(self, noisy_BCFHW: Tensor, still: Tensor, timesteps_BF: Tensor) -> Tensor:
        """Return what the copy path adds to the velocity; ``still`` is (B, C, 1 or F, H, W)."""
        gain = self._gain(self.video_gain, timesteps_BF, noisy_BCFHW)[..., None, None]
        of_noisy, of_still = gain.chunk(2, 1)
        return (1 + of_noisy) * noisy_BCFHW - (1 + of_still) * still

    def action_copy(self, noisy_BAFN: Tensor, timesteps_BF: Tensor) -> Tensor:
        """Return what the noise itself adds to the action velocity."""
        gain = self._gain(self.action_gain, timesteps_BF, noisy_BAFN)
        return (1 + gain[..., None]) * noisy_BAFN

    def _gain(self, layer: nn.Linear, timesteps_BF: Tensor, like: Tensor) -> Tensor:
        features = sinusoid(timesteps_BF, self.freq_dim).to(layer.weight.dtype)
        return layer(features).transpose(1, 2).to(like.dtype)

    def _positions(self, layer: nn.Linear, count: int, like: Tensor) -> Tensor:
        index = 10.0 * torch.arange(count, device=like.device)
        return layer(sinusoid(index, _POSITION_CHANNELS).to(layer.weight.dtype))


def _mean_of_words(text_BTE: Tensor) -> Tensor:
    """Return (B, E) mean over the words, without the padding."""
    words = (text_BTE != 0).any(-1, keepdim=True).to(text_BTE.dtype)
    return (text_BTE * words).sum(1) / words.sum(1).clamp_min(1)
