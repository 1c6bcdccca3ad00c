"""What demo, sim, policy and the stack benchmark share: options, log folder, one line an event."""

import argparse
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flash_wam_ros.bringup.processes import BringupConfig, Process, notices, processes
from flash_wam_ros.bringup.supervisor import Supervisor
from flash_wam_ros.core import UserError, did_you_mean
from flash_wam_ros.policy.registry import POLICIES
from flash_wam_ros.sim.tasks import make_task


def say(line: str) -> None:
    """Print one event."""
    print(f'{time.strftime("%H:%M:%S")} {line}', flush=True)


def add_world_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose world and policy."""
    default = BringupConfig()
    parser.add_argument('--task', default=default.task, help='task of the simulated world')
    parser.add_argument(
        '--policy', default=default.policy, help='who decides: wam, expert or remote'
    )
    parser.add_argument('--model', default=default.model, help='model folder of the policy')
    parser.add_argument(
        '--server', default=default.server, help='server of the remote policy, ws://HOST:PORT'
    )
    parser.add_argument(
        '--frames', default=default.frames, help='how pictures travel there: jpeg or raw'
    )
    parser.add_argument(
        '--instruction', default='', help="what the robot is told (default: the task's own words)"
    )
    parser.add_argument('--seed', type=int, default=default.seed, help='seed of the world')
    parser.add_argument('--domain', type=int, default=default.domain, help='SDK domain')


def world_options(args: argparse.Namespace) -> dict[str, Any]:
    """Return the fields of BringupConfig that ``add_world_arguments`` offers.

    Raises:
        UserError: there is no such task or policy.
    """
    make_task(args.task)
    if args.policy not in POLICIES:
        raise UserError(f'unknown policy {args.policy!r}; {did_you_mean(args.policy, POLICIES)}')
    names = ('task', 'policy', 'model', 'server', 'frames', 'instruction', 'seed', 'domain')
    return {name: getattr(args, name) for name in names}


def log_folder(wanted: str | None = None) -> Path:
    """Return the folder for logs: ``wanted``, else a new one below the temporary folder."""
    if wanted:
        return Path(wanted)
    name = time.strftime('flash_wam_%Y%m%d_%H%M%S_')
    return Path(tempfile.mkdtemp(prefix=name))


def run_stack(
    config: BringupConfig,
    folder: Path,
    loud: Sequence[str] = (),
    only: Sequence[str] | None = None,
) -> int:
    """Start the processes of ``config`` and wait for their end.

    Args:
        config: what to start.
        folder: where logs go.
        loud: processes that print to the terminal.
        only: names of the processes to start, None for all.

    Returns:
        The exit code of the run; 0 when it was asked to end.
    """
    chosen: list[Process] = [p for p in processes(config) if only is None or p.name in only]
    for line in notices(config) if only is None else ():
        say(line)
    say(f'logs in {folder}')
    with Supervisor(chosen, folder, say, loud, os.environ) as supervisor:
        return supervisor.wait()
