"""The benchmark of the filter tells what single steps cost, and steps what it says it steps."""

import itertools
import json

import numpy as np
import pytest

from flash_wam_ros.cli.main import main
from flash_wam_ros.drill import filter_cost
from flash_wam_ros.drill.filter_cost import TARGETS, step_cost

SMALL = ['--steps', '100', '--runs', '2']


def test_bench_filter_shows_and_writes_what_it_measured(tmp_path, capsys):
    figures, page = tmp_path / 'figures' / 'filter.json', tmp_path / 'drills.md'
    files = ['--json', str(figures), '--page', str(page)]
    assert main(['bench', 'filter', *SMALL, *files]) == 0
    *shown, last = capsys.readouterr().out.splitlines()
    found = json.loads(figures.read_text())
    assert [row['targets'] for row in found['rows']] == list(TARGETS)
    assert found['machine']['processor'] in shown[2]
    assert '`flash-wam bench filter --steps 100 --runs 2`' in shown[2]
    for row in found['rows']:
        assert (row['joints'], row['runs'], row['steps']) == (16, 2, 100)
        assert 0.0 < row['p50_ms'] <= row['p99_ms'] <= row['max_ms']
        told = [f'{row[name]:.3f} ms' for name in ('p50_ms', 'p99_ms', 'max_ms')]
        assert f'| {" | ".join([row["targets"], *told])} |' in shown
    assert last.endswith(f'wrote {page}')
    section = '\n'.join(['<!-- filter -->', *shown, '<!-- /filter -->'])
    assert section in page.read_text()


def test_bench_filter_replaces_its_section_of_a_page_and_no_other(tmp_path):
    page = tmp_path / 'drills.md'
    page.write_text('before\n\n<!-- filter -->\nold figures\n<!-- /filter -->\n\nafter\n')
    assert main(['bench', 'filter', *SMALL, '--page', str(page)]) == 0
    before, section, after = page.read_text().replace('<!-- /', '<!-- ').split('<!-- filter -->')
    assert (before, after) == ('before\n\n', '\n\nafter\n')
    assert 'What the filter costs' in section
    assert 'old figures' not in section


@pytest.mark.parametrize(
    ('option', 'value', 'limits'),
    [
        ('--steps', '99', '[100, 10000000]'),
        ('--steps', '10000001', '[100, 10000000]'),
        ('--runs', '0', '[1, 1000]'),
        ('--runs', '1001', '[1, 1000]'),
    ],
)
def test_bench_filter_refuses_a_number_out_of_range_in_one_line(option, value, limits, capsys):
    assert main(['bench', 'filter', option, value]) == 2
    shown = capsys.readouterr()
    assert shown.out == ''
    assert shown.err.count('\n') == 1
    assert f'{option} {value} outside {limits}' in shown.err


def test_a_run_counts_no_step_before_it_is_warm_and_the_middle_run_is_told(monkeypatch):
    """Each of three runs has steps of one cost, of 3, 1 and 2 ms, after slow first ones."""
    cost_ns = itertools.chain.from_iterable(
        [*[10**9] * 250, *[cost_ms * 10**6] * 100] for cost_ms in (3, 1, 2)
    )
    monkeypatch.setattr(filter_cost, '_timed_ns', lambda _motion, _target: next(cost_ns))
    found = step_cost('moving', steps=100, runs=3)
    assert [found.p50_ms, found.p99_ms, found.max_ms] == pytest.approx([2.0, 2.0, 2.0])
    assert next(cost_ns, None) is None


def test_99_of_100_steps_cost_no_more_than_p99_and_none_more_than_the_maximum(monkeypatch):
    cost_ns = iter([0] * 250 + [number * 10**6 for number in range(101)])
    monkeypatch.setattr(filter_cost, '_timed_ns', lambda _motion, _target: next(cost_ns))
    found = step_cost('jumping', steps=101, runs=1)
    assert [found.p50_ms, found.p99_ms, found.max_ms] == pytest.approx([50.0, 99.0, 100.0])


@pytest.mark.parametrize(('targets', 'poses'), [('moving', 250), ('jumping', 2)])
def test_targets_move_at_every_step_or_jump_twice_a_second_and_stay_in_the_range(
    targets, poses, monkeypatch
):
    seen, ranges = [], []

    def remember(motion, target):
        seen.append(target)
        ranges.append((motion.limits.lower, motion.limits.upper))
        return 0

    monkeypatch.setattr(filter_cost, '_timed_ns', remember)
    step_cost(targets, steps=250, runs=1)
    second = np.array(seen[-250:])
    assert len(np.unique(second, axis=0)) == poses
    for target, (lower, upper) in zip(seen, ranges, strict=True):
        assert np.all((lower <= target) & (target <= upper))
