"""The same 40 leads as programs export them, as logs or as tables, and the funnel that init makes of their files."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from projects import tables

from funnelstats.config.errors import FunnelError
from funnelstats.config.funnel import read_funnel
from funnelstats.importing.prepare import prepare
from funnelstats.recognising.init import init

EXPORT = Path("..", "export")
STATEMENT = Path("data", "raw", "made", "funnel.toml")


def default(_question, _choices, default):
    """The answer of nobody."""
    return default


def put(**files):
    """Files of an export; the folder."""
    for name, content in files.items():
        path = EXPORT / name.replace("_csv", ".csv").replace("_xlsx", ".xlsx")
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return EXPORT


def csv(rows, *header):
    return "\n".join(",".join(map(str, row)) for row in [header, *rows])


def counts(name):
    """Leads, leads of each stage and of each end, and the sums of a prepared funnel."""
    frames = tables(name)
    leads = frames["entries"].groupby("stage")["lead_id"].nunique()
    found = {
        "leads": len(frames["leads"]),
        "stages": [int(leads.get(stage, 0)) for stage in read_funnel(name).stages],
    }
    found |= {end: int(leads.get(end, 0)) for end in ("lost", "nurture")}
    found |= {money: round(float(frames[money]["amount"].sum()), 2) for money in {"payments", "costs"} & frames.keys()}
    return found | ({"contacts": len(frames["contacts"])} if "contacts" in frames else {})


def made(*paths, name="made"):
    """The funnel that init makes of files, prepared and counted."""
    init([*map(Path, paths)], name, default)
    prepare(name)
    return counts(name)


def made_of(**files):
    """The funnel that init makes of an export, prepared and counted."""
    return made(put(**files))


def found_in(**files):
    """What init finds in an export; it is not prepared."""
    return init([put(**files)], "made", default)


def notes(**files):
    """What is said of an export beside its funnel."""
    return found_in(**files).statement.notes


def stated():
    """The statement that init has written."""
    return STATEMENT.read_text(encoding="utf-8")


def refuses(told, **files):
    """Asserts that no funnel is made of an export, and what is said of it."""
    with pytest.raises(FunnelError, match=told):
        found_in(**files)


def history(leads=40) -> Iterator[tuple[str, str, datetime, str, str]]:
    """Rows ``lead, stage, at, owner, reason`` of leads of which all are met but every fourth, and half of these won."""
    first = datetime(2026, 1, 5, 10)
    for number in range(leads):
        came, owner = first + timedelta(days=number), ("Anna", "Boris")[number % 2]
        yield f"D{number:03}", "new", came, owner, ""
        if number % 4 == 0:
            yield f"D{number:03}", "lost", came + timedelta(days=2), owner, "price"
            continue
        yield f"D{number:03}", "met", came + timedelta(days=3), owner, ""
        if number % 4 < 3:
            yield f"D{number:03}", "won", came + timedelta(days=12), owner, ""


COUNTED = {"leads": 40, "stages": [40, 30, 20], "lost": 10, "nurture": 0}
HISTORY = [*history()]
HISTORY_CSV = csv(HISTORY, "id", "stage", "at", "owner", "reason")
MOVES = [row[:3] for row in HISTORY]
"""Rows ``lead, stage, at``."""
MOVES_CSV = csv(MOVES, "deal id", "stage", "changed at")
NEW, MET, WON = ([(lead, at) for lead, to, at in MOVES if to == name] for name in ("new", "met", "won"))
"""Rows ``lead, at`` of those that came to a stage."""
WAYS: dict[str, dict[str, datetime]] = {lead: {to: at for other, to, at in MOVES if other == lead} for lead, _ in NEW}
"""When each lead came to each of its stages."""
ENDED = {lead: (stage, at) for lead, stage, at in MOVES if stage in ("won", "lost")}
"""How and when a lead ended."""


def renamed(**names: str):
    """The moves under other names of their stages."""
    return [(lead, names.get(stage, stage), at) for lead, stage, at in MOVES]


def changes() -> Iterator[tuple[str, str, str, datetime]]:
    """``lead, old stage, new stage, at`` of the same leads, from the first move on."""
    for lead, stage, at in MOVES:
        if stage != "new":
            yield lead, "met" if stage == "won" else "new", stage, at


def dated(*stages, nothing="", days=False) -> Iterator[Any]:
    """A row for each lead: its id and when, or on which day, it came to each of these stages."""
    for lead, way in WAYS.items():
        known = {stage: at.date() if days else at for stage, at in way.items()}
        yield lead, *(known.get(stage, nothing) for stage in stages)


WIDE = ("ID", "Created", "Met on", "Closed", "Status")


def wide(won="Won", lost="Lost", opened="Open"):
    """A row for each lead: id, created, met, closed, how it stands."""
    rows = [[*row, "", opened] for row in dated("new", "met", days=True)]
    for row in rows:
        if row[0] in ENDED:
            end, at = ENDED[row[0]]
            row[3:] = [at.date(), won if end == "won" else lost]
    return rows


def deals(won="won", lost="lost", opened="open"):
    """Rows ``lead, created, status, closed`` of the same leads."""
    for lead, at in NEW:
        stage, closed = ENDED.get(lead, ("", ""))
        yield lead, at, {"won": won, "lost": lost}.get(stage, opened), closed
