"""Histories whose shape makes a rate false in silence: what the rows show, and the lines of funnel.toml that help."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Any

import ibis
import ibis.expr.types as ir

from funnelstats.config.funnel import EVERY_COLUMN, Funnel, Source
from funnelstats.config.schema import ENDS

LEAST_ROWS = 20
"""With fewer rows no day is far from the others."""
LEAST_GAP, TIMES = 21, 5
"""Days without a row that set a few rows apart, and how many times the longest silence among the others."""


def usual_days(days: ir.DateColumn) -> tuple[date, date] | None:
    """First and last day of the rows but for a few that lie far beyond all others; None where no row has a day.

    Few are two rows or one in 200. Far is a silence of more than 21 days that is more than five times as long as any
    among the rows but the outermost: no team that works every week leaves such a one before a true entry.
    """
    counts = days.as_table().filter(days.notnull()).group_by(days.get_name()).aggregate(rows=days.count())
    frame = counts.order_by(days.get_name()).execute()
    if frame.empty:
        return None
    known = [date(day.year, day.month, day.day) for day in frame.iloc[:, 0]]
    rows = frame["rows"].tolist()
    total = sum(rows)
    if total < LEAST_ROWS:
        return known[0], known[-1]
    few = max(2, total // 200)
    first, last = _beyond(rows, few), len(rows) - 1 - _beyond(rows[::-1], few)
    usual = max(((known[i + 1] - known[i]).days for i in range(first, last)), default=1)
    far = max(LEAST_GAP, TIMES * usual)
    # Beyond the innermost silence that is long enough everything is far.
    begins = max((i + 1 for i in range(first) if (known[i + 1] - known[i]).days > far), default=0)
    ends = min((i for i in range(last, len(known) - 1) if (known[i + 1] - known[i]).days > far), default=len(known) - 1)
    return known[begins], known[ends]


def _beyond(rows: list[int], few: int) -> int:
    """How many of the first days hold no more than a few rows together."""
    days = 0
    for count in rows:
        few -= count
        if few < 0:
            break
        days += 1
    return days


Found = tuple[str, str, int] | tuple[str, str, int, str]
"""Fact, detail, count and, where lines of funnel.toml help, those."""

LEAST_LEADS = 5
"""With fewer leads nothing is said of their shape."""
SKIPPED_FIRST, SKIPPED = 0.2, 0.8
"""Shares of the leads beyond a stage without an entry of their own there from which it seems not to be logged."""
DAYS_AT_END = 7
"""Days after the last stage entry from which on a row of another table lies beyond the data."""
MOST_NAMED = 5
KNOWN_ON = {"leads": "created_on", "contacts": "on", "payments": "paid_on", "costs": "date"}
HOLIDAY = timedelta(days=62)
"""After a silence of up to so long a few entries may be the first after a holiday."""


def of_shapes(tables: dict[str, ir.Table], funnel: Funnel) -> Iterator[Found]:
    """What is odd about the histories as a whole."""
    dated = tables["entries"].filter(ibis._.entered_at.notnull())
    yield from _far_days(tables, dated, funnel)
    yield from _unlogged_stages(dated, funnel)
    yield from _ends_alone(tables["entries"], funnel)
    if "manager" in dated.columns:
        yield from _queues(dated, funnel)
        if "manager" in tables["leads"].columns:
            yield from _inherited(tables, dated, funnel)
    yield from _snapshot(tables, dated, funnel)


def _far_days(tables: dict[str, ir.Table], dated: ir.Table, funnel: Funnel) -> Iterator[Found]:
    """Entries far from all others, and rows of other tables after the last day."""
    days = usual_days(dated.entered_on)
    if days is None:
        return
    for fact, rows in (("far_before", dated.entered_on < days[0]), ("far_after", dated.entered_on > days[1])):
        if fact == "far_after" and funnel.exported_on:
            continue
        found = dated.filter(rows).aggregate(rows=ibis._.count(), day=ibis._.entered_on.max()).execute().iloc[0]
        if found["rows"]:
            told = fact, str(found["day"])[:10], int(found["rows"])
            # A line that is copied must not cut off what may be true.
            last = found["day"].date() if found["day"].date() - days[1] <= HOLIDAY else days[1]
            yield (*told, f"exported_on = {last}") if fact == "far_after" else told
    last = funnel.exported_on or days[1] + timedelta(days=DAYS_AT_END)
    for table, column in KNOWN_ON.items():
        if table in tables and column in tables[table].columns:
            after = tables[table].filter(ibis._[column] > ibis.literal(last, "date")).count().execute()
            yield f"{table}_after_the_end", str(funnel.exported_on or days[1]), after


def _unlogged_stages(dated: ir.Table, funnel: Funnel) -> Iterator[Found]:
    """Stages that leads pass without an entry of their own, so that only who came further is counted there."""
    stood = dated.group_by("lead_id").aggregate(
        **{f"at_{place}": (dated.stage == stage).any() for place, stage in enumerate(funnel.stages)}
    )
    places = range(len(funnel.stages) - 1)
    beyond = {
        place: ibis.or_(*(stood[f"at_{later}"] for later in range(place + 1, len(places) + 1))) for place in places
    }
    counts = stood.aggregate(
        **{f"beyond_{place}": beyond[place].sum() for place in places},
        **{f"own_{place}": (beyond[place] & stood[f"at_{place}"]).sum() for place in places},
    )
    row = counts.execute().fillna(0).iloc[0]
    skipped = []
    for place in places:
        there, own = int(row[f"beyond_{place}"]), int(row[f"own_{place}"])
        if there >= LEAST_LEADS and there - own >= (SKIPPED if place else SKIPPED_FIRST) * there:
            skipped.append((place, there - own))
    middle = [place for place, _ in skipped if place]
    if len(middle) > 1 and len(middle) == len(places) - 1:
        # Not a stage is left out but every history: the export holds where leads stand, not how they came there.
        yield "only_the_last_move", "", max(count for place, count in skipped if place)
        skipped = [(place, count) for place, count in skipped if not place]
    for place, count in skipped:
        if place:
            stages = [stage for stage in funnel.stages if stage != funnel.stages[place]]
            yield "stage_not_logged", funnel.stages[place], count, f"stages = {toml(stages)}"
        else:
            yield "first_stage_not_logged", funnel.stages[0], count, _creation_lines(funnel)


def _ends_alone(entries: ir.Table, funnel: Funnel) -> Iterator[Found]:
    """Leads that ended and never entered a stage."""
    of_leads = entries.group_by("lead_id").aggregate(
        ended=entries.stage.isin(ENDS).any(),
        stood=entries.stage.isin([*funnel.stages, *funnel.undated]).any(),
    )
    alone = of_leads.filter(of_leads.ended & ~of_leads.stood).count().execute()
    yield "ends_without_stage", "", alone, _creation_lines(funnel)


def _queues(dated: ir.Table, funnel: Funnel) -> Iterator[Found]:
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
    passed = taken & at_once & (first._next != first.manager)
    per_stage = first.group_by("stage").aggregate(leads=first.count(), taken=(nobody & taken & soon).sum())
    for stage, leads, count in per_stage.order_by("stage").execute().itertuples(index=False):
        if funnel.owner_from == "entry" and count >= max(LEAST_LEADS, 0.05 * leads):
            yield "queue_first", stage, count, 'owner_from = "first_person"'
    per_owner = (
        first.filter(~nobody).group_by("manager").aggregate(leads=ibis._.count(), passed=passed.fill_null(False).sum())
    )
    for name, leads, count in per_owner.order_by("manager").execute().itertuples(index=False):
        if count >= 2 * LEAST_LEADS and count >= 0.9 * leads:
            users = toml([*funnel.system_users, name])
            yield "queue_like", name, count, f"system_users = {users}"


def _inherited(tables: dict[str, ir.Table], dated: ir.Table, funnel: Funnel) -> Iterator[Found]:
    """Open leads that belong by now to another person than at their last stage entry, or to nobody."""
    entries = tables["entries"]
    undated_end = entries.entered_at.isnull() & entries.stage.isin([*ENDS, *funnel.stages[-1:], *funnel.undated])
    closed = entries.filter(undated_end | (entries.stage == funnel.stages[-1])).select("lead_id").distinct()
    places = {stage: place for place, stage in enumerate((*funnel.stages, *ENDS))}
    rows = dated.filter(dated.stage.isin(list(places))).anti_join(closed, "lead_id")
    rows = rows.mutate(_place=rows.stage.cases(*places.items()))
    latest = ibis.window(group_by="lead_id", order_by=[rows.entered_at.desc(), rows._place.desc(), rows.manager])
    last = rows.mutate(_number=ibis.row_number().over(latest)).filter(ibis._._number == 0)
    known = last.filter(~last.stage.isin(ENDS)).join(tables["leads"].select("lead_id", present="manager"), "lead_id")
    owner = known.present.fill_null(known.manager)
    moved = known.filter(known.manager.notnull() & known.present.notnull() & (known.manager != known.present))
    counts = (
        moved.group_by("present").aggregate(leads=moved.count()).order_by([ibis.desc("leads"), "present"]).execute()
    )
    yield "inherited", _named(dict(zip(counts["present"], counts["leads"], strict=True))), int(counts["leads"].sum())
    nobody = owner.isnull() | owner.isin(funnel.system_users or [""])
    yield "open_without_owner", "", known.filter(nobody).count().execute()


def _named(counts: Mapping[Any, int]) -> str:
    """Names with their counts, the biggest first, and how many more there are."""
    told = [f"{str(name)[:40]} {count}" for name, count in counts.items()]
    rest = f", … +{len(told) - MOST_NAMED}" if len(told) > MOST_NAMED else ""
    return ", ".join(told[:MOST_NAMED]) + rest


def _snapshot(tables: dict[str, ir.Table], dated: ir.Table, funnel: Funnel) -> Iterator[Found]:
    """Stages read from the leads' own rows: nobody stepped back, came again or changed hands, as far as one can see."""
    homes = [(source.files, source.database, source.table) for source in funnel.leads]
    if all((source.files, source.database, source.table) in homes for source in funnel.entries):
        yield "snapshot", "", tables["leads"].semi_join(dated, "lead_id").count().execute()


def _creation_lines(funnel: Funnel) -> str:
    """The entry of the first stage from the date of creation, for each source of leads that has one."""
    blocks = [_entry_lines(source, funnel) for source in funnel.leads if "created_at" in source.columns]
    if blocks and len(funnel.entries) == 1:
        blocks.append("# [entries] → [[entries]]")
    return "\n".join(blocks)


def _entry_lines(source: Source, funnel: Funnel) -> str:
    told = source.model_dump(mode="json", exclude_defaults=True)
    columns = source.columns
    new = {"lead_id": columns["lead_id"], "entered_at": columns["created_at"]}
    if "manager" in columns:
        new["manager"] = columns["manager"]
    kept = ("files", "database", "table", "sheet", "header_row", "encoding", "timezone", "only", "without", "join")
    lines = ["[[entries]]", *(f"{key} = {toml(told[key])}" for key in kept if key in told)]
    lines += [f"stage = {toml(funnel.stages[0])}", f"columns = {toml(new)}"]
    formats = source.date_format.get("created_at", source.date_format.get(EVERY_COLUMN, ()))
    return "\n".join([*lines, *([f"date_format = {toml(list(formats))}"] if formats else [])])


def under(table: str, *lines: str) -> str:
    """Lines to add to each source of a table, which a comment names."""
    return "\n".join([f"# [{table}]", *lines])


def toml(value: Any) -> str:
    """The value as one line of TOML writes it."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(key)} = {toml(held)}" for key, held in value.items()) + " }"
    if isinstance(value, list | tuple):
        return toml(value[0]) if len(value) == 1 else "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else json.dumps(key, ensure_ascii=False)


DAY = 24


def facts_of_ends(tables: dict[str, ir.Table], funnel: Funnel) -> list[dict[str, Any]]:
    """Records ``fact, detail, count``, and ``mend`` where a line of funnel.toml would count otherwise."""
    entries = tables["entries"]
    known = (funnel.stages[-1], *ENDS)
    waits = _waits(entries, funnel)
    within = int((waits <= funnel.correction_hours).sum())
    soon = int((waits <= DAY).sum()) - within
    most = within >= LEAST_LEADS and 2 * within > _number_of_ends(entries)
    corrected = "most_ends_corrected" if most else "ends_corrected"
    undated = entries.filter(entries.entered_at.isnull() & entries.stage.isin(known))
    leads = undated.group_by("stage").aggregate(leads=undated.lead_id.nunique()).execute().set_index("stage")["leads"]
    unpaid = tables["payments"].paid_at.isnull().sum().fill_null(0).execute() if "payments" in tables else 0
    found: list[dict[str, Any]] = [
        {"fact": corrected, "detail": f"{funnel.correction_hours:g}", "count": within}
        | ({"mend": "correction_hours = 0"} if most else {}),
        {"fact": "ends_soon_reopened", "detail": "", "count": soon, "mend": f"correction_hours = {DAY}"},
        *({"fact": "ends_undated", "detail": stage, "count": int(leads.get(stage, 0))} for stage in known),
        {"fact": "payments_undated", "detail": "", "count": int(unpaid)},
    ]
    return [record for record in found if record["count"]]


def _number_of_ends(entries: ir.Table) -> int:
    dated = entries.filter(entries.stage.isin(ENDS) & entries.entered_at.notnull())
    return int(dated.select("lead_id", "entered_at").distinct().count().execute())


def _waits(entries: ir.Table, funnel: Funnel) -> Any:
    """Hours from each end to the lead's next stage entry, where there is one."""
    ends = entries.filter(entries.stage.isin(ENDS)).select("lead_id", ended_at="entered_at").distinct()
    after = entries.filter(entries.stage.isin(funnel.stages)).select("lead_id", "entered_at")
    nexts = (
        ends.join(after, "lead_id")
        .filter(ibis._.entered_at > ibis._.ended_at)
        .group_by("lead_id", "ended_at")
        .aggregate(again=ibis._.entered_at.min())
        .execute()
    )
    return (nexts["again"] - nexts["ended_at"]).dt.total_seconds() / 3600
