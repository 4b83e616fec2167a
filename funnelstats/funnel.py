"""What people state about a funnel: its stages, targets, horizons and where the export's columns are.

Everything is read from ``data/raw/<name>/funnel.toml`` and checked at once, so that a person sees all
mistakes of the file together, each with its key, the offender and what would be right.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

ENDS = ("lost", "nurture")
MISSING = "(missing)"
"""The visible group of blank values, so that every table adds up to its total."""

TABLES = ("leads", "entries", "contacts", "payments", "costs")


class FunnelError(ValueError):
    """Wrong use or bad input: rule, offender and what would be right, for a person to read."""


def suggestion(word: str, known: Iterable[str]) -> str:
    """The end of an error message: the nearest known word, or all of them."""
    known = list(known)
    near = difflib.get_close_matches(word, known, n=1)
    return f'did you mean "{near[0]}"?' if near else f"known: {', '.join(known) or 'none'}"
