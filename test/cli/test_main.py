import importlib

import pytest

from flash_wam_ros.cli.main import main
from flash_wam_ros.cli.registry import COMMANDS


def test_help_names_every_command(capsys):
    assert main(['--help']) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in COMMANDS)


def test_an_unknown_command_is_one_line_and_exit_code_2(capsys):
    assert main(['evalute']) == 2
    captured = capsys.readouterr()
    assert captured.out == ''
    assert captured.err.count('\n') == 1
    assert "did you mean 'evaluate'" in captured.err


def test_half_a_command_names_its_other_halves(capsys):
    assert main(['bench']) == 2
    halves = sorted(name.split()[1] for name in COMMANDS if name.startswith('bench '))
    assert f'valid: {", ".join(halves)}' in capsys.readouterr().err


@pytest.mark.parametrize('name', COMMANDS)
def test_every_command_explains_itself_with_an_example(name, capsys):
    module = importlib.import_module(COMMANDS[name].module)
    with pytest.raises(SystemExit) as stop:
        main([*name.split(), '--help'])
    assert stop.value.code == 0
    shown = capsys.readouterr().out
    assert module.EXAMPLE.startswith(('flash-wam ', 'torchrun '))
    assert module.EXAMPLE in shown


@pytest.mark.parametrize('name', COMMANDS)
def test_every_command_answers_a_wrong_option_with_one_line_and_exit_code_2(name, capsys):
    with pytest.raises(SystemExit) as stop:
        main([*name.split(), '--no-such-option'])
    assert stop.value.code == 2
    assert capsys.readouterr().err.count('\n') == 1
