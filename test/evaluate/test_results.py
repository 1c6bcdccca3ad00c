import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flash_wam_ros.core import UserError
from flash_wam_ros.evaluate.records import Record, pooled
from flash_wam_ros.evaluate.results import Episode, Results, Setting
from flash_wam_ros.evaluate.statistics import wilson_interval

SETTING = Setting(task='red_bottle', policy='expert', seed=1000)


def episode(seed: int, success: bool = True) -> Episode:
    return Episode(seed=seed, success=success, reason='lifted', duration_s=4.2)


def test_wilson_interval_equals_a_published_value():
    # Brown, Cai, DasGupta (2001), table of intervals: 2 of 10 gives [0.057, 0.510].
    lower, upper = wilson_interval(2, 10)
    assert lower == pytest.approx(0.0567, abs=1e-4)
    assert upper == pytest.approx(0.5098, abs=1e-4)


@given(st.integers(1, 500), st.data())
def test_wilson_interval_holds_the_rate_and_mirrors(trials, data):
    successes = data.draw(st.integers(0, trials))
    lower, upper = wilson_interval(successes, trials)
    mirrored = wilson_interval(trials - successes, trials)
    assert 0 <= lower <= successes / trials <= upper <= 1
    assert (lower, upper) == pytest.approx((1 - mirrored[1], 1 - mirrored[0]))


@pytest.mark.parametrize(('successes', 'trials'), [(-1, 5), (6, 5), (0, 0)])
def test_wilson_interval_refuses_impossible_counts(successes, trials):
    with pytest.raises(ValueError, match='trials'):
        wilson_interval(successes, trials)


def test_runs_that_differ_in_their_seed_alone_are_one_row():
    def record(model, first, sampling='1v1a'):
        setting = replace(SETTING, policy='wam', model=model, sampling=sampling)
        return Record(setting=setting, episodes=(episode(first), episode(first + 1, False)))

    runs = [
        record('runs/flash_wam_seed0/model', 1000),
        record('runs/naive_joint_seed0/model', 1000),
        record('runs/flash_wam_seed1/model', 1000),
        record('runs/flash_wam_seed1/model', 1000, '1v2a'),
    ]
    made = pooled(runs)
    assert [(r.name, r.setting.sampling, len(r.episodes)) for r in made] == [
        *(('flash_wam', '1v1a', 4), ('naive_joint', '1v1a', 2), ('flash_wam', '1v2a', 2)),
    ]
    assert made[0].successes == 2


def test_results_are_on_disk_after_every_episode(tmp_path):
    path = tmp_path / 'deep' / 'result.json'
    results = Results(SETTING, path)
    results.add(episode(1000))
    results.add(episode(1001, success=False))
    content = json.loads(path.read_text())
    assert (content['task'], content['policy'], content['seed']) == ('red_bottle', 'expert', 1000)
    assert (content['episodes'], content['successes']) == (2, 1)
    assert [entry['seed'] for entry in content['episode_list']] == [1000, 1001]


def test_results_go_on_where_they_stopped(tmp_path):
    path = tmp_path / 'result.json'
    Results(SETTING, path).add(episode(1000))
    again = Results(SETTING, path)
    assert [entry.seed for entry in again.episodes] == [1000]
    assert again.successes == 1


def test_results_of_another_setting_are_refused_and_kept(tmp_path):
    path = tmp_path / 'result.json'
    Results(SETTING, path).add(episode(1000))
    before = path.read_bytes()
    with pytest.raises(UserError, match='holds expert on red_bottle'):
        Results(Setting(task='pot_potato', policy='expert', seed=1000), path)
    assert path.read_bytes() == before


def test_a_foreign_file_is_refused_and_kept(tmp_path):
    path = tmp_path / 'notes.json'
    path.write_text('{"a": 1}')
    with pytest.raises(UserError, match='not an evaluation result'):
        Results(SETTING, path)
    assert path.read_text() == '{"a": 1}'
