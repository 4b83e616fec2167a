"""How a mistake is told: rule, offender, what would be right."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class FunnelError(ValueError):
    """Wrong use or bad input: rule, offender and what would be right, for a person to read."""


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that looks most like this one, capitals aside; None where none does.

    >>> nearest("schultz", ["Schulz", "Weber"])
    'Schulz'
    """
    folded = {other.casefold(): other for other in known}
    near = difflib.get_close_matches(word.casefold(), folded, n=1)
    return folded[near[0]] if near else None


def suggestion(word: str, known: Iterable[str]) -> str:
    """The end of an error message: the nearest known word, or all of them."""
    known = list(known)
    near = nearest(word, known)
    return f'did you mean "{near}"?' if near else f"known: {', '.join(known) or 'none'}"
