"""What is asked for, against what the data covers: which periods, as of which day, with which values."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

from funnelstats.reading.opening import Tables, last_day
from funnelstats.stated.dates import (
    last_complete_month,
    last_complete_quarter,
    last_complete_week,
    month_days,
    month_of,
    parse_day,
    quarter_days,
    quarter_of,
    week_days,
    week_of,
)
from funnelstats.stated.funnel import Funnel, FunnelError, suggestion
from funnelstats.statistics.goals import plan_goal


class Page(NamedTuple):
    """A page of a period: its notebook and its file's name; ``dated`` if the notebook takes the period itself."""

    notebook: str
    name: str
    dated: bool = True


class Unit(NamedTuple):
    """A kind of period: its days, the one of a day, the last complete one, the pages made of it."""

    days: Callable[[str], tuple[date, date]]
    of: Callable[[date], str]
    last_complete: Callable[[date], str]
    pages: tuple[Page, ...]


EACH_MANAGER = Page("manager", "")
UNITS = {
    "week": Unit(
        week_days,
        week_of,
        last_complete_week,
        (Page("weekly", "team"), EACH_MANAGER, Page("data_check", "data-check", dated=False)),
    ),
    "month": Unit(
        month_days, month_of, last_complete_month, (Page("closed_loop", "closed-loop"), Page("refusals", "refusals"))
    ),
    "quarter": Unit(quarter_days, quarter_of, last_complete_quarter, (Page("roi", "roi"),)),
}


def covered_days(funnel: Funnel, tables: Tables) -> tuple[date, date]:
    """First and last day of the data."""
    first = tables.entries.entered_on.min().to_pyarrow().as_py()
    if first is None:
        raise FunnelError(f"the data of {funnel.name} holds no dated stage entry: there is nothing to report")
    return first, last_day(tables, funnel)


def asked_periods(
    unit: str, period: str, first: str, last: str, as_of: str, funnel: Funnel, tables: Tables
) -> list[str]:
    """The periods asked for, in order."""
    days, of, last_complete, _pages = UNITS[unit]
    if last and not first:
        raise FunnelError("--to needs --from")
    if first and (period or as_of):
        alone = f"--{unit}" if period else "--as-of"
        raise FunnelError(f"{alone} is about one {unit}, --from and --to are about several: state one or the other")
    latest = last_complete(parse_day(as_of) if as_of else covered_days(funnel, tables)[1])
    if not first:
        return [period or latest]
    (begin, _begin), (_end, end) = days(first), days(last or latest)
    if begin > end:
        raise FunnelError(f"--from {first} lies after --to {last or latest}")
    found = []
    while begin <= end:
        found.append(of(begin))
        begin = days(of(begin))[1] + timedelta(days=1)
    return found


def checked_day(funnel: Funnel, tables: Tables, unit: str, period: str, as_of: str) -> date:
    """The day as of which a period is reported: its own last one, or a later one that the data knows."""
    kind = UNITS[unit]
    first, last = covered_days(funnel, tables)
    _begin, end = kind.days(period)
    if not first <= end <= last:
        covered = kind.of(first), kind.last_complete(last)
        there = f"{covered[0]} to {covered[1]} are" if covered[0] <= covered[1] else f"no {unit} of it is over"
        raise FunnelError(f"{unit} {period} is not covered by the data of {funnel.name}: {there}")
    day = parse_day(as_of) if as_of else end
    if not end <= day <= last:
        ends = f"the {unit}'s Sunday" if unit == "week" else f"the {unit}'s last day"
        raise FunnelError(f"as of {day}: must lie between {ends} {end} and the data's last day {last}")
    return day


def check_values(funnel: Funnel, tables: Tables, values: Mapping[str, Any], typed: Container[str]) -> None:
    """Refuse before anything runs what would give an empty page under a wrong name; ``typed`` are not defaults."""
    as_of = str(values.get("as_of", ""))
    dated = [unit for unit in UNITS if unit in values]
    day = last_day(tables, funnel)
    for unit in dated:
        day = checked_day(funnel, tables, unit, str(values[unit]), as_of)
    if as_of and not dated:
        first, last = covered_days(funnel, tables)
        day = parse_day(as_of)
        if not first <= day <= last:
            raise FunnelError(f"as of {as_of}: must lie between the data's first day {first} and its last {last}")
    if "step" in values and values["step"] not in funnel.stages[1:]:
        raise _unknown("step", f'no step into "{values["step"]}"', str(values["step"]), funnel.stages[1:], typed)
    if {"deals", "by"} <= values.keys():
        plan_goal(values["deals"], values["by"], day, funnel)
    if "manager" in values:
        homes = [rows for rows in (tables.entries, tables.leads) if "manager" in rows.columns]
        there = {
            name for rows in homes for name in rows.select("manager").distinct().to_pyarrow()["manager"].to_pylist()
        }
        known = sorted(there - {None, *funnel.system_users})
        if values["manager"] not in known:
            words = f'no manager "{values["manager"]}" in {funnel.name}'
            raise _unknown("manager", words, values["manager"], known, typed)


def _unknown(name: str, words: str, value: str, known: Sequence[str], typed: Container[str]) -> FunnelError:
    """What was typed is not there; or nothing was typed, and the notebook's default is a name of the sample."""
    if name not in typed:
        return FunnelError(f"state -p {name}; known: {', '.join(known) or 'none'}")
    return FunnelError(f"{words}; {suggestion(value, known)}")
