"""Seconds of the processor for incidences of 100 groups: `python benchmarks/incidence.py [leads]`, 1,000,000 if none.

From one row a lead (group, days, how it ended) to the share that advanced by each day: this package, counting the rows
by day first, beside scikit-survival, which takes one group at a time. Stops where shares differ.
"""

from __future__ import annotations

import sys
import time

import numpy as np
import pandas as pd
from sksurv.nonparametric import cumulative_incidence_competing_risks

import funnelstats as fs
from funnelstats.core.incidence import OUTCOMES

GROUPS = 100


def random_leads(leads, rng):
    ends = np.column_stack([rng.geometric(p, leads) for p in (0.03, 0.02, 0.01)])
    return pd.DataFrame({"manager": rng.integers(0, GROUPS, leads), "age_days": ends.min(1), "end": ends.argmin(1)})


def ours(leads):
    ends = pd.get_dummies(leads["end"]).astype("int64").set_axis(OUTCOMES, axis=1)
    rows = pd.concat([leads[["manager", "age_days"]], ends], axis=1)
    days = rows.groupby(["manager", "age_days"], as_index=False).sum().assign(from_stage="lead")
    return fs.incidence(days).groupby("manager")["incidence"].max()


def scikit_survival(leads):
    # its first end is 1, and 0 are those still watched
    return leads.groupby("manager")[["age_days", "end"]].apply(
        lambda rows: cumulative_incidence_competing_risks((rows["end"] + 1) % 3, rows["age_days"])[1][1, -1]
    )


def main(leads=1_000_000):
    rows, found, seconds = random_leads(leads, np.random.default_rng(1)), [], []
    for way in (ours, scikit_survival):
        started = time.process_time()
        found.append(way(rows))
        seconds.append(time.process_time() - started)
    np.testing.assert_allclose(*found)
    print(f"{leads:,} leads, {GROUPS} groups: {seconds[0]:.2f} s, scikit-survival {seconds[1]:.2f} s", end="")
    print(f", {seconds[1] / seconds[0]:.1f} times as many")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
