"""Which action belongs to which latent frame, by the numbers of the published benchmarks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from flash_wam_ros.core import UserError
from flash_wam_ros.data.alignment import (
    FrameGrid,
    absolute_poses,
    align_actions,
    relative_poses,
)
from flash_wam_ros.data.spaces import EndEffectorSpace, JointSpace


def grid(length, stride, start=0, factor=4):
    return FrameGrid(start=start, end=start + length, stride=stride, temporal_factor=factor)


@pytest.mark.parametrize(
    ('stride', 'actions_per_frame'),
    [(4, 16), (1, 4), (5, 20), (2, 8)],
    ids=['robotwin', 'libero', 'franka', 'demo'],
)
def test_action_per_frame_is_four_strides_as_published(stride, actions_per_frame):
    assert grid(200, stride).actions_per_frame == actions_per_frame


def test_latent_frames_are_those_of_the_frames_in_groups_of_four():
    for count in range(1, 40):
        found = grid(3 * (count - 1) + 1, stride=3)
        assert found.latent_frames == (count - 1) // 4 + 1
        assert len(found.frame_ids) == 4 * (found.latent_frames - 1) + 1


@given(
    length=st.integers(1, 120),
    stride=st.integers(1, 6),
    start=st.integers(0, 30),
    factor=st.sampled_from([1, 2, 4]),
)
def test_block_f_leads_from_latent_frame_f_minus_one_to_f(length, stride, start, factor):
    found = grid(length, stride, start, factor)
    # Each action carries its own frame number, so that blocks tell where they came from.
    actions = np.arange(1, start + length + 7, dtype=np.float32)[:, None]
    blocks = align_actions(actions, found)
    assert blocks.shape == (found.latent_frames, stride * factor, 1)
    assert not blocks[0].any()
    seen = list(found.frame_ids)[::factor]
    for block in range(1, found.latent_frames):
        frames = blocks[block, :, 0] - 1
        assert frames[0] == seen[block - 1]
        assert frames[-1] == seen[block] - 1
        assert np.all(np.diff(frames) == 1)


def test_what_fills_no_latent_frame_is_left_out():
    actions = np.arange(1, 31, dtype=np.float32)[:, None]
    blocks = align_actions(actions, grid(30, stride=2))
    assert blocks.shape == (4, 8, 1)
    assert blocks[-1, -1, 0] == 24


def test_an_episode_with_too_few_actions_is_refused():
    with pytest.raises(UserError, match='8 actions for a segment that ends at frame 9'):
        align_actions(np.zeros((8, 2)), grid(9, 1))


@pytest.mark.parametrize('change', [{'end': 3}, {'stride': 0}, {'temporal_factor': 0}])
def test_empty_segments_and_steps_below_one_are_refused(change):
    with pytest.raises(UserError):
        FrameGrid(**({'start': 3, 'end': 9, 'stride': 1, 'temporal_factor': 4} | change))


def random_poses(count, seed=0):
    rng = np.random.default_rng(seed)
    quaternions = rng.normal(size=(count, 4))
    quaternions /= np.linalg.norm(quaternions, axis=1, keepdims=True)
    return np.concatenate([rng.normal(size=(count, 3)), quaternions], axis=1)


def test_relative_rotation_is_scipys_on_the_numbers_as_they_come():
    poses = random_poses(50)
    found = relative_poses(poses, poses[0])
    expected = Rotation.from_quat(poses[0, 3:]).inv() * Rotation.from_quat(poses[:, 3:])
    same = np.abs(np.sum(found[:, 3:] * expected.as_quat(), axis=1))
    np.testing.assert_allclose(same, 1, atol=1e-12)
    np.testing.assert_allclose(found[:, :3], poses[:, :3] - poses[0, :3])
    np.testing.assert_allclose(found[0], [0, 0, 0, 0, 0, 0, 1], atol=1e-12)


def test_absolute_poses_undo_relative_ones():
    poses = random_poses(50, seed=1)
    origin = random_poses(1, seed=2)[0]
    back = absolute_poses(relative_poses(poses, origin), origin)
    np.testing.assert_allclose(back, poses, atol=1e-12)


def test_quaternions_of_length_zero_are_refused():
    with pytest.raises(UserError, match='length zero'):
        relative_poses(np.zeros((2, 7)), random_poses(1)[0])


def two_arms(count, seed=0):
    grippers = np.linspace(0, 1, count)[:, None]
    return np.concatenate(
        [random_poses(count, seed), grippers, random_poses(count, seed + 9), 1 - grippers], axis=1
    ).astype(np.float32)


def test_end_effector_actions_refer_to_the_observed_pose_at_the_segments_start():
    actions, state = two_arms(20), two_arms(20, seed=4)
    found = EndEffectorSpace().convert(actions, state, start=5)
    expected = relative_poses(actions[:, 8:15].astype(float), state[5, 8:15].astype(float))
    np.testing.assert_allclose(found[:, 8:15], expected, atol=1e-6)
    np.testing.assert_array_equal(found[:, [7, 15]], actions[:, [7, 15]])


def test_the_published_training_origin_is_the_first_action():
    space = EndEffectorSpace(origin='first_action')
    assert space.state_feature is None
    found = space.convert(two_arms(20), None, start=5)
    np.testing.assert_allclose(found[5, :7], [0, 0, 0, 0, 0, 0, 1], atol=1e-6)


def test_joint_actions_are_left_as_they_are_or_chosen():
    actions = two_arms(3)
    np.testing.assert_array_equal(JointSpace().convert(actions, None, 0), actions)
    chosen = JointSpace(columns=(15, 0)).convert(actions, None, 0)
    np.testing.assert_array_equal(chosen, actions[:, [15, 0]])
    with pytest.raises(UserError, match='16 columns'):
        JointSpace(columns=(16,)).convert(actions, None, 0)


def test_unknown_origins_and_wrong_widths_are_refused():
    with pytest.raises(UserError, match='did you mean'):
        EndEffectorSpace(origin='observe')
    with pytest.raises(UserError, match='needs 16'):
        EndEffectorSpace(origin='first_action').convert(np.zeros((4, 7)), None, 0)
