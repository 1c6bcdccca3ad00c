"""Work that is ended ends once, in order."""

import os
import signal

import pytest

from flash_wam_ros.cli.ending import ending_in_order


@pytest.mark.parametrize('first', [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_does_not_break_the_order_that_the_first_began(first):
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    kept = []

    def work():
        try:
            os.kill(os.getpid(), first)
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                os.kill(os.getpid(), number)
            kept.append('all of it')

    with pytest.raises(KeyboardInterrupt), ending_in_order():
        work()
    assert kept == ['all of it']
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
