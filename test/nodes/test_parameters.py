"""Parameters of nodes: one line and exit code 2 for what cannot be, in real processes."""

import os
import subprocess
import sys

import pytest

from flash_wam_ros.bringup.processes import environment

ROS_DOMAINS = range(80, 96)


@pytest.fixture
def start(lease_domain):
    """Run a node until its end; return exit code, stdout and stderr."""
    environ = {**os.environ, **environment(), 'ROS_DOMAIN_ID': str(lease_domain(ROS_DOMAINS))}

    def run(node, *arguments):
        done = subprocess.run(
            [sys.executable, '-m', f'flash_wam_ros.nodes.{node}', *arguments],
            capture_output=True,
            text=True,
            env=environ,
            timeout=60,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    return run


@pytest.mark.parametrize(
    ('given', 'words'),
    [
        ('durations:=5.0', "no parameter 'durations'; did you mean 'duration_s'"),
        ('duration_s:=0.0', 'duration_s is 0.0, outside [1, 3600]'),
        ('duration_s:=.nan', 'duration_s is nan'),
        ('duration_s:=soon', "parameter duration_s is 'soon', a str; give a float"),
        ('network_interface:=nope0', 'nope0'),
    ],
)
def test_a_wrong_parameter_is_one_line_and_exit_code_2(start, given, words):
    code, _, errors = start('probe_node', '--ros-args', '-p', given)
    assert code == 2
    (line,) = [line for line in errors.splitlines() if not line.startswith('[WARN]')]
    assert words in line


def test_malformed_ros_arguments_are_exit_code_2_without_a_traceback(start):
    code, _, errors = start('probe_node', '--ros-args', '-p', 'nonsense')
    assert code == 2
    assert 'Traceback' not in errors


def test_a_whole_number_is_taken_where_a_float_is_meant(start):
    code, _, errors = start(
        'probe_node', '--ros-args', '-p', 'duration_s:=5', '-p', 'network_interface:=nope0'
    )
    assert code == 2
    assert 'duration_s' not in errors


def test_every_node_lists_its_parameters_with_range_and_meaning(start):
    code, out, _ = start('probe_node', '--parameters')
    assert code == 0
    assert 'camera_rate_hz = 10.0  [0.1, 120]' in out
