"""Teaching a network to look before it acts: where are the things, seen from body and hands?

What a small network needs most of its eyes is where things are. Acting teaches that slowly, for
an action says little about a place. So the observation context is first trained alone: a linear
probe, thrown away afterwards, reads the positions of a task's objects from the summary that the
noisy tokens will be told. A thousand steps cost as much as two hundred of the whole network. What
was learned so stays learned if the probe goes on reading while the network learns to act
(``teacher.look``).

Legend: B batch, F frames, K chunks, D width, P = 27 numbers: up to three objects, each in the
pelvis frame and in the frames of both hands [m].
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from flash_wam_ros.core import UserError
from flash_wam_ros.data.places import PLACES
from flash_wam_ros.distill.networks import ema_update, frozen_copy, trainable_copy
from flash_wam_ros.distill.objective import Losses, Objective
from flash_wam_ros.distill.wam_network import Kept, WamNetwork, fresh
from flash_wam_ros.distill.window import CleanBatch, NoisyWindow, Velocities

_UNIT_M = 0.05
"""An error of this length counts 1: about the spread of the things on the table."""
_MIDDLE_M = ((0.36, -0.12, 0.05), (0.23, -0.27, 0.0), (0.08, 0.06, -0.03))
"""About the middle of all places in the pelvis, left and right frame, for a probe to begin at."""
_ROUND = 0.1
"""Below this error, in units, the loss is a square, above it a distance."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LookConfig:
    """How looking is trained.

    Attributes:
        ema_decay: decay of the network's moving average.
    """

    ema_decay: float = 0.99

    def __post_init__(self) -> None:
        """Refuse what is no decay."""
        if not 0.0 <= self.ema_decay < 1.0:
            raise UserError(f'ema_decay {self.ema_decay} must be in [0, 1)')


class LookingNetwork(WamNetwork):
    """A network and the probe that tells what it saw.

    Args:
        network: has an observation context.

    Raises:
        UserError: it has none.
    """

    def __init__(self, network: WamNetwork) -> None:
        super().__init__(network.transformer, network.view)
        if network.transformer.context is None:
            raise UserError('look: this network has no observation context; use preset g1-tiny')
        self.probe = nn.Linear(network.transformer.config.width, PLACES)
        middle = torch.tensor(_MIDDLE_M).flatten()
        self.register_buffer('middle', middle.repeat(PLACES // len(middle)), persistent=False)

    def forward(self, window: NoisyWindow, kept: Kept | None = None) -> Velocities:
        """Return the velocities of the noisy copies and the places (B, K, P), in fp32."""
        velocity = self.velocity(window, kept)
        assert velocity.told is not None
        return fresh(velocity, self._read(velocity.told))

    def places(self, batch: CleanBatch, frame: int) -> Tensor:
        """Return (B, P) where the things are in ``frame`` of each window [m]."""
        context = self.transformer.observation_context(
            batch.latent[:, :, frame].unsqueeze(2),
            batch.text_emb,
            None if batch.state is None else batch.state[:, :, frame],
        )
        assert context is not None
        return self._read(context.summary)

    def _read(self, summary: Tensor) -> Tensor:
        """Return (..., P) [m] of (..., D)."""
        return torch.as_tensor(self.middle + _UNIT_M * self.probe(summary).float())


def places_loss(found: Tensor, true: Tensor | None) -> Losses:
    """Return the loss of places (B, K, P), and the mean distance of first objects [m].

    Args:
        found: what was read.
        true: where things are, NaN for none.

    Raises:
        UserError: nobody knows where things are.
    """
    if true is None:
        raise UserError('look: the windows name no places; set data.keyframes.places=true')
    error = found - true
    there = ~error.isnan()
    error = torch.where(there, error, 0.0)
    loss = functional.smooth_l1_loss(
        error / _UNIT_M, torch.zeros_like(error), beta=_ROUND, reduction='sum'
    ) / there.sum().clamp_min(1)
    first = error[..., :3].detach().norm(dim=-1).mean()
    return Losses(total=loss, parts={'total': loss.detach(), 'first_object_m': first})


class LookObjective(Objective):
    """Learns where things are in the first and the last frame of each window.

    Args:
        config: see there.
        network: where training starts; it is copied.
    """

    def __init__(self, config: LookConfig, network: WamNetwork) -> None:
        self.config = config
        looking = LookingNetwork(network)
        self.networks = {
            'online': trainable_copy(looking),
            'average': frozen_copy(looking).float(),
        }

    def loss(self, player: str, batch: CleanBatch, rng: torch.Generator) -> Losses:
        """Return the loss of a batch; see :func:`places_loss`."""
        online = self.networks['online']
        assert isinstance(online, LookingNetwork)
        found = torch.stack([online.places(batch, 0), online.places(batch, -1)], 1)
        return places_loss(found, None if batch.places is None else batch.places[:, [0, -1]])

    def after_step(self) -> None:
        """Move the average towards the network."""
        ema_update(self.networks['average'], self.networks['online'], self.config.ema_decay)
