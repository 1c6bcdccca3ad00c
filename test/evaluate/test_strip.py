import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flash_wam_ros.core import UserError
from flash_wam_ros.evaluate.lockstep import Lockstep
from flash_wam_ros.evaluate.runner import g1_controller
from flash_wam_ros.evaluate.strip import Strips, strip
from flash_wam_ros.policy.registry import make_policy
from flash_wam_ros.sim.world import World, WorldConfig


@given(st.integers(1, 40), st.integers(2, 8))
def test_a_strip_runs_from_the_first_frame_to_the_last(frames, count):
    pictures = [np.full((2, 3, 3), index, np.uint8) for index in range(frames)]
    row = strip(pictures, count)[0, ::3, 0]
    assert len(row) == count
    assert (row[0], row[-1]) == (0, frames - 1)
    assert np.all(np.diff(row.astype(int)) >= 0)


def test_an_episode_leaves_a_strip_in_which_something_moves(tmp_path, monkeypatch):
    world = World(WorldConfig(task='red_bottle'))
    monkeypatch.setattr(type(world.task), 'time_limit_s', 2.0)
    strips = Strips(world, tmp_path / 'pictures')
    expert = make_policy('expert', task='red_bottle')
    Lockstep(world, expert, g1_controller, witness=strips).episode(4)
    picture = cv2.imread(str(strips.write(4)))
    assert picture.shape == (256, 6 * 256, 3)
    first, last = picture[:, :256].astype(int), picture[:, -256:].astype(int)
    assert (np.abs(first - last).max(axis=2) > 40).mean() > 0.005
    with pytest.raises(UserError, match='showed nothing'):
        strips.write(5)
    strips.close()
