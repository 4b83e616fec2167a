"""Lazy and count verbs of money: leads with what they paid, by channel, campaign and cohort; what was spent on them.

The unit is the lead, whatever its episodes: it was bought once. Its cohort is the quarter it first entered the
funnel, and a payment counts for the lead's cohort whenever it arrives. Shapes and types are those of `counts`.
"""

from datetime import date

import ibis
import ibis.expr.types as ir
import pandas as pd

from funnelstats.config.dates import checked_period
from funnelstats.config.errors import need
from funnelstats.config.funnel import Funnel
from funnelstats.config.schema import MISSING, NO_TOUCH, NOT_WON, START, WON
from funnelstats.core.counts import (
    Between,
    By,
    fetch,
    group_keys,
    in_order,
    named,
    on_date,
    paid_by_lead,
    whole_numbers,
    with_shown,
)
from funnelstats.core.journeys import earlier, episodes, not_before, period_begin, visible, with_leads
from funnelstats.money.channels import OF_QUARTERS, with_spend_on_record
from funnelstats.money.revenue import deals_to_come, returns

SOURCE = ["channel", "campaign"]
MONEY = ["leads", "won", "deals", "revenue", "returned", "biggest", "lead_mean", "lead_var", "deal_mean", "deal_var"]
AGES = ["advanced", "lost", "open"]


def lead_values(
    journeys: ir.Table, funnel: Funnel, as_of: date, leads: ir.Table | None = None, payments: ir.Table | None = None
) -> ir.Table:
    """One row per lead: when it came, from where, whether it was won, and what it has paid so far.

    A lead is won when it first reaches the last stage or first pays, whichever is earlier; several payments of one
    lead are one deal, and money given back lowers it. A win or payment without a date counts as won, from the day the
    lead came in. A lead that was lost or returned and has not been reopened is ended. Nothing after `as_of` exists.
    Without payments the money is null: unknown, not zero.

    Returns lead_id, entered_on, cohort (first day of the quarter), cohort_month (of the month), won_on, state (won,
    ended, open), left_on, paid, returned (the negative payments), channel, campaign ("(missing)" where the export has
    none).

    >>> fs.money.lead_values(paths, spec, day, tables.leads, tables.payments).paid.sum().to_pandas()
    410867200.0
    """
    last = funnel.stages[-1]
    today = on_date(as_of)
    begun = episodes(journeys)
    begun = begun.filter(begun.began_on <= today)
    undated = begun.undated.notnull()
    known_end = (begun.ended_on <= today).fill_null(False) | undated
    lead = begun.group_by("lead_id").aggregate(
        entered_on=begun.began_on.min(),
        reached_on=begun.won_on.min(where=begun.won_on <= today),
        ended_on=begun.ended_on.fill_null(begun.began_on).max(where=known_end),
        won_undated=begun.count(where=(begun.undated == last).fill_null(False)),
        # An episode is followed by another only after its end, so it takes only one without an end to be open.
        unended=begun.count(where=~known_end),
    )
    measures = ("paid", "returned", "first_paid_on", "paid_undated")
    if payments is None:
        unknown = {"paid": ibis.null("float64"), "returned": ibis.null("float64"), "first_paid_on": ibis.null("date")}
        rows = lead.mutate(**unknown, paid_undated=ibis.literal(False))
    else:
        rows = lead.left_join(paid_by_lead(payments, as_of), "lead_id").select(*lead.columns, *measures)
        rows = rows.mutate(paid=rows.paid.fill_null(0.0), returned=rows.returned.fill_null(0.0))
    rows = rows.mutate(won_on=not_before(earlier(rows.reached_on, rows.first_paid_on), rows.entered_on))
    # Won on a day not known: nothing is still to come of it.
    won = rows.won_on.notnull() | (rows.won_undated > 0) | rows.paid_undated.fill_null(False)
    state = ibis.cases((won, "won"), (rows.unended == 0, "ended"), else_="open")
    rows = rows.mutate(state=state).select(
        "lead_id",
        "entered_on",
        "won_on",
        "state",
        "paid",
        "returned",
        cohort=period_begin(rows.entered_on, "quarter"),
        cohort_month=period_begin(rows.entered_on, "month"),
        left_on=ibis.cases(
            (won, rows.won_on.fill_null(rows.entered_on)),
            (rows.unended == 0, not_before(rows.ended_on, rows.entered_on)),
        ),
    )
    return _with_source(rows, leads)


def _with_source(rows: ir.Table, leads: ir.Table | None) -> ir.Table:
    """The rows with their lead's channel and campaign; a lead or column that does not exist is "(missing)"."""
    known = [name for name in SOURCE if leads is not None and name in leads.columns]
    if leads is not None:
        rows = rows.left_join(leads.select("lead_id", *known), "lead_id").select(*rows.columns, *known)
    return rows.mutate(
        **{name: visible(rows[name]) if name in known else ibis.literal(MISSING, "string") for name in SOURCE}
    )


def of_cohorts(values: ir.Table, between: tuple[date, date]) -> ir.Table:
    """The leads that entered the funnel from the first to the second day, both included.

    >>> fs.money.of_cohorts(values, (first, last)).count().to_pandas()
    2229
    """
    need(values, "values", "entered_on", lazy=True)
    checked_period(*between)
    return values.filter(values.entered_on.between(*map(on_date, between)))


def money_counts(values: ir.Table, by: By = ()) -> pd.DataFrame:
    """What the leads of each group have paid, as counts, sums, means and variances: one row per group.

    Returns *by, leads, won, deals (leads that paid more than they got back), revenue, returned, biggest (the most
    that one lead paid), lead_mean and lead_var (over all leads, those that paid nothing too), deal_mean and deal_var
    (over deals). A variance is that of a sample, missing for fewer than two; money is missing without payments.

    >>> fs.money.money_counts(leads, by="channel")[["channel", "leads", "won", "deals", "revenue"]].head(1)
         channel  leads  won  deals     revenue
    0  Cold call   1002  516    516  72146910.0
    """
    need(values, "values", "state", "paid", "returned", lazy=True)
    keys = group_keys(by, values.columns)
    rows = with_shown(values, keys)
    rows = rows.mutate(deal=(rows.paid > 0).fill_null(False))
    counted = rows.aggregate(
        by=keys,
        leads=rows.count(),
        won=rows.count(where=rows.state == "won"),
        deals=rows.count(where=rows.deal),
        revenue=rows.paid.sum(),
        returned=rows.returned.sum(),
        biggest=rows.paid.max(where=rows.deal),
        lead_mean=rows.paid.mean(),
        lead_var=rows.paid.var(how="sample"),
        deal_mean=rows.paid.mean(where=rows.deal),
        deal_var=rows.paid.var(where=rows.deal, how="sample"),
    )
    frame = whole_numbers(in_order(fetch(counted), keys), ["leads", "won", "deals"])
    money = frame[MONEY[3:]].astype("float64")
    return frame[[*keys, "leads", "won", "deals"]].join(money)


def age_counts(values: ir.Table, funnel: Funnel, as_of: date, by: By = ()) -> pd.DataFrame:
    """Leads won, ended and still open by days since they entered the funnel: what `deals_to_come` takes.

    Returns *by, from_stage (the first stage), age_days, advanced, lost, open; an open lead's age is that at `as_of`.

    >>> fs.money.age_counts(values, spec, day).head(1)
      from_stage  age_days  advanced  lost  open
    0       lead         0        10    33    44
    """
    need(values, "values", "entered_on", "state", "left_on", lazy=True)
    keys = group_keys(by, values.columns)
    rows = with_shown(values, keys)
    rows = rows.mutate(age_days=rows.left_on.fill_null(on_date(as_of)).delta(rows.entered_on, unit="day"))
    counted = rows.group_by(*keys, "age_days").aggregate(
        advanced=rows.count(where=rows.state == "won"),
        lost=rows.count(where=rows.state == "ended"),
        open=rows.count(where=rows.state == "open"),
    )
    frame = in_order(fetch(counted), keys, "age_days")
    frame.insert(len(keys), "from_stage", pd.Series(funnel.stages[0], index=frame.index, dtype="str"))
    return whole_numbers(frame, ["age_days", *AGES])


def spend_counts(costs: ir.Table | None, as_of: date, by: By = (), *, between: Between = None) -> pd.DataFrame | None:
    """What was spent by channel, campaign, quarter (`cohort`) or month (`cohort_month`) of the day: one row per group.

    Returns *by, spend, spent_from (the first day with spend). None without a table of costs: what was spent is then
    unknown, which is not the same as nothing.

    >>> fs.money.spend_counts(tables.costs, day, by="channel", between=year).head(1)
         channel        spend spent_from
    0  Cold call  48885682.01 2025-12-01
    """
    if costs is None:
        return None
    need(costs, "costs", "date", "amount", lazy=True)
    rows = costs.filter(costs.date <= on_date(as_of))
    if between:
        rows = rows.filter(rows.date.between(*map(on_date, between)))
    text = ibis.literal(MISSING, "string")
    rows = rows.select(
        "amount",
        "date",
        cohort=period_begin(rows.date, "quarter"),
        cohort_month=period_begin(rows.date, "month"),
        **{name: visible(rows[name]) if name in rows.columns else text for name in SOURCE},
    )
    keys = group_keys(by, rows.columns)
    spent = rows.aggregate(by=keys, spend=rows.amount.sum(), spent_from=rows.date.min(where=rows.amount > 0))
    frame = in_order(fetch(spent), keys)
    return frame.assign(spend=frame["spend"].astype("float64"))


def returns_of(
    leads: ir.Table,
    past: pd.DataFrame,
    costs: ir.Table | None,
    funnel: Funnel,
    as_of: date,
    between: tuple[date, date],
    by: By = (),
) -> pd.DataFrame:
    """The ``returns`` of leads of some cohorts by channel, campaign or cohort, counted here.

    ``leads`` are those of ``of_cohorts``, ``between`` their days and those of the spend; ``past`` is a frame of
    ``age_counts`` of all leads, which tells what is to come.

    >>> fs.money.returns_of(leads, past, tables.costs, spec, day, year)[["leads", "revenue", "roi_final"]].round(2)
       leads      revenue  roi_final
    0   5089  410867200.0        1.5
    """
    need(leads, "leads", "entered_on", "state", "left_on", "paid", "returned", lazy=True)
    to_come = deals_to_come(age_counts(leads, funnel, as_of, by), past, funnel)
    found = returns(money_counts(leads, by), spend_counts(costs, as_of, by, between=between), to_come)
    if group_keys(by, leads.columns) != ["channel"]:
        return found
    spend = spend_counts(costs, as_of, OF_QUARTERS, between=between)
    return with_spend_on_record(found, money_counts(leads, OF_QUARTERS), spend)


def paid_by_month(values: ir.Table, payments: ir.Table | None, as_of: date, by: By = ()) -> pd.DataFrame:
    """What each cohort paid in each month since its quarter began: *by, cohort, month (1 is the first), revenue.

    A payment dated before its lead's quarter counts in month 1, one without a date in none. Empty without payments.

    >>> fs.money.paid_by_month(leads, tables.payments, day).head(1)
          cohort  month     revenue
    0 2025-10-01      3  24289890.0
    """
    need(values, "values", "lead_id", "cohort", lazy=True)
    keys = [key for key in group_keys(by, values.columns) if key != "cohort"]
    names = [*keys, "cohort", "month", "revenue"]
    if payments is None:
        return pd.DataFrame({name: pd.Series(dtype="float64") for name in names})
    need(payments, "payments", "lead_id", "paid_on", "amount", lazy=True)
    rows = with_shown(values, keys)
    known = (
        payments.filter(payments.paid_on <= on_date(as_of))
        .select("lead_id", "paid_on", "amount")
        .join(rows.select("lead_id", "cohort", *keys), "lead_id")
    )
    months = (known.paid_on.year() - known.cohort.year()) * 12 + known.paid_on.month() - known.cohort.month() + 1
    known = known.mutate(month=(months < 1).ifelse(1, months))
    counted = known.group_by(*keys, "cohort", "month").aggregate(revenue=known.amount.sum())
    frame = in_order(fetch(counted), [*keys, "cohort"], "month")
    return whole_numbers(frame, ["month"]).assign(revenue=frame["revenue"].astype("float64"))[names]


def stray_payments(values: ir.Table, payments: ir.Table | None, as_of: date) -> pd.DataFrame:
    """Payments of leads that the funnel does not know: one row of payments, leads and amount, in no other table.

    >>> fs.money.stray_payments(values, tables.payments, day)
       payments  leads  amount
    0         0      0     0.0
    """
    need(values, "values", "lead_id", lazy=True)
    if payments is None:
        return pd.DataFrame({"payments": [0], "leads": [0], "amount": [float("nan")]})
    stray = paid_by_lead(payments, as_of).anti_join(values, "lead_id")
    counted = stray.aggregate(payments=stray.payments.sum(), leads=stray.count(), amount=stray.paid.sum())
    return whole_numbers(fetch(counted).astype({"amount": "float64"}).fillna(0), ["payments", "leads"])


FATES = ["entered", "advanced", "lost", "still_there"]
AMOUNTS = [f"{fate}_amount" for fate in FATES]


def stage_amounts(journeys: ir.Table, leads: ir.Table, funnel: Funnel, between: tuple[date, date]) -> pd.DataFrame:
    """What came to each stage in a period, moved on, was lost, is still there: leads, and the amounts of their records.

    The leads are those of ``stage_flow``; nothing leaves the last stage, where all but ``entered`` is missing. A record
    without an amount above 0 is in no sum: ``without_amount`` counts these, and a sum of none but these is missing.
    Returns stage, FATES, AMOUNTS, without_amount; no rows where no amount is known.

    >>> fs.money.stage_amounts(paths, tables.leads, spec, year).iloc[:1, :5]
      stage  entered  advanced   lost  still_there
    0  lead     5216    4922.0  140.0        113.0
    """
    need(journeys, "journeys", "lead_id", "place", "entered_on", "outcome", "left_on", lazy=True)
    checked_period(*between)
    first, last = map(on_date, between)
    stated = "amount" in leads.columns
    rows = with_leads(journeys, leads, ["amount"]) if stated else journeys.mutate(amount=ibis.null("float64"))
    rows = rows.filter((rows.entered_on <= last) & (rows.left_on >= first).fill_null(True))
    rows = rows.mutate(amount=ibis.cases((rows.amount > 0, rows.amount.cast("float64"))))
    left = (rows.left_on <= last).fill_null(False)
    advanced, lost = (left & rows.outcome.isin(names) for names in (["advanced", "won"], ["lost"]))
    fates = dict(zip(FATES, (rows.entered_on >= first, advanced, lost, ~left), strict=True))
    counted = rows.group_by("place").aggregate(
        **{name: rows.count(where=fate) for name, fate in fates.items()},
        **{name: rows.amount.sum(where=fate) for name, fate in zip(AMOUNTS, fates.values(), strict=True)},
        without_amount=rows.count(where=rows.amount.isnull()),
    )
    frame = pd.DataFrame({"place": range(len(funnel.stages))}).merge(fetch(counted), how="left", on="place")
    frame = whole_numbers(frame, [*FATES, "without_amount"]).astype(dict.fromkeys(AMOUNTS, "float64"))
    if frame[AMOUNTS].isna().all(axis=None):
        frame = frame.iloc[:0]
    leaves = frame["place"] < len(funnel.steps)
    nobody = {amount: frame[amount].mask(frame[fate] == 0, 0.0) for fate, amount in zip(FATES, AMOUNTS, strict=True)}
    frame = frame.assign(stage=named(frame["place"], funnel.stages), **nobody)
    gone = {name: frame[name].where(leaves).astype("float64") for name in (*FATES[1:], *AMOUNTS[1:])}
    return frame.assign(**gone)[["stage", *FATES, *AMOUNTS, "without_amount"]]


CREDITS = ["own", "first", "last", "linear", "position"]


def channel_credit(values: ir.Table, contacts: ir.Table | None, as_of: date) -> pd.DataFrame:
    """Revenue of the leads by channel under five rules: channel, own, first, last, linear, position.

    `own` is the channel the lead came from; `first` and `last` give all of a lead's money to that touch, `linear`
    the same part to each touch, `position` 40 % to the first, 40 % to the last and 20 % to those between (half each
    of two). The money of leads without a touch stands at "(no contact with a channel)", so each column adds up to
    the same total. Takes `lead_values`. Empty where no contact names a channel.

    >>> fs.money.channel_credit(leads, tables.contacts.mutate(channel=tables.contacts.kind), day).iloc[-1:, :4]
                            channel  own      first       last
    11  (no contact with a channel)  0.0  1477200.0  1477200.0
    """
    need(values, "values", "lead_id", "state", "paid", lazy=True)
    touches = _touches(values, contacts, as_of)
    if touches is None:
        return _empty(["channel", *CREDITS])
    rows = touches.join(values.select("lead_id", "paid"), "lead_id")
    many = rows.touches.cast("float64")
    first, last = rows.number == 0, rows.number == rows.touches - 1
    position = ibis.cases(
        (rows.touches == 1, 1.0), (rows.touches == 2, 0.5), (first | last, 0.4), else_=0.2 / ibis.greatest(many - 2, 1)
    )
    credited = rows.group_by("channel").aggregate(
        first=rows.paid.sum(where=first),
        last=rows.paid.sum(where=last),
        linear=(rows.paid / many).sum(),
        position=(rows.paid * position).sum(),
    )
    own = values.group_by("channel").aggregate(own=values.paid.sum())
    untouched = values.anti_join(touches, "lead_id")
    spared = fetch(untouched.aggregate(paid=untouched.paid.sum()))["paid"].astype("float64").fillna(0.0)
    frame = fetch(own).merge(fetch(credited), how="outer", on="channel")
    nobody = pd.DataFrame({"channel": [NO_TOUCH], **dict.fromkeys(CREDITS, spared)}).assign(own=0.0)
    frame = in_order(frame, ["channel"])[["channel", *CREDITS]]
    frame = frame.astype(dict.fromkeys(CREDITS, "float64")).fillna(dict.fromkeys(CREDITS, 0.0))
    return pd.concat([frame, nobody], ignore_index=True) if len(frame) else frame


def channel_moves(values: ir.Table, contacts: ir.Table | None, as_of: date) -> pd.DataFrame:
    """How often one touch was followed by another: from_channel, to_channel, moves, over leads won or ended.

    A path begins at "(start)" and ends at "(won)" or "(not won)"; open leads are left out, since their path is not
    over. Empty where no contact names a channel.

    >>> fs.money.channel_moves(leads, tables.contacts.mutate(channel=tables.contacts.kind), day).head(1)
      from_channel to_channel  moves
    0      (start)       call   3248
    """
    need(values, "values", "lead_id", "state", lazy=True)
    names = ["from_channel", "to_channel", "moves"]
    touches = _touches(values.filter(values.state != "open"), contacts, as_of)
    if touches is None:
        return _empty(names)
    in_time = ibis.window(group_by="lead_id", order_by="number")
    steps = touches.select(
        from_channel=touches.channel.lag().over(in_time).fill_null(START), to_channel=touches.channel
    )
    last = touches.filter(touches.number == touches.touches - 1)
    ends = last.join(values.select("lead_id", "state"), "lead_id").select(
        from_channel="channel", to_channel=(ibis._.state == "won").ifelse(WON, NOT_WON)
    )
    moved = steps.union(ends)
    counted = moved.group_by("from_channel", "to_channel").aggregate(moves=moved.count())
    return whole_numbers(in_order(fetch(counted), ["from_channel", "to_channel"]), ["moves"])[names]


def _touches(values: ir.Table, contacts: ir.Table | None, as_of: date) -> ir.Table | None:
    """Every touch with its number and how many its lead had; None where contacts carry no channel."""
    if contacts is None or "channel" not in contacts.columns:
        return None
    named = contacts.select("lead_id", "at", "on", channel=visible(contacts.channel))
    known = named.filter((named.channel != MISSING) & (named.on <= on_date(as_of)))
    known = known.join(values.select("lead_id", "won_on"), "lead_id")
    in_time = known.filter(known.won_on.isnull() | (known.on <= known.won_on))
    rows = in_time.select("lead_id", "at", "channel").distinct()
    return rows.mutate(
        number=ibis.row_number().over(ibis.window(group_by="lead_id", order_by=["at", "channel"])),
        touches=rows.count().over(ibis.window(group_by="lead_id")),
    )


def _empty(names: list[str]) -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(dtype="str" if "channel" in name else "float64") for name in names})
