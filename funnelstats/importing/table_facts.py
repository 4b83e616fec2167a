"""What is odd about prepared tables: names that never occur, blanks, histories whose shape makes a rate false."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from funnelstats.config.errors import nearest
from funnelstats.config.funnel import Funnel, Source, stated_for
from funnelstats.config.schema import ENDS, KEYS_OF_KIND, KNOWN_ON
from funnelstats.importing.cells import instant_at, wall_clock
from funnelstats.importing.facts import Fact
from funnelstats.importing.hints import toml_value
from funnelstats.importing.repeats import spelling_facts

NEVER = ("no_rows", "never_seen")
"""Facts of which the count is 0: most often a slip in funnel.toml."""
LONGEST, LONGEST_MEND = 900, 2000
"""Letters of a fact's names, and of the lines that help: longer ones help nobody."""

LEAST_ROWS = 20
"""With fewer rows no day is far from the others."""
LEAST_GAP, TIMES = 21, 5
"""Days without a row that set a few rows apart, and how many times the longest silence among the others."""
HOLIDAY = timedelta(days=62)
"""After a silence of up to so long a few entries may be the first after a holiday."""
DAYS_AT_END = 7
"""Days after the last stage entry from which on a row of another table lies beyond the data."""

LEAST_LEADS = 5
"""With fewer leads nothing is said of their shape."""
SKIPPED_FIRST, SKIPPED = 0.2, 0.8
"""Shares of the leads beyond a stage without an entry of their own there from which it seems not to be logged."""
MOST_NAMED = 5
SOON = 24
"""Hours within which a lead reopened after its end may put a slip right."""


def odd_facts(tables: dict[str, ir.Table], funnel: Funnel, of_rows: Iterable[Fact] = ()) -> list[dict[str, Any]]:
    """Facts of the canonical tables as records ``fact, detail, count``, and ``mend``: lines of funnel.toml that help.

    Only facts of what never occurs have a count of 0. ``of_rows`` is what was seen of rows and cells that are in no
    table.
    """
    dated = tables["entries"].filter(ibis._.entered_at.notnull())
    found = [
        *_of_statement(tables, funnel),
        *_of_leads(tables),
        *_of_entries(tables["entries"], dated, funnel),
        *_of_times(tables["leads"], dated, funnel),
        *of_rows,
        *_far_days(tables, dated, funnel),
        *_unlogged_stages(dated, funnel),
        *_ends_alone(tables["entries"], funnel),
        *_queues(dated, funnel),
        *_inherited(tables, dated, funnel),
        *_snapshot(tables, dated, funnel),
        *spelling_facts(tables, funnel),
        *_of_ends(tables, funnel),
    ]
    records: list[dict[str, Any]] = []
    mended = {""}
    for fact in found:
        count = int(fact.number)
        if count or fact.fact in NEVER:
            record = {"fact": fact.fact, "detail": _one_line(fact.detail), "count": count}
            mend = fact.mend if len(fact.mend) <= LONGEST_MEND else ""
            # Two facts that the same lines mend name them once.
            records.append(record if mend in mended else record | {"mend": mend})
            mended.add(mend)
    return records


def _one_line(detail: str) -> str:
    """Names from the data as one line that no terminal obeys."""
    plain = re.sub(r"[\x00-\x1f\x7f-\x9f]", "�", detail)
    return plain if len(plain) <= LONGEST else f"{plain[:LONGEST]}…"


def _of_statement(tables: dict[str, ir.Table], funnel: Funnel) -> Iterator[Fact]:
    """Tables without a row, and names stated that no row holds, with the nearest one that stands there instead."""
    for table, rows in tables.items():
        if not rows.count().execute():
            yield Fact("no_rows", table, 0)
    for key, stated, there, expected in _stated_names(tables, funnel):
        for name in sorted({*stated} - there) if there else ():
            near = nearest(name, sorted(there - {*stated}))
            if near or expected:
                yield Fact("never_seen", f"{key}: “{name}”" + (f" (“{near}”?)" if near else ""), 0)
    spent, come = _texts(tables, "channel", "costs"), _texts(tables, "channel", "leads")
    for channel in sorted(spent - come) if come else ():
        rows = tables["costs"].filter(ibis._.channel == channel).count().execute()
        yield Fact("costs_without_leads", channel, rows)


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
    categories = categories if reasons else set()
    for key in ("excuses", "final", "gaps", "retry_days_of"):
        yield f"refusals.{key}", getattr(stated, key), categories, False
    yield "loop.wrongly_qualified", funnel.loop.wrongly_qualified, categories, False
    for category, gap in stated.gaps.items():
        for column, values in gap.items():
            yield f"refusals.gaps.{category}.{column}", values, _texts(tables, column, "leads"), False


def _texts(tables: dict[str, ir.Table], column: str, *names: str) -> set[str]:
    """What a column of these tables holds, where they have it."""
    there = [tables[name] for name in names if name in tables and column in tables[name].columns]
    return {
        text
        for rows in there
        for text in rows.select(text=rows[column].cast("string")).distinct().text.to_pyarrow().to_pylist()
        if text
    }


def _of_leads(tables: dict[str, ir.Table]) -> Iterator[Fact]:
    leads, entries = tables["leads"], tables["entries"]
    yield Fact("leads_without_entry", "", leads.anti_join(entries, "lead_id").count().execute())
    texts = [name for name, kind in leads.schema().items() if kind.is_string() and name not in ("lead_id", "_file")]
    columns = [*texts, *({"created_at"} & {*leads.columns})]
    if columns:
        blank = leads.aggregate(**{name: leads.count(where=leads[name].isnull()) for name in columns}).execute().iloc[0]
        yield Fact("leads_without_created_at", "", blank.get("created_at", 0))
        yield from (Fact("blank", name, blank[name]) for name in texts)


def _of_entries(entries: ir.Table, dated: ir.Table, funnel: Funnel) -> Iterator[Fact]:
    for stage in funnel.undated:
        yield Fact("undated", stage, entries.filter(entries.stage == stage).lead_id.nunique().execute())
    per_stage = dated.group_by("stage").aggregate(rows=dated.count(), blank=dated.count(where=dated.manager.isnull()))
    for stage, rows, blank in per_stage.order_by("stage").execute().itertuples(index=False):
        if stage not in ENDS:
            yield Fact("no_manager_at_stage" if rows == blank else "entries_without_manager", stage, blank)
    for user in funnel.system_users:
        yield Fact("system_user_entries", user, dated.count(where=dated.manager == user).execute())
    if funnel.exported_on:
        yield Fact("after_export", "", dated.count(where=dated.entered_on > funnel.exported_on).execute())
    clock = wall_clock(funnel.timezone, instant_at("UTC", dated.entered_at))
    midnight = (clock.hour() == 0) & (clock.minute() == 0) & (clock.second() == 0)
    yield Fact("at_midnight", "", dated.count(where=midnight).execute())


def _of_times(leads: ir.Table, dated: ir.Table, funnel: Funnel) -> Iterator[Fact]:
    own = dated.filter(dated.stage.isin(funnel.stages))
    places = list(enumerate(funnel.stages))
    first = own.group_by("lead_id").aggregate(
        managers=own.manager.nunique(),
        rows=own.count(),
        instants=own.entered_at.nunique(),
        any_first=own.entered_at.min(),
        **{f"at_{place}": own.entered_at.min(where=own.stage == stage) for place, stage in places},
        **{f"on_{place}": own.entered_on.min(where=own.stage == stage) for place, stage in places},
    )
    if "created_at" in leads.columns:
        both = first.join(leads.select("lead_id", "created_at"), "lead_id")
        yield Fact("entered_before_created", "", both.count(where=both.any_first < both.created_at).execute())
    steps = range(len(funnel.steps))
    came = {n: first[f"on_{n}"].notnull() for n, _stage in places}
    counts = first.aggregate(
        tied=first.count(where=first.instants < first.rows),
        handed=first.count(where=first.managers > 1),
        **{f"wrong_{n}": first.count(where=first[f"at_{n}"] > first[f"at_{n + 1}"]) for n in steps},
        **{f"begins_{n}": first[f"on_{n + 1}"].min() for n in steps},
        **{f"came_{n}": first.count(where=came[n]) for n in steps},
        **{f"converted_{n}": first.count(where=came[n] & came[n + 1]) for n in steps},
    )
    found = counts.execute().iloc[0]
    yield Fact("tied", "", found["tied"])
    yield Fact("hand_overs", "", found["handed"])
    for n, step in enumerate(funnel.steps):
        name = f"{step.from_stage} → {step.to_stage}"
        yield Fact("out_of_order", name, found[f"wrong_{n}"])
        if pd.isna(found[f"begins_{n}"]):
            continue
        over = first[f"on_{n}"] + ibis.interval(days=step.horizon_days)
        early = first.count(where=over < ibis.literal(found[f"begins_{n}"].date(), "date")).execute()
        share = found[f"converted_{n}"] / max(found[f"came_{n}"], found[f"converted_{n}"] + 1)
        # As many leads in a row without one success would be a one in a thousand chance at the usual rate.
        if early * np.log1p(-share) < np.log(0.001):
            yield Fact("history_starts_late", name, early)


def usual_days(days: ir.DateColumn) -> tuple[date, date] | None:
    """First and last day of the rows but for a few that lie far beyond all others; None where no row has a day.

    Few are two rows or one in 200. Far is a silence of more than 21 days that is more than five times as long as any
    among the rows but the outermost: no team that works every week leaves such a one before a true entry.
    """
    rows = days.as_table().filter(days.notnull()).group_by(day=days).aggregate(rows=days.count())
    counts = rows.order_by("day").execute().set_index("day")["rows"]
    if counts.empty:
        return None
    known, total = [day.date() for day in pd.DatetimeIndex(counts.index)], counts.sum()
    if total < LEAST_ROWS:
        return known[0], known[-1]
    few = max(2, total // 200)
    outer_first = int((counts.cumsum() <= few).sum())
    outer_last = len(known) - 1 - int((counts[::-1].cumsum() <= few).sum())
    silences = [(after - before).days for before, after in pairwise(known)]
    far = max(LEAST_GAP, TIMES * max(silences[outer_first:outer_last], default=1))
    # Beyond the innermost silence that is long enough everything is far.
    begins = max((place + 1 for place in range(outer_first) if silences[place] > far), default=0)
    ends = min((place for place in range(outer_last, len(silences)) if silences[place] > far), default=len(known) - 1)
    return known[begins], known[ends]


def _far_days(tables: dict[str, ir.Table], dated: ir.Table, funnel: Funnel) -> Iterator[Fact]:
    """Entries far from all others, and rows of other tables after the last day."""
    days = usual_days(dated.entered_on)
    if days is None:
        return
    for fact, beyond in (("far_before", dated.entered_on < days[0]), ("far_after", dated.entered_on > days[1])):
        if fact == "far_after" and funnel.exported_on:
            continue
        found = dated.filter(beyond).aggregate(rows=ibis._.count(), day=ibis._.entered_on.max()).execute().iloc[0]
        if found["rows"]:
            furthest = found["day"].date()
            # A line that is copied must not cut off what may be true.
            last = furthest if furthest - days[1] <= HOLIDAY else days[1]
            mend = f"exported_on = {last}" if fact == "far_after" else ""
            yield Fact(fact, str(furthest), found["rows"], mend)
    last = funnel.exported_on or days[1] + timedelta(days=DAYS_AT_END)
    for table, column in KNOWN_ON.items():
        if table != "entries" and table in tables and column in tables[table].columns:
            after = tables[table].filter(ibis._[column] > ibis.literal(last, "date")).count().execute()
            yield Fact(f"{table}_after_the_end", str(funnel.exported_on or days[1]), after)


def _unlogged_stages(dated: ir.Table, funnel: Funnel) -> Iterator[Fact]:
    """Stages that leads pass without an entry of their own, so that only who came further is counted there."""
    stood = dated.group_by("lead_id").aggregate(
        **{f"at_{place}": (dated.stage == stage).any() for place, stage in enumerate(funnel.stages)}
    )
    at = [name for name in stood.columns if name != "lead_id"]
    patterns = stood.group_by(at).aggregate(leads=ibis._.count()).execute()
    skipped = []
    for place in range(len(at) - 1):
        beyond = patterns[patterns[at[place + 1 :]].any(axis=1)]
        there, passed = beyond["leads"].sum(), beyond["leads"][~beyond[at[place]]].sum()
        if there >= LEAST_LEADS and passed >= (SKIPPED if place else SKIPPED_FIRST) * there:
            skipped.append((place, passed))
    middle = [count for place, count in skipped if place]
    if len(middle) > 1 and len(middle) == len(funnel.stages) - 2:
        # Not a stage is left out but every history: the export holds where leads stand, not how they came there.
        yield Fact("only_the_last_move", "", max(middle))
        skipped = [(place, count) for place, count in skipped if not place]
    for place, count in skipped:
        stage = funnel.stages[place]
        if place:
            others = [other for other in funnel.stages if other != stage]
            yield Fact("stage_not_logged", stage, count, f"stages = {toml_value(others)}")
        else:
            yield Fact("first_stage_not_logged", stage, count, _creation_lines(funnel))


def _ends_alone(entries: ir.Table, funnel: Funnel) -> Iterator[Fact]:
    """Leads that ended and never entered a stage."""
    ended = entries.filter(entries.stage.isin(ENDS))
    stood = entries.filter(entries.stage.isin([*funnel.stages, *funnel.undated]))
    alone = ended.anti_join(stood, "lead_id").lead_id.nunique().execute()
    yield Fact("ends_without_stage", "", alone, _creation_lines(funnel))


def _queues(dated: ir.Table, funnel: Funnel) -> Iterator[Fact]:
    """Stages whose first owner is no person, or one who only passes leads on."""
    rows = dated.filter(dated.stage.isin(funnel.stages)).select("lead_id", "stage", "entered_at", "manager")
    alike = ibis.window(group_by=["lead_id", "stage"], order_by=["entered_at", "manager"])
    rows = rows.mutate(
        _place=ibis.row_number().over(alike),
        _next=rows.manager.lead().over(alike),
        _at=rows.entered_at.lead().over(alike),
    )
    first = rows.filter(rows._place == 0)
    nobody = first.manager.isnull() | first.manager.isin(funnel.system_users or [""])
    taken = first._next.notnull() & ~first._next.isin(funnel.system_users or [""])
    soon = (first._at < first.entered_at + ibis.interval(days=7)).fill_null(False)
    at_once = (first._at <= first.entered_at + ibis.interval(hours=1)).fill_null(False)
    passed = (taken & at_once & (first._next != first.manager)).fill_null(False)
    per_stage = first.group_by("stage").aggregate(leads=first.count(), taken=(nobody & taken & soon).sum())
    for stage, leads, count in per_stage.order_by("stage").execute().itertuples(index=False):
        if funnel.owner_from == "entry" and count >= max(LEAST_LEADS, 0.05 * leads):
            yield Fact("queue_first", stage, count, 'owner_from = "first_person"')
    per_owner = first.filter(~nobody).group_by("manager").aggregate(leads=ibis._.count(), passed=passed.sum())
    for name, leads, count in per_owner.order_by("manager").execute().itertuples(index=False):
        if count >= 2 * LEAST_LEADS and count >= 0.9 * leads:
            yield Fact("queue_like", name, count, f"system_users = {toml_value([*funnel.system_users, name])}")


def _inherited(tables: dict[str, ir.Table], dated: ir.Table, funnel: Funnel) -> Iterator[Fact]:
    """Open leads that belong by now to another person than at their last stage entry, or to nobody."""
    if "manager" not in tables["leads"].columns:
        return
    entries = tables["entries"]
    undated_end = entries.entered_at.isnull() & entries.stage.isin([*ENDS, *funnel.undated])
    closed = entries.filter(undated_end | (entries.stage == funnel.stages[-1])).select("lead_id").distinct()
    places = {stage: place for place, stage in enumerate((*funnel.stages, *ENDS))}
    rows = dated.filter(dated.stage.isin(list(places))).anti_join(closed, "lead_id")
    rows = rows.mutate(_place=rows.stage.cases(*places.items()))
    latest = ibis.window(group_by="lead_id", order_by=[rows.entered_at.desc(), rows._place.desc(), rows.manager])
    last = rows.mutate(_number=ibis.row_number().over(latest)).filter(ibis._._number == 0)
    known = last.filter(~last.stage.isin(ENDS)).join(tables["leads"].select("lead_id", present="manager"), "lead_id")
    moved = known.filter(known.manager != known.present).group_by("present").aggregate(leads=ibis._.count())
    counts = moved.order_by([ibis.desc("leads"), "present"]).execute().set_index("present")["leads"]
    yield Fact("inherited", _named(counts.to_dict()), counts.sum())
    owner = known.present.fill_null(known.manager)
    nobody = owner.isnull() | owner.isin(funnel.system_users or [""])
    yield Fact("open_without_owner", "", known.filter(nobody).count().execute())


def _named(counts: Mapping[Any, int]) -> str:
    """Names with their counts, the biggest first, and how many more there are."""
    names = [f"{str(name)[:40]} {count}" for name, count in counts.items()]
    rest = f", … +{len(names) - MOST_NAMED}" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + rest


def _snapshot(tables: dict[str, ir.Table], dated: ir.Table, funnel: Funnel) -> Iterator[Fact]:
    """Stages read from the leads' own rows: nobody stepped back, came again or changed hands, as far as one can see."""
    if funnel.is_snapshot:
        yield Fact("snapshot", "", tables["leads"].semi_join(dated, "lead_id").count().execute())


def _creation_lines(funnel: Funnel) -> str:
    """The entry of the first stage from the date of creation, for each source of leads that has one."""
    blocks = [_entry_lines(source, funnel) for source in funnel.leads if "created_at" in source.columns]
    if blocks and len(funnel.entries) == 1:
        blocks.append("# [entries] → [[entries]]")
    return "\n".join(blocks)


def _entry_lines(source: Source, funnel: Funnel) -> str:
    stated = source.model_dump(mode="json", exclude_defaults=True)
    same = ("files", "database", "table", *KEYS_OF_KIND, "timezone", "only", "without", "join")
    columns = {"lead_id": source.columns["lead_id"], "entered_at": source.columns["created_at"]}
    columns |= {"manager": source.columns["manager"]} if "manager" in source.columns else {}
    lines = {key: stated[key] for key in same if key in stated} | {"stage": funnel.stages[0], "columns": columns}
    if formats := stated_for(source.date_format, "created_at"):
        lines["date_format"] = formats
    return "\n".join(["[[entries]]", *(f"{key} = {toml_value(value)}" for key, value in lines.items())])


def _of_ends(tables: dict[str, ir.Table], funnel: Funnel) -> Iterator[Fact]:
    """Ends that were put right, or may have been, and ends, wins and payments without a date."""
    entries = tables["entries"]
    ends = entries.filter(entries.stage.isin(ENDS) & entries.entered_at.notnull())
    ends = ends.select("lead_id", ended_at="entered_at").distinct()
    after = entries.filter(entries.stage.isin(funnel.stages)).select("lead_id", "entered_at")
    again = ends.join(after, "lead_id").filter(ibis._.entered_at > ibis._.ended_at)
    nexts = again.group_by("lead_id", "ended_at").aggregate(again=ibis._.entered_at.min()).execute()
    hours = (nexts["again"] - nexts["ended_at"]).dt.total_seconds() / 3600
    within, soon = int((hours <= funnel.correction_hours).sum()), int((hours <= SOON).sum())
    if within >= LEAST_LEADS and 2 * within > ends.count().execute():
        yield Fact("most_ends_corrected", f"{funnel.correction_hours:g}", within, "correction_hours = 0")
    else:
        yield Fact("ends_corrected", f"{funnel.correction_hours:g}", within)
    yield Fact("ends_soon_reopened", "", max(soon - within, 0), f"correction_hours = {SOON}")
    undated = entries.filter(entries.entered_at.isnull()).group_by("stage").aggregate(leads=entries.lead_id.nunique())
    leads = undated.execute().set_index("stage")["leads"]
    for stage in (funnel.stages[-1], *ENDS):
        yield Fact("ends_undated", stage, leads.get(stage, 0))
    if "payments" in tables:
        paid_at = tables["payments"].paid_at
        yield Fact("payments_undated", "", paid_at.isnull().sum().fill_null(0).execute())
