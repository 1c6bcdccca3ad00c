"""The whole stack as processes: its graph, and how it ends."""

import os
import re
import signal
import subprocess
import sys
import threading

import pytest
import rclpy
from rclpy.qos import QoSCompatibility, qos_check_compatible
from waiting import wait_for

from flash_wam_ros.bringup import interface
from flash_wam_ros.bringup.processes import BringupConfig, processes
from flash_wam_ros.bringup.supervisor import Supervisor

pytestmark = pytest.mark.slow
START_S = 120.0
SDK_DOMAINS = range(30, 40)
# What the dashboard listens to only while a page is open.
WATCHED = ('/camera/', 'predicted/', '/joint_states', 'command', 'action_chunk', 'sim/objects')
OF_ROS = ('/rosout', '/parameter_events')


class Demo:
    """``flash-wam demo`` as a process; its lines so far and the processes that it started."""

    def __init__(self, folder, domain, *arguments):
        self.folder = folder
        self.lines = []
        command = [sys.executable, '-m', 'flash_wam_ros.cli.main', 'demo', '--no-dashboard']
        command += ['--policy', 'expert', '--record', str(folder)]
        self.handle = subprocess.Popen(
            [*command, '--domain', str(domain), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.handle.stdout:
            self.lines.append(line.strip())

    def wait_for_line(self, words):
        def found():
            assert self.handle.poll() is None or self.has(words), '\n'.join(self.lines)
            return self.has(words)

        wait_for(found, words, START_S)

    def has(self, words):
        return any(words in line for line in self.lines)

    @property
    def pids(self):
        found = (re.search(r'started (\w+) \(process (\d+)\)', line) for line in self.lines)
        return {match[1]: int(match[2]) for match in found if match}

    def end(self):
        code = self.handle.wait(timeout=60)
        self._reader.join(timeout=10)
        return code

    def log(self, name):
        return (self.folder / f'{name}.log').read_text()


def _alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
def demo(ros_context, lease_domain, tmp_path):
    """Start the demo with arguments; what still runs at the end of the test is killed."""
    started = []

    def start(*arguments):
        started.append(Demo(tmp_path, lease_domain(SDK_DOMAINS), *arguments))
        return started[-1]

    yield start
    for found in started:
        for pid in (found.handle.pid, *found.pids.values()):
            if _alive(pid) and (pid != found.handle.pid or found.handle.poll() is None):
                os.kill(pid, signal.SIGKILL)


def _ends(node, topic):
    """Return node name -> QoS of publishers and of subscribers of ``topic``."""
    publishers = node.get_publishers_info_by_topic(topic)
    subscribers = node.get_subscriptions_info_by_topic(topic)
    return (
        {info.node_name: info.qos_profile for info in publishers},
        {info.node_name: info.qos_profile for info in subscribers},
    )


def _missing_ends(node, running):
    """Return what the interface promises and the graph lacks, for processes that run."""
    missing = []
    for topic in interface.TOPICS:
        publishers, subscribers = _ends(node, topic.full_name)
        missing += [
            (topic.name, name) for name in topic.publishers if name in running - {*publishers}
        ]
        missing += [
            (topic.name, name)
            for name in topic.subscribers
            if name in running - {*subscribers} and not _optional(topic.name, name)
        ]
    return missing


def _optional(topic, process):
    """Whether ``process`` listens to ``topic`` only in some configurations."""
    films = process == 'operator' and topic.startswith(('predicted/', '/joint_states'))
    unseen = process == 'policy' and topic.startswith('/camera/')
    unwatched = process == 'dashboard' and topic.startswith(WATCHED)
    return films or unseen or unwatched


def test_the_running_graph_is_the_interface_and_every_pair_of_ends_is_compatible(
    ros_context, lease_domain, tmp_path
):
    config = BringupConfig(
        policy='expert',
        operator=True,
        judge=False,
        probe_s=600.0,
        rviz=True,
        dashboard_port=0,
        domain=lease_domain(SDK_DOMAINS),
    )
    chosen = processes(config, found=lambda package: False)
    running = {process.name for process in chosen}
    node = rclpy.create_node('walker', context=ros_context)
    lines = []
    with Supervisor(chosen, tmp_path, lines.append):
        wait_for(lambda: not _missing_ends(node, running), f'the graph ({lines})', START_S)
        found = dict(node.get_topic_names_and_types())
        known = {topic.full_name: topic for topic in interface.TOPICS}
        assert set(found) - set(OF_ROS) <= set(known)
        for name, topic in known.items():
            assert found[name] == [topic.type]
            publishers, subscribers = _ends(node, name)
            assert set(publishers) <= set(topic.publishers), name
            assert set(subscribers) <= set(topic.subscribers), name
            for given in publishers.values():
                for asked in subscribers.values():
                    verdict, why = qos_check_compatible(given, asked)
                    assert verdict != QoSCompatibility.ERROR, f'{name}: {why}'
        offered = {service.full_name: [service.type] for service in interface.SERVICES}
        wait_for(
            lambda: offered.items() <= dict(node.get_service_names_and_types()).items(),
            'the services',
        )
    node.destroy_node()


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_the_arms_move_lets_them_go_first_and_ends_with_0(demo, number):
    run = demo()
    run.wait_for_line('controller TRACKING')
    run.handle.send_signal(number)
    assert run.end() == 0, '\n'.join(run.lines)
    assert 'RELEASING -> DISARMED' in run.log('controller')
    assert not run.has('killed'), '\n'.join(run.lines)
    order = [line.split()[1] for line in run.lines if line.endswith(' ended')]
    assert order[0] == 'controller'
    assert not any(_alive(pid) for pid in run.pids.values())
    assert not any('Traceback' in run.log(name) for name in run.pids)


def test_killing_the_supervisor_lets_the_arms_go_and_leaves_no_orphan(demo):
    run = demo()
    run.wait_for_line('controller TRACKING')
    pids = run.pids
    run.handle.kill()
    run.handle.wait(timeout=10)
    wait_for(lambda: not any(map(_alive, pids.values())), 'the end of all', 30.0)
    assert 'RELEASING -> DISARMED' in run.log('controller')


def test_killing_the_simulator_is_said_by_the_controller_and_ends_the_run(demo):
    run = demo()
    run.wait_for_line('controller TRACKING')
    os.kill(run.pids['sim'], signal.SIGKILL)
    assert run.end() == 1
    assert run.has('sim was ended by SIGKILL')
    assert re.search(r'TRACKING -> (STOPPED|RELEASING)', run.log('controller'))
    assert not any(_alive(pid) for pid in run.pids.values())


def test_killing_the_policy_makes_the_controller_hold(demo):
    run = demo()
    run.wait_for_line('controller TRACKING')
    os.kill(run.pids['policy'], signal.SIGKILL)
    run.wait_for_line('policy was ended by SIGKILL')
    run.wait_for_line('controller HOLDING: ')
    wait_for(lambda: 'TRACKING -> HOLDING' in run.log('controller'), 'holding')
    run.handle.send_signal(signal.SIGTERM)
    assert run.end() == 0


def test_an_episode_that_fails_is_exit_code_1_with_the_reason(demo):
    run = demo('--timeout', '1')
    assert run.end() == 1
    assert run.has('summary: 0 of 1 episodes succeeded')
    assert run.has('when the time of 1 s was up')
