"""Parameters that know their unit, range and meaning, so that nothing states a default twice."""

import dataclasses
from collections.abc import Iterator
from typing import Any, NamedTuple


class Param(NamedTuple):
    """One parameter of a configuration dataclass.

    Attributes:
        name: field name.
        default: its only default.
        text: one sentence of meaning, with the unit.
        low: smallest value allowed, None for a parameter that is not a number.
        high: largest value allowed, None likewise.
        choices: the words allowed, () for a parameter that is not a word.
    """

    name: str
    default: Any
    text: str
    low: float | None
    high: float | None
    choices: tuple[str, ...]


def number(default: float, low: float, high: float, text: str) -> Any:
    """Return a dataclass field for a number in [``low``, ``high``]."""
    return dataclasses.field(default=default, metadata={'text': text, 'low': low, 'high': high})


def switch(default: bool, text: str) -> Any:
    """Return a dataclass field for a yes or no."""
    return dataclasses.field(default=default, metadata={'text': text})


def choice(default: str, choices: tuple[str, ...], text: str) -> Any:
    """Return a dataclass field for one of some words."""
    return dataclasses.field(default=default, metadata={'text': text, 'choices': choices})


def parameters(config: type) -> Iterator[Param]:
    """Yield the parameters of a dataclass whose fields come from the helpers above."""
    for field in dataclasses.fields(config):
        meta = field.metadata
        yield Param(
            field.name,
            field.default,
            meta['text'],
            meta.get('low'),
            meta.get('high'),
            meta.get('choices', ()),
        )


def check(config: object) -> None:
    """Raise ValueError for the first field of ``config`` outside its range; NaN is outside."""
    for param in parameters(type(config)):
        value = getattr(config, param.name)
        if param.choices and value not in param.choices:
            raise ValueError(
                f'{param.name} is {value!r}; valid: {", ".join(param.choices)} ({param.text})'
            )
        if param.low is not None and not param.low <= value <= param.high:
            raise ValueError(
                f'{param.name} {value} outside [{param.low}, {param.high}]; choose a value '
                f'inside ({param.text})'
            )
