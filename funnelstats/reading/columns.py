"""Columns of text: what every reader returns, whatever kind of file it reads."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time
from itertools import islice
from math import isnan
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from funnelstats.stated.errors import FunnelError, suggestion

FILE, ROW = "_file", "_row"
CHUNK = 50_000
SAFE_DIGITS = 10**15
"""Spreadsheets and floats keep 15 digits; a longer number has lost the rest."""


class Read(NamedTuple):
    """One file: its columns of text with ``_row``, the rows that could not be split, all its column names."""

    columns: pa.Table
    broken: list[tuple[int, str, str]]
    kind: str
    header: list[str]


def composed(text: str) -> str:
    """The text with letters and their accents in one: what looks the same is the same (Unicode's NFC)."""
    return unicodedata.normalize("NFC", text)


def chosen_columns(
    path: Path, header: Sequence[str], wanted: Sequence[str] | None, header_row: int | None = None
) -> list[str]:
    """The wanted columns, each of which must stand in the header once; all where none is wanted."""
    known = [name for name in header if name]
    wanted = known if wanted is None else list(wanted)
    twice = sorted({name for name in known if name in wanted and header.count(name) > 1})
    missing = [name for name in wanted if name not in header]
    mistakes = [f'{path.name}: no column "{name}"; {suggestion(name, known)}' for name in missing]
    mistakes += [f'{path.name}: column "{name}" stands there twice; rename one' for name in twice]
    # Engines do not tell "ID" from "Id": as names of columns they are one.
    first = {name.casefold(): name for name in reversed(wanted)}
    mistakes += [
        f'{path.name}: columns "{first[name.casefold()]}" and "{name}" differ in capitals only; rename one'
        for name in dict.fromkeys(wanted)
        if first[name.casefold()] != name
    ]
    mistakes += [
        f'{path.name}: column "{name}" has a name that funnelstats uses itself; rename it'
        for name in wanted
        if name.casefold() in (FILE, ROW)
    ]
    if header_row and missing and len(missing) == len(wanted):
        mistakes.append(f"{path.name}: row {header_row} was taken as the header; if it is another, state header_row")
    if mistakes:
        raise FunnelError("\n".join(mistakes))
    return wanted


def text_columns(rows: Iterable[Sequence[Any]], header: Sequence[str], wanted: Sequence[str]) -> pa.Table:
    """Rows that begin with their number, gathered in chunks into columns of text."""
    places = [header.index(name) + 1 for name in wanted]
    schema = pa.schema([(ROW, pa.int64()), *((name, pa.string()) for name in wanted)])
    iterator = iter(rows)
    batches = []
    while chunk := list(islice(iterator, CHUNK)):
        columns = list(zip(*chunk, strict=True))
        arrays = [pa.array(columns[0], pa.int64()), *(text_array(columns[place]) for place in places)]
        batches.append(pa.record_batch(arrays, schema=schema))
    return pa.Table.from_batches(batches, schema=schema)


def text_array(values: Any) -> Any:
    """Cells as a column of text, letters and their accents in one, whoever wrote them on whichever system."""
    texts = values.cast(pa.string()) if isinstance(values, pa.ChunkedArray) else pa.array(values, pa.string())
    return pc.utf8_normalize(texts, form="NFC")


def cell_text(value: Any) -> str:
    """A spreadsheet's cell as text; a number too long for it keeps the look of one that lost digits."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, float) and isnan(value):
        return ""
    if isinstance(value, int | float) and abs(value) >= SAFE_DIGITS:
        return f"{value:.5E}"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
