"""The commands that make a model, in their order, as a file says them.

A stage with ``each: {recipe: [a, b], seed: [0, 1]}`` stands for one stage of every combination,
the last key changing fastest; ``{recipe}`` and ``{seed}`` in its name and command are replaced.
"""

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import yaml

from flash_wam_ros.core import UserError, did_you_mean
from flash_wam_ros.core.fields import from_mapping

_NAME = re.compile(r'[a-z0-9_]+')
CONFIG_MARK = '{config}'
"""Stands in a command for the folder of the configuration files."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """One command.

    Attributes:
        name: lower case, digits and underscores; no two of a plan alike.
        run: what follows ``flash-wam``; paths count from the folder in which all is made.
        minutes: what it took where it was measured [min].
    """

    name: str
    run: str
    minutes: float

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise UserError(f'stage {self.name!r}: use lower case, digits and underscores')
        if not 0 <= self.minutes < float('inf'):
            raise UserError(f'stage {self.name}: minutes {self.minutes} must be 0 or more')

    def words(self, config: Path) -> list[str]:
        """Return the words of the command, with ``config`` in the place of its mark."""
        return [word.replace(CONFIG_MARK, str(config)) for word in shlex.split(self.run)]


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What makes a model.

    Attributes:
        machine: where the minutes were measured.
        stages: the commands, first to last.
    """

    machine: str
    stages: tuple[Stage, ...]

    @property
    def minutes(self) -> float:
        """Return what all of it took [min]."""
        return sum(stage.minutes for stage in self.stages)

    @classmethod
    def load(cls, path: Path) -> 'Plan':
        """Return the plan of a YAML file.

        Raises:
            UserError: it cannot be read, has unknown keys, or two stages of one name.
        """
        try:
            values = yaml.safe_load(path.read_text(encoding='utf-8'))
        except (OSError, yaml.YAMLError) as error:
            raise UserError(f'{path} cannot be read: {error}') from None
        if not isinstance(values, dict) or set(values) != {'machine', 'stages'}:
            raise UserError(f'{path} must have the keys machine and stages, and no other')
        stages = tuple(
            from_mapping(Stage, stage, str(path))
            for entry in values['stages']
            for stage in _each(entry, path)
        )
        names = [stage.name for stage in stages]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise UserError(f'{path} has two stages {", ".join(twice)}; give each its own name')
        return cls(machine=str(values['machine']), stages=stages)


def _each(entry: Mapping[str, Any], path: Path) -> Iterator[dict[str, Any]]:
    """Yield the stages that an entry of a plan stands for."""
    stage = dict(entry)
    each = stage.pop('each', {})
    if not isinstance(each, dict) or not all(isinstance(v, list) and v for v in each.values()):
        raise UserError(f'{path}: each is {each!r}, expected keys with lists of values')
    for values in product(*each.values()):
        made = dict(stage)
        for key, value in zip(each, values, strict=True):
            for field in ('name', 'run'):
                made[field] = str(made.get(field, '')).replace(f'{{{key}}}', str(value))
        yield made


def find_plan(name: str, folder: Path) -> Path:
    """Return the file of plan ``name`` in ``folder``.

    Raises:
        UserError: there is none.
    """
    path = folder / f'{name}.yaml'
    if not path.is_file():
        known = sorted(file.stem for file in folder.glob('*.yaml'))
        raise UserError(f'unknown plan {name!r}; {did_you_mean(name, known)}')
    return path
