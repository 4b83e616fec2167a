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
TAKEN_WITHIN = 7
"""Days in which a lead that came to a queue, or to nobody, is taken by the person whose it was to move."""
OF_STAGE = ("_on", "_entered_on", "_manager", "_back_on", "_skipped")
"""Ends of the columns that a journey has for each stage, beside the instant of the stage's own name."""

COHORT_UNITS = {"week": "W", "month": "M", "quarter": "Q"}


def stage_entries(entries: ir.Table, funnel: Funnel) -> ir.Table:
    """The dated entries of a stage of the funnel or an end, with blank managers made visible.

    `place` orders ties: two digits, the stage's position in the funnel, ends after every stage.
    Returns lead_id, stage, entered_at, entered_on, manager, reason, place. The manager and the reason may be absent
    from the entries, the local date only where the funnel's zone is UTC: another one is not that of the instant.
    """
    ordered = (*funnel.stages, *ENDS)
    columns = entries.columns
    blank = ibis.null("string")
    return entries.filter(entries.stage.isin(ordered) & entries.entered_at.notnull()).select(
        "lead_id",
        "stage",
        "entered_at",
        entered_on=local_day(entries, "entered_at", "entered_on", funnel),
        manager=visible(entries.manager if "manager" in columns else blank),
        reason=visible(entries.reason if "reason" in columns else blank),
        place=entries.stage.cases(*((stage, f"{place:02}") for place, stage in enumerate(ordered))),
    )


def local_day(rows: ir.Table, at: str, on: str, funnel: Funnel) -> ir.DateValue:
    """The column of local dates; FunnelError where it is absent and the funnel's days are not those of UTC."""
    if on in rows.columns:
        return rows[on]
    if funnel.timezone != "UTC":
        raise FunnelError(
            f'no column "{on}": it must hold the date of {at} in {funnel.timezone}, the funnel\'s time zone; '
            "funnelstats prepare makes it"
        )
    return rows[at].date()


def visible(text: ir.StringValue) -> ir.StringValue:
    """The text, with null and blank shown as "(missing)"; `unknown` and `-` stay what they are."""
    filled = text.fill_null("")
    return (filled.strip() == "").ifelse(MISSING, filled)


def journeys(entries: ir.Table, funnel: Funnel) -> ir.Table:
    """When each lead episode first stood at each stage or beyond it, whose it was then, and how it ended.

    A skipped stage counts as reached when a later one is, and a step back takes nothing away. A stage entry after an
    end opens the lead's next episode, unless it puts the end right within `correction_hours`; a reopened episode has
    no stage before the one it reopens at. A lead without any dated stage is no journey. Ties in time follow the
    funnel's order, ends last.

    Returns lead_id, episode (1, 2, ...) and for every stage s: `s` (instant) and `s_on` (local date) it was reached,
    of the first stage its own entry, however early a later stage is dated; `s_entered_on` (date of its own entry, of
    a skipped stage that of the next), `s_manager` (owner then, "(missing)" if blank, see `owner_from`), `s_back_on`
    (date it went below s for good), `s_skipped` (no entry of its own); then lost, lost_on, nurture, nurture_on,
    reason (of the refusal, the first one given; null if not lost) and undated: the last stage, lost or nurture, where
    the export says that the episode came to it and not when. Such a win decides, whatever refusal or return the last
    episode has: that one is then no end of it.
    """
    rows = with_episode(stage_entries(entries, funnel), funnel)
    reached = _reached(rows, funnel)
    owners = _owners(rows, reached, funnel)
    undated = _undated(entries, reached, funnel)
    per_stage = [f"{stage}{suffix}" for stage in funnel.stages for suffix in ("", *OF_STAGE)]
    ends = [f"{end}{suffix}" for end in ENDS for suffix in ("", "_on")]
    found = reached.join(owners, EPISODE).select(*EPISODE, *per_stage, *ends, "reason")
    found = found.left_join(undated, EPISODE).select(*found.columns, "undated", "_reason")
    found = found.mutate(reason=found.reason.fill_null(found._reason)).drop("_reason")
    won = (found.undated == funnel.stages[-1]).fill_null(False)
    return found.mutate(**{name: won.ifelse(ibis.null(found[name].type()), found[name]) for name in (*ends, "reason")})


def _reached(rows: ir.Table, funnel: Funnel) -> ir.Table:
    """First instant and date, and last instant, at each stage or beyond it, and of its own; first of each end."""
    first = funnel.stages[0]
    at_stage = rows.stage.isin(funnel.stages)
    # The text of a time sorts as the time does, and a blank before its decimals: the place of the earliest entry.
    opened = (rows.entered_at.cast("string") + " " + rows.place).min(where=at_stage)
    measures = {"_opened": opened}
    for position, stage in enumerate(funnel.stages):
        beyond, own = rows.stage.isin(funnel.stages[position:]), rows.stage == stage
        measures[stage] = rows.entered_at.min(where=beyond)
        measures[f"{stage}_on"] = rows.entered_on.min(where=beyond)
        measures[f"{stage}_last"] = rows.entered_at.max(where=beyond)
        measures[f"{stage}_own"] = rows.entered_at.min(where=own)
        measures[f"{stage}_own_on"] = rows.entered_on.min(where=own)
    for end in ENDS:
        measures[end] = rows.entered_at.min(where=rows.stage == end)
        measures[f"{end}_on"] = rows.entered_on.min(where=rows.stage == end)
    measures["_reason_at"] = rows.entered_at.min(where=(rows.stage == "lost") & (rows.reason != MISSING))
    found = rows.group_by(EPISODE).aggregate(**measures).filter(ibis._._opened.notnull())
    place = (found.episode > 1).ifelse(found._opened.right(2).cast("int64"), 0)
    found = found.mutate(
        _opened=place,
        **{
            first: ibis.coalesce(found[f"{first}_own"], found[first]),
            f"{first}_on": ibis.coalesce(found[f"{first}_own_on"], found[f"{first}_on"]),
        },
    )
    of_episode: dict[str, ir.Value] = {}
    for position, stage in enumerate(funnel.stages):
        there = found._opened <= position
        of_episode |= {
            f"{stage}{suffix}": there.ifelse(found[f"{stage}{suffix}"], ibis.null(found[f"{stage}{suffix}"].type()))
            for suffix in ("", "_on", "_own", "_own_on")
        }
    found = found.mutate(**of_episode)
    return found.mutate(
        **{f"{stage}_entered_on": ibis.coalesce(found[f"{stage}_own_on"], found[f"{stage}_on"])
           for stage in funnel.stages},
        **{f"{stage}_skipped": found[stage].notnull() & found[f"{stage}_own"].isnull() for stage in funnel.stages},
    )  # fmt: skip


def _owners(entries: ir.Table, reached: ir.Table, funnel: Funnel) -> ir.Table:
    """Owner at the entry of each stage, date of the step back for good, refusal reason."""
    first, *later = funnel.stages
    rows = entries.join(reached, EPISODE)
    person = (rows.manager != MISSING) & ~rows.manager.isin(funnel.system_users or ("",))
    # Twelve digits: a time that sorts as text and can be cut off again; before 1970 it is negative.
    taken = (rows.entered_at.epoch_seconds().cast("int64") + 10**11).cast("string").lpad(12, "0") + rows.manager
    measures = {}
    for position, stage in enumerate(funnel.stages):
        beyond = rows.stage.isin(funnel.stages[position:])
        entered_at = ibis.coalesce(rows[f"{stage}_own"], rows[stage])
        # Smallest place, then smallest name: argmin would leave a tie between two managers to the engine.
        measures[f"{stage}_manager"] = (rows.place + rows.manager).min(where=beyond & (rows.entered_at == entered_at))
        # Who takes a lead after weeks did not have it when it was to be moved.
        soon = rows.entered_on.delta(rows[f"{stage}_entered_on"], unit="day") <= TAKEN_WITHIN
        here = (rows.stage == stage) & person & soon
        if position < len(later):
            # After a lead moved on, who has it then did not move it.
            here &= rows[later[position]].isnull() | (rows.entered_at <= rows[later[position]])
        measures[f"{stage}_person"] = taken.min(where=here)
    # An entry is the first of its stage in the episode, and the lead's coming in where that is the first stage.
    begins = ibis.or_(*((rows.stage == stage) & (rows.entered_at == rows[f"{stage}_own"]) for stage in funnel.stages))
    came_in = begins & (rows.stage == first)
    for position, stage in enumerate(later, start=1):
        below = rows.stage.isin(funnel.stages[:position])
        # Nothing was stepped back to where the lead begins: what lies before it is misdated, most often a win.
        misdated = (begins if stage == later[-1] else came_in).fill_null(False)
        measures[f"{stage}_back_on"] = rows.entered_on.min(
            where=below & ~misdated & (rows.entered_at > rows[f"{stage}_last"])
        )
    measures["reason"] = rows.reason.min(where=(rows.stage == "lost") & (rows.entered_at == rows._reason_at))
    measures["_lost"] = rows.count(where=rows.stage == "lost")
    owners = rows.group_by(EPISODE).aggregate(**measures).cross_join(_unowned(entries, funnel))
    names = {}
    for stage in funnel.stages:
        owner = owners[f"{stage}_manager"].substr(2)
        if funnel.owner_from == "first_person":
            owner = ibis.coalesce(owners[f"{stage}_person"].substr(12), owner)
        owner = owners[f"{stage}_unowned"].ifelse(MISSING, owner)
        names[f"{stage}_manager"] = owners[f"{stage}_manager"].notnull().ifelse(owner, ibis.null("string"))
    reason = (owners._lost > 0).ifelse(owners.reason.fill_null(MISSING), ibis.null("string"))
    return owners.mutate(**names, **{f"{first}_back_on": ibis.null("date")}, reason=reason)


def _undated(entries: ir.Table, reached: ir.Table, funnel: Funnel) -> ir.Table:
    """The end that a lead's last episode came to on a day that the export does not hold, and its reason.

    A win where the episode has none, a refusal or a return where it has not ended at all: the export that calls a lead
    won knows more than a dated loss, after which it may have come back.
    """
    last = funnel.stages[-1]
    known = (last, *ENDS)
    rows = entries.filter(entries.entered_at.isnull() & entries.stage.isin(known))
    reason = visible(rows.reason if "reason" in rows.columns else ibis.null("string"))
    place = rows.stage.cases(*((stage, number) for number, stage in enumerate(known)))
    rows = rows.mutate(_place=place, _reason=(rows.stage == "lost").ifelse(reason, ibis.null("string")))
    ends = rows.group_by("lead_id").aggregate(_place=rows._place.min(), _reason=rows._reason.min())
    latest = reached.group_by("lead_id").aggregate(episode=reached.episode.max())
    found = ends.join(latest, "lead_id").join(reached, EPISODE)
    unended = found.lost.isnull() & found.nurture.isnull()
    found = found.filter(found[last].isnull() & (unended | (found._place == 0)))
    refused = (found._place == 1).ifelse(found._reason, ibis.null("string"))
    return found.select(*EPISODE, undated=found._place.cases(*enumerate(known)), _reason=refused)


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


def with_episode(rows: ir.Table, funnel: Funnel) -> ir.Table:
    """The entries with the number of their episode: 1 plus the reopenings up to them.

    An end opens nothing by itself; the next stage entry strictly later than it does. An end dated before
    the lead's first stage entry closes its last one: a closing typed too early is still the closing.
    An end put right within `correction_hours` by a stage entry is no end: its row is left out.
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
    again = (
        rows.filter(~is_end)
        .join(ends, "lead_id")
        .filter(ibis._.entered_at > ibis._.ended_at)
        .group_by("lead_id", "ended_at")
        .aggregate(start=ibis._.entered_at.min())
    )
    waited = again.start.epoch_seconds() - again.ended_at.epoch_seconds()
    again = again.mutate(_corrected=waited <= int(3600 * funnel.correction_hours))
    reopened = again.filter(~again._corrected).select("lead_id", "start").distinct()
    corrected = again.filter(again._corrected).select("lead_id", "_corrected", counts_at="ended_at")
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
    rows = rows.left_join(corrected, ["lead_id", "counts_at"]).select(*rows.columns, "_corrected")
    rows = rows.filter(~(rows.stage.isin(ENDS) & rows._corrected.fill_null(False)))
    return (
        rows.left_join(episodes, "lead_id")
        .filter(ibis._.number.isnull() | within)
        .select(*columns, episode=ibis._.number.fill_null(1).cast("int64"))
    )


def stays(journeys: ir.Table, funnel: Funnel, *, keep: Sequence[str] = ()) -> ir.Table:
    """Every stay of an episode at a stage it reached: since when, whose it was, how and when it was left.

    A stay ends by advancing to the next stage; failing that, by the episode's end; failing that, by going
    back for good. An end therefore belongs to the furthest stage reached, once, and no loss is hidden. An end
    without a date counts on the day of that stage's entry, the last one that is known of the lead.

    Returns the journey's own columns (and any per-stage ones named in `keep`), stage, entered_on,
    manager (owner at entry), left_on (never before entered_on), outcome: advanced, moved_away, lost,
    nurture, won (on a day not known, so perhaps too late), or null while the lead is still there; and timed: whether
    the stay has a duration: a skipped stage has none, nor one left before it was entered or on a day not known.
    """
    per_stage = {f"{stage}{suffix}" for stage in funnel.stages for suffix in ("", *OF_STAGE)}
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
        entered_on=of_stage("_entered_on"),
        manager=of_stage("_manager"),
        _advanced_on=of_stage("_on", ahead=1) if len(funnel.stages) > 1 else ibis.null("date"),
        _back_on=of_stage("_back_on"),
        _skipped=of_stage("_skipped"),
        _lost_first=rows.nurture.isnull() | (rows.lost <= rows.nurture),
    ).filter(ibis._.entered_on.notnull())
    outcome = ibis.cases(
        (dated._advanced_on.notnull(), "advanced"),
        (dated.lost_on.notnull() & dated._lost_first, "lost"),
        (dated.nurture_on.notnull(), "nurture"),
        (dated.undated.isin(ENDS).fill_null(False), dated.undated),
        (dated.undated.notnull(), "won"),
        (dated._back_on.notnull(), "moved_away"),
    )
    # What is dated before the entry counts on the day of the entry.
    left_on = ibis.coalesce(dated._advanced_on, earlier(dated.lost_on, dated.nurture_on))
    unknown = left_on.isnull() & dated.undated.notnull()
    left_on = unknown.ifelse(dated.entered_on, ibis.coalesce(left_on, dated._back_on))
    timed = ~dated._skipped & ~unknown & (left_on.isnull() | (left_on >= dated.entered_on))
    return dated.mutate(outcome=outcome, left_on=not_before(left_on, dated.entered_on), timed=timed).select(
        *carried, "stage", "entered_on", "manager", "left_on", "outcome", "timed"
    )


def opening(journeys: ir.Table, funnel: Funnel, suffix: str = "_on") -> ir.Value:
    """The day (or, with the suffix "", the instant) an episode began: at the first stage, or where it was reopened."""
    return ibis.coalesce(*(journeys[f"{stage}{suffix}"] for stage in funnel.stages))


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
    added = {"cohort", "stage", "entered_on", "left_on", "outcome", "timed"}
    if taken := sorted(set(names) & {*journeys.columns, *added}):
        raise FunnelError(f'a lead\'s column must not be named like one of the journeys: "{taken[0]}"; rename it')
    joined = journeys.left_join(leads.select("lead_id", **names), "lead_id").select(*journeys.columns, *names)
    return joined.mutate(**{name: visible(joined[name]) for name in names if joined[name].type().is_string()})


def with_cohort(journeys: ir.Table, funnel: Funnel, unit: str = "week") -> ir.Table:
    """The journeys with `cohort`: the first day of the ISO week, month or quarter they entered the funnel.

    A reopened one entered where it was reopened.
    """
    if unit not in COHORT_UNITS:
        raise FunnelError(f'no cohort unit "{unit}"; {suggestion(unit, COHORT_UNITS)}')
    entered_on = opening(journeys, funnel)
    # DuckDB's date_trunc may return a timestamp; a cohort is a date on every engine.
    return journeys.mutate(cohort=entered_on.truncate(COHORT_UNITS[unit]).cast("date"))


def earlier(one: ir.DateValue, other: ir.DateValue) -> ir.DateValue:
    """The earlier of two days, the one known where the other is null; engines differ on least of a null."""
    return ibis.least(ibis.coalesce(one, other), ibis.coalesce(other, one))


def not_before(day: ir.DateValue, start: ir.DateValue) -> ir.DateValue:
    """The day, or ``start`` where that is later; null stays null on every engine."""
    return day.isnull().ifelse(ibis.null("date"), ibis.greatest(ibis.coalesce(day, start), start))
