"""A training batch of both modalities, and what the network answers.

Legend: B batch, C latent channels, F frames, H W latent canvas, A action channels, N actions a
frame.
"""

from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor


@dataclass(frozen=True, kw_only=True, slots=True)
class StreamBatch:
    """One modality of a training batch.

    Attributes:
        noisy: (B, C, F, H, W) latents or (B, A, F, N) actions, noised.
        clean: the history of the same shape.
        t_noisy: (B, F) timestep of each noisy frame, 0..1000.
        t_clean: (B, F) timestep of each clean frame, 0 unless the history is noised too.
        t_target: (B, F) timestep that a flow map's step shall reach; actions of one only.
    """

    noisy: Tensor
    clean: Tensor
    t_noisy: Tensor
    t_clean: Tensor
    t_target: Tensor | None = None


class Velocity(NamedTuple):
    """Predicted velocities: video (B, C, F, H, W) and action (B, A, F, N).

    A network with an observation context adds what it told each of K chunks: (B, K, D).
    """

    video: Tensor
    action: Tensor
    told: Tensor | None = None
