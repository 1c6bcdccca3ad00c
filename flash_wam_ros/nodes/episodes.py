"""What an operator does in simulation: enable, watch, judge, release, begin anew; free of ROS."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from flash_wam_ros.core import UserError
from flash_wam_ros.evaluate.results import Episode

READY = ('HOLDING', 'TRACKING')
_NOT_ARMED = ('DISARMED', 'FAULT')
_LET_GO = ('RELEASING', 'DISARMED')
_ARM_ATTEMPTS = 3
_POLL_S = 0.02
_START_S = 120.0
_ENABLE_S = 15.0
_RELEASE_S = 8.0
_RESET_S = 15.0
_END_S = 8.0
_FIRST_CHUNK_S = 120.0


@dataclass(slots=True)
class Stage:
    """What the operator sees; ROS callbacks write it, the script reads it.

    Attributes:
        missing: what has not been seen yet, by name.
        state: state of the controller.
        cause: why the controller is in it.
        outcome: how the episode stands, as the simulator says.
        chunks: chunks since the episode began.
        inference_s: time of each policy step since the episode began [s].
        latency_s: observation to chunk of each step since the episode began [s].
        interventions: rule -> count, as the controller says.
    """

    missing: set[str] = field(default_factory=set)
    state: str = ''
    cause: str = ''
    outcome: dict[str, Any] = field(default_factory=dict)
    chunks: int = 0
    inference_s: list[float] = field(default_factory=list)
    latency_s: list[float] = field(default_factory=list)
    interventions: Counter[str] = field(default_factory=Counter)

    def begin(self) -> None:
        """Forget the figures of the episode before."""
        self.chunks = 0
        self.inference_s, self.latency_s = [], []


class Hands(Protocol):
    """What the operator can do; each answers with acceptance and words."""

    def instruct(self, words: str) -> None:
        """Tell the policy what to do."""

    def enable(self) -> tuple[bool, str]:
        """Ask the controller to take the arms."""

    def release(self) -> tuple[bool, str]:
        """Ask the controller to let the arms go."""

    def reset_world(self) -> tuple[bool, str]:
        """Ask the simulator for the next episode."""

    def say(self, line: str) -> None:
        """Tell people about an event."""


class EndAskedError(Exception):
    """The process was asked to end."""


class StackError(UserError):
    """The stack does not do what the script waits for; one line says what."""


class EpisodeScript:
    """Plays episodes one after the other.

    Args:
        stage: what is seen.
        hands: what can be done.
        timeout_s: when an episode is given up [s]; the task's own limit holds if it is shorter.
        instruction: what to say; '' for the words of the simulated task.
        stop: set when the process is to end.
    """

    def __init__(
        self,
        stage: Stage,
        hands: Hands,
        timeout_s: float,
        instruction: str = '',
        stop: threading.Event | None = None,
    ) -> None:
        self._stage = stage
        self._hands = hands
        self._timeout_s = timeout_s
        self._instruction = instruction
        self._stop = stop or threading.Event()

    def prepare(self) -> None:
        """Wait until everything that an episode needs has been seen."""
        stage = self._stage
        self._wait(
            lambda: not stage.missing and stage.state != '' and bool(stage.outcome),
            _START_S,
            lambda: (
                f'still missing: {", ".join(sorted(stage.missing)) or "controller, simulator"}'
            ),
        )
        self._hands.say('all processes are up')

    def play(self, seed: int, untouched: bool) -> Episode:
        """Play the episode of ``seed``; return how it went.

        Args:
            seed: the world is reset until it shows this one.
            untouched: whether a world that shows it already is fresh.
        """
        stage, hands = self._stage, self._hands
        if not untouched:
            self._next_world()
        while int(stage.outcome['seed']) < seed:
            self._next_world()
        self._begin()
        before = Counter(stage.interventions)
        self._await_first_chunk()
        begun_s = time.monotonic()
        success, reason = self._watch(begun_s)
        took_s = time.monotonic() - begun_s
        hands.say(f'{"success" if success else "failure"} after {took_s:.1f} s: {reason}')
        episode = Episode(
            seed=seed,
            success=success,
            reason=reason,
            duration_s=took_s,
            chunks=stage.chunks,
            interventions=dict(stage.interventions - before),
            inference_s=list(stage.inference_s),
        )
        self._release()
        return episode

    def keep_going(self) -> None:
        """Begin an episode and let it go on until the process is to end."""
        self._begin()
        while self._stage.state in READY:
            self._sleep(_POLL_S)
        if self._stage.state in _LET_GO:
            self._sleep(_END_S)  # the controller is ended first, and this process next
        raise StackError(f'the controller went to {self._stage.state}: {self._stage.cause}')

    def _begin(self) -> None:
        """Say what to do and let the controller take the arms."""
        stage = self._stage
        words = self._instruction or str(stage.outcome['instruction'])
        self._hands.say(f'episode of seed {stage.outcome["seed"]}: {words}')
        self._hands.instruct(words)
        self._enable()
        stage.begin()

    def _next_world(self) -> None:
        seed = self._stage.outcome['seed']
        accepted, words = self._hands.reset_world()
        if not accepted:
            raise StackError(f'the simulator did not reset: {words}')
        self._wait(
            lambda: self._stage.outcome['seed'] != seed,
            _RESET_S,
            lambda: f'the simulator still shows seed {seed}',
        )

    def _enable(self) -> None:
        """Arm; once more where a passing fault ended the arming, as on a machine under load."""
        for attempt in range(1, _ARM_ATTEMPTS + 1):
            self._ask_to_enable()
            self._wait(
                lambda: self._stage.state in (*READY, *_NOT_ARMED),
                _ENABLE_S,
                lambda: f'the controller is {self._stage.state}: {self._stage.cause}',
            )
            if self._stage.state in READY:
                return
            self._hands.say(f'arming {attempt} of {_ARM_ATTEMPTS} failed: {self._stage.cause}')
        raise StackError(f'the controller does not arm: {self._stage.cause}')

    def _ask_to_enable(self) -> None:
        """Ask until the controller begins to arm; it refuses until it has seen enough."""
        deadline_s = time.monotonic() + _ENABLE_S
        accepted, words = self._hands.enable()
        while not accepted:
            if time.monotonic() > deadline_s:
                raise StackError(f'the controller does not arm: {words}')
            self._sleep(0.5)
            accepted, words = self._hands.enable()
        self._wait(
            lambda: self._stage.state not in _NOT_ARMED,
            _ENABLE_S,
            lambda: 'the controller says nothing of the arming',
        )

    def _await_first_chunk(self) -> None:
        """Wait for the policy, which may still load or compile; nothing moves until it speaks."""
        stage = self._stage
        self._wait(
            lambda: stage.chunks > 0 or stage.state not in READY or self._decided(),
            _FIRST_CHUNK_S,
            lambda: 'the policy made no chunk',
        )

    def _decided(self) -> bool:
        return bool(self._stage.outcome['success'] or self._stage.outcome['over'])

    def _watch(self, begun_s: float) -> tuple[bool, str]:
        """Return success and reason as soon as the episode is decided."""
        stage = self._stage
        limit_s = min(self._timeout_s, float(stage.outcome['time_limit_s']))
        while time.monotonic() - begun_s < limit_s:
            if stage.outcome['success']:
                return True, str(stage.outcome['reason'])
            if stage.outcome['over']:
                return False, str(stage.outcome['reason'])
            if stage.state not in READY:
                return False, f'the controller went to {stage.state}: {stage.cause}'
            self._sleep(_POLL_S)
        return False, f'{stage.outcome["reason"]} when the time of {limit_s:g} s was up'

    def _release(self) -> None:
        self._hands.release()
        self._wait(
            lambda: self._stage.state in ('DISARMED', 'FAULT'),
            _RELEASE_S,
            lambda: f'the controller does not let go, it is {self._stage.state}',
        )

    def _sleep(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise EndAskedError

    def _wait(self, met: Callable[[], bool], limit_s: float, why: Callable[[], str]) -> None:
        deadline_s = time.monotonic() + limit_s
        while not met():
            if time.monotonic() > deadline_s:
                raise StackError(f'{why()} after {limit_s:g} s; see the logs of the processes')
            self._sleep(_POLL_S)
