"""Each way in which a dataset can be bad is named in one line, and `data inspect` exits with 2."""

import json
from fractions import Fraction

import av
import numpy as np
import pyarrow.parquet as pq
import pytest
from sample_data import (
    FPS,
    HEAD,
    make_dataset,
    numbers,
    pictures,
    write_lines,
    write_v21,
    write_v21_frames,
    write_v21_video,
)

from flash_wam_ros.cli.main import main
from flash_wam_ros.core import UserError
from flash_wam_ros.data.check import check_dataset
from flash_wam_ros.data.lerobot import open_dataset


def change_info(root, **changes):
    path = root / 'meta/info.json'
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def missing_video(root):
    (root / f'videos/chunk-000/{HEAD}/episode_000001.mp4').unlink()


def truncated_video(root):
    path = root / f'videos/chunk-000/{HEAD}/episode_000001.mp4'
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def short_video(root):
    write_v21_video(root, 1, pictures(1, 12))


def video_of_another_rate(root):
    write_v21_video(root, 1, pictures(1, 13), fps=30)


def video_of_another_size(root):
    write_v21_video(root, 1, pictures(1, 13, (16, 24)))


def not_a_number(root):
    actions = numbers(1, 13)['action']
    actions[7, 2] = np.nan
    write_v21_frames(root, 1, 13, 9, actions=actions)


def unequal_vectors(root):
    actions = [row[: 3 if i == 5 else 4] for i, row in enumerate(numbers(1, 13)['action'])]
    write_v21_frames(root, 1, 13, 9, actions=actions)


def fewer_rows(root):
    write_v21_frames(root, 1, 12, 9)


def rows_of_another_rate(root):
    write_v21_frames(root, 1, 13, 9, fps=30)


def rows_of_another_episode(root):
    write_v21_frames(root, 0, 13, 9)
    (root / 'data/chunk-000/episode_000000.parquet').replace(
        root / 'data/chunk-000/episode_000001.parquet'
    )
    write_v21_frames(root, 0, 9, 0)


def missing_feature(root):
    path = root / 'data/chunk-000/episode_000001.parquet'
    pq.write_table(pq.read_table(path).drop_columns('action'), path)


def truncated_parquet(root):
    path = root / 'data/chunk-000/episode_000001.parquet'
    path.write_bytes(path.read_bytes()[:-40])


BAD_EPISODES = {
    missing_video: r'episode_000001\.mp4 is missing',
    truncated_video: r'episode_000001\.mp4 cannot be decoded.*truncated',
    short_video: r'has no frame at 1\.2000 s',
    video_of_another_rate: r'has no frame at 1\.2000 s.*another frame rate',
    video_of_another_size: r'shows \(16, 24, 3\), info.json declares \(32, 48, 3\)',
    not_a_number: r'action\[2\] is nan at frame 7',
    unequal_vectors: r'action holds 51 numbers; \(13, 4\) expected.*unequal lengths',
    fewer_rows: r'has 12 rows; 13 are expected',
    rows_of_another_rate: r'frame 1 is at 0\.0333 s, 0\.1000 s expected at 10 fps.*like 30 fps',
    rows_of_another_episode: r'its rows carry episode_index \[0\]',
    missing_feature: r'lacks the feature action',
    truncated_parquet: r'episode_000001\.parquet cannot be read',
}


@pytest.mark.parametrize('spoil', BAD_EPISODES, ids=lambda spoil: spoil.__name__)
def test_a_bad_episode_is_named_and_the_others_stay_readable(tmp_path, spoil):
    root = write_v21(tmp_path / 'old')
    assert check_dataset(open_dataset(root), every_frame=True).problems == ()
    spoil(root)
    reader = open_dataset(root)
    report = check_dataset(reader)
    assert len(report.problems) >= 1
    with pytest.raises(UserError, match=BAD_EPISODES[spoil]):
        raise UserError(report.problems[0])
    assert all('\n' not in problem for problem in report.problems)
    truth = numbers(0, 9)['action']
    np.testing.assert_array_equal(reader.arrays(0).vectors['action'], truth)
    assert len(reader.images(0, HEAD)) == 9


def foreign_folder(root):
    (root / 'meta/info.json').unlink()


def foreign_info(root):
    (root / 'meta/info.json').write_text('{"name": "my npm package"}')


def info_without_features(root):
    info = json.loads((root / 'meta/info.json').read_text())
    del info['features']
    (root / 'meta/info.json').write_text(json.dumps(info))


def info_cut_short(root):
    path = root / 'meta/info.json'
    path.write_text(path.read_text()[:200])


def version_1(root):
    change_info(root, codebase_version='v1.6')


def version_2_0(root):
    change_info(root, codebase_version='v2.0')


def zero_length(root):
    rows = [
        {'episode_index': 0, 'tasks': ['task 0'], 'length': 9},
        {'episode_index': 1, 'tasks': ['task 1'], 'length': 0},
    ]
    write_lines(root / 'meta/episodes.jsonl', rows)
    change_info(root, total_frames=9)


def missing_episode(root):
    write_lines(
        root / 'meta/episodes.jsonl', [{'episode_index': 1, 'tasks': ['task 1'], 'length': 13}]
    )


def frames_do_not_add_up(root):
    change_info(root, total_frames=23)


def impossible_rate(root):
    change_info(root, fps=0)


def broken_line(root):
    path = root / 'meta/tasks.jsonl'
    path.write_text(path.read_text() + '{"task_index": 2, "ta')


def segment_outside(root):
    rows = [
        {'episode_index': i, 'tasks': [f'task {i}'], 'length': n} for i, n in ((0, 9), (1, 13))
    ]
    rows[1]['action_config'] = [{'start_frame': 5, 'end_frame': 14, 'action_text': 'reach'}]
    write_lines(root / 'meta/episodes.jsonl', rows)


BAD_META = {
    foreign_folder: r'holds no meta/info\.json, so it is no LeRobot dataset',
    foreign_info: r'names no codebase_version',
    info_without_features: r"lacks or misstates 'features'",
    info_cut_short: r'cannot be read as JSON',
    version_1: r'version v1\.6; read are v2\.1 and v3\.0; convert it',
    version_2_0: r'version v2\.0; read are v2\.1 and v3\.0; convert it',
    zero_length: r'episode 1 .* has length 0; leave it out',
    missing_episode: r'without number 0',
    frames_do_not_add_up: r'have 22 frames, info\.json declares 23',
    impossible_rate: r'fps 0',
    broken_line: r'tasks\.jsonl line 3 is not a JSON object',
    segment_outside: r'segment \[5, 14\) outside its 13 frames',
}


@pytest.mark.parametrize('spoil', BAD_META, ids=lambda spoil: spoil.__name__)
def test_bad_meta_is_named_on_opening(tmp_path, spoil):
    root = write_v21(tmp_path / 'old')
    spoil(root)
    with pytest.raises(UserError, match=BAD_META[spoil]):
        open_dataset(root)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--camera', 'observation.images.haed'], "did you mean 'observation.images.head'"),
        (['--feature', 'actoin'], "did you mean 'action'"),
        (['--fps', '30'], 'has 10 fps; 30 are asked for'),
    ],
)
def test_what_is_asked_for_and_missing_is_named(tmp_path, capsys, arguments, message):
    root = make_dataset(tmp_path / 'set', episodes=2)
    assert main(['data', 'inspect', str(root), *arguments]) == 2
    error = [line for line in capsys.readouterr().err.splitlines() if 'flash-wam: ' in line]
    assert len(error) == 1
    assert message in error[0]


@pytest.mark.parametrize(
    'spoil', [truncated_video, not_a_number, version_2_0, zero_length, foreign_folder]
)
def test_the_command_says_one_line_and_exits_with_2(tmp_path, capsys, spoil):
    root = write_v21(tmp_path / 'old')
    spoil(root)
    assert main(['data', 'inspect', str(root)]) == 2
    error = capsys.readouterr().err
    assert 'Traceback' not in error
    assert error.splitlines()[-1].startswith('flash-wam: ')


def test_the_report_counts_every_fault(tmp_path, capsys):
    root = write_v21(tmp_path / 'old')
    not_a_number(root)
    truncated_video(root)
    path = tmp_path / 'report.json'
    assert main(['data', 'inspect', str(root), '--fps', '20', '--json', str(path)]) == 2
    report = json.loads(path.read_text())
    assert len(report['problems']) == 3
    assert report['fps'] == FPS
    assert report['tasks'] == {'task 0': 1, 'task 1': 1}
    assert 'and 2 more faults' in capsys.readouterr().err


def test_a_damaged_frame_in_the_middle_is_found_by_looking_at_every_frame(tmp_path):
    root = write_v21(tmp_path / 'old', lengths=(60,))
    path = root / f'videos/chunk-000/{HEAD}/episode_000000.mp4'
    # Frames 20 to 29 are missing: both ends are there, the middle is not.
    images = pictures(0, 60)
    write_v21_video(root, 0, images)
    assert check_dataset(open_dataset(root), every_frame=True).problems == ()
    cut_out_frames(path, range(20, 30))
    assert check_dataset(open_dataset(root)).problems == ()
    problems = check_dataset(open_dataset(root), every_frame=True).problems
    assert len(problems) == 1
    assert 'has no frame at 2.0000 s' in problems[0]


def cut_out_frames(path, frames):
    """Write the video again without some frames, the others at their own times."""
    with av.open(str(path)) as source:
        kept = [f.to_ndarray(format='rgb24') for f in source.decode(video=0)]
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('libx264', rate=FPS, options={'bf': '0'})
        stream.height, stream.width = kept[0].shape[:2]
        stream.pix_fmt = 'yuv420p'
        for number, image in enumerate(kept):
            if number in frames:
                continue
            frame = av.VideoFrame.from_ndarray(image, format='rgb24')
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
