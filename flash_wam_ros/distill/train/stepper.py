"""One training step: every player's updates, gradient accumulation, clipping, averages."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor

from flash_wam_ros.core import UserError
from flash_wam_ros.distill.objective import Objective, OptimiserConfig, Player
from flash_wam_ros.distill.train.seeding import generator
from flash_wam_ros.distill.window import CleanBatch

BatchOf = Callable[[int], CleanBatch]
"""Number of a micro-batch, counted over the whole run, to the micro-batch."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """This process's part of the work.

    Attributes:
        rank: number of this process.
        world: number of processes.
    """

    rank: int = 0
    world: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class StepRecord:
    """What happened in a step; equal on all processes.

    Attributes:
        losses: ``player/part`` to its mean over the step's micro-batches.
        grad_norms: gradient norm of each player before clipping.
        lr: learning rate of each player.
    """

    losses: dict[str, float] = field(default_factory=dict)
    grad_norms: dict[str, float] = field(default_factory=dict)
    lr: dict[str, float] = field(default_factory=dict)

    def scalars(self) -> dict[str, float]:
        """Return all of it under names for a record file."""
        named = {f'loss/{k}': v for k, v in self.losses.items()}
        named |= {f'grad_norm/{k}': v for k, v in self.grad_norms.items()}
        return named | {f'lr/{k}': v for k, v in self.lr.items()}


class NonFiniteLossError(RuntimeError):
    """A loss or a gradient norm is no number; carries the micro-batches that made it."""

    def __init__(self, message: str, batches: list[CleanBatch]) -> None:
        super().__init__(message)
        self.batches = batches


class Stepper:
    """Runs the steps of an objective.

    Args:
        objective: networks and losses.
        optimiser: AdamW of every player.
        batch_of: data.
        micro_batches: micro-batches of an update, over all processes.
        seed: of everything random.
        share: this process's part.
        device: where batches are computed.
    """

    def __init__(
        self,
        objective: Objective,
        optimiser: OptimiserConfig,
        batch_of: BatchOf,
        *,
        micro_batches: int = 1,
        seed: int = 0,
        share: Share = Share(),
        device: torch.device = torch.device('cpu'),  # noqa: B008 (immutable)
    ) -> None:
        if micro_batches < 1 or micro_batches % share.world:
            raise UserError(
                f'{micro_batches} micro-batches do not divide among {share.world} processes; '
                'make micro_batches a multiple of the processes'
            )
        self.objective = objective
        self.config = optimiser
        self.optimisers = {
            player.name: optimiser.build(objective.networks[player.name])
            for player in objective.players
        }
        self.batch_of = batch_of
        self._micro_batches = micro_batches
        self._seed = seed
        self._share = share
        self._device = device

    def numbers(self, step: int) -> list[int]:
        """Return the micro-batches that this process computes in ``step``, in order."""
        updates = sum(player.updates for player in self.objective.players)
        first = step * updates * self._micro_batches
        mine = range(self._share.rank, self._micro_batches, self._share.world)
        return [first + u * self._micro_batches + m for u in range(updates) for m in mine]

    def step(self, step: int) -> StepRecord:
        """Do step ``step`` (0 is the first).

        Raises:
            NonFiniteLossError: before the update that would have spoilt the weights.
        """
        record = StepRecord()
        numbers = iter(self.numbers(step))
        for index, player in enumerate(self.objective.players):
            for update in range(player.updates):
                self._update(player, (step, index, update), numbers, record)
        self.objective.after_step()
        return record

    def _update(
        self, player: Player, key: tuple[int, int, int], numbers: Iterator[int], record: StepRecord
    ) -> None:
        network, optimiser = self.objective.networks[player.name], self.optimisers[player.name]
        lr = self.config.rate(key[0]) * player.lr_scale
        for group in optimiser.param_groups:
            group['lr'] = lr
        optimiser.zero_grad(set_to_none=True)
        sums, batches = self._accumulate(player, network, key, numbers)
        means = self._mean_over_processes(sums)
        norm = _full(torch.nn.utils.clip_grad_norm_(network.parameters(), self.config.clip))
        self._require_finite(key[0], player.name, means, float(norm), batches)
        optimiser.step()
        record.losses.update({f'{player.name}/{k}': v for k, v in means.items()})
        record.grad_norms[player.name] = float(norm)
        record.lr[player.name] = lr

    def _accumulate(
        self, player: Player, network: nn.Module, key: tuple[int, int, int], numbers: Iterator[int]
    ) -> tuple[dict[str, Tensor], list[CleanBatch]]:
        """Backpropagate this process's micro-batches; return sums of parts, and the batches."""
        mine = range(self._share.rank, self._micro_batches, self._share.world)
        sums: dict[str, Tensor] = {}
        batches = []
        for micro in mine:
            batch = self.batch_of(next(numbers)).to(self._device)
            batches.append(batch)
            _sync_gradients(network, micro == mine[-1])
            losses = self.objective.loss(player.name, batch, generator(self._seed, *key, micro))
            (losses.total / len(mine)).backward()
            for name, part in losses.parts.items():
                sums[name] = sums.get(name, torch.zeros_like(part)) + part / len(mine)
        return sums, batches

    def _mean_over_processes(self, sums: dict[str, Tensor]) -> dict[str, float]:
        values = torch.stack([value.double() for value in sums.values()])
        if self._share.world > 1:
            dist.all_reduce(values)
            values = values / self._share.world
        return dict(zip(sums, values.tolist(), strict=True))

    def _require_finite(
        self,
        step: int,
        player: str,
        means: dict[str, float],
        norm: float,
        batches: list[CleanBatch],
    ) -> None:
        values = torch.tensor([*means.values(), norm])
        if not torch.isfinite(values).all():
            raise NonFiniteLossError(
                f'step {step}, {player}: losses {means}, gradient norm {norm}; the weights are '
                'still those of the step before',
                batches,
            )


def _full(norm: Tensor) -> Tensor:
    return norm.full_tensor() if isinstance(norm, DTensor) else norm


def _sync_gradients(network: nn.Module, last: bool) -> None:
    """Let a sharded network exchange gradients only with the last micro-batch."""
    if isinstance(network, FSDPModule):
        network.set_requires_gradient_sync(last)
