"""The network's weights on disk: the ``transformer`` folder of a LingBot-VA checkpoint.

Published folders are trained with ``attn_mode`` "flex"; at inference the attention is PyTorch's
own (SDPA), so whoever loads one says so with ``attn_mode='torch'``. They also carry two tensors of
the convolution that ``patch_embedding_mlp`` replaced; no network uses them, and they are dropped.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from flash_wam_ros.core import UserError
from flash_wam_ros.wam.config import ATTENTION_MODES, ModelConfig
from flash_wam_ros.wam.transformer import WorldActionTransformer
from flash_wam_ros.wam.weights import (
    SHARD_BYTES,
    assign_weights,
    check_shapes,
    read_config,
    read_shapes,
    read_weights,
    weight_files,
    write_folder,
)

CLASS_NAME = 'WanTransformer3DModel'
WEIGHTS_STEM = 'diffusion_pytorch_model'
DEAD_KEYS = ('patch_embedding.weight', 'patch_embedding.bias')
_WHAT = 'transformer'
_TRAINING_ONLY = 'flex'


@dataclass(frozen=True, kw_only=True, slots=True)
class TransformerReport:
    """What a ``transformer`` folder holds.

    Attributes:
        class_name: class that config.json names.
        config: shape of the network, with the attention that it will run.
        stored_attn_mode: attention that config.json names.
        files: names of the weight files.
        num_keys: tensors in the files, dead ones included.
        dead_keys: tensors that no network uses, dropped on loading.
        num_parameters: parameters of the network.
        num_bytes: size of the weight files.
        dtypes: stored type -> number of tensors.
    """

    class_name: str
    config: ModelConfig
    stored_attn_mode: str
    files: tuple[str, ...]
    num_keys: int
    dead_keys: tuple[str, ...]
    num_parameters: int
    num_bytes: int
    dtypes: Mapping[str, int]


def expected_shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Return name -> shape of every tensor of the network, without allocating any."""
    return {name: tuple(value.shape) for name, value in _blank(config).state_dict().items()}


def inspect_transformer(folder: Path, *, attn_mode: str | None = None) -> TransformerReport:
    """Hold config.json and the headers of the weight files against each other.

    Args:
        folder: the ``transformer`` folder.
        attn_mode: attention to run in place of the one that config.json names.

    Raises:
        UserError: missing files or shards, another class, missing or unexpected keys, wrong
            shapes, a training-only or unknown attention that is not replaced.
    """
    settings = read_config(folder, CLASS_NAME)
    stored = str(settings.get('attn_mode', ATTENTION_MODES[0]))
    config = _model_config(settings, folder, attn_mode)
    shapes = read_shapes(folder, WEIGHTS_STEM)
    live = {key: shape for key, (shape, _) in shapes.items() if key not in DEAD_KEYS}
    check_shapes(live, expected_shapes(config), _WHAT)
    files = sorted(weight_files(folder, WEIGHTS_STEM))
    return TransformerReport(
        class_name=CLASS_NAME,
        config=config,
        stored_attn_mode=stored,
        files=tuple(path.name for path in files),
        num_keys=len(shapes),
        dead_keys=tuple(key for key in DEAD_KEYS if key in shapes),
        num_parameters=sum(prod(shape) for shape in live.values()),
        num_bytes=sum(path.stat().st_size for path in files),
        dtypes=dict(Counter(dtype for _, dtype in shapes.values())),
    )


def load_transformer(
    folder: Path,
    *,
    attn_mode: str | None = None,
    device: torch.device | str = 'cpu',
    dtype: torch.dtype | None = None,
) -> WorldActionTransformer:
    """Return the network of a ``transformer`` folder, in evaluation mode.

    Weights stay memory-mapped where device and type are the stored ones.

    Args:
        folder: config.json and safetensors.
        attn_mode: attention to run in place of the one that config.json names; a published
            folder says "flex", which only training has, and needs "torch" here.
        device: where the weights go.
        dtype: type to convert them to; None keeps the stored one.

    Raises:
        UserError: as :func:`inspect_transformer`, or weights that are not finite.
    """
    report = inspect_transformer(folder, attn_mode=attn_mode)
    weights = read_weights(folder, WEIGHTS_STEM)
    for key in report.dead_keys:
        del weights[key]
    model = _blank(report.config)
    assign_weights(model, weights, what=_WHAT, device=device, dtype=dtype)
    return model.eval()


def save_transformer(
    folder: Path,
    model: WorldActionTransformer,
    *,
    weights: Mapping[str, Tensor] | None = None,
    shard_bytes: int = SHARD_BYTES,
    overwrite: bool = False,
) -> None:
    """Write a network as a ``transformer`` folder, in the types that its weights have.

    Args:
        folder: new folder; written whole or not at all.
        model: the network.
        weights: tensors to write in place of the model's own (an average of them, say), with
            the same names and shapes.
        shard_bytes: largest size of a file.
        overwrite: whether ``folder`` may exist and is replaced.

    Raises:
        UserError: the folder exists, or ``weights`` do not fit the model.
    """
    state = model.state_dict() if weights is None else weights
    found = {key: tuple(value.shape) for key, value in state.items()}
    check_shapes(found, expected_shapes(model.config), _WHAT)
    config = {'_class_name': CLASS_NAME, **model.config.to_dict()}
    write_folder(folder, WEIGHTS_STEM, state, config, shard_bytes=shard_bytes, overwrite=overwrite)


def _model_config(settings: Mapping[str, Any], folder: Path, attn_mode: str | None) -> ModelConfig:
    config = ModelConfig.from_dict(settings)
    if attn_mode is not None:
        config = replace(config, attn_mode=attn_mode)
    if config.attn_mode == _TRAINING_ONLY:
        raise UserError(
            f"{folder}: attn_mode is 'flex', which only training has; expected 'torch' or "
            "'flashattn'; pass attn_mode='torch' to run it with PyTorch's own attention"
        )
    return config


def _blank(config: ModelConfig) -> WorldActionTransformer:
    with torch.device('meta'):
        return WorldActionTransformer(config)
