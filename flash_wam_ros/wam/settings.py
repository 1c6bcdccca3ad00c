"""Reading dataclass configurations from plain tables, strictly."""

from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any, TypeVar

from flash_wam_ros.core import UserError, did_you_mean

_T = TypeVar('_T')


def from_strict_dict(cls: type[_T], values: Mapping[str, Any], what: str) -> _T:
    """Return dataclass ``cls`` of ``values``; unknown and missing keys raise UserError."""
    if not isinstance(values, Mapping):
        raise UserError(f'{what} is a {type(values).__name__}, expected a table of settings')
    declared = fields(cls)  # type: ignore[arg-type]
    names = [field.name for field in declared]
    for key in values:
        if key not in names:
            raise UserError(f'{what}: unknown setting {key!r}; {did_you_mean(str(key), names)}')
    needed = [
        field.name
        for field in declared
        if field.default is MISSING and field.default_factory is MISSING
    ]
    missing = [name for name in needed if name not in values]
    if missing:
        raise UserError(f'{what} lacks {", ".join(missing)}; add them')
    return cls(**values)
