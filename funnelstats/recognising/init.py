"""``funnelstats init``: from files that nobody has described to a funnel.toml that can be used."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from funnelstats.config.errors import FunnelError, visible
from funnelstats.config.folders import locked, project_root
from funnelstats.config.schema import PART
from funnelstats.importing.hints import toml_value
from funnelstats.importing.workbooks import XLSX_1904
from funnelstats.recognising.export import Export, export_of
from funnelstats.recognising.fields import fields_of
from funnelstats.recognising.joins import ids_in, linked
from funnelstats.recognising.roles import table_of
from funnelstats.recognising.sheets import Reading, Sheet, not_dates, tables_in
from funnelstats.recognising.sources import Ask
from funnelstats.recognising.statement import Statement, statement_of
from funnelstats.recognising.words import outcome, plain


class Found(NamedTuple):
    """What a new funnel was made of."""

    name: str
    path: Path
    export: Export
    statement: Statement
    refused: list[str]

    @property
    def shown(self) -> str:
        return f"data/raw/{self.name}/funnel.toml"

    @property
    def told(self) -> list[str]:
        """What each file holds, and what of them is not used."""
        export = self.export
        kinds = {
            "leads": [export.deals] if export.deals.what == "deals" else [],
            "one row for a lead": export.details,
            "history of stages": export.histories,
            "contacts": export.contacts,
            "payments": export.payments,
            "costs": export.costs,
        }
        lines = [
            f"{table.sheet.name}: {what}, {table.sheet.size}" + (f" ({table.preset['crm']})" if table.preset else "")
            for what, tables in kinds.items()
            for table in tables
            if self._is_read(table.sheet)
        ]
        sheets = [*export.unused, *(table.sheet for table in export.details)]
        lines += [f"{sheet.name}: not used{self._why(sheet)}" for sheet in sheets if not self._is_read(sheet)]
        lines += [f"not read: {message}" for message in self.refused]
        lines += [f"note: {note}" for note in self.statement.notes]
        return [
            *dict.fromkeys(lines),
            f"{self.shown}: written; lines marked “guessed” ({self.statement.guesses}) are those to check first",
        ]

    def _is_read(self, sheet: Sheet) -> bool:
        """Whether the statement names its files, and its sheet of a workbook."""
        text, titles = self.statement.text, sheet.lines.get("sheet", [])
        stated = "".join(re.findall("sheet = .*", text))
        return f'"{sheet.files[0]}"' in text and all(toml_value(title) in stated for title in titles)

    def _why(self, sheet: Sheet) -> str:
        """Why a table is not used; or that it has columns of the leads' and leads of its own."""
        deals = self.export.deals
        shared = {*sheet.fields} & {*deals.sheet.fields}
        lead_id = deals.header("lead_id")
        others = lead_id in shared and ids_in(deals, lead_id).isdisjoint(sheet.cells[lead_id])
        if not others or 2 * len(shared) < len(sheet.fields):
            table = table_of(sheet)
            if table.lacks or not sheet.dates:
                return f": {table.lacks}" if table.lacks else f": no column of dates{not_dates([sheet])}"
            if linked(table._replace(what="contacts"), deals) is None:
                may_cost = "amount" in table.roles and table.what not in ("payments", "costs")
                costs = ", and nothing says that its amounts are costs" if may_cost else ""
                return f": no column holds ids, mail addresses, phones or companies of the leads{costs}"
            if table.what in ("deals", "history"):
                return f": the leads are those of {deals.sheet.name}"
            return ": nothing says that its rows are contacts, payments or costs"
        differ = ", ".join(f"“{name}”" for name in sorted({*sheet.fields} ^ {*deals.sheet.fields}))
        return f", though its {sheet.size} have other leads: its columns are not those of {deals.sheet.name} ({differ})"


def init(paths: Sequence[Path], name: str, ask: Ask) -> Found:
    """Write ``data/raw/<name>/funnel.toml`` from files, which are copied there unless they lie there.

    Raises FunnelError where the funnel is there already, and where the files do not hold what a funnel needs.
    """
    first = paths[0].resolve()
    called = re.sub(r"\W+", "_", plain(first.stem if first.is_file() else first.name)).strip("_")[:100]
    name = name or called or "funnel"
    if not re.fullmatch(r"\w[\w-]{,99}", name):
        raise FunnelError(f'--name: must be of at most 100 letters, digits, "_" and "-", got {visible(name)!r}')
    folder = project_root() / "data" / "raw" / name
    path = folder / "funnel.toml"
    _check_new(path)
    files = [file for given in paths for file in readable(given)]
    if not files:
        raise FunnelError(f"{', '.join(map(str, paths))}: no files here")
    names = [file.name for file in files]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise FunnelError(f"{twice[0]}: given twice, from several folders; rename one")
    sheets, refused = sheets_of(files)
    if not sheets:
        raise FunnelError("\n".join(refused))
    try:
        export = export_of(sheets)
        statement = statement_of(export, name, ask)
    except FunnelError as error:
        raise FunnelError("\n".join([str(error), *refused])) from error
    folder.mkdir(parents=True, exist_ok=True)
    used = {file for sheet in sheets for file in sheet.all_files}
    with locked(folder):
        _check_new(path)  # which another one may have written meanwhile
        for file in files:
            if file.name in used and file.parent.resolve() != folder.resolve():
                shutil.copy2(file, folder / file.name)
        path.write_text(statement.text, encoding="utf-8")
    return Found(name, path, export, statement, refused)


def _check_new(path: Path) -> None:
    """Raise FunnelError where a funnel is stated already."""
    if path.exists():
        raise FunnelError(
            f"data/raw/{path.parent.name}/funnel.toml is there already: remove it, or give another --name"
        )


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
