"""What a page said before it was made again: its verdicts kept beside it, what changed since, and why."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from funnelstats.config.dates import week_of
from funnelstats.config.folders import processed_folder
from funnelstats.config.schema import KNOWN_ON

VERDICT_TABLES = ("team", "managers")
"""Names of the tables of a page that hold its verdicts."""

KEY = ("manager", "from_stage", "to_stage")
TOLD = ("entered", "rate", "verdict")
ROWS = "rows of "
UNDATED = "undated"
_DIGITS = 6


def row_marks(name: str) -> dict[str, str]:
    """For each prepared table, under "rows of <table>", per ISO week its number of rows and a digest of them.

    Neither the order of rows nor the files they came in matter. Weeks are those of the day a row became known.
    """
    import pandas as pd
    import pyarrow.parquet as pq

    marks = {}
    for table, day in KNOWN_ON.items():
        path = processed_folder(name) / f"{table}.parquet"
        if not path.is_file():
            continue
        weeks: dict[str, list[int]] = {}
        for batch in pq.ParquetFile(path).iter_batches():
            rows = batch.to_pandas()
            known = pd.to_datetime(rows[day]) if day in rows else pd.Series(pd.NaT, rows.index)
            digests = pd.DataFrame({"digest": pd.util.hash_pandas_object(rows, index=False)})
            for at, size, digest in digests.groupby(known, dropna=False)["digest"].agg(["size", "sum"]).itertuples():
                both = weeks.setdefault(UNDATED if pd.isna(at) else week_of(at), [0, 0])
                both[0] += int(size)
                both[1] += int(digest)
        marks[ROWS + table] = " ".join(
            f"{week}:{size}:{hashlib.blake2b(str(digest % 2**64).encode(), digest_size=4).hexdigest()}"
            for week, (size, digest) in sorted(weeks.items())
        )
    return marks


def verdict_rows(tables: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The verdicts of a page from the data of its tables by name.

    Each: manager ("" for the team), from_stage, to_stage, entered, rate, target (None where there is none), verdict.
    """
    found = []
    for table in (tables[name] for name in VERDICT_TABLES if name in tables):
        columns = [column["name"] for column in table["columns"]]
        for values in table["rows"] if {"from_stage", "verdict"} <= {*columns} else ():
            row = {"manager": "", **dict(zip(columns, values, strict=True))}
            shares = {name: None if row[name] is None else round(row[name], _DIGITS) for name in ("rate", "target")}
            found.append({name: row[name] for name in (*KEY, "entered", "verdict")} | shares)
    return found


def with_restated(page: Mapping[str, Any], before: Mapping[str, Any], inputs: Mapping[str, str]) -> dict[str, Any]:
    """The page's entry of run.json with what it was made_from, and restated: what changed in its verdicts, run by run.

    ``before`` is the entry of the former run. A page that failed has no verdicts, and keeps the last ones made under
    last_made, so that a later one is compared with what was last seen.
    """
    former = before.get("last_made") or (before if before.get("verdicts") else {})
    if page["state"] != "made":
        last_made = {key: former[key] for key in ("parameters", "verdicts", "made_from", "restated") if key in former}
        return {**page, **({"last_made": last_made} if last_made else {})}
    if not (verdicts := page["verdicts"]):
        return dict(page)
    restated = list(former.get("restated", []))
    if former and (cells := changed_cells(former["verdicts"], verdicts)):
        days = [str(entry["parameters"].get("as_of", "")) for entry in (former, page)]
        restated.append({"cells": cells, "why": reasons(former.get("made_from", {}), inputs, days)})
    return {**page, "made_from": dict(inputs), "restated": restated}


def fresh_reds(now: Sequence[Mapping[str, Any]], before: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The reds among a week's verdicts that were none the week before, of the same manager at the same step."""
    known = {tuple(row[key] for key in KEY) for row in before if row["verdict"] == "red"}
    return [dict(row) for row in now if row["verdict"] == "red" and tuple(row[key] for key in KEY) not in known]


def changed_cells(before: Sequence[Mapping[str, Any]], now: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Verdicts whose number of leads, rate or verdict differ: manager, from_stage, to_stage, was, is.

    ``was`` and ``is`` hold entered, rate and verdict, or are None where there was no such row.
    """
    rows = [{tuple(row[key] for key in KEY): {key: row[key] for key in TOLD} for row in rows} for rows in (before, now)]
    return [
        {**dict(zip(KEY, key, strict=True)), "was": rows[0].get(key), "is": rows[1].get(key)}
        for key in dict.fromkeys([*rows[1], *rows[0]])
        if rows[0].get(key) != rows[1].get(key)
    ]


def reasons(before: Mapping[str, str], now: Mapping[str, str], days: Sequence[str]) -> list[dict[str, Any]]:
    """Why numbers of the same period may differ between two runs: each a reason with what it is about.

    ``days`` are the two days as of which was told. as_of: from, to. late, gone: table, rows. changed: table, weeks;
    only rows dated up to the earlier of the two days count. statement: funnel.toml changed. program: the notebook,
    the package or a library. unknown: what the former run was made from is not known, or none of these differ.
    """
    found: list[dict[str, Any]] = []
    if days[0] != days[1]:
        found.append({"reason": "as_of", "from": days[0], "to": days[1]})
    until = min((week_of(date.fromisoformat(day)) for day in days if day), default="")
    for mark in dict.fromkeys([*now, *before]):
        if before and mark.startswith(ROWS):
            was, new = _weeks(before.get(mark, ""), until), _weeks(now.get(mark, ""), until)
            grown = {week: new.get(week, (0,))[0] - was.get(week, (0,))[0] for week in {*was, *new}}
            table = mark.removeprefix(ROWS)
            for reason, rows in (
                ("late", sum(more for more in grown.values() if more > 0)),
                ("gone", -sum(more for more in grown.values() if more < 0)),
            ):
                found += [{"reason": reason, "table": table, "rows": rows}] if rows else []
            same = sum(not more and was[week] != new[week] for week, more in grown.items())
            found += [{"reason": "changed", "table": table, "weeks": same}] if same else []
    found += [{"reason": key} for key in ("statement", "program") if before and before.get(key) != now.get(key)]
    return found or [{"reason": "unknown"}]


def _weeks(mark: str, until: str) -> dict[str, tuple[int, str]]:
    """Rows and digest by week, up to a week where one is given; rows without a day always count."""
    found = {}
    for part in mark.split():
        week, rows, digest = part.split(":")
        if not until or week == UNDATED or week <= until:
            found[week] = (int(rows), digest)
    return found
