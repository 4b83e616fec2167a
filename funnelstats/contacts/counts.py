"""Each contact with what came of it: the stage its lead stood at, and whether the lead moved on before the next one.

A contact is effective if the lead enters its next stage at it or within ``contact.follow_up_days`` days after it
and before the lead's next contact. All contacts of a lead count as its next one, also those of a system user.
"""

from datetime import date
from typing import Any

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from funnelstats.config.errors import need
from funnelstats.config.funnel import Funnel
from funnelstats.core.counts import (
    Between,
    By,
    day_number,
    fetch,
    group_keys,
    in_order,
    known_within,
    named,
    nothing_counted,
    number_of,
    on_date,
    whole_numbers,
)
from funnelstats.core.journeys import EPISODE, episodes, local_day, period_begin, visible

OUTSIDE = "(outside)"
"""The stage of a contact before its lead's first stage entry, or after the lead was lost or returned."""

CONTACT_COUNTS = ["contacts", "conversations", "effective", "advances", "sales", "days", "too_recent"]
QUIET_COUNTS = ["quiet_days", "quiet_moves", "moves"]
KEYS = ("manager", "kind", "stage")


def touches(contacts: ir.Table | None, journeys: ir.Table, funnel: Funnel) -> Any:
    """Each contact with the stage its lead stood at, the lead's next contact, and how far the lead then moved.

    The stage is the furthest one reached before the contact; at the instant of the first entry it is the first.
    Rows repeated exactly are one contact. A conversation lasts ``contact.conversation_s`` seconds; without a
    duration, somebody was reached; null where neither is known.

    Returns lead_id, episode (null where the lead is in no journey), at, on, kind, manager (whose contact it was,
    "(missing)" if blank), stage, conversation, next_on (date of the lead's
    next contact at the same stage), moves (stages the lead
    moved on by within the follow-up and before that contact), sold (the last stage was among them) and days (its
    follow-up, from its own day to that of the move, of the end, or before that of the next contact). None where the
    export has no contacts.

    >>> touches = fs.contacts.touches(tables.contacts, fs.journeys(tables.entries, spec), spec)
    >>> touches.filter(touches.moves > 0).count().to_pandas()
    11295
    """
    if contacts is None:
        return None
    rows = _rows(contacts, funnel)
    times = rows.select("lead_id", "at", "on").distinct()
    in_time = ibis.window(group_by="lead_id", order_by="at")
    following = times.mutate(next_at=times.at.lead().over(in_time), next_on=times.on.lead().over(in_time))
    rows = rows.join(following.drop("on"), ["lead_id", "at"]).select(*rows.columns, "next_at", "next_on")
    paths = _episodes(journeys)
    each = rows.left_join(paths, "lead_id").select(*rows.columns, *(c for c in paths.columns if c != "lead_id"))
    begun = (each.episode == 1) | (each.began_at <= each.at)
    each = each.filter(each.episode.isnull() | (begun & (each.until.isnull() | (each.at < each.until))))
    ahead = (each.place > each.opened) & (each.reached_at >= each.at)
    soon = each.reached_on.delta(each.on, unit="day") <= funnel.contact.follow_up_days
    moved = ahead & soon & (each.next_at.isnull() | (each.reached_at < each.next_at))
    rows = each.group_by(*rows.columns, "episode").aggregate(
        passed=each.place.max(where=each.reached_at < each.at),
        moves=each.count(where=moved),
        sold=each.count(where=moved & (each.place == len(funnel.steps))) > 0,
        moved_at=each.reached_at.min(where=ahead),
        moved_on=each.reached_on.min(where=ahead),
        **{name: each[name].min() for name in ("opened", "began_at", "ended_at", "ended_on")},
    )
    within = (rows.began_at <= rows.at) | rows.passed.notnull()
    outside = ~within.fill_null(False) | (rows.ended_at < rows.at).fill_null(False)
    place = outside.ifelse(len(funnel.stages), rows.passed.fill_null(rows.opened))
    left_on = outside.ifelse(ibis.null("date"), rows.moved_on)
    left_first = (~outside & (rows.moved_at < rows.next_at)).fill_null(False)
    left_first |= (rows.ended_at < rows.next_at).fill_null(False)
    next_on = left_first.ifelse(ibis.null("date"), rows.next_on)
    follow_up = day_number(rows.on) + funnel.contact.follow_up_days
    limits = (day_number(next_on) - 1, day_number(left_on), day_number(rows.ended_on))
    watched = ibis.least(follow_up, *(limit.fill_null(follow_up) for limit in limits))
    return rows.select(
        *("lead_id", "episode", "at", "on", "kind", "manager", "conversation"),
        next_on=next_on,
        stage=place.cases(*enumerate((*funnel.stages, OUTSIDE))),
        moves=outside.ifelse(0, rows.moves),
        sold=rows.sold & ~outside,
        days=(place < len(funnel.steps)).ifelse(ibis.greatest(watched - day_number(rows.on) + 1, 0), 0),
    )


def _rows(contacts: ir.Table, funnel: Funnel) -> ir.Table:
    """The contacts in one shape, whatever the export carries; exact repeats are one."""
    need(contacts, "contacts", "lead_id", "at", "kind", lazy=True)
    columns = contacts.columns
    long = contacts.duration_s if "duration_s" in columns else ibis.null("float64")
    answered = contacts.reached if "reached" in columns else ibis.null("boolean")
    return contacts.select(
        "lead_id",
        "at",
        on=local_day(contacts, "at", "on", funnel),
        kind=visible(contacts.kind),
        manager=visible(contacts.manager if "manager" in columns else ibis.null("string")),
        conversation=ibis.coalesce(long >= funnel.contact.conversation_s, answered),
        _long=long,
        _answered=answered,
    ).distinct()


def _episodes(journeys: ir.Table) -> ir.Table:
    """The journeys with the instant they ended, and the one at which the lead's next episode began."""
    following = episodes(journeys).select("lead_id", episode=ibis._.episode - 1, until="began_at")
    paths = journeys.left_join(following, EPISODE)
    # An end dated before the first stage entry was typed too early: it closes the episode, nobody knows when.
    right = paths.ended_at >= paths.began_at
    return paths.select(
        *(*EPISODE, "place", "reached_at", "reached_on", "opened", "began_at", "until"),
        ended_at=right.ifelse(paths.ended_at, ibis.null("timestamp")),
        ended_on=right.ifelse(paths.ended_on, ibis.null("date")),
    )


def contact_counts(
    touches: ir.Table | None, funnel: Funnel, as_of: date, by: By = KEYS, *, between: Between = None
) -> pd.DataFrame:
    """Contacts, conversations among them, and those after which the lead moved on; all followed equally long.

    A contact counts once its follow-up is over at ``as_of``, whatever came of it; until then it is too recent.
    ``between`` holds the first and last date of the contacts. ``by`` may name manager (whose contact it was),
    kind, stage (where the lead stood; OUTSIDE last) and week (the first day of that of the contact).

    Returns *by, contacts, conversations, effective, advances (stages moved on by), sales, days (of follow-up, see
    ``touches``), too_recent; no rows without contacts. Conversations are missing where the export knows of none whether
    it was one.

    >>> touches = fs.contacts.touches(tables.contacts, fs.journeys(tables.entries, spec), spec)
    >>> fs.contacts.contact_counts(touches, spec, day, by="kind")[["kind", "contacts", "effective", "sales", "days"]]
          kind  contacts  effective  sales   days
    0     call      7036       3824     86  17311
    1     mail      3696       2124   1933   8530
    2  meeting      4967       4924    254   5112
    """
    keys = group_keys(by, (*KEYS, "week"))
    if touches is None:
        return nothing_counted(keys, CONTACT_COUNTS)
    need(touches, "touches", "on", "kind", "manager", "stage", "moves", "sold", "days", lazy=True)
    rows = touches.filter(known_within(touches.on, as_of, between, "between"))
    judged = on_date(as_of).delta(rows.on, unit="day") >= funnel.contact.follow_up_days
    rows = rows.mutate(week=period_begin(rows.on, "week"), _judged=judged)
    places = (*funnel.stages, OUTSIDE)
    rows = rows.mutate(_place=rows.stage.cases(*((stage, place) for place, stage in enumerate(places))))
    order = [key if key != "stage" else "_place" for key in keys]
    counted = rows.aggregate(
        by=order,
        contacts=ibis._.count(where=ibis._._judged),
        conversations=ibis._.count(where=ibis._._judged & ibis._.conversation),
        effective=ibis._.count(where=ibis._._judged & (ibis._.moves > 0)),
        advances=ibis._.moves.sum(where=ibis._._judged),
        sales=ibis._.count(where=ibis._._judged & ibis._.sold),
        days=ibis._.days.sum(where=ibis._._judged),
        too_recent=ibis._.count(where=~ibis._._judged),
        known=ibis._.conversation.count(),
    )
    frame = in_order(fetch(counted), order)
    if "stage" in keys:
        frame = frame.assign(stage=named(frame["_place"], places))
    found = whole_numbers(frame[[*keys, *CONTACT_COUNTS]], CONTACT_COUNTS)
    return found if frame["known"].any() or frame.empty else found.assign(conversations=np.nan)


def quiet_counts(
    touches: ir.Table | None, journeys: ir.Table, funnel: Funnel, as_of: date, *, between: Between = None
) -> pd.DataFrame:
    """Days that leads stood at each stage without a contact, and how many moved on during them.

    A day is quiet if there was no contact at this stage on it, nor on the ``contact.follow_up_days`` days before.
    The first and the last day at a stage count. So each move is either that of an effective contact or a quiet
    one, and no lead counts as left alone only because it moved before anybody called. ``between`` holds the first and
    last day counted.

    Returns stage (each that has a next one), quiet_days, quiet_moves, moves (all, quiet or not).

    >>> paths = fs.journeys(tables.entries, spec)
    >>> fs.contacts.quiet_counts(fs.contacts.touches(tables.contacts, paths, spec), paths, spec, day).head(2)
      stage  quiet_days  quiet_moves  moves
    0  lead       12552          999   4868
    1   met       29980          934   3959
    """
    if touches is None:
        return nothing_counted(["stage"], QUIET_COUNTS)
    need(touches, "touches", *EPISODE, "on", "next_on", "stage", "moves", lazy=True)
    need(journeys, "journeys", *EPISODE, "stage", "place", "entered_on", "left_on", "outcome", lazy=True)
    first, last = (None, as_of) if between is None else (between[0], min(between[1], as_of))
    places = funnel.stages[:-1]
    at_stage = journeys.filter((journeys.place < len(places)) & (journeys.entered_on <= on_date(last)))
    start = ibis.literal(number_of(first)) if first else day_number(at_stage.entered_on)
    left = (at_stage.left_on <= on_date(last)).fill_null(False)
    # A lead that left before the first day counted has no day in it: `_until` is then before `_from`.
    spans = at_stage.select(
        *EPISODE,
        "stage",
        "place",
        _from=ibis.greatest(day_number(at_stage.entered_on), start),
        _until=left.ifelse(day_number(at_stage.left_on), ibis.literal(number_of(last))),
        _moved=left & (at_stage.outcome == "advanced").fill_null(False),
    ).filter(ibis._._until >= ibis._._from)
    # Contacts at one instant cover the same days.
    made = touches.filter(touches.on <= on_date(last)).select(*EPISODE, "stage", "on", "next_on", "moves").distinct()
    watched = spans.join(made, [*EPISODE, "stage"])
    began = ibis.greatest(day_number(watched.on), watched._from)
    shadow = ibis.least(day_number(watched.on) + funnel.contact.follow_up_days, watched._until)
    shadow = watched.next_on.isnull().ifelse(shadow, ibis.least(shadow, day_number(watched.next_on) - 1))
    followed = (
        watched.mutate(_days=ibis.greatest(shadow - began + 1, 0))
        .group_by(*EPISODE, "stage")
        .aggregate(_days=ibis._._days.sum(), _moves=ibis._.moves.max())
    )
    joined = spans.left_join(followed, [*EPISODE, "stage"]).select(*spans.columns, "_days", "_moves")
    counted = joined.group_by(_place="place").aggregate(
        quiet_days=(joined._until - joined._from + 1 - joined._days.fill_null(0)).sum(),
        quiet_moves=joined.count(where=joined._moved & (joined._moves.fill_null(0) == 0)),
        moves=joined.count(where=joined._moved),
    )
    frame = in_order(fetch(counted), [], "_place")
    frame = frame.assign(stage=named(frame["_place"], places))
    return whole_numbers(frame[["stage", *QUIET_COUNTS]], QUIET_COUNTS)
