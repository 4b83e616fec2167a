"""The counts of lead episodes by plain loops, to compare the queries with: each as a dict by group and stage."""

from collections import Counter
from datetime import timedelta
from itertools import accumulate

from funnelstats.config.schema import ENDS
from funnelstats.core.conversion import COUNTS
from funnelstats.core.flow_counts import FLOW
from funnelstats.core.incidence import OUTCOMES


def looped_steps(episodes, funnel, as_of, between=None):
    """`step_counts` by manager."""
    pairs = [(step.from_stage, step.to_stage, step.horizon_days) for step in funnel.steps]
    return _looped_counts(episodes, funnel, pairs, as_of, between)


def looped_overall(episodes, funnel, as_of, between=None):
    """`overall_counts` by manager."""
    days = accumulate(step.horizon_days for step in funnel.steps)
    pairs = [(funnel.stages[0], stage, horizon) for stage, horizon in zip(funnel.stages[1:], days, strict=True)]
    return _looped_counts(episodes, funnel, pairs, as_of, between)


def _looped_counts(episodes, funnel, pairs, as_of, between):
    found = {}
    for episode in episodes:
        for before, after, days in pairs:
            stay = episode.stay(before, funnel.stages)
            if stay is None or not _counts(stay[0], as_of, between):
                continue
            counted = found.setdefault((stay[1], before, after), Counter())
            reached = episode.first(after, funnel.stages)
            if stay[0] + timedelta(days) > as_of:
                counted["too_recent"] += 1
                continue
            counted["entered"] += 1
            counted["converted"] += bool(reached and reached.entered_on <= stay[0] + timedelta(days))
    return {key: tuple(counted[name] for name in COUNTS) for key, counted in found.items()}


def looped_days(episodes, funnel, as_of, between=None):
    """`outcome_days` by manager."""
    found = {}
    for episode in episodes:
        for stage in funnel.stages[:-1]:
            stay = episode.stay(stage, funnel.stages)
            if stay is None or not _counts(stay[0], as_of, between):
                continue
            entered_on, manager, left_on, outcome = stay
            name = "advanced" if outcome == "advanced" else "lost" if outcome in ENDS else "open"
            if name == "open" or left_on > as_of:
                name, left_on = "open", as_of
            found.setdefault((manager, stage, (left_on - entered_on).days), Counter())[name] += 1
    return {key: tuple(counted[name] for name in OUTCOMES) for key, counted in found.items()}


def _counts(entered_on, as_of, between):
    return entered_on <= as_of and (between is None or between[0] <= entered_on <= between[1])


def looped_flow(episodes, funnel, start, end):
    """`stage_flow` by manager, of the stages with anything to count."""
    found = {}
    for episode in episodes:
        for stage in funnel.stages:
            stay = episode.stay(stage, funnel.stages)
            if stay is None or stay[0] > end or (stay[2] and stay[2] < start):
                continue
            counted = found.setdefault((stay[1], stage), Counter())
            counted["opening" if stay[0] < start else "entered"] += 1
            outcome = "advanced" if stay[3] == "won" else stay[3]
            counted[outcome if stay[2] and stay[2] <= end else "still_there"] += 1
        for stage, who, came, left in _returns(episode, funnel.stages):
            if came <= end and not (left and left < start):
                counted = found.setdefault((who, stage), Counter())
                counted["opening" if came < start else "came_back"] += 1
                counted["moved_away" if left and left <= end else "still_there"] += 1
    return {key: tuple(counted[name] for name in FLOW) for key, counted in found.items()}


def _returns(episode, stages):
    """Stage, owner, day of coming back and day of leaving of each stay that an open lead stepped back to."""
    reached = [stage for stage in stages if episode.first(stage, stages)]
    if episode.end() or episode.undated or stages[-1] in reached:
        return []
    found = []
    for stage in reached:
        came, place = episode.back_on(stage, stages), stages.index(stage)
        below = stages[place - 1 if place > episode.opened(stages) else 0]
        left = episode.back_on(below, stages) if below in reached else None
        if came and (left is None or left > came):
            found.append((below, episode.holder(reached[-1], stages), came, left))
    return found
