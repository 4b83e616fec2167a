"""What is odd about prepared data: each fact a count and a sentence, nothing repaired, nothing hidden."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from funnelstats.config.errors import nearest
from funnelstats.config.funnel import Funnel
from funnelstats.config.schema import ENDS
from funnelstats.config.words import _
from funnelstats.importing.cells import instant_at, wall_clock
from funnelstats.importing.names import of_spelling
from funnelstats.importing.shapes import Found, facts_of_ends, of_shapes

NEVER = ("no_rows", "never_seen")
"""Facts of which the count is 0: most often a slip in funnel.toml."""

REASON_WORDS = (
    "repeats {keys} of an earlier row",
    "repeats a row of {file}",
    "belongs to no lead",
    "is missing",
    "is not a date written as {written}",
    'is not a number with decimal "{decimal}"',
    "is neither yes nor no; map it with values.{column}",
    "has lost digits; export ids as text",
    "has {fields} fields where the header has {wanted}",
    "is not JSON: {error}",
    "is not a JSON object",
    "is an error of a formula",
)
"""Why a row is set aside, as preparation writes it."""
LONGEST, LONGEST_MEND = 900, 2000
"""Letters of a fact's names, and of the lines that help: longer ones help nobody."""
TABLE_WORDS = ("leads", "entries", "contacts", "payments", "costs")
"""What the tables are called on a page."""


def facts(tables: dict[str, ir.Table], funnel: Funnel, odd: Iterable[Found] = ()) -> list[dict[str, Any]]:
    """Facts of the canonical tables as records ``fact, detail, count``, and ``mend``: lines of funnel.toml that help.

    Only facts of what never occurs have a count of 0. ``odd`` is what was seen of rows and cells that are in no table.
    """
    found = [
        *_of_statement(tables, funnel),
        *_of_leads(tables),
        *_of_entries(tables, funnel),
        *_of_times(tables, funnel),
        *odd,
        *of_shapes(tables, funnel),
        *of_spelling(tables, funnel),
    ]
    records, told = [], {""}
    for fact, detail, count, *mend in found:
        if int(count) > 0 or fact in NEVER:
            lines = mend[0] if mend and len(mend[0]) <= LONGEST_MEND else ""
            # Two facts that the same lines mend name them once.
            records.append(
                {"fact": fact, "detail": _short(detail), "count": int(count)}
                | ({} if lines in told else {"mend": lines})
            )
            told.add(lines)
    return records + facts_of_ends(tables, funnel)


def _short(detail: str) -> str:
    """Names from the data as one line that no terminal obeys."""
    plain = re.sub(r"[\x00-\x1f\x7f-\x9f]", "�", detail)
    return plain if len(plain) <= LONGEST else f"{plain[:LONGEST]}…"


def _of_statement(tables: dict[str, ir.Table], funnel: Funnel) -> Iterator[tuple[str, str, int]]:
    """Tables without a row, and names stated that no row holds, with the nearest one that stands there instead."""
    for table, rows in tables.items():
        yield from [("no_rows", table, 0)] if not rows.count().execute() else []
    for key, stated, there, expected in _stated_names(tables, funnel):
        for name in sorted({*stated} - there) if there else ():
            near = nearest(name, sorted(there - {*stated}))
            if near or expected:
                yield "never_seen", f"{key}: “{name}”" + (f" (“{near}”?)" if near else ""), 0
    spent, come = _texts(tables, "channel", "costs"), _texts(tables, "channel", "leads")
    for channel in sorted(spent - come) if come else ():
        yield "costs_without_leads", channel, tables["costs"].filter(ibis._.channel == channel).count().execute()


def _stated_names(tables: dict[str, ir.Table], funnel: Funnel) -> Iterator[tuple[str, Iterable[str], set[str], bool]]:
    """Key, names stated there, what rows hold of their kind, and whether each is expected in an export of any age."""
    yield "system_users", funnel.system_users, _texts(tables, "manager", "leads", "entries", "contacts"), True
    owners = _texts(tables, "manager", "entries")
    for stage, agreed in funnel.step_into.items():
        yield f"step_into.{stage}.targets", agreed.targets, owners, True
    yield "loop.marketing", funnel.loop.marketing, _texts(tables, "channel", "leads"), True
    stated, reasons = funnel.refusals, _texts(tables, "reason", "entries")
    yield "refusals.categories", stated.categories, reasons, False
    categories = {*stated.categories.values(), *(stated.categories.get(why, why) for why in reasons)}
    for key in ("excuses", "final", "gaps", "retry_days_of"):
        yield f"refusals.{key}", getattr(stated, key), categories if reasons else set(), False
    yield "loop.wrongly_qualified", funnel.loop.wrongly_qualified, categories if reasons else set(), False
    for category, gap in stated.gaps.items():
        for column, values in gap.items():
            yield f"refusals.gaps.{category}.{column}", values, _texts(tables, column, "leads"), False


def _texts(tables: dict[str, ir.Table], column: str, *names: str) -> set[str]:
    """What a column of these tables holds, where they have it."""
    there = [tables[name] for name in names if name in tables and column in tables[name].columns]
    return {
        str(text)
        for rows in there
        for text in rows.select(text=rows[column].cast("string")).distinct().text.to_pyarrow().to_pylist()
        if text
    }


def _of_leads(tables: dict[str, ir.Table]) -> Iterator[tuple[str, str, int]]:
    leads, entries = tables["leads"], tables["entries"]
    yield "leads_without_entry", "", leads.anti_join(entries, "lead_id").count().execute()
    if "created_at" in leads.columns:
        yield "leads_without_created_at", "", leads.created_at.isnull().sum().fill_null(0).execute()
    texts = [name for name, kind in leads.schema().items() if kind.is_string() and name not in ("lead_id", "_file")]
    if texts:
        counts = leads.aggregate(**{name: leads.count(where=leads[name].isnull()) for name in texts}).execute()
        yield from (("blank", name, counts[name].iloc[0]) for name in texts)


def _of_entries(tables: dict[str, ir.Table], funnel: Funnel) -> Iterator[tuple[str, str, int]]:
    entries = tables["entries"]
    for stage in funnel.undated:
        yield "undated", stage, entries.filter(entries.stage == stage).lead_id.nunique().execute()
    dated = entries.filter(entries.entered_at.notnull())
    per_stage = dated.group_by("stage").aggregate(rows=dated.count(), blank=dated.count(where=dated.manager.isnull()))
    for stage, rows, blank in per_stage.order_by("stage").execute().itertuples(index=False):
        if stage not in ENDS:
            yield ("no_manager_at_stage" if rows == blank else "entries_without_manager"), stage, blank
    for user in funnel.system_users:
        yield "system_user_entries", user, dated.filter(dated.manager == user).count().execute()
    if funnel.exported_on:
        yield "after_export", "", dated.filter(dated.entered_on > funnel.exported_on).count().execute()
    clock = wall_clock(funnel.timezone, instant_at("UTC", dated.entered_at))
    midnight = dated.filter((clock.hour() == 0) & (clock.minute() == 0) & (clock.second() == 0)).count().execute()
    yield "at_midnight", "", midnight


def _of_times(tables: dict[str, ir.Table], funnel: Funnel) -> Iterator[tuple[str, str, int]]:
    leads, entries = tables["leads"], tables["entries"]
    entries = entries.filter(entries.entered_at.notnull())
    own = entries.filter(entries.stage.isin(funnel.stages))
    first = own.group_by("lead_id").aggregate(
        managers=own.manager.nunique(),
        rows=own.count(),
        instants=own.entered_at.nunique(),
        any_first=own.entered_at.min(),
        **{f"at_{stage}": own.entered_at.min(where=own.stage == stage) for stage in funnel.stages},
        **{f"on_{stage}": own.entered_on.min(where=own.stage == stage) for stage in funnel.stages},
    )
    if "created_at" in leads.columns:
        both = first.join(leads.select("lead_id", "created_at"), "lead_id")
        yield "entered_before_created", "", both.filter(both.any_first < both.created_at).count().execute()
    yield "tied", "", first.filter(first.instants < first.rows).count().execute()
    yield "hand_overs", "", first.filter(first.managers > 1).count().execute()
    for step in funnel.steps:
        name = f"{step.from_stage} → {step.to_stage}"
        start, end = first[f"on_{step.from_stage}"], first[f"on_{step.to_stage}"]
        wrong = first.filter(first[f"at_{step.from_stage}"] > first[f"at_{step.to_stage}"])
        yield "out_of_order", name, wrong.count().execute()
        begins = end.min().execute()
        if pd.isna(begins):
            continue
        both = first.filter(start.notnull()).aggregate(
            rows=start.count(),
            converted=end.count(),
            early=start.count(where=start + ibis.interval(days=step.horizon_days) < ibis.literal(begins, "date")),
        )
        rows, converted, early = both.execute().iloc[0]
        # As many leads in a row without one success would be a one in a thousand chance at the usual rate.
        if early * np.log1p(-converted / max(rows, converted + 1)) < np.log(0.001):
            yield "history_starts_late", name, early


def set_aside_reasons(set_aside: pd.DataFrame) -> pd.DataFrame:
    """Rows set aside by reason, in words: table, file, column, reason, rows, first_row."""
    reason = set_aside["reason"].str.replace(r" of row \d+$", " of an earlier row", regex=True)
    keys = ["table", "file", "column", "reason"]
    grouped = set_aside.assign(reason=reason, column=set_aside["column"].fillna("")).groupby(keys, sort=False)["row"]
    found = grouped.agg(rows="count", first_row="min").reset_index()
    return found.assign(reason=found["reason"].map(_in_words).astype("str"))


def _in_words(reason: str) -> str:
    """A reason as written by preparation in the language of the page."""
    for text in REASON_WORDS:
        pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>.+)", re.escape(text))
        if found := re.fullmatch(pattern, reason):
            parts = {name: map(_, part.split(" and ")) for name, part in found.groupdict().items()}
            return _(text).format(**{name: _(" and ").join(part) for name, part in parts.items()})
    return reason
