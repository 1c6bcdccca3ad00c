"""Laws of the supervisor, on small programs in place of the nodes."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from waiting import wait_for

from flash_wam_ros.bringup.processes import Process
from flash_wam_ros.bringup.supervisor import Supervisor, command_line
from flash_wam_ros.core import UserError

# Appends its name to the file argv[1] when it is told to end, after argv[3] seconds.
CHILD = """
import signal, sys, time, pathlib
def end(number, frame):
    time.sleep(float(sys.argv[3]))
    with open(sys.argv[1], 'a') as log:
        log.write(f'{sys.argv[2]} {number}\\n')
    sys.exit(0)
for number in (signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, end)
pathlib.Path(f'{sys.argv[1]}.{sys.argv[2]}').touch()
while True:
    time.sleep(0.01)
"""


def _process(name, folder, program=CHILD, delay_s=0.0, critical=False):
    return Process(
        name=name,
        executable='python3',
        package='python',
        arguments=('-c', program, str(folder / 'ends'), name, str(delay_s)),
        critical=critical,
    )


def _wait_until_up(folder, names):
    wait_for(lambda: all((folder / f'ends.{n}').exists() for n in names), 'the start')


def _ends(folder):
    path = folder / 'ends'
    return [line.split()[0] for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture
def lines():
    return []


def test_the_controller_ends_before_anything_else_is_told_to(tmp_path, lines):
    children = [_process('sim', tmp_path), _process('controller', tmp_path, delay_s=0.5)]
    with Supervisor(children, tmp_path, lines.append) as supervisor:
        _wait_until_up(tmp_path, ('sim', 'controller'))
        supervisor.stop()
    assert _ends(tmp_path) == ['controller', 'sim']


def test_what_does_not_listen_is_killed_and_said(tmp_path, lines):
    deaf = 'import signal,time,sys,pathlib\n'
    deaf += 'signal.signal(signal.SIGTERM, signal.SIG_IGN)\n'
    deaf += 'pathlib.Path(f"{sys.argv[1]}.{sys.argv[2]}").touch()\ntime.sleep(60)'
    with Supervisor([_process('deaf', tmp_path, deaf)], tmp_path, lines.append) as supervisor:
        _wait_until_up(tmp_path, ('deaf',))
        pid = supervisor.pid('deaf')
    assert any('did not end in 3 s: killed' in line for line in lines)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_the_end_of_a_critical_process_ends_the_run_with_its_last_words(tmp_path, lines):
    failing = 'import sys; print("no such interface", file=sys.stderr); sys.exit(2)'
    children = [
        _process('controller', tmp_path),
        _process('sim', tmp_path, failing, critical=True),
    ]
    with Supervisor(children, tmp_path, lines.append) as supervisor:
        assert supervisor.wait() == 2
    assert any('sim failed with exit code 2: no such interface' in line for line in lines)


def test_the_end_of_another_process_is_said_and_the_run_goes_on(tmp_path, lines):
    ending = [_process('policy', tmp_path, 'raise SystemExit(1)')]
    with Supervisor([*ending, _process('sim', tmp_path)], tmp_path, lines.append) as supervisor:
        wait_for(lambda: supervisor.poll() is not None or len(lines) > 2, 'the report')
        assert supervisor.poll() is None
    assert any('policy failed with exit code 1' in line for line in lines)


def test_a_program_that_only_a_full_ros_has_is_refused_with_the_remedy(tmp_path):
    with pytest.raises(UserError, match='ros2 launch on a full ROS 2'):
        command_line(Process(name='rviz', executable='rviz2', package='rviz2'), tmp_path)


SUPERVISOR = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_supervisor import _process
from flash_wam_ros.bringup.supervisor import Supervisor
folder = Path(sys.argv[1])
children = [_process('sim', folder), _process('controller', folder)]
with Supervisor(children, folder, lambda line: print(line, flush=True)) as supervisor:
    sys.exit(supervisor.wait())
"""


def _supervisor_process(folder):
    path = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
    environ = {**os.environ, 'PYTHONPATH': os.pathsep.join(path)}
    handle = subprocess.Popen(
        [sys.executable, '-c', SUPERVISOR, str(folder), path[0]],
        stdout=subprocess.PIPE,
        text=True,
        env=environ,
    )
    _wait_until_up(folder, ('sim', 'controller'))
    return handle


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_the_supervisor_ends_all_in_order_with_exit_code_0(tmp_path, number):
    handle = _supervisor_process(tmp_path)
    handle.send_signal(number)
    handle.send_signal(number)  # an impatient second one changes nothing
    out, _ = handle.communicate(timeout=30)
    assert handle.returncode == 0, out
    assert _ends(tmp_path) == ['controller', 'sim']


def test_killing_the_supervisor_leaves_no_orphan(tmp_path):
    handle = _supervisor_process(tmp_path)
    handle.kill()
    handle.communicate(timeout=30)
    wait_for(lambda: sorted(_ends(tmp_path)) == ['controller', 'sim'], 'the end of the children')
    assert {line.split()[1] for line in (tmp_path / 'ends').read_text().splitlines()} == {'1'}
