"""``flash-wam train base``: the untrained model of a preset, with the statistics of datasets."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from rich.console import Console

from flash_wam_ros.core import UserError
from flash_wam_ros.data.cameras import dataset_camera
from flash_wam_ros.data.check import sample_frames
from flash_wam_ros.data.chunk_statistics import with_statistics
from flash_wam_ros.data.keyframe_windows import KeyframeSpec
from flash_wam_ros.data.lerobot import LeRobotReader, open_dataset
from flash_wam_ros.data.places import PRIVILEGED_PREFIX
from flash_wam_ros.policy.wam_policy import WamPolicySettings
from flash_wam_ros.wam.canvas import image_from_pixels, pixels_from_image
from flash_wam_ros.wam.config import WamConfig
from flash_wam_ros.wam.light_codec import LightCodec, LightCodecConfig
from flash_wam_ros.wam.light_text import MiniLmText
from flash_wam_ros.wam.pipeline import load_pipeline, save_pipeline
from flash_wam_ros.wam.presets import preset
from flash_wam_ros.wam.transformer import WorldActionTransformer

HELP = 'make the model that a training starts from: codec, statistics, random weights'
EXAMPLE = 'flash-wam train base datasets/red_bottle --preset g1-tiny --out runs/base'

_OVERLAP_S = 0.1
"""From picture to chunk on the two cores that it is trained on: the arms need not wait."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument('dataset', type=Path, nargs='+', help='folders of LeRobot datasets')
    parser.add_argument('--preset', default='g1-tiny', help='cameras, chunks, network')
    parser.add_argument('--out', type=Path, required=True, metavar='FOLDER', help='new folder')
    parser.add_argument(
        '--frames',
        type=int,
        default=2000,
        help='frames of each dataset that the codec is fitted to',
    )
    parser.add_argument(
        '--episodes',
        type=int,
        default=sys.maxsize,
        metavar='N',
        help='first episodes of each dataset that the statistics are made of (default: all)',
    )
    parser.add_argument(
        '--objects',
        action='store_true',
        help='let the model read where the objects are, as a simulator tells it',
    )
    parser.add_argument('--seed', type=int, default=0, help='of the weights and the frames')
    parser.add_argument(
        '--start',
        type=Path,
        metavar='MODEL',
        help='take weights and codec of this model; only the statistics are new',
    )


def fitted_codec(
    readers: Sequence[LeRobotReader], config: WamConfig, frames: int, seed: int
) -> LightCodec:
    """Return the light codec of frames drawn from all datasets."""
    pictures: dict[str, np.ndarray] = {}
    for camera in config.canvas.cameras:
        size = config.canvas.pixel_size(camera)
        drawn = [_drawn(reader, camera, size, frames, seed) for reader in readers]
        pictures[camera] = np.concatenate(drawn)
    return LightCodec.fit(
        pictures,
        LightCodecConfig(
            components=config.model.in_channels,
            patch=config.canvas.spatial_factor,
            temporal_factor=config.chunk.actions_per_frame,
        ),
    )


def _drawn(
    reader: LeRobotReader, camera: str, size: tuple[int, int], frames: int, seed: int
) -> np.ndarray:
    """Return (N, H, W, 3) frames of one camera, as the model will see them."""
    name = dataset_camera(reader, camera)
    images = sample_frames(reader, (name,), frames, seed)[name]
    return np.stack([image_from_pixels(pixels_from_image(image, size)) for image in images])


def _taken(folder: Path, config: WamConfig) -> tuple[LightCodec, WorldActionTransformer]:
    """Return codec and network of the model in ``folder``.

    Raises:
        UserError: it is no model, or one of another shape.
    """
    pipeline = load_pipeline(folder)
    if pipeline.config.model != config.model or pipeline.config.canvas != config.canvas:
        raise UserError(f'{folder} has another network or canvas than the preset; choose its own')
    if not isinstance(pipeline.codec, LightCodec):
        raise UserError(f'{folder} has the codec of a large model; choose one of preset g1-tiny')
    return pipeline.codec, pipeline.transformer


def _objects(readers: Sequence[LeRobotReader]) -> tuple[str, ...]:
    """Return the objects that all datasets tell of; UserError if they do not tell of the same."""
    told = [
        tuple(
            name.removeprefix(PRIVILEGED_PREFIX)
            for name in reader.info.features
            if name.startswith(PRIVILEGED_PREFIX)
        )
        for reader in readers
    ]
    if not told[0] or len(set(told)) != 1:
        raise UserError(
            f'--objects: the datasets tell of {" / ".join(", ".join(t) or "none" for t in told)}; '
            'use datasets of one task, made by `flash-wam collect`'
        )
    return told[0]


def run(args: argparse.Namespace) -> int:
    """Fit the codec, compute the statistics, write the folder."""
    if args.out.exists():
        raise UserError(f'{args.out} exists already; give a new folder')
    if args.frames < 2:
        raise UserError(f'--frames {args.frames}: a codec needs at least 2 frames')
    if args.episodes < 1:
        raise UserError(f'--episodes {args.episodes}: statistics need at least 1 episode')
    config = preset(args.preset)
    if config.model.context is None:
        raise UserError(f'preset {args.preset!r} is not trained from a base; use g1-tiny')
    console = Console(stderr=True)
    readers = [open_dataset(folder) for folder in args.dataset]
    spec = KeyframeSpec(datasets=tuple(str(folder) for folder in args.dataset))
    with console.status('reading the statistics of the actions'):
        objects = _objects(readers) if args.objects else ()
        config = with_statistics(config, spec, args.episodes, objects)
    if args.start is not None:
        codec, transformer = _taken(args.start, config)
    else:
        with console.status('fitting the video codec'):
            codec = fitted_codec(readers, config, args.frames, args.seed)
        torch.manual_seed(args.seed)
        transformer = WorldActionTransformer(config.model)
    save_pipeline(args.out, config, transformer, codec=codec, text=MiniLmText())
    fps = {reader.info.fps for reader in readers}
    if len(fps) != 1:
        raise UserError(f'the datasets have {sorted(fps)} frames a second; use one rate')
    WamPolicySettings(
        action_rate_hz=fps.pop(), action_space='relative', overlap_s=_OVERLAP_S
    ).save(args.out)
    size = sum(p.numel() for p in transformer.parameters())
    begun = 'untrained' if args.start is None else f'from {args.start}'
    Console().print(f'{size:,} parameters, {begun}, in {args.out}', markup=False)
    return 0
