"""The tables of an export's files: those of the same columns are parts of one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from funnelstats.config.errors import FunnelError
from funnelstats.config.schema import PART
from funnelstats.importing.workbooks import XLSX_1904
from funnelstats.recognising.fields import fields_of
from funnelstats.recognising.sheets import Reading, Sheet, tables_in
from funnelstats.recognising.words import outcome

MOST_MORE = 3
"""Columns that one file of several may have more."""
FEWEST_SHARED = 2
"""Columns that all of them must have, where their names tell how the deals in them ended."""


def sheets_of(paths: Iterable[Path]) -> tuple[list[Sheet], list[str]]:
    """The tables of some files, those of the same columns as one; and what is said of files that hold none.

    A file may have a few columns more than another one, as an export of a later day has, and one of the deals that are
    won others than one of those that are lost.
    """
    sheets: list[Sheet] = []
    refused = []
    for path in paths:
        try:
            if not path.is_file():
                raise FunnelError(f"{path}: neither a file nor a folder")
            for sheet in tables_in(path):
                refused += [f"“{name}” of {path.name}, the name of several columns" for name in sheet.twice]
                alike = next((other for other in sheets if _are_alike(other, sheet)), None)
                sheets = [
                    *(other for other in sheets if other is not alike),
                    _together(alike, sheet) if alike else sheet,
                ]
        except FunnelError as error:
            refused.append(str(error))
        except OSError as error:
            refused.append(f"{path}: {error.strerror or error}")
    return sheets, refused


def _are_alike(one: Sheet, other: Sheet) -> bool:
    """Whether two tables are parts of one: of several files, or of several sheets of one."""
    both, either = len({*one.fields} & {*other.fields}), len({*one.fields} | {*other.fields})
    more = either - both
    few = more <= MOST_MORE and both in (len(one.fields), len(other.fields)) and both >= 2 * more + 2
    # What is known of deals that are won, of lost and of open ones differs.
    outcomes = {outcome(title) for title in (*_titles(one), *_titles(other))}
    few |= both >= FEWEST_SHARED and "" not in outcomes and len(outcomes) > 1
    sheets = ("sheet" in one.lines, one.files) == ("sheet" in other.lines, other.files) or "sheet" not in {
        *one.lines,
        *other.lines,
    }
    lists = one.lines.get("rows") == other.lines.get("rows")
    if _names_ids(one) and _names_ids(other):
        called = {re.sub(r"\d", "", title) for title in (*_titles(one), *_titles(other))}
        again = any({*one.values(name)} & {*other.values(name)} for name in one.fields if name in other.fields)
        if again or len(called) > 1:
            return False  # the names of users and those of sources, each with numbers of its own
    return lists and few and sheets and (one.kind == XLSX_1904) == (other.kind == XLSX_1904)


def _names_ids(sheet: Sheet) -> bool:
    """Whether a table says no more than what ids are called."""
    once = all(field.stands_once for field in sheet.fields.values())
    return once and len(sheet.fields) <= MOST_MORE and not sheet.dates


def _together(one: Sheet, other: Sheet) -> Sheet:
    cells = pd.concat([_with_part(one), _with_part(other)], ignore_index=True)
    names = list(dict.fromkeys([*one.fields, *other.fields]))
    some = {*one.some, *other.some, *({*one.fields} ^ {*other.fields})}
    readings = [*one.readings]
    for reading in other.readings:
        alike = [number for number, each in enumerate(readings) if _how(each) == _how(reading)]
        if alike:
            readings[alike[0]] = _both(readings[alike[0]], reading)
        else:
            readings.append(reading)
    return one._replace(
        readings=tuple(readings),
        sizes=(*one.sizes, *other.sizes),
        cells=cells,
        fields=fields_of(cells, names, one.kind),
        some=tuple(name for name in names if name in some),
    )


def _with_part(sheet: Sheet) -> pd.DataFrame:
    """The cells, and the title of the sheet that each row stands in, or what its file is called."""
    return sheet.cells if PART in sheet.cells else sheet.cells.assign(**{PART: _titles(sheet)[0]})


def _titles(sheet: Sheet) -> list[str]:
    """What the parts of a table are called: sheets by their titles, files by their names."""
    titles = [title for reading in sheet.readings for title in reading.lines.get("sheet", [])]
    return titles or [Path(file).name.partition(".")[0] for file in sheet.all_files]


def _how(reading: Reading) -> dict[str, Any]:
    return {key: value for key, value in reading.lines.items() if key not in ("sheet", "fill_down")}


def _both(one: Reading, other: Reading) -> Reading:
    lines = {**one.lines, **other.lines}
    if "sheet" in lines:
        lines["sheet"] = [*one.lines["sheet"], *other.lines["sheet"]]
    return Reading(tuple(dict.fromkeys([*one.files, *other.files])), lines)


def readable(path: Path) -> Iterator[Path]:
    """The files of a folder that may hold a table, or the file itself."""
    if not path.is_dir():
        yield path
        return
    for file in sorted(path.iterdir()):
        if (
            file.is_file()
            and not file.name.startswith((".", "~"))
            and file.suffix.lower() not in (".toml", ".md", ".py")
        ):
            yield file
