"""Errors meant for people: one line with what, value, limit and remedy."""

import difflib
from collections.abc import Iterable


class UserError(ValueError):
    """Bad input from a person; the command line prints its one line and exits with 2."""


def did_you_mean(name: str, valid: Iterable[str]) -> str:
    """Return a remedy for an unknown ``name``: the nearest valid name and the whole list."""
    names = sorted(valid)
    near = difflib.get_close_matches(name, names, n=1)
    hint = f'did you mean {near[0]!r}? ' if near else ''
    return f'{hint}valid: {", ".join(names)}'
