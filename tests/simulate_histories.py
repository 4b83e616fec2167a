"""What the shape of a history does to rates, durations and flows: reopened leads, backdated wins, skipped stages.

The earlier rule is the same count of a history that states what the rule took for granted.
"""

from __future__ import annotations

from datetime import date

import ibis
import numpy as np
import numpy.typing as npt
import pandas as pd
from backends import entries_frame, funnel_of, table
from claims import Claim

from funnelstats.core.counts import outcome_days, step_counts
from funnelstats.core.flow_counts import stage_flow
from funnelstats.core.incidence import days_in_stage, incidence, incidence_at
from funnelstats.core.journeys import journeys

FUNNEL = funnel_of("lead", "met", "paid", days=21)
QUARTER = (date(2026, 1, 5), date(2026, 4, 5))
LONG_AFTER = date(2026, 12, 31)


def reopened_leads() -> list[Claim]:
    """Leads of which 60 % are met and half of those refused; a share of the refused comes back at the meeting."""
    claims, rate = [], 0.6
    for again in (0.2, 0.8):
        rng, leads = np.random.default_rng(71), 4000
        begun, met, lost = _days(rng, leads, 0, 90), _days(rng, leads, 1, 14), _days(rng, leads, 15, 40)
        moved = rng.random(leads) < rate
        refused = rng.random(leads) < np.where(moved, 0.5, 1)
        back = moved & refused & (rng.random(leads) < again)
        rows = [
            _rows("lead", begun, np.full(leads, True)),
            _rows("met", begun + met, moved),
            _rows("lost", begun + lost, refused),
            _rows("met", begun + lost + 5, back),
        ]
        setting = f"4,000 leads, {again:.0%} of those refused after the meeting come back at it"
        # the earlier rule: who comes back at a stage has come to each one before it at the same time
        ways = [_paths(part) for part in (rows, [*rows, _rows("lead", begun + lost + 5, back)])]
        now, before = (
            float(incidence_at(incidence(outcome_days(way, FUNNEL, LONG_AFTER)), FUNNEL)["rate"].iloc[0])
            for way in ways
        )
        later = (date(2026, 5, 1), LONG_AFTER)
        few, many = (
            float(step_counts(way, FUNNEL, LONG_AFTER, entered_between=later)["entered"].iloc[0]) for way in ways
        )
        claims += [
            Claim("Rate of the step before that", setting, f"{rate:.3f}", now, rate - 0.02, rate + 0.02),
            Claim("— the step passed again in 0 days, as it was before", setting, f"{rate:.3f}", before),
            Claim("Leads judged at it in weeks without a new lead", setting, "0", few, 0, 0),
            Claim("— as it was before", setting, "0", many),
        ]
    return claims


def backdated_and_skipped() -> list[Claim]:
    """Leads that pay; a share of the meetings is never logged, a share of the wins of others dated before
    the lead came in."""
    claims = []
    for odd in (0.1, 0.3):
        rng, leads = np.random.default_rng(72), 4000
        begun, met, paid = _days(rng, leads, 20, 60), rng.geometric(1 / 4, leads), rng.geometric(1 / 10, leads)
        drawn = rng.random(leads)
        skipped, backdated = drawn < odd, drawn > 1 - odd
        everybody = np.full(leads, True)
        wins = np.where(backdated, begun - 40, begun + met + paid)
        paths = _paths([_rows("lead", begun, everybody), _rows("met", begun + met, ~skipped),
                        _rows("paid", wins, everybody)])  # fmt: skip
        truth = float(np.median(paid))
        setting = f"4,000 leads, {odd:.0%} of the meetings not logged, {odd:.0%} of the wins dated before the lead"
        for what, rows in (
            ("Days at the stage, median", paths.filter(paths.timed)),
            ("— with 0 days of skipped and backdated stays, as it was before", paths),
        ):
            days = days_in_stage(outcome_days(rows, FUNNEL, LONG_AFTER), [0.5])
            found = days.loc[days["from_stage"] == "met", "days"].item()
            limits = () if what.startswith("—") else (truth - 0.5, truth + 0.5)
            claims.append(Claim(what, setting, f"{truth:.0f}", float(found), *limits))
        # the earlier rule: a stay ends on the day that the win is dated
        typed = ibis.memtable(pd.DataFrame({"lead_id": _names(leads), "typed": pd.to_datetime(_dates(wins))}))
        dated = paths.join(typed, "lead_id").mutate(
            left_on=(ibis._.place == 1).ifelse(ibis._.typed.date(), ibis._.left_on)
        )
        for what, rows in (("Wins in the flow, of all", paths), ("— by the day typed, as it was before", dated)):
            flow = stage_flow(rows, FUNNEL, QUARTER[0], LONG_AFTER).set_index("stage").loc["met"]
            limits = () if what.startswith("—") else (1, 1)
            claims.append(Claim(what, setting, "1", float(flow["advanced"] / leads), *limits))
    return claims


def _days(rng: np.random.Generator, leads: int, first: int, last: int) -> npt.NDArray:
    return rng.integers(first, last, leads)


def _names(leads: int) -> list[str]:
    return [f"L{number:04d}" for number in range(leads)]


def _dates(days: npt.NDArray) -> pd.DatetimeIndex:
    return pd.Timestamp(QUARTER[0]) + pd.to_timedelta(days, unit="D")


def _rows(stage: str, days: npt.NDArray, whose: npt.NDArray) -> pd.DataFrame:
    frame = pd.DataFrame({"lead_id": _names(len(days)), "stage": stage, "entered_at": _dates(days).astype(str)})
    return frame[whose]


def _paths(rows: list[pd.DataFrame]) -> ibis.Table:
    frame = entries_frame(pd.concat(rows).itertuples(index=False, name=None))
    return journeys(table(ibis.duckdb.connect(), frame), FUNNEL).cache()


SIMULATIONS = (reopened_leads, backdated_and_skipped)
