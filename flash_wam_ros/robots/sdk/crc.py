"""The Unitree SDK's CRC over 32-bit words, computed by zlib.

The SDK shifts each little-endian 32-bit word into a CRC with polynomial 0x04C11DB7, most
significant bit first, from 0xFFFFFFFF and without a final inversion. zlib's CRC-32 has the same
polynomial and start but takes least significant bits first and inverts at the end. So: reverse
the 32 bits of every word (reverse the bits of each byte, then the bytes of the word), let zlib
run, undo its inversion, and reverse the 32 bits of the result.
"""

import zlib

import numpy as np

_REVERSED_BITS = bytes(int(f'{byte:08b}'[::-1], 2) for byte in range(256))


def _reverse32(value: int) -> int:
    return int.from_bytes(value.to_bytes(4, 'little').translate(_REVERSED_BITS), 'big')


def crc32_words(words: np.ndarray) -> int:
    """Return the SDK's CRC of ``words``, an (N,) array of little-endian uint32."""
    reversed_words = words.byteswap().tobytes().translate(_REVERSED_BITS)
    return _reverse32(zlib.crc32(reversed_words) ^ 0xFFFFFFFF)


def crc32_unaligned(body: np.ndarray, split: int, mask: np.ndarray) -> int:
    """Return the CRC of a message whose C struct has one word more than its CDR body.

    In the CDR body of the SDK's low-level messages the first motor's mode byte shares a word
    with two bytes that precede it; in the C struct, over which the CRC runs, it starts a word of
    its own. All other words are equal.

    Args:
        body: (N,) uint32, the CDR body; the last word is the CRC itself.
        split: the word that holds two bytes of the preceding field and then the mode byte.
        mask: (N + 1,) uint32, zero where the C struct has padding.
    """
    words = np.empty(len(body) + 1, np.uint32)
    words[:split] = body[:split]
    words[split] = body[split]
    words[split + 1] = body[split] >> np.uint32(16)
    words[split + 2 :] = body[split + 1 :]
    words &= mask
    return crc32_words(words[:-1])
