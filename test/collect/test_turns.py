import numpy as np
import pytest

from flash_wam_ros.collect.turns import Turns, TurnsConfig
from flash_wam_ros.core import UserError

CONFIG = TurnsConfig()
LONG_S, STEP_S = 200.0, 0.01


def _drivers(seed, config=CONFIG):
    """Return whether the learner drives, every STEP_S."""
    turns = Turns(config, np.random.default_rng(seed), LONG_S)
    return np.array([turns.learner_drives(t) for t in np.arange(0.0, LONG_S, STEP_S)])


def _lengths_s(drivers):
    """Return the lengths of the learner's and of the expert's whole turns."""
    edges = np.flatnonzero(np.diff(drivers.astype(int))) + 1
    lengths = np.diff(edges) * STEP_S
    return lengths[drivers[edges[:-1]]], lengths[~drivers[edges[:-1]]]


def test_each_turn_keeps_to_the_range_of_its_driver():
    learner, expert = _lengths_s(_drivers(0))
    assert min(len(learner), len(expert)) > 20
    for lengths, low, high in (
        (learner, CONFIG.learner_min_s, CONFIG.learner_max_s),
        (expert, CONFIG.expert_min_s, CONFIG.expert_max_s),
    ):
        assert low - STEP_S <= lengths.min()
        assert lengths.max() <= high + STEP_S


def test_either_may_begin_and_a_seed_gives_its_turns_again():
    begins = {bool(_drivers(seed)[0]) for seed in range(12)}
    assert begins == {True, False}
    np.testing.assert_array_equal(_drivers(5), _drivers(5))


def test_settings_that_make_no_sense_are_refused():
    with pytest.raises(UserError, match='expert_max_s is nan'):
        TurnsConfig(expert_max_s=float('nan'))
    with pytest.raises(ValueError, match=r'learner_min_s 5.0 is above learner_max_s 4.0; swap'):
        TurnsConfig(learner_min_s=5.0)
