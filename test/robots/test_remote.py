import struct

import pytest

from flash_wam_ros.robots.remote import BUTTONS, decode_remote

FIRST_BYTE = ('R1', 'L1', 'Start', 'Select', 'R2', 'L2', 'F1', 'F3')
SECOND_BYTE = ('A', 'B', 'X', 'Y', 'Up', 'Right', 'Down', 'Left')


def remote(buttons=0, lx=0.0, rx=0.0, ry=0.0, ly=0.0):
    data = bytearray(40)
    data[2:4] = buttons.to_bytes(2, 'little')
    for offset, value in ((4, lx), (8, rx), (12, ry), (20, ly)):
        struct.pack_into('<f', data, offset, value)
    return bytes(data)


def test_an_unpaired_remote_is_idle():
    assert decode_remote(bytes(40)).idle


def test_every_button_has_a_bit_of_its_own_in_the_documented_order():
    order = [
        'R1',
        'L1',
        'Start',
        'Select',
        'R2',
        'L2',
        'F1',
        'F3',
        'A',
        'B',
        'X',
        'Y',
        'Up',
        'Right',
        'Down',
        'Left',
    ]
    for bit, name in enumerate(order):
        assert decode_remote(remote(1 << bit)).pressed == {name}
    assert decode_remote(remote(0xFFFF)).pressed == BUTTONS == set(order)


def test_the_sticks_are_where_they_are_documented():
    decoded = decode_remote(remote(lx=0.25, rx=-0.5, ry=0.75, ly=-1.0))
    assert (decoded.lx, decoded.rx, decoded.ry, decoded.ly) == (0.25, -0.5, 0.75, -1.0)
    assert not decoded.idle


def test_a_stick_that_is_not_finite_reads_zero():
    assert decode_remote(remote(lx=float('nan'), ly=float('inf'))).idle


def test_another_number_of_bytes_is_refused():
    with pytest.raises(ValueError, match='39 B'):
        decode_remote(bytes(39))
