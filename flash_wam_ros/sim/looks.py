"""How the place looks, drawn for each episode: light, table, floor and cameras."""

import mujoco
import numpy as np

from flash_wam_ros.sim.mounts import CAMERAS
from flash_wam_ros.sim.scene import FLOOR_GEOM, LIGHTS, TABLE_GEOM, TABLE_MATERIALS
from flash_wam_ros.sim.tasks.colours import shade

CAMERA_SHIFT_M = 0.006
CAMERA_TURN_RAD = 0.02


class Looks:
    """Draws the looks of an episode into a compiled model.

    Args:
        model: the compiled world; what it holds now is the middle of every draw.
    """

    def __init__(self, model: mujoco.MjModel) -> None:
        self._model = model
        self._camera_pos = model.cam_pos.copy()
        self._camera_quat = model.cam_quat.copy()
        self._light_pos = model.light_pos.copy()

    def draw(self, rng: np.random.Generator) -> None:
        """Set light, colours and cameras from ``rng``."""
        self._draw_lights(rng)
        self._draw_surfaces(rng)
        self._draw_cameras(rng)

    def _draw_lights(self, rng: np.random.Generator) -> None:
        for name in LIGHTS:
            light = self._model.light(name).id
            self._model.light_pos[light] = self._light_pos[light] + rng.uniform(-0.4, 0.4, 3)
            warmth = rng.uniform(-0.06, 0.06)
            level = rng.uniform(0.25, 0.5)
            self._model.light_diffuse[light] = level * np.array([1 + warmth, 1.0, 1 - warmth])
            self._model.light_specular[light] = 0.1
        ambient = rng.uniform(0.28, 0.42)
        self._model.vis.headlight.ambient[:] = ambient

    def _draw_surfaces(self, rng: np.random.Generator) -> None:
        table = self._model.geom(TABLE_GEOM)
        material = self._model.material(str(rng.choice(TABLE_MATERIALS))).id
        self._model.geom_matid[table.id] = material
        word = str(rng.choice(['wood', 'wood', 'grey']))
        self._model.mat_rgba[material, :3] = shade(word, rng)
        self._model.mat_texrepeat[material] = rng.uniform(3.0, 9.0)
        self._model.geom(FLOOR_GEOM).rgba[:3] = np.array(shade('grey', rng)) * 0.8

    def _draw_cameras(self, rng: np.random.Generator) -> None:
        for mount in CAMERAS:
            camera = self._model.camera(mount.name).id
            shift = rng.uniform(-CAMERA_SHIFT_M, CAMERA_SHIFT_M, 3)
            turn = rng.uniform(-CAMERA_TURN_RAD, CAMERA_TURN_RAD, 3)
            delta, turned = np.zeros(4), np.zeros(4)
            mujoco.mju_axisAngle2Quat(delta, turn / np.linalg.norm(turn), np.linalg.norm(turn))
            mujoco.mju_mulQuat(turned, self._camera_quat[camera], delta)
            self._model.cam_pos[camera] = self._camera_pos[camera] + shift
            self._model.cam_quat[camera] = turned
