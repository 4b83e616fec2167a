"""Columns of one table that another one adds to it, by ids that both hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from funnelstats.recognising.roles import Guess, Table
from funnelstats.recognising.sheets import Sheet, fields_of
from funnelstats.recognising.words import role_fit


def joined(sheet: Sheet, left: str, right: str, prefix: str) -> dict[str, Any]:
    """The statement that adds the columns of a table to rows that hold its ids."""
    return {"files": list(sheet.files), "left": left, "right": right, "prefix": prefix, **sheet.lines}


def with_stage_names(table: Table, sheets: Sequence[Sheet]) -> Table:
    """The table with the names of its stages, where it holds their numbers and another table names them."""
    numbered = table.field("stage")
    if numbered is None or numbered.kind == "text":
        return table
    cells = table.sheet.cells
    for sheet in sheets:
        named = [name for name, field in sheet.fields.items() if field.kind == "text" and field.stands_once]
        for number, field in sheet.fields.items():
            if named and field.stands_once and {*cells[numbered.name].dropna()} <= {*sheet.cells[number]}:
                label = max(named, key=lambda name: role_fit(name, "stage", "name"))
                header = f"stage.{label}"
                names = cells[numbered.name].map(sheet.cells.set_index(number)[label])
                cells = cells.assign(**{header: names})
                fields = {**table.sheet.fields, **fields_of(cells, [header], table.sheet.kind)}
                return table._replace(
                    sheet=table.sheet._replace(cells=cells, fields=fields),
                    roles={**table.roles, "stage": Guess(header, known=False)},
                    joins=[*table.joins, joined(sheet, numbered.name, number, "stage.")],
                )
    return table
