"""The commands around the stack: bad input is one line and exit code 2; help runs everywhere."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from flash_wam_ros.cli.bench_stack import table
from flash_wam_ros.cli.checkup import check_memory, check_python, check_ros, examine
from flash_wam_ros.cli.main import main
from flash_wam_ros.cli.registry import COMMANDS

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ('words', 'remedy'),
    [
        (['demo', '--task', 'red_botle'], "did you mean 'red_bottle'"),
        (['demo', '--policy', 'export'], "did you mean 'expert'"),
        (['demo', '--timeout', '0'], 'timeout_s is 0.0, outside [1, 3600]'),
        (['demo', '--domain', '500'], 'domain is 500, outside [-1, 232]'),
        (['sim', '--seed', '-1'], 'seed is -1'),
        (['bench', 'stack', '--seconds', 'nan'], 'probe_s is nan'),
        (['doctor', '--robot', 'g1'], 'ip -brief address'),
    ],
)
def test_bad_input_is_one_line_with_the_remedy_and_exit_code_2(words, remedy, capsys):
    assert main(words) == 2
    errors = capsys.readouterr().err.strip()
    assert '\n' not in errors
    assert remedy in errors


def test_every_check_of_the_doctor_that_fails_names_the_fix(monkeypatch):
    monkeypatch.setenv('ROS_DOMAIN_ID', '1')
    monkeypatch.setenv('RMW_IMPLEMENTATION', 'rmw_cyclonedds_cpp')
    faults = [finding for finding in examine('sim', 'lo', 1) if finding.verdict == 'fault']
    assert {finding.what for finding in faults} >= {'ROS middleware', 'DDS domains'}
    assert all(finding.fix for finding in faults)


def test_the_doctor_is_content_with_what_is_in_order(monkeypatch):
    monkeypatch.delenv('RMW_IMPLEMENTATION', raising=False)
    for check in (check_python, check_ros, check_memory):
        assert check().verdict == 'ok'


def test_the_table_of_the_benchmark_tells_what_was_met_and_what_was_missed():
    figures = {
        'lowstate_hz': 500.0,
        'command_hz': 240.0,
        'command_period': {'p99_ms': 5.0},
        'lost_frames': 0,
        'real_time_factor': {'mean': 1.0},
        'observation_to_command': {'count': 0},
    }
    lines = table(json.loads(json.dumps(figures)))
    assert [line.rsplit(' ', 1)[1] for line in lines] == ['met', 'MISSED', 'met', 'met', 'met']


def _documented():
    """Return the flash-wam commands in README.md and docs, without their values."""
    texts = [path.read_text() for path in (ROOT / 'README.md', *(ROOT / 'docs').glob('**/*.md'))]
    lines = '\n'.join(texts).replace('\\\n', ' ').splitlines()
    found = (re.match(r'(?:\./scripts/demo|flash-wam ([a-z]+(?: [a-z]+)?))(.*)', x) for x in lines)
    return sorted(
        {
            (match[1] or 'demo', option)
            for match in found
            if match
            for option in ['', *re.findall(r'--[a-z-]+', match[2].split('#')[0])]
        }
    )


def test_every_command_and_option_in_the_documents_exists():
    helps = {}
    for words, option in _documented():
        name = words if words in COMMANDS else words.split()[0]
        if name not in helps:
            done = subprocess.run(
                [sys.executable, '-m', 'flash_wam_ros.cli.main', *name.split(), '--help'],
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, f'{name}: {done.stderr}'
            helps[name] = done.stdout
        assert option in helps[name], f'flash-wam {name} has no {option}'
    assert 'demo' in helps
