"""Randomness that depends only on what is computed, never on who computes it or when.

Every micro-batch has its own generator, seeded by (seed, step, player, update, micro-batch). A
resumed run, and a run on another number of processes, thus draw the same numbers.
"""

import numpy as np
import torch


def generator(*key: int) -> torch.Generator:
    """Return a CPU generator seeded by a tuple of whole numbers >= 0."""
    state = int(np.random.SeedSequence(list(key)).generate_state(1, np.uint64)[0])
    return torch.Generator().manual_seed(state & (2**63 - 1))
