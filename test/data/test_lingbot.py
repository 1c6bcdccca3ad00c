"""LingBot-VA's published latents are read, and nothing in them can run."""

import pickle

import pytest
import torch
from sample_data import HEAD, numbers, write_v21

from flash_wam_ros.core import UserError
from flash_wam_ros.data.lerobot import open_dataset
from flash_wam_ros.data.lingbot import open_published, read_empty_text, read_published
from flash_wam_ros.data.spaces import JointSpace
from flash_wam_ros.data.windows import Windows, WindowSpec
from flash_wam_ros.wam.actions import ActionConfig, ActionLayout
from flash_wam_ros.wam.canvas import CanvasConfig

SEGMENTS = [
    [{'start_frame': 0, 'end_frame': 9, 'action_text': 'lift'}],
    [{'start_frame': 2, 'end_frame': 13, 'action_text': 'put down'}],
]


def published(start, end, text, stride=1):
    """Return the dict of one published file: 2 x 3 latents of 5 channels, k = 4."""
    frame_ids = list(range(start, end, stride))
    frames = (len(frame_ids) - 1) // 4 + 1
    grid = torch.arange(frames * 2 * 3 * 5, dtype=torch.float32)
    return {
        'latent': grid.reshape(frames * 6, 5).bfloat16(),
        'latent_num_frames': frames,
        'latent_height': 2,
        'latent_width': 3,
        'video_num_frames': len(frame_ids),
        'text_emb': torch.ones(4, 7, dtype=torch.bfloat16),
        'text': text,
        'frame_ids': frame_ids,
        'start_frame': start,
        'end_frame': end,
        'fps': 10,
        'ori_fps': 10,
    }


@pytest.fixture
def root(tmp_path):
    root = write_v21(tmp_path / 'set', segments=SEGMENTS)
    folder = root / 'latents/chunk-000' / HEAD
    folder.mkdir(parents=True)
    torch.save(published(0, 9, 'lift'), folder / 'episode_000000_0_9.pth')
    torch.save(published(2, 13, 'put down'), folder / 'episode_000001_2_13.pth')
    torch.save(torch.zeros(4, 7), root / 'empty_emb.pt')
    return root


def test_latents_come_in_channel_frame_height_width(root):
    found = read_published(root / 'latents/chunk-000' / HEAD / 'episode_000000_0_9.pth')
    assert found.latent.shape == (5, 3, 2, 3)
    assert found.latent.dtype == torch.bfloat16
    # Tokens count frame by frame, row by row, with the channel fastest.
    assert found.latent[:, 1, 0, 2].float().tolist() == [40, 41, 42, 43, 44]
    assert found.text == 'lift'
    assert read_empty_text(root).shape == (4, 7)


def test_windows_are_cut_from_published_latents(root):
    reader = open_dataset(root)
    store = open_published(reader, (HEAD,))
    actions = ActionConfig.from_limits((0, 1, 2, 3), [-3.0] * 4, [3.0] * 4)
    found = Windows(
        reader,
        store,
        canvas=CanvasConfig(layout='single', cameras=(HEAD,), height=32, width=48),
        actions=actions,
        space=JointSpace(),
        spec=WindowSpec(),
        text=store.texts(),
    )
    sample = found[1]
    assert set(store.texts()) == {'', 'lift', 'put down'}
    assert sample['text_emb'].float().mean() == 1
    assert sample['latent'].shape == (5, 3, 2, 3)
    assert sample['actions'].shape == (30, 3, 4, 1)
    truth = torch.from_numpy(numbers(1, 13)['action'][2:10]).reshape(2, 4, 4).permute(2, 0, 1)
    expected = ActionLayout(actions).normalise(truth)
    torch.testing.assert_close(sample['actions'][:, 1:, :, 0], expected)


class Intruder:
    """An object whose unpickling would call something."""

    def __reduce__(self):
        return (open, ('/nonexistent/intruder', 'w'))


def test_a_file_that_would_run_code_is_refused(root):
    path = root / 'latents/chunk-000' / HEAD / 'episode_000000_0_9.pth'
    torch.save({'latent': Intruder()}, path)
    with pytest.raises(UserError, match='cannot be read safely'):
        read_published(path)
    path.write_bytes(pickle.dumps(Intruder(), protocol=2))
    with pytest.raises(UserError, match='cannot be read safely'):
        read_published(path)


def test_missing_incomplete_and_uneven_files_are_named(root):
    reader = open_dataset(root)
    folder = root / 'latents/chunk-000' / HEAD
    with pytest.raises(UserError, match=r'cam_high.*is missing'):
        open_published(reader, ('cam_high',))
    uneven = published(0, 9, 'lift') | {'frame_ids': [0, 1, 2, 4, 6, 7, 8, 9, 10]}
    torch.save(uneven, folder / 'episode_000000_0_9.pth')
    with pytest.raises(UserError, match='one stride is needed'):
        open_published(reader, (HEAD,)).grid(0)
    torch.save({'latent': torch.zeros(3)}, folder / 'episode_000000_0_9.pth')
    with pytest.raises(UserError, match='not a published latent file'):
        open_published(reader, (HEAD,))
