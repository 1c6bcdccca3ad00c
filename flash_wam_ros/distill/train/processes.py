"""One process or many: process groups, sharding, and gathering what was sharded."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch._C._distributed_c10d import HashStore
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

from flash_wam_ros.core import UserError
from flash_wam_ros.distill.train.stepper import Share


@contextmanager
def process_group(device: str, *, always: bool) -> Iterator[tuple[Share, torch.device]]:
    """Join the processes that torchrun started; yield this process's share and its device.

    Args:
        device: ``cpu`` (gloo) or ``cuda`` (nccl).
        always: make a group even for one process, as sharded mixed precision needs one.
    """
    if device == 'cuda' and not torch.cuda.is_available():
        raise UserError('loop.device is cuda, but this machine has no CUDA device; use cpu')
    world = int(os.environ.get('WORLD_SIZE', '1'))
    rank, local = int(os.environ.get('RANK', '0')), int(os.environ.get('LOCAL_RANK', '0'))
    place = torch.device('cuda', local) if device == 'cuda' else torch.device('cpu')
    if device == 'cuda':
        torch.cuda.set_device(place)
    grouped = world > 1 or always
    if grouped:
        backend = 'cpu:gloo,cuda:nccl' if device == 'cuda' else 'gloo'
        store = None if world > 1 else HashStore()
        dist.init_process_group(backend, rank=rank, world_size=world, store=store)
    try:
        yield Share(rank=rank, world=world), place
    finally:
        if grouped:
            dist.destroy_process_group()


def shard(network: nn.Module, dtype: torch.dtype, device: torch.device) -> nn.Module:
    """Shard a network over the process group, block by block (FSDP2), in place.

    Master weights keep their type; forward and backward run in ``dtype``, gradients are reduced
    in fp32.
    """
    mesh = init_device_mesh(device.type, (dist.get_world_size(),))
    policy = MixedPrecisionPolicy(
        param_dtype=dtype, reduce_dtype=torch.float32, cast_forward_inputs=False
    )
    for block in _blocks(network):
        fully_shard(block, mesh=mesh, mp_policy=policy)
    # Without resharding the root would be left whole, in the compute type, after a forward.
    fully_shard(network, mesh=mesh, mp_policy=policy, reshard_after_forward=True)
    return network


def _blocks(network: nn.Module) -> list[nn.Module]:
    """Return the members of every list of blocks (layers) of a network."""
    lists = [m for name, m in network.named_modules() if name.rpartition('.')[2] == 'blocks']
    return [block for blocks in lists for block in blocks.children()]


def gathered(network: nn.Module) -> dict[str, Tensor]:
    """Return the whole state of a network on the CPU (empty on all processes but the first)."""
    options = StateDictOptions(full_state_dict=True, cpu_offload=True)
    state = get_model_state_dict(network, options=options)
    return {name: value for name, value in state.items() if isinstance(value, Tensor)}


def barrier() -> None:
    """Wait for the other processes, if there are any."""
    if dist.is_initialized():
        dist.barrier()
