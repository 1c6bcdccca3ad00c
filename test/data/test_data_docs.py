"""Every command and every snippet of docs/data.md does what the page says."""

import json
import re
import shlex
from pathlib import Path

import pytest

from flash_wam_ros.cli.main import main
from flash_wam_ros.cli.registry import COMMANDS
from flash_wam_ros.data.lerobot import open_dataset

PAGE = Path(__file__).parents[2] / 'docs/data.md'


def blocks(language):
    page = PAGE.read_text().replace('\\\n', ' ')  # a command may take several lines
    return re.findall(rf'^```{language}\n(.*?)^```', page, re.MULTILINE | re.DOTALL)


@pytest.mark.slow
def test_the_page_works_from_top_to_bottom(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (snippet,) = blocks('python')
    for _ in range(2):
        exec(compile(snippet, str(PAGE), 'exec'), {})
        assert len(open_dataset(Path('datasets/red_bottle'))) == 6
    commands = [line for block in blocks('bash') for line in block.splitlines()]
    # Demonstrations take half an hour; test/collect and test/reproduce collect some.
    commands = [line for line in commands if not line.startswith('flash-wam collect')]
    assert len(commands) == 8
    for command in commands:
        program, *arguments = shlex.split(command)
        assert program == 'flash-wam'
        assert main(arguments) == 0, command
    assert json.loads(Path('report.json').read_text())['problems'] == []
    statistics = json.loads(Path('statistics.json').read_text())
    assert statistics['actions']['used'] == list(range(14, 30))
    assert statistics['actions']['q99'][14] == statistics['q99'][0]
    encoded = json.loads(Path('encode.json').read_text())
    assert (encoded['encoded'], encoded['kept']) == (6, 0)
    texts = Path('datasets/red_bottle/latents/texts.safetensors')
    made = texts.stat().st_mtime_ns
    assert main(commands_of(commands, 'encode')[1]) == 0
    assert texts.stat().st_mtime_ns == made
    assert '0 files encoded, 6 kept' in capsys.readouterr().out


def commands_of(commands, name):
    return [shlex.split(line)[1:] for line in commands if f'data {name}' in line]


@pytest.mark.parametrize('name', [name for name in COMMANDS if name.startswith('data ')])
def test_each_command_shows_an_example_that_parses(name, capsys):
    with pytest.raises(SystemExit) as exit_:
        main([*name.split(), '--help'])
    assert exit_.value.code == 0
    assert f'example: flash-wam {name}' in ' '.join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['stats', '.', '--robot', 'g2'], "unknown robot 'g2'; valid: demo"),
        (['stats', 'nowhere'], 'nowhere is not a folder'),
        (['codec', '.', '--out', 'c', '--frames', '1'], 'at least 2 frames'),
        (['codec', '.', '--out', '.'], 'exists already'),
        (['encode', '.', '--codec', '.'], 'no LeRobot dataset'),
        (['encode'], 'the following arguments are required'),
    ],
)
def test_bad_arguments_are_one_line_and_exit_code_2(
    tmp_path, monkeypatch, capsys, arguments, message
):
    monkeypatch.chdir(tmp_path)
    try:
        code = main(['data', *arguments])
    except SystemExit as exit_:
        code = exit_.code
    assert code == 2
    error = capsys.readouterr().err.strip()
    assert message in error
    assert len(error.splitlines()) == 1
