"""Count verbs of the lead base: companies worked on by quarter, leads contacted, doubled, blacklisted, scored.

The unit is the company that ``lead_base.company`` names; a lead without one, and every lead where no column is named,
is a company of its own. Shapes and types are those of `counts`.
"""

from __future__ import annotations

from datetime import date

import ibis
import ibis.expr.types as ir
import pandas as pd

from funnelstats.counting.counts import fetch, on_date, whole_numbers
from funnelstats.counting.journeys import stage_entries, visible
from funnelstats.reading.mapping import YES
from funnelstats.stated.funnel import Funnel, FunnelError, suggestion
from funnelstats.stated.schema import MISSING

OPEN = ["open_leads", "contacted_leads", "open_companies", "contacted_companies"]
DOUBLED = ["companies", "leads", "several_managers"]
BLACKLIST = ["blacklisted", "contacted", "contacts"]


def renewal_counts(
    leads: ir.Table, entries: ir.Table, contacts: ir.Table | None, funnel: Funnel, as_of: date
) -> pd.DataFrame:
    """Companies worked on in each quarter, and how many of them in the quarter before too.

    A company is worked on in a quarter with a stage entry, an end or a contact of one of its leads. Returns quarter
    (its first day), companies, kept, since (the first day of the data), for every quarter from the first to the last.
    """
    done = stage_entries(entries, funnel).select("lead_id", on="entered_on")
    if contacts is not None:
        done = done.union(contacts.select("lead_id", on=_contacted_on(contacts)))
    rows = done.filter(ibis._.on <= on_date(as_of)).join(_companies(leads, funnel), "lead_id")
    rows = rows.select("company", "on", number=rows.on.year() * 4 + (rows.on.month() - 1) // 3)
    worked = rows.select("company", "number").distinct()
    before = worked.select("company", number=ibis._.number + 1, kept=ibis.literal(1))
    linked = worked.left_join(before, ["company", "number"]).select("number", "kept")
    counted = fetch(
        linked.group_by("number").aggregate(companies=linked.count(), kept=linked.count(where=linked.kept.notnull()))
    )
    if counted.empty:
        whole = pd.DataFrame({"quarter": pd.Series(dtype="datetime64[us]"), "companies": [], "kept": []})
        return whole_numbers(whole, ["companies", "kept"]).assign(since=pd.Series(dtype="datetime64[us]"))
    since = fetch(rows.aggregate(since=rows.on.min()))["since"].iloc[0]
    counted = counted.astype({"number": "int64"}).set_index("number")
    numbers = range(counted.index.min(), counted.index.max() + 1)
    frame = counted.reindex(numbers, fill_value=0).reset_index(names="number")
    quarter = [pd.Timestamp(number // 4, number % 4 * 3 + 1, 1) for number in frame["number"]]
    frame = whole_numbers(frame, ["companies", "kept"])[["companies", "kept"]].assign(since=since)
    frame.insert(0, "quarter", pd.Series(quarter, dtype="datetime64[us]"))
    return frame


def coverage_counts(
    values: ir.Table,
    leads: ir.Table,
    contacts: ir.Table | None,
    funnel: Funnel,
    between: tuple[date, date],
) -> pd.DataFrame:
    """How many of the open leads, and of their companies, were contacted in the days given: one row.

    Takes `lead_values` as of the last of these days. Returns open_leads, contacted_leads, open_companies,
    contacted_companies; the contacted are 0 without contacts, so ask whether the export has them.
    """
    waiting = _open(values, leads, funnel)
    if contacts is None:
        rows = waiting.mutate(reached=ibis.literal(False))
    else:
        on = _contacted_on(contacts)
        within = contacts.filter(on.between(on_date(between[0]), on_date(between[1]))).select("lead_id").distinct()
        marked = within.mutate(seen=ibis.literal(True))
        rows = waiting.left_join(marked, "lead_id").select(*waiting.columns, reached=ibis._.seen.fill_null(False))
    counted = rows.aggregate(
        open_leads=rows.count(),
        contacted_leads=rows.count(where=rows.reached),
        open_companies=rows.company.nunique(),
        contacted_companies=rows.company.nunique(where=rows.reached),
    )
    return whole_numbers(fetch(counted), OPEN)[OPEN]


def duplicate_counts(values: ir.Table, leads: ir.Table, funnel: Funnel) -> pd.DataFrame:
    """Companies with several open leads at once: one row of companies, leads and several_managers.

    `several_managers` are those of these companies whose open leads belong to different people. All 0 where no
    column names the company.
    """
    waiting = _open(values, leads, funnel)
    manager = visible(leads.manager) if "manager" in leads.columns else ibis.literal(MISSING, "string")
    owned = waiting.join(leads.select("lead_id", manager=manager), "lead_id")
    company = owned.group_by("company").aggregate(leads=owned.count(), managers=owned.manager.nunique())
    doubled = company.filter(company.leads > 1)
    counted = doubled.aggregate(
        companies=doubled.count(),
        leads=doubled.leads.sum(),
        several_managers=doubled.count(where=doubled.managers > 1),
    )
    return whole_numbers(fetch(counted), DOUBLED)[DOUBLED]


def blacklisted_contacts(
    leads: ir.Table, contacts: ir.Table | None, funnel: Funnel, between: tuple[date, date]
) -> ir.Table | None:
    """The contacts with blacklisted leads in the days given, a lazy verb for worklists: lead_id, on, kind, manager.

    None where no column says who is blacklisted, or where there are no contacts.
    """
    column = _stated(leads, funnel.lead_base.blacklisted, "blacklisted")
    if column is None or contacts is None:
        return None
    listed = leads.filter(_says_yes(leads[column])).select("lead_id")
    on = _contacted_on(contacts)
    manager = visible(contacts.manager) if "manager" in contacts.columns else ibis.literal(MISSING, "string")
    known = contacts.select("lead_id", "kind", on=on, manager=manager)
    return known.filter(known.on.between(on_date(between[0]), on_date(between[1]))).semi_join(listed, "lead_id")


def blacklist_counts(
    leads: ir.Table, contacts: ir.Table | None, funnel: Funnel, between: tuple[date, date]
) -> pd.DataFrame:
    """Blacklisted leads, those contacted all the same in the days given, and their contacts: one row, or none.

    Returns blacklisted, contacted, contacts; no row where no column says who is blacklisted.
    """
    column = _stated(leads, funnel.lead_base.blacklisted, "blacklisted")
    if column is None:
        return pd.DataFrame({name: pd.Series(dtype="int64") for name in BLACKLIST})
    listed = fetch(leads.aggregate(blacklisted=leads.count(where=_says_yes(leads[column]))))
    made = blacklisted_contacts(leads, contacts, funnel, between)
    if made is None:
        return whole_numbers(listed.assign(contacted=0, contacts=0), BLACKLIST)
    found = fetch(made.aggregate(contacted=made.lead_id.nunique(), contacts=made.count()))
    return whole_numbers(listed.join(found), BLACKLIST)[BLACKLIST]


def score_counts(values: ir.Table, leads: ir.Table, funnel: Funnel, as_of: date) -> pd.DataFrame:
    """Leads and sales by the leads' score: score (a number), entered, converted; no row without a score column.

    Judged are leads whose days for all steps are over; converted are those won within them. Scores that are blank or
    no number are one row, with a missing score, at the end.
    """
    column = _stated(leads, funnel.lead_base.score, "score")
    if column is None:
        empty = pd.DataFrame({"score": pd.Series(dtype="float64"), "entered": [], "converted": []})
        return whole_numbers(empty, ["entered", "converted"])
    days = sum(step.horizon_days for step in funnel.steps)
    scored = values.join(leads.select("lead_id", score=leads[column].cast("string")), "lead_id")
    old = scored.filter(on_date(as_of).delta(scored.entered_on, unit="day") >= days)
    in_time = (old.won_on.delta(old.entered_on, unit="day") <= days).fill_null(False)
    counted = fetch(old.group_by("score").aggregate(entered=old.count(), converted=old.count(where=in_time)))
    counted["score"] = pd.to_numeric(counted["score"], errors="coerce").astype("float64")
    summed = counted.groupby("score", dropna=False)[["entered", "converted"]].sum().reset_index()
    return whole_numbers(summed.sort_values("score", ignore_index=True), ["entered", "converted"])


def _companies(leads: ir.Table, funnel: Funnel) -> ir.Table:
    """lead_id and company; a lead's own id, marked as such, where no company is known."""
    alone = ibis.literal("lead ") + leads.lead_id
    column = _stated(leads, funnel.lead_base.company, "company")
    if column is None:
        return leads.select("lead_id", company=alone)
    company = visible(leads[column].cast("string"))
    return leads.select("lead_id", company=(company == MISSING).ifelse(alone, "company " + company.strip()))


def _open(values: ir.Table, leads: ir.Table, funnel: Funnel) -> ir.Table:
    return values.filter(values.state == "open").select("lead_id").join(_companies(leads, funnel), "lead_id")


def _contacted_on(contacts: ir.Table) -> ir.DateValue:
    return contacts.on if "on" in contacts.columns else contacts.at.date()


def _stated(leads: ir.Table, column: str, key: str) -> str | None:
    """The column that funnel.toml names, None if it names none."""
    if column and column not in leads.columns:
        near = suggestion(column, leads.columns)
        raise FunnelError(f'lead_base.{key} must be a column or attribute of leads, got "{column}"; {near}')
    return column or None


def _says_yes(column: ir.Value) -> ir.BooleanValue:
    if column.type().is_boolean():
        return column.fill_null(False)
    return column.cast("string").lower().strip().isin(YES).fill_null(False)
