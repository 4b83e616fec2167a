"""How leads ended, by what stands beside the moves of stages: a status, a flag, a date of closing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product

import pandas as pd

from funnelstats.config.errors import FunnelError
from funnelstats.config.schema import ENDS
from funnelstats.recognising.dates import NEARLY_ALL
from funnelstats.recognising.export import OF_ENDED, Export, dated_values
from funnelstats.recognising.roles import Table
from funnelstats.recognising.sheets import chosen_by
from funnelstats.recognising.sources import Dated, changes_of, time_of
from funnelstats.recognising.stages import LEAST_REACH, STAY, end_of
from funnelstats.recognising.words import fit, words

ENDED = ("won", *ENDS)
OF_LOST = 0.75
"""Share of the leads with a date called that of a loss which are lost, as another column says."""
MOST_LISTED = 10
"""Names that are listed; of more that are no stages all are left out together."""
NO_WINS = "no column says which deals are won"


def ends_beside(export: Export, leads: Sequence[Table], found: Sequence[Dated] = ()) -> list[Dated]:
    """Wins and losses of leads, and of what they were turned into, that no history and no other date tells."""
    ended = []
    for tables in (leads, [table for table in export.details if table.own_id]):
        logs = [table for table in export.histories if bool(table.own_id) == (tables is not leads)]
        told = {end_of(name) for log in logs for name in changes_of(log)["stage"].unique()}
        told |= {end for end in ENDED for dated in found if dated.table in tables and _says(dated, end)}
        ended += _dated_ends(tables, [end for end in ENDED if end not in told])
    return ended


def _dated_ends(tables: Sequence[Table], ends: Iterable[str]) -> list[Dated]:
    """Wins and losses as the first of these tables tells them that has a date of them; failing that, without one."""
    found: dict[str, Dated] = {}
    for dated, table, end in product((True, False), tables, ends):
        only = table.ends.get(end, {})
        at = table.roles.get(end) or (table.roles.get("closed") if only else None)
        if at if dated else only:
            values = only.get(table.status, [])
            stage = values[0] if end == "won" and len(values) == 1 and end_of(values[0]) == end else end
            found.setdefault(end, Dated(stage, table, at.header if at else "", only))
    return [*found.values()]


def _says(dated: Dated, end: str) -> bool:
    """Whether a date is that of an end by the stage's name, and nothing says that the deals ended otherwise."""
    cells, only = dated.table.sheet.cells, dated.table.ends.get(end, {})
    of_ended = chosen_by(cells, only)[dated.table.sheet.has_date(dated.header)].mean() if dated.header and only else 1
    return end_of(dated.stage) == end and (dated.only == only or of_ended >= OF_ENDED)


def dates_no_loss(dated: Dated) -> bool:
    """Whether a date is called that of a loss, and most of its leads are not lost by what says how they ended."""
    cells, lost = dated.table.sheet.cells, dated.table.ends.get("lost", {})
    has_date = dated.table.sheet.has_date(dated.header)
    return end_of(dated.stage) == "lost" and bool(lost) and chosen_by(cells, lost)[has_date].mean() < OF_LOST


def _is_closed(name: str) -> bool:
    """Whether a stage is that of leads which ended, one way or the other."""
    return fit(name, [*words()["flags"]["closed"], *words()["roles"]["closed"]]) >= 2


def closed_stages(came: pd.DataFrame, ended: Sequence[pd.DataFrame]) -> list[str]:
    """Stages of leads of which another column says how they ended."""
    leads = pd.concat([came["lead"].head(0), *(moves["lead"] for moves in ended)])
    shares = came["lead"].isin(leads).groupby(came["stage"]).mean()
    last, names = came.groupby("lead")["at"].max(), [*filter(_is_closed, map(str, shares.index[shares >= STAY]))]
    at = {name: came[came["stage"] == name].groupby("lead")["at"].min() for name in names}
    return [name for name in names if (last[at[name].index] > at[name]).mean() <= LEAST_REACH]


def ends_of_closed(table: Table) -> list[Dated]:
    """Wins and losses of the leads that come to a stage called closed, as another column of its rows says."""
    stage, won = table.header("stage"), table.ends.get("won", {})
    names = table.sheet.values(stage)
    closed = [name for name in names if _is_closed(name)]
    if len(closed) != 1 or not won or stage in won or any(map(end_of, names)) or "changed_field" in table.roles:
        return []
    rows = table.sheet.cells[table.sheet.cells[stage] == closed[0]]
    lost = table.ends.get("lost") or {name: sorted({*rows[name].dropna()} - {*of_won}) for name, of_won in won.items()}
    return [
        Dated(end, table, time_of(table), {stage: closed, **only})
        for end, only in (("won", won), ("lost", lost))
        if all(only.values())
    ]


def open_and_closed(deals: Table) -> list[str]:
    """What a status says of deals that have a date of their end, which no open one has, and no word calls an end."""
    if not deals.status or "closed" not in deals.roles or deals.status not in deals.ends.get("won", {}):
        return []
    ended = [value for only in deals.ends.values() for values in only.values() for value in values]
    names = [
        name
        for name in dated_values(deals.sheet, deals.header("closed"), deals.status)
        if name not in ended and not end_of(name)
    ]
    if not names:
        return []
    leads, listed = deals.sheet.cells[deals.status].isin(names).sum(), ", ".join(f"“{name}”" for name in names)
    return [
        f"{deals.sheet.name}: counted as open, though “{deals.header('closed')}” has a date as only for deals that "
        f"ended: {leads:,}, {listed}; say which of these are won or lost with only = {{ … }}"
    ]


def losses_by_date(deals: Table) -> list[str]:
    """What a status says of leads with the date of a loss, and of no others, and no word calls one."""
    said = [value for value in deals.ends.get("lost", {}).get(deals.status, []) if end_of(value) != "lost"]
    if not said or "lost" not in deals.roles:
        return []
    listed = ", ".join(f"“{value}”" for value in said[:MOST_LISTED])
    return [f"{deals.sheet.name}: counted as lost, since only leads with “{deals.header('lost')}” are so: {listed}"]


def check_last(last: Dated) -> None:
    """Raise FunnelError where the last date, which nothing calls a win, is all leads' or that of several ends."""
    sheet = last.table.sheet
    if not last.only and sheet.has_date(last.header).mean() >= NEARLY_ALL:
        raise FunnelError(f"{sheet.name}: {NO_WINS}; the last date, “{last.header}”, is there for nearly all leads")
    if last.header:
        refuse_several_ends(last.table, last.header, ("", "lost"))


def refuse_several_ends(table: Table, date: str, ends: Sequence[str] = ("",)) -> None:
    """Raise FunnelError where a date is that of several of these ends, which nothing tells apart."""
    for name in table.sheet.of_few_values("text"):
        ended = [value for value in dated_values(table.sheet, date, name) if end_of(value) in ends]
        if len(ended) > 1:
            either = " or ".join(f"“{value}”" for value in ended[:MOST_LISTED])
            raise FunnelError(
                f"{table.sheet.name}: {NO_WINS}; “{date}” has a date where “{name}” is {either}, and nothing says "
                "which is a win: state it by hand, as docs/funnel_toml.md does for a snapshot"
            )
