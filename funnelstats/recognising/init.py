"""``funnelstats init``: from files that nobody has described to a funnel.toml that can be used."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from funnelstats.config.errors import FunnelError, visible
from funnelstats.config.folders import project_root
from funnelstats.recognising.export import Export, export_of
from funnelstats.recognising.parts import readable, sheets_of
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
        ]
        lines += [
            f"{sheet.name}: not used" for sheet in export.unused if f'"{sheet.files[0]}"' not in self.statement.text
        ]
        lines += [f"not read: {message}" for message in self.refused]
        lines += [f"note: {note}" for note in self.statement.notes]
        return [
            *dict.fromkeys(lines),
            f"{self.shown}: written; lines marked “guessed” ({self.statement.guesses}) are those to check first",
        ]


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
    if path.exists():
        raise FunnelError(f"data/raw/{name}/funnel.toml is there already: remove it, or give another --name")
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
    used = {file for sheet in sheets for file in sheet.files}
    for file in files:
        if file.name in used and file.parent.resolve() != folder.resolve():
            shutil.copy2(file, folder / file.name)
    path.write_text(statement.text, encoding="utf-8")
    return Found(name, path, export, statement, refused)
