"""Rows that stand there again: which of them count, and what is told of those that do not agree."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import ibis
import ibis.expr.types as ir
import pandas as pd

from funnelstats.config.funnel import Funnel
from funnelstats.importing.cells import ROW
from funnelstats.importing.shapes import Found, toml, under

UNIQUE = {"leads": ["lead_id"], "entries": ["lead_id", "stage", "entered_at"], "payments": ["payment_id", "lead_id"]}
"""What stands once in a table; where it is blank nothing repeats."""
DAYS = {"payments": "paid_on", "costs": "date"}
LATEST = "_latest"
BLOCK = 5
"""Rows that two files must share to be two exports that overlap."""
NOTICED = 0.005
"""Share of the leads from which on rows that do not agree are a warning."""
MANY = 10
"""Costs that look alike within one file are told from so many on: a day's small sums often do."""


def repeats_first(table: str, funnel: Funnel) -> list[str | ir.Value]:
    """The order in which the row that counts among repeated ones comes first."""
    sources = getattr(funnel, table)
    place: list[str | ir.Value] = ["_source", "_file", ROW]
    if any(source.keep == "last" for source in sources):
        place = [ibis.desc(column) for column in place]
    return [ibis.desc(ibis._[LATEST].fill_null(ibis.timestamp("0001-01-01 00:00:00"))), *place]


def overlapped(rows: ir.Table, table: str) -> ir.Table:
    """The rows with ``_again``: the earlier file of an overlapping export that holds the row too, else null.

    Two files overlap where they share five rows or more and these are the end of one and the beginning of the other,
    or all of one, or all that either has of the days that both cover: the outermost of these days apart, when one of
    them may have been exported before evening.
    """
    content = _content(rows)
    text = ibis.literal("␟").join([rows[name].cast("string").fill_null("␀") for name in content])
    alike = ibis.window(group_by=["_text", "_file"], order_by=["_source", ROW])
    rows = rows.mutate(_text=text).mutate(_nth=ibis.row_number().over(alike))
    pairs = _pairs(rows.filter(rows["_reason"].isnull()), DAYS[table])
    if not pairs:
        return rows.drop("_text", "_nth").mutate(_again=ibis.null("string"))
    known = ibis.memtable(pd.DataFrame(pairs, columns=["_earlier", "_later"]))
    there = rows.filter(rows["_reason"].isnull()).select("_text", "_nth", _earlier="_file").join(known, "_earlier")
    again = there.group_by("_text", "_nth", "_later").aggregate(_again=ibis._["_earlier"].min())
    joined = rows.left_join(again, [("_text", "_text"), ("_nth", "_nth"), ("_file", "_later")])
    return joined.select(*(name for name in rows.columns if name not in ("_text", "_nth")), "_again")


def _pairs(rows: ir.Table, day: str) -> list[tuple[str, str]]:
    """Pairs of files, the earlier first, that are exports which overlap."""
    if rows.aggregate(files=rows["_file"].nunique()).execute().iloc[0, 0] < 2:
        return []
    frame = rows.order_by(ROW).select("_file", "_text", "_nth", _day=rows[day].cast("string"), _amount=rows.amount)
    frame = frame.execute()
    files = {str(file): own for file, own in frame.groupby("_file", sort=True)}
    return [pair for pair in combinations(files, 2) if _overlap(*(files[file] for file in pair))]


def _overlap(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    """Whether what two files share is one block of each, by their order or by their days."""
    rows = [list(own[["_text", "_nth"]].itertuples(index=False, name=None)) for own in (one, other)]
    shared = {*rows[0]} & {*rows[1]}
    # equal sums of every month are a budget, not an export taken twice
    if len(shared) < BLOCK or one.loc[one["_text"].isin([text for text, _nth in shared]), "_amount"].nunique() < BLOCK:
        return False
    heads, tails = ([{*own[cut]} == shared for own in rows] for cut in (slice(len(shared)), slice(-len(shared), None)))
    if (heads[0] and tails[1]) or (tails[0] and heads[1]) or any(len(own) == len(shared) for own in rows):
        return True
    start, end = max(one["_day"].min(), other["_day"].min()), min(one["_day"].max(), other["_day"].max())
    within = [{*own[(own["_day"] > start) & (own["_day"] < end)]["_text"]} for own in (one, other)]
    return within[0] == within[1] and len(within[0]) >= BLOCK


def _content(rows: ir.Table) -> list[str]:
    """What a row says, without where it stands."""
    return [name for name in rows.columns if not name.startswith("_")]


def conflicts(checked: ir.Table, table: str, funnel: Funnel) -> Iterator[Found]:
    """Leads that stand there several times with other contents, and rows of money word for word."""
    if table == "leads":
        yield from _other_contents(checked, funnel)
    if table in DAYS:
        yield from _money_again(checked, table, funnel)


def _other_contents(checked: ir.Table, funnel: Funnel) -> Iterator[Found]:
    repeats = checked["_reason"].startswith("repeats lead_id").fill_null(False)
    rows = checked.filter(checked["_reason"].isnull() | repeats)
    columns = [name for name in _content(rows) if name not in ("lead_id", "created_on")]
    if not columns:
        return
    texts = {name: rows[name].cast("string").fill_null("") for name in columns}
    twice = rows.group_by("lead_id").aggregate(
        _rows=rows.count(), **{f"n_{place}": texts[name].nunique() for place, name in enumerate(columns)}
    )
    twice = twice.filter(twice["_rows"] > 1)
    differs = {name: twice[f"n_{place}"] > 1 for place, name in enumerate(columns)}
    counts = twice.aggregate(
        **{f"n_{place}": differs[name].sum().fill_null(0) for place, name in enumerate(columns)},
        ids=ibis.or_(*differs.values()).sum().fill_null(0),
    )
    row = counts.execute().iloc[0]
    by_column = {name: int(row[f"n_{place}"]) for place, name in enumerate(columns)}
    others = by_column.pop("created_at", 0)
    yield "one_id_of_several", funnel.leads[0].columns["lead_id"], others
    declared = any(source.keep == "last" or source.latest_by for source in funnel.leads)
    if by_column and not declared and int(row["ids"]) > others:
        most = max(by_column, key=lambda name: by_column[name])
        ids = int(row["ids"]) - others
        if ids < NOTICED * int(rows.lead_id.nunique().execute()):
            yield "few_ids_differ", most, ids
        else:
            yield "repeated_ids_differ", most, ids, under("leads", 'keep = "last"')


def _money_again(checked: ir.Table, table: str, funnel: Funnel) -> Iterator[Found]:
    """Rows of money that stand there again: once where two exports overlap, and else added up, which is told."""
    overlap = checked.filter(checked["_reason"].startswith("repeats a row of").fill_null(False))
    files = sorted(overlap["_file"].value_counts().execute()["_file"]) if overlap.count().execute() else []
    yield f"{table}_overlap", ", ".join(files), overlap.count().execute()
    good = checked.filter(checked["_reason"].isnull())
    if table == "payments" and "payment_id" in good.columns:
        good = good.filter(good.payment_id.isnull())
    same = good.group_by(_content(good)).aggregate(
        _rows=good.count(), _files=good["_file"].nunique(), _one=good["_file"].min(), _other=good["_file"].max()
    )
    same = same.filter((same["_rows"] > 1) & (same.amount != 0)).execute()
    if table == "costs" and len(same) and (same["_files"] < 2).all() and (same["_rows"] - 1).sum() < MANY:
        return
    again = int((same["_rows"] - 1).sum())
    if not again:
        return
    files = sorted({*same["_one"], *same["_other"]})
    total, twice = float(good.amount.sum().execute()), float(((same["_rows"] - 1) * same["amount"]).sum())
    source = getattr(funnel, table)[0]
    mend = toml({**source.columns, "payment_id": "№"}) if table == "payments" else ""
    numbers = f"{total:.0f} / {total - twice:.0f} {funnel.currency}"
    shown = ", ".join(files[:3]) + (" …" if len(files) > 3 else "")
    yield f"{table}_twice", f"{shown}: {numbers}", again, under(table, f"columns = {mend}") if mend else ""
