"""The motion service is asked without waiting, and only an answer to the question counts."""

import subprocess
import sys
from pathlib import Path

import pytest
from waiting import wait_for

from flash_wam_ros.robots.port import PortError
from flash_wam_ros.robots.sdk.dds import Participant
from flash_wam_ros.robots.sdk.g1_port import G1Port
from flash_wam_ros.robots.sdk.idl import API_REQUEST, API_RESPONSE, sdk_type
from flash_wam_ros.robots.sdk.motion_service import (
    EVERY_NS,
    GET_FSM_ID,
    PATIENCE_NS,
    MotionService,
    asked_in,
    fsm_id_in,
    request,
    response,
)

STOCK = Path(__file__).with_name('stock_motion_service.py')
DAMP, STANDING = 1, 500


class Line:
    """Stands for a participant: keeps what is asked and gives what is answered."""

    def __init__(self):
        self.asked, self.answers, self.broken = [], [], False

    def writer(self, *_):
        return self

    def reader(self, *_, **__):
        return self

    def write(self, data):
        if self.broken:
            raise PortError('full')
        self.asked.append(asked_in(data))

    def take(self):
        taken, self.answers = self.answers, []
        return taken

    def answer(self, fsm_id):
        number, call = self.asked[-1]
        self.answers.append(response(number, call, 0, f'{{"data":{fsm_id}}}'))


@pytest.fixture
def line():
    return Line()


@pytest.fixture
def service(line):
    return MotionService(line)


def test_a_service_made_with_the_unmodified_sdk_tells_when_the_robot_goes_to_damp(sdk_domain):
    words = [sys.executable, str(STOCK), str(sdk_domain), str(STANDING), str(STANDING), str(DAMP)]
    peer = subprocess.Popen(words)
    participant = Participant(sdk_domain, 'lo')
    try:
        service, seen, now_ns = MotionService(participant), [], 0

        def damped():
            nonlocal now_ns
            now_ns += EVERY_NS
            service.poll(now_ns)
            seen.append(service.fsm_id)
            return service.fsm_id == DAMP

        wait_for(damped, 'damp', 40.0)
        assert set(seen) == {-1, STANDING, DAMP}
        assert seen == sorted(seen, key=[-1, STANDING, DAMP].index)
    finally:
        peer.kill()
        peer.wait()
        participant.close()


def test_the_state_of_the_port_carries_what_the_robot_tells(mirror_robot):
    with G1Port(mirror_robot.domain, 'lo') as port:
        wait_for(lambda: (s := port.read()) and s.fsm_id == STANDING, 'a robot that stands')
        mirror_robot.onboard.fsm_id = DAMP
        wait_for(lambda: port.read().fsm_id == DAMP, 'a robot in damp')


def test_bytes_are_those_of_the_sdk(line, service):
    service.poll(7)
    asked = sdk_type(API_REQUEST).deserialize(request(7, GET_FSM_ID))
    assert (asked.header.identity.id, asked.header.identity.api_id) == (7, GET_FSM_ID)
    assert (asked.header.policy.noreply, asked.parameter, list(asked.binary)) == (False, '', [])
    assert asked_in(asked.serialize(use_version_2=False)) == (7, GET_FSM_ID) == line.asked[0]
    for text in ('', 'a', '{"data":500}', '{"data": 1}'):
        told = sdk_type(API_RESPONSE).deserialize(response(7, GET_FSM_ID, -3, text))
        assert (told.header.identity.id, told.header.status.code, told.data) == (7, -3, text)
        assert told.serialize(use_version_2=False) == response(7, GET_FSM_ID, -3, text)


def test_it_is_asked_ten_times_a_second_as_long_as_answers_come(line, service):
    for number in range(5):
        service.poll(number * EVERY_NS)
        assert len(line.asked) == number + 1
        line.answer(STANDING)
        service.poll(number * EVERY_NS + EVERY_NS // 2)
        assert len(line.asked) == number + 1
    assert service.fsm_id == STANDING


def test_without_an_answer_it_is_asked_again_after_the_patience_of_the_sdk(line, service):
    service.poll(0)
    service.poll(PATIENCE_NS - 1)
    assert len(line.asked) == 1
    service.poll(PATIENCE_NS)
    assert len(line.asked) == 2
    assert service.fsm_id == -1


def test_an_answer_may_come_late_but_only_to_the_newest_question(line, service):
    service.poll(0)
    line.answer(DAMP)
    late = line.take()
    service.poll(PATIENCE_NS)
    line.answers = late
    service.poll(PATIENCE_NS + 1)
    assert service.fsm_id == -1
    line.answer(STANDING)
    service.poll(2 * PATIENCE_NS - 1)
    assert service.fsm_id == STANDING


def test_a_robot_that_told_of_damp_and_falls_silent_is_still_in_damp(line, service):
    service.poll(0)
    line.answer(DAMP)
    for second in range(1, 20):
        service.poll(second * PATIENCE_NS)
    assert service.fsm_id == DAMP


def test_a_question_that_is_not_taken_raises_nothing_and_is_put_again(line, service):
    line.broken = True
    service.poll(0)
    line.broken = False
    service.poll(PATIENCE_NS)
    line.answer(STANDING)
    service.poll(PATIENCE_NS + 1)
    assert service.fsm_id == STANDING


@pytest.mark.parametrize(
    'data',
    [
        response(8, GET_FSM_ID, 0, '{"data":1}'),
        response(7, GET_FSM_ID + 1, 0, '{"data":1}'),
        response(7, GET_FSM_ID, 3203, '{"data":1}'),
        b'\x00\x00' + response(7, GET_FSM_ID, 0, '{"data":1}')[2:],
        *(
            response(7, GET_FSM_ID, 0, text)
            for text in (
                '',
                '1',
                '[]',
                '{}',
                '{"data":',
                '{"data":true}',
                '{"data":null}',
                '{"data":NaN}',
                '{"data":1.0}',
                '{"data":-1}',
                '{"data":32768}',
                '{"data":"1"}',
                '[' * 5000,
            )
        ),
    ],
)
def test_what_is_no_answer_to_the_question_tells_nothing(data):
    assert fsm_id_in(data, 7) is None


def test_whatever_bytes_come_nothing_is_raised():
    whole = response(7, GET_FSM_ID, 0, '{"data":1}')
    assert fsm_id_in(whole, 7) == DAMP
    for end in range(len(whole) - 8):
        assert fsm_id_in(whole[:end], 7) is None
    for at in range(4, len(whole)):
        for value in (0x00, 0x7F, 0xFF):
            fsm_id_in(whole[:at] + bytes([value]) + whole[at + 1 :], 7)
    asked = request(7, GET_FSM_ID)
    for end in range(4 + 32):
        assert asked_in(asked[:end]) is None
    unanswered = asked[:32] + b'\x01' + asked[33:]
    assert asked_in(unanswered) is None
