"""Laws of the bring-up description."""

import dataclasses
from collections import Counter
from pathlib import Path

import pytest
import yaml

from flash_wam_ros.bringup import interface
from flash_wam_ros.bringup.launching import config_from_texts
from flash_wam_ros.bringup.paths import config_file, installed
from flash_wam_ros.bringup.processes import BringupConfig, environment, notices, processes
from flash_wam_ros.core import UserError

EVERYTHING = (
    BringupConfig(operator=True, probe_s=1.0, dashboard=True, rviz=True, record='out/bag'),
    BringupConfig(robot='g1', policy='wam', network_interface='eth0'),
    BringupConfig(robot='g1', policy='wam', network_interface='eth0', cameras='realsense'),
)


def _named(config):
    return {process.name: process for process in processes(config)}


def test_processes_have_unique_names():
    for config in EVERYTHING:
        counts = Counter(process.name for process in processes(config))
        assert max(counts.values()) == 1


def test_simulation_and_hardware_differ_for_the_controller_in_domain_and_interface_only():
    simulated, real = (_named(config)['controller'] for config in EVERYTHING[:2])
    differing = {
        name
        for name in {*simulated.parameters, *real.parameters}
        if simulated.parameters.get(name) != real.parameters.get(name)
    }
    assert differing == {'robot', 'sdk_domain', 'network_interface'}
    assert simulated.executable == real.executable


def test_the_simulator_is_domain_1_and_the_robot_domain_0_unless_told_otherwise():
    assert BringupConfig().sdk_domain == 1
    assert EVERYTHING[1].sdk_domain == 0
    assert BringupConfig(domain=37).sdk_domain == 37


def test_nobody_but_a_person_enables_a_real_robot():
    with pytest.raises(UserError, match='only a person enables a real robot'):
        BringupConfig(robot='g1', policy='wam', network_interface='eth0', operator=True)


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        ({'robot': 'g2'}, 'valid: g1, sim'),
        ({'domain': 233}, r'domain is 233, outside \[-1, 232\]'),
        ({'timeout_s': float('nan')}, 'timeout_s is nan'),
        ({'cameras': 'opencvv'}, "did you mean 'opencv'"),
        ({'robot': 'g1'}, 'ip -brief address'),
        ({'robot': 'g1', 'network_interface': 'eth0', 'policy': 'expert'}, 'policy:=wam'),
    ],
)
def test_what_cannot_work_is_refused_with_a_remedy(arguments, words):
    with pytest.raises(UserError, match=words):
        BringupConfig(**arguments)


def test_every_topic_ends_at_processes_that_exist():
    known = {process.name for config in EVERYTHING for process in processes(config)}
    known |= {interface.USER}
    for topic in interface.TOPICS:
        assert set(topic.publishers) | set(topic.subscribers) <= known, topic.name
        assert topic.publishers, topic.name
        assert topic.subscribers, topic.name
    assert {service.server for service in interface.SERVICES} <= known


def test_no_two_topics_share_a_name():
    names = [topic.full_name for topic in interface.TOPICS]
    assert len(set(names)) == len(names)


def test_launch_arguments_say_the_same_as_the_configuration():
    texts = {field.name: str(field.default) for field in dataclasses.fields(BringupConfig)}
    assert config_from_texts(texts) == BringupConfig()
    assert config_from_texts({**texts, 'operator': 'true', 'seed': '7'}) == BringupConfig(
        operator=True, seed=7
    )


@pytest.mark.parametrize(('name', 'text'), [('rviz', 'maybe'), ('seed', 'seven')])
def test_a_launch_argument_of_another_type_is_refused(name, text):
    with pytest.raises(UserError, match=f'{name}:={text}'):
        config_from_texts({name: text})


def test_what_the_user_has_set_in_the_environment_is_kept():
    ours = environment({})
    assert ours['FASTRTPS_DEFAULT_PROFILES_FILE'] == str(config_file('fastdds.xml'))
    theirs = environment({'FASTRTPS_DEFAULT_PROFILES_FILE': '/mine.xml'})
    assert theirs['FASTRTPS_DEFAULT_PROFILES_FILE'] == '/mine.xml'


def test_parameter_files_name_processes_that_exist():
    known = {process.name for config in EVERYTHING for process in processes(config)}
    for robot in ('sim', 'g1'):
        content = yaml.safe_load(config_file(f'{robot}.yaml').read_text())
        for node, values in content.items():
            assert node.rsplit('/', 1)[1] in known
            assert set(values) == {'ros__parameters'}


def test_parameter_files_that_the_description_points_at_exist():
    for config in EVERYTHING:
        for process in processes(config):
            assert not process.params_file or Path(process.params_file).is_file()


def test_without_rviz_its_place_is_taken_by_the_dashboard_and_people_are_told():
    config = BringupConfig(rviz=True)
    without = [process.name for process in processes(config, found=lambda _: False)]
    assert 'rviz' not in without
    assert without[-2:] == ['markers', 'dashboard']
    (line,) = notices(config, found=lambda _: False)
    assert 'rviz2 is not installed here; the dashboard' in line


def test_rviz_comes_with_the_state_publisher_and_the_layout_of_the_robot():
    config = BringupConfig(rviz=True)
    found = {process.name: process for process in processes(config, found=lambda _: True)}
    assert list(found)[-3:] == ['markers', 'state_publisher', 'rviz']
    assert found['rviz'].arguments == ('-d', str(config_file('g1.rviz')))
    assert notices(config, found=lambda _: True) == []


def test_the_dashboard_listens_to_this_machine_alone_unless_told_otherwise():
    parameters = _named(BringupConfig(dashboard=True))['dashboard'].parameters
    assert parameters['address'] == '127.0.0.1'
    assert 'token' not in parameters


@pytest.mark.parametrize('named', [True, False])
def test_a_package_is_installed_where_the_ament_index_says_so(tmp_path, monkeypatch, named):
    index = tmp_path / 'share' / 'ament_index' / 'resource_index' / 'packages'
    index.mkdir(parents=True)
    if named:
        (index / 'rviz2').touch()
    monkeypatch.setenv('AMENT_PREFIX_PATH', f'/nowhere:{tmp_path}:')
    assert installed('rviz2') == named
