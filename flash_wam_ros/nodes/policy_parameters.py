"""Parameters of the policy node; those that choose the policy may be set while it runs."""

from dataclasses import dataclass

from flash_wam_ros.core import check_fields, choice, number, words
from flash_wam_ros.wire.pictures import FORMS


@dataclass(frozen=True, kw_only=True, slots=True)
class PolicyParameters:
    """Parameters of the policy node."""

    policy: str = words('wam', 'name of the policy', live=True)
    task: str = words('red_bottle', 'task of a scripted expert')
    model: str = words(
        '', 'folder of weights; empty for what the policy has of its own', live=True
    )
    server: str = words(
        '', 'address of the server of the remote policy, ws://HOST:PORT', live=True
    )
    frames: str = choice('jpeg', FORMS, 'how pictures travel to the server')
    instruction: str = words('', 'what to do until the instruction topic says otherwise')
    seed: int = number(0, 0, 2**31 - 1, 'seed of the policy')
    sync_tolerance_s: float = number(
        0.05, 0.001, 1.0, 'how far the stamps of one observation may lie apart [s]'
    )

    def __post_init__(self) -> None:
        """Check ranges."""
        check_fields(self)
