"""Renders the robot's cameras off screen.

Which GL library MuJoCo loads is decided by ``MUJOCO_GL`` when it is first imported. This room
chooses EGL where nothing else is asked for; where somebody imported MuJoCo before, it is made to
choose again.
"""

import importlib
import os
from types import TracebackType

import mujoco
import numpy as np

from flash_wam_ros.core import UserError, did_you_mean
from flash_wam_ros.sim.mounts import CAMERAS
from flash_wam_ros.sim.robot_model import CONTACT_GROUP, LEG_GROUP
from flash_wam_ros.sim.scene import MAX_IMAGE
from flash_wam_ros.sim.world import World

CAMERA_NAMES = tuple(mount.name for mount in CAMERAS)
_GL_REMEDY = (
    'install the Debian packages libegl1 libegl-mesa0 libgl1-mesa-dri '
    '(or libosmesa6, and set MUJOCO_GL=osmesa)'
)
_MIN_IMAGE = 8


class CameraRenderer:
    """Renders the cameras of one world; owns a GL context of the thread that made it.

    Args:
        world: whose moments are rendered.
        width: image width [px].
        height: image height [px].

    Raises:
        UserError: the size is out of range, or no GL works here.
    """

    def __init__(self, world: World, width: int = 128, height: int = 128) -> None:
        for what, value, limit in (
            ('width', width, MAX_IMAGE[0]),
            ('height', height, MAX_IMAGE[1]),
        ):
            if not _MIN_IMAGE <= value <= limit:
                raise UserError(f'image {what} {value} outside [{_MIN_IMAGE}, {limit}] px')
        self.width, self.height = width, height
        self._model = world.model
        try:
            _choose_gl_again()
            self._renderer = mujoco.Renderer(world.model, height=height, width=width)
        except Exception as error:  # GL back ends raise whatever they like
            raise UserError(f'no GL for rendering ({_first_line(error)}); {_GL_REMEDY}') from error
        self._option = mujoco.MjvOption()
        self._option.geomgroup[[CONTACT_GROUP, LEG_GROUP]] = 0
        self._option.sitegroup[:] = 0
        flags = self._renderer.scene.flags
        flags[mujoco.mjtRndFlag.mjRND_SHADOW] = 0
        flags[mujoco.mjtRndFlag.mjRND_REFLECTION] = 0

    def render(self, world: World, camera: str) -> np.ndarray:
        """Return the (H, W, 3) uint8 RGB image of ``camera`` at this moment of ``world``.

        Raises:
            UserError: there is no such camera.
        """
        if camera not in CAMERA_NAMES:
            raise UserError(f'unknown camera {camera!r}; {did_you_mean(camera, CAMERA_NAMES)}')
        if world.model is not self._model:
            raise ValueError('the renderer belongs to another world; make one for this world')
        world.refresh()
        self._renderer.update_scene(world.data, camera=camera, scene_option=self._option)
        return self._renderer.render()

    def close(self) -> None:
        """Free the GL context."""
        self._renderer.close()

    def __enter__(self) -> 'CameraRenderer':
        """Return this renderer."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Free the GL context."""
        self.close()


def intrinsics(camera: str, width: int, height: int) -> np.ndarray:
    """Return the (3, 3) matrix K of ``camera`` at an image size, square pixels [px].

    The pinhole model after sensor_msgs/CameraInfo: the focal length follows from the vertical
    field of view, the principal point is the middle of the image.

    Raises:
        UserError: there is no such camera.
    """
    for mount in CAMERAS:
        if mount.name == camera:
            focal = 0.5 * height / np.tan(0.5 * mount.fovy_rad)
            return np.array([[focal, 0.0, width / 2], [0.0, focal, height / 2], [0.0, 0.0, 1.0]])
    raise UserError(f'unknown camera {camera!r}; {did_you_mean(camera, CAMERA_NAMES)}')


def _choose_gl_again() -> None:
    """Let MuJoCo read ``MUJOCO_GL`` anew if its context is of another back end."""
    chosen = os.environ.get('MUJOCO_GL', '')
    module = importlib.import_module(f'{mujoco.Renderer.__module__.rpartition(".")[0]}.gl_context')
    context = getattr(module, 'GLContext', None)
    if chosen in ('egl', 'osmesa') and chosen not in getattr(context, '__module__', ''):
        importlib.reload(module)


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
