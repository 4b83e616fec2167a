"""Lazy verbs: from stage entries to one row per lead episode, and to one row per stay at a stage.

Nothing here runs a query. Only aggregates and joins are used: window functions do not exist on every
engine (ibis 12 has none on Polars), and the same code must count the same everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence

import ibis
import ibis.expr.types as ir

from funnelstats.stated.funnel import ENDS, MISSING, Funnel, FunnelError, suggestion

EPISODE = ["lead_id", "episode"]
COHORT_UNITS = {"week": "W", "month": "M", "quarter": "Q"}


def stage_entries(entries: ir.Table, funnel: Funnel) -> ir.Table:
    """The entries that are a stage of the funnel or an end, with blank managers made visible.

    `place` orders ties: two digits, the stage's position in the funnel, ends after every stage.
    Returns lead_id, stage, entered_at, entered_on, manager, reason, place. The local date and the
    manager may be absent from the entries: then the date is that of UTC and the manager is missing.
    """
    ordered = (*funnel.stages, *ENDS)
    columns = entries.columns
    blank = ibis.null("string")
    return entries.filter(entries.stage.isin(ordered)).select(
        "lead_id",
        "stage",
        "entered_at",
        entered_on=entries.entered_on if "entered_on" in columns else entries.entered_at.date(),
        manager=visible(entries.manager if "manager" in columns else blank),
        reason=visible(entries.reason if "reason" in columns else blank),
        place=entries.stage.cases(*((stage, f"{place:02}") for place, stage in enumerate(ordered))),
    )


def visible(text: ir.StringValue) -> ir.StringValue:
    """The text, with null and blank shown as "(missing)"; `unknown` and `-` stay what they are."""
    filled = text.fill_null("")
    return (filled.strip() == "").ifelse(MISSING, filled)


def journeys(entries: ir.Table, funnel: Funnel) -> ir.Table:
    """When each lead episode first stood at each stage or beyond it, whose it was then, and how it ended.

    A skipped stage counts as reached when a later one is, and a step back takes nothing away, so times
    never decrease from left to right. A stage entry after an end opens the lead's next episode; a lead
    without any stage is no journey. Ties in time follow the funnel's order, ends last.

    Returns lead_id, episode (1, 2, ...) and for every stage s: `s` (instant), `s_on` (local date),
    `s_manager` (owner then, "(missing)" if blank), `s_back_on` (date it went below s for good); then
    lost, lost_on, nurture, nurture_on, reason (of the refusal, null if not lost).
    """
    rows = with_episode(stage_entries(entries, funnel))
    reached = _reached(rows, funnel)
    owners = _owners(rows, reached, funnel)
    per_stage = [
        name for stage in funnel.stages for name in (stage, f"{stage}_on", f"{stage}_manager", f"{stage}_back_on")
    ]
    return reached.join(owners, EPISODE).select(
        *EPISODE, *per_stage, *(f"{end}{suffix}" for end in ENDS for suffix in ("", "_on")), "reason"
    )


def _reached(rows: ir.Table, funnel: Funnel) -> ir.Table:
    """First instant and date, and last instant, at each stage or beyond it; first instant of each end."""
    measures = {}
    for position, stage in enumerate(funnel.stages):
        beyond = rows.stage.isin(funnel.stages[position:])
        measures[stage] = rows.entered_at.min(where=beyond)
        measures[f"{stage}_on"] = rows.entered_on.min(where=beyond)
        measures[f"{stage}_last"] = rows.entered_at.max(where=beyond)
    for end in ENDS:
        measures[end] = rows.entered_at.min(where=rows.stage == end)
        measures[f"{end}_on"] = rows.entered_on.min(where=rows.stage == end)
    return rows.group_by(EPISODE).aggregate(**measures).filter(ibis._[funnel.stages[0]].notnull())


def _owners(entries: ir.Table, reached: ir.Table, funnel: Funnel) -> ir.Table:
    """Owner at the first entry at each stage or beyond, date of the step back for good, refusal reason."""
    first, *later = funnel.stages
    rows = entries.join(reached, EPISODE)
    measures = {}
    for position, stage in enumerate(funnel.stages):
        beyond = rows.stage.isin(funnel.stages[position:])
        # Smallest place, then smallest name: argmin would leave a tie between two managers to the engine.
        measures[f"{stage}_manager"] = (rows.place + rows.manager).min(where=beyond & (rows.entered_at == rows[stage]))
    for position, stage in enumerate(later, start=1):
        below = rows.stage.isin(funnel.stages[:position])
        measures[f"{stage}_back_on"] = rows.entered_on.min(where=below & (rows.entered_at > rows[f"{stage}_last"]))
    measures["reason"] = rows.reason.min(where=(rows.stage == "lost") & (rows.entered_at == rows.lost))
    owners = rows.group_by(EPISODE).aggregate(**measures).cross_join(_unowned(entries, funnel))
    names = {
        f"{stage}_manager": owners[f"{stage}_unowned"].ifelse(MISSING, owners[f"{stage}_manager"].substr(2))
        for stage in funnel.stages
    }
    return owners.mutate(**names, **{f"{first}_back_on": ibis.null("date")})


def _unowned(entries: ir.Table, funnel: Funnel) -> ir.Table:
    """One row: whether a stage is entered in the data and never has a manager there.

    Leads that skip such a stage would be its only owned ones, and all have advanced: 100 % for everybody.
    """
    return entries.aggregate(
        **{
            f"{stage}_unowned": (entries.count(where=entries.stage == stage) > 0)
            & (entries.count(where=(entries.stage == stage) & (entries.manager != MISSING)) == 0)
            for stage in funnel.stages
        }
    )


def with_episode(rows: ir.Table) -> ir.Table:
    """The entries with the number of their episode: 1 plus the reopenings up to them.

    An end opens nothing by itself; the next stage entry strictly later than it does. An end dated before
    the lead's first stage entry closes its last one: a closing typed too early is still the closing.
    """
    is_end = rows.stage.isin(ENDS)
    spans = (
        rows.group_by("lead_id")
        .aggregate(
            began=rows.entered_at.min(where=~is_end),
            latest=rows.entered_at.max(where=~is_end),
            closed=rows.entered_at.min(where=is_end),
        )
        .filter(ibis._.latest > ibis._.closed)
    )
    # Only leads with an entry after an end are in `spans`: what is joined stays small however many leads there are.
    rows = rows.left_join(spans, "lead_id").select(*rows.columns, "began", "latest")
    is_end = rows.stage.isin(ENDS)
    misdated = (is_end & (rows.entered_at < rows.began)).fill_null(False)
    rows = rows.mutate(counts_at=misdated.ifelse(rows.latest, rows.entered_at))
    ends = rows.filter(is_end & rows.began.notnull()).select("lead_id", ended_at="counts_at")
    reopened = (
        rows.filter(~is_end)
        .join(ends, "lead_id")
        .filter(ibis._.entered_at > ibis._.ended_at)
        .group_by("lead_id", "ended_at")
        .aggregate(start=ibis._.entered_at.min())
        .select("lead_id", "start")
        .distinct()
    )
    starts = spans.select("lead_id", start="began").union(reopened)
    episodes = (
        starts.join(starts.select("lead_id", other="start"), "lead_id")
        .group_by("lead_id", "start")
        .aggregate(
            number=ibis._.count(where=ibis._.other <= ibis._.start),
            until=ibis._.other.min(where=ibis._.other > ibis._.start),
        )
    )
    within = (ibis._.start <= ibis._.counts_at) & (ibis._.until.isnull() | (ibis._.counts_at < ibis._.until))
    columns = [column for column in rows.columns if column not in ("began", "latest", "counts_at")]
    return (
        rows.left_join(episodes, "lead_id")
        .filter(ibis._.number.isnull() | within)
        .select(*columns, episode=ibis._.number.fill_null(1).cast("int64"))
    )


def stays(journeys: ir.Table, funnel: Funnel, *, keep: Sequence[str] = ()) -> ir.Table:
    """Every stay of an episode at a stage it reached: since when, whose it was, how and when it was left.

    A stay ends by advancing to the next stage; failing that, by the episode's end; failing that, by going
    back for good. An end therefore belongs to the furthest stage reached, once, and no loss is hidden.

    Returns the journey's own columns (and any per-stage ones named in `keep`), stage, entered_on,
    manager (owner at entry), left_on (never before entered_on) and outcome: advanced, moved_away, lost,
    nurture, or null while the lead is still there.
    """
    per_stage = {f"{stage}{suffix}" for stage in funnel.stages for suffix in ("", "_on", "_manager", "_back_on")}
    carried = [name for name in journeys.columns if name not in per_stage or name in keep]
    # One scan of the journeys serves every stage: a stage is a row of a tiny table, not a query.
    grid = ibis.memtable({"_place": range(len(funnel.stages))})
    rows = journeys.cross_join(grid)

    def of_stage(suffix: str, ahead: int = 0) -> ir.Value:
        following = enumerate(funnel.stages[ahead:])
        return rows._place.cases(*((place, rows[f"{stage}{suffix}"]) for place, stage in following))

    dated = rows.select(
        *carried,
        stage=rows._place.cases(*enumerate(funnel.stages)),
        entered_on=of_stage("_on"),
        manager=of_stage("_manager"),
        _advanced_on=of_stage("_on", ahead=1) if len(funnel.stages) > 1 else ibis.null("date"),
        _back_on=of_stage("_back_on"),
        _lost_first=rows.nurture.isnull() | (rows.lost <= rows.nurture),
    ).filter(ibis._.entered_on.notnull())
    outcome = ibis.cases(
        (dated._advanced_on.notnull(), "advanced"),
        (dated.lost_on.notnull() & dated._lost_first, "lost"),
        (dated.nurture_on.notnull(), "nurture"),
        (dated._back_on.notnull(), "moved_away"),
    )
    # An end dated before the entry counts on the day of the entry.
    lost_on, nurture_on = dated.lost_on, dated.nurture_on
    ended_on = not_before(earlier(lost_on, nurture_on), dated.entered_on)
    left_on = ibis.coalesce(dated._advanced_on, ended_on, dated._back_on)
    return dated.mutate(outcome=outcome, left_on=left_on).select(
        *carried, "stage", "entered_on", "manager", "left_on", "outcome"
    )


def with_leads(journeys: ir.Table, leads: ir.Table, columns: Sequence[str] | None = None) -> ir.Table:
    """The journeys with the attributes of their leads; blank text shows as "(missing)", unknown leads too.

    The lead's own manager arrives as `current_manager`: `manager` always means the owner at stage entry. Where no
    columns are named the date of creation stays away: a stage called "created" has one of the same name.
    """
    own = ("lead_id", "created_at", "created_on")
    wanted = [name for name in leads.columns if name not in own] if columns is None else list(columns)
    for name in wanted:
        if name not in leads.columns:
            raise FunnelError(f'no column "{name}" in the leads; {suggestion(name, leads.columns)}')
    names = {("current_manager" if name == "manager" else name): name for name in wanted}
    if taken := sorted(set(names) & {*journeys.columns, "cohort", "stage", "entered_on", "left_on", "outcome"}):
        raise FunnelError(f'a lead\'s column must not be named like one of the journeys: "{taken[0]}"; rename it')
    joined = journeys.left_join(leads.select("lead_id", **names), "lead_id").select(*journeys.columns, *names)
    return joined.mutate(**{name: visible(joined[name]) for name in names if joined[name].type().is_string()})


def with_cohort(journeys: ir.Table, funnel: Funnel, unit: str = "week") -> ir.Table:
    """The journeys with `cohort`: the first day of the ISO week, month or quarter they entered the funnel."""
    if unit not in COHORT_UNITS:
        raise FunnelError(f'no cohort unit "{unit}"; {suggestion(unit, COHORT_UNITS)}')
    entered_on = journeys[f"{funnel.stages[0]}_on"]
    # DuckDB's date_trunc may return a timestamp; a cohort is a date on every engine.
    return journeys.mutate(cohort=entered_on.truncate(COHORT_UNITS[unit]).cast("date"))


def earlier(one: ir.DateValue, other: ir.DateValue) -> ir.DateValue:
    """The earlier of two days, the one known where the other is null; engines differ on least of a null."""
    return ibis.least(ibis.coalesce(one, other), ibis.coalesce(other, one))


def not_before(day: ir.DateValue, start: ir.DateValue) -> ir.DateValue:
    """The day, or ``start`` where that is later; null stays null on every engine."""
    return day.isnull().ifelse(ibis.null("date"), ibis.greatest(ibis.coalesce(day, start), start))
