"""The figures of many evaluations, read back from their files."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from flash_wam_ros.core import UserError
from flash_wam_ros.evaluate.results import Episode, Setting
from flash_wam_ros.evaluate.statistics import paired_difference_interval, wilson_interval

_SEED = re.compile(r'_seed\d+$')
"""Ends the name of a run that was repeated with several seeds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """One evaluation.

    Attributes:
        setting: what was evaluated.
        episodes: its episodes.
        notes: what a reader must know.
    """

    setting: Setting
    episodes: tuple[Episode, ...]
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Return the name of the policy: that of its model's folder, or of the policy itself.

        Runs that differ in their seed alone have one name.
        """
        parts = [part for part in Path(self.setting.model).parts if part != 'model']
        return _SEED.sub('', parts[-1]) if parts else self.setting.policy

    @property
    def successes(self) -> int:
        """Return the number of successful episodes."""
        return sum(episode.success for episode in self.episodes)

    @property
    def rate(self) -> float:
        """Return the success rate."""
        return self.successes / len(self.episodes)

    @property
    def interval(self) -> tuple[float, float]:
        """Return the Wilson 95 % interval of the success rate."""
        return wilson_interval(self.successes, len(self.episodes))

    def latency_s(self, quantile: float) -> float:
        """Return a quantile of the time of a step; the first of an episode warms up [s]."""
        return float(np.quantile([s for e in self.episodes for s in e.inference_s[1:]], quantile))


def pooled(records: Sequence[Record]) -> list[Record]:
    """Return the records with those of one name, one sampling and one condition made into one."""
    groups: dict[tuple[str, Setting], list[Record]] = {}
    for record in records:
        groups.setdefault((record.name, replace(record.setting, model='')), []).append(record)
    return [
        Record(
            setting=group[0].setting,
            episodes=tuple(episode for record in group for episode in record.episodes),
            notes=tuple(dict.fromkeys(note for record in group for note in record.notes)),
        )
        for group in groups.values()
    ]


@dataclass(frozen=True, kw_only=True, slots=True)
class Paired:
    """Two evaluations on the same layouts.

    Attributes:
        difference: success rate of the first less that of the second, in [-1, 1].
        low, high: its 95 % interval.
        pairs: how many layouts both have.
    """

    difference: float
    low: float
    high: float
    pairs: int


def paired(first: Record, second: Record) -> Paired | None:
    """Compare two evaluations layout by layout; None if they have none in common."""
    known = {episode.seed: episode.success for episode in second.episodes}
    pairs = [(e.success, known[e.seed]) for e in first.episodes if e.seed in known]
    if not pairs:
        return None
    only_first = sum(a and not b for a, b in pairs)
    only_second = sum(b and not a for a, b in pairs)
    both = sum(a and b for a, b in pairs)
    low, high = paired_difference_interval(both, only_first, only_second, len(pairs))
    return Paired(
        difference=(only_first - only_second) / len(pairs), low=low, high=high, pairs=len(pairs)
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Foresight:
    """Imagined video beside what came.

    Attributes:
        setting: what was evaluated.
        episodes: how many.
        rows: see :func:`flash_wam_ros.evaluate.imagination.table`.
    """

    setting: Setting
    episodes: int
    rows: tuple[dict[str, Any], ...]


def read_records(paths: Sequence[Path]) -> tuple[list[Record], list[Foresight]]:
    """Return the evaluations of files and folders, in the order of their names.

    Raises:
        UserError: a folder without JSON files, or a file that is no evaluation.
    """
    records: list[Record] = []
    foresights: list[Foresight] = []
    for path in paths:
        files = sorted(path.glob('*.json')) if path.is_dir() else [path]
        if not files:
            raise UserError(f'{path} has no JSON files; evaluate with --json {path}/NAME.json')
        for file in files:
            found = _read(file)
            records += [found] if isinstance(found, Record) else []
            foresights += [found] if isinstance(found, Foresight) else []
    return records, foresights


def _read(path: Path) -> Record | Foresight:
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
        names = Setting.__dataclass_fields__
        setting = Setting(**{name: content[name] for name in names if name in content})
        if 'imagined' in content:
            rows = tuple(content['table'])
            return Foresight(setting=setting, episodes=len(content['imagined']), rows=rows)
        episodes = tuple(Episode(**entry) for entry in content['episode_list'])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f'{path} is no evaluation ({type(error).__name__}: {error}); remove it, or make it '
            'with flash-wam evaluate --json'
        ) from None
    if not episodes:
        raise UserError(f'{path} has no episodes yet; let its evaluation finish')
    return Record(setting=setting, episodes=episodes, notes=tuple(content.get('notes', ())))
