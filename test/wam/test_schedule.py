"""Laws of schedules, flow steps, masks, positions and patches."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from flash_wam_ros.core import UserError
from flash_wam_ros.wam.config import ScheduleConfig
from flash_wam_ros.wam.embed import patchify, unpatchify
from flash_wam_ros.wam.flow import denoising_steps, update
from flash_wam_ros.wam.masks import training_mask
from flash_wam_ros.wam.rope import Rope, axis_dims, rope_table, rotate, video_grid
from flash_wam_ros.wam.schedule import InferenceSchedule, TrainingTable

SHIFTS = st.floats(0.05, 10)


@given(steps=st.integers(1, 60), shift=SHIFTS)
def test_noise_levels_fall_from_one_and_the_steps_end_at_zero(steps: int, shift: float) -> None:
    schedule = InferenceSchedule.make(steps, shift)
    # The published fp32 formula gives 1 but for rounding.
    assert schedule.sigmas[0].item() == pytest.approx(1, abs=3e-6)
    assert bool((schedule.sigmas.diff() < 0).all())
    assert math.isclose(sum(schedule.deltas()), -1, abs_tol=3e-6)


@given(steps=st.integers(1, 60), shift=SHIFTS)
def test_euler_steps_of_a_straight_flow_reach_the_data(steps: int, shift: float) -> None:
    data, noise = torch.randn(5), torch.randn(5)
    x = noise.clone()
    for step in denoising_steps(ScheduleConfig(steps=steps, shift=shift)):
        update(x, noise - data, step)
    torch.testing.assert_close(x, data, atol=1e-4, rtol=1e-4)


def test_one_step_with_the_consistency_head_is_the_trained_function() -> None:
    """At sigma 1: c_skip = 0.2 and c_out = 0.44721 (sigma_data 0.5)."""
    noise, velocity = torch.randn(5), torch.randn(5)
    x = noise.clone()
    update(x, velocity, denoising_steps(ScheduleConfig(steps=1, shift=5.0), 'consistency')[0])
    torch.testing.assert_close(x, 0.2 * noise + 0.44721 * (noise - velocity), atol=1e-4, rtol=0)


@pytest.mark.parametrize(('shift', 'peak'), [(5.0, 2.076), (1.0, 1.580), (0.05, 3.840)])
def test_training_weights_have_mean_one_the_published_peak_and_no_weight_on_noise(
    shift: float, peak: float
) -> None:
    table = TrainingTable.make(shift)
    assert table.weights.mean().item() == pytest.approx(1, abs=1e-5)
    assert table.weights.max().item() == pytest.approx(peak, abs=1e-3)
    assert table.weights[0] == 0
    assert torch.equal(table.weight_of(table.timesteps[[0, 17, 999]]), table.weights[[0, 17, 999]])


@pytest.mark.parametrize('shift', [0.0, -1.0, math.nan, math.inf])
def test_a_shift_that_is_no_positive_number_is_refused(shift: float) -> None:
    with pytest.raises(UserError, match='expected a finite number > 0'):
        InferenceSchedule.make(3, shift)
    with pytest.raises(UserError, match='expected a finite number > 0'):
        ScheduleConfig(steps=3, shift=shift)


@given(
    frames=st.integers(1, 6), video=st.integers(1, 3), action=st.integers(1, 3),
    chunk=st.integers(1, 4), window=st.integers(1, 8),
)  # fmt: skip
def test_who_sees_whom_in_training(
    frames: int, video: int, action: int, chunk: int, window: int
) -> None:
    mask = training_mask(frames, video, action, chunk, window)
    v, a = frames * video, frames * action
    noisy_v, clean_v, noisy_a, clean_a = mask.split([v, v, a, a], 1)
    rows = dict(
        zip(('noisy_v', 'clean_v', 'noisy_a', 'clean_a'), mask.split([v, v, a, a]), strict=True)
    )
    assert bool(mask.diagonal().all()), 'every token sees itself'
    assert not rows['clean_v'][:, :v].any(), 'history never sees noise'
    assert not rows['clean_a'][:, 2 * v : 2 * v + a].any()
    assert not noisy_a[: 2 * v].any(), 'video never sees noisy actions'
    assert not clean_v[:video].any(), 'the first noisy chunk has no history'
    own = noisy_v[:video].sum(1)
    assert bool((own == min(chunk, frames) * video).all()), 'a chunk is denoised as a whole'
    if window >= 1:
        seen = rows['noisy_a'][:, v : 2 * v]
        assert bool(seen[:action, : min(chunk, frames) * video].all()), 'inverse dynamics'
    assert not rows['clean_v'][:, 2 * v + a :][: chunk * video, : chunk * action].any()
    assert bool(clean_a[-1].any())


@given(rows=st.integers(1, 4), columns=st.integers(1, 4), frames=st.integers(1, 3))
def test_patches_cover_every_latent_pixel_once(rows: int, columns: int, frames: int) -> None:
    latents = torch.randn(2, 3, frames, 2 * rows, 2 * columns)
    tokens = patchify(latents, (1, 2, 2))
    assert tokens.shape == (2, frames * rows * columns, 12)
    # Heads put the channel last, inputs put it first.
    heads = tokens.unflatten(-1, (3, 4)).transpose(-1, -2).flatten(-2)
    assert torch.equal(unpatchify(heads, frames, rows, columns, (1, 2, 2)), latents)


def test_rotations_keep_lengths_and_depend_on_distance_alone() -> None:
    query, key = torch.randn(1, 6, 1, 32), torch.randn(1, 6, 1, 32)
    same = [vector[:, :1].expand(-1, 6, -1, -1) for vector in (query, key)]
    products = []
    for shift in (0, 5):
        rope = rope_table(video_grid(6, 1, 1, shift), 32)
        turned = [rotate(vector, rope) for vector in same]
        torch.testing.assert_close(turned[0].norm(dim=-1), same[0].norm(dim=-1))
        products.append(turned[0][0, :, 0] @ turned[1][0, :, 0].T)
    torch.testing.assert_close(*products, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(products[0].diagonal(1), products[0].diagonal(1)[:1].expand(5))


def test_position_zero_turns_nothing() -> None:
    x = torch.randn(1, 1, 2, 32)
    rope = rope_table(torch.zeros(4, 1), 32)
    assert isinstance(rope, Rope)
    assert torch.equal(rotate(x, rope), x)


def test_a_head_of_128_splits_into_44_42_42() -> None:
    assert axis_dims(128) == (44, 42, 42)
