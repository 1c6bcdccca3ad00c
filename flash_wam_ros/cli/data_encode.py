"""``flash-wam data encode``: the video of a dataset through a codec, once, to disk."""

import argparse
from pathlib import Path

from rich.console import Console

from flash_wam_ros.cli.data_common import add_dataset, progress_bar, save_json, size_hw
from flash_wam_ros.core import UserError
from flash_wam_ros.data.codecs import open_codec
from flash_wam_ros.data.encode import EncodeReport, encode_dataset
from flash_wam_ros.data.latents import CACHE_FOLDER, DTYPES, LatentSpec, weights_digest
from flash_wam_ros.data.lerobot import LeRobotReader, open_dataset
from flash_wam_ros.data.texts import (
    TEXTS_NAME,
    encode_texts,
    encoder_name,
    open_text_encoder,
    read_texts,
)

HELP = 'encode the video and the instructions of a dataset; goes on where it stopped'
EXAMPLE = 'flash-wam data encode datasets/red_bottle --codec models/codec --text minilm'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_dataset(parser)
    parser.add_argument(
        '--codec', type=Path, required=True, metavar='FOLDER', help='config.json and safetensors'
    )
    parser.add_argument(
        '--camera',
        action='append',
        metavar='NAME[:HxW]',
        help='a camera, and the size to resize it to (default: all, as they are)',
    )
    parser.add_argument(
        '--stride', type=int, default=1, help='frames from one encoded to the next (default: 1)'
    )
    parser.add_argument(
        '--dtype', choices=tuple(DTYPES), default='float32', help='type of the stored latents'
    )
    parser.add_argument(
        '--text',
        metavar='minilm|FOLDER',
        help='also encode the instructions, with MiniLM or with the text_encoder and tokenizer '
        'of a checkpoint',
    )
    parser.add_argument(
        '--out', type=Path, metavar='FOLDER', help=f'default: DATASET/{CACHE_FOLDER}'
    )
    parser.add_argument('--device', default='cpu', help='cpu or cuda (default: cpu)')


def run(args: argparse.Namespace) -> int:
    """Encode what is missing and say what was done."""
    reader = open_dataset(args.dataset)
    sizes = _sizes(reader, args.camera)
    codec = open_codec(args.codec, args.device)
    spec = LatentSpec(
        codec=weights_digest(args.codec),
        temporal_factor=codec.temporal_factor,
        sizes=sizes,
        stride=args.stride,
        dtype=args.dtype,
    )
    root = args.out or args.dataset / CACHE_FOLDER
    with progress_bar('encoding video') as report:
        done = encode_dataset(reader, codec, spec, root, report)
    if args.text is not None:
        _encode_texts(reader, args.text, root / TEXTS_NAME, args.device)
    save_json(args.json, _facts(done))
    Console().print(
        f'{done.encoded} files encoded, {done.kept} kept, {done.latent_frames} latent frames '
        f'in {done.cache.folder}',
        markup=False,
    )
    return 0


def _sizes(reader: LeRobotReader, wanted: list[str] | None) -> dict[str, tuple[int, int]]:
    if not reader.info.cameras:
        raise UserError(f'{reader.root} has no cameras; nothing can be encoded')
    sizes = {}
    for entry in wanted or reader.info.cameras:
        name, colon, size = entry.partition(':')
        height, width = reader.info.feature(name).shape[:2]
        sizes[name] = size_hw(size) if colon else (height, width)
    return sizes


def _encode_texts(reader: LeRobotReader, which: str, path: Path, device: str) -> None:
    name, instructions = encoder_name(which), reader.instructions()
    known = read_texts(path) if path.is_file() else None
    if known is not None and known.encoder == name and {'', *instructions} <= set(known):
        return
    encoder = open_text_encoder(which, device)
    with progress_bar('encoding instructions') as report:
        table = encode_texts(instructions, encoder, name, known, report)
    table.write(path)


def _facts(report: EncodeReport) -> dict[str, object]:
    return {
        'folder': str(report.cache.folder),
        'key': report.cache.spec.key,
        'encoded': report.encoded,
        'kept': report.kept,
        'latent_frames': report.latent_frames,
        **report.cache.spec.to_json(),
    }
