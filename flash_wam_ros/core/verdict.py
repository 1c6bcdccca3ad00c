"""What the safety controller did to a command, and why."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One intervention: on which joint, by which rule, by how much, since when.

    Attributes:
        rule: name of the rule that intervened, such as ``position`` or ``velocity``.
        joint: name of the joint, or '' where the rule concerns the whole robot.
        asked: the value that was asked for (SI units of the rule).
        given: the value that was allowed.
        since_mono_ns: monotonic time at which this rule began to act on this joint [ns].
    """

    rule: str
    joint: str
    asked: float
    given: float
    since_mono_ns: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """The changes made in one control tick; empty means: passed as asked."""

    changes: tuple[Change, ...] = ()

    def __bool__(self) -> bool:
        """Return whether anything was changed."""
        return bool(self.changes)
