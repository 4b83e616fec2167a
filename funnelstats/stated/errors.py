"""How a mistake is told: rule, offender, what would be right."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class FunnelError(ValueError):
    """Wrong use or bad input: rule, offender and what would be right, for a person to read."""


def suggestion(word: str, known: Iterable[str]) -> str:
    """The end of an error message: the nearest known word, or all of them."""
    known = list(known)
    near = difflib.get_close_matches(word, known, n=1)
    return f'did you mean "{near[0]}"?' if near else f"known: {', '.join(known) or 'none'}"
