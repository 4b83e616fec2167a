"""What the pages of one week have in common: frames made once for a run, for the team's page and its managers'."""

from datetime import date, timedelta
from typing import Any, NamedTuple

import ibis.expr.types as ir
import pandas as pd

from funnelstats.config.dates import week_days, week_of
from funnelstats.config.folders import WHOLE_RUN
from funnelstats.config.funnel import Funnel
from funnelstats.config.words import spoken
from funnelstats.contacts import (
    contact_counts,
    first_contacts,
    hours_to_contact,
    landmark_counts,
    landmark_differences,
    over_weeks,
    quiet_counts,
    touches,
    waiting_times,
    with_expected,
)
from funnelstats.core.casemix import at_equal_leads, case_mix
from funnelstats.core.comparing import NOT_RANKED, page_verdicts, versus_targets, with_undated
from funnelstats.core.conversion import STEP, at_step, with_matured
from funnelstats.core.counts import deal_size, outcome_days, step_counts, step_fates, undated_counts
from funnelstats.core.flow_counts import stage_flow
from funnelstats.core.incidence import incidence
from funnelstats.core.journeys import with_leads
from funnelstats.core.scatter import against_rest, rates_over_weeks, usual_dispersion
from funnelstats.core.shared import kept_journeys, made_once
from funnelstats.importing.opening import (
    Tables,
    alarm_window,
    kept_part,
    open_funnel,
    trailing_window,
    trend_window,
    window_before,
)
from funnelstats.leads import cell_leads, chances, coming_week, leads_won, open_leads
from funnelstats.page.sections import page_name
from funnelstats.refusals import (
    attempt_counts,
    by_reason,
    reason_changes,
    reason_patterns,
    refusal_counts,
    retries_due,
    retry_success,
    with_refusal,
)
from funnelstats.team import (
    after_advice,
    coaching_pairs,
    e_alarms,
    explain_change,
    leak_drivers,
    leak_sizes,
    on_record,
    since_when,
    turned,
)
from funnelstats.team.counts import RECORDED_LATE, recorded_late, stopped_since
from funnelstats.team.leaks import worst_leak

__all__ = ["Changes", "LeakWeek", "ManagersWeek", "TeamWeek", "changes", "leak", "managers", "team"]


def __dir__() -> list[str]:
    return __all__


FEWEST_WEEKS = 5
"""With leads of fewer weeks in the window, the weeks before it tell how weeks scatter."""


class TeamWeek(NamedTuple):
    """What a week's page of the team and those of its managers judge by."""

    paths: ir.Table
    rates: pd.DataFrame
    undated: pd.DataFrame
    team: pd.DataFrame
    mix: pd.DataFrame
    managers: pd.DataFrame
    deal: pd.DataFrame


def team(funnel: Funnel, tables: Tables, week: str, day: date) -> TeamWeek:
    """The journeys, rates and verdicts of a week's trailing window, as known on a day.

    - ``paths``: ``journeys``, computed
    - ``rates``: the team's ``rates_over_weeks``
    - ``undated``: its ``undated_counts``
    - ``team``: ``versus_targets`` of these rates ``with_matured`` and ``with_undated``
    - ``mix``: ``case_mix`` of the ``step_counts`` by manager and what leads are like (``funnel.base``)
    - ``managers``: ``page_verdicts`` of every manager and step: ``versus_targets`` of their rates, ``against_rest``,
      ``mix`` and ``e_alarms``
    - ``deal``: ``deal_size`` of the payments

    >>> found = fs.weekly.team(spec, tables, week, day)
    >>> found.team[["to_stage", "rate", "target", "verdict"]].round(3)
         to_stage   rate  target    verdict
    0         met  0.963    1.00      green
    1   presented  0.804    0.80  undecided
    2  contracted  0.663    0.80        red
    3        paid  0.949    0.95  undecided
    """

    def make() -> TeamWeek:
        window = trailing_window(week, funnel)
        paths = kept_journeys(tables.entries, funnel)
        longer = (window_before(week, funnel)[0], window[1])

        def days_and_rates(by: list[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
            days = outcome_days(paths, funnel, day, by=by, entered_between=window)
            few = days["week"].nunique() < FEWEST_WEEKS
            more = outcome_days(paths, funnel, day, by=by, entered_between=longer) if few else None
            return days, rates_over_weeks(days, funnel, scatter=more)

        _weeks, rates = days_and_rates(["week"])
        days, own_rates = days_and_rates(["manager", "week"])
        matured = step_counts(paths, funnel, day, entered_between=window)
        own_matured = step_counts(paths, funnel, day, by="manager", entered_between=window)
        team, managers = versus_targets(with_matured(rates, matured), with_matured(own_rates, own_matured), funnel)
        undated = undated_counts(paths, funnel, day, entered_between=window)
        own_undated = undated_counts(paths, funnel, day, by="manager", entered_between=window)
        team, managers = with_undated(team, undated), with_undated(managers, own_undated)
        rest = against_rest(days, funnel)
        based = with_leads(paths, tables.leads, funnel.base)
        strata = step_counts(based, funnel, day, by=["manager", *funnel.base], entered_between=window)
        mix = case_mix(strata, dispersion=usual_dispersion(rest))
        watched = step_counts(paths, funnel, day, by=["manager", "week"], entered_between=alarm_window(week))
        alarms = e_alarms(watched, funnel, rates=managers)
        managers = page_verdicts(managers, rest, mix, team, alarms)
        return TeamWeek(paths, rates, undated, team, mix, managers, deal_size(tables.payments))

    return made_once(page_name("team", funnel.name, week, str(day), tables.part), make, tables.entries.get_backend())


class Verdicts(NamedTuple):
    """``team`` and ``managers`` of a ``TeamWeek``."""

    team: pd.DataFrame
    managers: pd.DataFrame


def verdicts(funnel: Funnel, tables: Tables, week: str, day: date, weeks: int = 0) -> Verdicts:
    """What the page so many weeks before said of each step, as known on the same weekday then."""
    then = day - timedelta(weeks=weeks)
    before = week_of(week_days(week)[1] - timedelta(weeks=weeks))

    def make() -> Verdicts:
        known = tables
        if weeks:
            known = open_funnel(funnel.name, then, spoken())[1]
            known = kept_part(known, tables.part) if tables.part else known
        found = team(funnel, known, before, then)
        return Verdicts(found.team, found.managers)

    name = page_name("verdicts", funnel.name, before, str(then), tables.part)
    return made_once(name, make, tables.entries.get_backend(), where=WHOLE_RUN)


class LeakWeek(NamedTuple):
    """Where a week's team loses most: since when, with which leads, for which reason."""

    leaks: pd.DataFrame
    weeks: pd.DataFrame
    since: pd.DataFrame
    change: pd.DataFrame
    now: tuple[date, date]
    drivers: pd.DataFrame
    reasons: pd.DataFrame
    lessons: pd.DataFrame
    stopped: dict[str, Any]


def leak(funnel: Funnel, tables: Tables, week: str, day: date, step: str = "") -> LeakWeek:
    """What the pages of a week say about a step into a stage, as known on a day: without one, the costliest leak.

    - ``leaks``: ``leak_sizes`` of the window judged; ``weeks``: ``step_counts`` by week of the ``trend_window``;
      ``since``: their ``since_when``; ``change``: ``explain_change`` against the window before, where it is not
      ``recorded_late``
    - ``now``: first and last day since the step fell, where a fall is shown; else of the window on record
    - ``drivers``: ``leak_drivers`` of the leads that entered then; ``reasons``: ``reason_changes`` of the step, then
      against the weeks before; both without a row where nothing leaks
    - ``lessons``: ``coaching_pairs`` of the team at equal leads, of every step
    - ``stopped``: ``stopped_since``, as known on the last day of the week

    >>> leak = fs.weekly.leak(spec, tables, week, day)
    >>> str(leak.now[0]), leak.leaks["to_stage"].iloc[0]
    ('2026-04-13', 'contracted')
    """

    def make() -> LeakWeek:
        window, before = trailing_window(week, funnel), window_before(week, funnel)
        judged = team(funnel, tables, week, day)
        paths = judged.paths
        fates = step_fates(paths, funnel, day, entered_between=window)
        deal = float(judged.deal["mean_deal"].iloc[0])
        leaks = leak_sizes(judged.rates, funnel, fates=fates, deal=deal)
        weeks = step_counts(paths, funnel, day, by="week", entered_between=trend_window(week, funnel))
        since = since_when(weeks, funnel)
        then = rates_over_weeks(outcome_days(paths, funnel, day, by="week", entered_between=before), funnel)
        late = recorded_late(paths, funnel, incidence(outcome_days(paths, funnel, day, entered_between=window)), before)
        change = explain_change(then.assign(n_eff=then["n_eff"].mask(then["from_stage"].isin(late))), judged.rates)
        change = change.assign(changed=RECORDED_LATE) if late else change
        at = at_step(since, funnel, step) if step else since.merge(worst_leak(judged.team, leaks)[STEP])
        now = on_record(weeks, window)["window"]
        if at["alarm"].any():
            now = (at["since"].iloc[0].date(), window[1])
            before = (before[0], now[0] - timedelta(days=1))
        # Where nobody says what leads are like from the start, their channel is known then.
        kinds = funnel.base or [name for name in ("channel",) if name in tables.leads.columns]
        based = with_leads(paths, tables.leads, kinds)
        strata = step_counts(based, funnel, day, by=["manager", *kinds], entered_between=now)
        reasons = reason_changes(*(_reasons(paths, funnel, day, part) for part in (now, before))).merge(at[STEP])
        lessons = coaching_pairs(at_equal_leads(judged.mix, judged.managers), funnel, mean_deal=deal)
        stopped = stopped_since(paths, funnel, min(day, window[1]))
        return LeakWeek(leaks, weeks, since, change, now, leak_drivers(strata, at), reasons, lessons, stopped)

    name = page_name("leak", funnel.name, week, str(day), tables.part)
    return make() if step else made_once(name, make, tables.entries.get_backend())


def _reasons(paths: ir.Table, funnel: Funnel, day: date, between: tuple[date, date]) -> pd.DataFrame:
    refused = with_refusal(paths, funnel)
    return rates_over_weeks(
        by_reason(outcome_days(refused, funnel, day, by=["week", "refusal"], entered_between=between)), funnel
    )


class Changes(NamedTuple):
    """What is new on a week's page: cells of the team and its managers, and the advice of four weeks before."""

    known: bool
    new: pd.DataFrame
    gone: pd.DataFrame
    advised_on: date
    advised: pd.DataFrame


def changed_cells(now: Verdicts, before: Verdicts) -> list[dict[str, pd.DataFrame]]:
    """``turned`` of the team, and of its managers where there are several: those of one alone are the team's."""
    every = pd.concat([now.managers, before.managers])
    alone = every.loc[every["verdict"] != NOT_RANKED, "manager"].nunique() == 1
    own = [frame.head(0) if alone else frame for frame in (now.managers, before.managers)]
    return [turned(now.team, before.team), turned(*own)]


def changes(funnel: Funnel, tables: Tables, week: str, day: date) -> Changes:
    """What turned red and what left it since the page of the week before, and whether earlier advice shows yet.

    - ``known``: the week before could be judged by a target; ``new``, ``gone``: rows of ``turned``, those without a
      manager the team's
    - ``advised``: ``after_advice`` for the team's red steps and the cells named on ``advised_on``, four weeks before

    >>> changes = fs.weekly.changes(spec, tables, week, day)
    >>> changes.known, len(changes.new), str(changes.advised_on)
    (True, 0, '2026-05-31')
    """
    now, last, then = (verdicts(funnel, tables, week, day, weeks) for weeks in (0, 1, 4))
    paths = team(funnel, tables, week, day).paths
    cells = changed_cells(now, last)
    since = (day - timedelta(weeks=4) + timedelta(days=1), day)
    advised = []
    for rows, by in (
        (then.team[then.team["verdict"] == "red"], ["week"]),
        (then.managers[then.managers["named"]], ["manager", "week"]),
    ):
        days = outcome_days(paths, funnel, day, by=by, entered_between=since)
        advised.append(after_advice(rows, rates_over_weeks(days, funnel)))
    return Changes(
        known=bool(last.team[["rate", "target"]].notna().all(axis=1).any()),
        new=pd.concat([part["new"] for part in cells]),
        gone=pd.concat([part["gone"] for part in cells]),
        advised_on=since[0] - timedelta(days=1),
        advised=pd.concat(advised),
    )


class ManagersWeek(NamedTuple):
    """What a week's pages of single managers show, of every manager; each page shows its own manager's rows alone."""

    managers: pd.DataFrame
    deal: pd.DataFrame
    chances: pd.DataFrame
    open_leads: pd.DataFrame
    retries: pd.DataFrame
    success: pd.DataFrame
    behind: pd.DataFrame
    weeks: pd.DataFrame
    contacts: pd.DataFrame
    moves: pd.DataFrame
    hours: pd.DataFrame
    times: pd.DataFrame
    marks: pd.DataFrame
    reasons: pd.DataFrame
    won: pd.DataFrame


def managers(funnel: Funnel, tables: Tables, week: str, day: date) -> ManagersWeek:
    """The verdicts, leads, contacts and refusals of every manager in a week's trailing window, as known on a day.

    - ``managers``, ``deal``: of ``team``, the same week
    - ``chances``: to win, of an open lead of the team; ``open_leads``: everybody's
    - ``retries``: everybody's ``retries_due`` in the ``coming_week``; ``success``: the team's ``retry_success``
    - ``behind``: ``cell_leads``, those behind the rates
    - ``weeks``: ``step_counts`` by manager and week, of the ``trend_window``
    - ``contacts``: ``contact_counts`` by manager, stage and kind ``over_weeks``, ``with_expected`` moves
    - ``moves``: ``stage_flow`` of the window by manager
    - ``hours``: ``hours_to_contact`` by manager; ``times``: their ``waiting_times``
    - ``marks``: the team's ``landmark_differences``
    - ``reasons``: ``reason_patterns`` of the managers; ``won``: ``leads_won`` of the week

    >>> everybody = fs.weekly.managers(spec, tables, week, day)
    >>> everybody.won[["manager", "lead_id", "won_on"]].head(2)
       manager lead_id     won_on
    0  O'Neill  103789 2026-06-22
    1  Петрова  103963 2026-06-22
    """

    def make() -> ManagersWeek:
        window = trailing_window(week, funnel)
        judged = team(funnel, tables, week, day)
        paths, leads = judged.paths, tables.leads
        touched = touches(tables.contacts, paths, funnel)
        firsts = None
        if touched is not None:
            touched = touched.cache()
            firsts = first_contacts(paths, touched, funnel).cache()
        hours = hours_to_contact(firsts, funnel, day, by="manager", entered_between=window)
        contacts = contact_counts(touched, funnel, day, by=["manager", "stage", "kind", "week"], between=window)
        refused = refusal_counts(with_refusal(paths, funnel), funnel, *window, by="manager")
        quiet = quiet_counts(touched, paths, funnel, day, between=window)
        return ManagersWeek(
            managers=judged.managers,
            deal=judged.deal,
            chances=chances(outcome_days(paths, funnel, day), judged.rates, funnel),
            open_leads=open_leads(paths, leads, touched, funnel, day),
            retries=retries_due(with_leads(paths, leads), funnel, *coming_week(day)),
            success=retry_success(attempt_counts(paths, funnel, day)),
            behind=cell_leads(paths, funnel, day, entered_between=window),
            weeks=step_counts(paths, funnel, day, by=["manager", "week"], entered_between=trend_window(week, funnel)),
            contacts=with_expected(over_weeks(contacts, funnel), quiet),
            moves=stage_flow(paths, funnel, *window, by="manager"),
            hours=hours,
            times=waiting_times(hours),
            marks=landmark_differences(landmark_counts(firsts, funnel, day)),
            reasons=reason_patterns(refused, funnel, "manager"),
            won=leads_won(paths, leads, funnel, week_days(week)),
        )

    return made_once(
        page_name("managers", funnel.name, week, str(day), tables.part), make, tables.entries.get_backend()
    )
