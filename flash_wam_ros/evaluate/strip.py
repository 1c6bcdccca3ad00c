"""A strip of pictures of each episode: what the head camera saw, from beginning to end."""

from pathlib import Path

import cv2
import numpy as np

from flash_wam_ros.core import Observation, UserError
from flash_wam_ros.safety import TickResult
from flash_wam_ros.sim.cameras import CameraRenderer
from flash_wam_ros.sim.world import World

_CAMERA = 'head'
_SIZE_PX = 256
_PICTURES = 6


class Strips:
    """Watches episodes and writes one PNG each.

    Args:
        world: whose episodes are watched.
        folder: where the strips go.
    """

    def __init__(self, world: World, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._world = world
        self._folder = folder
        self._renderer = CameraRenderer(world, _SIZE_PX, _SIZE_PX)
        self._frames: list[np.ndarray] = []

    def look(self, observation: Observation, tick: TickResult) -> None:
        """Take a picture of the world as it is."""
        del observation, tick
        self._frames.append(self._renderer.render(self._world, _CAMERA).copy())

    def write(self, seed: int) -> Path:
        """Write the strip of the episode just seen, named by its ``seed``; return its path.

        Raises:
            UserError: no picture was taken, or the file can't be written.
        """
        if not self._frames:
            raise UserError(f'episode {seed} showed nothing; run it before its strip is written')
        path = self._folder / f'{self._world.config.task}_{seed}.png'
        if not cv2.imwrite(str(path), strip(self._frames, _PICTURES)[:, :, ::-1]):
            raise UserError(f'{path} cannot be written; check the folder and the disk')
        self._frames = []
        return path

    def close(self) -> None:
        """Free the renderer."""
        self._renderer.close()


def strip(frames: list[np.ndarray], count: int) -> np.ndarray:
    """Return (H, count * W, 3): ``count`` of the (H, W, 3) frames, evenly from first to last."""
    chosen = np.linspace(0, len(frames) - 1, count).round().astype(int)
    return np.concatenate([frames[index] for index in chosen], axis=1)
