"""The SROS2 policy says what the interface table says, and no more."""

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from flash_wam_ros.bringup.interface import CALLERS, NAMESPACE, SERVICES, TOPICS
from flash_wam_ros.bringup.paths import config_file
from flash_wam_ros.bringup.processes import BringupConfig, processes
from flash_wam_ros.bringup.security import enclave, policy_xml, processes_with_rights
from flash_wam_ros.bringup.supervisor import command_line

SCRIPT = Path(__file__).resolve().parents[2] / 'scripts' / 'sros2_keystore'
OF_EVERY_NODE = {'/rosout', '/parameter_events'}


@pytest.fixture(scope='module')
def rights():
    """Process -> kind and right -> names, as the file in config grants them."""
    tree = ElementTree.parse(config_file('sros2') / 'policy.xml')
    found = {}
    for entry in tree.iter('enclave'):
        profiles = list(entry.iter('profile'))
        assert len(profiles) == 1
        granted = {}
        for group in profiles[0]:
            for right, verdict in group.attrib.items():
                assert verdict == 'ALLOW'
                granted[group.tag, right] = {child.text for child in group}
        found[entry.attrib['path'].removeprefix(f'{NAMESPACE}/')] = granted
    return found


def test_the_file_is_what_the_interface_makes_of_it():
    assert (config_file('sros2') / 'policy.xml').read_text(encoding='utf-8') == policy_xml()


def test_every_publisher_and_listener_of_the_interface_may_do_so_and_nobody_else(rights):
    for topic in TOPICS:
        publishers = {name for name in rights if topic.full_name in _of(rights, name, 'publish')}
        assert publishers == set(topic.publishers)
        listeners = {name for name in rights if topic.full_name in _of(rights, name, 'subscribe')}
        assert listeners == {*topic.subscribers, 'recorder'}


def _of(rights, process, right):
    return rights[process].get(('topics', right), set())


def test_no_right_goes_beyond_the_interface(rights):
    topics = {topic.full_name for topic in TOPICS} | OF_EVERY_NODE
    services = {service.full_name for service in SERVICES}
    for process, granted in rights.items():
        own = f'{NAMESPACE}/{process}/'
        for (kind, right), names in granted.items():
            assert not any('*' in name for name in names)
            if kind == 'topics':
                assert names <= topics
            elif right == 'reply':
                assert {name for name in names if not name.startswith(own)} <= services
            else:
                assert names <= services


def test_only_people_and_their_stand_ins_may_call_services(rights):
    callers = {name for name, granted in rights.items() if ('services', 'request') in granted}
    assert callers == set(CALLERS)
    assert 'policy' not in callers


def test_only_the_controller_may_answer_for_the_arms(rights):
    arms = {s.full_name for s in SERVICES if s.name.startswith('safety/')}
    for process, granted in rights.items():
        offered = arms & granted.get(('services', 'reply'), set())
        assert offered == (arms if process == 'controller' else set())


def test_every_process_starts_in_an_enclave_that_the_policy_knows(tmp_path):
    for process in processes(BringupConfig(operator=True, probe_s=1.0)):
        words = command_line(process, tmp_path)
        assert words[words.index('--enclave') + 1] == enclave(process.name)
        assert process.name in processes_with_rights()


def test_the_keystore_script_says_in_one_line_what_it_lacks(tmp_path):
    environ = {**os.environ, 'PATH': '/usr/bin:/bin'}
    for arguments, word in (([], 'usage'), ([str(tmp_path / 'keys')], 'sros2')):
        done = subprocess.run(
            [str(SCRIPT), *arguments], env=environ, capture_output=True, text=True, check=False
        )
        if word == 'sros2' and done.returncode == 0:
            pytest.skip('a full ROS 2 with sros2 is here')
        assert done.returncode == 2
        assert len(done.stderr.strip().splitlines()) == 1
        assert word in done.stderr
    assert not (tmp_path / 'keys').exists()


@pytest.mark.parametrize('keys', [True, False], ids=['no key in the enclave', 'no keystore'])
def test_a_process_that_must_be_guarded_does_not_run_without_keys(tmp_path, keys):
    """With a middleware that has the security plugins, and with one that has not."""
    if keys:
        (tmp_path / 'keys' / 'enclaves' / 'flash_wam' / 'operator').mkdir(parents=True)
    environ = {
        **os.environ,
        'ROS_SECURITY_ENABLE': 'true',
        'ROS_SECURITY_STRATEGY': 'Enforce',
        'ROS_SECURITY_KEYSTORE': str(tmp_path / 'keys'),
    }
    words = ['-m', 'flash_wam_ros.nodes.operator_node', '--ros-args', '--enclave']
    done = subprocess.run(
        [sys.executable, *words, enclave('operator')],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert 'security' in done.stderr.lower()
