"""Figures as diagnostic messages, and back."""

from collections.abc import Mapping

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR


def status_array(
    node: Node, name: str, message: str, values: Mapping[str, object], level: bytes = OK
) -> DiagnosticArray:
    """Return one status called ``name``, stamped now, with ``values`` as texts."""
    array = DiagnosticArray()
    array.header.stamp = node.get_clock().now().to_msg()
    pairs = [KeyValue(key=key, value=str(value)) for key, value in values.items()]
    array.status = [
        DiagnosticStatus(level=level, name=name, message=message, hardware_id='', values=pairs)
    ]
    return array


def values_of(status: DiagnosticStatus) -> dict[str, str]:
    """Return the figures of ``status``."""
    return {pair.key: pair.value for pair in status.values}


def controller_state(array: DiagnosticArray) -> str:
    """Return the state that a safety/state message tells, '' if it tells none."""
    for status in array.status:
        state = values_of(status).get('state')
        if state:
            return state
    return ''


def controller_cause(array: DiagnosticArray) -> str:
    """Return why the controller is in its state, as a safety/state message tells."""
    for status in array.status:
        values = values_of(status)
        if 'state' in values:
            return values.get('cause', status.message)
    return ''


def interventions(array: DiagnosticArray) -> dict[str, int]:
    """Return rule -> count out of a safety/state message."""
    prefix = 'interventions.'
    return {
        pair.key[len(prefix) :]: int(pair.value)
        for status in array.status
        for pair in status.values
        if pair.key.startswith(prefix)
    }
