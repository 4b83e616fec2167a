"""How well a header, a file's name or a stage's fits the words of ``words.toml``."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterable
from functools import cache, lru_cache
from pathlib import Path


@lru_cache(10_000)
def plain(text: str) -> str:
    """Small letters without accents and signs, words apart.

    >>> plain("Date entered “Closed Won (Sales)”"), plain("CreatedDate"), plain("case:concept:name")
    ('date entered closed won sales', 'created date', 'case concept name')
    """
    apart = re.sub(r"(?<=[a-zа-я])(?=[A-ZА-Я][a-zа-я])|(?<=[a-zа-я])(?=[A-ZА-Я]+\b)", " ", text)
    bare = "".join(mark for mark in unicodedata.normalize("NFKD", apart) if not unicodedata.combining(mark))
    return " ".join(re.findall(r"[^\W_]+|№", bare.casefold().translate({ord("ł"): "l", ord("ı"): "i"})))


def singular(text: str) -> str:
    """The text, plain, each word without the s of a plural.

    >>> singular("Lost_Reasons")
    'lost reason'
    """
    return " ".join(re.sub(r"(?<=s)es$", "", word).rstrip("s") for word in plain(text).split())


@cache
def words() -> dict[str, dict[str, list[str]]]:
    """The words of headers, files and ends, as ``plain`` writes them."""
    text = Path(__file__).with_name("words.toml").read_text(encoding="utf-8")
    found = {
        part: {role: [plain(word) for word in known] for role, known in roles.items()}
        for part, roles in tomllib.loads(text).items()
    }
    found["roles"]["time"] += found["dates"]["last"]
    found["roles"]["stage"] = found["fields"]["stage"] + found["roles"]["stage"]
    return found


def fit(text: str, known: Iterable[str]) -> float:
    """How well a text fits the best of some words: 0 not at all, below 2 where it says more than they do.

    Of words that it says exactly the first ones fit best.
    """
    said, best = f" {plain(text)} ", 0.0
    glued = said.replace(" ", "") if said.count(" ") == 2 else ""
    for place, word in enumerate(known):
        if f" {word} " == said or word.replace(" ", "") == glued:
            best = max(best, 2 + 1 / (1 + place))
        elif f" {word} " in said and len(word) > 1:
            best = max(best, 1 + len(word) / len(said) + (0.1 if said.endswith(f" {word} ") else 0))
    return best


def role_fit(text: str, *roles: str) -> float:
    """``fit`` of a header to the words of some roles."""
    return fit(text, (word for role in roles for word in words()["roles"][role]))


def outcome(title: str) -> str:
    """Whether a file or a sheet is called as deals that are won, lost or open; "" where it is not.

    >>> [outcome(title) for title in ("won_deals", "Проигранные", "Open", "customer", "lead")]
    ['won', 'lost', 'open', '', '']
    """
    fits = {end: fit(title, words()["files"][end]) for end in ("won", "lost", "open")}
    best = max(fits, key=lambda end: fits[end])
    return best if fits[best] else ""
