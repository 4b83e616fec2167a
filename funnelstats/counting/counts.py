"""Count verbs: from journeys to small frames of counts. The only module where a query runs.

Rows of a result are groups x steps or groups x days, never leads. Counts are int64, dates datetime64[us],
names str, on every engine; groups are sorted, "(missing)" last, then the funnel's order.
Every date after `as_of` does not exist. Two groups belong to the stage counted, not to the lead:
`by="manager"` is the owner at its entry, `by="week"` the Monday of the week of its entry.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

import ibis
import ibis.expr.types as ir
import pandas as pd

from funnelstats.counting.journeys import stays
from funnelstats.stated.dates import checked_between
from funnelstats.stated.funnel import ENDS, MISSING, Funnel, FunnelError, suggestion
from funnelstats.stated.shared import shared

STEP_COUNTS = ["entered", "converted", "too_recent"]
OUTCOMES = ["advanced", "lost", "open"]
STAGE_KEYS = ["manager", "week"]


@shared
def step_counts(
    journeys: ir.Table,
    funnel: Funnel,
    as_of: date,
    by: str | Sequence[str] = (),
    *,
    entered_between: tuple[date, date] | None = None,
) -> pd.DataFrame:
    """Leads judged at each step, those of them that moved on within its horizon, and those too recent.

    A lead is judged once its whole horizon was observed, whatever it did meanwhile: until then it is too
    recent and in neither number. The horizon is inclusive: entered on the 1st, 7 days, the 8th counts.

    `entered_between` holds the first and last date of the entries at `from_stage`.
    Returns *by, from_stage, to_stage, entered, converted, too_recent; without `by`, every step.
    """
    steps = [(step.from_stage, step.to_stage, step.horizon_days) for step in funnel.steps]
    return _pair_counts(journeys, steps, as_of, by, entered_between)


@shared
def overall_counts(
    journeys: ir.Table,
    funnel: Funnel,
    as_of: date,
    by: str | Sequence[str] = (),
    *,
    entered_between: tuple[date, date] | None = None,
) -> pd.DataFrame:
    """The counts of `step_counts` from the first stage to each later one, horizons of the way summed.

    A lead reopened at a later stage went no whole way and is in none of them.
    """
    first = funnel.stages[0]
    days = 0
    pairs = []
    for step in funnel.steps:
        days += step.horizon_days
        pairs.append((first, step.to_stage, days))
    return _pair_counts(journeys, pairs, as_of, by, entered_between)


def _pair_counts(
    journeys: ir.Table,
    pairs: Sequence[tuple[str, str, int]],
    as_of: date,
    by: str | Sequence[str],
    entered_between: tuple[date, date] | None,
) -> pd.DataFrame:
    keys = group_keys(by, [*journeys.columns, *STAGE_KEYS])
    # One scan of the journeys serves every step: a step is a row of a tiny table, not a query.
    grid = ibis.memtable({"_step": range(len(pairs)), "_horizon": [days for *_, days in pairs]})
    rows = journeys.cross_join(grid)

    def of(side: int, suffix: str) -> ir.Value:
        return rows._step.cases(*((step, rows[f"{pair[side]}{suffix}"]) for step, pair in enumerate(pairs)))

    dates = rows.select(
        "_step",
        "_horizon",
        *(key for key in keys if key not in STAGE_KEYS),
        **({"manager": of(0, "_manager")} if "manager" in keys else {}),
        **({"week": monday(of(0, "_entered_on"))} if "week" in keys else {}),
        _entered_on=of(0, "_entered_on"),
        _reached_on=of(1, "_on"),
    )
    dated = with_shown(dates, keys).filter(known_within(ibis._._entered_on, as_of, entered_between))
    matured = _days(dated._entered_on, on_date(as_of)) >= dated._horizon
    in_time = _days(dated._entered_on, dated._reached_on) <= dated._horizon
    counted = dated.group_by(*keys, "_step").aggregate(
        entered=dated.count(where=matured),
        converted=dated.count(where=matured & in_time.fill_null(False)),
        too_recent=dated.count(where=~matured),
    )
    frame = in_order(fetch(counted), keys, "_step")
    if not keys:
        frame = every_place(frame, "_step", range(len(pairs)))
    frame.insert(len(keys), "from_stage", named(frame["_step"], [pair[0] for pair in pairs]))
    frame.insert(len(keys) + 1, "to_stage", named(frame["_step"], [pair[1] for pair in pairs]))
    return whole_numbers(frame[[*keys, "from_stage", "to_stage", *STEP_COUNTS]], STEP_COUNTS)


@shared
def outcome_days(
    journeys: ir.Table,
    funnel: Funnel,
    as_of: date,
    by: str | Sequence[str] = (),
    *,
    entered_between: tuple[date, date] | None = None,
) -> pd.DataFrame:
    """Leads that advanced, were lost or returned to nurture, or are still open, by days since stage entry.

    A lead that only stepped back is open: it can still advance, and it is lost once its episode ends. One won on a
    day that is not known is open here too: nobody knows that it was in time (`undated_counts` says how many).
    An open lead's age is that at `as_of`, a day wholly observed, so it is at risk on that day too.

    Returns *by, from_stage, age_days, advanced, lost, open for the days on which anything is counted.
    """
    return _day_counts(journeys, funnel, as_of, by, entered_between, timed=False)


@shared
def stage_days(
    journeys: ir.Table,
    funnel: Funnel,
    as_of: date,
    by: str | Sequence[str] = (),
    *,
    entered_between: tuple[date, date] | None = None,
) -> pd.DataFrame:
    """The counts of `outcome_days`, of the stays that have a duration: what `days_in_stage` takes.

    Skipped stages, and those left before they were entered or on a day not known, are in every rate at 0 days; they
    were not left after 0 days.
    """
    return _day_counts(journeys, funnel, as_of, by, entered_between, timed=True)


def _day_counts(
    journeys: ir.Table,
    funnel: Funnel,
    as_of: date,
    by: str | Sequence[str],
    entered_between: tuple[date, date] | None,
    *,
    timed: bool,
) -> pd.DataFrame:
    keys = group_keys(by, [*journeys.columns, *STAGE_KEYS])
    at_stage = stays(journeys, funnel, keep=keys)
    if "week" in keys:
        at_stage = at_stage.mutate(week=monday(at_stage.entered_on))
    at_stage = with_shown(at_stage.filter(at_stage.timed) if timed else at_stage, keys)
    position = at_stage.stage.cases(*((step.from_stage, n) for n, step in enumerate(funnel.steps)))
    gone_for_good = at_stage.outcome.isin(["advanced", *ENDS]).fill_null(False)
    judged = at_stage.filter(
        at_stage.stage.isin([step.from_stage for step in funnel.steps])
        & known_within(at_stage.entered_on, as_of, entered_between)
    ).select(
        *keys,
        _step=position,
        _entered_on=at_stage.entered_on,
        _advanced=(at_stage.outcome == "advanced").fill_null(False),
        _gone_on=gone_for_good.ifelse(at_stage.left_on, ibis.null("date")),
    )
    gone = (judged._gone_on <= on_date(as_of)).fill_null(False)
    aged = judged.mutate(_gone=gone, age_days=_days(judged._entered_on, gone.ifelse(judged._gone_on, on_date(as_of))))
    counted = aged.group_by(*keys, "_step", "age_days").aggregate(
        advanced=aged.count(where=aged._gone & aged._advanced),
        lost=aged.count(where=aged._gone & ~aged._advanced),
        open=aged.count(where=~aged._gone),
    )
    frame = in_order(fetch(counted), keys, "_step", "age_days")
    frame.insert(len(keys), "from_stage", named(frame["_step"], [step.from_stage for step in funnel.steps]))
    return whole_numbers(frame[[*keys, "from_stage", "age_days", *OUTCOMES]], ["age_days", *OUTCOMES])


def group_keys(by: str | Sequence[str], known: Iterable[str]) -> list[str]:
    keys = [by] if isinstance(by, str) else list(dict.fromkeys(by))
    known = list(known)
    for key in keys:
        if key not in known:
            raise FunnelError(f'no column "{key}" to group by; {suggestion(key, known)}')
    return keys


@shared
def deal_size(payments: ir.Table | None) -> pd.DataFrame:
    """How many leads paid, and the mean of what one paid in all its payments: one row, deals and mean_deal.

    Money given back lowers what its lead paid. The mean is missing where nobody paid or no payments are known.
    """
    if payments is None:
        return pd.DataFrame({"deals": [0], "mean_deal": [float("nan")]})
    deals = payments.group_by("lead_id").aggregate(paid=payments.amount.sum())
    return fetch(deals.aggregate(deals=deals.count(), mean_deal=deals.paid.mean()))


def stage_span(entries: ir.Table, funnel: Funnel) -> pd.DataFrame:
    """First and last day of every stage and end: stage, leads, entries, first, last, in the funnel's order."""
    ordered = (*funnel.undated, *funnel.stages, *ENDS)
    known = entries.filter(entries.stage.isin(ordered))
    counted = known.group_by("stage").aggregate(
        leads=known.lead_id.nunique(),
        entries=known.count(),
        first=known.entered_on.min(),
        last=known.entered_on.max(),
    )
    return fetch(counted).sort_values("stage", key=lambda stage: stage.map(ordered.index)).reset_index(drop=True)


def monday(day: ir.DateValue) -> ir.DateValue:
    # DuckDB's date_trunc may return a timestamp; a week is a date on every engine.
    return day.truncate("W").cast("date")


def on_date(day: date) -> ir.DateScalar:
    return ibis.literal(pd.Timestamp(day).date(), "date")


def _days(earlier: ir.DateValue, later: ir.DateValue) -> ir.IntegerValue:
    """Calendar days between two dates: summer time makes no day shorter."""
    return later.delta(earlier, unit="day")


def known_within(
    on: ir.DateValue, as_of: date, between: tuple[date, date] | None, name: str = "entered_between"
) -> ir.BooleanValue:
    """Whether a date is one that ``as_of`` knows, from the first to the last of the dates called ``name``."""
    known = on <= on_date(as_of)
    return known if between is None else known & on.between(*map(on_date, checked_between(between, name)))


def with_shown(rows: ir.Table, keys: Sequence[str]) -> ir.Table:
    """The rows with blank text keys shown, so that null and "(missing)" are one group."""
    return rows.mutate(**{key: rows[key].fill_null(MISSING) for key in keys if rows[key].type().is_string()})


def fetch(counted: ir.Table) -> pd.DataFrame:
    """The one place that runs a query; types do not depend on the engine."""
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


def every_place(frame: pd.DataFrame, column: str, places: Iterable[int]) -> pd.DataFrame:
    return pd.DataFrame({column: places}).merge(frame, how="left", on=column)


def named(positions: pd.Series, names: Sequence[str]) -> pd.Series:
    return positions.astype("int64").map(dict(enumerate(names))).astype("str")


def whole_numbers(frame: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    return frame.assign(**{name: frame[name].fillna(0).astype("int64") for name in columns})
