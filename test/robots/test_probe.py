from flash_wam_ros.robots.fake import FakeRobot
from flash_wam_ros.robots.probe import probe
from flash_wam_ros.robots.sdk.g1_port import G1Port


def test_a_robot_that_is_not_there_gives_no_state_and_no_rate():
    with FakeRobot(present=False) as robot:
        seen = probe(robot, duration_s=0.01, patience_s=0.01)
    assert seen.state is None
    assert seen.lowstate_hz == 0


def test_a_robot_is_seen_with_its_rate_its_grippers_and_its_rivals(mirror_robot):
    with G1Port(mirror_robot.domain, 'lo') as port, G1Port(mirror_robot.domain, 'lo'):
        seen = probe(port, duration_s=0.5, patience_s=20)
    assert seen.state is not None
    assert 0 < seen.seen_hz <= 1.01 * seen.lowstate_hz
    assert seen.grippers == (True, True)
    assert (seen.crc_errors, seen.other_writers) == (0, 1)


def test_refused_states_are_counted_and_nothing_is_sent():
    with FakeRobot() as robot:
        robot.read()
        robot.faults.corrupt = True
        seen = probe(robot, duration_s=0.01)
        assert seen.crc_errors > 0
        assert robot.sent == []
