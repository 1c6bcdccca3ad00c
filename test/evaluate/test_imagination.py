import numpy as np
import pytest

from flash_wam_ros.core import ActionChunk, Observation, ns_from_s
from flash_wam_ros.evaluate.imagination import (
    Comparison,
    Foreseer,
    Judge,
    mosaic,
    similarity,
    table,
)
from flash_wam_ros.policy.protocol import PolicyOutput, Prediction, SentCommands
from flash_wam_ros.robots.g1_layout import POLICY, STATE

SIZE = 32
NOTHING = SentCommands(stamps_ns=np.empty(0, np.int64), q=np.empty((0, len(POLICY))))


def picture(column: int) -> np.ndarray:
    """Return a grey picture with a white bar."""
    image = np.full((SIZE, SIZE, 3), 90, np.uint8)
    image[:, column : column + 4] = 255
    return image


def compared(imagined: np.ndarray, horizon_s: float = 0.4) -> Comparison:
    return Comparison(
        horizon_s=horizon_s, camera='head', last=picture(2), true=picture(10), imagined=imagined
    )


def row(imagined: np.ndarray) -> dict:
    judge = Judge(lambda image, camera: image)
    judge(compared(imagined))
    (only,) = table([judge.take()])
    return only


def test_a_true_imagination_is_perfect_and_a_copy_is_not() -> None:
    found = row(picture(10))
    assert found['ssim_imagined'] == pytest.approx(1.0)
    assert found['psnr_imagined_db'] > 100 > 20 > found['psnr_copied_db']
    assert found['ssim_copied'] < 0.9


def test_imagining_that_nothing_moves_is_no_better_and_no_worse_than_a_copy() -> None:
    found = row(picture(2))
    assert found['psnr_imagined_db'] == found['psnr_copied_db']
    assert found['ssim_imagined'] == found['ssim_copied']


def test_motion_imagined_where_there_was_none_counts_against_it() -> None:
    still, wrong = picture(2), picture(20)
    judge = Judge(lambda image, camera: image)
    judge(Comparison(horizon_s=0.4, camera='head', last=still, true=still, imagined=wrong))
    (found,) = table([judge.take()])
    assert found['psnr_imagined_db'] < 20 < found['psnr_copied_db']


def test_pictures_without_motion_are_not_counted() -> None:
    judge = Judge(lambda image, camera: image)
    still = picture(2)
    judge(Comparison(horizon_s=0.4, camera='head', last=still, true=still, imagined=still))
    assert judge.take() == {}


def test_the_gain_over_copying_has_an_interval_over_episodes() -> None:
    judge = Judge(lambda image, camera: image)
    episodes = []
    for column in (9, 11, 12, 20):
        judge(compared(picture(column)))
        episodes.append(judge.take())
    (found,) = table(episodes)
    gain_db = found['psnr_imagined_db'] - found['psnr_copied_db']
    assert found['gain_low_db'] < gain_db < found['gain_high_db']
    assert found['pixels'] == sum(sums['head@0.4']['pixels'] for sums in episodes)


def test_similarity_is_one_for_equal_pictures_and_falls_with_noise() -> None:
    image = picture(8)
    noise = np.random.default_rng(0).integers(-40, 40, image.shape)
    noisy = (image + noise).clip(0, 255).astype(np.uint8)
    assert similarity(image, image) == pytest.approx(1.0)
    assert similarity(image, noisy).mean() < 0.7


def test_a_mosaic_has_a_row_a_comparison_and_four_pictures_a_row() -> None:
    shown = mosaic([compared(picture(9)), compared(picture(11))], scale=2)
    assert shown.shape == (2 * 2 * SIZE, 2 * 4 * SIZE, 3)


class _Clairvoyant:
    """Imagines a bar that moves a column each 0.1 s; held in pairs, as a video codec does."""

    cameras, privileged, replan_s = ('head',), False, 0.4

    def reset(self, instruction: str, seed: int = 0) -> None:
        pass

    def step(self, observations, sent) -> PolicyOutput:
        start = round(observations[-1].stamp_ns / ns_from_s(0.1))
        frames = np.stack([picture(start + k) for k in (2, 2, 4, 4)])
        stamp_ns = observations[-1].stamp_ns
        chunk = ActionChunk(
            stamp_ns=stamp_ns, layout=POLICY, times_s=np.array([0.1]), q=np.zeros((1, len(POLICY)))
        )
        times_s = np.array([0.1, 0.2, 0.3, 0.4])
        return PolicyOutput(
            chunk=chunk, prediction=Prediction(times_s=times_s, decode=lambda: {'head': frames})
        )


def seen(tenth: int) -> Observation:
    still = np.zeros(len(STATE))
    return Observation(
        stamp_ns=ns_from_s(tenth / 10),
        images={'head': picture(tenth)},
        layout=STATE,
        q=still,
        dq=still,
    )


def test_each_imagined_picture_meets_the_picture_of_its_time() -> None:
    found: list[Comparison] = []
    policy = Foreseer(_Clairvoyant(), found.append)
    policy.reset('watch the bar')
    policy.step([seen(0)], NOTHING)
    policy.step([seen(tenth) for tenth in (1, 2, 3, 4)], NOTHING)
    assert [each.horizon_s for each in found] == [0.2, 0.4]  # held pictures count once
    for each in found:
        np.testing.assert_array_equal(each.true, each.imagined)
        np.testing.assert_array_equal(each.last, picture(0))


def test_what_is_imagined_small_is_compared_in_its_own_size() -> None:
    class Small(_Clairvoyant):
        def step(self, observations, sent) -> PolicyOutput:
            output = super().step(observations, sent)
            times_s, frames = output.prediction.times_s, output.prediction.decode()['head']
            halves = frames.reshape(4, SIZE // 2, 2, SIZE // 2, 2, 3).mean((2, 4)).round()
            small = {'head': halves.astype(np.uint8)}
            prediction = Prediction(times_s=times_s, decode=lambda: small)
            return PolicyOutput(chunk=output.chunk, prediction=prediction)

    found: list[Comparison] = []
    policy = Foreseer(Small(), found.append)
    policy.reset('watch the bar')
    policy.step([seen(0)], NOTHING)
    policy.step([seen(tenth) for tenth in (1, 2, 3, 4)], NOTHING)
    assert len(found) == 2
    for each in found:
        assert each.last.shape == each.true.shape == (SIZE // 2, SIZE // 2, 3)
        assert np.abs(each.true.astype(int) - each.imagined).max() <= 1
        assert each.moved.any()
    large = compared(picture(9))
    assert mosaic([found[0], large]).shape == (2 * SIZE, 4 * SIZE, 3)


def test_an_episode_is_not_compared_with_the_one_before() -> None:
    found: list[Comparison] = []
    policy = Foreseer(_Clairvoyant(), found.append)
    policy.reset('watch the bar')
    policy.step([seen(0)], NOTHING)
    policy.reset('watch it again')
    policy.step([seen(4)], NOTHING)
    assert found == []
