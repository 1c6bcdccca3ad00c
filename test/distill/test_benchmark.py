"""The benchmark of the trainer measures what it says; its figures are not judged here."""

from pathlib import Path

import pytest
from distill_worlds import run_config

from flash_wam_ros.core import UserError
from flash_wam_ros.distill.train.benchmark import measure


def test_each_part_is_timed_and_nothing_is_written(tmp_path: Path) -> None:
    ticks: list[int] = []
    cost = measure(run_config(tmp_path / 'run'), 3, lambda: ticks.append(1))
    assert len(ticks) == 4
    assert min(cost.bare_s, cost.update_s, cost.trainer_s) > 0
    assert cost.repeats == 3
    assert not (tmp_path / 'run').exists()


def test_a_median_of_two_and_a_step_of_several_updates_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match='at least 3'):
        measure(run_config(tmp_path / 'run'), 2, lambda: None)
    with pytest.raises(UserError, match='several updates'):
        measure(run_config(tmp_path / 'run', recipe='dmd2'), 3, lambda: None)
