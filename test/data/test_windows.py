"""Windows carry the right actions beside the right latents, normalised as inference does it."""

import pickle

import numpy as np
import pytest
import torch
from sample_data import HEAD, WRIST, make_dataset, numbers

from flash_wam_ros.core import UserError
from flash_wam_ros.data.check import sample_frames
from flash_wam_ros.data.encode import encode_dataset
from flash_wam_ros.data.latents import LatentSpec
from flash_wam_ros.data.lerobot import open_dataset
from flash_wam_ros.data.spaces import JointSpace
from flash_wam_ros.data.windows import Windows, WindowSpec
from flash_wam_ros.wam.actions import ActionConfig, ActionLayout
from flash_wam_ros.wam.canvas import CanvasConfig, split
from flash_wam_ros.wam.light_codec import LightCodec, LightCodecConfig

USED = (14, 15, 21, 28)
ACTIONS = ActionConfig.from_limits(USED, [-2.0, -1.0, -3.0, 0.5], [2.0, 1.5, 3.0, 4.0])
CANVAS = CanvasConfig(
    layout='side_by_side', cameras=(HEAD, WRIST), height=16, width=24, spatial_factor=8
)
LENGTH = 13


@pytest.fixture(scope='module')
def made(tmp_path_factory):
    """Five episodes of 9 to 13 frames, encoded with k = 2 and stride 1."""
    folder = tmp_path_factory.mktemp('data')
    reader = open_dataset(make_dataset(folder / 'set', episodes=5))
    frames = sample_frames(reader, (WRIST,), 20)
    config = LightCodecConfig(components=6, patch=8, temporal_factor=2)
    frames[HEAD] = frames[WRIST]
    codec = LightCodec.fit(frames, config)
    sizes = {HEAD: (16, 24), WRIST: (16, 24)}
    spec = LatentSpec(codec='test', temporal_factor=2, sizes=sizes)
    return reader, encode_dataset(reader, codec, spec, folder / 'latents').cache


def windows(made, **options):
    reader, cache = made
    text = {f'task {i}': torch.full((5, 7), float(i)) for i in range(2)}
    return Windows(
        reader,
        cache,
        canvas=CANVAS,
        actions=ACTIONS,
        space=JointSpace(),
        spec=WindowSpec(**options),
        text=text,
    )


def test_a_sample_has_the_field_names_and_shapes_of_the_recorded_step(made):
    sample = windows(made)[4]
    shapes = {name: tuple(value.shape) for name, value in sample.items()}
    assert shapes == {
        'latent': (6, 7, 2, 6),
        'actions': (30, 7, 2, 1),
        'actions_mask': (30, 7, 2, 1),
        'text_emb': (5, 7),
    }
    assert sample['actions_mask'].dtype == torch.bool


def test_without_a_length_each_sample_is_a_whole_segment(made):
    found = windows(made)
    assert len(found) == 5
    assert [found[i]['latent'].shape[1] for i in range(5)] == [5, 5, 6, 6, 7]
    assert [found.segment(i).text for i in range(5)] == [f'task {i % 2}' for i in range(5)]
    assert [found[i]['text_emb'].mean().item() for i in range(5)] == [0, 1, 0, 1, 0]


def test_blocks_hold_the_normalised_actions_that_lead_to_their_frame(made):
    sample = windows(made, clip=None)[4]
    layout = ActionLayout(ACTIONS)
    truth = torch.from_numpy(numbers(4, LENGTH)['action'][: 6 * 2])
    expected = layout.normalise(truth.reshape(6, 2, 4).permute(2, 0, 1))
    torch.testing.assert_close(sample['actions'][:, 1:, :, 0], expected)


def test_block_0_is_zero_after_normalisation_and_supervised(made):
    sample = windows(made)[0]
    assert not sample['actions'][:, 0].any()
    mask = sample['actions_mask']
    assert mask[list(USED)].all()
    assert mask.sum() == len(USED) * mask[0].numel()
    unused = [c for c in range(30) if c not in USED]
    assert not sample['actions'][unused].any()


def test_the_published_block_0_is_zero_before_normalisation(made):
    sample = windows(made, first_block='raw_zero', clip=None)[0]
    raw = torch.zeros(4, 1, 2)
    expected = ActionLayout(ACTIONS).normalise(raw)[:, 0]
    torch.testing.assert_close(sample['actions'][:, 0, :, 0], expected)
    assert sample['actions'][28, 0, 0, 0] < -1


def test_actions_are_clipped_as_in_training(made):
    loose, tight = windows(made, clip=None)[3], windows(made, clip=1.0)[3]
    assert loose['actions'].abs().max() > 1
    torch.testing.assert_close(tight['actions'], loose['actions'].clamp(-1, 1))


def test_windows_are_cuts_of_the_whole_segment(made):
    whole, cut = windows(made), windows(made, frames=3, hop=2)
    assert [(p.segment, p.first) for p in cut.places if p.segment == 4] == [(4, 0), (4, 2), (4, 4)]
    for index, place in enumerate(cut.places):
        part, all_ = cut[index], whole[place.segment]
        for name in ('latent', 'actions', 'actions_mask'):
            expected = all_[name][:, place.first : place.first + 3]
            torch.testing.assert_close(part[name], expected)


def test_the_canvas_holds_each_camera_at_its_place(made):
    _, cache = made
    parts = split(CANVAS, windows(made)[2]['latent'])
    for camera in (HEAD, WRIST):
        torch.testing.assert_close(parts[camera], cache.load(2, camera))


def test_what_was_done_and_what_should_have_been_can_differ(made):
    found = windows(made, feature='action.expert', executed_feature='action')
    plain, expert = windows(made), windows(made, feature='action.expert')
    torch.testing.assert_close(found[1]['executed'], plain[1]['actions'])
    torch.testing.assert_close(found[1]['actions'], expert[1]['actions'])
    assert not torch.equal(found[1]['executed'], found[1]['actions'])


def test_samples_stack_into_the_trainers_batch(made):
    found = windows(made, frames=5)
    stacked = {name: torch.stack([found[i][name] for i in range(3)]) for name in found[0]}
    assert stacked['latent'].shape == (3, 6, 5, 2, 6)
    assert stacked['actions'].shape[:3] == (3, 30, 5)


def test_a_worker_process_gets_the_same_windows(made):
    found = windows(made, frames=3)
    sample = found[4]
    again = pickle.loads(pickle.dumps(found))
    assert again.places == found.places
    for name, value in sample.items():
        torch.testing.assert_close(again[4][name], value)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'frames': 40}, 'no segment of .* has 40 latent frames'),
        ({'frames': 0}, 'at least 1'),
        ({'hop': 0}, 'hop 0'),
        ({'clip': 0.5}, 'inside the quantiles'),
        ({'first_block': 'raw_zeros'}, "did you mean 'raw_zero'"),
    ],
)
def test_windows_that_cannot_be_are_refused(made, options, message):
    with pytest.raises(UserError, match=message):
        windows(made, **options)


def test_an_instruction_without_embedding_is_named(made):
    reader, cache = made
    with pytest.raises(UserError, match="no text embedding of 'task 1'"):
        Windows(
            reader,
            cache,
            canvas=CANVAS,
            actions=ACTIONS,
            space=JointSpace(),
            spec=WindowSpec(),
            text={'task 0': torch.zeros(5, 7)},
        )


def test_numbers_of_frames_are_exact_for_the_published_robots():
    """RoboTwin: 2 latent frames a chunk of 16 actions; the window of a chunk has 32."""
    from flash_wam_ros.data.alignment import FrameGrid

    grid = FrameGrid(start=0, end=4 * 4 * 2 + 1, stride=4, temporal_factor=4)
    assert (grid.latent_frames, grid.actions_per_frame) == (3, 16)
    assert np.diff(list(grid.frame_ids)).tolist() == [4] * 8
