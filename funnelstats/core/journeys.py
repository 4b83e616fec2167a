"""Lazy verbs: from stage entries to one row for each stage that a lead episode reached.

Nothing here runs a query.
"""

from collections.abc import Sequence

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir

from funnelstats.config.dates import days_ahead, months_apart
from funnelstats.config.errors import FunnelError, need, suggestion
from funnelstats.config.funnel import Funnel
from funnelstats.config.schema import ENDS, MISSING

EPISODE = ["lead_id", "episode"]
TAKEN_WITHIN = 7
"""Days in which a lead that came to a queue, or to nobody, is taken by the person whose it was to move."""
OF_STAGE = (
    *("stage", "place", "reached_at", "reached_on", "entered_on", "manager", "skipped"),
    *("next_at", "next_on", "back_on", "outcome", "left_on", "timed"),
)
"""What a row of the journeys says of its stage."""
OF_EPISODE = (
    *("opened", "began_at", "began_on", "won_at", "won_on", "lost_at", "lost_on", "nurture_at", "nurture_on"),
    *("ended_as", "ended_at", "ended_on", "reason", "undated"),
)
"""What it says of its episode, the same in each of its rows."""

OF_END = [f"{end}_{unit}" for end in (*ENDS, "ended") for unit in ("at", "on")] + ["ended_as", "reason"]

COHORT_UNITS = {"week": "W", "month": "M", "quarter": "Q"}


def stage_entries(entries: ir.Table, funnel: Funnel) -> ir.Table:
    """The dated entries of a stage of the funnel or an end, with blank managers made visible.

    `place` orders ties: the stage's number in the funnel, ends after every stage.
    Returns lead_id, stage, entered_at, entered_on, manager, reason, place. The manager, the reason and the local date
    may be absent from the entries; entered_at is an instant of UTC.
    """
    need(entries, "entries", "lead_id", "stage", "entered_at", lazy=True)
    ordered = (*funnel.stages, *ENDS)
    columns = entries.columns
    blank = ibis.null("string")
    return entries.filter(entries.stage.isin(ordered) & entries.entered_at.notnull()).select(
        "lead_id",
        "stage",
        "entered_at",
        entered_on=local_day(entries, "entered_at", "entered_on", funnel),
        manager=visible(entries.manager if "manager" in columns else blank),
        reason=entries.reason if "reason" in columns else blank,
        place=entries.stage.cases(*((stage, place) for place, stage in enumerate(ordered))).cast("int64"),
    )


def local_day(rows: ir.Table, at: str, on: str, funnel: Funnel) -> ir.DateValue:
    """The column of local dates; where it is absent, the dates of the instants of UTC in the funnel's zone."""
    if on in rows.columns:
        return rows[on]
    kind = rows[at].type()
    if not kind.is_timestamp() or kind.timezone:
        raise FunnelError(f"{at}: must hold instants of UTC without a zone, got {kind}; tables makes them of any")
    if funnel.timezone == "UTC":
        return rows[at].date()
    if rows.get_backend().name == "pyspark":
        return _spark_clock(rows[at], funnel.timezone).date()
    return _wall_clock(funnel.timezone, _instant("UTC", rows[at])).date()


@ibis.udf.scalar.builtin(name="timezone")
def _instant(zone: str, wall: dt.timestamp) -> dt.Timestamp("UTC"):  # type: ignore[valid-type]
    """The instant at which the clock of a zone shows this, on DuckDB and PostgreSQL."""


@ibis.udf.scalar.builtin(name="timezone")
def _wall_clock(zone: str, instant: dt.Timestamp("UTC")) -> dt.timestamp:  # type: ignore[valid-type]
    """What the clock of a zone shows at an instant, on DuckDB and PostgreSQL."""


@ibis.udf.scalar.builtin(name="from_utc_timestamp")
def _spark_clock(at: dt.timestamp, zone: str) -> dt.timestamp:
    """What the clock of a zone shows at an instant of UTC's, on Spark."""


def visible(text: ir.StringValue) -> ir.StringValue:
    """The text, with null and blank shown as "(missing)"; `unknown` and `-` stay what they are."""
    return text.re_search(r"[^ \t\n\v\f\r]").fill_null(False).ifelse(text, MISSING)


def journeys(entries: ir.Table, funnel: Funnel) -> ir.Table:
    """One row for each stage that a lead episode reached: when, whose it was then, how and when it was left.

    A skipped stage counts as reached when a later one is, and a step back takes nothing away. A stage entry after an
    end opens the lead's next episode, unless it puts the end right within `correction_hours`; a reopened episode has
    no stage before the one it reopens at. A lead without any dated stage is no journey. Ties in time follow the
    funnel's order, ends last.

    Returns lead_id, episode (1, 2, ...), stage, place (its number, from 0) and

    - of the stage: reached_at (instant) and reached_on (local date) of the first entry at it or beyond it, of the
      first stage its own, however early a later one is dated; entered_on (date of its own entry, of a skipped stage
      that of the next); manager (owner then, "(missing)" if blank, see `owner_from`); skipped (no entry of its own);
      next_at and next_on (the next stage was reached); back_on (it went below the stage for good)
    - of the stay: outcome (advanced, lost, nurture, won on a day not known, moved_away, null while the lead is still
      there), left_on (never before entered_on) and timed: whether it has a duration. A skipped stage has none, nor
      one left before it was entered or on a day not known. A stay ends by advancing; failing that, by the episode's
      end; failing that, by going back for good. So an end belongs to the furthest stage, once
    - of the episode: opened (place where it began), began_at, began_on, won_at, won_on (it reached the last stage),
      lost_at, lost_on, nurture_at, nurture_on, ended_as (the first of these ends, or one without a date), ended_at,
      ended_on, reason (of the refusal, the first one given; null if not lost) and undated: the last stage, lost or
      nurture, where the export says that the episode came to it and not when. Such a win decides, whatever refusal
      or return the last episode has: that one is then no end of it.

    >>> paths = fs.journeys(tables.entries, spec)
    >>> one = paths.filter(paths.lead_id == "104357").order_by("place").to_pandas()
    >>> one[["stage", "manager", "entered_on", "next_on", "outcome"]].head(2)
      stage manager entered_on    next_on   outcome
    0  lead  Иванов 2026-06-03 2026-06-03  advanced
    1   met  Иванов 2026-06-03 2026-06-08  advanced
    """
    return journeys_of_part(entries, funnel, stages_of_nobody(entries, funnel))


def journeys_of_part(entries: ir.Table, funnel: Funnel, nobodys: ir.Table) -> ir.Table:
    """The journeys of some of the leads, all of whose entries these are, with ``stages_of_nobody`` of all leads."""
    rows = with_episode(stage_entries(entries, funnel), funnel)
    ordered = _in_time(rows.filter(rows.place < len(funnel.stages)))
    found = _reached(ordered, funnel)
    found = _with_owner(found, nobodys, funnel)
    back, ends = _steps_back(ordered, found, funnel), _ends(rows)
    undated = _undated(entries, found, ends, funnel)
    found = _joined(found, back, [*EPISODE, "place"])
    found = _joined(found, ends, EPISODE)
    found = _joined(found, undated, EPISODE)
    won = (found.undated == funnel.stages[-1]).fill_null(False)
    found = found.mutate(**{name: won.ifelse(ibis.null(found[name].type()), found[name]) for name in OF_END})
    return _with_stay(found)


def _joined(rows: ir.Table, other: ir.Table, on: list[str]) -> ir.Table:
    return rows.left_join(other, on).select(*rows.columns, *(name for name in other.columns if name not in on))


def _in_time(rows: ir.Table) -> ir.Table:
    """The stage entries of each episode in order, with the furthest place before and after each."""
    order = {"group_by": EPISODE, "order_by": ["entered_at", "place", "manager"]}
    in_time = ibis.window(**order)
    return rows.mutate(
        turn=ibis.row_number().over(in_time),
        before=rows.place.max().over(ibis.window(**order, preceding=(None, 1))),
        after=rows.place.max().over(ibis.window(**order, following=(1, None))),
        opened=(rows.episode > 1).ifelse(rows.place.first().over(in_time), 0),
    )


def _reached(ordered: ir.Table, funnel: Funnel) -> ir.Table:
    """One row for each stage reached: by the entry that first went as far, and the stage's own first entry."""
    # An entry reaches every stage between the furthest one before it and its own.
    before = ordered.before.fill_null(ordered.opened - 1)
    places = ibis.range(ibis.least(before + 1, ordered.place), ordered.place + 1)
    rows = ordered.mutate(before=before, at=places.unnest())
    rows = rows.filter(rows.at >= rows.opened)
    first, own = rows.at > rows.before, rows.at == rows.place
    person = own & (rows.manager != MISSING) & ~rows.manager.isin(funnel.system_users or ("",))
    found = rows.group_by(*EPISODE, place="at").aggregate(
        opened=rows.opened.min(),
        reached_at=rows.entered_at.min(where=first),
        reached_on=rows.entered_on.min(where=first),
        own_at=rows.entered_at.min(where=own),
        own_on=rows.entered_on.min(where=own),
        manager=ibis.coalesce(rows.manager.argmin(rows.turn, where=own), rows.manager.argmin(rows.turn, where=first)),
        person=rows.manager.argmin(rows.turn, where=person),
        person_at=rows.entered_at.min(where=person),
        person_on=rows.entered_on.min(where=person),
    )
    came_in = (found.place == 0) & found.own_at.notnull()
    found = found.mutate(
        stage=found.place.cases(*enumerate(funnel.stages)),
        reached_at=came_in.ifelse(found.own_at, found.reached_at),
        reached_on=came_in.ifelse(found.own_on, found.reached_on),
        entered_on=found.own_on.fill_null(found.reached_on),
        skipped=found.own_at.isnull(),
    )
    of_episode = ibis.window(group_by=EPISODE, order_by="place")
    whole = ibis.window(group_by=EPISODE, order_by="place", preceding=None, following=None)
    won = found.place == len(funnel.steps)
    return found.mutate(
        next_at=found.reached_at.lead().over(of_episode),
        next_on=found.reached_on.lead().over(of_episode),
        began_at=found.reached_at.first().over(of_episode),
        began_on=found.reached_on.first().over(of_episode),
        won_at=found.reached_at.max(where=won).over(whole),
        won_on=found.reached_on.max(where=won).over(whole),
    )


def stages_of_nobody(entries: ir.Table, funnel: Funnel) -> ir.Table:
    """The stages, each with whether no entry of it has a manager: stage, nobodys."""
    rows = stage_entries(entries, funnel)
    return rows.group_by("stage").aggregate(nobodys=rows.count(where=rows.manager != MISSING) == 0)


def _with_owner(found: ir.Table, nobodys: ir.Table, funnel: Funnel) -> ir.Table:
    """The stages with who had the lead there: at its entry, or the first person soon after it."""
    manager = found.manager
    if funnel.owner_from == "first_person":
        # Who takes a lead after weeks did not have it when it was to be moved; nor who has it after it moved on.
        soon = found.person_on.delta(found.entered_on, unit="day") <= TAKEN_WITHIN
        soon &= found.next_at.isnull() | (found.person_at <= found.next_at)
        manager = soon.fill_null(False).ifelse(found.person, manager)
    found = found.mutate(manager=manager)
    # Leads that skip a stage which never has a manager would be its only owned ones, and all have advanced: 100 %.
    found = _joined(found, nobodys, ["stage"])
    return found.mutate(manager=found.nobodys.fill_null(False).ifelse(MISSING, found.manager))


def _steps_back(ordered: ir.Table, found: ir.Table, funnel: Funnel) -> ir.Table:
    """The day each stage was left backwards for good: the first entry below it that none at it or beyond follows."""
    back = ordered.filter(ordered.place < ordered.before)
    back = _joined(back, found.select(*EPISODE, "place", "own_at"), [*EPISODE, "place"])
    below = ibis.greatest(back.place, back.after.fill_null(-1))
    back = back.mutate(stage_left=ibis.range(below + 1, back.before + 1).unnest())
    # Nothing was stepped back to where the lead begins: what lies before it is misdated, most often a win.
    begins = ((back.stage_left == len(funnel.steps)) | (back.place == 0)) & (back.entered_at == back.own_at)
    back = back.filter(~begins.fill_null(False))
    return back.group_by(*EPISODE, place="stage_left").aggregate(back_on=back.entered_on.min())


def _ends(rows: ir.Table) -> ir.Table:
    """The first of each kind of end of an episode, and the first reason given for its loss."""
    ends = rows.filter(rows.stage.isin(ENDS)).mutate(reason=visible(rows.reason))
    lost = ends.stage == "lost"
    given = lost & (ends.reason != MISSING)
    turn = ibis.row_number().over(ibis.window(group_by=EPISODE, order_by=["entered_at", "reason"]))
    ends = ends.mutate(turn=turn, given=given)
    found = ends.group_by(EPISODE).aggregate(
        **{
            f"{end}_{unit}": ends[f"entered_{unit}"].min(where=ends.stage == end)
            for end in ENDS
            for unit in ("at", "on")
        },
        given=ends.reason.argmin(ends.turn, where=ends.given),
    )
    reason = found.lost_at.isnull().ifelse(ibis.null("string"), found.given.fill_null(MISSING))
    lost_first = found.lost_at.notnull() & (found.nurture_at.isnull() | (found.lost_at <= found.nurture_at))
    return found.mutate(
        reason=reason,
        ended_as=lost_first.ifelse("lost", "nurture"),
        ended_at=lost_first.ifelse(found.lost_at, found.nurture_at),
        ended_on=earlier(found.lost_on, found.nurture_on),
    ).drop("given")


def _undated(entries: ir.Table, found: ir.Table, ended: ir.Table, funnel: Funnel) -> ir.Table:
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
    latest = found.group_by("lead_id").aggregate(episode=found.episode.max())
    of_lead = ends.join(latest, "lead_id").join(episodes(found), EPISODE).left_join(ended, EPISODE)
    of_lead = of_lead.filter(of_lead.won_at.isnull() & (of_lead.ended_as.isnull() | (of_lead._place == 0)))
    refused = (of_lead._place == 1).ifelse(of_lead._reason, ibis.null("string"))
    return of_lead.select(*EPISODE, undated=of_lead._place.cases(*enumerate(known)), undated_reason=refused)


def _with_stay(found: ir.Table) -> ir.Table:
    """The stages with how and when they were left, in the order of columns that `journeys` states."""
    undated_end = found.undated.isin(ENDS).fill_null(False)
    found = found.mutate(
        ended_as=found.ended_as.fill_null(undated_end.ifelse(found.undated, ibis.null("string"))),
        reason=found.reason.fill_null(found.undated_reason),
    )
    outcome = ibis.cases(
        (found.next_on.notnull(), "advanced"),
        (found.ended_as.notnull(), found.ended_as),
        (found.undated.notnull(), "won"),
        (found.back_on.notnull(), "moved_away"),
    )
    left_on = ibis.coalesce(found.next_on, found.ended_on)
    # An end without a date counts on the day of the furthest stage's entry, the last one known of the lead.
    unknown = left_on.isnull() & found.undated.notnull()
    left_on = unknown.ifelse(found.entered_on, left_on.fill_null(found.back_on))
    return found.mutate(
        outcome=outcome,
        timed=~found.skipped & ~unknown & (left_on.isnull() | (left_on >= found.entered_on)),
        # What is dated before the entry counts on the day of the entry.
        left_on=not_before(left_on, found.entered_on),
    ).select(*EPISODE, *OF_STAGE, *OF_EPISODE)


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
    # Only leads with an entry after an end can have a second episode: few are put in order.
    once = rows.anti_join(spans, "lead_id").mutate(episode=ibis.literal(1, "int64"))
    again = rows.join(spans, "lead_id")
    is_end = again.stage.isin(ENDS)
    misdated = is_end & (again.entered_at < again.began)
    again = again.mutate(is_end=is_end, counts_at=misdated.ifelse(again.latest, again.entered_at))
    order = {"group_by": "lead_id", "order_by": ["counts_at", "is_end"]}
    following = again.entered_at.min(where=~again.is_end).over(ibis.window(**order, preceding=0, following=None))
    waited = following.epoch_seconds() - again.counts_at.epoch_seconds()
    put_right = again.is_end & (waited <= int(3600 * funnel.correction_hours)).fill_null(False)
    again = again.mutate(put_right=put_right).filter(~ibis._.put_right)
    reopens = ~again.is_end & again.is_end.lag().over(ibis.window(**order)).fill_null(False)
    again = again.mutate(reopens=reopens.ifelse(1, 0))
    so_far = ibis.window(**order, preceding=None, following=0)
    again = again.mutate(episode=1 + again.reopens.sum().over(so_far))
    return once.union(again.select(*once.columns))


def episodes(journeys: ir.Table) -> ir.Table:
    """The journeys with one row for each episode: that of the stage it began at."""
    need(journeys, "journeys", *EPISODE, "place", "opened", lazy=True)
    return journeys.filter(journeys.place == journeys.opened)


def with_leads(journeys: ir.Table, leads: ir.Table, columns: Sequence[str] | None = None) -> ir.Table:
    """The journeys with the attributes of their leads; blank text shows as "(missing)", unknown leads too.

    The lead's own manager arrives as `current_manager`: `manager` always means the owner at stage entry. Where no
    columns are named the date of creation stays away: a stage called "created" has one of the same name.

    >>> fs.with_leads(paths, tables.leads, ["product"]).columns[-2:]
    ('undated', 'product')
    """
    need(journeys, "journeys", "lead_id", lazy=True)
    need(leads, "leads", "lead_id", lazy=True)
    own = ("lead_id", "created_at", "created_on")
    wanted = [name for name in leads.columns if name not in own] if columns is None else list(columns)
    for name in wanted:
        if name not in leads.columns:
            raise FunnelError(f'no column "{name}" in the leads; {suggestion(name, leads.columns)}')
    names = {("current_manager" if name == "manager" else name): name for name in wanted}
    if taken := sorted(set(names) & {*EPISODE, *OF_STAGE, *OF_EPISODE, "cohort"}):
        raise FunnelError(f'a lead\'s column must not be named like one of the journeys: "{taken[0]}"; rename it')
    if there := sorted(set(names) & {*journeys.columns}):
        raise FunnelError(f'the journeys have a column "{there[0]}" already; join those of the leads once')
    joined = journeys.left_join(leads.select("lead_id", **names), "lead_id").select(*journeys.columns, *names)
    return joined.mutate(**{name: visible(joined[name]) for name in names if joined[name].type().is_string()})


def with_cohort(journeys: ir.Table, funnel: Funnel, unit: str = "week") -> ir.Table:  # noqa: ARG001
    """The journeys with `cohort`: the first day of the week, month or quarter they entered the funnel.

    A reopened one entered where it was reopened. Weeks and quarters are those of the funnel read last.

    >>> fs.with_cohort(paths, spec, "month").cohort.min().to_pandas()
    Timestamp('2025-12-01 00:00:00')
    """
    need(journeys, "journeys", "began_on", lazy=True)
    if unit not in COHORT_UNITS:
        raise FunnelError(f'no cohort unit "{unit}"; {suggestion(unit, COHORT_UNITS)}')
    return journeys.mutate(cohort=period_begin(journeys.began_on, unit))


def period_begin(day: ir.DateValue, unit: str) -> ir.DateValue:
    """The first day of a day's week, month or quarter, as the funnel's weeks and its fiscal year begin."""
    moved = {"week": (days_ahead(), "D"), "quarter": (-months_apart(), "M")}.get(unit, (0, "D"))
    # DuckDB's date_trunc may return a timestamp; a period begins with a date on every engine.
    if not moved[0]:
        return day.truncate(COHORT_UNITS[unit]).cast("date")
    ahead = ibis.interval(*moved)
    return ((day + ahead).truncate(COHORT_UNITS[unit]).cast("date") - ahead).cast("date")


def earlier(one: ir.DateValue, other: ir.DateValue) -> ir.DateValue:
    """The earlier of two days, the one known where the other is null; engines differ on least of a null."""
    return ibis.least(ibis.coalesce(one, other), ibis.coalesce(other, one))


def not_before(day: ir.DateValue, start: ir.DateValue) -> ir.DateValue:
    """The day, or ``start`` where that is later; null stays null on every engine."""
    return day.isnull().ifelse(ibis.null("date"), ibis.greatest(ibis.coalesce(day, start), start))
