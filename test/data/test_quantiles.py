"""Quantiles by radix selection are numpy's, whatever the numbers and the blocks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from flash_wam_ros.data.quantiles import exact_quantiles

LEVELS = (0.0, 0.01, 0.25, 0.5, 0.99, 1.0)
FINITE = st.floats(-(2.0**100), 2.0**100, width=32, allow_nan=False, allow_infinity=False)


def split(values, count):
    return lambda: (block for block in np.array_split(values, count) if len(block))


@given(
    arrays(np.float32, array_shapes(min_dims=2, max_dims=2, max_side=40), elements=FINITE),
    st.integers(1, 5),
)
@settings(max_examples=60, deadline=None)
def test_any_numbers_in_any_blocks_give_numpys_quantiles(values, count):
    found = exact_quantiles(split(values, count), LEVELS)
    expected = np.quantile(values.astype(np.float64), LEVELS, axis=0)
    scale = np.abs(values).max() + 1e-30
    np.testing.assert_allclose(found / scale, expected / scale, atol=1e-12)


def test_a_million_rows_of_hard_distributions_are_exact():
    rng = np.random.default_rng(0)
    rows = 1_000_000
    values = np.stack(
        [
            rng.normal(size=rows),
            rng.choice([0.0, 1.0], size=rows, p=[0.985, 0.015]),
            np.exp(10 * rng.normal(size=rows)),
            np.full(rows, -0.25),
        ],
        axis=1,
    ).astype(np.float32)
    found = exact_quantiles(split(values, 37), LEVELS)
    expected = np.quantile(values.astype(np.float64), LEVELS, axis=0)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=0)


def test_the_two_zeros_are_one_number():
    values = np.array([[-0.0], [0.0], [-0.0], [1.0]], np.float32)
    assert exact_quantiles(split(values, 2), [0.5])[0, 0] == 0


@pytest.mark.parametrize('bad', [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_refused(bad):
    values = np.array([[0.0], [bad]], np.float32)
    with pytest.raises(ValueError, match='not finite'):
        exact_quantiles(split(values, 1), [0.5])


def test_no_rows_and_no_such_level_are_refused():
    with pytest.raises(ValueError, match='no rows'):
        exact_quantiles(lambda: iter(()), [0.5])
    with pytest.raises(ValueError, match='must lie in'):
        exact_quantiles(lambda: iter(()), [1.5])
