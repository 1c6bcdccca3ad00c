import os
import subprocess
import sys

import numpy as np
import pytest
from sim_harness import motor_targets

from flash_wam_ros.core import UserError
from flash_wam_ros.sim.cameras import CAMERA_NAMES, CameraRenderer, intrinsics
from flash_wam_ros.sim.tasks import TASKS
from flash_wam_ros.sim.world import World, WorldConfig

SIZE = 128
REDDEST_OF_TABLE = 60


@pytest.fixture(scope='module')
def world():
    return World(WorldConfig(task='red_bottle'))


@pytest.fixture(scope='module')
def renderer(world):
    with CameraRenderer(world, SIZE, SIZE) as renderer:
        yield renderer


def _colour_pixels(image, word):
    red, green, blue = image.astype(int).transpose(2, 0, 1)
    if word == 'red':
        return (red - np.maximum(green, blue) > REDDEST_OF_TABLE).sum()
    return ((np.minimum(red, green) - blue > REDDEST_OF_TABLE) & (abs(red - green) < 60)).sum()


def test_images_have_the_asked_size_and_are_not_blank(world, renderer):
    world.reset(1)
    for camera in CAMERA_NAMES:
        image = renderer.render(world, camera)
        assert image.shape == (SIZE, SIZE, 3)
        assert image.dtype == np.uint8
        assert image.std() > 10


def test_the_head_camera_shows_both_bottles_in_their_colours(world, renderer):
    for seed in range(10):
        world.reset(seed)
        image = renderer.render(world, 'head')
        assert _colour_pixels(image, 'red') > 40, f'seed {seed}'
        assert _colour_pixels(image, 'yellow') > 40, f'seed {seed}'


@pytest.mark.parametrize('side', ['left', 'right'])
def test_a_wrist_camera_sees_its_own_gripper_close(world, renderer, side):
    world.reset(1)
    before = renderer.render(world, f'{side}_wrist').astype(int)
    targets = motor_targets(world.state().q, np.zeros(2))
    for _ in range(200):
        world.step(targets)
    after = renderer.render(world, f'{side}_wrist').astype(int)
    changed = np.abs(after - before).max(axis=2) > 20
    assert changed[SIZE // 3 :].mean() > 0.02


@pytest.mark.parametrize('task', TASKS)
def test_a_snapshot_renders_the_identical_image_in_another_world(task):
    world, other = World(WorldConfig(task=task)), World(WorldConfig(task=task))
    world.reset(11)
    targets = motor_targets(world.state().q, np.zeros(2))
    for _ in range(101):
        world.step(targets)
    other.reset(12)
    other.restore(world.snapshot())
    with CameraRenderer(world, 64, 48) as one, CameraRenderer(other, 64, 48) as two:
        for camera in CAMERA_NAMES:
            np.testing.assert_array_equal(one.render(world, camera), two.render(other, camera))


def test_seeds_differ_in_looks(world, renderer):
    images = []
    for seed in (1, 2, 3):
        world.reset(seed)
        images.append(renderer.render(world, 'head').astype(int))
    for first, second in ((0, 1), (1, 2), (0, 2)):
        assert np.abs(images[first] - images[second]).mean() > 5


def test_intrinsics_put_a_point_where_the_picture_shows_it(world, renderer):
    world.reset(1)
    image = renderer.render(world, 'head').astype(int)
    red = image[..., 0] - image[..., 1:].max(axis=2) > REDDEST_OF_TABLE
    v_seen, u_seen = np.argwhere(red).mean(axis=0)
    number = world.model.camera('head').id
    middle = world.data.body('red_bottle').xpos + np.array([0.0, 0.0, 0.075])
    right, up, back = world.data.cam_xmat[number].reshape(3, 3).T @ (
        middle - world.data.cam_xpos[number]
    )
    u, v, depth = intrinsics('head', SIZE, SIZE) @ (right, -up, -back)
    assert u / depth == pytest.approx(u_seen, abs=3)
    assert v / depth == pytest.approx(v_seen, abs=5)


def test_intrinsics_scale_with_the_image():
    small, large = intrinsics('head', 128, 128), intrinsics('head', 256, 256)
    np.testing.assert_allclose(2 * small[:2], large[:2])


def test_bad_input_is_refused_in_one_line(world, renderer):
    with pytest.raises(UserError, match=r"unknown camera 'heat'; did you mean 'head'\?"):
        renderer.render(world, 'heat')
    with pytest.raises(UserError, match=r"unknown camera 'heat'; did you mean 'head'\?"):
        intrinsics('heat', 10, 10)
    with pytest.raises(UserError, match=r'image width 5000 outside \[8, 1280\] px'):
        CameraRenderer(world, 5000, 100)


def test_rendering_works_where_mujoco_was_imported_before_this_package():
    program = (
        'import mujoco\n'
        'from flash_wam_ros.sim.world import World, WorldConfig\n'
        'from flash_wam_ros.sim.cameras import CameraRenderer\n'
        "world = World(WorldConfig(task='red_bottle'))\n"
        "print(CameraRenderer(world, 64, 64).render(world, 'head').shape)\n"
    )
    environment = {k: v for k, v in os.environ.items() if k not in ('MUJOCO_GL', 'DISPLAY')}
    answer = subprocess.run(
        [sys.executable, '-c', program],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert answer.stdout == '(64, 64, 3)\n'


def test_a_machine_without_gl_is_told_which_packages_to_install():
    program = (
        'from flash_wam_ros.core import UserError\n'
        'from flash_wam_ros.sim.world import World, WorldConfig\n'
        'from flash_wam_ros.sim.cameras import CameraRenderer\n'
        'try:\n'
        "    CameraRenderer(World(WorldConfig(task='red_bottle')))\n"
        'except UserError as error:\n'
        '    print(error)\n'
    )
    environment = os.environ | {'__EGL_VENDOR_LIBRARY_FILENAMES': '/none', 'MUJOCO_GL': 'egl'}
    answer = subprocess.run(
        [sys.executable, '-c', program],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert answer.stdout.startswith('no GL for rendering (')
    assert 'libegl1 libegl-mesa0 libgl1-mesa-dri' in answer.stdout
    assert answer.stdout.count('\n') == 1
