"""The leads of one manager: the only rows that are leads, for the page that only this manager reads.

Whose a lead is now says the leads' own ``manager``; where that is blank, who had it when it entered its stage.
Only open leads and those won in a period are listed. Dates after ``as_of`` do not exist.
"""

from __future__ import annotations

from datetime import date

import ibis
import ibis.expr.types as ir
import pandas as pd

from funnelstats.counting.counts import fetch, on_date
from funnelstats.counting.journeys import EPISODE, visible, with_leads
from funnelstats.counting.touches import by_people
from funnelstats.stated.dates import checked_between
from funnelstats.stated.funnel import Funnel
from funnelstats.stated.schema import MISSING
from funnelstats.stated.shared import shared

OWN = ["lead_id", "company", "stage", "entered_on", "since", "contacts", "last_contact_on", "amount"]
WON = ["lead_id", "company", "won_on", "days", "amount"]


def own_leads(
    journeys: ir.Table, leads: ir.Table, touches: ir.Table | None, funnel: Funnel, as_of: date, *, manager: str
) -> pd.DataFrame:
    """A manager's leads that are open at the end of ``as_of``: neither at the last stage nor ended, dated or not.

    ``touches`` is the lazy verb's table, or None where the export has no contacts. Contacts of system users are
    none. Returns lead_id, company ("" unless ``lead_base.company`` is stated), stage (where it stands, for one that
    stepped back the stage it went back to), entered_on (when it first stood there), since (when it last moved),
    contacts and last_contact_on (missing without contacts, 0 and missing if nobody contacted it), amount.
    """
    return _of(manager, _open_leads(journeys, leads, touches, funnel, as_of))


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


@shared
def _open_leads(
    journeys: ir.Table, leads: ir.Table, touches: ir.Table | None, funnel: Funnel, as_of: date
) -> pd.DataFrame:
    """Everybody's, with whose it is as `owner`: counted once for the pages of all managers."""
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
        *("lead_id", "episode", "company", "amount", "owner"),
        stage=owned._at.cases(*enumerate(funnel.stages[:-1])),
        # A lead reopened further on stands at a stage before that since it went back.
        entered_on=ibis.coalesce(owned._entered, owned._back, owned.began_on),
        since=ibis.coalesce(owned._back, owned._entered, owned.began_on),
    )
    if touches is None:
        found = found.mutate(contacts=ibis.null("int64"), last_contact_on=ibis.null("date"))
    else:
        known = by_people(touches.filter(touches.on <= on_date(as_of)), funnel)
        made = known.group_by(EPISODE).aggregate(contacts=known.count(), last_contact_on=known.on.max())
        joined = found.left_join(made, EPISODE).select(*found.columns, "contacts", "last_contact_on")
        found = joined.mutate(contacts=joined.contacts.fill_null(0))
    return _typed(found, OWN).sort_values(["since", "lead_id"], ignore_index=True)


def own_wins(
    journeys: ir.Table, leads: ir.Table, funnel: Funnel, between: tuple[date, date], *, manager: str
) -> pd.DataFrame:
    """A manager's leads that entered the last stage in a period, the first day and the last one included.

    Returns lead_id, company ("" unless ``lead_base.company`` is stated), won_on, days (since it came in or
    was reopened; missing where the win is dated before that), amount.
    """
    return _of(manager, _leads_won(journeys, leads, funnel, between))


@shared
def _leads_won(journeys: ir.Table, leads: ir.Table, funnel: Funnel, between: tuple[date, date]) -> pd.DataFrame:
    won = journeys.won_on.between(*map(on_date, checked_between(between, "between"))).fill_null(False)
    rows = _owned(journeys.filter(won), leads, funnel, between[1])
    days = rows.won_on.delta(rows.began_on, unit="day")
    days = (days >= 0).ifelse(days, ibis.null("int64"))
    found = rows.select("lead_id", "company", "amount", "owner", "won_on", days=days)
    return _typed(found, WON).sort_values(["won_on", "lead_id"], ignore_index=True)


def _owned(journeys: ir.Table, leads: ir.Table, funnel: Funnel, as_of: date) -> ir.Table:
    """The episodes with whose their lead is now as `owner`, company and amount."""
    company = funnel.lead_base.company
    wanted = [name for name in ("manager", "amount", company) if name and name in leads.columns]
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
    return rows.mutate(
        owner=owner,
        company=visible(rows[company].cast("string")) if company in wanted else ibis.literal(""),
        amount=rows.amount.cast("float64") if "amount" in wanted else ibis.null("float64"),
    )


def _typed(found: ir.Table, columns: list[str]) -> pd.DataFrame:
    frame = fetch(found.select(*columns, "owner"))
    return frame.astype({name: "float64" for name in ("contacts", "amount", "days") if name in columns})


def _of(manager: str, leads: pd.DataFrame) -> pd.DataFrame:
    return leads[leads["owner"] == manager].drop(columns="owner").reset_index(drop=True)
