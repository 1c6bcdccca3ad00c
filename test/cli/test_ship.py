"""What ships says what it is and runs as it was told to."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from flash_wam_ros.cli.main import main
from flash_wam_ros.reproduce.plan import Plan
from flash_wam_ros.wam.pipeline import load_config
from flash_wam_ros.wam.shipping import check_manifest

MODEL = Path('models/g1-tiny/teacher')
RECORDS = Path('models/g1-tiny/records')


@pytest.fixture
def made(tmp_path):
    """Return a folder with two runs, a dataset and evaluations."""
    for name, recipe in (('teacher', None), ('flash_wam', {'name': 'flash_wam'})):
        run = tmp_path / name
        shutil.copytree(MODEL, run / 'model')
        values = yaml.safe_load((MODEL / 'run.yaml').read_text())
        (run / 'run.yaml').write_text(yaml.safe_dump({**values, 'recipe': recipe}))
    for name, learner in (('data', ''), ('turns', 'runs/noiseless/model')):
        (tmp_path / name).mkdir()
        config = {'first_seed': 100000, 'learner': learner}
        facts = {'episodes': 7, 'failures': {'100003': 'fell'}, 'config': config}
        (tmp_path / name / 'collection.json').write_text(json.dumps(facts))
    return tmp_path


def _failure():
    """Return a record that ships, and seed and reason of an episode that failed in it."""
    for path in sorted(RECORDS.glob('*.json')):
        record = json.loads(path.read_text())
        for episode in record.get('episode_list', ()):
            if not episode['success'] and record['model'].endswith('/model'):
                return record, episode['seed'], episode['reason']
    raise AssertionError('no failure among the records')


def _shipped(made, student, *extras, teacher='teacher'):
    out = made / 'out'
    words = ['--teacher', made / teacher, '--student', made / student, '--records', RECORDS]
    words += ['--datasets', made / 'data', made / 'turns', '--out', out, *extras]
    assert main(['ship', *map(str, words)]) == 0
    return out


def test_the_student_is_sampled_as_told_and_the_teacher_as_trained(made):
    out = _shipped(made, 'flash_wam', '--sampling', '1v1a+t0')
    check_manifest(out)
    student, teacher = load_config(out / 'student'), load_config(out / 'teacher')
    assert (student.video.steps, student.action.steps, student.temperature) == (1, 1, 0.0)
    assert teacher == load_config(MODEL)


def test_a_teacher_may_be_told_too_how_it_is_sampled(made):
    out = _shipped(made, 'flash_wam', '--teacher-sampling', '10v8a+t0')
    check_manifest(out)
    teacher = load_config(out / 'teacher')
    assert (teacher.video.steps, teacher.action.steps, teacher.temperature) == (10, 8, 0.0)
    assert load_config(out / 'student') == load_config(made / 'flash_wam' / 'model')
    card = (out / 'README.md').read_text()
    assert 'The teacher is sampled by `10v8a+t0`' in card
    assert 'The student is sampled' not in card


def test_the_card_tells_recipe_data_and_figures(made):
    card = (_shipped(made, 'flash_wam') / 'README.md').read_text()
    assert '`flash_wam` distilled' in card
    assert '| data | expert | 7 | 1 | 100000 |' in card
    assert '| turns | expert and model in turns | 7 | 1 | 100000 |' in card
    assert 'Wilson interval' in card


def test_a_student_that_nobody_distilled_is_called_so(made):
    card = (_shipped(made, 'teacher', '--sampling', '1v1a') / 'README.md').read_text()
    assert 'distilled' not in card
    assert 'as student the same weights in fewer steps' in ' '.join(card.split())


def test_the_card_names_the_plan_and_what_it_took(made):
    card = ' '.join((_shipped(made, 'flash_wam') / 'README.md').read_text().split())
    plan = Plan.load(Path('config/reproduce/g1-tiny.yaml'))
    assert f'took {plan.minutes / 60:.1f} hours: {plan.machine}' in card


def test_failures_are_shown_with_their_reason(made):
    record, seed, reason = _failure()
    strip = made / f'{record["task"]}_{seed}.png'
    strip.write_bytes(b'a picture')
    (made / 'teacher').rename(made / Path(record['model']).parent.name)
    student = Path(record['model']).parent.name
    out = _shipped(
        made, student, '--sampling', record['sampling'], '--failures', strip, teacher=student
    )
    assert f'{reason}.\n\n![' in (out / 'README.md').read_text()
    assert (out / 'failures' / strip.name).read_bytes() == b'a picture'


def test_a_strip_of_no_failure_is_refused(made, capsys):
    strip = made / 'red_bottle_5.png'
    strip.write_bytes(b'')
    words = ['ship', '--teacher', made / 'teacher', '--student', made / 'teacher']
    words += ['--records', RECORDS, '--datasets', made / 'data', '--failures', strip]
    assert main([*map(str, words), '--out', str(made / 'out')]) == 2
    assert 'no record has a failure' in capsys.readouterr().err
    assert not (made / 'out').exists()


def test_nothing_is_written_over(made, capsys):
    (made / 'out').mkdir()
    words = ['ship', '--teacher', 'a', '--student', 'b', '--records', 'c', '--datasets', 'd']
    assert main([*words, '--out', str(made / 'out')]) == 2
    assert 'exists already' in capsys.readouterr().err
