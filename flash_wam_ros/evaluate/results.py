"""What an evaluation found, on disk: one JSON file, rewritten whole after each episode."""

import json
import os
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from flash_wam_ros.core import UserError
from flash_wam_ros.evaluate.statistics import wilson_interval

TRAINED = 'trained'
"""Stands for the wordings that demonstrations have."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Episode:
    """One try at a task.

    Attributes:
        seed: seed of the layout.
        success: whether the task was done in time.
        reason: a plain sentence: how it was done, or why it was not.
        duration_s: time on the robot's clock from the first chunk to the end [s].
        chunks: number of chunks that the policy gave.
        interventions: rule name -> ticks in which the safety controller changed something.
        inference_s: (chunks,) wall time of each policy step [s].
    """

    seed: int
    success: bool
    reason: str
    duration_s: float
    chunks: int = 0
    interventions: dict[str, int] = field(default_factory=dict)
    inference_s: list[float] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """What was evaluated; two runs with equal settings and seeds give equal episodes.

    Attributes:
        task: name of the task.
        policy: name of the policy.
        seed: seed of the first episode; the others count up from it.
        through: ``lockstep`` or ``ros``.
        model: folder of the policy's weights, '' for none.
        sampling: how the model is sampled, '' for its own steps.
        look: what happens to the cameras (see conditions.py), '' for nothing.
        words: ``trained`` wordings of the task, ``held_out`` ones, or an instruction.
        limits: of the controller, as `EvaluatedLimits.parse` takes them; '' for the defaults.
    """

    task: str
    policy: str
    seed: int
    through: str = 'lockstep'
    model: str = ''
    sampling: str = ''
    look: str = ''
    words: str = TRAINED
    limits: str = ''


class Results:
    """The episodes of one evaluation, kept in a file so that it can be taken up again."""

    def __init__(self, setting: Setting, path: Path | None = None) -> None:
        """Begin, or go on with the episodes of ``path`` if it holds the same setting.

        Raises:
            UserError: ``path`` holds another evaluation or is not one of ours.
        """
        self.setting = setting
        self.path = path
        self.notes: tuple[str, ...] = ()
        self.episodes: list[Episode] = _read(path, setting) if path and path.exists() else []

    def add(self, episode: Episode) -> None:
        """Append one episode and rewrite the file."""
        self.episodes.append(episode)
        if self.path is not None:
            write_json(self.path, self.as_dict())

    @property
    def successes(self) -> int:
        """Return the number of successful episodes."""
        return sum(episode.success for episode in self.episodes)

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form: setting, counts, interval and the list of episodes."""
        count = len(self.episodes)
        interval = list(wilson_interval(self.successes, count)) if count else None
        return {
            **asdict(self.setting),
            'notes': list(self.notes),
            'episodes': count,
            'successes': self.successes,
            'success_interval_95': interval,
            'episode_list': [asdict(episode) for episode in self.episodes],
        }


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write ``content`` to ``path`` whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f'.{path.name}.')
    try:
        with os.fdopen(handle, 'w', encoding='utf-8') as file:
            json.dump(content, file, indent=1)
            file.write('\n')
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _read(path: Path, setting: Setting) -> list[Episode]:
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
        names = Setting.__dataclass_fields__
        found = Setting(**{name: content[name] for name in names if name in content})
        episodes = [Episode(**entry) for entry in content['episode_list']]
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f'{path} is not an evaluation result ({type(error).__name__}: {error}); '
            'give another --json file'
        ) from None
    if found != setting:
        raise UserError(
            f'{path} holds {found.policy} on {found.task} from seed {found.seed} '
            f'through {found.through}; give another --json file or delete it'
        )
    return episodes
