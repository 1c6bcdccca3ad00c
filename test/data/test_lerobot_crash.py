"""A write cut short at any moment never leaves a dataset that reads wrong."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from sample_data import HEAD, WRIST, make_dataset, numbers, open_writer, record

from flash_wam_ros.data import files
from flash_wam_ros.data.files import StorageError, write_whole
from flash_wam_ros.data.lerobot import open_dataset
from flash_wam_ros.data.lerobot.info import V30_EPISODES_PATH

WORKER = Path(__file__).with_name('recording_worker.py')


def assert_reads_right(root, episodes):
    """Check every number and both ends of every video of the first ``episodes`` seeds."""
    reader = open_dataset(root)
    assert [e.fields['seed'] for e in reader] == list(range(episodes))
    for episode, found in enumerate(reader):
        vectors = reader.arrays(episode).vectors
        for name, truth in numbers(episode, found.length).items():
            np.testing.assert_array_equal(vectors[name], truth)
        for camera in (HEAD, WRIST):
            images = reader.images(episode, camera, [0, found.length - 1])
            np.testing.assert_allclose(
                images[:, -2:, :, 2].mean(axis=(1, 2)), [0, 7 * (found.length - 1)], atol=5
            )


class CutOffError(Exception):
    """Stands for the moment at which a process dies."""


@pytest.mark.parametrize('step', range(7))
@pytest.mark.parametrize('after', [False, True])
def test_a_publication_cut_at_any_step_reads_as_before_and_is_made_up_for(
    tmp_path, monkeypatch, step, after
):
    root = make_dataset(tmp_path / 'set', episodes=3)
    original, calls = Path.replace, []

    def replace(self, target):
        """Die at the given renaming of a published file, before or after it."""
        counted = '.staging' not in Path(target).parts
        if counted:
            calls.append(target)
        if counted and len(calls) == step + 1 and not after:
            raise CutOffError
        result = original(self, target)
        if counted and len(calls) == step + 1:
            raise CutOffError
        return result

    writer = open_writer(root)
    for seed in (3, 4):
        record(writer, seed, length=9 + seed)
    monkeypatch.setattr(Path, 'replace', replace)
    with pytest.raises(CutOffError):
        writer.flush()
    monkeypatch.undo()
    os.close(writer._lock)
    published = step == 6 and after
    assert_reads_right(root, 5 if published else 3)
    with open_writer(root) as writer:
        assert writer.total_episodes == 5
        record(writer, 5, length=14)
    assert_reads_right(root, 6)
    assert not list(root.rglob('*.partial'))
    assert not (root / '.staging').exists()


def test_the_published_steps_are_seven(tmp_path, monkeypatch):
    """So that the test above covers them all: 2 cameras, data, tasks, episodes, stats, info."""
    placed = []
    original = Path.replace
    monkeypatch.setattr(
        Path, 'replace', lambda self, to: (placed.append(Path(to).name), original(self, to))[1]
    )
    with open_writer(tmp_path / 'set', episodes_per_file=1) as writer:
        placed.clear()
        record(writer, 0)
    published = [name for name in placed if not name.startswith('episode')]
    assert published == [
        'file-000.mp4',
        'file-000.mp4',
        'file-000.parquet',
        'tasks.parquet',
        'file-000.parquet',
        'stats.json',
        'info.json',
    ]


def test_leftovers_of_a_cut_publication_do_not_survive_the_next_opening(tmp_path):
    root = make_dataset(tmp_path / 'set', episodes=3)
    first = root / V30_EPISODES_PATH.format(chunk_index=0, file_index=0)
    table = pq.read_table(first)
    for index in (1, 2):
        stale = root / V30_EPISODES_PATH.format(chunk_index=0, file_index=index)
        place = table.schema.get_field_index('episode_index')
        numbers_ = table['episode_index'].to_numpy() + 3 * index
        pq.write_table(table.set_column(place, 'episode_index', [numbers_]), stale)
    assert_reads_right(root, 3)
    with open_writer(root) as writer:
        assert writer.total_episodes == 3
    assert [p.name for p in first.parent.iterdir()] == ['file-000.parquet']


@pytest.mark.parametrize('kill_after', [1, 4])
def test_kill_9_in_the_middle_keeps_every_finished_episode(tmp_path, kill_after):
    root = tmp_path / 'set'
    command = [sys.executable, str(WORKER), str(root), '8']
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    for line in process.stdout:
        if line.split() == ['recording', str(kill_after), '5']:
            process.send_signal(signal.SIGKILL)
            break
    assert process.wait() == -signal.SIGKILL
    process.stdout.close()
    assert_reads_right(root, kill_after - kill_after % 3)
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert f'resumed at {kill_after}' in result.stdout
    assert_reads_right(root, 8)
    assert not list(root.rglob('*.partial'))


def test_a_full_disk_is_one_clear_line_and_spoils_nothing(tmp_path, monkeypatch):
    root = make_dataset(tmp_path / 'set', episodes=3)

    def full(path):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    writer = open_writer(root)
    record(writer, 3, length=12)
    monkeypatch.setattr(files, 'sync_file', full)
    with pytest.raises(StorageError, match=r'No space left on device.*free some space'), writer:
        writer.flush()
    monkeypatch.undo()
    assert_reads_right(root, 3)
    with open_writer(root):
        pass
    assert_reads_right(root, 4)


def test_a_file_is_whole_or_as_it_was(tmp_path):
    path = tmp_path / 'note.txt'
    path.write_text('before')

    def half(partial):
        partial.write_text('hal')
        raise CutOffError

    with pytest.raises(CutOffError):
        write_whole(path, half)
    assert path.read_text() == 'before'
    assert [p.name for p in tmp_path.iterdir()] == ['note.txt']


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_episodes(tmp_path):
    """The peak after 120 episodes is within 10 MB of that after 30."""
    peaks = []
    for episodes in (30, 120):
        command = [sys.executable, str(WORKER), str(tmp_path / str(episodes)), str(episodes)]
        result = subprocess.run(command, capture_output=True, text=True, check=True)
        peaks.append(int(result.stdout.split()[-1]) / 1024)
    assert peaks[1] - peaks[0] < 10
