"""Who drives when a model and the expert share an episode.

A model that only ever saw the expert's ways meets, once it drives itself, states that the expert
never comes to. So the model drives for a while, and the expert takes over from where it got to
(Kelly et al. 2019, HG-DAgger; Ross et al. 2011): those are the lessons that it lacks.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from flash_wam_ros.core import check_fields, number


@dataclass(frozen=True, kw_only=True, slots=True)
class TurnsConfig:
    """How long the turns are; each is drawn from the given range."""

    learner_min_s: float = number(0.8, 0.1, 60.0, "shortest of the model's turns [s]")
    learner_max_s: float = number(4.0, 0.1, 60.0, "longest of the model's turns [s]")
    expert_min_s: float = number(1.6, 0.1, 60.0, "shortest of the expert's turns [s]")
    expert_max_s: float = number(3.2, 0.1, 60.0, "longest of the expert's turns [s]")

    def __post_init__(self) -> None:
        """Refuse values out of range or order."""
        check_fields(self)
        for who in ('learner', 'expert'):
            low, high = (getattr(self, f'{who}_{end}_s') for end in ('min', 'max'))
            if not low <= high:
                raise ValueError(f'{who}_min_s {low} is above {who}_max_s {high}; swap them')


class Turns:
    """The turns of one episode, drawn beforehand; either may begin.

    Args:
        config: how they are drawn.
        rng: where they are drawn from.
        duration_s: length of the episode [s].
    """

    def __init__(self, config: TurnsConfig, rng: np.random.Generator, duration_s: float) -> None:
        self._learner_first = bool(rng.integers(2))
        self._ends_s: Sequence[float] = self._drawn(config, rng, duration_s)

    def _drawn(
        self, config: TurnsConfig, rng: np.random.Generator, duration_s: float
    ) -> list[float]:
        ranges = [
            (config.learner_min_s, config.learner_max_s),
            (config.expert_min_s, config.expert_max_s),
        ]
        ends_s, turn = [0.0], 0 if self._learner_first else 1
        while ends_s[-1] < duration_s:
            ends_s.append(ends_s[-1] + rng.uniform(*ranges[turn % 2]))
            turn += 1
        return ends_s[1:]

    def learner_drives(self, time_s: float) -> bool:
        """Return whether the model drives at ``time_s`` after the episode's beginning."""
        turn = int(np.searchsorted(self._ends_s, time_s, side='right'))
        return (turn % 2 == 0) is self._learner_first
