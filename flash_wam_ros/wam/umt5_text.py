"""The text encoder of Wan and LingBot-VA: UMT5 (xxl), through transformers."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoTokenizer, UMT5Config, UMT5EncoderModel

from flash_wam_ros.core import UserError
from flash_wam_ros.wam.text import PaddedText
from flash_wam_ros.wam.weights import (
    CONFIG_NAME,
    assign_weights,
    read_json,
    read_weights,
    write_folder,
)

WEIGHTS_STEM = 'model'
LENGTH = 512
# The embedding table goes by either name, or both, depending on who saved the weights.
_TABLE_NAMES = ('shared.weight', 'encoder.embed_tokens.weight')


class Umt5Text(PaddedText):
    """UMT5 behind the :class:`~flash_wam_ros.wam.text.TextEncoder` protocol.

    The tokens are encoded without their padding, which equals encoding the padded text with its
    attention mask, and costs as much as the words do. The end-of-text token counts as a token, so
    the empty prompt is one token and zeros.

    Args:
        model: the encoder with its weights.
        tokenizer: its tokenizer.
        length: positions of the padded text.
    """

    def __init__(self, model: Any, tokenizer: Any, length: int = LENGTH) -> None:
        super().__init__(length, model.config.d_model)
        self.model = model.eval().requires_grad_(False)
        self.tokenizer = tokenizer

    @classmethod
    def load(
        cls,
        encoder_folder: Path,
        tokenizer_folder: Path,
        *,
        length: int = LENGTH,
        dtype: torch.dtype | None = None,
        device: torch.device | str = 'cpu',
    ) -> 'Umt5Text':
        """Return the encoder of a ``text_encoder`` and a ``tokenizer`` folder.

        Args:
            encoder_folder: config.json and ``model*.safetensors``.
            tokenizer_folder: tokenizer files.
            length: positions of the padded text.
            dtype: type to run in; None keeps the stored one.
            device: where to run.

        Raises:
            UserError: missing or damaged files, weights that do not fit, no embedding table.
        """
        settings = read_json(encoder_folder / CONFIG_NAME)
        if settings.get('model_type') != 'umt5':
            raise UserError(
                f'{encoder_folder} holds a text model of type {settings.get("model_type")!r}, '
                "expected 'umt5'; check the folder"
            )
        with torch.device('meta'):
            model = UMT5EncoderModel(UMT5Config.from_dict(settings))
        weights = _with_table(read_weights(encoder_folder, WEIGHTS_STEM), encoder_folder)
        assign_weights(model, weights, what='text encoder', device=device, dtype=dtype)
        _check_table(model, weights[_TABLE_NAMES[0]])
        return cls(model, _tokenizer(tokenizer_folder), length)

    def save(self, root: Path) -> None:
        """Write ``text_encoder`` and ``tokenizer`` folders into ``root``."""
        weights = self.model.state_dict()
        weights.pop(_TABLE_NAMES[1])
        write_folder(root / 'text_encoder', WEIGHTS_STEM, weights, self.model.config.to_dict())
        self.tokenizer.save_pretrained(root / 'tokenizer')

    def _embed(self, text: str) -> Tensor:
        found = self.tokenizer(
            text, truncation=True, max_length=self.length, return_tensors='pt'
        ).to(self.model.device)
        hidden = self.model(found.input_ids, found.attention_mask).last_hidden_state
        return hidden[0]  # type: ignore[no-any-return]


def _with_table(weights: Mapping[str, Tensor], folder: Path) -> dict[str, Tensor]:
    """Return ``weights`` with the embedding table under both of its names."""
    tables = [weights[name] for name in _TABLE_NAMES if name in weights]
    if not tables:
        raise UserError(
            f'{folder} holds no embedding table ({" or ".join(_TABLE_NAMES)}): every word would '
            'be noise; take complete weights'
        )
    if len(tables) == 2 and not torch.equal(tables[0], tables[1]):
        raise UserError(
            f'{folder} holds two embedding tables that differ ({" and ".join(_TABLE_NAMES)}); '
            'take weights saved by one program'
        )
    return {**weights, **dict.fromkeys(_TABLE_NAMES, tables[0])}


def _check_table(model: Any, table: Tensor) -> None:
    """Make sure that what the encoder looks words up in is the table of the file."""
    used = model.encoder.embed_tokens.weight
    if used.is_meta or not torch.equal(used.cpu(), table.to(used.dtype)):
        raise UserError(
            'the text encoder does not use the embedding table of its file; '
            'this version of transformers is not supported'
        )


def _tokenizer(folder: Path) -> Any:
    if not folder.is_dir():
        raise UserError(f'{folder} is missing; copy the tokenizer folder of the checkpoint')
    try:
        return AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError) as error:
        line = str(error).splitlines()[0]
        raise UserError(f'{folder} holds no tokenizer that loads: {line}; copy it again') from None
