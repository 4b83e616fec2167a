"""Money and plans simulated: ranges at maturity, colours of many campaigns, forecasts of open leads, plans."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pandas as pd
from backends import funnel_of
from claims import Claim

from funnelstats.statistics.maturity import deals_to_come
from funnelstats.statistics.revenue import returns

WAY = funnel_of("lead", "paid", days=[60])
BOUGHT = 0.2
"""Share of leads that are won, on any of 60 days."""
Draw = Callable[[np.random.Generator, int], npt.NDArray[np.float64]]
DEALS: dict[str, Draw] = {
    "all alike": lambda _random, n: np.ones(n),
    "gamma": lambda random, n: random.gamma(2, 0.5, n),
    "exponential": lambda random, n: random.exponential(1, n),
    "lognormal, sigma 1": lambda random, n: random.lognormal(-0.5, 1, n),
    "lognormal, sigma 2": lambda random, n: random.lognormal(-2, 2, n),
}
"""Deals of 1 on average."""


def came(random: np.random.Generator, leads: int, youngest: int, oldest: int) -> pd.DataFrame:
    """Leads of so many days of age, what became of them so far and whether they will be won."""
    age = random.integers(youngest, oldest + 1, leads)
    will, on = random.random(leads) < BOUGHT, random.integers(1, 61, leads)
    refused = ~will & (random.random(leads) < 0.6)
    done = (will | refused) & (on <= age)
    frame = pd.DataFrame({"from_stage": "lead", "age_days": np.where(done, on, age)})
    return frame.assign(advanced=done & will, lost=done & refused, open=~done)


def channels_of(random: np.random.Generator, channels: int, deals: int, draw: Draw) -> tuple[pd.DataFrame, ...]:
    """`money_counts` of channels whose leads came in the last 60 days, and `deals_to_come` as older ones tell it.

    Half of the deals to come have come, so many on average.
    """
    leads = round(2 * deals / BOUGHT)
    rows = came(random, channels * leads, 0, 60).assign(channel=np.repeat(np.arange(channels), leads))
    rows["paid"] = rows["advanced"] * draw(random, len(rows))
    each, paid = rows.groupby("channel"), rows[rows["advanced"]].groupby("channel")["paid"]
    counts = pd.DataFrame({"leads": each.size(), "won": each["advanced"].sum(), "deals": each["advanced"].sum()})
    counts = counts.assign(revenue=each["paid"].sum(), returned=0.0, biggest=paid.max())
    counts = counts.assign(lead_mean=each["paid"].mean(), lead_var=each["paid"].var())
    counts = counts.assign(deal_mean=paid.mean(), deal_var=paid.var()).reset_index()
    before = came(random, 4 * len(rows), 61, 200).assign(channel=np.repeat(np.arange(channels), 4 * leads))
    keys, ends = ["channel", "from_stage", "age_days"], ["advanced", "lost", "open"]
    young, past = (part.groupby(keys, as_index=False)[ends].sum() for part in (rows, before))
    past = pd.concat([young, past]).groupby(keys, as_index=False)[ends].sum()
    return counts, deals_to_come(young, past, WAY)


def pages_of(
    random: np.random.Generator, pages: int, channels: int, deals: int, draw: Draw, better: float = 1.0
) -> list[pd.DataFrame]:
    """`returns` of pages of channels for which truly as much comes back as was spent; ``better`` in the first one."""
    counts, to_come = channels_of(random, pages * channels, deals, draw)
    truth = float(counts["leads"].iloc[0]) * BOUGHT
    found = []
    for page in range(pages):
        rows = counts.iloc[page * channels : (page + 1) * channels]
        spend = pd.DataFrame({"channel": rows["channel"], "spend": truth})
        spend.iloc[0, 1] = truth / better
        result = returns(rows, spend, to_come[to_come["channel"].isin(rows["channel"])])
        found.append(result.assign(first=result["channel"] == page * channels))
    return found


def money_at_maturity() -> list[Claim]:
    """Revenue so far and to come share one mean deal: the range of a channel's true return, half of its leads open."""
    claims, random = [], np.random.default_rng(31)
    for name, draw in DEALS.items():
        heavy = name.endswith("2")
        for deals in (6, 20, 100):
            rows = pd.concat(pages_of(random, 60, 5, deals, draw))
            rows = rows[rows["deals"] >= 3]
            held = ((rows["back_lower"] <= 1) & (rows["back_upper"] >= 1)).mean()
            limits = (None, None) if heavy else (0.92, 0.99)
            claims.append(
                Claim("Return at maturity: range", f"deals {name}, {deals} so far", ".95", float(held), *limits)
            )
    return claims


def colours_of_campaigns() -> list[Claim]:
    """Twenty-five campaigns, all at break-even, or one of them far from it."""
    claims, random = [], np.random.default_rng(32)
    asked = "≤ .10 of tables"
    for name in ("exponential", "lognormal, sigma 1"):
        for deals in (6, 20, 60):
            pages = pages_of(random, 100, 25, deals, DEALS[name])
            coloured = float(np.mean([page["verdict"].isin(["red", "green"]).any() for page in pages]))
            setting = f"25 campaigns at break-even, deals {name}, {deals} so far"
            claims.append(Claim("Any campaign coloured falsely", setting, asked, coloured, 0.0, 0.15))
            alone = [((page["back_lower"] > 1) | (page["back_upper"] < 1))[page["deals"] >= 3].any() for page in pages]
            claims.append(Claim("— each judged by its own range", setting, asked, float(np.mean(alone))))
    for better in (0.4, 0.5, 2.0, 3.0):
        pages = pages_of(random, 60, 25, 40, DEALS["lognormal, sigma 1"], better)
        seen = np.mean([page.loc[page["first"], "verdict"].isin(["red", "green"]).any() for page in pages])
        setting = f"1 of 25 campaigns brings {better:g} for 1, 40 deals so far, lognormal, sigma 1"
        claims.append(Claim("A campaign's colour is seen", setting, "", float(seen)))
        alone = [((page["back_lower"] > 1) | (page["back_upper"] < 1))[page["first"]].any() for page in pages]
        claims.append(Claim("— judged by its own range", setting, "", float(np.mean(alone))))
    return claims
