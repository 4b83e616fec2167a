"""Whom a week's pages of single managers are of."""

from collections.abc import Mapping
from contextlib import closing
from datetime import date
from typing import Any

from funnelstats.config.funnel import Funnel
from funnelstats.config.schema import MISSING
from funnelstats.core.counts import outcome_days
from funnelstats.core.shared import kept_journeys
from funnelstats.importing.opening import open_funnel, trailing_window
from funnelstats.leads.counts import open_owners
from funnelstats.reporting.processes import Failure, cores, each_in_a_process
from funnelstats.reporting.reports import CELL_SECONDS


def owners_of_weeks(funnel: Funnel, days: Mapping[str, date], language: str) -> dict[str, list[str]]:
    """The people of each week, as known on its day: who owned a lead that entered a step in the window it judges, or
    owns an open one now. Those of several weeks are looked up side by side.
    """
    tasks = [(funnel, week, day, language) for week, day in days.items()]
    if len(tasks) == 1:
        return {week: _owners(*tasks[0]) for week in days}
    found: dict[int, list[str]] = {}
    with closing(each_in_a_process(_owners, tasks, at_once=cores(), seconds=CELL_SECONDS)) as results:
        for number, result, _seconds in results:
            # What ended a process is told by doing its work here.
            found[number] = _owners(*tasks[number]) if isinstance(result, Failure) else result
    return {week: found[number] for number, week in enumerate(days)}


def _owners(funnel: Funnel, week: str, day: date, language: str, _doing: Any = None) -> list[str]:
    _funnel, known = open_funnel(funnel.name, day, language)
    window = trailing_window(week, funnel)
    paths = kept_journeys(known.entries, funnel)
    owners = outcome_days(paths, funnel, day, by="manager", entered_between=window)["manager"].unique()
    return sorted({*owners, *open_owners(paths, known.leads, funnel, day)} - {MISSING, *funnel.system_users})
