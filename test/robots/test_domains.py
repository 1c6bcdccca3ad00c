import pytest

from flash_wam_ros.core import UserError
from flash_wam_ros.robots.domains import check_dds

LOCAL = {'ROS_LOCALHOST_ONLY': '1', 'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST'}


def check(sdk_domain=1, interface='lo', simulated=True, allow=False, **environ):
    check_dds(
        sdk_domain=sdk_domain,
        interface=interface,
        simulated=simulated,
        allow_equal_domains=allow,
        environ=environ,
    )


@pytest.fixture
def ethernet(monkeypatch):
    monkeypatch.setattr('socket.if_nameindex', lambda: [(1, 'lo'), (2, 'eth0')])


def test_the_simulator_on_domain_one_is_apart_from_ros_with_its_default():
    check()


def test_equal_domains_are_refused_with_the_export_line():
    with pytest.raises(UserError, match='run: export ROS_DOMAIN_ID=42'):
        check(ROS_DOMAIN_ID='1')
    with pytest.raises(UserError, match='run: export ROS_DOMAIN_ID=43'):
        check(sdk_domain=42, ROS_DOMAIN_ID='42')


def test_the_robots_domain_is_refused_while_ros_keeps_its_default(ethernet):
    with pytest.raises(UserError, match='equals the SDK domain 0'):
        check(sdk_domain=0, interface='eth0', simulated=False)
    check(sdk_domain=0, interface='eth0', simulated=False, ROS_DOMAIN_ID='7')


def test_the_override_holds_only_where_interfaces_are_disjoint(ethernet):
    robot = {'sdk_domain': 0, 'interface': 'eth0', 'simulated': False, 'allow': True}
    check(**robot, **LOCAL)
    with pytest.raises(UserError, match='export ROS_LOCALHOST_ONLY=1'):
        check(**robot)
    with pytest.raises(UserError, match='disjoint'):
        check(**robot, ROS_LOCALHOST_ONLY='1')
    with pytest.raises(UserError, match='disjoint'):
        check(sdk_domain=1, allow=True, ROS_DOMAIN_ID='1', **LOCAL)


def test_disjoint_interfaces_do_not_help_without_the_override(ethernet):
    with pytest.raises(UserError, match='ROS_DOMAIN_ID'):
        check(sdk_domain=0, interface='eth0', simulated=False, **LOCAL)


def test_a_simulator_never_answers_in_the_robots_name_on_a_network(ethernet):
    with pytest.raises(UserError, match='real robot'):
        check(sdk_domain=0, interface='eth0', ROS_DOMAIN_ID='7')
    check(sdk_domain=0, interface='lo', ROS_DOMAIN_ID='7')


def test_cyclonedds_as_middleware_is_refused_with_the_export_line():
    with pytest.raises(UserError, match='export RMW_IMPLEMENTATION=rmw_fastrtps_cpp'):
        check(RMW_IMPLEMENTATION='rmw_cyclonedds_cpp')
    check(RMW_IMPLEMENTATION='rmw_fastrtps_cpp')


def test_an_unknown_interface_is_refused_with_the_present_ones(ethernet):
    with pytest.raises(UserError, match="'eth1' does not exist; did you mean 'eth0'"):
        check(interface='eth1')


@pytest.mark.parametrize('domain', ['-1', '233', 'one'])
def test_a_ros_domain_that_is_none_is_refused(domain):
    with pytest.raises(UserError, match='ROS_DOMAIN_ID'):
        check(ROS_DOMAIN_ID=domain)


def test_an_sdk_domain_out_of_range_is_refused():
    with pytest.raises(UserError, match=r'outside \[0, 232\]'):
        check(sdk_domain=233)


def test_an_empty_ros_domain_is_the_default_one():
    with pytest.raises(UserError, match='equals'):
        check(sdk_domain=0, ROS_DOMAIN_ID='')
