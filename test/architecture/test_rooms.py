"""The table of rooms in docs/architecture.md holds."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / 'flash_wam_ros'


def _table():
    """Return room -> (rooms it may import, libraries it never loads)."""
    text = (ROOT / 'docs' / 'architecture.md').read_text(encoding='utf-8')
    section = text.split('## Rooms')[1].split('\n## ')[0]
    rows = [line.strip('|').split('|') for line in section.splitlines() if line.startswith('| ')]
    return {
        cells[0].strip(): (set(_words(cells[2])), _words(cells[3]))
        for cells in rows
        if cells[0].strip() != 'room'
    }


def _words(cell):
    return [word.strip() for word in cell.split(',') if word.strip()]


ROOMS = _table()
FOLDERS = sorted(path.parent.name for path in PACKAGE.glob('*/__init__.py'))


def _imported_rooms(path):
    """Yield (line, room) for each import of a room in ``path``, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f'{path}:{node.lineno} imports relatively'
            names = [f'{node.module}.{alias.name}' for alias in node.names]
        for name in names:
            found = re.match(r'flash_wam_ros\.(\w+)', name)
            if found and found[1] in FOLDERS:
                yield node.lineno, found[1]


def test_every_room_stands_in_the_table_and_every_row_is_a_room():
    assert sorted(ROOMS) == FOLDERS


@pytest.mark.parametrize('room', FOLDERS)
def test_a_room_imports_only_the_rooms_that_the_table_allows(room):
    allowed = ROOMS[room][0] | {room}
    offences = [
        f'{path.relative_to(ROOT)}:{line} imports {other}'
        for path in sorted((PACKAGE / room).rglob('*.py'))
        for line, other in _imported_rooms(path)
        if other not in allowed
    ]
    assert offences == []


def test_no_two_rooms_import_each_other():
    for room, (allowed, _) in ROOMS.items():
        for other in allowed:
            assert room not in ROOMS[other][0], f'{room} and {other} may import each other'


@pytest.mark.parametrize('room', [room for room, (_, never) in ROOMS.items() if never])
def test_importing_a_room_loads_none_of_the_libraries_kept_out_of_it(room):
    modules = [
        '.'.join(path.relative_to(ROOT).with_suffix('').parts)
        for path in sorted((PACKAGE / room).rglob('*.py'))
        if path.name != '__main__.py'
    ]
    never = ROOMS[room][1]
    program = (
        'import importlib, sys\n'
        f'for name in {modules!r}: importlib.import_module(name.removesuffix(".__init__"))\n'
        f'print([name for name in {never!r} if name in sys.modules])'
    )
    done = subprocess.run(
        [sys.executable, '-c', program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().splitlines()[-1] == '[]'


def test_only_one_folder_knows_the_sdk():
    knowing = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob('*.py')
        if re.search(r'^\s*(import|from) (unitree_sdk2py|cyclonedds)', path.read_text(), re.M)
    }
    assert all(name.startswith('robots/sdk/') for name in knowing), knowing


def test_the_version_is_the_same_everywhere():
    code = re.search(r"__version__ = '(.+)'", (PACKAGE / '__init__.py').read_text())[1]
    manifest = re.search(r'<version>(.+)</version>', (ROOT / 'package.xml').read_text())[1]
    changes = re.search(r'^(\d+\.\d+\.\d+) ', (ROOT / 'CHANGELOG.rst').read_text(), re.M)[1]
    assert code == manifest == changes


def test_the_top_level_holds_what_it_should_and_nothing_else():
    tracked = subprocess.run(
        ['git', 'ls-files'], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.split()
    if not tracked:
        pytest.skip('not a git checkout')
    folders = {name.split('/')[0] for name in tracked if '/' in name}
    assert folders <= {
        *('flash_wam_ros', 'launch', 'config', 'models', 'test', 'resource', 'scripts', 'docs'),
        *('requirements', '.ci'),
    }
