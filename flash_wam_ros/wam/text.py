"""Instructions to embeddings: cleaning, padding with zeros, one encoding an instruction.

Shapes: L positions of the padded text, n tokens of it, E text channels.
"""

import html
import re
from abc import ABC, abstractmethod
from collections import OrderedDict
from typing import Protocol, runtime_checkable

import ftfy
import torch
from torch import Tensor

from flash_wam_ros.core import UserError

_KEPT = 64
_SPACES = re.compile(r'\s+')


@runtime_checkable
class TextEncoder(Protocol):
    """What the rollout engine needs of a text encoder.

    Attributes:
        length: L.
        text_dim: E.
    """

    length: int
    text_dim: int

    def encode(self, instruction: str) -> Tensor:
        """Return (L, E): embeddings of the tokens, zeros behind them.

        Raises:
            UserError: the instruction is empty.
        """

    def encode_empty(self) -> Tensor:
        """Return (L, E) of the empty prompt, the other side of classifier-free guidance."""


def clean(text: str) -> str:
    """Return ``text`` as LingBot-VA and Wan clean a prompt.

    Broken encodings are mended, HTML entities are resolved twice (they may be escaped twice), and
    runs of white space become one space.
    """
    mended = html.unescape(html.unescape(ftfy.fix_text(text)))
    return _SPACES.sub(' ', mended).strip()


class PaddedText(ABC):
    """Cleans, encodes once, pads with zeros, and keeps the latest encodings.

    Args:
        length: L, positions of the padded text; longer texts are cut.
        text_dim: E.
    """

    def __init__(self, length: int, text_dim: int) -> None:
        if not (length >= 1 and text_dim >= 1):
            raise UserError(f'text of {length} positions x {text_dim} channels; both must be >= 1')
        self.length = length
        self.text_dim = text_dim
        self._kept: OrderedDict[str, Tensor] = OrderedDict()

    @abstractmethod
    def _embed(self, text: str) -> Tensor:
        """Return (n, E) embeddings of the tokens of a cleaned text, n <= L."""

    def encode(self, instruction: str) -> Tensor:
        """Return (L, E); see :class:`TextEncoder`. The tensor is shared: don't write to it."""
        text = clean(instruction)
        if not text:
            raise UserError(f'instruction {instruction!r} is empty; say what the robot should do')
        return self._encoded(text)

    def encode_empty(self) -> Tensor:
        """Return (L, E) of the empty prompt. The tensor is shared: don't write to it."""
        return self._encoded('')

    @torch.no_grad()
    def _encoded(self, text: str) -> Tensor:
        if text in self._kept:
            self._kept.move_to_end(text)
            return self._kept[text]
        tokens = self._embed(text)
        padded = tokens.new_zeros(self.length, self.text_dim)
        padded[: len(tokens)] = tokens
        self._kept[text] = padded
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return padded
