"""Every case of a folder that the network and the rollout engine answer for."""

from collections.abc import Iterator
from pathlib import Path

from flash_wam_ros.wam.golden.record import Recordings
from flash_wam_ros.wam.golden.result import CaseResult
from flash_wam_ros.wam.golden.rollout import PLANS_TO_RUN, run_rollout
from flash_wam_ros.wam.golden.training import run_training
from flash_wam_ros.wam.golden.units import run_units


def run_folder(folder: Path | str) -> Iterator[CaseResult]:
    """Yield one result for each case, a rollout once in each plan that can run it.

    Args:
        folder: recordings; cases of other kinds are passed over.

    Raises:
        UserError: missing or damaged files.
    """
    folder = Path(folder)
    found = [path for kind in ('units', 'train_*', 'infer_*')
             for path in sorted(folder.glob(f'{kind}.safetensors'))]  # fmt: skip
    if not found:
        return
    recordings = Recordings(folder)
    for path in found:
        if path.stem == 'units':
            yield run_units(path, recordings)
        elif path.stem.startswith('train_'):
            yield run_training(path, recordings)
        else:
            for plan in PLANS_TO_RUN:
                result = run_rollout(path, recordings, plan)
                if result is not None:
                    yield result
