"""The runs of ``flash-wam bench model``, kept in a file as they come."""

import argparse
import json
import platform
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from flash_wam_ros.core import UserError
from flash_wam_ros.wam.benchmark import Bench, Case, Machine, measure_machine, turns

FILLS = (0.0, 0.25, 0.5, 1.0)
TEACHER_FILL = 0.25
FEW_STEPS = ((1, 1), (1, 2))
MANY_STEPS = (25, 50)
TEACHER_GUIDANCE = 5.0


def settings_of(args: argparse.Namespace) -> dict[str, Any]:
    """Return what must be equal for times to be comparable."""
    names = ('size', 'preset', 'device', 'dtype', 'threads', 'cuda_graphs')
    return {
        **{name: getattr(args, name) for name in names},
        'torch': torch.__version__,
        'machine': f'{platform.machine()} {platform.node()}',
    }


class Record:
    """Times and machine rates so far.

    Args:
        path: file that keeps them; None keeps them in memory.
        settings: of this run; a file with others is refused.

    Raises:
        UserError: the file holds something else.
    """

    def __init__(self, path: Path | None, settings: dict[str, Any]) -> None:
        self._path, self.settings = path, settings
        self.machine: Machine | None = None
        self.seconds: dict[str, list[float]] = {}
        self.passes: dict[str, int] = {}
        self.findings: dict[str, Any] = {}
        if path is not None and path.exists():
            self._read(path)

    def add(self, case: Case, seconds: float, passes: int) -> None:
        """Keep one run."""
        self.seconds.setdefault(case.name, []).append(seconds)
        self.passes[case.name] = passes
        self.save()

    def missing(self, case: Case) -> int:
        """Return how many runs a case still lacks."""
        return max(0, case.repeats - len(self.seconds.get(case.name, [])))

    def save(self) -> None:
        """Write the file, whole or not at all."""
        if self._path is None:
            return
        machine = self.machine
        values = {
            'settings': self.settings,
            'machine': machine
            and {'macs_per_s': machine.macs_per_s, 'bytes_per_s': machine.bytes_per_s},
            'passes': self.passes,
            'seconds': self.seconds,
            **self.findings,
        }
        try:
            partial = self._path.with_suffix('.partial')
            partial.write_text(json.dumps(values, indent=1) + '\n', encoding='utf-8')
            partial.replace(self._path)
        except OSError as error:
            raise UserError(
                f'cannot write {self._path}: {error.strerror}; choose another file'
            ) from None

    def _read(self, path: Path) -> None:
        try:
            values = json.loads(path.read_text(encoding='utf-8'))
            settings, seconds = values['settings'], values['seconds']
            passes, machine = values['passes'], values['machine']
        except (OSError, ValueError, KeyError, TypeError):
            raise UserError(
                f'{path} is no record of this benchmark; name another file or delete it'
            ) from None
        if settings != self.settings:
            raise UserError(
                f'{path} was measured with other settings ({settings}); name another file'
            )
        self.seconds, self.passes = seconds, passes
        self.machine = Machine(**machine) if machine else None


def few_step_cases(fill: float, repeats: int) -> list[Case]:
    """Return the student's cases at one fill of the cache: both plans, without guidance."""
    return [
        Case(plan=plan, video_steps=video, action_steps=action, guidance=1.0, fill=fill,
             repeats=repeats)
        for video, action in FEW_STEPS
        for plan in ('reference', 'fused')
    ]  # fmt: skip


def teacher_cases() -> list[Case]:
    """Return the teacher's cases: as published, without guidance, and fused."""
    video, action = MANY_STEPS
    return [
        Case(plan=plan, video_steps=video, action_steps=action, guidance=guidance,
             fill=TEACHER_FILL, repeats=1)
        for plan, guidance in
        (('reference', TEACHER_GUIDANCE), ('reference', 1.0), ('fused', 1.0))
    ]  # fmt: skip


def time_all(bench: Bench, record: Record, *, repeats: int, with_teacher: bool) -> None:
    """Time every case that ``record`` lacks, with a progress bar."""
    sections = [few_step_cases(fill, repeats) for fill in FILLS]
    if with_teacher:
        sections.insert(1, teacher_cases())
    todo = sum(record.missing(case) for section in sections for case in section)
    with _progress() as progress:
        task = progress.add_task('machine', total=todo)
        if record.machine is None:
            record.machine = measure_machine(bench.model, bench.config)
            record.save()
        if todo:
            # A first run pays for allocations that later ones do not.
            bench.time(few_step_cases(0.0, 1)[-1])
        for section in sections:
            left = [replace(case, repeats=record.missing(case)) for case in section]
            for case in turns(left):
                progress.update(task, description=case.name)
                record.add(case, *bench.time(case))
                progress.advance(task)


def _progress() -> Progress:
    return Progress(
        TextColumn('{task.description}'),
        BarColumn(),
        TextColumn('{task.completed}/{task.total}'),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    )
