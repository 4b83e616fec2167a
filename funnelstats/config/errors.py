"""How a mistake is told: rule, offender, what would be right."""

import difflib
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

Item = TypeVar("Item")
Made = TypeVar("Made")

LONGEST = 200
"""Characters of a cell that a message shows."""


_STEERING = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


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
    return f'did you mean "{visible(near)}"?' if near else f"known: {', '.join(map(visible, known)) or 'none'}"


def listed(names: Sequence[str]) -> str:
    """Names as a message lists them.

    >>> listed(["leads"]), listed(["entries", "contacts", "payments"])
    ('leads', 'entries, contacts and payments')
    """
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def need(frame: Any, name: str, *columns: str, lazy: bool = False) -> None:
    """Tells which of these columns the argument ``name`` of a verb lacks. Raises FunnelError.

    >>> import pandas as pd
    >>> need(pd.DataFrame({"manager": ["Anna"]}), "counts", "entered", "converted")
    Traceback (most recent call last):
    funnelstats.config.errors.FunnelError: counts: no columns "entered" and "converted"; known: manager
    """
    if not hasattr(frame, "to_pyarrow" if lazy else "columns"):
        kind = "a table of ibis, see tables and open_funnel" if lazy else "a DataFrame"
        raise FunnelError(f"{name}: must be {kind}, got {type(frame).__name__}")
    if lacks := [f'"{column}"' for column in columns if column not in frame.columns]:
        which = "column" if len(lacks) == 1 else "columns"
        raise FunnelError(f"{name}: no {which} {listed(lacks)}; known: {', '.join(map(str, frame.columns)) or 'none'}")


def visible(text: str) -> str:
    """Text as a message shows it: blanks that look like a plain one, and what has no look, by their numbers; shortened.

    >>> visible("05.01.2026\\u00a015:07")
    '05.01.2026<U+00A0>15:07'
    """
    cut = text if len(text) <= LONGEST else f"{text[:LONGEST]}... ({len(text):,} characters)"
    return "".join(
        f"<U+{ord(mark):04X}>" if mark != " " and unicodedata.category(mark) in ("Zs", "Zl", "Zp", "Cc", "Cf") else mark
        for mark in cut
    )


def gathered(items: Iterable[Item], make: Callable[[Item], Made]) -> list[Made]:
    """What is made of each item; the mistakes of all of them are told at once. Raises FunnelError."""
    made, messages = [], []
    for item in items:
        try:
            made.append(make(item))
        except FunnelError as error:
            messages.append(str(error))
    if messages:
        raise FunnelError("\n".join(dict.fromkeys(messages)))
    return made


def readable(line: str) -> str:
    """A line in which nothing steers a terminal, breaks or turns it: a sign stands for what would.

    >>> readable("\x1b[31mred\u202e"), readable("12\u00a0%")
    ('\ufffd[31mred\ufffd', '12\xa0%')
    """
    return _STEERING.sub("\ufffd", line)
