"""A message in its serialised form: CDR bytes that numpy views read and write in place."""

from typing import ClassVar

import numpy as np

HEADER = b'\x00\x01\x00\x00'
"""Encapsulation header of little-endian XCDR1, the SDK's own encoding."""


class Frame:
    """CDR header and body of a message with a fixed size.

    Attributes:
        raw: (4 + SIZE,) uint8; read-only where the frame was made from received bytes.
        words: (SIZE / 4,) uint32 view of the body.
        floats: (SIZE / 4,) float32 view of the body.
    """

    SIZE: ClassVar[int]
    __slots__ = ('floats', 'raw', 'words')

    def __init__(self, data: bytes | None = None) -> None:
        """View ``data``, or start from zeros; ValueError if size or encoding is another one."""
        if data is None:
            self.raw = np.zeros(len(HEADER) + self.SIZE, np.uint8)
            self.raw[: len(HEADER)] = tuple(HEADER)
        else:
            if len(data) != len(HEADER) + self.SIZE or data[:4] != HEADER:
                raise ValueError(
                    f'{type(self).__name__} of {len(data)} B with header {data[:4].hex()}; '
                    f'expected {len(HEADER) + self.SIZE} B with {HEADER.hex()}'
                )
            self.raw = np.frombuffer(data, np.uint8)
        body = self.raw[len(HEADER) :]
        self.words = body.view('<u4')
        self.floats = body.view('<f4')

    def tobytes(self) -> bytes:
        """Return header and body."""
        return self.raw.tobytes()
