"""Laws of the page that `flash-wam results` writes."""

from dataclasses import asdict
from pathlib import Path

import pytest

from flash_wam_ros.cli.main import main
from flash_wam_ros.evaluate.results import Episode, Results, Setting

TASK = 'red_bottle'


def record(folder: Path, name: str, outcomes: str, **setting: str) -> None:
    """Write a record with an episode a letter: s for a success."""
    words = {'policy': 'wam', 'model': 'runs/student/model', **setting}
    results = Results(Setting(task=TASK, seed=1000, **words), folder / f'{name}.json')
    for number, letter in enumerate(outcomes):
        results.add(
            Episode(
                seed=1000 + number,
                success=letter == 's',
                reason='held' if letter == 's' else 'it fell',
                duration_s=5.0,
                chunks=3,
                inference_s=[0.5, 0.02, 0.02],
            )
        )


@pytest.fixture
def page(tmp_path: Path) -> str:
    """Return the page of some records."""
    folder = tmp_path / 'records'
    record(folder, 'teacher', 'ssss', model='runs/teacher/model')
    record(folder, 'student', 'sssf')
    record(folder, 'covered', 'ffff', look='covered')
    record(folder, 'words', 'sfff', words='pick the blue elephant')
    record(folder, 'ros', 'ssff', through='ros')
    record(folder, 'wide', 'ssss', limits='widest')
    out = tmp_path / 'page.md'
    assert main(['results', str(folder), '--teacher', 'teacher', '--page', str(out)]) == 0
    return out.read_text()


def section(page: str, title: str) -> str:
    """Return the part of the page under ``title``."""
    return page.split(f'## {title}')[1].split('\n## ')[0]


def test_only_ordinary_conditions_count_as_how_often_it_succeeds(page: str) -> None:
    found = section(page, 'How often it succeeds')
    assert '| teacher | its own | 100.0 % [51.0 %, 100.0 %] of 4 | 20 / 20 ms |' in found
    assert '| student | its own | 75.0 % [30.1 %, 95.4 %] of 4 | 20 / 20 ms |' in found
    assert found.count('| student ') == 1


def test_a_student_stands_beside_its_teacher_layout_by_layout(page: str) -> None:
    found = section(page, 'Beside the teacher')
    assert '| student | its own | red_bottle | -25.0 [' in found
    assert '| teacher ' not in found


def test_a_teacher_may_be_compared_at_steps_that_are_not_its_own(tmp_path: Path) -> None:
    folder, out = tmp_path / 'records', tmp_path / 'page.md'
    record(folder, 'its_own', 'ffff', model='runs/teacher/model')
    record(folder, 'many', 'ssss', model='runs/teacher/model', sampling='10v10a+t0')
    record(folder, 'student', 'sssf')
    words = ['results', str(folder), '--page', str(out), '--teacher-sampling', '10v10a+t0']
    assert main(words) == 0
    page = out.read_text()
    found = section(page, 'Beside the teacher')
    assert 'less that of `teacher` at `10v10a+t0`, layout by layout' in found
    assert '| student | its own | red_bottle | -25.0 [' in found
    assert '| teacher | its own | red_bottle | -100.0 [' in found
    assert '--teacher-sampling 10v10a+t0' in page


def test_conditions_are_rows_with_their_most_frequent_failure(page: str) -> None:
    found = section(page, 'When the world is not as it should be')
    assert '| student | red_bottle | covered | trained | 0.0 % [0.0 %, 49.0 %] of 4 |' in found
    assert '| as it is | pick the blue elephant | 25.0 %' in found
    assert 'it fell' in found


def test_real_time_and_wide_limits_are_compared_with_lock_step(page: str) -> None:
    assert '| student | red_bottle | 50.0 %' in section(page, 'Through ROS, in real time')
    assert '| -25.0 [' in section(page, 'Through ROS, in real time')
    wide = section(page, 'What the controller costs')
    assert '| student | red_bottle | `widest` | 100.0 %' in wide
    assert '| +25.0 [' in wide


def test_a_record_from_before_there_were_limits_is_read(tmp_path: Path) -> None:
    assert 'limits' in asdict(Setting(task=TASK, policy='expert', seed=0))
    record(tmp_path, 'old', 'ss')
    path = tmp_path / 'old.json'
    path.write_text(path.read_text().replace(' "limits": "",\n', ''))
    assert '"limits"' not in path.read_text()
    assert main(['results', str(path), '--page', str(tmp_path / 'page.md')]) == 0


def test_wide_limits_need_lock_step(capsys: pytest.CaptureFixture[str]) -> None:
    words = ['evaluate', '--task', TASK, '--through', 'ros', '--limits', 'widest']
    assert main(words) == 2
    assert '--through lockstep' in capsys.readouterr().err
