"""What the trainer minimises: the contract between a recipe's mathematics and the loop."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from flash_wam_ros.core import UserError
from flash_wam_ros.distill.window import CleanBatch


@dataclass(frozen=True, kw_only=True, slots=True)
class Losses:
    """One loss to differentiate, and its parts for the record.

    Attributes:
        total: scalar with a graph.
        parts: detached scalars by name, each before its weight.
    """

    total: Tensor
    parts: Mapping[str, Tensor]


@dataclass(frozen=True, kw_only=True, slots=True)
class OptimiserConfig:
    """AdamW with clipping and a linear warm-up to a constant rate.

    Attributes:
        lr: learning rate after the warm-up.
        beta1: decay of the first moment.
        beta2: decay of the second moment.
        eps: guard of the division.
        weight_decay: decoupled weight decay.
        clip: largest gradient norm; larger ones are scaled down to it.
        warmup_steps: steps over which the rate rises from lr / warmup_steps to lr.
    """

    lr: float
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    weight_decay: float = 0.0
    clip: float = 2.0
    warmup_steps: int = 100

    def __post_init__(self) -> None:
        for name in ('lr', 'eps', 'clip'):
            if not 0.0 < getattr(self, name) < float('inf'):
                raise UserError(f'{name} {getattr(self, name)} must be finite and above 0')
        for name in ('beta1', 'beta2'):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise UserError(f'{name} {getattr(self, name)} must be in [0, 1)')
        if not 0.0 <= self.weight_decay < float('inf') or self.warmup_steps < 0:
            raise UserError(
                f'weight_decay {self.weight_decay} and warmup_steps {self.warmup_steps} '
                'must not be negative'
            )

    def build(self, module: nn.Module) -> torch.optim.AdamW:
        """Return AdamW over the trainable parameters of ``module``."""
        trainable = [p for p in module.parameters() if p.requires_grad]
        betas = (self.beta1, self.beta2)
        return torch.optim.AdamW(
            trainable, lr=self.lr, betas=betas, eps=self.eps, weight_decay=self.weight_decay
        )

    def rate(self, step: int) -> float:
        """Return the learning rate of optimiser step ``step`` (0 is the first)."""
        return self.lr * min(1.0, (step + 1) / max(1, self.warmup_steps))


@dataclass(frozen=True, kw_only=True, slots=True)
class Player:
    """A network that learns, and how often.

    Attributes:
        name: key of the network in the objective's ``networks``.
        lr_scale: its learning rate relative to the configured one.
        updates: optimiser updates per training step, each on batches of its own.
    """

    name: str
    lr_scale: float = 1.0
    updates: int = 1


class Objective(ABC):
    """Networks, who of them learns, and the losses of a batch."""

    networks: dict[str, nn.Module]
    """Every network by name: ``online`` learns and is shipped, ``average`` is its EMA."""

    players: tuple[Player, ...] = (Player(name='online'),)
    """In the order in which they are updated within one step."""

    @abstractmethod
    def loss(self, player: str, batch: CleanBatch, rng: torch.Generator) -> Losses:
        """Return the losses of ``player``; all randomness comes from ``rng``."""

    @abstractmethod
    def after_step(self) -> None:
        """Do what follows the optimiser steps: move the averages."""
