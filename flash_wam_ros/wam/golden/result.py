"""How far a repeated case is from its record."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

TOLERANCES = {torch.float32: 1e-4, torch.bfloat16: 0.3}
"""Largest absolute difference that passes, by the type that was recorded."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CaseResult:
    """How far a repeated case is from its record.

    Attributes:
        case: file, and plan where there are two.
        max_error: largest absolute difference; NaN where a number is not one.
        tolerance: largest one that passes.
        worst: tensor with that difference.
        compared: tensors that were compared.
    """

    case: str
    max_error: float
    tolerance: float
    worst: str
    compared: int

    @property
    def passed(self) -> bool:
        """Return whether something was compared and all is within the tolerance."""
        return self.compared > 0 and self.max_error <= self.tolerance


class Comparison:
    """Collects the differences of one case.

    Args:
        case: its name.
        dtype: type that was recorded.
    """

    def __init__(self, case: str, dtype: torch.dtype) -> None:
        self._case, self._tolerance = case, TOLERANCES[dtype]
        self._errors: dict[str, float] = {}

    def add(self, name: str, found: Tensor, recorded: Tensor) -> None:
        """Compare one tensor; another shape, or another truth value, is an infinite error."""
        self._errors[name] = _difference(found, recorded)

    def count(self, name: str, found: int, recorded: int) -> None:
        """Compare one whole number, which must be equal."""
        self._errors[name] = 0.0 if found == recorded else math.inf

    def result(self) -> CaseResult:
        """Return the largest difference."""
        worst = max(self._errors, key=lambda name: _rank(self._errors[name]), default='')
        return CaseResult(
            case=self._case,
            max_error=self._errors.get(worst, math.nan),
            tolerance=self._tolerance,
            worst=worst,
            compared=len(self._errors),
        )


def _rank(error: float) -> tuple[bool, float]:
    return math.isnan(error), error


def _difference(found: Tensor, recorded: Tensor) -> float:
    if found.shape != recorded.shape:
        return math.inf
    if recorded.dtype == torch.bool:
        return 0.0 if torch.equal(found, recorded) else math.inf
    if not recorded.numel():
        return 0.0
    return float((found.detach().double() - recorded.double()).abs().max())
