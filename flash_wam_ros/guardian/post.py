"""A controller's end of its guardian: start it, see that it is there, send it home."""

import contextlib
import os
import subprocess
import sys
from dataclasses import dataclass

from flash_wam_ros.core import UserError, check_fields, number, standard_error, switch
from flash_wam_ros.guardian.lease import Lease

_HOME_S = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class GuardianConfig:
    """Whether a second process takes over where the controller dies, and when."""

    guardian: bool = switch(True, 'a second process lets go of the arms if the controller dies')
    guardian_grace_s: float = number(
        0.4, 0.02, 2.0, 'time beyond loop_timeout_s without a tick until the guardian acts [s]'
    )

    def __post_init__(self) -> None:
        """Check the range."""
        check_fields(self)


def ally_name() -> str:
    """Return the mark by which this process and its guardian know each other."""
    return f'flash_wam_{os.getpid()}'


class Post:
    """Keeps one guardian beside this process.

    Attributes:
        lease: what is renewed and recorded.
        lost: guardians that ended while this process went on.
    """

    def __init__(self, *, domain: int, interface: str, lease_s: float, ramp_s: float) -> None:
        """Start a guardian.

        Args:
            domain: SDK domain.
            interface: network interface of the SDK.
            lease_s: time without a renewal after which it acts [s].
            ramp_s: time in which it takes full weight to 0 [s].
        """
        self.lease = Lease()
        self.lost = 0
        options = {
            '--lease': self.lease.handle,
            '--controller': os.getpid(),
            '--domain': domain,
            '--interface': interface,
            '--ally': ally_name(),
            '--lease-s': lease_s,
            '--ramp-s': ramp_s,
        }
        self._words = [sys.executable, '-m', 'flash_wam_ros.guardian.process']
        self._words += [str(word) for option in options.items() for word in option]
        self._process = self._start()

    def _start(self) -> 'subprocess.Popen[bytes]':
        self.lease.expect()
        try:
            # A session of its own: Ctrl-C at the terminal is for the controller.
            return subprocess.Popen(
                self._words,
                stdin=subprocess.DEVNULL,
                stderr=standard_error.real(),
                pass_fds=(self.lease.handle,),
                start_new_session=True,
            )
        except OSError as error:
            raise UserError(f'no guardian ({error}); run without one: guardian:=false') from error

    @property
    def pid(self) -> int:
        """Process number of the guardian."""
        return self._process.pid

    @property
    def ready(self) -> bool:
        """Whether the guardian watches."""
        return self.lease.ready and self._process.poll() is None

    def relieve(self) -> bool:
        """Start another guardian if this one has ended; return whether it had."""
        if self._process.poll() is None or self.lease.taken:
            return False
        self.lost += 1
        self._process = self._start()
        return True

    def close(self) -> None:
        """Send the guardian home; it has nothing to do any more."""
        self.lease.close()
        if self._process.poll() is None:
            # One that is late goes when this process has gone.
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_HOME_S)
