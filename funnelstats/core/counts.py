"""Count verbs that every subject needs: from journeys to small frames of counts.

Rows of a result are groups x steps or groups x days, never leads. Counts are int64, dates datetime64[us],
names str, on every engine; groups are sorted, "(missing)" last, then the funnel's order.
Every date after `as_of` does not exist. Two groups belong to the stage counted, not to the lead:
`by="manager"` is the owner at its entry, `by="week"` the first day of the week of its entry.
"""

from collections.abc import Iterable, Sequence
from datetime import date

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from funnelstats.config.dates import checked_between
from funnelstats.config.errors import FunnelError, need, suggestion
from funnelstats.config.funnel import Funnel
from funnelstats.config.schema import ENDS, MISSING
from funnelstats.core.conversion import COUNTS
from funnelstats.core.incidence import OUTCOMES
from funnelstats.core.journeys import EPISODE, period_begin

FATES = ["in_time", "late", *ENDS, "open"]
UNDATED = ["entered", "converted", "won", "unseen", "ended"]

By = str | Sequence[str]
"""A column to group by, or several."""
Between = tuple[date, date] | None
"""The first and the last of the days that count; None for all."""


def step_counts(
    journeys: ir.Table, funnel: Funnel, as_of: date, by: By = (), *, entered_between: Between = None
) -> pd.DataFrame:
    """Leads judged at each step, those of them that moved on within its horizon, and those too recent.

    A lead is judged once its whole horizon was observed, whatever it did meanwhile: until then it is too
    recent and in neither number. The horizon is inclusive: entered on the 1st, 7 days, the 8th counts.

    `entered_between` holds the first and last date of the entries at `from_stage`.
    Returns *by, from_stage, to_stage, entered, converted, too_recent; without `by`, every step.

    >>> fs.step_counts(paths, spec, day).head(2)
      from_stage   to_stage  entered  converted  too_recent
    0       lead        met     4756       4540         380
    1        met  presented     4502       3689         366
    """
    keys, rows = entries_of_steps(journeys, funnel, as_of, by, entered_between)
    return judged(rows.mutate(_reached_on=rows.next_on), keys, _pairs(funnel))


def overall_counts(
    journeys: ir.Table, funnel: Funnel, as_of: date, by: By = (), *, entered_between: Between = None
) -> pd.DataFrame:
    """The counts of `step_counts` from the first stage to each later one, horizons of the way summed.

    A lead reopened at a later stage went no whole way and is in none of them.

    >>> fs.overall_counts(paths, spec, day)
      from_stage    to_stage  entered  converted  too_recent
    0       lead         met     4756       4540         380
    1       lead   presented     4389       3481         747
    2       lead  contracted     3883       2441        1253
    3       lead        paid     3166       1957        1970
    """
    keys, rows = entries_of_steps(journeys, funnel, as_of, by, entered_between)
    horizons = [step.horizon_days for step in funnel.steps]
    places = range(len(horizons))
    grid = {"_step": places, "_to": [place + 1 for place in places], "_horizon": np.cumsum(horizons)}
    came = rows.filter(rows.place == 0).drop("_step", "_horizon").cross_join(ibis.memtable(grid))
    reached = journeys.select(*EPISODE, _to="place", _reached_on="reached_on")
    rows = came.left_join(reached, [*EPISODE, "_to"]).select(*came.columns, "_reached_on")
    return judged(rows, keys, [(funnel.stages[0], stage) for stage in funnel.stages[1:]])


def entries_of_steps(
    journeys: ir.Table, funnel: Funnel, as_of: date, by: By, entered_between: Between
) -> tuple[list[str], ir.Table]:
    """The keys to group by, and the stages entered in time that a step leads on from, with step, horizon and age."""
    need(journeys, "journeys", *EPISODE, "place", "entered_on", "next_on", "left_on", "outcome", lazy=True)
    keys = group_keys(by, [*journeys.columns, "week"])
    rows = journeys.mutate(week=period_begin(journeys.entered_on, "week")) if "week" in keys else journeys
    known = (rows.place < len(funnel.steps)) & known_within(rows.entered_on, as_of, entered_between)
    rows = with_shown(rows.filter(known), keys)
    return keys, rows.mutate(
        _step=rows.place,
        _horizon=rows.place.cases(*enumerate(step.horizon_days for step in funnel.steps)),
        _age=_days(rows.entered_on, on_date(as_of)),
    )


def judged(rows: ir.Table, keys: list[str], pairs: Sequence[tuple[str, str]]) -> pd.DataFrame:
    """The counts of `step_counts` of rows with _step (a number in `pairs`), _horizon, _age and _reached_on."""
    matured = rows._age >= rows._horizon
    in_time = (_days(rows.entered_on, rows._reached_on) <= rows._horizon).fill_null(False)
    counted = rows.group_by(*keys, "_step").aggregate(
        entered=rows.count(where=matured),
        converted=rows.count(where=matured & in_time),
        too_recent=rows.count(where=~matured),
    )
    return _by_pair(counted, keys, pairs, COUNTS)


def _pairs(funnel: Funnel) -> list[tuple[str, str]]:
    return [(step.from_stage, step.to_stage) for step in funnel.steps]


def _by_pair(
    counted: ir.Table, keys: list[str], pairs: Sequence[tuple[str, str]], numbers: Sequence[str]
) -> pd.DataFrame:
    """The counts in order, with the names of their stages; without keys, every pair."""
    frame = in_order(fetch(counted), keys, "_step")
    if not keys:
        frame = pd.DataFrame({"_step": range(len(pairs))}).merge(frame, how="left", on="_step")
    frame = frame.assign(
        from_stage=named(frame["_step"], [pair[0] for pair in pairs]),
        to_stage=named(frame["_step"], [pair[1] for pair in pairs]),
    )
    return whole_numbers(frame[[*keys, "from_stage", "to_stage", *numbers]], numbers)


def outcome_days(
    journeys: ir.Table, funnel: Funnel, as_of: date, by: By = (), *, entered_between: Between = None
) -> pd.DataFrame:
    """Leads that advanced, were lost or returned to nurture, or are still open, by days since stage entry.

    A lead that only stepped back is open: it can still advance, and it is lost once its episode ends. One won on a
    day that is not known is open here too: nobody knows that it was in time (`undated_counts` says how many).
    An open lead's age is that at `as_of`, a day wholly observed, so it is at risk on that day too.

    Durations are of the stays that have one, `journeys.filter(journeys.timed)`: skipped stages, and those left before
    they were entered or on a day not known, are in every rate at 0 days; they were not left after 0 days.

    Returns *by, from_stage, age_days, advanced, lost, open for the days on which anything is counted.

    >>> fs.outcome_days(paths, spec, day).head(2)
      from_stage  age_days  advanced  lost  open
    0       lead         0      1595     6     8
    1       lead         1       977    21     6
    """
    keys, rows = entries_of_steps(journeys, funnel, as_of, by, entered_between)
    ended = rows.outcome.isin(["advanced", *ENDS]) & (rows.left_on <= on_date(as_of))
    rows = rows.mutate(_gone=ended.fill_null(False))
    rows = rows.mutate(age_days=rows._gone.ifelse(_days(rows.entered_on, rows.left_on), rows._age))
    advanced = (rows.outcome == "advanced").fill_null(False)
    counted = rows.group_by(*keys, "_step", "age_days").aggregate(
        advanced=rows.count(where=rows._gone & advanced),
        lost=rows.count(where=rows._gone & ~advanced),
        open=rows.count(where=~rows._gone),
    )
    frame = in_order(fetch(counted), keys, "_step", "age_days")
    frame.insert(len(keys), "from_stage", named(frame["_step"], funnel.stages))
    return whole_numbers(frame[[*keys, "from_stage", "age_days", *OUTCOMES]], ["age_days", *OUTCOMES])


def step_fates(
    journeys: ir.Table, funnel: Funnel, as_of: date, by: By = (), *, entered_between: Between = None
) -> pd.DataFrame:
    """What had become by `as_of` of the leads of each step whose horizon is over.

    `in_time` is what `step_counts` calls converted; `late` moved on after it, or nobody knows when; `lost` and
    `nurture` ended at the stage; `open` are the others, those that stepped back too. All five are the entered.

    `by` and `entered_between` as in `step_counts`. Returns *by, from_stage, to_stage, entered, in_time, late, lost,
    nurture, open; without `by`, every step.

    >>> fs.step_fates(paths, spec, day).drop(columns="from_stage").head(2)
        to_stage  entered  in_time  late  lost  nurture  open
    0        met     4756     4540    21   136       40    19
    1  presented     4502     3689    59   519      149    86
    """
    keys, rows = entries_of_steps(journeys, funnel, as_of, by, entered_between)
    rows = rows.filter(rows._age >= rows._horizon)
    gone = (rows.left_on <= on_date(as_of)).fill_null(False)
    in_time = _days(rows.entered_on, rows.left_on) <= rows._horizon
    fate = ibis.cases(
        (gone & (rows.outcome == "advanced") & in_time, "in_time"),
        (gone & rows.outcome.isin(["advanced", "won"]), "late"),
        (gone & rows.outcome.isin(ENDS), rows.outcome),
        else_="open",
    )
    rows = rows.mutate(_fate=fate)
    counted = rows.group_by(*keys, "_step").aggregate(
        entered=rows.count(), **{name: rows.count(where=rows._fate == name) for name in FATES}
    )
    return _by_pair(counted, keys, _pairs(funnel), ["entered", *FATES])


def undated_counts(
    journeys: ir.Table, funnel: Funnel, as_of: date, by: By = (), *, entered_between: Between = None
) -> pd.DataFrame:
    """The counts of `step_counts`, and beside them the leads that ended on a day that the export does not hold.

    `won` are among entered and not among converted, since nobody knows that they were in time; `unseen` were won too,
    and have no date at from_stage either: they are in neither number. `ended` were lost or returned: among entered,
    rightly not converted. So the step's rate lies between converted / entered and
    (converted + won + unseen) / (entered + unseen).

    `by` and `entered_between` as in `step_counts`; an unseen lead counts where and when it was last seen. Returns *by,
    from_stage, to_stage, entered, converted, won, unseen, ended; without `by`, every step.

    >>> fs.undated_counts(paths, spec, day).drop(columns="from_stage").head(1)
      to_stage  entered  converted  won  unseen  ended
    0      met     4756       4540    0       0      0
    """
    keys, rows = entries_of_steps(journeys, funnel, as_of, by, entered_between)
    won = (rows.undated == funnel.stages[-1]).fill_null(False) & rows.next_on.isnull()
    grid = ibis.memtable({"_at": range(len(funnel.steps)), "_days_there": [step.horizon_days for step in funnel.steps]})
    # A row is of its own step and, where its lead was won unseen, of the steps after it.
    rows = rows.mutate(_won=won).cross_join(grid)
    unseen = rows._won & (rows._step < rows._at)
    rows = rows.filter(((rows._step == rows._at) | unseen) & (rows._age >= rows._days_there))
    here = rows._step == rows._at
    in_time = (_days(rows.entered_on, rows.next_on) <= rows._days_there).fill_null(False)
    ended = rows.next_on.isnull() & rows.undated.isin(ENDS).fill_null(False)
    counted = rows.group_by(*keys, _step="_at").aggregate(
        entered=rows.count(where=here),
        converted=rows.count(where=here & in_time),
        won=rows.count(where=here & rows._won),
        unseen=rows.count(where=~here),
        ended=rows.count(where=here & ended),
    )
    return _by_pair(counted, keys, _pairs(funnel), UNDATED)


def group_keys(by: By, known: Iterable[str]) -> list[str]:
    keys = [by] if isinstance(by, str) else list(dict.fromkeys(by))
    known = list(known)
    for key in keys:
        if key not in known:
            raise FunnelError(f'no column "{key}" to group by; {suggestion(key, known)}')
    return keys


def paid_by_lead(payments: ir.Table, as_of: date) -> ir.Table:
    """What each lead had paid by the end of `as_of`, one row a lead; a payment without a date always counts.

    Returns lead_id, payments (how many), paid (all amounts summed), returned (the negative ones, null where there are
    none), first_paid_on and last_paid_on (of those above 0) and paid_undated (one above 0 has no date).
    """
    need(payments, "payments", "lead_id", "paid_on", "amount", lazy=True)
    known = payments.filter(payments.paid_on.isnull() | (payments.paid_on <= on_date(as_of)))
    positive = known.amount > 0
    return known.group_by("lead_id").aggregate(
        payments=known.count(),
        paid=known.amount.sum(),
        returned=known.amount.sum(where=known.amount < 0),
        first_paid_on=known.paid_on.min(where=positive),
        last_paid_on=known.paid_on.max(where=positive),
        paid_undated=known.count(where=positive & known.paid_on.isnull()) > 0,
    )


def deal_size(payments: ir.Table | None) -> pd.DataFrame:
    """How many leads paid, and the mean of what one paid in all its payments: one row, deals and mean_deal.

    Money given back lowers what its lead paid. The mean is missing where nobody paid or no payments are known.

    >>> fs.deal_size(tables.payments).round()
       deals  mean_deal
    0   2715   149691.0
    """
    if payments is None:
        return pd.DataFrame({"deals": [0], "mean_deal": [float("nan")]})
    need(payments, "payments", "lead_id", "amount", lazy=True)
    deals = payments.group_by("lead_id").aggregate(paid=payments.amount.sum())
    return fetch(deals.aggregate(deals=deals.count(), mean_deal=deals.paid.mean()))


def stage_span(entries: ir.Table, funnel: Funnel) -> pd.DataFrame:
    """First and last day of every stage and end: stage, leads, entries, first, last, in the funnel's order.

    >>> fs.stage_span(tables.entries, spec).head(2)
      stage  leads  entries      first       last
    0  lead   5015     5225 2025-12-01 2026-06-28
    1   met   4699     4848 2025-12-01 2026-06-28
    """
    need(entries, "entries", "lead_id", "stage", "entered_on", lazy=True)
    ordered = (*funnel.undated, *funnel.stages, *ENDS)
    known = entries.filter(entries.stage.isin(ordered))
    counted = known.group_by("stage").aggregate(
        leads=known.lead_id.nunique(),
        entries=known.count(),
        first=known.entered_on.min(),
        last=known.entered_on.max(),
    )
    return fetch(counted).sort_values("stage", key=lambda stage: stage.map(ordered.index)).reset_index(drop=True)


def on_date(day: date) -> ir.DateScalar:
    return ibis.literal(pd.Timestamp(day).date(), "date")


def _days(earlier: ir.DateValue, later: ir.DateValue) -> ir.IntegerValue:
    """Calendar days between two dates: summer time makes no day shorter."""
    return later.delta(earlier, unit="day")


def known_within(on: ir.DateValue, as_of: date, between: Between, name: str = "entered_between") -> ir.BooleanValue:
    """Whether a date is one that ``as_of`` knows, from the first to the last of the dates called ``name``."""
    known = on <= on_date(as_of)
    return known if between is None else known & on.between(*map(on_date, checked_between(between, name)))


def with_shown(rows: ir.Table, keys: Sequence[str]) -> ir.Table:
    """The rows with blank text keys shown, so that null and "(missing)" are one group."""
    return rows.mutate(**{key: rows[key].fill_null(MISSING) for key in keys if rows[key].type().is_string()})


def fetch(counted: ir.Table) -> pd.DataFrame:
    """The rows of a query; their types do not depend on the engine."""
    frame = counted.to_pandas()
    for name, kind in counted.schema().items():
        if kind.is_date() or kind.is_timestamp():
            frame[name] = pd.to_datetime(frame[name]).astype("datetime64[us]")
        elif kind.is_string():
            frame[name] = frame[name].astype("str")
    return frame


def in_order(frame: pd.DataFrame, keys: Sequence[str], *order: str) -> pd.DataFrame:
    """Groups sorted, the missing one last and visible; then the funnel's order."""
    if not (keys or order):
        return frame
    shown = frame.sort_values(
        [*keys, *order], key=lambda column: column.mask(column == MISSING), na_position="last"
    ).reset_index(drop=True)
    blank = {key: shown[key].astype(object).fillna(MISSING) for key in keys if shown[key].hasnans}
    return shown.assign(**blank)


def named(positions: pd.Series, names: Sequence[str]) -> pd.Series:
    return positions.astype("int64").map(dict(enumerate(names))).astype("str")


def whole_numbers(frame: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    return frame.assign(**{name: frame[name].fillna(0).astype("int64") for name in columns})


def day_number(day: ir.DateValue) -> ir.IntegerValue:
    """Days since 1970: sums and limits of numbers exist on every engine, those of dates do not."""
    return day.delta(on_date(date(1970, 1, 1)), unit="day")


def number_of(day: date) -> int:
    """The same for a date at hand."""
    return (pd.Timestamp(day) - pd.Timestamp(0)).days


def nothing_counted(keys: Sequence[str], numbers: Sequence[str]) -> pd.DataFrame:
    """No rows, with the columns and types that there would be."""
    kinds = dict.fromkeys(keys, "str") | dict.fromkeys(numbers, "int64")
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in kinds.items()})


def by_people(touches: ir.Table, funnel: Funnel) -> ir.Table:
    """The contacts that people made: those of system users left out."""
    return touches.filter(~touches.manager.isin(funnel.system_users)) if funnel.system_users else touches


def category_of(reason: ir.StringValue, funnel: Funnel) -> ir.StringValue:
    """What a reason means by funnel.toml: itself where it has no category, null where it is blank."""
    categories = funnel.refusals.categories
    return reason.cases(*categories.items(), else_=reason) if categories else reason


def known_columns(rows: ir.Table) -> set[str]:
    """The columns that hold something in some row: what the export has, whatever funnel.toml states."""
    held = fetch(rows.aggregate(**{name: rows[name].count() for name in rows.columns})).iloc[0]
    return {str(name) for name, count in held.items() if count}
