"""Self-attention and text attention, in the two steps that a cache comes between.

Legend: B batch, L query tokens, S key tokens, T text tokens, D width, h heads, K head_dim.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from flash_wam_ros.wam.rope import Rope, rotate


class KeyValue(NamedTuple):
    """Keys and values, both (B, S, h, K)."""

    key: Tensor
    value: Tensor


def attend(query_BLhK: Tensor, kv: KeyValue, mask: Tensor | None = None) -> Tensor:
    """Return (B, L, D) attention of queries over ``kv``; ``mask`` (L, S) is true where allowed."""
    if _slow_backwards(query_BLhK):
        full = KeyValue(kv.key.float(), kv.value.float())
        return attend(query_BLhK.float(), full, mask).to(query_BLhK.dtype)
    mixed = functional.scaled_dot_product_attention(
        query_BLhK.transpose(1, 2),
        kv.key.transpose(1, 2),
        kv.value.transpose(1, 2),
        attn_mask=mask,
    )
    return mixed.transpose(1, 2).flatten(2)


def _slow_backwards(query: Tensor) -> bool:
    """Return whether the gradient is better computed in fp32.

    The attention of PyTorch 2.13 takes six times as long backwards in bf16 as in fp32 on a CPU.
    """
    return query.dtype is torch.bfloat16 and query.device.type == 'cpu' and query.requires_grad


class Attention(nn.Module):
    """Projections of one attention; queries and keys are normalised over the whole width.

    Args:
        heads: h.
        head_dim: K.
        eps: guard of the norms.
    """

    def __init__(self, heads: int, head_dim: int, eps: float) -> None:
        super().__init__()
        width = heads * head_dim
        self.heads = heads
        self.to_q = nn.Linear(width, width)
        self.to_k = nn.Linear(width, width)
        self.to_v = nn.Linear(width, width)
        self.to_out = nn.ModuleList([nn.Linear(width, width)])
        self.norm_q = nn.RMSNorm(width, eps=eps)
        self.norm_k = nn.RMSNorm(width, eps=eps)

    def query(self, x_BLD: Tensor) -> Tensor:
        """Return (B, L, h, K) normalised queries."""
        return self.norm_q(self.to_q(x_BLD)).unflatten(-1, (self.heads, -1))

    def key_value(self, x_BSD: Tensor) -> KeyValue:
        """Return normalised keys, and values."""
        key = self.norm_k(self.to_k(x_BSD)).unflatten(-1, (self.heads, -1))
        return KeyValue(key, self.to_v(x_BSD).unflatten(-1, (self.heads, -1)))

    def rotated(self, x_BLD: Tensor, rope: Rope, skip: int = 0) -> tuple[Tensor, KeyValue]:
        """Return queries and keys turned to their positions, and values, of ``x_BLD``.

        The first ``skip`` tokens get no queries: they are seen, but do not look.
        """
        key, value = self.key_value(x_BLD)
        query = rotate(self.query(x_BLD[:, skip:]), Rope(rope.cos[skip:], rope.sin[skip:]))
        return query, KeyValue(rotate(key, rope), value)

    def out(self, mixed_BLD: Tensor) -> Tensor:
        """Return the output projection of what was attended."""
        return self.to_out[0](mixed_BLD)
