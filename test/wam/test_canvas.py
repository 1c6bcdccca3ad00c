"""The laws of the canvas: composing and splitting undo each other; sizes are as published."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from flash_wam_ros.core import UserError
from flash_wam_ros.wam.canvas import (
    CanvasConfig,
    compose,
    image_from_pixels,
    pixels_from_image,
    split,
)

T_SHAPE = CanvasConfig(layout='t_shape', cameras=('head', 'left', 'right'), height=256, width=320)


def random_parts(canvas, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return {
        camera: torch.randn(5, 3, *canvas.latent_size(camera), generator=generator)
        for camera in canvas.cameras
    }


@st.composite
def canvases(draw):
    layout = draw(st.sampled_from(('t_shape', 'side_by_side', 'single')))
    count = {'t_shape': 3, 'single': 1}.get(layout) or draw(st.integers(2, 4))
    factor = draw(st.sampled_from((8, 16)))
    sides = st.integers(1, 4).map(lambda n: 2 * n * factor)
    return CanvasConfig(
        layout=layout,
        cameras=tuple(f'camera{index}' for index in range(count)),
        height=draw(sides),
        width=draw(sides),
        spatial_factor=factor,
    )


@given(canvases())
def test_splitting_undoes_composing(canvas):
    parts = random_parts(canvas)
    joined = compose(canvas, parts)
    assert joined.shape == (5, 3, *canvas.latent_hw)
    returned = split(canvas, joined)
    assert all(torch.equal(returned[camera], parts[camera]) for camera in canvas.cameras)


@given(canvases())
def test_composing_undoes_splitting_so_no_latent_is_left_out(canvas):
    joined = torch.randn(2, 1, *canvas.latent_hw)
    assert torch.equal(compose(canvas, split(canvas, joined)), joined)


@given(canvases())
def test_groups_hold_every_camera_once_and_only_equal_sizes(canvas):
    assert tuple(camera for group in canvas.groups for camera in group) == canvas.cameras
    assert all(
        len({canvas.pixel_size(camera) for camera in group}) == 1 for group in canvas.groups
    )


@given(canvases())
def test_a_canvas_survives_being_written_down(canvas):
    assert CanvasConfig.from_dict(canvas.to_dict()) == canvas


def test_the_wrists_stand_above_the_head_left_on_the_left():
    parts = {
        camera: torch.full((1, 1, *T_SHAPE.latent_size(camera)), float(number))
        for number, camera in enumerate(T_SHAPE.cameras)
    }
    canvas = compose(T_SHAPE, parts)[0, 0]
    assert torch.all(canvas[:8, :10] == 1)
    assert torch.all(canvas[:8, 10:] == 2)
    assert torch.all(canvas[8:] == 0)


@pytest.mark.parametrize(
    ('env', 'count', 'size', 'latent_hw'),
    [
        ('robotwin_tshape', 3, (256, 320), (24, 20)),
        ('none', 2, (128, 128), (8, 16)),
        ('none', 3, (224, 320), (14, 60)),
        ('none', 2, (256, 256), (16, 32)),
    ],
)
def test_published_canvases_have_their_published_sizes(env, count, size, latent_hw):
    canvas = CanvasConfig.from_published(env, [f'c{index}' for index in range(count)], *size)
    assert canvas.latent_hw == latent_hw


def test_an_image_of_the_right_size_is_scaled_and_nothing_else():
    image = np.random.default_rng(0).integers(0, 256, (6, 4, 3), dtype=np.uint8)
    pixels = pixels_from_image(image, (6, 4))
    assert torch.equal(pixels, torch.from_numpy(image).permute(2, 0, 1) / 255 * 2 - 1)
    assert np.array_equal(image_from_pixels(pixels), image)


def test_enlarging_interpolates_between_pixel_centres():
    image = np.array([[[0, 0, 0], [200, 100, 40]]], dtype=np.uint8)
    pixels = pixels_from_image(image, (1, 4))
    red = (pixels[0, 0] + 1) * 127.5
    torch.testing.assert_close(red, torch.tensor([0.0, 50.0, 150.0, 200.0]), rtol=0, atol=1e-4)


def test_shrinking_does_not_antialias():
    stripes = np.zeros((1, 8, 3), dtype=np.uint8)
    stripes[:, [3, 4]] = 255
    pixels = pixels_from_image(stripes, (1, 2))
    assert torch.all(pixels == -1), 'the two samples fall between black pixels'


def test_resizing_does_not_change_the_callers_image():
    image = np.zeros((4, 4, 3), dtype=np.uint8)
    image.setflags(write=False)
    pixels_from_image(image, (8, 8)).add_(1)
    assert not image.any()


@pytest.mark.parametrize(
    'image',
    [
        np.zeros((4, 4, 3), np.float32),
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
    ],
)
def test_an_image_of_another_type_or_shape_is_refused(image):
    with pytest.raises(UserError, match=r'expected uint8 \(H, W, 3\)'):
        pixels_from_image(image, (4, 4))


@pytest.mark.parametrize(
    ('change', 'line'),
    [
        ({'layout': 't-shape'}, "did you mean 't_shape'"),
        ({'cameras': ('head', 'left')}, 'has 2 cameras, expected 3'),
        ({'cameras': ('head', 'head', 'left')}, 'repeat'),
        ({'height': 240}, 'multiple of 32 px'),
        ({'width': 0}, 'multiple of 32 px'),
        ({'layout': 'single'}, 'has 3 cameras, expected 1'),
        ({'spatial_factor': 0}, 'must be >= 1'),
    ],
)
def test_a_canvas_that_cannot_be_is_refused(change, line):
    with pytest.raises(UserError, match=line):
        CanvasConfig(**{**T_SHAPE.to_dict(), 'cameras': T_SHAPE.cameras, **change})


def test_an_unknown_published_layout_is_refused():
    with pytest.raises(UserError, match="unknown env 'robotwin'"):
        CanvasConfig.from_published('robotwin', ['a'], 64, 64)


def test_a_missing_camera_is_named():
    parts = random_parts(T_SHAPE)
    del parts['left']
    with pytest.raises(UserError, match='cameras left are missing'):
        compose(T_SHAPE, parts)


def test_latents_of_another_size_are_refused():
    parts = random_parts(T_SHAPE) | {'left': torch.zeros(5, 3, 8, 8)}
    with pytest.raises(UserError, match='latents of left have shape'):
        compose(T_SHAPE, parts)
    with pytest.raises(UserError, match='canvas latents have shape'):
        split(T_SHAPE, torch.zeros(5, 3, 16, 20))
