"""The robot's own motion service: which state its state machine (FSM) is in.

It is told by a call alone, GetFsmId of the SDK's LocoClient: a request on one topic, an answer on
another, paired by a number. The SDK's client waits for each answer; a control loop may not, so
here the question is put now and then, and answers are taken as they come.
"""

import contextlib
import json
import struct

from flash_wam_ros.robots.port import PortError
from flash_wam_ros.robots.sdk.dds import Participant
from flash_wam_ros.robots.sdk.frame import HEADER
from flash_wam_ros.robots.sdk.idl import API_REQUEST, API_RESPONSE

REQUEST_TOPIC = 'rt/api/sport/request'
RESPONSE_TOPIC = 'rt/api/sport/response'
GET_FSM_ID = 7001
NOT_IMPLEMENTED = 3203
"""What the SDK's own servers answer to a call that they do not know."""
EVERY_NS = 100_000_000
"""Time between two questions [ns]."""
PATIENCE_NS = 1_000_000_000
"""Time for an answer, that of the SDK's client; then the question is put anew [ns]."""
_DEPTH = 8
_LARGEST_ID = 2**15
# Number and call i64 each, lease i64, priority i32, whether an answer is wanted u8.
_REQUEST = struct.Struct('<qqqiB3x')
# Number and call i64 each, status i32; the text follows, its length u32 before it.
_RESPONSE = struct.Struct('<qqi')
_LENGTH = struct.Struct('<I')


class MotionService:
    """Asks for the FSM of the motion service, without waiting.

    Attributes:
        fsm_id: newest answer, -1 before the first. It stays when no more answers come: a robot
            that has told of damping is not taken for one that stands.
    """

    def __init__(self, participant: Participant) -> None:
        """Make reader and writer on ``participant``."""
        self.fsm_id = -1
        self._writer = participant.writer(REQUEST_TOPIC, API_REQUEST)
        self._reader = participant.reader(RESPONSE_TOPIC, API_RESPONSE, depth=_DEPTH)
        self._asked_ns: int | None = None
        self._answered = False

    def poll(self, now_ns: int) -> None:
        """Take the answers, and ask again if it is time at monotonic ``now_ns`` [ns]."""
        for data in self._reader.take():
            told = fsm_id_in(data, self._asked_ns)
            if told is not None:
                self.fsm_id, self._answered = told, True
        wait_ns = EVERY_NS if self._answered else PATIENCE_NS
        if self._asked_ns is not None and now_ns - self._asked_ns < wait_ns:
            return
        self._asked_ns, self._answered = now_ns, False
        # A question that DDS does not take counts as one without an answer.
        with contextlib.suppress(PortError):
            self._writer.write(request(now_ns, GET_FSM_ID))


def request(number: int, call: int) -> bytes:
    """Return a serialised Request_ that wants an answer, without parameter."""
    return HEADER + _REQUEST.pack(number, call, 0, 0, 0) + _text('') + _LENGTH.pack(0)


def asked_in(data: bytes) -> tuple[int, int] | None:
    """Return number and call of a serialised Request_; None if it is none, or wants no answer."""
    if len(data) < len(HEADER) + _REQUEST.size or data[: len(HEADER)] != HEADER:
        return None
    number, call, _, _, no_answer = _REQUEST.unpack_from(data, len(HEADER))
    return None if no_answer else (number, call)


def response(number: int, call: int, status: int, text: str) -> bytes:
    """Return a serialised Response_ to request ``number``."""
    return HEADER + _RESPONSE.pack(number, call, status) + _text(text) + _LENGTH.pack(0)


def fsm_id_in(data: bytes, number: int | None) -> int | None:
    """Return what a serialised Response_ to request ``number`` tells; None if nothing."""
    begin = len(HEADER) + _RESPONSE.size
    if len(data) < begin + _LENGTH.size or data[: len(HEADER)] != HEADER:
        return None
    answered, call, status = _RESPONSE.unpack_from(data, len(HEADER))
    if (answered, call, status) != (number, GET_FSM_ID, 0):
        return None
    (length,) = _LENGTH.unpack_from(data, begin)
    begin += _LENGTH.size
    try:
        told = json.loads(data[begin : begin + length].rstrip(b'\0'))['data']
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return told if type(told) is int and 0 <= told < _LARGEST_ID else None


def _text(text: str) -> bytes:
    """Return a serialised string, padded to four bytes."""
    raw = text.encode() + b'\0'
    return _LENGTH.pack(len(raw)) + raw + bytes(-len(raw) % 4)
