"""The two arms on a resting torso: where the hands are, how to get them there, what they weigh."""

from dataclasses import dataclass
from xml.etree import ElementTree as ET

import mink
import mujoco
import numpy as np

from flash_wam_ros.robots.g1_layout import POLICY
from flash_wam_ros.sim.description import urdf_text

ARM_NAMES = POLICY.names[:14]
"""The joints that the inverse kinematics move: left arm, then right arm."""
BASE = 'torso_link'
_STEPS = 40
_STEP_RAD = 0.25
_CLOSE_M, _CLOSE_RAD = 5e-4, 5e-3
_LIMIT_MARGIN_RAD = 0.05


@dataclass(frozen=True, kw_only=True, slots=True)
class Reach:
    """A solution of the inverse kinematics.

    Attributes:
        q: (14,) arm positions [rad].
        error_m: distance of the grasp point from its target [m].
        error_rad: angle between the hand and its target [rad].
    """

    q: np.ndarray
    error_m: float
    error_rad: float


class Arms:
    """Kinematics and weight of both arms; every pose is in the torso's frame.

    Built from the same description as the world, without its meshes: only arm joints move.
    """

    def __init__(self) -> None:
        self.model = mujoco.MjModel.from_xml_string(_arms_urdf())
        for slot, name in enumerate(ARM_NAMES):
            joint = self.model.joint(name)
            joint.range[:] = (
                POLICY.lower[slot] + _LIMIT_MARGIN_RAD,
                POLICY.upper[slot] - _LIMIT_MARGIN_RAD,
            )
        self._configuration = mink.Configuration(self.model)
        self._weigher = mujoco.MjData(self.model)
        self._slots = np.array([self.model.joint(name).qposadr[0] for name in ARM_NAMES])
        self._limits = [
            mink.ConfigurationLimit(self.model),
            mink.VelocityLimit(self.model, dict.fromkeys(ARM_NAMES, _STEP_RAD)),
        ]
        self._posture = mink.PostureTask(self.model, cost=0.005)
        self._hands = {
            side: mink.RelativeFrameTask(
                frame_name=f'{side}_grasp',
                frame_type='body',
                root_name=BASE,
                root_type='body',
                position_cost=1.0,
                orientation_cost=0.3,
            )
            for side in ('left', 'right')
        }

    def hand(self, side: str, q: np.ndarray) -> mink.SE3:
        """Return the pose of the grasp point of ``side`` in the torso's frame, at (14,) ``q``."""
        self._configuration.update(self._full(q))
        return self._configuration.get_transform(f'{side}_grasp', 'body', BASE, 'body')

    def reach(self, targets: dict[str, mink.SE3], q: np.ndarray, posture: np.ndarray) -> Reach:
        """Return arm positions that bring the hands to ``targets``.

        Args:
            targets: side -> pose of its grasp point in the torso's frame.
            q: (14,) where the search starts.
            posture: (14,) positions that the elbows lean to; an arm without a target stays at q.
        """
        leaning = q.copy()
        for side in targets:
            leaning[_half(side)] = posture[_half(side)]
        self._posture.set_target(self._full(leaning))
        tasks: list[mink.Task] = [self._posture]
        for side, target in targets.items():
            self._hands[side].set_target(target)
            tasks.append(self._hands[side])
        self._configuration.update(self._full(q))
        for _ in range(_STEPS):
            velocity = mink.solve_ik(
                self._configuration, tasks, 1.0, solver='daqp', damping=1e-4, limits=self._limits
            )
            self._configuration.integrate_inplace(velocity, 1.0)
            if np.abs(velocity).max() < _CLOSE_RAD / 5:
                break
        error_m, error_rad = self._error(targets)
        return Reach(
            q=self._configuration.q[self._slots].copy(), error_m=error_m, error_rad=error_rad
        )

    def _error(self, targets: dict[str, mink.SE3]) -> tuple[float, float]:
        errors = [self._hands[side].compute_error(self._configuration) for side in targets]
        return (
            max(float(np.linalg.norm(error[:3])) for error in errors),
            max(float(np.linalg.norm(error[3:])) for error in errors),
        )

    def weight(self, q: np.ndarray) -> np.ndarray:
        """Return the (14,) torques that hold the arms still at (14,) ``q`` [Nm]."""
        self._weigher.qpos[:] = self._full(q)
        self._weigher.qvel[:] = 0.0
        mujoco.mj_forward(self.model, self._weigher)
        return self._weigher.qfrc_bias[self._slots].copy()

    def _full(self, q: np.ndarray) -> np.ndarray:
        full = np.zeros(self.model.nq)
        full[self._slots] = q
        return full


def _half(side: str) -> slice:
    return slice(0, 7) if side == 'left' else slice(7, 14)


def _arms_urdf() -> str:
    """Return the description with every shape dropped and every joint but the arms' fixed."""
    robot = ET.fromstring(urdf_text('bare').split('\n', 1)[1])
    for link in robot.findall('link'):
        for tag in ('visual', 'collision'):
            for shape in link.findall(tag):
                link.remove(shape)
    for joint in robot.findall('joint'):
        if joint.get('name') not in ARM_NAMES:
            joint.set('type', 'fixed')
            for mimic in joint.findall('mimic'):
                joint.remove(mimic)
    options = ET.SubElement(robot, 'mujoco')
    ET.SubElement(options, 'compiler', fusestatic='false', discardvisual='true')
    return ET.tostring(robot, encoding='unicode')
