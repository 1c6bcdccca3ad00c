"""``flash-wam verify``: a checkpoint, or this build against recorded activations."""

import argparse
import json
from pathlib import Path
from typing import Any

from flash_wam_ros.core import UserError
from flash_wam_ros.wam.presets import PRESETS

HELP = 'check a checkpoint, or this build against recorded activations'
EXAMPLE = 'flash-wam verify --checkpoint lingbot-va-posttrain-robotwin --preset robotwin'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        '--checkpoint',
        type=Path,
        metavar='DIR',
        help='model folder: say what it holds, load it, run one chunk on random frames',
    )
    what.add_argument(
        '--golden',
        type=Path,
        metavar='DIR',
        help='folder of recordings: repeat every case; exit 1 if one is above its tolerance',
    )
    parser.add_argument(
        '--preset',
        choices=PRESETS,
        help='cameras and actions of a checkpoint without wam.json (default robotwin)',
    )
    parser.add_argument('--device', default='cpu', help='where the chunk runs (default cpu)')
    parser.add_argument(
        '--dtype', choices=('bf16', 'fp32'), help='type that the chunk runs in (default: stored)'
    )
    parser.add_argument('--json', type=Path, metavar='FILE', help='write the findings there')


def run(args: argparse.Namespace) -> int:
    """Run the command; 0 = all well, 1 = a number is wrong (bad input raises UserError)."""
    folder = args.checkpoint or args.golden
    if not folder.is_dir():
        raise UserError(f'{folder} is no folder; give one that exists')
    if args.golden:
        from flash_wam_ros.cli.verify_golden import verify_golden

        findings = verify_golden(folder)
    else:
        from flash_wam_ros.cli.verify_checkpoint import verify_checkpoint

        findings = verify_checkpoint(
            folder, preset_name=args.preset, device=args.device, dtype_name=args.dtype
        )
    if args.json:
        _write(args.json, findings)
    return 0 if findings['passed'] else 1


def _write(path: Path, findings: dict[str, Any]) -> None:
    try:
        path.write_text(json.dumps(findings, indent=2, allow_nan=False) + '\n', encoding='utf-8')
    except OSError as error:
        raise UserError(f'cannot write {path}: {error.strerror}; choose another file') from None
