"""``flash-wam bench imagination``: does the imagined video come true?"""

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from flash_wam_ros.core import UserError

if TYPE_CHECKING:
    import numpy as np

    from flash_wam_ros.evaluate.imagination import Comparison
    from flash_wam_ros.evaluate.results import Setting

HELP = 'compare the imagined video with what came, beside copying the last picture'
EXAMPLE = 'flash-wam bench imagination --model runs/student/model --task red_bottle'
_ROWS = 8


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument('--model', required=True, help='folder of the weights')
    parser.add_argument('--task', required=True, help='name of the task')
    parser.add_argument('--sampling', default='', help='steps of the model, such as 1v1a')
    parser.add_argument('--episodes', type=int, default=20, help='number of episodes')
    parser.add_argument('--seed', type=int, default=1000, help='seed of the first episode')
    parser.add_argument('--json', type=Path, help='write the result here; taken up again if there')
    parser.add_argument(
        '--mosaic', type=Path, help='write a PNG: last, true and imagined pictures, difference'
    )


def run(args: argparse.Namespace) -> int:
    """Compare; return 0."""
    from flash_wam_ros.evaluate.imagination import table
    from flash_wam_ros.evaluate.results import Setting, write_json

    if not args.episodes >= 1:
        raise UserError(f'--episodes {args.episodes} must be at least 1')
    setting = Setting(
        task=args.task, policy='wam', seed=args.seed, model=args.model, sampling=args.sampling
    )
    record = _begun(args.json, setting)
    chosen: list[Comparison] = []

    def keep() -> None:
        record['table'] = table([episode['sums'] for episode in record['imagined']])
        if args.json is not None:
            write_json(args.json, record)

    _run_episodes(setting, args.episodes, record, chosen, keep)
    _show(record)
    if args.mosaic is not None:
        _write_mosaic(args.mosaic, chosen)
    return 0


def _begun(path: Path | None, setting: 'Setting') -> dict[str, Any]:
    """Return the record of ``path`` if it is of this setting, or a new one.

    Raises:
        UserError: the file holds something else.
    """
    fresh = {**asdict(setting), 'imagined': [], 'table': []}
    if path is None or not path.exists():
        return fresh
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding='utf-8'))
        same = all(found[name] == value for name, value in asdict(setting).items())
        same = same and isinstance(found['imagined'], list)
    except (OSError, ValueError, KeyError, TypeError):
        same = False
    if not same:
        raise UserError(f'{path} holds another measurement; give another --json or delete it')
    return found


def _run_episodes(
    setting: 'Setting',
    episodes: int,
    record: dict[str, Any],
    chosen: 'list[Comparison]',
    keep: Callable[[], None],
) -> None:
    """Run the episodes that ``record`` lacks; ``chosen`` gets one comparison of each camera."""
    from flash_wam_ros.evaluate.imagination import Foreseer, Judge
    from flash_wam_ros.evaluate.runner import episode_runner

    judge = Judge(_recoder(Path(setting.model)))
    newest: list[Comparison] = []

    def compare(comparison: 'Comparison') -> None:
        judge(comparison)
        newest.append(comparison)

    done = len(record['imagined'])
    with episode_runner(setting, wrap=lambda policy: Foreseer(policy, compare)) as runner:
        seeds = range(setting.seed + done, setting.seed + episodes)
        for seed in track(seeds, 'episodes', console=Console(stderr=True)):
            newest.clear()
            episode = runner.run(seed)
            entry = {'seed': seed, 'success': episode.success, 'sums': judge.take()}
            record['imagined'].append(entry)
            for camera in dict.fromkeys(each.camera for each in newest):
                if len(chosen) < _ROWS:
                    # The one in which most moved tells most.
                    of_camera = [each for each in newest if each.camera == camera]
                    chosen.append(max(of_camera, key=lambda each: int(each.moved.sum())))
            keep()


def _recoder(folder: Path) -> 'Callable[[np.ndarray, str], np.ndarray]':
    """Return what a picture looks like after the video codec of the model in ``folder``."""
    from flash_wam_ros.wam.canvas_codec import recode
    from flash_wam_ros.wam.pipeline import load_pipeline

    pipeline = load_pipeline(folder)
    return lambda image, camera: recode(pipeline.config.canvas, pipeline.codec, image, camera)


def _write_mosaic(path: Path, chosen: 'list[Comparison]') -> None:
    import cv2

    from flash_wam_ros.evaluate.imagination import mosaic

    if not chosen:
        raise UserError('no episode was run now, so there is no mosaic; ask for more --episodes')
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), mosaic(chosen)[:, :, ::-1]):
        raise UserError(f'{path} cannot be written; check the folder and the disk')


def _show(record: dict[str, Any]) -> None:
    table = Table(title='moved pixels: PSNR [dB] / SSIM')
    for column in ('camera', 'ahead', 'imagined', 'copied', 'codec', 'gain over copying'):
        table.add_column(column)
    for row in record['table']:
        cells = [
            f'{row[f"psnr_{kind}_db"]:.1f} / {row[f"ssim_{kind}"]:.3f}'
            for kind in ('imagined', 'copied', 'codec')
        ]
        gain = f'[{row["gain_low_db"]:+.1f}, {row["gain_high_db"]:+.1f}] dB'
        table.add_row(row['camera'], f'{row["horizon_s"]:.1f} s', *cells, gain)
    Console().print(table)
