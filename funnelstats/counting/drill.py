"""The leads behind the numbers of one manager's page: the same leads, one by one."""

from __future__ import annotations

from datetime import date

import ibis
import ibis.expr.types as ir
import pandas as pd

from funnelstats.counting.counts import fetch, named, on_date
from funnelstats.stated.dates import checked_between
from funnelstats.stated.funnel import Funnel
from funnelstats.stated.shared import shared

LEADS = ["lead_id", "episode", "from_stage", "to_stage", "entered_on", "outcome", "days", "judged"]
OUTCOME_WORDS = {
    "in_time": "advanced in time",
    "late": "advanced late",
    "lost": "lost",
    "nurture": "returned to marketing",
    "moved_away": "went back",
    "won": "won, the day is not known",
    "still_there": "still there",
    "too_recent": "too recent",
}
"""What became of a lead at a step; too recent: still there, and its days are not over."""


def cell_leads(
    journeys: ir.Table, funnel: Funnel, as_of: date, manager: str, *, entered_between: tuple[date, date]
) -> pd.DataFrame:
    """A manager's leads that entered a step within the dates, first and last included, and what became of each.

    One row for each lead, episode and step that the manager owned at its entry: as many as the step's ``entered``
    on the page. ``judged`` where the step's days are over at ``as_of``: those make the matured rate, with those that
    advanced in time as its numerator; the others are the page's too recent ones, whatever they did meanwhile.

    Returns lead_id, episode, from_stage, to_stage, entered_on, outcome (a value of OUTCOME_WORDS), days (until it
    left, or until ``as_of``; missing for a stage that was skipped, or left before it was entered), judged; by step,
    then by day of entry.
    """
    leads = _all_leads(journeys, funnel, as_of, entered_between)
    return leads.loc[leads["manager"] == manager, LEADS].reset_index(drop=True)


@shared
def _all_leads(journeys: ir.Table, funnel: Funnel, as_of: date, entered_between: tuple[date, date]) -> pd.DataFrame:
    """Everybody's, with whose it was as `manager`: counted once for the pages of all managers."""
    first, last = checked_between(entered_between, "entered_between")
    today = on_date(as_of)
    rows = journeys.filter(
        (journeys.place < len(funnel.steps))
        & journeys.entered_on.between(on_date(first), on_date(last))
        & (journeys.entered_on <= today)
    )
    gone = (rows.left_on <= today).fill_null(False)
    rows = rows.mutate(
        horizon=rows.place.cases(*enumerate(step.horizon_days for step in funnel.steps)),
        gone=gone,
        left_days=gone.ifelse(rows.left_on, today).delta(rows.entered_on, unit="day"),
        age=today.delta(rows.entered_on, unit="day"),
    )
    advanced = rows.gone & (rows.outcome == "advanced")
    outcome = ibis.cases(
        (advanced & (rows.left_days <= rows.horizon), "in_time"),
        (advanced, "late"),
        (rows.gone & rows.outcome.notnull(), rows.outcome),
        (rows.age >= rows.horizon, "still_there"),
        else_="too_recent",
    )
    frame = fetch(
        rows.select(
            *("lead_id", "episode", "manager", "place", "entered_on"),
            outcome=outcome,
            days=rows.timed.ifelse(rows.left_days, ibis.null("int64")),
            judged=rows.age >= rows.horizon,
        )
    )
    frame = frame.sort_values(["place", "entered_on", "lead_id", "episode"]).reset_index(drop=True)
    return frame.assign(
        from_stage=named(frame["place"], funnel.stages),
        to_stage=named(frame["place"] + 1, funnel.stages),
        outcome=frame["outcome"].map(OUTCOME_WORDS).astype("str"),
        days=frame["days"].astype("float64"),
        episode=frame["episode"].astype("int64"),
        judged=frame["judged"].astype("bool"),
    )
