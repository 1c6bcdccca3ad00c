"""Real episodes of the quickest task, as a collection makes them."""

from pathlib import Path

import mink
import numpy as np
import pytest

from flash_wam_ros.collect import features as keys
from flash_wam_ros.collect.disturbance import DisturbanceConfig
from flash_wam_ros.collect.seeds import FIRST_DEMONSTRATION_SEED
from flash_wam_ros.collect.turns import TurnsConfig
from flash_wam_ros.collect.worker import Job, Workshop
from flash_wam_ros.data.lerobot import DatasetInfo
from flash_wam_ros.data.lerobot.staging import read_staged
from flash_wam_ros.robots.g1_layout import POLICY
from flash_wam_ros.sim.cameras import CAMERA_NAMES
from flash_wam_ros.sim.gripper import TIP_X_M
from flash_wam_ros.sim.tasks import TASKS, WORDINGS
from flash_wam_ros.sim.tasks.around_the_post import BALL_RADIUS_M

TASK = 'around_the_post'
SEED = FIRST_DEMONSTRATION_SEED
BURSTS = DisturbanceConfig(
    pause_min_s=1.0, pause_max_s=1.2, burst_min_s=0.5, burst_max_s=0.7, offset_min_rad=0.03
)
# The controller's filter smooths what it sends: it is late by some hundredths of a second.
LATE_S, NEAR_RAD = 0.07, 0.015
FASTEST_RAD_S = 1.5
MODEL = Path('models/g1-tiny/teacher')
AFTERMATH = 2  # frames in which the filter still lets a burst be seen
VECTORS = tuple(name for name, feature in keys.features(TASK).items() if not feature.is_camera)


def _recorded(folder, disturbance, task=TASK, **learner):
    info = DatasetInfo(
        fps=keys.FPS, features=keys.features(task), episode_fields=keys.EPISODE_FIELDS
    )
    workshop = Workshop(
        Job(task=task, info=info, folder=folder, disturbance=disturbance, **learner)
    )
    try:
        return workshop.attempt(SEED), workshop.demonstrator.demonstration()
    finally:
        workshop.close()


@pytest.fixture(scope='module')
def quiet(tmp_path_factory):
    return _recorded(tmp_path_factory.mktemp('quiet'), None)


@pytest.fixture(scope='module')
def disturbed(tmp_path_factory):
    return _recorded(tmp_path_factory.mktemp('disturbed'), BURSTS)


@pytest.fixture(scope='module')
def shared(tmp_path_factory):
    """An episode that the model which ships and the expert share."""
    folder = tmp_path_factory.mktemp('shared')
    model = {'learner': str(MODEL), 'sampling': '1v1a+t0'}
    return _recorded(folder, None, task='red_bottle', **model)


def _apart(shown):
    """Return (T,) how far executed and expert are apart beyond what the delay explains."""
    expert, executed = shown.vectors[keys.EXPERT_KEY], shown.vectors[keys.EXECUTED_KEY]
    speed = np.abs(np.gradient(expert[:, :14], 1 / keys.FPS, axis=0))
    beyond = np.abs(executed - expert)[:, :14] - LATE_S * speed
    return beyond.max(axis=1)


def _in_burst(shown):
    """Return (T,) whether a burst acts, or did a moment ago."""
    acting = np.abs(shown.vectors[keys.DISTURBANCE_KEY]).max(axis=1) > 0
    return np.array([acting[max(0, t - AFTERMATH) : t + 1].any() for t in range(len(acting))])


def test_an_undisturbed_expert_does_what_it_should(quiet):
    _, shown = quiet
    assert shown.bursts == 0
    assert not shown.vectors[keys.DISTURBANCE_KEY].any()
    assert _apart(shown).max() < NEAR_RAD


def test_executed_and_expert_are_apart_in_bursts_and_only_there(disturbed):
    _, shown = disturbed
    in_burst, apart = _in_burst(shown), _apart(shown)
    assert shown.bursts >= 1
    assert 0 < in_burst.sum() < len(in_burst)
    assert apart[~in_burst].max() < NEAR_RAD
    assert apart[in_burst].max() > BURSTS.offset_min_rad / 2


def test_a_burst_is_in_what_was_executed_and_not_in_the_label(disturbed):
    _, shown = disturbed
    offset = shown.vectors[keys.DISTURBANCE_KEY][:, :14]
    pushed = np.abs(offset).max(axis=1) > BURSTS.offset_min_rad / 2
    difference = (shown.vectors[keys.EXECUTED_KEY] - shown.vectors[keys.EXPERT_KEY])[:, :14]
    slope = float((difference[pushed] * offset[pushed]).sum() / (offset[pushed] ** 2).sum())
    assert slope == pytest.approx(1.0, abs=0.25)


def test_a_row_of_actions_leads_to_the_next_frame(quiet):
    _, shown = quiet
    state, executed = shown.vectors[keys.STATE_KEY], shown.vectors[keys.EXECUTED_KEY]
    moving = np.abs(np.diff(state[:, 7:14], axis=0)).max(axis=1) > 0.03
    same, following = (
        np.abs(executed[:-1, 7:14] - seen[:, 7:14]).mean(axis=1)[moving].mean()
        for seen in (state[:-1], state[1:])
    )
    assert moving.any()
    assert following < 0.6 * same


def test_every_declared_number_is_recorded_for_every_frame(disturbed):
    attempt, shown = disturbed
    staged = read_staged(attempt.folder)
    assert set(shown.vectors) == set(VECTORS)
    for name, values in shown.vectors.items():
        assert values.shape == (staged.length, *keys.features(TASK)[name].shape)
        assert np.isfinite(values).all()
    assert staged.fields['seed'] == SEED
    assert staged.fields['bursts'] == shown.bursts
    assert staged.tasks[0] in WORDINGS[TASK].trained
    for camera in keys.CAMERAS:
        assert staged.video(f'{keys.IMAGE_PREFIX}{camera}').is_file()


def test_the_recorded_poses_put_the_fingertips_at_the_ball(quiet):
    _, shown = quiet
    pose = shown.vectors[keys.END_EFFECTOR_KEY][-1, 8:15].astype(float)
    tips = mink.SO3(pose[3:]).apply(np.array([TIP_X_M, 0.0, 0.0])) + pose[:3]
    ball = shown.vectors[f'{keys.PRIVILEGED_PREFIX}ball'][-1, :3]
    assert np.linalg.norm(tips - ball - [0.0, 0.0, BALL_RADIUS_M]) < 0.03


def test_the_gripper_stands_behind_its_hands_pose(quiet):
    _, shown = quiet
    hands, state = shown.vectors[keys.END_EFFECTOR_KEY], shown.vectors[keys.STATE_KEY]
    np.testing.assert_array_equal(hands[:, [7, 15]], state[:, 14:])
    assert hands[0, 15] > 0.03 > 0.003 > hands[-1, 15]  # the task closes the right jaws


def test_an_episode_goes_on_a_little_after_its_success(quiet):
    _, shown = quiet
    ball = shown.vectors[f'{keys.PRIVILEGED_PREFIX}ball'][0, :3]
    away = np.linalg.norm(shown.vectors[keys.END_EFFECTOR_KEY][:, 8:11] - ball, axis=1)
    arrived = int(np.argmax(away < away.min() + 0.01))
    held_s = (len(away) - arrived) / keys.FPS
    assert held_s >= 1.2  # half a second makes the success, 0.8 follow


def test_only_what_the_expert_does_is_labelled(shared, disturbed):
    attempt, shown = shared
    labelled = shown.vectors[keys.LABELLED_KEY][:, 0]
    assert set(labelled) == {0.0, 1.0}
    model = labelled == 0.0
    expert, executed = shown.vectors[keys.EXPERT_KEY], shown.vectors[keys.EXECUTED_KEY]
    np.testing.assert_array_equal(expert[model], executed[model])
    assert (expert[~model] != executed[~model]).any()
    assert disturbed[1].vectors[keys.LABELLED_KEY].all()
    assert attempt.folder is not None, attempt.reason


def test_the_expert_takes_over_without_a_jump(shared):
    """The first wanted step after a turn of the model is no longer than the arm ever makes."""
    _, shown = shared
    labelled = shown.vectors[keys.LABELLED_KEY][:, 0].astype(bool)
    taken = np.flatnonzero(labelled[1:] & ~labelled[:-1]) + 1
    assert len(taken)
    step = shown.vectors[keys.EXPERT_KEY][taken] - shown.vectors[keys.EXECUTED_KEY][taken - 1]
    assert np.abs(step[:, :14]).max() < FASTEST_RAD_S / keys.FPS


def test_an_episode_that_the_model_does_alone_is_kept_without_lessons(tmp_path):
    model = {'learner': str(MODEL), 'sampling': '1v1a+t0'}
    endless = TurnsConfig(learner_min_s=60.0, learner_max_s=60.0)
    # With this seed the model begins.
    attempt, shown = _recorded(tmp_path, None, task='red_bottle', turns=endless, **model)
    assert attempt.folder is not None, attempt.reason
    assert not shown.vectors[keys.LABELLED_KEY].any()
    np.testing.assert_array_equal(shown.vectors[keys.EXPERT_KEY], shown.vectors[keys.EXECUTED_KEY])


def test_every_task_is_filmed_by_all_cameras():
    for task in TASKS:
        features = keys.features(task)
        assert features[keys.EXPERT_KEY].names == POLICY.names
        for camera in CAMERA_NAMES:
            assert f'{keys.IMAGE_PREFIX}{camera}' in features
