"""``flash-wam drill blocked``: a hand that is driven into the table."""

import argparse
from typing import Any

from flash_wam_ros.cli.drilling import add_output, finish

HELP = 'drive a hand into the simulated table, let the table give way; with and without the clamp'
EXAMPLE = 'flash-wam drill blocked'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_output(parser)


def run(args: argparse.Namespace) -> int:
    """Press on the table; return 0."""
    from flash_wam_ros.drill.blocked import presses

    figures = {'presses': presses()}
    return finish(args, 'blocked', figures, page(figures), 0)


def page(figures: dict[str, Any]) -> list[str]:
    """Return the section of the page of drills."""
    from flash_wam_ros.drill.blocked import JOINT, PUSH_RAD

    rows = [
        f'| {"none" if row["clamp"] is None else format(row["clamp"], ".2g")} '
        f'| {row["peak_n"]:.0f} N | {row["holding_n"]:.0f} N | {row["lead_rad"]:.3f} rad '
        f'| {row["state"]} | {row["speed_m_s"]:.2f} m/s | {1e3 * row["travel_m"]:.0f} mm '
        f'| {row["overshoot_rad"]:.3f} rad |'
        for row in figures['presses']
    ]
    return [
        '## A blocked arm',
        '',
        f'`{EXAMPLE}`, in lock step, so that it gives the same figures on every machine.',
        '',
        f'The simulated G1 is told to move `{JOINT}` by {PUSH_RAD} rad within a second, which',
        'drives the hand into the table; two seconds later the table gives way. The clamp keeps',
        'the stiffness torque below a share of the effort limit (`lead_torque_fraction`).',
        '',
        '| clamp | peak force | force when the table gives way | lead then | state then '
        '| fastest hand afterwards | travel in 0.2 s | past the command |',
        '|---|---|---|---|---|---|---|---|',
        *rows,
    ]
