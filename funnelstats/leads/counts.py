"""Leads with whose they are: the only rows that are leads, for the pages that only their manager reads.

Whose a lead is now says the leads' own ``manager``; where that is blank, who had it when it entered its stage.
Only open leads and those won in a period are listed. Dates after ``as_of`` do not exist.
"""

from datetime import date

import ibis
import ibis.expr.types as ir
import pandas as pd

from funnelstats.config.dates import checked_between
from funnelstats.config.errors import need
from funnelstats.config.funnel import Funnel
from funnelstats.config.schema import MISSING
from funnelstats.core.counts import By, by_people, fetch, group_keys, named, on_date, with_shown
from funnelstats.core.journeys import EPISODE, visible, with_leads

OWN = ["lead_id", "company", "product", "stage", "entered_on", "since", "contacts", "last_contact_on", "amount"]
WON = ["lead_id", "company", "won_on", "days", "amount"]


def open_owners(journeys: ir.Table, leads: ir.Table, funnel: Funnel, as_of: date) -> list[str]:
    """Who owns a lead that is open at the end of ``as_of``, sorted; neither system users nor nobody."""
    owners = _owned(_open(journeys, as_of), leads, funnel, as_of).select("owner").distinct()
    return sorted({*fetch(owners)["owner"]} - {MISSING, *funnel.system_users})


def _open(journeys: ir.Table, as_of: date) -> ir.Table:
    """The journeys of the episodes open at the end of the day."""
    today = on_date(as_of)
    begun = (journeys.began_on <= today) & journeys.undated.isnull()
    over = (journeys.ended_on <= today).fill_null(False) | (journeys.won_on <= today).fill_null(False)
    return journeys.filter(begun & ~over)


def open_leads(
    journeys: ir.Table, leads: ir.Table, touches: ir.Table | None, funnel: Funnel, as_of: date
) -> pd.DataFrame:
    """The leads that are open at the end of ``as_of``: neither at the last stage nor ended, dated or not.

    ``touches`` is the lazy verb's table, or None where the export has no contacts. Contacts of system users are
    none. Returns manager (whose it is now), lead_id, company ("" unless ``lead_base.company`` is stated), product (""
    unless leads have such an attribute), stage (where it stands, for one that stepped back the stage it went back to),
    entered_on (when it first stood there), since (when it last moved), contacts and last_contact_on (missing without
    contacts, 0 and missing if nobody contacted it), amount.

    >>> paths = fs.journeys(tables.entries, spec)
    >>> waiting = fs.leads.open_leads(paths, tables.leads, None, spec, day)
    >>> waiting[["manager", "lead_id", "stage", "since", "amount"]].head(2)
       manager lead_id stage      since    amount
    0   Иванов  100066  lead 2025-12-03   39800.0
    1  Петрова  100050   met 2025-12-04  127100.0
    """
    need(journeys, "journeys", *EPISODE, "place", "reached_on", "began_on", "ended_on", lazy=True)
    rows = _open(journeys, as_of)
    back = (rows.back_on <= on_date(as_of)).fill_null(False)
    stands = (rows.place < len(funnel.steps)) & (rows.reached_on <= on_date(as_of)) & ~back
    standing = rows.place.max(where=stands).over(ibis.window(group_by=EPISODE)).fill_null(0)
    rows = rows.mutate(_at=standing, _back=back)
    at = rows.group_by(EPISODE).aggregate(
        _at=rows._at.min(),
        _entered=rows.reached_on.min(where=rows.place == rows._at),
        _back=rows.back_on.min(where=(rows.place == rows._at + 1) & rows._back),
    )
    owned = _owned(rows.select(*journeys.columns), leads, funnel, as_of)
    owned = owned.join(at, EPISODE)
    found = owned.select(
        *("lead_id", "episode", "company", "product", "amount", "owner"),
        stage=owned._at.cases(*enumerate(funnel.stages[:-1])),
        # A lead reopened further on stands at a stage before that since it went back.
        entered_on=ibis.coalesce(owned._entered, owned._back, owned.began_on),
        since=ibis.coalesce(owned._back, owned._entered, owned.began_on),
    )
    if touches is None:
        found = found.mutate(contacts=ibis.null("int64"), last_contact_on=ibis.null("date"))
    else:
        need(touches, "touches", *EPISODE, "manager", "on", lazy=True)
        known = by_people(touches.filter(touches.on <= on_date(as_of)), funnel)
        made = known.group_by(EPISODE).aggregate(contacts=known.count(), last_contact_on=known.on.max())
        joined = found.left_join(made, EPISODE).select(*found.columns, "contacts", "last_contact_on")
        found = joined.mutate(contacts=joined.contacts.fill_null(0))
    return _typed(found, OWN).sort_values(["since", "lead_id"], ignore_index=True)


def leads_won(journeys: ir.Table, leads: ir.Table, funnel: Funnel, between: tuple[date, date]) -> pd.DataFrame:
    """The leads that entered the last stage in a period, the first day and the last one included.

    Returns manager (whose it is now), lead_id, company ("" unless ``lead_base.company`` is stated), won_on, days (since
    it came in or was reopened; missing where the win is dated before that), amount.

    >>> paths = fs.journeys(tables.entries, spec)
    >>> won = fs.leads.leads_won(paths, tables.leads, spec, (monday, sunday))
    >>> won[["manager", "lead_id", "won_on", "amount"]].head(2)
       manager lead_id     won_on    amount
    0  O'Neill  103789 2026-06-22  130100.0
    1  Петрова  103963 2026-06-22       NaN
    """
    need(journeys, "journeys", *EPISODE, "place", "reached_on", "won_on", lazy=True)
    won = journeys.won_on.between(*map(on_date, checked_between(between, "between"))).fill_null(False)
    rows = _owned(journeys.filter(won), leads, funnel, between[1])
    days = rows.won_on.delta(rows.began_on, unit="day")
    days = (days >= 0).ifelse(days, ibis.null("int64"))
    found = rows.select("lead_id", "company", "amount", "owner", "won_on", days=days)
    return _typed(found, WON).sort_values(["won_on", "lead_id"], ignore_index=True)


def _owned(journeys: ir.Table, leads: ir.Table, funnel: Funnel, as_of: date) -> ir.Table:
    """The episodes with whose their lead is now as `owner`, company, product and amount."""
    company = funnel.lead_base.company
    wanted = [name for name in dict.fromkeys(("manager", "amount", "product", company)) if name in leads.columns]
    known = journeys.reached_on <= on_date(as_of)
    each = journeys.group_by(EPISODE).aggregate(
        began_on=journeys.began_on.min(),
        won_on=journeys.won_on.min(),
        _owner=journeys.manager.argmax(journeys.place, where=known),
    )
    rows = with_leads(each, leads, wanted)
    owner = rows._owner.fill_null(MISSING)
    if "manager" in leads.columns:
        owner = (rows.current_manager == MISSING).ifelse(owner, rows.current_manager)
    # Names that differ in capitals alone are one to the engine.
    others = [name for name in rows.columns if name.casefold() not in ("owner", "company", "product", "amount")]
    return rows.select(
        *others,
        owner=owner,
        **{
            name: visible(rows[column].cast("string")) if column in wanted else ibis.literal("")
            for name, column in (("company", company), ("product", "product"))
        },
        amount=rows.amount.cast("float64") if "amount" in wanted else ibis.null("float64"),
    )


def _typed(found: ir.Table, columns: list[str]) -> pd.DataFrame:
    frame = fetch(found.select("owner", *columns)).rename(columns={"owner": "manager"})
    return frame.astype({name: "float64" for name in ("contacts", "amount", "days") if name in columns})


LEADS = ["lead_id", "episode", "from_stage", "to_stage", "entered_on", "outcome", "days", "judged"]
OUTCOME_WORDS = {
    "in_time": "advanced in time",
    "late": "advanced late",
    "lost": "lost",
    "nurture": "returned to marketing",
    "moved_away": "went back",
    "won": "won, the day is not known",
    "still_there": "still there",
    "too_recent": "still running",
}
"""What became of a lead at a step; too recent: still there, and its days are not over."""


def cell_leads(
    journeys: ir.Table, funnel: Funnel, as_of: date, by: By = "manager", *, entered_between: tuple[date, date]
) -> pd.DataFrame:
    """The leads that entered a step within the dates, first and last included, and what became of each.

    One row for each lead, episode and step, with the manager who owned it at its entry: as many as the step's
    ``entered`` on that manager's page. ``judged`` where the step's days are over at ``as_of``: those make the matured
    rate, with those that advanced in time as its numerator; the others are the page's too recent ones, whatever they
    did meanwhile.

    Returns *by, lead_id, episode, from_stage, to_stage, entered_on, outcome (a value of OUTCOME_WORDS), days (until
    it left, or until ``as_of``; missing for a stage that was skipped, or left before it was entered), judged; by step,
    then by day of entry.

    >>> paths = fs.journeys(tables.entries, spec)
    >>> cells = fs.leads.cell_leads(paths, spec, day, entered_between=window)
    >>> cells[["manager", "lead_id", "to_stage", "outcome", "days"]].head(2)
         manager lead_id to_stage           outcome  days
    0  Anna Berg  004749      met  advanced in time   0.0
    1    Петрова  102799      met  advanced in time   2.0
    """
    need(journeys, "journeys", *EPISODE, "place", "entered_on", "outcome", "left_on", lazy=True)
    keys = group_keys(by, journeys.columns)
    journeys = with_shown(journeys, keys)
    first, last = checked_between(entered_between, "entered_between")
    today = on_date(as_of)
    rows = journeys.filter(
        (journeys.place < len(funnel.steps))
        & journeys.entered_on.between(on_date(first), on_date(last))
        & (journeys.entered_on <= today)
    )
    gone = (rows.left_on <= today).fill_null(False)
    rows = rows.mutate(
        horizon=rows.place.cases(*enumerate(step.horizon_days for step in funnel.steps)),
        gone=gone,
        left_days=gone.ifelse(rows.left_on, today).delta(rows.entered_on, unit="day"),
        age=today.delta(rows.entered_on, unit="day"),
    )
    advanced = rows.gone & (rows.outcome == "advanced")
    outcome = ibis.cases(
        (advanced & (rows.left_days <= rows.horizon), "in_time"),
        (advanced, "late"),
        (rows.gone & rows.outcome.notnull(), rows.outcome),
        (rows.age >= rows.horizon, "still_there"),
        else_="too_recent",
    )
    frame = fetch(
        rows.select(
            *dict.fromkeys([*keys, "lead_id", "episode", "place", "entered_on"]),
            outcome=outcome,
            days=rows.timed.ifelse(rows.left_days, ibis.null("int64")),
            judged=rows.age >= rows.horizon,
        )
    )
    frame = frame.sort_values(["place", "entered_on", "lead_id", "episode"]).reset_index(drop=True)
    frame = frame.assign(
        from_stage=named(frame["place"], funnel.stages),
        to_stage=named(frame["place"] + 1, funnel.stages),
        outcome=frame["outcome"].map(OUTCOME_WORDS).astype("str"),
        days=frame["days"].astype("float64"),
        episode=frame["episode"].astype("int64"),
        judged=frame["judged"].astype("bool"),
    )
    return frame[[*keys, *LEADS]]
