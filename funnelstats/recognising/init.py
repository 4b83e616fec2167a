"""``funnelstats init``: from files that nobody has described to a funnel.toml that can be used."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from funnelstats.config.errors import FunnelError, visible
from funnelstats.config.folders import locked, project_root
from funnelstats.importing.hints import toml_value
from funnelstats.recognising.export import Export, export_of
from funnelstats.recognising.joins import ids_in, linked
from funnelstats.recognising.parts import readable, sheets_of
from funnelstats.recognising.roles import table_of
from funnelstats.recognising.sheets import Sheet, not_dates
from funnelstats.recognising.sources import Ask
from funnelstats.recognising.statement import Statement, statement_of
from funnelstats.recognising.words import plain


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
