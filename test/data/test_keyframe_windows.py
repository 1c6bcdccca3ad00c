"""Windows of key frames: what is to be learned, and what only happened."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sample_data import CHANNELS, HEAD, pictures

from flash_wam_ros.data.check import sample_frames
from flash_wam_ros.data.keyframe_windows import KeyframeSpec, open_keyframes
from flash_wam_ros.data.lerobot import LeRobotWriter, camera, open_dataset, vector
from flash_wam_ros.wam.actions import ActionConfig
from flash_wam_ros.wam.canvas import CanvasConfig
from flash_wam_ros.wam.config import ChunkConfig
from flash_wam_ros.wam.light_codec import LightCodec, LightCodecConfig
from flash_wam_ros.wam.presets import preset

USED = (14, 15, 21, 28)
LENGTH, STEP, CHUNK = 30, 2, 2
FRAMES = 2 * CHUNK
SPAN = STEP * (FRAMES - 1)  # frames from a window's first to its last
SIZE = (16, 24)
# The expert takes over at frame 12 and hands back at frame 20.
BEGIN, END = 12, 20
PLAIN = ('observation.state', 'action.expert', 'action.executed')
BLIND = replace(preset('g1-tiny').model, context=None, patch_size=(1, 1, 1))
CONFIG = replace(
    preset('g1-tiny'),
    model=BLIND,
    actions=ActionConfig.from_limits(USED, [-2.0] * 4, [2.0] * 4),
    chunk=ChunkConfig(frames_per_chunk=CHUNK, actions_per_frame=STEP, attn_window=4),
    canvas=CanvasConfig(
        layout='single', cameras=(HEAD,), height=SIZE[0], width=SIZE[1], spatial_factor=8
    ),
    state=None,
)


def _dataset(root, labelled):
    features = {name: vector(*CHANNELS) for name in PLAIN} | {HEAD: camera(*SIZE)}
    if labelled is not None:
        features['action.labelled'] = vector('expert')
    rng = np.random.default_rng(0)
    rows = {name: rng.normal(size=(LENGTH, 4)).astype(np.float32) for name in PLAIN}
    if labelled is not None:
        rows['action.labelled'] = labelled.astype(np.float32)[:, None]
    frames = pictures(0, LENGTH, SIZE)
    with (
        LeRobotWriter(root, fps=10, features=features, robot_type='g1') as writer,
        writer.episode('lift', {}) as episode,
    ):
        for frame in range(LENGTH):
            episode.add(
                {name: values[frame] for name, values in rows.items()}, {HEAD: frames[frame]}
            )
    return root


def _windows(root, **options):
    codec = LightCodec.fit(
        {HEAD: sample_frames(open_dataset(root), (HEAD,), 20)[HEAD]},
        LightCodecConfig(components=6, patch=8, temporal_factor=STEP),
    )
    spec = KeyframeSpec(datasets=(str(root),), chunks=2, **options)
    return open_keyframes(
        spec, CONFIG, codec, 'test', lambda words: dict.fromkeys(words, torch.zeros(1, 7))
    )


@pytest.fixture(scope='module')
def plain(tmp_path_factory):
    return _windows(_dataset(tmp_path_factory.mktemp('data') / 'plain', None))


@pytest.fixture(scope='module')
def shared(tmp_path_factory):
    """Windows of an episode that a model and the expert shared."""
    labelled = np.zeros(LENGTH, bool)
    labelled[BEGIN:END] = True
    return _windows(_dataset(tmp_path_factory.mktemp('data') / 'shared', labelled))


def _taught(sample):
    """Return (F, N) whether actions are to be learned; the same for every joint."""
    mask = sample['actions_mask'][list(USED), ..., 0]
    assert (mask == mask[:1]).all()
    return mask[0]


def test_every_action_is_learned_where_the_expert_drove_all_along(plain):
    assert all(_taught(plain[index]).all() for index in range(len(plain)))


def test_what_a_model_did_is_no_lesson(shared, plain):
    """The windows that are left are those of the plain dataset with a lesson in them."""
    starts = [s for s in range(len(plain)) if s < END and s + SPAN > BEGIN]
    assert len(shared) == len(starts) < len(plain)
    for index, start in enumerate(starts):
        frames = start + STEP * np.arange(-1, FRAMES - 1)[:, None] + np.arange(STEP)
        inside = (frames.clip(0) >= BEGIN) & (frames < END)
        np.testing.assert_array_equal(_taught(shared[index]).numpy(), inside)


def test_it_is_history_nevertheless(shared, plain):
    starts = [s for s in range(len(plain)) if s < END and s + SPAN > BEGIN]
    for index, start in enumerate(starts):
        for name in ('executed', 'latent'):
            torch.testing.assert_close(shared[index][name], plain[start][name])


def test_who_asks_a_teacher_gets_all_windows_and_all_that_was_done(shared, plain):
    root = shared._parts[0]._reader.root
    every = _windows(root, unlabelled=True)
    assert len(every) == len(plain) > len(shared)
    for index in range(len(every)):
        assert _taught(every[index]).all()
        torch.testing.assert_close(every[index]['executed'], plain[index]['executed'])
