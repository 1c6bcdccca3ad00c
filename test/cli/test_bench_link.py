import json

from flash_wam_ros.cli.main import main


def test_bench_link_prints_and_writes_what_it_measured(sdk_domain, tmp_path, capsys):
    out = tmp_path / 'link.json'
    options = ['--domain', str(sdk_domain), '--duration', '1', '--json', str(out)]
    assert main(['bench', 'link', *options]) == 0
    figures = json.loads(out.read_text())
    shown = capsys.readouterr().out
    assert figures['crc_errors'] == 0
    assert set(figures) == {name for name in figures if name in shown}


def test_bench_link_refuses_an_interface_or_a_duration_that_is_none(capsys):
    assert main(['bench', 'link', '--interface', 'nope0']) == 2
    assert main(['bench', 'link', '--duration', 'nan']) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert "'nope0' does not exist" in lines[0]
    assert 'outside [1, 3600]' in lines[1]
