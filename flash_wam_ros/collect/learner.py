"""A model that drives for a while: it follows the whole episode and is asked now and then."""

from collections.abc import Sequence

import numpy as np

from flash_wam_ros.collect.turns import TurnsConfig
from flash_wam_ros.core import NS_PER_S, ActionChunk, Observation, ns_from_s
from flash_wam_ros.policy.protocol import Policy, SentCommands

_LEAST_S = 0.05


class Learner:
    """Keeps a policy up to date whoever drives, in its own rhythm.

    Args:
        policy: the model.
        turns: how long it drives, and the expert after it; None for the defaults.
    """

    def __init__(self, policy: Policy, turns: TurnsConfig | None = None) -> None:
        self.policy = policy
        self.turns = turns or TurnsConfig()
        self.reset('nothing yet', 0)

    def reset(self, instruction: str, seed: int) -> None:
        """Begin an episode."""
        self.policy.reset(instruction, seed)
        self._looks: list[Observation] = []
        self._stamps: list[np.ndarray] = []
        self._q: list[np.ndarray] = []
        self._next_ns = 0
        self._chunk: ActionChunk | None = None

    def follow(self, observations: Sequence[Observation], sent: SentCommands) -> ActionChunk:
        """Return what the policy wants from the newest look on; its next step when it is due."""
        self._looks.extend(observations)
        self._stamps.append(sent.stamps_ns)
        self._q.append(sent.q)
        now_ns = observations[-1].stamp_ns
        if self._chunk is None or now_ns >= self._next_ns:
            commands = SentCommands(
                stamps_ns=np.concatenate(self._stamps), q=np.concatenate(self._q)
            )
            self._chunk = self.policy.step(self._looks, commands).chunk
            self._next_ns = now_ns + ns_from_s(self.policy.replan_s)
            self._looks, self._stamps, self._q = [], [], []
        return _from(self._chunk, now_ns)


def _from(chunk: ActionChunk, now_ns: int) -> ActionChunk:
    """Return the rest of ``chunk`` from ``now_ns`` on; its last point where nothing is left."""
    times_s = chunk.times_s - (now_ns - chunk.stamp_ns) / NS_PER_S
    kept = times_s > _LEAST_S
    kept[-1] = True
    times_s = np.maximum(times_s[kept], _LEAST_S)
    return ActionChunk(stamp_ns=now_ns, layout=chunk.layout, times_s=times_s, q=chunk.q[kept])
