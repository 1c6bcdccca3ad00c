"""Laws of the consistency functions."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from flash_wam_ros.core import UserError
from flash_wam_ros.distill.consistency import (
    ConsistencyFunction,
    LinearGradientScaling,
    VariancePreserving,
)

FUNCTIONS = [VariancePreserving(), VariancePreserving(sigma_data=1.3), LinearGradientScaling()]
SMALL = torch.logspace(-6, -3, 13, dtype=torch.float64)
ids = [type(f).__name__ + str(i) for i, f in enumerate(FUNCTIONS)]
each_function = pytest.mark.parametrize('f', FUNCTIONS, ids=ids)


def gaussian_flow(sigma: torch.Tensor, z: torch.Tensor, mean: float, std: float):
    """Return x and v on the exact probability-flow path of N(mean, std^2) data through z."""
    scale = ((1 - sigma) ** 2 * std**2 + sigma**2).sqrt()
    x = (1 - sigma) * mean + scale * z
    v = -mean + (sigma - (1 - sigma) * std**2) / scale * z
    return x, v


@each_function
def test_a_clean_sample_is_left_alone(f: ConsistencyFunction) -> None:
    x, v = torch.randn(5, dtype=torch.float64), torch.randn(5, dtype=torch.float64)
    assert torch.equal(f(x, torch.zeros(5, dtype=torch.float64), v), x)


@each_function
@given(sigma=st.floats(1e-6, 1.0), x=st.floats(-9, 9), v=st.floats(-9, 9))
def test_the_gradient_of_autograd_is_the_stated_scale(
    f: ConsistencyFunction, sigma: float, x: float, v: float
) -> None:
    level = torch.tensor(sigma, dtype=torch.float64)
    velocity = torch.tensor(v, dtype=torch.float64, requires_grad=True)
    f(torch.tensor(x, dtype=torch.float64), level, velocity).backward()
    assert velocity.grad is not None
    assert velocity.grad.item() == pytest.approx(f.b(level).item(), abs=1e-12)
    assert abs(velocity.grad.item()) == pytest.approx(f.gradient_scale(level).item(), abs=1e-12)


@each_function
def test_no_gradient_decays_slower_than_sigma(f: ConsistencyFunction) -> None:
    assert (f.gradient_scale(SMALL) <= SMALL * (1 + 1e-9)).all()


def test_linear_scaling_attains_the_slowest_decay() -> None:
    torch.testing.assert_close(LinearGradientScaling().gradient_scale(SMALL), SMALL)


@pytest.mark.parametrize('sigma_data', [0.1, 0.5, 2.0])
def test_the_variance_preserving_gradient_decays_quadratically(sigma_data: float) -> None:
    scale = VariancePreserving(sigma_data=sigma_data).gradient_scale(SMALL)
    torch.testing.assert_close(scale / SMALL**2, torch.ones_like(SMALL), rtol=1e-3, atol=0)


@pytest.mark.parametrize(
    ('sigma', 'c_skip', 'c_out'),
    [
        (1.0, 0.2, 0.44721),
        (0.8333, 0.26472, 0.42874),
        (0.5, 0.5, 0.35355),
        (0.1, 0.96154, 0.09806),
    ],
)
def test_the_variance_preserving_coefficients_are_the_published_ones(
    sigma: float, c_skip: float, c_out: float
) -> None:
    f, level = VariancePreserving(), torch.tensor(sigma)
    assert f.c_skip(level).item() == pytest.approx(c_skip, abs=2e-5)
    assert f.c_out(level).item() == pytest.approx(c_out, abs=2e-5)


@each_function
def test_the_exact_solution_of_a_linear_flow_is_self_consistent(f: ConsistencyFunction) -> None:
    """The velocity that makes f the solution exists, is bounded, and gives one x0 on a path."""
    sigma = torch.linspace(0.01, 1, 50, dtype=torch.float64)
    mean, std, z = 0.7, 0.3, 1.2
    x, _ = gaussian_flow(sigma, torch.tensor(z, dtype=torch.float64), mean, std)
    x0 = mean + std * z
    v_star = (x0 - f.a(sigma) * x) / f.b(sigma)
    torch.testing.assert_close(f(x, sigma, v_star), torch.full_like(x, x0))
    ends = gaussian_flow(torch.zeros(1), torch.tensor(z), mean, std)[0]
    assert ends.item() == pytest.approx(x0)


def test_the_velocity_of_the_linear_flow_is_its_time_derivative() -> None:
    sigma = torch.linspace(0.05, 0.95, 19, dtype=torch.float64, requires_grad=True)
    z = torch.tensor(-0.4, dtype=torch.float64)
    x, v = gaussian_flow(sigma, z, 0.7, 0.3)
    (slope,) = torch.autograd.grad(x.sum(), sigma)
    torch.testing.assert_close(slope, v)


def test_on_straight_paths_only_linear_scaling_solves_with_the_teachers_own_velocity() -> None:
    sigma = torch.linspace(0.01, 1, 50, dtype=torch.float64)
    x, v = gaussian_flow(sigma, torch.tensor(0.9, dtype=torch.float64), 0.7, 0.0)
    torch.testing.assert_close(LinearGradientScaling()(x, sigma, v), torch.full_like(x, 0.7))
    assert VariancePreserving()(x, sigma, v).std() > 0.05


@pytest.mark.parametrize('sigma_data', [0.0, -1.0, float('nan'), float('inf')])
def test_a_sigma_data_that_is_no_deviation_is_refused(sigma_data: float) -> None:
    with pytest.raises(UserError, match='sigma_data'):
        VariancePreserving(sigma_data=sigma_data)
