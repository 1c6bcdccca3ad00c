"""Repeats every recorded case of a folder and prints how far off this build is."""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from flash_wam_ros.core import UserError

# What a damaged or incomplete recording raises inside a library.
_DAMAGE = (OSError, KeyError, RuntimeError, ValueError, SafetensorError)


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One case.

    Attributes:
        case: its name.
        max_error: largest absolute difference.
        tolerance: largest one that passes.
        passed: whether it is within the tolerance.
        worst: the tensor with the largest difference.
        compared: tensors compared.
    """

    case: str
    max_error: float
    tolerance: float
    passed: bool
    worst: str
    compared: int

    def __str__(self) -> str:
        """Return the line that is printed."""
        verdict = 'pass' if self.passed else 'FAIL'
        return (
            f'{verdict}  {self.max_error:.2e} (tolerance {self.tolerance:.0e})  {self.case}: '
            f'worst {self.worst}, {self.compared} compared'
        )


def verify_golden(folder: Path) -> dict[str, Any]:
    """Print one line for each case of ``folder``; return the findings.

    Raises:
        UserError: no cases, or missing or damaged files.
    """
    lines = []
    for line in _cases(folder):
        print(line, flush=True)
        lines.append(line)
    if not lines:
        raise UserError(
            f'{folder} holds no recorded case; expected units, train_*, infer_*, '
            'flashwam_step_* or vae_stream_* safetensors'
        )
    failed = sum(not line.passed for line in lines)
    print(f'{len(lines) - failed} of {len(lines)} cases pass')
    cases = [
        asdict(line) | {'max_error': line.max_error if math.isfinite(line.max_error) else None}
        for line in lines
    ]
    return {'folder': str(folder), 'passed': not failed, 'cases': cases}


def _cases(folder: Path) -> Iterator[Line]:
    """Yield all cases: the network and its rollouts, distillation steps, the video codec."""
    from flash_wam_ros.wam.golden import run_folder

    for result in _guarded(folder, run_folder(folder)):
        yield _line(result.case, [(result.worst, result)], result.compared)
    if any(folder.glob('flashwam_step_*.safetensors')):
        from flash_wam_ros.distill.golden import run_file

        for path in sorted(folder.glob('flashwam_step_*.safetensors')):
            results = list(_guarded(path, run_file(path)))
            tensors = [(result.case.removeprefix(path.stem).strip(), result) for result in results]
            yield _line(path.stem, tensors, len(results))
    if any(folder.glob('vae_stream_*.safetensors')):
        from flash_wam_ros.wam.golden.streaming import run_streams

        for result in _guarded(folder, run_streams(folder)):
            yield _line(result.case, [(result.worst, result)], result.compared)


def _line(case: str, tensors: list[tuple[str, Any]], compared: int) -> Line:
    """Return one line of the results of a case's tensors; the worst one speaks for all."""
    worst, result = max(
        tensors, key=lambda pair: (math.isnan(pair[1].max_error), pair[1].max_error)
    )
    return Line(
        case=case,
        max_error=result.max_error,
        tolerance=result.tolerance,
        passed=all(part.passed for _, part in tensors),
        worst=worst,
        compared=compared,
    )


def _guarded(place: Path, results: Iterator[Any]) -> Iterator[Any]:
    """Yield ``results``; turn what damaged recordings raise into one line."""
    try:
        yield from results
    except UserError:
        raise
    except _DAMAGE as error:
        reason = ' '.join(str(error).split())
        raise UserError(
            f'{place} cannot be repeated: {type(error).__name__} {reason}; record it anew'
        ) from None
