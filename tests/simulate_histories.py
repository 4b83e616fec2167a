"""What the shape of a history does to rates, durations and flows: reopened leads, backdated wins, skipped stages."""

import contextlib
import tempfile
from collections.abc import Callable
from datetime import date

import ibis
import numpy as np
import numpy.typing as npt
import pandas as pd
from backends import entries_frame, funnel_of, table
from claims import Claim
from projects import NAME, prepared

from funnelstats.config.errors import FunnelError
from funnelstats.core.counts import outcome_days, step_counts
from funnelstats.core.flow_counts import stage_flow
from funnelstats.core.incidence import days_in_stage, incidence, incidence_at
from funnelstats.core.journeys import journeys
from funnelstats.importing.opening import last_day, open_funnel, read_quality

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
        paths, later = _paths(rows), (date(2026, 5, 1), LONG_AFTER)
        found = float(incidence_at(incidence(outcome_days(paths, FUNNEL, LONG_AFTER)), FUNNEL)["rate"].iloc[0])
        judged = float(step_counts(paths, FUNNEL, LONG_AFTER, entered_between=later)["entered"].iloc[0])
        claims += [
            Claim("Rate of the step before that", setting, f"{rate:.3f}", found, rate - 0.02, rate + 0.02),
            Claim("Leads judged at it in weeks without a new lead", setting, "0", judged, 0, 0),
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
        days = days_in_stage(outcome_days(paths.filter(paths.timed), FUNNEL, LONG_AFTER), [0.5])
        found = float(days.loc[days["from_stage"] == "met", "days"].item())
        flow = stage_flow(paths, FUNNEL, QUARTER[0], LONG_AFTER).set_index("stage").loc["met"]
        claims += [
            Claim("Days at the stage, median", setting, f"{truth:.0f}", found, truth - 0.5, truth + 0.5),
            Claim("Wins in the flow, of all", setting, "1", float(flow["advanced"] / leads), 1, 1),
        ]
    return claims


def damaged_exports() -> list[Claim]:
    """Exports of 150 leads, each damaged in one or two ways drawn at random, in a twentieth or a third of its rows."""
    rng, runs = np.random.default_rng(73), 30
    off, silent = 0, 0
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for _ in range(runs):
            clean = _history(rng, 150)
            rows = clean
            for damage in rng.choice(len(DAMAGES), rng.integers(1, 3), replace=False):
                rows = DAMAGES[damage](rows, rng.random(len(rows)) < rng.choice([0.05, 0.33]))
            came = clean[clean["stage"] == "lead"].rename(columns={"lead_id": "id", "entered_at": "created"})
            files = {"leads.csv": came[["id", "created"]].to_csv(index=False),
                     "entries.csv": rows.set_axis(["id", "stage", "at"], axis=1).to_csv(index=False)}  # fmt: skip
            try:
                prepared(files=files)
            except FunnelError:
                continue
            funnel, tables = open_funnel(NAME)
            true = table(ibis.duckdb.connect(), entries_frame(clean.itertuples(index=False, name=None)))
            rates, truth = (
                incidence_at(incidence(outcome_days(journeys(entries, funnel), funnel, day)), funnel)["rate"]
                for entries, day in (
                    (tables.entries, last_day(tables, funnel)),
                    (true, date.fromisoformat(clean["entered_at"].max()[:10])),
                )
            )
            if not np.allclose(rates, truth, atol=0.005):
                off += 1
                quality = read_quality(NAME)
                silent += not quality.facts and quality.set_aside.empty
    setting = "exports of 150 leads, damaged in one or two of ten ways"
    return [
        Claim("Rates read that are off by half a point or more", setting, "", off / runs),
        Claim("Those without a remark or a row set aside", setting, "0", silent / runs, 0, 0),
    ]


def _history(rng: np.random.Generator, leads: int) -> pd.DataFrame:
    begun, met, ended = _days(rng, leads, 0, 75), _days(rng, leads, 1, 10), _days(rng, leads, 11, 30)
    moved, won, lost = rng.random((3, leads)) < [[0.6], [0.5], [0.7]]
    ways = {"lead": (begun, moved | True), "met": (begun + met, moved), "paid": (begun + ended, moved & won),
            "lost": (begun + ended, lost & ~(moved & won))}  # fmt: skip
    return pd.concat([_rows(stage, *way) for stage, way in ways.items()], ignore_index=True).assign(
        entered_at=lambda rows: rows["entered_at"].str[:10] + " 11:00"
    )


Damage = Callable[[pd.DataFrame, npt.NDArray], pd.DataFrame]


def _changed(name: str, value: str, *stages: str) -> Damage:
    """Another value in the rows hit, of these stages or all."""
    return lambda rows, hit: rows.assign(
        **{name: rows[name].mask(hit & (rows["stage"].isin(stages) if stages else True), value)}
    )


DAMAGES: tuple[Damage, ...] = (
    _changed("entered_at", "", "paid"),
    _changed("entered_at", "", "lost"),
    _changed("entered_at", "", "met"),
    _changed("entered_at", "soon"),
    _changed("entered_at", "2025-12-01 11:00", "paid"),
    _changed("stage", "met (old)", "met"),
    lambda rows, hit: rows[~hit | (rows["stage"] != "lead")],
    lambda rows, hit: rows[
        (rows["stage"] == "lost") | ~rows["lead_id"].isin(rows.loc[hit & (rows["stage"] == "lost"), "lead_id"])
    ],
    lambda rows, hit: pd.concat([rows, rows[hit]], ignore_index=True),
    lambda rows, hit: rows.assign(entered_at=rows["entered_at"].mask(hit.cumsum() == 1, "2062-06-01 11:00")),
)
"""Days missing or not readable, wins dated too early, a stage renamed, the first stage not logged, refused leads with
their end alone, rows twice, a date far ahead."""


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


SIMULATIONS = (reopened_leads, backdated_and_skipped, damaged_exports)
