"""``flash-wam bench stack``: everything runs, an outsider measures."""

import argparse
import json
import os
import platform
from pathlib import Path
from typing import Any

from flash_wam_ros.bringup.processes import BringupConfig
from flash_wam_ros.cli.stack import add_world_arguments, log_folder, run_stack, world_options

HELP = 'Time the running stack: rates, lost frames, camera stamp to command bytes.'
EXAMPLE = 'flash-wam bench stack --seconds 30 --json out/stack.json'

_TARGETS = (
    ('lowstate_hz', 495.0, float('inf'), 'Hz'),
    ('command_hz', 249.5, 250.5, 'Hz'),
    ('command_period.p99_ms', 0.0, 7.0, 'ms'),
    ('lost_frames', 0.0, 0.0, 'frames'),
    ('real_time_factor.mean', 0.98, float('inf'), ''),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    add_world_arguments(parser)
    parser.add_argument('--seconds', type=float, default=30.0, help='time to measure [s]')
    parser.add_argument('--json', help='file for the figures')
    parser.add_argument('--out', help='folder for logs')


def _figure(figures: dict[str, Any], path: str) -> float:
    found: Any = figures
    for name in path.split('.'):
        found = found[name]
    return float(found)


def _machine() -> dict[str, Any]:
    load = os.getloadavg()
    return {
        'cores': os.cpu_count(),
        'processor': platform.processor() or platform.machine(),
        'python': platform.python_version(),
        'load_average_1min': load[0],
    }


def table(figures: dict[str, Any]) -> list[str]:
    """Return one line a figure, with its target."""
    lines = []
    for path, low, high, unit in _TARGETS:
        value = _figure(figures, path)
        verdict = 'met' if low <= value <= high else 'MISSED'
        wanted = f'>= {low:g}' if high == float('inf') else f'in [{low:g}, {high:g}]'
        lines.append(f'{path:<24} {value:9.2f} {unit:<7} target {wanted}: {verdict}')
    latency = figures['observation_to_command']
    if latency['count']:
        lines.append(
            f'observation to command   {latency["p50_ms"]:.0f} / {latency["p99_ms"]:.0f} ms '
            f'(p50 / p99 of {latency["count"]} chunks)'
        )
    return lines


def run(args: argparse.Namespace) -> int:
    """Run the benchmark; exit code 0 if it could measure, whatever it found."""
    folder = log_folder(args.out)
    measures = folder / 'measures.json'
    measures.unlink(missing_ok=True)
    config = BringupConfig(
        robot='sim',
        operator=True,
        judge=False,
        probe_s=args.seconds,
        measures=str(measures),
        **world_options(args),
    )
    code = run_stack(config, folder, loud=('operator',))
    if not measures.exists():
        return code or 1
    figures = json.loads(measures.read_text())
    figures['lost_frames'] = sum(eye['lost_frames'] for eye in figures['cameras'].values())
    figures.update(machine=_machine(), policy=args.policy, task=args.task, seconds=args.seconds)
    print('\n'.join(table(figures)))
    if args.json:
        Path(args.json).parent.mkdir(parents=True, exist_ok=True)
        Path(args.json).write_text(json.dumps(figures, indent=1) + '\n')
    return code
