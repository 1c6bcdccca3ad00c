"""Whole collections, by real worker processes and the real command."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from waiting import wait_for

from flash_wam_ros.cli.main import main
from flash_wam_ros.collect import features as keys
from flash_wam_ros.collect.collection import (
    RECORD_NAME,
    CollectionConfig,
    Record,
    collect,
    read_record,
)
from flash_wam_ros.collect.disturbance import DisturbanceConfig
from flash_wam_ros.collect.seeds import FIRST_DEMONSTRATION_SEED, is_demonstration
from flash_wam_ros.collect.turns import TurnsConfig
from flash_wam_ros.core import UserError
from flash_wam_ros.data.lerobot import open_dataset

TASK = 'around_the_post'
ENDED_S = 60.0
# So violent that the hand is often thrown against the post.
VIOLENT = DisturbanceConfig(
    pause_min_s=0.1,
    pause_max_s=0.4,
    burst_min_s=1.0,
    burst_max_s=2.0,
    offset_min_rad=0.06,
    offset_max_rad=0.08,
)


def _silent(done, failed):
    del done, failed


def _command(out, episodes):
    return [
        *(sys.executable, '-m', 'flash_wam_ros.cli.main', 'collect', '--task', TASK),
        *('--episodes', str(episodes), '--workers', '1', '--out', str(out)),
    ]


def _seeds(out):
    return [episode.fields['seed'] for episode in open_dataset(out).episodes]


def _workers(pid):
    """Return the processes that ``pid`` has started."""
    return [int(child) for child in Path(f'/proc/{pid}/task/{pid}/children').read_text().split()]


def _alive(pid):
    status = Path(f'/proc/{pid}/stat')
    return status.is_file() and status.read_text().rsplit(')', 1)[1].split()[0] != 'Z'


@pytest.mark.slow
def test_a_collection_that_was_killed_goes_on_where_it_stopped(tmp_path):
    out, episodes = tmp_path / 'killed', 4
    process = subprocess.Popen(_command(out, 50), stderr=subprocess.DEVNULL)
    try:
        staged = out / '.staging'
        wait_for(lambda: len(list(staged.glob('episode-*'))) >= 2, 'two episodes', ENDED_S)
        workers = _workers(process.pid)
        assert workers
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    wait_for(lambda: not any(map(_alive, workers)), 'the end of the orphaned workers', ENDED_S)
    kept = sorted(path.name for path in staged.glob('episode-*') if path.suffix == '')
    subprocess.run(_command(out, episodes), check=True, capture_output=True)

    whole = tmp_path / 'whole'
    collect(CollectionConfig(task=TASK), whole, episodes, 2, _silent)
    seeds = _seeds(out)
    assert len(seeds) == max(episodes, len(kept))
    assert sorted(set(seeds)) == seeds
    assert seeds[: len(_seeds(whole))] == _seeds(whole)[: len(seeds)]
    killed, unbroken = (open_dataset(path) for path in (out, whole))
    for episode in range(episodes):
        first, second = (
            reader.arrays(episode, [keys.EXECUTED_KEY]).vectors[keys.EXECUTED_KEY]
            for reader in (killed, unbroken)
        )
        np.testing.assert_array_equal(first, second)
    assert not (out / '.workers').exists()


@pytest.mark.slow
def test_failures_are_counted_with_their_reasons_and_left_out(tmp_path):
    config = CollectionConfig(task=TASK, disturbance=VIOLENT)
    told = []
    record = collect(config, tmp_path / 'set', 2, 1, lambda *counts: told.append(counts))
    assert record.failures
    assert record.episodes == 2
    assert record.timed_attempts == 2 + len(record.failures)
    assert record.cpu_s > 0
    assert told[-1] == (2, len(record.failures))
    written = json.loads((tmp_path / 'set' / RECORD_NAME).read_text())
    assert {int(seed): why for seed, why in written['failures'].items()} == record.failures
    assert all(written['failures'].values())
    seeds = _seeds(tmp_path / 'set')
    assert len(seeds) == 2
    assert not set(seeds) & set(record.failures)
    tried = sorted([*seeds, *record.failures])
    assert tried == list(range(FIRST_DEMONSTRATION_SEED, tried[-1] + 1))
    assert written['simulated_s'] == pytest.approx(
        sum(episode.fields['duration_s'] for episode in open_dataset(tmp_path / 'set').episodes)
    )


def test_no_demonstration_has_the_seed_of_an_evaluation():
    assert all(is_demonstration(CollectionConfig(task=TASK).first_seed + k) for k in (0, 10_000))
    assert not any(is_demonstration(seed) for seed in (0, 1000, 1999, 50_000))
    with pytest.raises(UserError, match="seed 1000 is an evaluation's; demonstrations begin at"):
        CollectionConfig(task=TASK, first_seed=1000)


def test_an_unknown_task_names_the_nearest():
    with pytest.raises(UserError, match="did you mean 'red_bottle'"):
        CollectionConfig(task='red_botle')


@pytest.mark.parametrize('numbers', [(0, 1), (1, 0)])
def test_numbers_below_one_are_refused(tmp_path, numbers):
    with pytest.raises(UserError, match='must be at least 1'):
        collect(CollectionConfig(task=TASK), tmp_path / 'set', *numbers, _silent)
    assert not (tmp_path / 'set').exists()


def test_another_collection_is_never_mixed_in(tmp_path):
    other = Record(config=CollectionConfig(task='red_bottle'), episodes=3)
    (tmp_path / RECORD_NAME).write_text(json.dumps(other.as_dict()))
    with pytest.raises(UserError, match='was collected with'):
        collect(CollectionConfig(task=TASK), tmp_path, 3, 1, _silent)


def test_a_damaged_record_is_named(tmp_path):
    (tmp_path / RECORD_NAME).write_text('[]')
    with pytest.raises(UserError, match='is not the record of a collection'):
        collect(CollectionConfig(task=TASK), tmp_path, 3, 1, _silent)


def test_a_record_tells_the_turns_and_older_ones_mean_the_default(tmp_path):
    long = Record(config=CollectionConfig(task=TASK, turns=TurnsConfig(learner_max_s=12.0)))
    (tmp_path / RECORD_NAME).write_text(json.dumps(long.as_dict()))
    assert read_record(tmp_path).config == long.config
    older = long.as_dict()
    del older['config']['turns']
    (tmp_path / RECORD_NAME).write_text(json.dumps(older))
    assert read_record(tmp_path).config == CollectionConfig(task=TASK)


def test_a_learner_that_is_not_there_is_refused(tmp_path, capsys):
    words = ['collect', '--task', TASK, '--out', str(tmp_path / 'set')]
    assert main([*words, '--learner', str(tmp_path / 'none')]) == 2
    assert 'none is no folder; give the folder of a model' in capsys.readouterr().err
    assert main([*words, '--sampling', '1v1a']) == 2
    assert '--sampling 1v1a is that of a --learner' in capsys.readouterr().err
    assert main([*words, '--longest-turn', '9']) == 2
    assert '--longest-turn 9.0 is that of a --learner' in capsys.readouterr().err
    for seconds, fault in (
        ('0.5', 'is shorter than the shortest, 0.8 s'),
        ('99', 'learner_max_s'),
    ):
        assert main([*words, '--learner', str(tmp_path), '--longest-turn', seconds]) == 2
        assert fault in capsys.readouterr().err
    assert not (tmp_path / 'set').exists()


def test_the_command_refuses_bad_input_in_one_line(tmp_path):
    command = [*_command(tmp_path / 'set', 3), '--seed', '1000']
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ, check=False)
    assert done.returncode == 2
    assert done.stderr.count('\n') == 1
    assert "is an evaluation's" in done.stderr
