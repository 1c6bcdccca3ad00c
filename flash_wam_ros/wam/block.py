"""One block of the shared stack: modulated self-attention, text attention, feed-forward.

Legend: B batch, L tokens, D width, R rows of distinct timesteps (frames), T text tokens.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from flash_wam_ros.wam.attention import Attention, KeyValue, attend
from flash_wam_ros.wam.rope import Rope

Attend = Callable[[int, Tensor, KeyValue], Tensor]
"""(layer, queries (B, L, h, K), own keys and values) -> attended (B, L, D)."""


class Conditioning(NamedTuple):
    """Time conditioning of L tokens through R distinct rows.

    Attributes:
        temb: (B or 1, R, D) embedding of each row's timestep.
        modulation: (B or 1, R, 6, D) its projection: shift, scale, gate, twice.
        row_of_token: (L,) row of each token; None when row i is token i.
    """

    temb: Tensor
    modulation: Tensor
    row_of_token: Tensor | None

    def per_token(self, rows: Tensor) -> Tensor:
        """Return (B or 1, L, ...) of (B or 1, R, ...)."""
        return rows if self.row_of_token is None else rows.index_select(1, self.row_of_token)


def modulated_norm(x_BLD: Tensor, shift: Tensor, scale: Tensor, eps: float) -> Tensor:
    """Return LN(x) (1 + scale) + shift, computed in fp32, in the type of ``x_BLD``."""
    normed = functional.layer_norm(x_BLD.float(), x_BLD.shape[-1:], eps=eps)
    return (normed * (1 + scale) + shift).to(x_BLD.dtype)


class _Projection(nn.Module):
    """A linear layer under the published name ``proj``, followed by GELU (tanh)."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.proj = nn.Linear(width, hidden)

    def forward(self, x: Tensor) -> Tensor:
        """Return the activated projection of ``x``."""
        return functional.gelu(self.proj(x), approximate='tanh')


class _FeedForward(nn.Module):
    """Two linear layers; the published names leave number 1 to a dropout that is not there."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.net = nn.ModuleList(
            [_Projection(width, hidden), nn.Identity(), nn.Linear(hidden, width)]
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the feed-forward output of ``x``."""
        return self.net[2](self.net[0](x))


class Block(nn.Module):
    """One of the stack's blocks.

    Args:
        heads: attention heads.
        head_dim: channels a head.
        ffn_dim: hidden width of the feed-forward part.
        cross_attn_norm: whether the text attention has an affine norm before it.
        eps: guard of all norms.
    """

    def __init__(
        self, heads: int, head_dim: int, ffn_dim: int, cross_attn_norm: bool, eps: float
    ) -> None:
        super().__init__()
        width = heads * head_dim
        self.eps = eps
        self.attn1 = Attention(heads, head_dim, eps)
        self.attn2 = Attention(heads, head_dim, eps)
        self.norm2 = nn.LayerNorm(width, eps=eps) if cross_attn_norm else None
        self.ffn = _FeedForward(width, ffn_dim)
        self.scale_shift_table = nn.Parameter(torch.randn(1, 6, width) / width**0.5)

    def forward(
        self,
        layer: int,
        x_BLD: Tensor,
        time: Conditioning,
        rope: Rope,
        text: Tensor | KeyValue,
        self_attend: Attend,
        skip: int = 0,
    ) -> Tensor:
        """Return the (B, L - skip, D) output of the block.

        Args:
            layer: place in the stack, handed to ``self_attend``.
            x_BLD: tokens.
            time: conditioning of the tokens.
            rope: rotations of the tokens.
            text: (B, T, D) text tokens, or their keys and values in this layer.
            self_attend: what the tokens see: a mask, or a cache.
            skip: first tokens whose output nobody reads; others still see them.
        """
        query, own, rows = self.project(x_BLD, time, rope, skip)
        return self.finish(x_BLD[:, skip:], self_attend(layer, query, own), rows, text)

    def project(
        self, x_BLD: Tensor, time: Conditioning, rope: Rope, skip: int = 0
    ) -> tuple[Tensor, KeyValue, tuple[Tensor, ...]]:
        """Return queries, own keys and values, and the six modulations of each token.

        Queries and modulations leave the first ``skip`` tokens out.
        """
        table = (self.scale_shift_table.float() + time.modulation.float()).unbind(2)
        rows = tuple(time.per_token(row) for row in table)
        normed = modulated_norm(x_BLD, rows[0], rows[1], self.eps)
        query, own = self.attn1.rotated(normed, rope, skip)
        return query, own, tuple(row[:, skip:] for row in rows)

    def finish(
        self,
        x_BLD: Tensor,
        mixed_BLD: Tensor,
        rows: tuple[Tensor, ...],
        text: Tensor | KeyValue,
    ) -> Tensor:
        """Return the block's output, given what self-attention mixed."""
        _, _, gate1, shift2, scale2, gate2 = rows
        x_BLD = (x_BLD.float() + self.attn1.out(mixed_BLD) * gate1).to(x_BLD.dtype)
        x_BLD = x_BLD + self._read_text(x_BLD, text)
        hidden = self.ffn(modulated_norm(x_BLD, shift2, scale2, self.eps))
        return (x_BLD.float() + hidden.float() * gate2).to(x_BLD.dtype)

    def _read_text(self, x_BLD: Tensor, text: Tensor | KeyValue) -> Tensor:
        kv = self.attn2.key_value(text) if isinstance(text, Tensor) else text
        return self.attn2.out(attend(self.attn2.query(self._text_norm(x_BLD)), kv))

    def _text_norm(self, x_BLD: Tensor) -> Tensor:
        norm = self.norm2
        if norm is None:
            return x_BLD
        weight, bias = norm.weight.float(), norm.bias.float()
        normed = functional.layer_norm(x_BLD.float(), x_BLD.shape[-1:], weight, bias, self.eps)
        return normed.to(x_BLD.dtype)
