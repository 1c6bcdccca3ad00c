"""The scripted expert as a policy: privileged poses in, chunks out, on the same plug."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from flash_wam_ros.core import ActionChunk, JointLayout, Observation
from flash_wam_ros.policy.protocol import PolicyOutput, SentCommands


class Planner(Protocol):
    """What a scripted expert offers."""

    def reset(self, seed: int) -> None:
        """Begin an episode."""

    def plan(
        self, q: np.ndarray, q_sent: np.ndarray, objects: Mapping[str, np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return (T,) times [s] and (T, J) joint targets from measured and sent positions."""


class ExpertPolicy:
    """Adapts a scripted expert to the Policy protocol.

    Args:
        planner: the expert of one task.
        layout: the J joints that it plans for.
        replan_s: time between plans [s].
    """

    cameras: tuple[str, ...] = ()
    privileged = True

    def __init__(self, planner: Planner, layout: JointLayout, replan_s: float = 0.4) -> None:
        self.replan_s = replan_s
        self._planner = planner
        self._layout = layout

    def reset(self, instruction: str, seed: int = 0) -> None:
        """Begin an episode; the expert knows its task, so the words must only be there."""
        if not instruction.strip():
            raise ValueError('the instruction is empty; say what to do')
        self._planner.reset(seed)

    def step(self, observations: Sequence[Observation], sent: SentCommands) -> PolicyOutput:
        """Return the next plan as a chunk anchored at the newest observation."""
        newest = observations[-1]
        if not newest.privileged:
            raise ValueError(
                'the expert needs object poses, which only the simulator gives; '
                'use another policy on a real robot'
            )
        slots = newest.layout.indices(self._layout.names)
        measured = newest.q[slots]
        last_sent = sent.q[-1] if len(sent.q) else measured
        times_s, targets = self._planner.plan(measured, last_sent, newest.privileged)
        chunk = ActionChunk(
            stamp_ns=newest.stamp_ns, layout=self._layout, times_s=times_s, q=targets
        )
        return PolicyOutput(chunk=chunk)
