"""What the robot's own computer does with commands: blend, hold, refuse, time out.

A model, free of clocks and transports, of the part of a G1 that stands between rt/arm_sdk or
rt/lowcmd and the motors. The DDS bridge feeds it in real time, evaluation in lock step.
How the physical robot behaves on silence is not known; both plausible behaviours are modelled.
"""

import dataclasses
from dataclasses import dataclass

import numpy as np

from flash_wam_ros.core import RobotCommand, RobotState, UserError, did_you_mean
from flash_wam_ros.robots.g1_layout import BODY_KD, BODY_KP, FIRST_ARM_SDK, NUM_BODY
from flash_wam_ros.robots.port import check_command
from flash_wam_ros.sim.motors import MotorTargets

SILENCE = ('hold', 'timeout')
MODE_MACHINE = 5
"""The kind of robot that a 29 DoF G1 reports in its lowstate."""
STANDING_FSM = 500
"""State of the motion service of a G1 that stands by itself."""
DAMPING_KD = 2.0
"""Damping of every joint after low-level commands fell silent [Nms/rad]; assumed."""
_ARMS = slice(FIRST_ARM_SDK, NUM_BODY)
_BLENDED = ('q', 'dq', 'tau', 'kp', 'kd')


@dataclass(frozen=True, kw_only=True, slots=True)
class OnboardConfig:
    """How the onboard computer treats a publisher that falls silent.

    Attributes:
        silence: ``hold`` keeps the last command in force; ``timeout`` drops it at once: arms go
            back to the onboard controller, low-level commands to damping.
        timeout_s: silence that counts as fallen silent, with ``timeout`` [s].
    """

    silence: str = 'hold'
    timeout_s: float = 0.5

    def __post_init__(self) -> None:
        """Check the values."""
        if self.silence not in SILENCE:
            hint = did_you_mean(self.silence, SILENCE)
            raise UserError(f'unknown silence behaviour {self.silence!r}; {hint}')
        if not 0 < self.timeout_s < np.inf:
            raise UserError(f'timeout_s {self.timeout_s} must be > 0 s and finite')


@dataclass(frozen=True, kw_only=True, slots=True)
class LowCommand:
    """One command on rt/lowcmd, for all body motors.

    Attributes:
        mode_machine: kind of robot that the sender believes to command.
        enabled: (29,) bool, motors with mode 1; the others get no torque.
        motors: (29, 5) columns q [rad], dq [rad/s], tau [Nm], kp [Nm/rad], kd [Nms/rad].
    """

    mode_machine: int
    enabled: np.ndarray
    motors: np.ndarray


@dataclass(kw_only=True, slots=True)
class OnboardCounters:
    """Commands seen since the start.

    Attributes:
        arm: obeyed on rt/arm_sdk.
        low: obeyed on rt/lowcmd.
        crc_errors: refused for a wrong CRC or size.
        refused: refused for values that are not finite, a weight outside [0, 1], another
            robot's mode_machine, or arm commands under low-level control.
    """

    arm: int = 0
    low: int = 0
    crc_errors: int = 0
    refused: int = 0


class OnboardController:
    """The onboard computer: remembers the last commands and gives motor targets on demand.

    Attributes:
        counters: commands obeyed and refused.
        fsm_id: what the motion service tells when it is asked; it changes nothing else.
    """

    def __init__(self, config: OnboardConfig | None = None) -> None:
        """Start holding the zero pose; call `reset` with the robot's own."""
        self.config = OnboardConfig() if config is None else config
        self.counters = OnboardCounters()
        self.fsm_id = STANDING_FSM
        self._hold_q = np.zeros(NUM_BODY)
        self._gripper_q = np.zeros(2)
        self._arm: RobotCommand | None = None
        self._low: LowCommand | None = None
        self._arm_s = self._low_s = -np.inf

    def reset(self, state: RobotState) -> None:
        """Forget all commands and hold the pose of ``state``; the counters go on."""
        self._hold_q = state.q.copy()
        self._gripper_q = state.gripper_q.copy()
        self._arm = self._low = None

    @property
    def low_level(self) -> bool:
        """Whether rt/lowcmd has taken over; it keeps the robot until the next `reset`."""
        return self._low is not None

    @property
    def held(self) -> bool:
        """Whether somebody else than this computer has a hand on the arms."""
        return self.low_level or (self._arm is not None and self._arm.weight > 0.0)

    def arm_command(self, command: RobotCommand, now_s: float) -> None:
        """Take a command of rt/arm_sdk (and of the grippers, if it has any) at ``now_s`` [s]."""
        try:
            check_command(command)
        except ValueError:
            self.counters.refused += 1
            return
        if command.gripper_q is not None:
            self._gripper_q = command.gripper_q.astype(float)
        if self.low_level:
            self.counters.refused += 1
            return
        self.counters.arm += 1
        self._arm, self._arm_s = command, now_s

    def gripper_command(self, slot: int, travel_m: float) -> None:
        """Take a target for the left (0) or right (1) gripper: finger travel [m]."""
        if not np.isfinite(travel_m):
            self.counters.refused += 1
            return
        self._gripper_q[slot] = travel_m

    def low_command(self, command: LowCommand, now_s: float) -> None:
        """Take a command of rt/lowcmd at ``now_s`` [s]."""
        if not np.isfinite(command.motors).all() or command.mode_machine != MODE_MACHINE:
            self.counters.refused += 1
            return
        self.counters.low += 1
        self._low, self._low_s = command, now_s

    def wrong_crc(self) -> None:
        """Count a message that was refused for its CRC or size."""
        self.counters.crc_errors += 1

    def targets(self, now_s: float) -> MotorTargets:
        """Return what the motors are asked to do at ``now_s`` [s]."""
        if self._low is not None:
            return self._low_targets(self._low, self._silent(self._low_s, now_s))
        own = self._own_targets()
        if self._arm is None or self._silent(self._arm_s, now_s):
            return own
        return self._blend(own, self._arm)

    def _silent(self, last_s: float, now_s: float) -> bool:
        return self.config.silence == 'timeout' and now_s - last_s > self.config.timeout_s

    def _own_targets(self) -> MotorTargets:
        return MotorTargets(
            q=self._hold_q.copy(),
            dq=np.zeros(NUM_BODY),
            tau=np.zeros(NUM_BODY),
            kp=BODY_KP.copy(),
            kd=BODY_KD.copy(),
            gripper_q=self._gripper_q.copy(),
        )

    @staticmethod
    def _blend(own: MotorTargets, command: RobotCommand) -> MotorTargets:
        """Return ``own`` with waist and arms moved towards ``command`` by its weight."""
        for name in _BLENDED:
            mixed = getattr(own, name)[_ARMS]
            mixed *= 1.0 - command.weight
            mixed += command.weight * getattr(command, name)
        return own

    def _low_targets(self, command: LowCommand, silent: bool) -> MotorTargets:
        motors = np.where(command.enabled[:, None], command.motors, 0.0)
        q, dq, tau, kp, kd = motors.T
        targets = MotorTargets(q=q, dq=dq, tau=tau, kp=kp, kd=kd, gripper_q=self._gripper_q.copy())
        if not silent:
            return targets
        still = np.zeros(NUM_BODY)
        damping = np.full(NUM_BODY, DAMPING_KD)
        return dataclasses.replace(targets, dq=still, tau=still, kp=still, kd=damping)
