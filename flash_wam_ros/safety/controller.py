"""The safety controller: one tick from states, chunks and requests to one command.

Pure and single-threaded: it is told the time and does no input or output, so that the node and
an evaluation in lock step run the same code.
"""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from flash_wam_ros.core import ActionChunk, RobotCommand, RobotState, Verdict, s_from_ns
from flash_wam_ros.safety.arming import ArmingCheck
from flash_wam_ros.safety.cartesian import Points
from flash_wam_ros.safety.config import ControllerConfig
from flash_wam_ros.safety.feedforward import FeedForward
from flash_wam_ros.safety.gate import Clearance
from flash_wam_ros.safety.ledger import Ledger
from flash_wam_ros.safety.losses import Loss, Reaction, strictest
from flash_wam_ros.safety.mover import Mover
from flash_wam_ros.safety.plant import Plant
from flash_wam_ros.safety.ramp import WeightRamp
from flash_wam_ros.safety.states import MOVING, ControllerState, StateMachine
from flash_wam_ros.safety.telling import Teller
from flash_wam_ros.safety.watch import Watch

_S = ControllerState


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """Answer to a request: whether it was accepted, and in words why or what happens now."""

    accepted: bool
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class TickResult:
    """What one control tick decided.

    Attributes:
        command: what to send now, None to send nothing.
        proposed: what would be sent outside shadow mode; equal to ``command`` in the others.
        verdict: what was changed of what was asked.
        state: state after the tick.
        cause: why the controller is in it.
        sent_q16: (J,) commanded positions on the policy's layout, None if nothing is commanded.
    """

    command: RobotCommand | None
    proposed: RobotCommand | None
    verdict: Verdict
    state: ControllerState
    cause: str
    sent_q16: np.ndarray | None


class Controller:
    """Stands between a policy and the arms.

    Attributes:
        machine: the state, its cause, and the newest transitions.
        ledger: counts of interventions.
        teller: puts them into words; for one thread.
        refused_chunks: how many chunks were refused.
    """

    def __init__(
        self,
        config: ControllerConfig,
        plant: Plant,
        clearance: Clearance | None = None,
        points: Points | None = None,
    ) -> None:
        """Start disarmed.

        Args:
            config: limits, ramps and deadlines.
            plant: joint orders and gains.
            clearance: measures the distance of the arms from the body; None checks nothing.
            points: hands and elbows, whose speed is limited; None limits none.
        """
        self.config = config
        self.plant = plant
        self.machine = StateMachine()
        self.ledger = Ledger()
        self.teller = Teller()
        self.refused_chunks = 0
        self._mover = Mover(plant, config, clearance, points)
        self._ramp = WeightRamp()
        self._arming = ArmingCheck(plant, config)
        names = plant.command.names
        self._policy_in_state = plant.state.indices(plant.policy.names)
        self._command_in_state = plant.state.indices(names)
        self._arms_in_policy = plant.policy.indices(plant.arms)
        self._arms_in_command = plant.command.indices(plant.arms)
        self._grippers_in_policy = plant.policy.indices(plant.grippers)
        self._watch = Watch(config, plant)
        self._weights = points if config.gravity_compensation else None
        self._feedforward = FeedForward(config, np.array(plant.command.effort))
        self._base_q = np.zeros(len(names))
        self._last_command: RobotCommand | None = None
        self._state: RobotState | None = None
        self._now_ns: int | None = None
        self._ros_ns = 0
        self._operator_lost_ns: int | None = None
        self._distrusted = False

    @property
    def state(self) -> ControllerState:
        """Return the present state."""
        return self.machine.state

    # Inputs -----------------------------------------------------------------------------------

    def heartbeat(self, alive: bool, now_mono_ns: int) -> None:
        """Take one operator heartbeat; ``alive`` false means stop."""
        self._watch.heartbeat.beat(alive, now_mono_ns)

    def submit_chunk(self, chunk: ActionChunk) -> Reply:
        """Offer a chunk; it takes over from the running one if it is accepted."""
        if self.state not in (_S.HOLDING, _S.TRACKING):
            return self._refuse(f'the controller is {self.state}; it follows no chunk')
        refusal = self._mover.timeline.submit(chunk, self._ros_ns, self._mover.filter.q)
        if refusal is not None:
            return self.refuse_chunk(refusal)
        self._watch.policy.beat(self._now_ns or 0)
        return Reply(accepted=True, reason='chunk accepted')

    def refuse_chunk(self, reason: str) -> Reply:
        """Count a chunk that is not usable, here or where it came in, against its policy."""
        self._watch.policy.fail(reason)
        return self._refuse(reason)

    def enable(self, on: bool = True) -> Reply:
        """Take the arms (``on``), or stop them as `stop` does."""
        if not on:
            return self.stop('operator disabled the controller')
        if self.state in MOVING or self.state is _S.ARMING:
            return Reply(accepted=True, reason=f'already {self.state}')
        if self.state is not _S.DISARMED:
            remedy = 'restart the controller' if self.state is _S.FAULT else 'reset it or wait'
            return Reply(accepted=False, reason=f'cannot arm in {self.state}; {remedy}')
        obstacle = self._arming_obstacle()
        if obstacle is not None or self._state is None:
            return Reply(accepted=False, reason=f'not armed: {obstacle}')
        self._capture(self._state)
        self._to(_S.ARMING, 'operator enabled the controller')
        return Reply(accepted=True, reason='arming')

    def reset(self) -> Reply:
        """Leave STOPPED for HOLDING, if everything is alive again."""
        if self.state is not _S.STOPPED:
            return Reply(accepted=False, reason=f'nothing to reset in {self.state}')
        fault = self._fault(Reaction.PARK)
        if fault is not None:
            return Reply(accepted=False, reason=f'still stopped: {fault}')
        self._mover.timeline.clear()
        self._to(_S.HOLDING, 'operator reset the stop')
        return Reply(accepted=True, reason='holding')

    def park(self) -> Reply:
        """Move the arms back the way they came, then release them."""
        if self.state in (_S.DISARMED, _S.PARKING, _S.RELEASING):
            return Reply(accepted=True, reason=f'already {self.state}')
        if self.state not in (_S.HOLDING, _S.TRACKING, _S.STOPPED):
            return Reply(accepted=False, reason=f'cannot park in {self.state}; release instead')
        fault = self._fault(Reaction.STOP)
        if fault is not None:
            return Reply(accepted=False, reason=f'not parked: {fault}; release instead')
        self._to(_S.PARKING, 'operator asked to park')
        return Reply(accepted=True, reason='parking')

    def release(self, cause: str = 'operator asked to release') -> Reply:
        """Ramp the weight down from wherever the arms are; always possible."""
        if self.state in (_S.DISARMED, _S.RELEASING, _S.FAULT):
            return Reply(accepted=True, reason=f'already {self.state}')
        self._to(_S.RELEASING, cause)
        return Reply(accepted=True, reason='releasing')

    def stop(self, cause: str) -> Reply:
        """Decelerate and hold, latched; while arming, let go instead."""
        if self.state is _S.ARMING:
            self._to(_S.RELEASING, cause)
        elif self.state in MOVING:
            self._to(_S.STOPPED, cause)
        return Reply(accepted=True, reason=str(self.state).lower())

    @property
    def finished(self) -> bool:
        """Return whether nothing is or will be sent any more without a new `enable`."""
        if self.state is _S.FAULT:
            return self._last_command is None or self._ramp.weight == 0.0
        return self.state is _S.DISARMED

    # The tick ---------------------------------------------------------------------------------

    def tick(
        self,
        now_mono_ns: int,
        now_ros_ns: int,
        state: RobotState | None,
        other_writers: int = 0,
    ) -> TickResult:
        """Decide what to send now.

        An exception inside ends in FAULT: the last command is ramped down, then silence.

        Args:
            now_mono_ns: monotonic time [ns].
            now_ros_ns: ROS time [ns].
            state: the newest measured state, the same one again if none came.
            other_writers: publishers other than this one on the command topic.
        """
        try:
            return self._tick(now_mono_ns, now_ros_ns, state, other_writers)
        except Exception as error:
            return self._fail(f'{type(error).__name__}: {error}')

    def fail(self, cause: str) -> None:
        """Go to FAULT for a cause outside of the tick, such as a port that cannot write."""
        if self.state is not _S.FAULT:
            self._to(_S.FAULT, cause)

    def _tick(
        self, now_ns: int, ros_ns: int, state: RobotState | None, other_writers: int
    ) -> TickResult:
        self._observe(now_ns, ros_ns, state, other_writers)
        worst = strictest(self._losses())
        if worst is not None and worst.reaction is Reaction.DROP:
            self._drop(worst.text)
        if self.state is _S.FAULT:
            return self._ramp_down_last()
        self._decide(worst)
        self._move()
        verdict = self.ledger.close(self._mover.findings(), now_ns)
        command = self._compose()
        if self.state is _S.RELEASING and self._ramp.weight == 0.0:
            self._to(_S.DISARMED, self.machine.cause)
        self._last_command = command
        return self._result(command, verdict)

    def _observe(
        self, now_ns: int, ros_ns: int, state: RobotState | None, other_writers: int
    ) -> None:
        self._now_ns = now_ns
        self._ros_ns = ros_ns
        self._state = state
        self._watch.observe(now_ns, state, other_writers)
        sent = self._last_command.q if self._last_command is not None else None
        self._watch.lowstate.observe(state, sent, now_ns)
        self._distrusted |= self._watch.lowstate.fault(now_ns) is not None
        if self._watch.loop.gap_s > self.config.max_step_s:
            self._mover.filter.rest()
        jump = self._watch.clock.observe(now_ns, ros_ns)
        if jump is not None:
            self._mover.timeline.forget_stamps()
            if self.state is _S.TRACKING:
                self._to(_S.HOLDING, jump)

    def _losses(self) -> Iterator[Loss]:
        """Yield all that is not well."""
        now_ns = self._now_ns
        if now_ns is None:
            yield Loss(Reaction.STOP, 'the control loop has not run yet')
            return
        yield from self._watch.losses(now_ns)
        pressing = self._mover.lead.fault() if self.state in MOVING else None
        if pressing is not None:
            yield Loss(Reaction.STOP, pressing)

    def _fault(self, least: Reaction) -> str | None:
        """Return the strictest loss if at least ``least`` follows from it, else None."""
        worst = strictest(self._losses())
        return worst.text if worst is not None and worst.reaction >= least else None

    def _arming_obstacle(self) -> str | None:
        fault = self._fault(Reaction.SLOW)
        if fault is not None or self._state is None or self._now_ns is None:
            return fault or 'no lowstate yet'
        return self._arming.obstacle(self._state, self._now_ns)

    def _drop(self, cause: str) -> None:
        """Send nothing more: the robot has let go of its motors."""
        self._ramp.weight = 0.0
        if self.state not in (_S.DISARMED, _S.FAULT):
            self._to(_S.DISARMED, cause)

    def _decide(self, worst: Loss | None) -> None:
        """Make the transitions that this tick calls for; the strictest loss decides."""
        reaction = Reaction.SLOW if worst is None else worst.reaction
        text = '' if worst is None else worst.text
        self._mover.slow = worst is not None
        if self.state is _S.ARMING:
            self._decide_arming(text if reaction > Reaction.SLOW else None)
        elif self.state in MOVING:
            if reaction >= Reaction.STOP:
                self._to(_S.STOPPED, text)
            elif self.state is _S.PARKING:
                if self._mover.parked:
                    self._to(_S.RELEASING, f'parked ({self.machine.cause})')
            elif reaction is Reaction.PARK:
                self._to(_S.PARKING, text)
            else:
                self._decide_tracking()
        elif self.state is _S.STOPPED:
            self._decide_stopped()

    def _decide_arming(self, fault: str | None) -> None:
        fault = fault or self._drift()
        if fault is not None:
            self._to(_S.RELEASING, fault)
        elif self._ramp.weight == 1.0:
            self._to(_S.HOLDING, 'armed')

    def _decide_tracking(self) -> None:
        active = self._mover.timeline.active(self._ros_ns)
        silent = self._watch.policy.fault(self._now_ns or 0)
        if self.state is _S.HOLDING and active and silent is None:
            self._to(_S.TRACKING, 'chunk accepted')
        elif self.state is _S.TRACKING and not active:
            self._to(_S.HOLDING, 'chunk expired')
        elif self.state is _S.TRACKING and silent is not None:
            self._to(_S.HOLDING, silent)
        elif self.state is _S.HOLDING and self._age_s() > self.config.policy_park_s:
            refusals = self._watch.policy.refusals
            self._to(_S.PARKING, f'no chunk for {self.config.policy_park_s:.0f} s{refusals}')

    def _decide_stopped(self) -> None:
        now_ns = self._now_ns or 0
        lost_s = s_from_ns(now_ns - self._watch.lowstate.lost_since_ns)
        if lost_s > self.config.lowstate_release_s:
            self._to(_S.RELEASING, f'no lowstate for {lost_s:.1f} s')
            return
        if self._watch.heartbeat.fault(now_ns) is None:
            self._operator_lost_ns = None
        elif self._operator_lost_ns is None:
            self._operator_lost_ns = now_ns
        elif s_from_ns(now_ns - self._operator_lost_ns) > self.config.abandoned_s:
            self._to(_S.RELEASING, f'stopped and no operator for {self.config.abandoned_s:.0f} s')

    def _drift(self) -> str | None:
        """Return a line if the arms leave the captured pose while arming."""
        if self._state is None:
            return None
        measured = self.plant.measured(self._state)[0][self._policy_in_state]
        away = np.abs(measured - self._mover.filter.q)[self._arms_in_policy]
        worst = int(np.argmax(away))
        if away[worst] <= self.config.arming_drift_rad:
            return None
        return f'{self.plant.arms[worst]} moved {away[worst]:.3f} rad while arming'

    def _move(self) -> None:
        """Advance the commanded motion and the weight by the time since the last tick."""
        gap_s, config, mover = self._watch.loop.gap_s, self.config, self._mover
        dt_s = gap_s if gap_s <= config.max_step_s else config.period_s
        now_ns = self._now_ns or 0
        if self._state is not None:
            q, dq = self.plant.measured(self._state)
            mover.feel(self._state.gripper_tau)
            mover.see(q, dq, trusted=config.mode != 'shadow' and not self._distrusted)
        if self.state is _S.TRACKING:
            mover.track(dt_s, self._ros_ns, now_ns)
        elif self.state is _S.PARKING:
            mover.park(dt_s, now_ns)
        elif self.state in (_S.HOLDING, _S.STOPPED):
            mover.hold(dt_s, now_ns)
        else:
            mover.brake(dt_s)
        if self.state is _S.ARMING:
            self._ramp.rise(dt_s, config.arm_ramp_s)
        elif self.state is _S.RELEASING:
            self._ramp.fall(gap_s, config.release_ramp_s)
        if self._weights is not None:
            wanted = np.zeros(len(self.plant.command))
            wanted[self._arms_in_command] = self._weights.gravity(mover.filter.q)[
                self._arms_in_policy
            ]
            self._feedforward.step(wanted, self._ramp.weight, dt_s)

    def _capture(self, state: RobotState) -> None:
        """Take the measured pose as the commanded one, at rest and with weight 0."""
        measured, _ = self.plant.measured(state)
        self._base_q = measured[self._command_in_state]
        self._mover.start(measured[self._policy_in_state])
        self._ramp = WeightRamp()
        self._feedforward.reset()

    def _compose(self) -> RobotCommand | None:
        if self.state is _S.DISARMED:
            return None
        filtered, plant = self._mover.filter, self.plant
        q, dq = self._base_q.copy(), np.zeros(len(plant.command))
        q[self._arms_in_command] = filtered.q[self._arms_in_policy]
        dq[self._arms_in_command] = filtered.dq[self._arms_in_policy]
        grippers = filtered.q[self._grippers_in_policy] if self.config.use_grippers else None
        return RobotCommand(
            weight=self._ramp.weight,
            q=q,
            dq=dq,
            tau=self._feedforward.torque.copy(),
            kp=plant.kp,
            kd=plant.kd,
            gripper_q=grippers,
        )

    def _fail(self, cause: str) -> TickResult:
        self.fail(cause)
        return self._ramp_down_last()

    def _ramp_down_last(self) -> TickResult:
        """Let go with the last command that was good, needing nothing but the time."""
        last = self._last_command
        if last is None or self.finished:
            return self._result(None, Verdict())
        self._ramp.fall(self._watch.loop.gap_s, self.config.release_ramp_s)
        share = self._ramp.weight / last.weight if last.weight > 0.0 else 0.0
        still = dataclasses.replace(
            last, weight=self._ramp.weight, dq=last.dq * 0.0, tau=last.tau * share
        )
        self._last_command = still
        return self._result(still, Verdict())

    def _result(self, command: RobotCommand | None, verdict: Verdict) -> TickResult:
        shadow = self.config.mode == 'shadow'
        return TickResult(
            command=None if shadow else command,
            proposed=command,
            verdict=verdict,
            state=self.state,
            cause=self.machine.cause,
            sent_q16=None if command is None else self._mover.filter.q.copy(),
        )

    def _refuse(self, reason: str) -> Reply:
        self.refused_chunks += 1
        return Reply(accepted=False, reason=reason)

    def _age_s(self) -> float:
        return self.machine.age_s(self._now_ns or 0)

    def _to(self, target: ControllerState, cause: str) -> None:
        self.machine.to(target, cause, self._now_ns or 0)
        self._operator_lost_ns = None
        if target in (_S.ARMING, _S.HOLDING, _S.PARKING):
            self._distrusted = False
        if target is _S.PARKING:
            self._mover.leave_park()
        if target is not _S.TRACKING:
            self._mover.timeline.clear()
