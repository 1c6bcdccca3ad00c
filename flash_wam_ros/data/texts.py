"""Encoded instructions of a dataset: one file, each instruction once.

Embeddings are zero past the end of their text, so the zeros are not stored. The empty instruction
is always there, under the empty name: training drops the text to it now and then.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from flash_wam_ros.core import UserError
from flash_wam_ros.data.latents import weights_digest
from flash_wam_ros.data.tensors import save_tensors
from flash_wam_ros.wam.text import TextEncoder

TEXTS_NAME = 'texts.safetensors'
MINILM = 'minilm'


class TextTable(Mapping[str, Tensor]):
    """Instruction -> its embedding (L, D), zero past its end.

    Args:
        rows: instruction -> (n, D), n <= L.
        length: L.
        encoder: the name of the encoder that made them.
    """

    def __init__(self, rows: Mapping[str, Tensor], length: int, encoder: str) -> None:
        self._rows = dict(rows)
        self.length = length
        self.encoder = encoder

    def __getitem__(self, text: str) -> Tensor:
        """Return the embedding (L, D); KeyError for an unknown instruction."""
        rows = self._rows[text]
        padded = rows.new_zeros((self.length, rows.shape[1]))
        padded[: len(rows)] = rows
        return padded

    def __iter__(self) -> Iterator[str]:
        """Iterate over the instructions."""
        return iter(self._rows)

    def __len__(self) -> int:
        """Return the number of instructions, the empty one included."""
        return len(self._rows)

    def write(self, path: Path) -> None:
        """Write the table, whole or not at all."""
        names = {text: f'{number:06d}' for number, text in enumerate(self._rows)}
        tensors = {names[text]: rows.contiguous() for text, rows in self._rows.items()}
        facts = {
            'texts': json.dumps(names),
            'length': str(self.length),
            'encoder': self.encoder,
        }
        save_tensors(path, tensors, facts)


def read_texts(path: Path) -> TextTable:
    """Read what ``TextTable.write`` wrote.

    Raises:
        UserError: the file is missing, damaged or of another kind.
    """
    try:
        with safe_open(path, framework='pt') as file:
            facts = file.metadata() or {}
            names = json.loads(facts['texts'])
            rows = {text: file.get_tensor(name) for text, name in names.items()}
        return TextTable(rows, int(facts['length']), facts['encoder'])
    except FileNotFoundError:
        raise UserError(f'{path} is missing; run `flash-wam data encode` with --text') from None
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise UserError(f'{path} cannot be read ({error}); delete it and encode again') from None


def encoder_name(which: str) -> str:
    """Return the name by which the embeddings of a text encoder are known.

    Args:
        which: ``minilm``, or a checkpoint folder with ``text_encoder`` and ``tokenizer``.

    Raises:
        UserError: no such folder.
    """
    return which if which == MINILM else f'umt5-{weights_digest(_encoder_folder(which))[:16]}'


def open_text_encoder(which: str, device: str = 'cpu') -> TextEncoder:
    """Return the text encoder ``which`` (see ``encoder_name``).

    Raises:
        UserError: no such folder, or a damaged one.
    """
    # transformers takes seconds to import, so only whoever needs it waits.
    if which == MINILM:
        from flash_wam_ros.wam.light_text import MiniLmText

        return MiniLmText(device=device)
    folder = _encoder_folder(which)
    from flash_wam_ros.wam.umt5_text import Umt5Text

    return Umt5Text.load(folder, folder.with_name('tokenizer'), device=device)


def _encoder_folder(which: str) -> Path:
    folder = Path(which) / 'text_encoder'
    if not folder.is_dir():
        raise UserError(f'{which} holds no text_encoder folder; give a checkpoint or {MINILM!r}')
    return folder


def encode_texts(
    texts: Iterable[str],
    encoder: TextEncoder,
    name: str,
    known: TextTable | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> TextTable:
    """Encode instructions, and the empty one.

    Args:
        texts: the instructions.
        encoder: the encoder.
        name: its name, kept with the table.
        known: a table to take what is there from; heeded if its encoder has the same name.
        progress: called with (instructions done, instructions in all).
    """
    wanted = list(dict.fromkeys(['', *texts]))
    kept = dict(known) if known is not None and known.encoder == name else {}
    rows = {}
    for done, text in enumerate(wanted, start=1):
        padded = kept.get(text)
        if padded is None:
            padded = encoder.encode(text) if text else encoder.encode_empty()
        rows[text] = _without_tail(padded)
        progress(done, len(wanted))
    return TextTable(rows, encoder.length, name)


def _without_tail(padded: Tensor) -> Tensor:
    """Return the rows up to the last that is not zero, at least one."""
    filled = torch.nonzero(padded.abs().sum(dim=1)).flatten()
    length = int(filled[-1]) + 1 if len(filled) else 1
    return padded[:length].detach().cpu().clone()
