"""``flash-wam doctor``: checks this machine, and names the fix for each fault."""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from flash_wam_ros.cli.checkup import DOMAIN_DEFAULT, Finding, examine

HELP = 'Check this machine for simulation, or for a real robot with --robot g1.'
EXAMPLE = 'flash-wam doctor --robot g1 --network-interface eth0'

_MARKS = {'ok': 'ok  ', 'note': 'note', 'fault': 'FAULT'}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument('--robot', choices=('sim', 'g1'), default='sim', help='what to check for')
    parser.add_argument(
        '--network-interface', default='', help='interface that leads to the robot'
    )
    parser.add_argument('--domain', type=int, default=DOMAIN_DEFAULT, help='SDK domain')
    parser.add_argument('--json', help='file for the findings')


def _line(finding: Finding) -> str:
    fix = f'; {finding.fix}' if finding.fix else ''
    return f'{_MARKS[finding.verdict]:<5} {finding.what:<16} {finding.found}{fix}'


def run(args: argparse.Namespace) -> int:
    """Run all checks; exit code 1 if there is a fault."""
    findings = []
    for finding in examine(args.robot, args.network_interface, args.domain):
        findings.append(finding)
        print(_line(finding), flush=True)
    faults = sum(finding.verdict == 'fault' for finding in findings)
    print(f'{faults} faults' if faults else 'no fault found')
    if args.json:
        content = {'faults': faults, 'findings': [asdict(finding) for finding in findings]}
        Path(args.json).write_text(json.dumps(content, indent=1) + '\n', encoding='utf-8')
    sys.stdout.flush()
    return 1 if faults else 0
