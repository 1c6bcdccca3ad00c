"""Optional speed: compiled blocks and CUDA graphs, each falling back to plain execution."""

import logging
from collections.abc import Callable, Hashable
from typing import cast

import torch

from flash_wam_ros.wam.block import Block
from flash_wam_ros.wam.transformer import WorldActionTransformer

_log = logging.getLogger(__name__)


class Runner:
    """Executes passes; with CUDA graphs, a pass that comes again is replayed.

    A pass is known by its key: the same key must mean the same kernels on the same buffers. It is
    run plainly the first time, captured the second, replayed from then on.

    Args:
        cuda_graphs: whether to capture; on another device than CUDA it has no effect.
        device: where the passes run.
    """

    def __init__(self, cuda_graphs: bool = False, device: torch.device | None = None) -> None:
        self._graphs: dict[Hashable, torch.cuda.CUDAGraph | None] = {}
        self._captures = cuda_graphs and device is not None and device.type == 'cuda'
        if cuda_graphs and not self._captures:
            _log.warning('CUDA graphs need a CUDA device; passes run without them')

    def clear(self) -> None:
        """Forget captured passes: their buffers are about to change."""
        self._graphs.clear()

    def run(self, key: Hashable, work: Callable[[], None]) -> None:
        """Do ``work``, known as ``key``."""
        if not self._captures:
            work()
        elif key not in self._graphs:
            self._graphs[key] = None
            work()
        else:
            self._replay(key, work)

    def _replay(self, key: Hashable, work: Callable[[], None]) -> None:
        graph = self._graphs[key]
        if graph is None:
            graph = torch.cuda.CUDAGraph()
            try:
                with torch.cuda.graph(graph):
                    work()
            except RuntimeError as error:
                _log.warning('CUDA graph capture failed (%s); passes run without', error)
                self._captures = False
                work()
                return
            self._graphs[key] = graph
        graph.replay()


def compile_blocks(model: WorldActionTransformer, probe: Callable[[], object]) -> bool:
    """Compile both halves of every block; return whether that worked.

    Args:
        model: the network; its blocks keep their compiled halves.
        probe: something that runs the network, so that a failure shows now.
    """
    blocks = [cast(Block, block) for block in model.blocks]
    for block in blocks:
        for half in ('project', 'finish'):
            setattr(block, half, torch.compile(getattr(block, half), dynamic=True))
    try:
        probe()
    except Exception as error:
        _log.warning('compilation failed (%s); blocks run uncompiled', error)
        for block in blocks:
            del block.project, block.finish
        return False
    return True
