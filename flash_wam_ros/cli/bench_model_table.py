"""The tables of ``flash-wam bench model``."""

from typing import Any

from rich.console import Console
from rich.table import Table

from flash_wam_ros.cli.bench_model_run import (
    FILLS,
    TEACHER_FILL,
    Record,
    few_step_cases,
    teacher_cases,
)
from flash_wam_ros.wam.benchmark import Bench, Case, summary_s

_FILE_WIDTH = 140


def print_tables(bench: Bench, record: Record) -> None:
    """Print times and ratios, and keep them in the record's file."""
    cases = [case for fill in FILLS for case in few_step_cases(fill, 1)] + teacher_cases()
    timed = [case for case in cases if case.name in record.seconds]
    rows = [_row(bench, record, case) for case in timed]
    ratios = [_plan_ratio(rows, fill) for fill in FILLS]
    record.findings = {'cases': rows, 'fused_to_reference_1v1a': ratios}
    teacher = _teacher_ratio(rows)
    if teacher:
        record.findings['student_to_teacher'] = teacher
    record.save()
    console = Console()
    if not console.is_terminal:
        console = Console(width=_FILE_WIDTH)
    console.print(_times(rows))
    console.print(_plans(ratios))
    if teacher:
        console.print(
            f'1v/1a fused without guidance against 25v/50a reference, cache a quarter full: '
            f'{teacher["as_published"]:.1f}x with guidance 5 as published, '
            f'{teacher["equal_guidance"]:.1f}x at equal guidance'
        )
    assert record.machine is not None
    console.print(
        f'machine: {record.machine.macs_per_s / 1e9:.1f} G multiply-adds/s, '
        f'{record.machine.bytes_per_s / 1e9:.1f} GB/s; {record.settings}'
    )


def _row(bench: Bench, record: Record, case: Case) -> dict[str, Any]:
    low, middle, high = summary_s(record.seconds[case.name])
    cost = bench.cost(case)
    assert record.machine is not None
    return {
        'case': case.name,
        'runs': len(record.seconds[case.name]),
        'min_s': low,
        'median_s': middle,
        'p99_s': high,
        'passes': record.passes[case.name],
        'tokens': cost.tokens,
        'cache_bytes': bench.cache_bytes(case),
        'gmacs': cost.macs / 1e9,
        'floor_s': record.machine.floor_s(cost),
    }


def _find(rows: list[dict[str, Any]], case: Case) -> dict[str, Any] | None:
    return next((row for row in rows if row['case'] == case.name), None)


def _plan_ratio(rows: list[dict[str, Any]], fill: float) -> dict[str, float]:
    """Return the gain of the fused plan at 1v/1a: counted in multiply-adds, and measured.

    Measured by the fastest runs, which other work on the machine disturbed least.
    """
    reference, fused = (
        next(row for row in rows if row['case'] == case.name)
        for case in few_step_cases(fill, 1)[:2]
    )
    counted = reference['gmacs'] / fused['gmacs']
    measured = reference['min_s'] / fused['min_s']
    return {'fill': fill, 'counted': counted, 'measured': measured, 'part': measured / counted}


def _teacher_ratio(rows: list[dict[str, Any]]) -> dict[str, float] | None:
    published, equal, _ = (_find(rows, case) for case in teacher_cases())
    student = _find(rows, few_step_cases(TEACHER_FILL, 1)[1])
    if published is None or equal is None or student is None:
        return None
    return {
        'as_published': published['min_s'] / student['min_s'],
        'equal_guidance': equal['min_s'] / student['min_s'],
    }


def _times(rows: list[dict[str, Any]]) -> Table:
    table = Table(title='one chunk: commit, imagine, act')
    columns = ('case', 'runs', 'min [s]', 'median [s]', 'p99 [s]', 'passes', 'tokens',
               'cache [MB]', 'G mult-adds', 'floor [s]')  # fmt: skip
    for index, column in enumerate(columns):
        table.add_column(column, justify='right' if index else 'left', no_wrap=True)
    for row in rows:
        table.add_row(
            row['case'],
            str(row['runs']),
            *(f'{row[name]:.3f}' for name in ('min_s', 'median_s', 'p99_s')),
            str(row['passes']),
            str(row['tokens']),
            f'{row["cache_bytes"] / 1e6:.0f}',
            f'{row["gmacs"]:.1f}',
            f'{row["floor_s"]:.3f}',
        )
    return table


def _plans(ratios: list[dict[str, float]]) -> Table:
    table = Table(title='fused against reference at 1v/1a, fastest runs')
    for column in ('cache full', 'counted', 'measured', 'measured / counted'):
        table.add_column(column, justify='right')
    for ratio in ratios:
        table.add_row(
            f'{ratio["fill"]:.0%}',
            f'{ratio["counted"]:.2f}x',
            f'{ratio["measured"]:.2f}x',
            f'{ratio["part"]:.0%}',
        )
    return table
