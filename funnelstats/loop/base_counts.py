"""Count verbs of the lead base: companies worked on by quarter, leads contacted, doubled, blacklisted, scored.

The unit is the company that ``lead_base.company`` names; a lead without one, and every lead where no column is named,
is a company of its own. Shapes and types are those of `counts`.
"""

from datetime import date

import ibis
import ibis.expr.types as ir
import pandas as pd

from funnelstats.config.dates import checked_period, months_apart
from funnelstats.config.errors import FunnelError, need, suggestion
from funnelstats.config.funnel import Funnel
from funnelstats.config.schema import ENDS, MISSING
from funnelstats.core.counts import (
    By,
    fetch,
    group_keys,
    in_order,
    nothing_counted,
    on_date,
    paid_by_lead,
    whole_numbers,
)
from funnelstats.core.journeys import EPISODE, stage_entries, visible, with_leads
from funnelstats.importing.mapping import YES


def wins(
    journeys: ir.Table,
    leads: ir.Table,
    payments: ir.Table | None,
    funnel: Funnel,
    as_of: date,
    between: tuple[date, date],
) -> ir.Table:
    """The episodes won from the first to the last day of `between`, with what their lead had paid by `as_of`.

    Returns lead_id, episode, won_on, manager (owner at the last stage), channel ("(missing)" where unknown) and, where
    there are payments, paid (null for a lead without one).

    >>> fs.loop.wins(paths, tables.leads, tables.payments, spec, day, now).count().to_pandas()
    392
    """
    need(journeys, "journeys", *EPISODE, "place", "reached_on", "manager", lazy=True)
    first, last = between
    checked_period(first, last)
    won = journeys.filter((journeys.place == len(funnel.steps)) & (journeys.reached_on <= on_date(as_of)))
    rows = won.select(*EPISODE, "manager", won_on="reached_on")
    latest = rows.group_by("lead_id").aggregate(latest=ibis._.episode.max())
    rows = rows.join(latest, "lead_id")
    if payments is not None:
        rows = rows.left_join(paid_by_lead(payments, as_of), "lead_id").select(*rows.columns, "paid")
        rows = rows.mutate(paid=(rows.episode == rows.latest).ifelse(rows.paid, ibis.null("float64")))
    rows = rows.filter(rows.won_on.between(on_date(first), on_date(last)))
    if "channel" in leads.columns:
        rows = with_leads(rows, leads, ["channel"])
    else:
        rows = rows.mutate(channel=ibis.literal(MISSING))
    return rows.drop("latest")


def won_counts(won: ir.Table, by: By = ()) -> pd.DataFrame:
    """How many were won and what they paid: *by, won, paying (leads with a payment), paid. Takes `wins`.

    The money is missing, not zero, where no payment is known; who paid is, where there are no payments.

    >>> fs.loop.won_counts(won, by="channel").head(2)
          channel  won  paying        paid
    0   Cold call   74      74  11278200.0
    1  Exhibition   47      47   8432300.0
    """
    need(won, "won", "lead_id", "won_on", lazy=True)
    keys = group_keys(by, won.columns)
    money = {"paying": won.paid.count(), "paid": won.paid.sum()} if "paid" in won.columns else {}
    counted = in_order(fetch(won.aggregate(by=keys, won=won.count(), **money)), keys)
    counted = whole_numbers(counted, ["won", "paying"] if money else ["won"])
    return counted.reindex(columns=[*keys, "won", "paying", "paid"]).astype({"paid": "float64"})


def ticket_moments(handed: ir.Table, payments: ir.Table | None, as_of: date, by: By) -> pd.DataFrame:
    """What won leads paid in all, one deal a lead: *by, deals, mean, variance (missing for one deal).

    Takes `handed_over`. Empty where no payments are known.

    >>> fs.loop.ticket_moments(nurture_leads, tables.payments, day, by="nurtured").iloc[:, :3].round()
      nurtured  deals      mean
    0       no   2204  151621.0
    1      yes    465  153990.0
    """
    need(handed, "handed", "lead_id", "won_on", lazy=True)
    keys = group_keys(by, handed.columns)
    if payments is None:
        return nothing_counted(keys, ["deals", "mean", "variance"]).astype({"mean": float, "variance": float})
    won = handed.filter(handed.won_on.notnull()).select("lead_id", *keys).distinct()
    deals = won.join(paid_by_lead(payments, as_of), "lead_id")
    counted = deals.aggregate(
        by=keys, deals=deals.count(), mean=deals.paid.mean(), variance=deals.paid.var(how="sample")
    )
    return whole_numbers(in_order(fetch(counted), keys), ["deals"]).astype({"mean": float, "variance": float})


RECORD = ["stage", "field", "manager", "entered", "converted"]


def record_counts(journeys: ir.Table, leads: ir.Table, funnel: Funnel, as_of: date) -> pd.DataFrame:
    """Leads that wait at a stage at the end of `as_of`, and those whose record has what its next step needs.

    They are those of `open_leads`: neither won nor ended, each once, at the furthest stage it reached; a step back
    takes nothing away. The fields are those of `loop.needs`; a blank text, an unknown flag and an unknown number are
    not filled. The manager is the owner at the stage's entry. Returns stage, field, manager, entered (leads waiting
    there), converted (of them filled): one row for each field and manager with a lead there; empty where nothing is
    stated.

    >>> fs.loop.record_counts(paths, tables.leads, spec, day).head(2)
      stage       field    manager  entered  converted
    0  lead  ready_need  Anna Berg       11          8
    1  lead  ready_need     Müller       19         16
    """
    needs = [(stage, field) for stage in funnel.stages for field in funnel.loop.needs.get(stage, ())]
    for _stage, field in needs:
        if field not in leads.columns:
            raise FunnelError(f'loop.needs: no column "{field}" in the leads; {suggestion(field, leads.columns)}')
    if not needs:
        return nothing_counted(RECORD[:3], RECORD[3:])
    need(journeys, "journeys", "lead_id", "stage", "manager", "entered_on", "left_on", "outcome", lazy=True)
    gone = journeys.outcome.isin(["advanced", "won", *ENDS]) & (journeys.left_on <= on_date(as_of))
    there = journeys.filter(
        journeys.stage.isin([stage for stage, _ in needs])
        & (journeys.entered_on <= on_date(as_of))
        & ~gone.fill_null(False)
    ).select("lead_id", "stage", "manager")
    fields = list(dict.fromkeys(field for _stage, field in needs))
    values = [leads[name] for name in fields]
    known = [visible(value) != MISSING if value.type().is_string() else value.notnull() for value in values]
    filled = leads.select("lead_id", **{f"_has_{n}": is_known for n, is_known in enumerate(known)})
    rows = there.left_join(filled, "lead_id").select(*there.columns, *filled.columns[1:])
    counted = rows.group_by("stage", "manager").aggregate(
        entered=ibis._.count(),
        **{f"_has_{n}": ibis._.count(where=ibis._[f"_has_{n}"].fill_null(False)) for n in range(len(fields))},
    )
    found = fetch(counted)
    parts = [
        found[found["stage"] == stage]
        .rename(columns={f"_has_{fields.index(field)}": "converted"})
        .assign(field=field, _place=place)
        for place, (stage, field) in enumerate(needs)
    ]
    every = in_order(pd.concat(parts, ignore_index=True), ["manager"]).sort_values("_place", kind="stable")
    return whole_numbers(every[RECORD].reset_index(drop=True), RECORD[3:]).astype({"field": "str"})


def attribute_sizes(leads: ir.Table) -> pd.DataFrame:
    """The text and flag columns of the leads: attribute, distinct (values, blanks not counted), filled (leads).

    >>> fs.loop.attribute_sizes(tables.leads).head(2)
      attribute  distinct  filled
    0   manager        10    5047
    1   channel         7    5038
    """
    names = [name for name, kind in leads.schema().items() if kind.is_string() or kind.is_boolean()]
    sizes = [
        fetch(leads.aggregate(distinct=leads[name].nunique(), filled=leads[name].count()))
        for name in names
        if name != "lead_id"
    ]
    found = pd.concat([nothing_counted([], ["distinct", "filled"]), *sizes], ignore_index=True)
    found.insert(0, "attribute", pd.Series([name for name in names if name != "lead_id"], dtype="str"))
    return found


OPEN = ["open_leads", "contacted_leads"]
DOUBLED = ["companies", "leads", "several_managers"]
BLACKLIST = ["blacklisted", "contacted", "contacts"]


def renewal_counts(
    leads: ir.Table, entries: ir.Table, contacts: ir.Table | None, funnel: Funnel, as_of: date
) -> pd.DataFrame:
    """Companies worked on in each quarter, and how many of them in the quarter before too.

    A company is worked on in a quarter with a stage entry, an end or a contact of one of its leads; of a lead without
    a company nobody knows whose it is, so it counts only where no column names companies. Returns quarter
    (its first day), companies, kept, since (the first day of the data), for every quarter from the first to the last.

    >>> fs.loop.renewal_counts(tables.leads, tables.entries, tables.contacts, spec, day)
         quarter  companies  kept      since
    0 2025-10-01        757     0 2025-12-01
    1 2026-01-01       2522   479 2025-12-01
    2 2026-04-01       2726   605 2025-12-01
    """
    done = stage_entries(entries, funnel).select("lead_id", on="entered_on")
    if contacts is not None:
        done = done.union(contacts.select("lead_id", "on"))
    rows = done.filter(ibis._.on <= on_date(as_of)).join(_companies(leads, funnel), "lead_id")
    apart = months_apart()
    rows = rows.select("company", "on", number=(rows.on.year() * 12 + rows.on.month() - 1 - apart) // 3)
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
    months = 3 * frame["number"] + apart
    quarter = [pd.Timestamp(month // 12, month % 12 + 1, 1) for month in months]
    frame = whole_numbers(frame, ["companies", "kept"])[["companies", "kept"]].assign(since=since)
    frame.insert(0, "quarter", pd.Series(quarter, dtype="datetime64[us]"))
    return frame


def coverage_counts(values: ir.Table, contacts: ir.Table | None, between: tuple[date, date]) -> pd.DataFrame:
    """How many of the open leads were contacted in the days given: one row of open_leads and contacted_leads.

    Takes `lead_values` as of the last of these days. The contacted are 0 without contacts, so ask whether the export
    has them.

    >>> fs.loop.coverage_counts(fs.money.lead_values(paths, spec, day), tables.contacts, now)
       open_leads  contacted_leads
    0         721              451
    """
    need(values, "values", "lead_id", "state", lazy=True)
    waiting = values.filter(values.state == "open")
    counted = fetch(waiting.aggregate(open_leads=waiting.count())).assign(contacted_leads=0)
    if contacts is not None:
        reached = waiting.semi_join(_contacts_within(contacts, between), "lead_id")
        counted = counted.assign(contacted_leads=fetch(reached.aggregate(many=reached.count()))["many"])
    return whole_numbers(counted, OPEN)


def duplicate_counts(values: ir.Table, leads: ir.Table, funnel: Funnel) -> pd.DataFrame:
    """Companies with several open leads at once: one row of companies, leads and several_managers.

    `several_managers` are those of these companies whose open leads belong to different people. All 0 where no
    column names the company.

    >>> fs.loop.duplicate_counts(fs.money.lead_values(paths, spec, day), tables.leads, spec)
       companies  leads  several_managers
    0          0      0                 0
    """
    need(values, "values", "lead_id", "state", lazy=True)
    waiting = values.filter(values.state == "open").select("lead_id").join(_companies(leads, funnel), "lead_id")
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


def blacklist_counts(
    leads: ir.Table, contacts: ir.Table | None, funnel: Funnel, between: tuple[date, date]
) -> pd.DataFrame:
    """Blacklisted leads, those contacted all the same in the days given, and their contacts: one row, or none.

    Returns blacklisted, contacted, contacts; no row where no column says who is blacklisted.

    >>> fs.loop.blacklist_counts(tables.leads, tables.contacts, spec, now)
    Empty DataFrame
    Columns: [blacklisted, contacted, contacts]
    Index: []
    """
    column = _stated(leads, funnel.lead_base.blacklisted, "blacklisted")
    if column is None:
        return nothing_counted([], BLACKLIST)
    listed = leads.filter(_says_yes(leads[column])).select("lead_id")
    counted = fetch(listed.aggregate(blacklisted=listed.count()))
    if contacts is None:
        return whole_numbers(counted.assign(contacted=0, contacts=0), BLACKLIST)
    made = _contacts_within(contacts, between).semi_join(listed, "lead_id")
    found = fetch(made.aggregate(contacted=made.lead_id.nunique(), contacts=made.count()))
    return whole_numbers(counted.join(found), BLACKLIST)


def _contacts_within(contacts: ir.Table, between: tuple[date, date]) -> ir.Table:
    need(contacts, "contacts", "lead_id", "on", lazy=True)
    return contacts.filter(contacts.on.between(*map(on_date, between)))


def score_counts(values: ir.Table, leads: ir.Table, funnel: Funnel, as_of: date) -> pd.DataFrame:
    """Leads and sales by the leads' score: score (a number), entered, converted; no row without a score column.

    Judged are leads whose days for all steps are over; converted are those won within them. Scores that are blank or
    no number are one row, with a missing score, at the end.

    >>> fs.loop.score_counts(fs.money.lead_values(paths, spec, day), tables.leads, spec, day)
    Empty DataFrame
    Columns: [score, entered, converted]
    Index: []
    """
    need(values, "values", "lead_id", "entered_on", "state", lazy=True)
    column = _stated(leads, funnel.lead_base.score, "score")
    if column is None:
        return nothing_counted([], ["score", "entered", "converted"]).astype({"score": "float64"})
    days = sum(funnel.horizons.values())
    scored = values.join(leads.select("lead_id", score=leads[column].cast("string")), "lead_id")
    old = scored.filter(on_date(as_of).delta(scored.entered_on, unit="day") >= days)
    in_time = (old.won_on.delta(old.entered_on, unit="day") <= days).fill_null(False)
    counted = fetch(old.group_by("score").aggregate(entered=old.count(), converted=old.count(where=in_time)))
    counted["score"] = pd.to_numeric(counted["score"], errors="coerce").astype("float64")
    summed = counted.groupby("score", dropna=False)[["entered", "converted"]].sum().reset_index()
    return whole_numbers(summed.sort_values("score", ignore_index=True), ["entered", "converted"])


def _companies(leads: ir.Table, funnel: Funnel) -> ir.Table:
    """lead_id and company of leads whose company is known; each lead by itself where no column names companies."""
    need(leads, "leads", "lead_id", lazy=True)
    column = _stated(leads, funnel.lead_base.company, "company")
    if column is None:
        return leads.select("lead_id", company=leads.lead_id)
    named = leads.select("lead_id", company=visible(leads[column].cast("string")).strip())
    return named.filter(named.company != MISSING)


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
