"""Copies of a network: frozen teachers and exponential moving averages."""

import copy
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

_M = TypeVar('_M', bound=nn.Module)


def frozen_copy(network: _M) -> _M:
    """Return a deep copy in evaluation mode whose parameters take no gradient."""
    return copy.deepcopy(network).eval().requires_grad_(False)


def trainable_copy(network: _M) -> _M:
    """Return a deep copy with fp32 master weights, all of them trainable."""
    return copy.deepcopy(network).float().train().requires_grad_(True)


def _local(tensor: Tensor) -> Tensor:
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


@torch.no_grad()
def ema_update(target: nn.Module, online: nn.Module, decay: float) -> None:
    """Set target to decay target + (1 - decay) online, in place, shard by shard.

    The averages must be fp32: in bf16 a step of 0.005 rounds to nothing for most weights.
    """
    averages = [_local(p) for p in target.parameters()]
    currents = [_local(p) for p in online.parameters()]
    if any(p.dtype != torch.float32 for p in averages):
        raise TypeError('the moving average must be fp32; call .float() on the target')
    torch._foreach_lerp_(averages, currents, 1.0 - decay)
