"""What is written is read back: by this reader, and by stock LeRobot where it is at hand."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sample_data import (
    FEATURES,
    FIELDS,
    FPS,
    HEAD,
    WRIST,
    contents,
    make_dataset,
    numbers,
    open_writer,
    pictures,
    record,
    store_as_pictures,
    write_v21,
)

from flash_wam_ros.core import UserError
from flash_wam_ros.data.check import check_dataset
from flash_wam_ros.data.lerobot import EpisodeRecorder, VideoSettings, camera, open_dataset, vector
from flash_wam_ros.data.lerobot.info import INDEX_FEATURES
from flash_wam_ros.data.lerobot.stats import QUANTILES


def psnr(image, truth):
    error = np.mean((image.astype(float) - truth) ** 2)
    return 10 * np.log10(255**2 / error)


@pytest.fixture(scope='module')
def dataset(tmp_path_factory):
    return make_dataset(tmp_path_factory.mktemp('data') / 'set', episodes=5)


def test_every_number_comes_back_exactly(dataset):
    reader = open_dataset(dataset)
    assert [record.length for record in reader] == [9, 10, 11, 12, 13]
    for episode in range(5):
        arrays = reader.arrays(episode)
        for name, truth in numbers(episode, 9 + episode).items():
            np.testing.assert_array_equal(arrays.vectors[name], truth)
            assert arrays.vectors[name].dtype == np.float32
        np.testing.assert_allclose(arrays.timestamp, np.arange(9 + episode) / FPS, atol=1e-6)


def test_words_and_facts_of_each_episode_come_back(dataset):
    reader = open_dataset(dataset)
    assert reader.tasks == ('task 0', 'task 1')
    for episode, found in enumerate(reader):
        assert found.tasks == (f'task {episode % 2}',)
        assert found.fields == {
            'seed': episode,
            'success': episode % 2 == 0,
            'layout': f'l{episode}',
            'score': episode / 4,
        }
        task_index = reader.arrays(episode, ['action']).task_index
        assert set(task_index.tolist()) == {episode % 2}


def test_every_frame_of_every_camera_comes_back_within_the_codec_error(dataset):
    reader = open_dataset(dataset)
    for episode in range(5):
        truth = pictures(episode, 9 + episode)
        head = reader.images(episode, HEAD)
        assert head.shape == truth.shape
        assert head.dtype == np.uint8
        assert min(psnr(*pair) for pair in zip(head, truth, strict=True)) > 26
        wrist = reader.images(episode, WRIST)
        assert wrist.shape == truth[:, ::2, ::2].shape


@pytest.mark.parametrize('codec', ['h264', 'av1'])
@pytest.mark.parametrize('fps', [7, 30])
def test_a_frame_asked_for_by_number_is_that_frame(tmp_path, codec, fps):
    root = tmp_path / 'set'
    settings = VideoSettings(codec=codec, crf=10)
    with open_writer(root, fps=fps, settings=settings, episodes_per_file=2) as writer:
        for seed, length in ((3, 25), (4, 19)):
            record(writer, seed, length)
    reader = open_dataset(root)
    for episode, length in ((0, 25), (1, 19)):
        whole = reader.images(episode, HEAD)
        # The blue background is a clock: 7 levels a frame.
        clock = whole[:, -4:, :, 2].mean(axis=(1, 2))
        np.testing.assert_allclose(clock, 7 * np.arange(length), atol=3)
        for frames in ([length - 1], [0], range(3, length, 5), [8, 9, 17]):
            np.testing.assert_array_equal(reader.images(episode, HEAD, frames), whole[frames])


def test_the_dataset_statistics_are_those_of_all_its_frames(dataset):
    stats = json.loads((dataset / 'meta/stats.json').read_text())
    whole = np.concatenate([numbers(e, 9 + e)['action'] for e in range(5)]).astype(float)
    found = {name: np.array(value) for name, value in stats['action'].items()}
    np.testing.assert_allclose(found['mean'], whole.mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(found['std'], whole.std(axis=0), atol=1e-12)
    np.testing.assert_array_equal(found['min'], whole.min(axis=0))
    np.testing.assert_array_equal(found['max'], whole.max(axis=0))
    assert found['count'].tolist() == [len(whole)]
    assert set(found) == {'min', 'max', 'mean', 'std', 'count', *QUANTILES}
    image = np.array(stats[HEAD]['mean'])
    assert image.shape == (3, 1, 1)
    assert np.all((image > 0) & (image < 1))


def test_appending_gives_what_one_run_gives(tmp_path):
    once = make_dataset(tmp_path / 'once', episodes=6)
    twice = tmp_path / 'twice'
    make_dataset(twice, episodes=3)
    with open_writer(twice) as writer:
        assert writer.field_values('seed') == [0, 1, 2]
        for seed in range(3, 6):
            record(writer, seed, length=9 + seed, task=f'task {seed % 2}')
    assert list(contents(twice)) == list(contents(once))
    one, two = open_dataset(once), open_dataset(twice)
    assert one.episodes == two.episodes
    assert one.info == two.info
    for episode in range(6):
        np.testing.assert_array_equal(one.images(episode, HEAD), two.images(episode, HEAD))


def test_folders_hold_as_many_files_as_info_says(tmp_path):
    root = tmp_path / 'set'
    with open_writer(root):
        pass
    path = root / 'meta/info.json'
    path.write_text(json.dumps(json.loads(path.read_text()) | {'chunks_size': 2}))
    for seeds in (range(3), range(3, 5)):
        with open_writer(root, episodes_per_file=1) as writer:
            for seed in seeds:
                record(writer, seed, length=9 + seed, task=f'task {seed % 2}')
    files = [str(p.relative_to(root / 'data')) for p in sorted((root / 'data').rglob('*.parquet'))]
    assert files == [f'chunk-00{n // 2}/file-00{n % 2}.parquet' for n in range(5)]
    reader = open_dataset(root)
    for episode in range(5):
        found = reader.arrays(episode).vectors['action']
        np.testing.assert_array_equal(found, numbers(episode, 9 + episode)['action'])
        assert len(reader.images(episode, WRIST)) == 9 + episode


def test_the_instruction_may_change_within_an_episode(tmp_path):
    root = tmp_path / 'set'
    with (
        open_writer(root, features={'action': vector('a')}, episode_fields={}) as writer,
        writer.episode('open the door') as episode,
    ):
        for frame in range(6):
            if frame == 4:
                episode.set_task('close the door')
            episode.add({'action': np.array([float(frame)])}, {})
    reader = open_dataset(root)
    assert reader.episodes[0].tasks == ('open the door', 'close the door')
    assert reader.arrays(0).task_index.tolist() == [0, 0, 0, 0, 1, 1]


def test_a_discarded_or_failed_episode_leaves_nothing(tmp_path):
    root = tmp_path / 'set'
    row = {name: np.zeros(4, np.float32) for name in ('observation.state', 'action')}
    row['action.expert'] = row['action']
    images = {HEAD: pictures(0, 1)[0], WRIST: pictures(0, 1, (16, 24))[0]}
    fields = {'seed': 0, 'success': True, 'layout': '', 'score': 0.0}
    with open_writer(root) as writer:
        with writer.episode('reach', fields) as episode:
            episode.add(row, images)
            episode.discard()
        with pytest.raises(ZeroDivisionError), writer.episode('reach', fields) as episode:
            episode.add(row, images | {HEAD: images[HEAD] + 1 // 0})
        assert writer.total_episodes == 0
        record(writer, 5)
    assert [e.fields['seed'] for e in open_dataset(root)] == [5]
    assert not (root / '.staging').exists()


def test_workers_record_and_one_process_adopts(tmp_path):
    root = tmp_path / 'set'
    with open_writer(root, features={'action': vector('a')}, episode_fields={}) as writer:
        for number in (2, 0, 1):
            folder = tmp_path / f'worker-{number}'
            with EpisodeRecorder(folder, writer.info, task=f'task {number}') as episode:
                for _ in range(3):
                    episode.add({'action': np.array([float(number)])}, {})
            writer.adopt(folder)
    reader = open_dataset(root)
    assert [e.tasks[0] for e in reader] == ['task 2', 'task 0', 'task 1']
    assert [reader.arrays(i).vectors['action'][0, 0] for i in range(3)] == [2, 0, 1]


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'fps': 20}, 'has fps 10'),
        ({'features': {'action': vector('a')}}, 'has features'),
        ({'episode_fields': {}}, 'has episode fields'),
    ],
)
def test_a_dataset_is_not_continued_with_other_facts(dataset, change, message):
    before = contents(dataset)
    with pytest.raises(UserError, match=message):
        open_writer(dataset, **change)
    assert contents(dataset) == before


def test_two_writers_do_not_meet(tmp_path):
    with (
        open_writer(tmp_path / 'set'),
        pytest.raises(UserError, match='written by another process'),
    ):
        open_writer(tmp_path / 'set')


def test_a_dataset_of_another_program_is_not_continued(tmp_path):
    with pytest.raises(UserError, match='written by another program'):
        open_writer(write_v21(tmp_path / 'old'))


def test_recording_needs_no_torch():
    program = 'import sys, flash_wam_ros.data.lerobot; sys.exit("torch" in sys.modules)'
    assert subprocess.run([sys.executable, '-c', program], check=False).returncode == 0


def test_a_folder_with_other_files_is_left_alone(tmp_path):
    (tmp_path / 'thesis.tex').write_text('years of work')
    with pytest.raises(UserError, match=r'thesis\.tex'):
        open_writer(tmp_path)
    assert list(contents(tmp_path)) == ['thesis.tex']


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'fps': 9.5}, 'whole number'),
        ({'features': {'timestamp': vector('t')}}, 'written by itself'),
        ({'features': {'a/b': vector('t')}}, 'slash'),
        ({'features': {'m': vector('t', dtype='float16')}}, 'float16'),
        ({'episode_fields': {'seed': 'int32'}}, "did you mean 'int64'"),
        ({'episodes_per_file': 0}, 'episodes_per_file'),
    ],
)
def test_what_the_format_cannot_hold_is_refused_before_anything_is_made(
    tmp_path, changes, message
):
    with pytest.raises(UserError, match=message):
        open_writer(tmp_path / 'set', **changes)
    assert not (tmp_path / 'set').exists()


@pytest.mark.parametrize(
    ('spoil', 'message'),
    [
        (lambda v, i: v.pop('action'), "lacks the feature 'action'"),
        (lambda v, i: v.update(acton=v['action']), "did you mean 'action'"),
        (lambda v, i: v.update(action=np.zeros(3, np.float32)), r'shape \(3,\)'),
        (lambda v, i: v.update(action=np.full(4, np.nan)), 'not finite'),
        (lambda v, i: v.update(action=np.full(4, 1e300)), 'not finite'),
        (lambda v, i: v.update(action=np.full(4, 1j)), 'complex128; float32 is declared'),
        (lambda v, i: i.pop(WRIST), 'lacks the camera'),
        (lambda v, i: i.update({HEAD: i[HEAD][:-2]}), r'expected uint8 \(32, 48, 3\)'),
        (lambda v, i: i.update({HEAD: i[HEAD].astype(float)}), 'float64'),
    ],
)
def test_a_wrong_frame_is_refused_by_name(tmp_path, spoil, message):
    vectors = {name: values[0] for name, values in numbers(0, 1).items()}
    images = {HEAD: pictures(0, 1)[0], WRIST: pictures(0, 1, (16, 24))[0]}
    spoil(vectors, images)
    fields = {'seed': 0, 'success': True, 'layout': '', 'score': 0.0}
    with open_writer(tmp_path / 'set') as writer:
        with pytest.raises(UserError, match=message), writer.episode('go', fields) as episode:
            episode.add(vectors, images)
        assert writer.total_episodes == 0


@pytest.mark.parametrize(
    ('task', 'fields', 'message'),
    [
        (' ', {'seed': 1, 'success': True, 'layout': '', 'score': 1}, 'needs an instruction'),
        ('go', {'sed': 1}, "did you mean 'seed'"),
        ('go', {'seed': True, 'success': True, 'layout': '', 'score': 0.0}, 'int64 is declared'),
        ('go', {'seed': 1}, "'success' is None"),
        ('go', {'seed': 1, 'success': True, 'layout': '', 'score': np.nan}, 'finite number'),
    ],
)
def test_wrong_words_or_facts_of_an_episode_are_refused(tmp_path, task, fields, message):
    with (
        open_writer(tmp_path / 'set') as writer,
        pytest.raises(UserError, match=message),
        writer.episode(task, fields),
    ):
        pass


def test_odd_picture_sizes_are_refused_with_the_remedy(tmp_path):
    features = {HEAD: camera(31, 48)}
    with (
        open_writer(tmp_path / 'set', features=features, episode_fields={}) as writer,
        pytest.raises(UserError, match=r'31x48.*yuv444p'),
        writer.episode('go') as episode,
    ):
        episode.add({}, {HEAD: np.zeros((31, 48, 3), np.uint8)})


def test_full_colour_is_kept_on_request(tmp_path):
    rng = np.random.default_rng(0)
    red_and_green = np.zeros((32, 48, 3), np.uint8)
    red_and_green[..., 0] = 255 * rng.integers(0, 2, (32, 48))
    red_and_green[..., 1] = 255 - red_and_green[..., 0]
    errors = {}
    for pixel_format in ('yuv420p', 'yuv444p'):
        settings = VideoSettings(pixel_format=pixel_format, crf=10)
        root = tmp_path / pixel_format
        with (
            open_writer(
                root, features={HEAD: camera(32, 48)}, episode_fields={}, settings=settings
            ) as writer,
            writer.episode('look') as episode,
        ):
            episode.add({}, {HEAD: red_and_green})
        image = open_dataset(root).images(0, HEAD)[0]
        errors[pixel_format] = np.abs(image.astype(int) - red_and_green).mean()
    assert errors['yuv444p'] < 0.2 * errors['yuv420p']


def test_version_2_1_is_read(tmp_path):
    reader = open_dataset(write_v21(tmp_path / 'old'))
    assert reader.info.version == 'v2.1'
    assert reader.info.features[HEAD].shape == (32, 48, 3)
    assert reader.info.features['action'].names == ('joint_0', 'joint_1', 'joint_2', 'joint_3')
    for episode, length in enumerate((9, 13)):
        arrays = reader.arrays(episode)
        truth = numbers(episode, length)['action']
        np.testing.assert_array_equal(arrays.vectors['action'], truth)
        assert reader.tasks[arrays.task_index[0]] == f'task {episode}'
        images = reader.images(episode, HEAD)
        assert psnr(images, pictures(episode, length)) > 26
        np.testing.assert_array_equal(reader.images(episode, HEAD, [4, 7]), images[[4, 7]])


def test_cameras_stored_as_pictures_are_read_exactly(tmp_path):
    root = write_v21(tmp_path / 'old')
    for episode, length in enumerate((9, 13)):
        store_as_pictures(root, episode, pictures(episode, length))
    reader = open_dataset(root)
    assert reader.info.cameras == (HEAD,)
    np.testing.assert_array_equal(reader.images(1, HEAD), pictures(1, 13))
    np.testing.assert_array_equal(reader.images(1, HEAD, [3, 12]), pictures(1, 13)[[3, 12]])
    assert check_dataset(reader, cameras=(HEAD,), every_frame=True).problems == ()


def test_the_columns_are_those_that_lerobot_3_declares(dataset):
    info = json.loads((dataset / 'meta/info.json').read_text())
    assert info['codebase_version'] == 'v3.0'
    assert info['fps'] == FPS
    assert isinstance(info['fps'], int)
    assert info['splits'] == {'train': '0:5'}
    assert set(info['features']) == {*FEATURES, *INDEX_FEATURES}
    assert info['features'][HEAD]['info']['video.codec'] == 'h264'
    assert info['episode_fields'] == FIELDS


@pytest.mark.skipif(
    'LEROBOT_PYTHON' not in os.environ,
    reason='LEROBOT_PYTHON names no interpreter that has lerobot',
)
@pytest.mark.parametrize('codec', ['h264', 'av1'])
def test_stock_lerobot_reads_what_is_written(tmp_path, codec):
    root = make_dataset(tmp_path / 'set', episodes=5, settings=VideoSettings(codec=codec))
    script = Path(__file__).with_name('stock_lerobot_peer.py')
    result = subprocess.run(
        [os.environ['LEROBOT_PYTHON'], str(script), str(root)],
        capture_output=True,
        text=True,
        env={**os.environ, 'HF_HUB_OFFLINE': '1', 'HF_DATASETS_CACHE': str(tmp_path / 'cache')},
        check=False,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    seen = json.loads(result.stdout.splitlines()[-1])
    reader = open_dataset(root)
    assert seen['episodes'] == 5
    assert seen['frames'] == reader.info.total_frames
    for row in seen['rows']:
        arrays = reader.arrays(row['episode'])
        for name in ('action', 'observation.state'):
            np.testing.assert_array_equal(
                np.array(row[name], np.float32), arrays.vectors[name][row['frame']]
            )
        assert row['task'] == f'task {row["episode"] % 2}'
        image = reader.images(row['episode'], HEAD, [row['frame']])[0]
        assert abs(row['head_mean'] * 255 - image.mean()) < 2


@pytest.mark.skipif(
    'LEROBOT_PYTHON' not in os.environ,
    reason='LEROBOT_PYTHON names no interpreter that has lerobot',
)
def test_what_stock_lerobot_writes_is_read(tmp_path):
    root = tmp_path / 'set'
    script = Path(__file__).with_name('stock_lerobot_writer.py')
    subprocess.run(
        [os.environ['LEROBOT_PYTHON'], str(script), str(root)],
        capture_output=True,
        env={**os.environ, 'HF_HUB_OFFLINE': '1', 'HF_DATASETS_CACHE': str(tmp_path / 'cache')},
        check=True,
    )
    reader = open_dataset(root)
    assert reader.tasks == ('task 0', 'task 1')
    for episode in range(3):
        length = 8 + episode
        action = reader.arrays(episode).vectors['action']
        np.testing.assert_array_equal(action[:, 1], np.arange(length))
        assert set(action[:, 0]) == {episode}
        expected = 10 * np.arange(length) + episode
        for camera_, error in ((HEAD, 3), ('observation.images.still', 0)):
            images = reader.images(episode, camera_)
            np.testing.assert_allclose(images.mean(axis=(1, 2, 3)), expected, atol=error)
