"""What a watchdog found, and what follows from it: the most restrictive one wins."""

from collections.abc import Iterable
from enum import IntEnum
from typing import NamedTuple


class Reaction(IntEnum):
    """What follows from a loss, from the mildest to the strictest."""

    SLOW = 1
    """Go on at the speeds of reduced mode."""
    HOLD = 2
    """Decelerate and hold until it is well again."""
    PARK = 3
    """Take the arms back the way they came, then release them."""
    STOP = 4
    """Decelerate and hold, latched until an operator acts."""
    DROP = 5
    """Send nothing more, at once: the robot has let go of its motors by itself."""


class Loss(NamedTuple):
    """A source that is not well.

    Attributes:
        reaction: what follows.
        text: what is wrong: what, value, limit, remedy.
    """

    reaction: Reaction
    text: str


def strictest(losses: Iterable[Loss]) -> Loss | None:
    """Return the loss with the strictest reaction, the first of several; None if all is well."""
    return max(losses, key=lambda loss: loss.reaction, default=None)
