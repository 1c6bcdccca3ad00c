"""``flash-wam bench model`` measures, keeps what it measured, and goes on from it."""

import json
from pathlib import Path

import pytest

from flash_wam_ros.cli.main import main

QUICK = ['bench', 'model', '--size', 'micro', '--preset', 'libero', '--threads', '1', '--quick']


@pytest.fixture(scope='module')
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp('bench') / 'bench.json'
    assert main([*QUICK, '--repeats', '2', '--json', str(path)]) == 0
    return path


def test_both_plans_are_timed_at_every_fill_of_the_cache(measured: Path) -> None:
    cases = {row['case']: row for row in json.loads(measured.read_text())['cases']}
    assert len(cases) == 4 * 2 * 2
    for name, row in cases.items():
        assert 0 < row['min_s'] <= row['median_s'] <= row['p99_s'], name
        assert row['runs'] == 2
        assert row['floor_s'] > 0
    assert cases['reference 1v/1a guidance 1 fill 0.5']['passes'] == 6
    assert cases['fused 1v/1a guidance 1 fill 0.5']['passes'] == 2
    assert cases['fused 1v/2a guidance 1 fill 1']['passes'] == 3


def test_a_network_that_reads_joints_and_sees_is_timed_as_well(tmp_path: Path) -> None:
    path = tmp_path / 'bench.json'
    words = ['--size', 'g1-tiny', '--preset', 'g1-tiny', '--threads', '1', '--quick']
    assert main(['bench', 'model', *words, '--repeats', '1', '--json', str(path)]) == 0
    cases = {row['case']: row for row in json.loads(path.read_text())['cases']}
    assert cases['fused 1v/1a guidance 1 fill 0.5']['passes'] == 2


def test_the_gain_of_the_fused_plan_is_counted_beside_it(measured: Path) -> None:
    ratios = json.loads(measured.read_text())['fused_to_reference_1v1a']
    counted = [ratio['counted'] for ratio in ratios]
    assert counted == sorted(counted, reverse=True), 'the fuller the cache, the less it gains'
    assert all(ratio['measured'] > 0 for ratio in ratios)


def test_a_record_is_not_measured_again(
    measured: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = json.loads(measured.read_text())['seconds']
    assert main([*QUICK, '--repeats', '2', '--json', str(measured)]) == 0
    assert json.loads(measured.read_text())['seconds'] == before
    assert 'fused against reference' in capsys.readouterr().out


def test_a_record_goes_on_where_it_ended(measured: Path, tmp_path: Path) -> None:
    values = json.loads(measured.read_text())
    name = 'fused 1v/1a guidance 1 fill 0'
    kept = values['seconds'].pop(name)
    path = tmp_path / 'partial.json'
    path.write_text(json.dumps(values))
    assert main([*QUICK, '--repeats', '2', '--json', str(path)]) == 0
    seconds = json.loads(path.read_text())['seconds']
    assert len(seconds.pop(name)) == len(kept)
    assert seconds == values['seconds']


def test_a_record_of_other_settings_is_refused(
    measured: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*QUICK, '--dtype', 'bf16', '--json', str(measured)]) == 2
    assert 'measured with other settings' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        (['--size', 'huge'], "unknown model size 'huge'"),
        (['--repeats', '0'], '--repeats is 0, expected >= 1'),
        (['--device', 'cuba'], "did you mean 'cuda'"),
        (['--json', '/proc/no/such/place.json'], 'cannot write'),
    ],
)
def test_bad_input_is_one_line(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*QUICK, *words]) == 2
    assert message in capsys.readouterr().err
