"""What a training step sees: clean windows from a data source, noisy windows for a network.

Shapes: B batch, F latent frames, C latent channels, H and W of the latent canvas, A action
channels, N actions per frame, L text tokens, D text channels.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from flash_wam_ros.core import UserError, did_you_mean
from flash_wam_ros.wam.context import Seen


@dataclass(frozen=True, kw_only=True, slots=True)
class CleanBatch:
    """A batch of recorded windows, normalised as the network reads them.

    Attributes:
        latent: video latents (B, C, F, H, W).
        actions: normalised actions (B, A, F, N, 1).
        actions_mask: True where an action is supervised, (B, A, F, N, 1).
        text_emb: text embedding, zero past the prompt's end, (B, L, D).
        executed: what the robot was really sent, like ``actions``; it becomes the history copy.
            None where a data set records only one of the two.
        state: normalised joints measured with each latent frame, (B, S, F); None where the
            network reads none.
        places: where the things were with each latent frame, (B, F, P) [m], NaN for none; None
            where nobody asks.
    """

    latent: Tensor
    actions: Tensor
    actions_mask: Tensor
    text_emb: Tensor
    executed: Tensor | None = None
    state: Tensor | None = None
    places: Tensor | None = None

    def __post_init__(self) -> None:
        if self.latent.ndim != 5 or self.actions.ndim != 5:
            raise UserError(
                f'latent {tuple(self.latent.shape)} and actions {tuple(self.actions.shape)} must '
                'be (B, C, F, H, W) and (B, A, F, N, 1); check the data source'
            )
        batch_frames = (self.latent.shape[0], self.latent.shape[2])
        if batch_frames != (self.actions.shape[0], self.actions.shape[2]):
            raise UserError(
                f'latent {tuple(self.latent.shape)} and actions {tuple(self.actions.shape)} '
                'differ in batch or frames; check the data source'
            )
        if self.actions_mask.shape != self.actions.shape:
            raise UserError(
                f'actions_mask {tuple(self.actions_mask.shape)} must have the shape of actions '
                f'{tuple(self.actions.shape)}; check the data source'
            )

    @classmethod
    def collate(cls, samples: Sequence[Mapping[str, Tensor]]) -> 'CleanBatch':
        """Stack samples, each a mapping with this class's field names and no batch axis."""
        names = [f.name for f in fields(cls)]
        present = list(samples[0])
        for name in present:
            if name not in names:
                raise UserError(f'unknown field {name!r} of a sample; {did_you_mean(name, names)}')
        return cls(**{name: torch.stack([s[name] for s in samples]) for name in present})

    def to(self, device: torch.device) -> 'CleanBatch':
        """Return the batch on ``device``."""
        parts = {f.name: getattr(self, f.name) for f in fields(self)}
        return replace(self, **{k: p.to(device) for k, p in parts.items() if p is not None})


class Source(Protocol):
    """A finite, indexable set of recorded windows (a map-style data set)."""

    def __len__(self) -> int:
        """Return the number of windows."""

    def __getitem__(self, index: int) -> Mapping[str, Tensor]:
        """Return one window: latent, actions, actions_mask, text_emb, without the batch axis."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Stream:
    """One modality of a noisy window: the noisy copy, the clean copy, and their levels.

    Attributes:
        noisy: (B, C, F, H, W) for video, (B, A, F, N, 1) for actions.
        clean: the history copy, same shape.
        t: timestep of the noisy copy per frame, 1000 sigma, (B, F).
        t_clean: timestep of the clean copy per frame, (B, F); 0 unless history is noised.
    """

    noisy: Tensor
    clean: Tensor
    t: Tensor
    t_clean: Tensor

    @property
    def sigma(self) -> Tensor:
        """Return the noise level of the noisy copy, (B, 1, F, 1, 1)."""
        return self.t[:, None, :, None, None] / 1000.0

    def at(self, noisy: Tensor, t: Tensor) -> 'Stream':
        """Return this stream with another noisy copy at timesteps ``t``."""
        return replace(self, noisy=noisy, t=t)


class View(NamedTuple):
    """Who sees whom.

    Attributes:
        chunk_size: frames denoised together.
        window_size: farthest half-chunk that is seen.
        imagination: whether noisy actions see the video of their own chunk.
    """

    chunk_size: int
    window_size: int
    imagination: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class NoisyWindow:
    """The input of a network in training form (noisy and clean copies, teacher forcing).

    Attributes:
        video: the video stream.
        action: the action stream.
        text_emb: text embedding (B, L, D).
        action_target_t: timestep a flow map shall jump to, per frame (B, F); None otherwise.
        view: chunking of this window; None leaves it to the network.
        seen: what was observed, for a network with an observation context.
    """

    video: Stream
    action: Stream
    text_emb: Tensor
    action_target_t: Tensor | None = None
    view: View | None = None
    seen: Seen | None = None

    def with_text(self, text_emb: Tensor) -> 'NoisyWindow':
        """Return this window under another prompt, (B, L, D) or (1, L, D)."""
        batch = self.text_emb.shape[0]
        return replace(self, text_emb=text_emb.to(self.text_emb).expand(batch, -1, -1))


class Velocities(NamedTuple):
    """v = eps - x0 of both modalities, each in the shape of its noisy copy.

    A named tuple, because sharded modules look for the tensors of an output to hook them.
    """

    video: Tensor
    action: Tensor
    places: Tensor | None = None
    """(B, K, P) where things are [m] when each of K chunks begins, of a network that tells it."""


class VelocityNetwork(Protocol):
    """A network in training form."""

    def __call__(self, window: NoisyWindow) -> Velocities:
        """Return the velocity of every noisy frame of ``window``."""
