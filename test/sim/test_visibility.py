import numpy as np
import pytest

from flash_wam_ros.sim.cameras import intrinsics
from flash_wam_ros.sim.tasks import TASKS
from flash_wam_ros.sim.world import World, WorldConfig

SIZE = 128
MARGIN = 4


@pytest.mark.parametrize('task', TASKS)
def test_the_head_camera_sees_the_middle_of_every_object_in_every_layout(task):
    world = World(WorldConfig(task=task))
    camera = world.model.camera('head').id
    K = intrinsics('head', SIZE, SIZE)
    for seed in range(40):
        world.reset(seed)
        rotation = world.data.cam_xmat[camera].reshape(3, 3)
        for name in world.task.objects:
            offset = world.data.body(name).xpos - world.data.cam_xpos[camera]
            right, up, back = rotation.T @ offset
            u, v, depth = K @ np.array([right, -up, -back])
            assert depth > 0, f'{name} is behind the camera with seed {seed}'
            for pixel in (u / depth, v / depth):
                assert MARGIN <= pixel <= SIZE - MARGIN, f'{name}, seed {seed}: {pixel:.0f} px'
