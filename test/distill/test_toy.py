"""The toy world is what it claims to be, and the recipes order on it as they should."""

from pathlib import Path

import pytest
import torch

from flash_wam_ros.cli.main import main
from flash_wam_ros.distill.consistency import LinearGradientScaling, VariancePreserving
from flash_wam_ros.distill.noising import LevelConfig, draw_noised
from flash_wam_ros.distill.recipes import RECIPES
from flash_wam_ros.distill.toy.measure import Examination, euler_sampler
from flash_wam_ros.distill.toy.network import ToyNetwork
from flash_wam_ros.distill.toy.page import BEGIN, END, put_into, study_page
from flash_wam_ros.distill.toy.study import (
    StudyConfig,
    batches,
    distil,
    run_study,
    score_student,
    train_teacher,
)
from flash_wam_ros.distill.toy.table import gap_closed, interval
from flash_wam_ros.distill.toy.world import ExactNetwork, Mixture, draw_windows
from flash_wam_ros.distill.train.seeding import generator
from flash_wam_ros.distill.window import Velocities

SMALL = StudyConfig(teacher_steps=250, student_steps=120, windows=4096)
QUICK = StudyConfig(teacher_steps=2, student_steps=1, windows=64, examined=16)


@pytest.fixture(scope='module')
def examination() -> Examination:
    return Examination(windows=512)


@pytest.mark.parametrize('sigma', [0.05, 0.4, 0.9])
def test_the_exact_velocity_is_the_conditional_mean(sigma: float) -> None:
    """Against a self-normalised average over a million draws of the mixture."""
    means = torch.tensor([[1.0, 0.0], [-1.0, 0.5]], dtype=torch.float64)
    mixture = Mixture(weights=torch.tensor([0.7, 0.3], dtype=torch.float64), means=means, std=0.4)
    x = torch.tensor([0.3, -0.2], dtype=torch.float64)
    many = means.expand(1_000_000, -1, -1).float()
    x0 = Mixture(weights=mixture.weights.float(), means=many, std=0.4).sample(generator(1))
    noise = (x - (1 - sigma) * x0) / sigma
    likelihood = torch.softmax(-0.5 * noise.square().sum(-1), 0)
    expected = (likelihood[:, None] * (noise - x0)).sum(0)
    exact = mixture.velocity(x, torch.full((2,), sigma, dtype=torch.float64))
    torch.testing.assert_close(exact, expected, atol=0.03, rtol=0.03)


def test_no_other_velocity_has_a_smaller_flow_matching_error() -> None:
    sample = draw_noised(draw_windows(4000, generator(1)), LevelConfig().tables(), generator(2))
    exact = ExactNetwork()(sample.window)

    def error(velocity: Velocities) -> float:
        video = (velocity.video - sample.video_velocity).square().mean()
        return float(video + (velocity.action - sample.action_velocity).square().mean())

    for scale, shift in ((0.95, 0.0), (1.05, 0.0), (1.0, 0.05), (1.0, -0.05)):
        other = Velocities(exact.video * scale + shift, exact.action * scale + shift)
        assert error(other) > error(exact)


def test_the_exact_flow_carries_noise_to_the_world(examination: Examination) -> None:
    video, action = (euler_sampler(ExactNetwork(), 128, action=a) for a in (False, True))
    scores = examination.score(video, action)
    assert scores.distance < 1.5 * examination.floor()
    assert scores.action_error < 0.01


def test_few_euler_steps_are_the_worse_the_fewer_they_are(examination: Examination) -> None:
    errors = [
        examination.score(
            *(euler_sampler(ExactNetwork(), steps, action=a) for a in (False, True))
        ).action_error
        for steps in (1, 2, 16)
    ]
    assert errors[0] > 1.5 * errors[1] > 1.5 * errors[2]


@pytest.mark.parametrize('f', [VariancePreserving(), LinearGradientScaling()])
def test_the_gradient_that_reaches_a_network_is_scaled_by_b(f) -> None:
    """The head's bias adds to v, so its gradient is df/dv summed: b(sigma) for every output."""
    torch.manual_seed(0)
    network = ToyNetwork()
    sample = draw_noised(draw_windows(1, generator(1)), LevelConfig().tables(), generator(2))
    action = sample.window.action
    out = f(action.noisy, action.sigma, network(sample.window).action)
    network.zero_grad()
    out[0, 0, 3, 1, 0].backward()
    measured = network.action_out.bias.grad.abs().sum()
    expected = f.gradient_scale(action.sigma[0, 0, 3, 0, 0])
    torch.testing.assert_close(measured, expected)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_sampled_by_euler_flash_wam_beats_naive_joint_and_on_policy_beats_both(
    examination: Examination,
) -> None:
    """Paired by seed; the 95 % interval of the difference excludes zero."""
    errors: dict[str, list[float]] = {'flash_wam': [], 'naive_joint': [], 'on_policy': []}
    distances: dict[str, list[float]] = {name: [] for name in errors}
    for seed in range(3):
        batch_of = batches(SMALL, seed)
        teacher = train_teacher(SMALL, seed, batch_of, lambda what: None)
        for name in errors:
            student = distil(name, teacher, SMALL, seed, batch_of, lambda what: None)
            scores = score_student(name, student, examination)['euler']
            errors[name].append(scores.action_error)
            distances[name].append(scores.distance)
    pairs = (
        (errors['naive_joint'], errors['flash_wam']),
        (distances['flash_wam'], distances['on_policy']),
    )
    for worse, better in pairs:
        mean, half = interval([w - b for w, b in zip(worse, better, strict=True)])
        assert mean > half, (worse, better)


def test_a_study_covers_every_recipe_and_goes_on_where_it_stopped(tmp_path: Path) -> None:
    ticks: list[str] = []
    results = run_study(tmp_path, list(RECIPES), 1, QUICK, ticks.append)
    assert set(ticks) == {'teacher', *(n for n, r in RECIPES.items() if r.trains)}
    assert set(results[0]) == {'teacher', *RECIPES}
    again = run_study(tmp_path, list(RECIPES), 1, QUICK, lambda what: pytest.fail(what))
    assert again == results


def test_the_page_takes_its_numbers_and_its_words_from_the_results() -> None:
    def row(action: float, distance: float) -> dict[str, dict[str, float]]:
        scores = {'action_error': action, 'video_error': 0.5, 'distance': distance}
        return {'own': scores, 'euler': scores, 'euler_1v2a': scores}

    results = {
        seed: {
            'teacher': row(0.1, 0.1),
            'flash_wam': row(0.5 + seed / 100, 0.5 + seed / 100),
            'naive_joint': row(0.7, 0.7),
            'on_policy': row(0.2, 0.2),
            'flow_map': row(0.45, 0.45),
        }
        for seed in range(3)
    }
    page = study_page(results, list(results[0])[1:], StudyConfig(), 0.05, 'flash-wam distill toy')
    assert '0.510 ± 0.025' in page
    assert '`flash_wam` is better' in page
    assert '`on_policy` closes at least half' in page
    assert '`flow_map` closes less than half' in page
    assert gap_closed(results, 'on_policy', 'distance')[0] == pytest.approx(0.756, abs=0.01)


def test_the_interval_is_students() -> None:
    mean, half = interval([1.0, 2.0, 3.0])
    assert (mean, half) == (2.0, pytest.approx(4.303 / 3**0.5, abs=1e-3))


def test_an_unknown_recipe_is_refused_with_its_remedy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(['distill', 'toy', '--recipes', 'flash_wm', '--out', str(tmp_path)]) == 2
    assert "did you mean 'flash_wam'" in capsys.readouterr().err


def test_the_tables_replace_only_what_stands_between_the_marks() -> None:
    whole = f'# Title\n\n{BEGIN}\nold\n{END}\nafter\n'
    once = put_into(whole, 'new\n')
    assert once == f'# Title\n\n{BEGIN}\nnew\n{END}\nafter\n'
    assert put_into(once, 'new\n') == once
    assert put_into('# Title\n', 'new\n') == f'# Title\n\n{BEGIN}\nnew\n{END}\n'
