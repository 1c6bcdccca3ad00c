"""``flash-wam data codec``: fits the light video codec to a dataset."""

import argparse
from pathlib import Path

from rich.console import Console

from flash_wam_ros.cli.data_common import add_dataset, save_json
from flash_wam_ros.core import UserError
from flash_wam_ros.data.check import sample_frames
from flash_wam_ros.data.latents import weights_digest
from flash_wam_ros.data.lerobot import open_dataset
from flash_wam_ros.wam.light_codec import LightCodec, LightCodecConfig

HELP = 'fit the light video codec to the cameras of a dataset'
EXAMPLE = 'flash-wam data codec datasets/red_bottle --out models/codec --components 24'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    default = LightCodecConfig()
    add_dataset(parser)
    parser.add_argument('--out', type=Path, required=True, metavar='FOLDER', help='new folder')
    parser.add_argument(
        '--camera', action='append', metavar='NAME', help='a camera (default: all)'
    )
    parser.add_argument(
        '--frames', type=int, default=1000, help='frames of each camera to fit to (default: 1000)'
    )
    parser.add_argument('--seed', type=int, default=0, help='of the choice of frames')
    for name in ('components', 'patch', 'temporal-factor'):
        value = getattr(default, name.replace('-', '_'))
        parser.add_argument(f'--{name}', type=int, default=value, help=f'default: {value}')


def run(args: argparse.Namespace) -> int:
    """Draw frames, fit the codec, save it."""
    if args.frames < 2:
        raise UserError(f'--frames {args.frames}: a codec needs at least 2 frames')
    if args.out.exists():
        raise UserError(f'{args.out} exists already; give a new folder')
    reader = open_dataset(args.dataset)
    config = LightCodecConfig(
        components=args.components, patch=args.patch, temporal_factor=args.temporal_factor
    )
    console = Console(stderr=True)
    with console.status('drawing frames and fitting the codec'):
        cameras = args.camera or reader.info.cameras
        codec = LightCodec.fit(sample_frames(reader, cameras, args.frames, args.seed), config)
        codec.save(args.out)
    digest = weights_digest(args.out)
    save_json(args.json, {'folder': str(args.out), 'cameras': list(cameras), 'digest': digest})
    Console().print(f'codec {digest[:16]} written to {args.out}', markup=False)
    return 0
