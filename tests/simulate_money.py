"""Money and plans simulated: ranges at maturity, colours of many campaigns, forecasts of open leads, plans."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from backends import funnel_of
from claims import Claim
from scipy import stats

from funnelstats.money.revenue import deals_to_come, returns
from funnelstats.plan.forecast import ALL, day_curves, forecast_open, new_lead, plan_rates
from funnelstats.plan.goals import Goal, plan_window, scatter_window, working_days
from funnelstats.plan.plan import plan_leads

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


STEPS = funnel_of("lead", "met", "offered", "paid", days=[20, 30, 30])
AT_LAST, USUAL_DAYS = (0.7, 0.5, 0.6), (8.0, 12.0, 12.0)
"""Share of leads that pass each step at last, and the days it takes on average; some pass later than agreed."""
AS_OF = date(2026, 6, 28)
LONG = 160


class Way(NamedTuple):
    """How leads truly go: by step and day since entry, the shares that move and that are lost."""

    moves: npt.NDArray[np.float64]
    lost: npt.NDArray[np.float64]

    @property
    def stays(self) -> npt.NDArray[np.float64]:
        return 1 - (self.moves + self.lost).cumsum(axis=1)

    def won(self, ahead: int) -> npt.NDArray[np.float64]:
        """By stage, the share won within so many days of its entry."""
        won = np.ones((len(self.moves) + 1, ahead + 1))
        for place in reversed(range(len(self.moves))):
            won[place] = np.convolve(self.moves[place, : ahead + 1], won[place + 1])[: ahead + 1]
        return won


def way(*, late: bool = True) -> Way:
    """Days of gamma's shape, to be moved or lost; without late ones all is over at the horizon."""
    moves = np.zeros((len(AT_LAST), LONG))
    shape = np.zeros_like(moves)
    for place, (usual, step) in enumerate(zip(USUAL_DAYS, STEPS.steps, strict=True)):
        shape[place] = np.diff(stats.gamma(1.5, scale=usual / 1.5).cdf(np.arange(LONG + 1)))
        if not late:
            shape[place, step.horizon_days + 1 :] = 0
    shape /= shape.sum(axis=1, keepdims=True)
    share = np.array(AT_LAST)[:, None]
    return Way(shape * share, shape * (1 - share) * 0.8)


def history(random: np.random.Generator, truth: Way, a_day: float, days: int = 500) -> npt.NDArray[np.float64]:
    """The day each lead entered each stage, day 0 being the last one known; then the day it was lost. inf: never."""
    leads = random.poisson(a_day * days)
    entered = np.full((leads, len(truth.moves) + 2), np.inf)
    entered[:, 0] = random.integers(-days, 1, leads)
    for place in range(len(truth.moves)):
        here = np.flatnonzero(np.isfinite(entered[:, place]))
        cells = np.concatenate([truth.moves[place], truth.lost[place]])
        drawn = np.searchsorted(cells.cumsum(), random.random(len(here)), side="right")
        moves, lost = drawn < LONG, (drawn >= LONG) & (drawn < 2 * LONG)
        entered[here[moves], place + 1] = entered[here[moves], place] + drawn[moves]
        entered[here[lost], -1] = entered[here[lost], place] + drawn[lost] - LONG
    return entered


def frames_of(entered: npt.NDArray[np.float64]) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """`outcome_days` of the window, `step_counts` by week of a longer one, and `open_leads`, as known on day 0."""
    days, weeks, waiting = [], [], []
    back, long = ((first - AS_OF).days for first, _last in (plan_window(AS_OF, STEPS), scatter_window(AS_OF, STEPS)))
    for place, step in enumerate(STEPS.steps):
        came, moved, lost = entered[:, place], entered[:, place + 1], entered[:, -1]
        known = came <= 0
        frame = pd.DataFrame({"came": came, "advanced": moved <= 0, "lost": (lost <= 0) & ~np.isfinite(moved)})[known]
        left = np.where(frame["advanced"], moved[known], np.where(frame["lost"], lost[known], 0))
        frame = frame.assign(age_days=left - frame["came"], open=~frame["advanced"] & ~frame["lost"])
        frame.insert(0, "from_stage", step.from_stage)
        frame = frame.astype(dict.fromkeys(("age_days", "advanced", "lost", "open"), "int64"))
        by = frame[frame["came"] >= back].groupby(["from_stage", "age_days"], as_index=False)
        days.append(by[["advanced", "lost", "open"]].sum())
        old = frame[(frame["came"] >= long) & (frame["came"] <= -step.horizon_days)]
        week = old.assign(
            week=old["came"] // 7, converted=old["advanced"] * (old["age_days"] <= step.horizon_days), entered=1
        )
        weeks.append(week.groupby(["from_stage", "week"], as_index=False)[["entered", "converted"]].sum())
        still = frame[frame["open"] == 1]
        waiting.append(still.groupby(["from_stage", "age_days"], as_index=False)["open"].sum())
    return pd.concat(days), pd.concat(weeks), pd.concat(waiting).reset_index(drop=True)


def chances_of(waiting: pd.DataFrame, truth: Way, ahead: int) -> npt.NDArray[np.float64]:
    """For each row of open leads, the true chance of one of them to be won by then."""
    won, wait = truth.won(ahead), np.arange(1, ahead + 1)
    moves = np.pad(truth.moves, ((0, 0), (0, ahead + LONG)))
    found = []
    for stage, age in zip(waiting["from_stage"], waiting["age_days"], strict=True):
        place = STEPS.stages.index(stage)
        stay = truth.stays[place, min(age, LONG - 1)]
        found.append(moves[place, age + wait] @ won[place + 1][ahead - wait] / stay if age < LONG - 1 else 0.0)
    return np.array(found)


def distribution(many: npt.ArrayLike, chances: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Shares of 0, 1, 2, ... deals of leads with these chances."""
    n, q = np.asarray(many, dtype=float), np.asarray(chances, dtype=float)
    size = int(n.sum()) + 1
    turn = np.exp(-2j * np.pi * np.arange(size) / size)
    return np.maximum(np.fft.ifft(np.exp((n[:, None] * np.log1p(q[:, None] * (turn - 1))).sum(axis=0))).real, 0)


def planned(random: np.random.Generator, truth: Way, a_day: float, ahead: int) -> dict[str, float]:
    """One plan for as many deals as are to be expected: what it promises and what it delivers, by the true chances."""
    days, weeks, waiting = frames_of(history(random, truth, a_day))
    worked = (working_days(Goal(1, AS_OF, AS_OF + timedelta(days=ahead)), STEPS) - pd.Timestamp(AS_OF)).days.to_numpy()
    new = float(truth.won(ahead)[0][ahead - worked].mean())
    old = chances_of(waiting, truth, ahead)
    goal = Goal(round((waiting["open"] * old).sum() + a_day * ahead * new), AS_OF, AS_OF + timedelta(days=ahead))
    rates, curves = plan_rates(days, weeks, STEPS), day_curves(days, STEPS, goal)
    forecast, of_open = forecast_open(waiting, curves, rates, goal)
    lead = new_lead(curves, rates, STEPS, goal, 13)
    plan = plan_leads(forecast, of_open, lead, goal, probabilities=(0.8, 0.9, 0.95)).set_index("plan")["leads"]
    total = forecast.set_index("stage").loc[ALL]
    shares = distribution(waiting["open"], old)
    within = shares[int(total["deals_lower"]) : int(total["deals_upper"]) + 1].sum()
    found = {"held": within, "expected": total["expected"], "true": (waiting["open"] * old).sum()}
    for sure in ("80%", "90%", "95%"):
        made = distribution([*waiting["open"], plan[sure]], [*old, new])
        found |= {sure: made[goal.deals :].sum(), f"leads {sure}": plan[sure] / (a_day * ahead)}
    return found


def plans() -> list[Claim]:
    """Whole plans of three steps, some leads later than agreed: what open leads bring, and how often the goal is made.

    The deals that come are summed over their true chances; only the past is drawn.
    """
    claims, random = [], np.random.default_rng(33)
    for a_day, ahead in ((2, 60), (6, 60)):
        found = pd.DataFrame([planned(random, way(), a_day, ahead) for _ in range(30)])
        setting = f"{a_day} leads a day, {ahead} days ahead"
        share = float(found["expected"].sum() / found["true"].sum())
        claims.append(Claim("Deals of open leads: forecast / truth", setting, "1", share, 0.95, 1.05))
        claims.append(Claim("Deals of open leads: range", setting, ".95", float(found["held"].mean()), 0.93, 0.99))
        for sure in ("80%", "90%", "95%"):
            asked = float(sure.strip("%")) / 100
            made = float(found[sure].mean())
            claims.append(
                Claim(f"Plans of {sure} certainty make the goal", setting, f"{asked:g}", made, asked - 0.03, 0.99)
            )
    return claims
