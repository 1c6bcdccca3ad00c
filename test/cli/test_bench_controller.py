"""The benchmark of the control loop measures each row, and its page names what was run."""

import json

import pytest

from flash_wam_ros.cli import bench_controller
from flash_wam_ros.cli.main import main
from flash_wam_ros.drill.cost import LoopCost


@pytest.fixture
def measured(monkeypatch):
    """Let rows cost what is made up; return what was asked for."""
    asked = []

    def cost(rate_hz, self_collision, seconds):
        asked.append((rate_hz, self_collision, seconds))
        return LoopCost(
            rate_hz=rate_hz,
            self_collision=self_collision,
            process=0.31,
            control_thread=0.22,
            tick_ms=0.88,
            achieved_hz=rate_hz,
            period_p99_ms=4.5,
            period_max_ms=5.5,
            missed_ticks=3,
        )

    monkeypatch.setattr(bench_controller, 'loop_cost', cost)
    return asked


def test_each_rate_is_measured_with_and_without_self_collision(measured, tmp_path, capsys):
    figures = tmp_path / 'cost.json'
    assert main(['bench', 'controller', '--seconds', '7.5', '--json', str(figures)]) == 0
    assert measured == [(hz, on, 7.5) for hz in (250.0, 500.0) for on in (True, False)]
    assert json.loads(figures.read_text())['seconds'] == 7.5
    row = '| 250 Hz | on | 31 % | 22 % | 0.88 ms | 250.0 Hz | 4.5 / 5.5 ms | 3 |'
    assert row in capsys.readouterr().out


@pytest.mark.parametrize(('seconds', 'told'), [('10', '10'), ('7.5', '7.5'), ('20.0', '20')])
def test_the_page_names_the_command_that_was_run(seconds, told, measured, tmp_path):
    page = tmp_path / 'drills.md'
    assert main(['bench', 'controller', '--seconds', seconds, '--page', str(page)]) == 0
    assert f'`flash-wam bench controller --seconds {told}`, on ' in page.read_text()


@pytest.mark.parametrize('seconds', ['0.9', '3601', 'nan'])
def test_a_time_out_of_range_is_refused_in_one_line(seconds, measured, capsys):
    assert main(['bench', 'controller', '--seconds', seconds]) == 2
    assert f'--seconds {float(seconds)} outside [1, 3600]' in capsys.readouterr().err
    assert measured == []


@pytest.mark.parametrize(
    'words', [['bench', 'controller'], ['bench', 'filter'], ['drill', 'blocked']]
)
def test_what_keeps_no_records_offers_no_folder_for_them(words, capsys):
    with pytest.raises(SystemExit) as ended:
        main([*words, '--help'])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert '--out' not in shown
    assert '--page' in shown
