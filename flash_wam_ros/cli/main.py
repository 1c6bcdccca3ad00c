"""Entry of ``flash-wam``: finds the subcommand, turns bad input into one line and exit code 2.

A command module has HELP (one line), EXAMPLE (one command line), ``add_arguments(parser)`` and
``run(args) -> int``. It is imported only when it is called, so that ``flash-wam --help`` needs
neither torch nor mujoco nor rclpy.
"""

import argparse
import importlib
import sys
from collections.abc import Sequence
from types import ModuleType

from flash_wam_ros import __version__
from flash_wam_ros.cli.registry import COMMANDS
from flash_wam_ros.core import UserError, did_you_mean


class _Parser(argparse.ArgumentParser):
    """An argument parser whose complaint is one line that ends with the remedy."""

    def error(self, message: str) -> None:  # type: ignore[override]
        self.exit(2, f'{self.prog}: {message}; see {self.prog} --help\n')


def _overview() -> str:
    width = max(len(name) for name in COMMANDS)
    lines = [f'  {name:<{width}}  {entry.help}' for name, entry in COMMANDS.items()]
    return (
        'usage: flash-wam COMMAND [options]\n\n'
        'Real-time world-action models on a Unitree G1, simulated or real.\n\n'
        + '\n'.join(lines)
        + '\n\nflash-wam COMMAND --help shows each command with an example.'
    )


def _find(words: Sequence[str]) -> tuple[str, list[str]]:
    """Return the longest command name that ``words`` begin with, and the words after it."""
    for size in (2, 1):
        name = ' '.join(words[:size])
        if len(words) >= size and name in COMMANDS:
            return name, list(words[size:])
    group = [name for name in COMMANDS if name.startswith(f'{words[0]} ')]
    if group:
        given = words[1] if len(words) > 1 else ''
        choices = [name.split(' ', 1)[1] for name in group]
        raise UserError(
            f'{words[0]} needs one of its commands, not {given!r}; {did_you_mean(given, choices)}'
        )
    raise UserError(f'unknown command {words[0]!r}; {did_you_mean(words[0], COMMANDS)}')


def _parser(name: str, module: ModuleType) -> argparse.ArgumentParser:
    parser = _Parser(
        prog=f'flash-wam {name}',
        description=module.HELP,
        epilog=f'example: {module.EXAMPLE}',
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    module.add_arguments(parser)
    return parser


def parse(words: Sequence[str]) -> tuple[ModuleType, argparse.Namespace]:
    """Return the module and the options of a command line, without running it.

    Raises:
        UserError: there is no such command.
        SystemExit: code 2 for options that it does not take, 0 for ``--help``.
    """
    name, rest = _find(words)
    module = importlib.import_module(COMMANDS[name].module)
    return module, _parser(name, module).parse_args(rest)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand; return its exit code (2 for bad input, 130 for Ctrl-C)."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in ('-h', '--help'):
        print(_overview())
        return 0
    if words[0] == '--version':
        print(f'flash-wam {__version__}')
        return 0
    try:
        module, options = parse(words)
        return int(module.run(options))
    except UserError as error:
        print(f'flash-wam: {error}', file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == '__main__':
    sys.exit(main())
