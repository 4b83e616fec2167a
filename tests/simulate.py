"""The error rates that the pages state, simulated with fixed seeds; docs/simulations.md is made of them.

Each simulation returns claims; a claim says what was asked for, what was found and between which numbers that must
lie. Limits of None: the number is told, nothing is promised. Sums over all outcomes are used instead of draws where
there are few enough.
"""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import simulate_dating
import simulate_histories
import simulate_scatter
from claims import FLOORS, HALF_YEAR, LEADS, STAGES, WINDOW, Claim, funnel_of, page_of
from scipy import optimize, special, stats
from simulate_money import colours_of_campaigns, money_at_maturity, plans
from simulate_wording import THREE_ANSWERS

from funnelstats.core.comparing import benjamini_hochberg, holm, mid_p, versus_target
from funnelstats.core.incidence import incidence, incidence_at
from funnelstats.core.intervals import mover_difference, wilson_interval
from funnelstats.team.changes import e_alarms, e_values, explain_change, shapley_effects
from funnelstats.team.coaching import coaching_pairs, log_likelihood, shrunken_rates
from funnelstats.team.leaks import leak_sizes

PAGE = Path(__file__).parents[1] / "docs" / "simulations.md"


def one_conversion() -> list[Claim]:
    """Wilson's interval: exact sums."""
    claims = []
    for n in (5, 15, 50, 100):
        k = np.arange(n + 1)
        lower, upper = wilson_interval(k, n)
        # over p ~ U(0, 1) each k is as likely as any other, and p given k is Beta(k + 1, n - k + 1)
        held = special.betainc(k + 1, n - k + 1, upper) - special.betainc(k + 1, n - k + 1, lower)
        claims.append(Claim("Wilson's interval", f"{n} leads, all rates", ".95", held.mean(), 0.93, 0.97))
        width = special.ndtri(0.975) * np.sqrt(k * (n - k) / n**3)
        lower, upper = np.clip(k / n - width, 0, 1), np.clip(k / n + width, 0, 1)
        held = special.betainc(k + 1, n - k + 1, upper) - special.betainc(k + 1, n - k + 1, lower)
        claims.append(Claim("— Wald's instead", f"{n} leads, all rates", ".95", held.mean()))
    for n in (15, 50, 250):
        worst = min(
            stats.binom.pmf(k, n, p)[(lower <= p) & (p <= upper)].sum()
            for p in np.linspace(0.05, 0.95, 181)
            for k in [np.arange(n + 1)]
            for lower, upper in [wilson_interval(k, n)]
        )
        claims.append(Claim("Wilson's interval", f"{n} leads, the worst rate from 5 to 95 %", ".95", worst))
    return claims


def difference_of_two() -> list[Claim]:
    """The difference of two conversions (MOVER on Wilson): exact double sums over pairs of rates."""
    claims = []
    rates = np.array([0.5, 0.65, 0.8, 0.95])
    for first, second in ((15, 60), (40, 40), (250, 2000)):
        k1, k2 = np.arange(first + 1)[:, None], np.arange(second + 1)[None, :]
        l1, u1 = wilson_interval(k1, first)
        l2, u2 = wilson_interval(k2, second)
        p1, p2 = k1 / first, k2 / second
        lower, upper = mover_difference((p1, l1, u1), (p2, l2, u2))
        held = [
            (stats.binom.pmf(k1, first, a) * stats.binom.pmf(k2, second, b))[
                (lower <= a - b + 1e-12) & (a - b <= upper + 1e-12)
            ].sum()
            for a in rates
            for b in rates
        ]
        setting = f"{first} and {second} leads, rates 50 to 95 %"
        claims.append(Claim("Difference of two rates", setting, ".95", float(np.mean(held)), 0.93, 0.97))
    return claims


def leads_on_their_way() -> list[Claim]:
    """The rate by the horizon with open leads: each history is a group of one frame, leads come in over 91 days."""
    claims = []
    for leads, rate, horizon, lost, lowest in (
        (15, 0.05, 60, 50, 0.93),
        (15, 0.20, 60, 50, 0.93),
        (60, 0.05, 60, 50, 0.93),
        (20, 0.95, 30, 20, 0.93),
        (60, 0.80, 21, 20, 0.93),
        (250, 0.80, 21, 20, 0.93),
        (30, 0.80, 60, 50, 0.92),
        (60, 0.80, 60, 50, 0.93),
        (240, 0.80, 60, 50, 0.93),
        # the longest that a window of 13 weeks allows, and what it allowed before
        (150, 0.30, 63, 40, 0.92),
        (150, 0.30, 90, 40, None),
    ):
        rng = np.random.default_rng(14)
        shape = (6000, leads)
        wins = rng.random(shape) < rate
        ages = np.where(wins, rng.integers(0, horizon + 1, shape), np.minimum(rng.geometric(1 / lost, shape), 400))
        days = _day_counts(ages, wins, rng.integers(0, 91, shape))
        found = incidence_at(incidence(days), funnel_of((0.8,), horizon=horizon))
        found = found[found["rate"].notna()]
        setting = f"{leads} leads in 13 weeks, rate {100 * rate:.0f} %, horizon {horizon}, lost after {lost} days"
        held = _held(found["ci_lower"], found["ci_upper"], rate)
        limits = () if lowest is None else (lowest, 0.97)
        claims.append(Claim("Rate by the horizon", setting, ".95", held, *limits))
        if leads == 15 and rate == 0.05:
            share = found["rate"].to_numpy()
            width = special.ndtri(0.975) * np.sqrt(share * (1 - share) / found["n_eff"].to_numpy())
            wald = _held(share - width, share + width, rate)
            claims.append(Claim("— Wald's limits instead", setting, ".95", wald))
    return claims


def usual_rates() -> list[Claim]:
    """What the usual shares say of one process: 200,000 leads over 13 weeks, wins and refusals at steady rates."""
    rng = np.random.default_rng(3)
    won, lost, horizon, leads = 0.0065, 0.02, 60, 200_000
    age = rng.geometric(won + lost, leads) - 1
    wins = rng.random(leads) < won / (won + lost)
    watched = rng.integers(0, 91, leads)
    truth = won / (won + lost) * (1 - (1 - won - lost) ** (horizon + 1))
    days = _day_counts(age[None], wins[None], watched[None])
    closed = age <= watched
    refused_as_open = days.assign(open=days["open"] + days["lost"], lost=0)
    rate, kaplan_meier = (
        incidence_at(incidence(frame.drop(columns="run")), funnel_of((0.8,), horizon))["rate"].item()
        for frame in (days, refused_as_open)
    )
    recent = watched < 56
    asked = f"{truth:.3f}"
    setting = "leads over 13 weeks, won by day 60"
    return [
        Claim("Rate by the horizon", setting, asked, rate, truth - 0.005, truth + 0.005),
        Claim("— won of all leads", setting, asked, (wins & closed).mean()),
        Claim("— won of the leads of the last 8 weeks", setting, asked, (wins & closed)[recent].mean()),
        Claim("— won of won and lost", setting, asked, (wins & closed).sum() / closed.sum()),
        Claim("— 1 − Kaplan–Meier, refused as still open", setting, asked, kaplan_meier),
    ]


def size_of_a_leak() -> list[Claim]:
    """Lost deals of three steps with their limits."""
    claims = []
    rates, floors = np.array([0.7, 0.65, 0.9]), (0.8, 0.8, 0.95)
    for leads in ((200, 180, 150), (40, 30, 20)):
        won = np.random.default_rng(4).binomial(leads, rates, (2000, 3))
        funnel, steps = funnel_of(floors), {"from_stage": STAGES[:3], "to_stage": STAGES[1:4], "entered": leads}
        found = pd.concat(leak_sizes(pd.DataFrame({**steps, "converted": case}), funnel) for case in won)
        true = found["from_stage"].map(
            dict(zip(STAGES, leads * (np.array(floors) - rates) * [0.65 * 0.9, 0.9, 1], strict=False))
        )
        inside = (found["lost_lower"] <= true) & (true <= found["lost_upper"])
        for stage, held in inside.groupby(found["from_stage"]).mean().reindex(STAGES[:3]).items():
            number = STAGES.index(str(stage))
            setting = f"{leads[number]} leads, rate {100 * rates[number]:.0f} %, floor {100 * floors[number]:.0f} %"
            claims.append(Claim("Deals lost", setting, ".95", float(held), 0.93, 0.97))
    return claims


def what_moved_the_total() -> list[Claim]:
    """Limits of a step's part in the change of the overall conversion."""
    rng = np.random.default_rng(20)
    rates, leads = np.array([[0.95, 0.8, 0.8], [0.95, 0.82, 0.65]]), np.array([150, 140, 110])
    true, runs = shapley_effects(*rates), 400
    held = np.zeros(3)
    for _ in range(runs):
        before, after = (page_of(leads, rng.binomial(leads, rate), steps=3).drop(columns="manager") for rate in rates)
        found = explain_change(before, after)
        held += (found["ci_lower"] <= true) & (true <= found["ci_upper"])
    setting = "110 to 150 leads a step, one step falls by 15 points"
    return [Claim("What each step added to a change", setting, ".95", held.mean() / runs, 0.93, 0.97)]


def small_teams() -> list[Claim]:
    """Full-Bayes intervals of managers, with the plain ones beside them."""
    rng = np.random.default_rng(6)
    held, width, plain, plugged = [], [], [], []
    for run in range(500):
        entered = rng.integers(15, 81, 12)
        truth = rng.beta(16, 4, 12)
        found = shrunken_rates(page_of(entered, rng.binomial(entered, truth)), seed=run)
        lower, upper = found["shrunken_lower"], found["shrunken_upper"]
        held.append(_held(lower, upper, truth))
        wilson = wilson_interval(found["converted"], found["entered"])
        width.append(float((upper - lower).mean()))
        plain.append(float((wilson[1] - wilson[0]).mean()))
        k, n = (found[column].to_numpy(dtype=float) for column in ("converted", "entered"))
        a, b = _likeliest_prior(k, n)
        plugged.append(_held(*stats.beta.ppf([[0.025], [0.975]], a + k, b + n - k), truth))
    setting = "12 managers of 15 to 80 leads"
    return [
        Claim("Shrunken rate", setting, ".95", float(np.mean(held)), 0.92, 0.97),
        Claim("— estimated prior plugged in", setting, ".95", float(np.mean(plugged))),
        Claim("Width of shrunken against Wilson's", setting, "below 1", float(np.mean(width) / np.mean(plain)), 0, 1),
    ]


def _likeliest_prior(k: npt.NDArray, n: npt.NDArray) -> tuple[float, float]:
    """The beta prior of greatest likelihood, as plain empirical Bayes takes it."""

    def prior(at: npt.NDArray) -> tuple[float, float]:
        return special.expit(at[0]) * np.exp(at[1]), special.expit(-at[0]) * np.exp(at[1])

    def cost(at: npt.NDArray) -> float:
        return -float(log_likelihood(*(np.asarray(part) for part in prior(at)), k, n))

    return prior(optimize.minimize(cost, [1.4, 3.0], bounds=[(-6, 6), (0, 12)]).x)


def false_reds() -> list[Claim]:
    """Pages of 40 cells with 5 to 60 leads, 10 of them 20 points below their floor, the others at it or above."""
    claims = []
    bad = np.arange(40) < 10
    for above, highest in ((0.5, 0.06), (0.0, 0.06)):
        for floor in (0.5, 0.8, 0.95):
            rng = np.random.default_rng(4)
            rate = np.where(bad, floor - 0.2, floor + above * (1 - floor) * np.linspace(0, 1, 40))
            false, points, found = [], [], []
            for _ in range(600):
                entered = rng.integers(5, 60, 40)
                converted = rng.binomial(entered, rate)
                red = (versus_target(page_of(entered, converted), funnel_of((floor,)))["verdict"] == "red").to_numpy()
                false.append(np.mean(~bad[red]) if red.any() else 0.0)
                found.append(np.mean(red[bad]))
                points.append(np.mean(~bad[converted / entered < floor]))
            spread = "spread above it" if above else "all exactly at it, the worst case"
            setting = f"floor {100 * floor:.0f} %, the good cells {spread}"
            claims.append(Claim("Reds that are false", setting, "≤ .05", float(np.mean(false)), 0, highest))
            if not above:
                clean = [
                    (versus_target(page_of(n, rng.binomial(n, floor)), funnel_of((floor,)))["verdict"] == "red").any()
                    for n in rng.integers(5, 60, (600, 40))
                ]
                setting = f"floor {100 * floor:.0f} %, all 40 cells exactly at it"
                # three standard errors of 600 pages above .05
                claims.append(Claim("Pages with any red", setting, "≤ .05", float(np.mean(clean)), 0, 0.08))
                setting = f"floor {100 * floor:.0f} %, the good cells {spread}"
                claims.append(Claim("— if below the target were enough", setting, "", float(np.mean(points))))
            else:
                claims.append(Claim("Real leaks of 20 points that are red", setting, "", float(np.mean(found))))
    return claims


def what_strictness_costs() -> list[Claim]:
    """Pages of 40 cells with 5 to 60 leads, 10 of them 20 points below: what is red by other rules, and what is named.

    A weak manager among nine good ones: in which week of the half-year the page first paints and first names.
    """
    rng = np.random.default_rng(4)
    bad = np.arange(40) < 10
    red = np.zeros(3)
    for _ in range(600):
        entered = rng.integers(5, 60, 40)
        page = versus_target(page_of(entered, rng.binomial(entered, np.where(bad, 0.6, 0.8))), funnel_of((0.8,)))
        adjusted = benjamini_hochberg(page["p_mid"])
        red += [np.mean(rule[bad]) for rule in (adjusted <= 0.1, adjusted <= 0.05, page["p_holm"] <= 0.05)]
    setting = "5 to 60 leads, 20 points below a floor of 80 %"
    claims = [
        Claim("Real leaks that are red, q = .10", setting, "", red[0] / 600),
        Claim("Real leaks that are red, q = .05 (the page)", setting, "", red[1] / 600),
        Claim("Real leaks that Holm's rule would name", setting, "", red[2] / 600),
    ]
    for points in (10, 20):
        runs, funnel = 300, funnel_of(FLOORS)
        rates = np.tile(np.array(FLOORS) + 0.03, (10, 1))
        rates[0, 1] = FLOORS[1] - points / 100
        entered = rng.poisson(LEADS, (runs, 10, HALF_YEAR, 4))
        converted = rng.binomial(entered, rates[:, None, :])
        weeks = _weeks(entered, converted)
        first = np.full((2, runs), np.inf)
        for week, monday in enumerate(weeks["week"].unique()):
            n, k = (counts[:, :, max(week - WINDOW + 1, 0) : week + 1].sum(axis=2) for counts in (entered, converted))
            evidence = e_alarms(weeks[weeks["week"] <= monday], funnel)["e_value"].to_numpy().reshape(runs, -1)
            p = mid_p(k, n, FLOORS).reshape(runs, -1)
            cell = 1
            painted = np.array([benjamini_hochberg(page)[cell] <= 0.05 for page in p])
            named = painted & np.array([holm(page)[cell] <= 0.05 for page in p]) & (evidence[:, cell] >= 20)
            first = np.minimum(first, np.where([painted, named], week + 1, np.inf))
        setting = f"{LEADS} leads a week, {points} points below a floor of 80 %"
        claims += [
            Claim("Weeks until the weak manager is red", setting, "", float(np.median(first[0]))),
            Claim("Weeks until the weak manager is named", setting, "", float(np.median(first[1]))),
        ]
    return claims


def size_of_one_test() -> list[Claim]:
    """How often one cell exactly at a floor of 95 % with 15 leads is rejected where 1 % is asked: exact sums."""
    k = np.arange(16)
    chance = stats.binom.pmf(k, 15, 0.95)
    score = special.ndtr((k / 15 - 0.95) / np.sqrt(0.95 * 0.05 / 15))
    setting = "15 leads, exactly at a floor of 95 %"
    return [
        Claim("One test at 1 %, mid-p", setting, "≤ .01", chance[mid_p(k, 15, 0.95) <= 0.01].sum(), 0, 0.01),
        Claim("One test at 1 %, score test instead", setting, "≤ .01", chance[score <= 0.01].sum()),
    ]


def _weeks(entered: npt.NDArray, converted: npt.NDArray) -> pd.DataFrame:
    """Counts (half-year, manager, week, step) as the frame of since_when."""
    runs, managers, weeks, steps = entered.shape
    labels = pd.MultiIndex.from_product(
        [range(runs), [f"M{number:02d}" for number in range(managers)], pd.date_range("2026-01-05", periods=weeks,
         freq="7D"), STAGES[:steps]], names=["half_year", "manager", "week", "from_stage"]
    )  # fmt: skip
    frame = labels.to_frame(index=False)
    after = dict(pairwise(STAGES))
    return frame.assign(to_stage=frame["from_stage"].map(after), entered=entered.ravel(), converted=converted.ravel())


def leaks_that_begin_later() -> list[Claim]:
    """E-values of a step with 13 leads a week that falls from 84 to 67 % against 80 after 20 good weeks."""
    rng = np.random.default_rng(9)
    runs, good, later = 2000, 20, 12
    won = rng.binomial(13, np.repeat([0.84, 0.67], [good, later]), (runs, good + later))
    weeks = _weeks(np.full((runs, 1, good + later, 1), 13), won[:, None, :, None])
    mixed, plain = np.zeros((2, runs), dtype=bool)
    for week, monday in enumerate(weeks["week"].unique()):
        if week >= good:
            mixed |= (e_alarms(weeks[weeks["week"] <= monday], funnel_of((0.8,)))["e_value"] >= 20).to_numpy()
            plain |= e_values(won[:, : week + 1].sum(axis=1), 13 * (week + 1), 0.8) >= 20
    setting = "13 leads a week, 84 % for 20 weeks, then 67 %, floor 80 %"
    return [
        Claim("Found by the e-value within 12 weeks", setting, "", mixed.mean(), 0.4, 0.6),
        Claim("— without mixing over the week it began", setting, "", plain.mean()),
    ]


def nothing_to_teach() -> list[Claim]:
    """Pages of ten identical managers on which somebody is to teach somebody a step."""
    rng = np.random.default_rng(8)
    funnel, pairs = funnel_of(FLOORS), []
    for run in range(200):
        stages = [np.full(10, LEADS * WINDOW)]
        for floor in FLOORS:
            stages.append(rng.binomial(stages[-1], floor))
        page = page_of(np.stack(stages[:-1], axis=-1), np.stack(stages[1:], axis=-1), steps=4)
        pairs.append(len(coaching_pairs(page, funnel, seed=run)))
    setting = "10 identical managers, 4 steps, 260 leads each"
    return [Claim("Steps with a coaching pair", setting, "", float(np.mean(pairs)) / 4)]


def _day_counts(ages: npt.NDArray, wins: npt.NDArray, watched: npt.NDArray) -> pd.DataFrame:
    """Day counts of many runs (first axis) of leads."""
    open_ = ages > watched
    days = pd.DataFrame({"run": np.repeat(np.arange(len(ages)), ages.shape[1]), "from_stage": "lead"})
    days = days.assign(
        age_days=np.minimum(ages, watched).ravel(),
        advanced=(wins & ~open_).ravel() * 1,
        lost=(~wins & ~open_).ravel() * 1,
        open=open_.ravel() * 1,
    )
    return days.groupby(["run", "from_stage", "age_days"], as_index=False).sum()


def _held(lower: npt.ArrayLike, upper: npt.ArrayLike, truth: npt.ArrayLike) -> float:
    """Share of intervals that hold the truth."""
    return float(np.mean((np.asarray(lower) <= truth) & (np.asarray(upper) >= truth)))


SIMULATIONS: dict[str, tuple[Callable[[], list[Claim]], ...]] = {
    "Intervals: how often they hold the truth": (
        one_conversion,
        difference_of_two,
        leads_on_their_way,
        usual_rates,
        small_teams,
        size_of_a_leak,
        what_moved_the_total,
    ),
    "Verdicts: how often they are false, how often they see": (false_reds, size_of_one_test, what_strictness_costs),
    "Weeks that differ": (
        simulate_scatter.weeks_that_scatter,
        simulate_scatter.whole_way,
        simulate_scatter.what_is_denied,
        simulate_scatter.named_falsely,
        simulate_scatter.weeks_until_named,
        simulate_scatter.contacts_of_weeks,
        simulate_scatter.early_contacts,
    ),
    "Other alarms and pairs": (leaks_that_begin_later, nothing_to_teach),
    "Equal leads, and since when": simulate_dating.SIMULATIONS,
    "Three answers: how often “no” is false": THREE_ANSWERS,
    "Histories with odd rows": simulate_histories.SIMULATIONS,
    "Money and plans": (money_at_maturity, colours_of_campaigns, plans),
}

HEAD = """# Simulations behind the stated error rates

Written by `make simulate` from fixed seeds, so the same code gives the same numbers; the simulations are in
`tests/simulate.py`. *Asked* is what the method promises, *must be* what the test insists on; where that is blank the
number is told and nothing is promised. A share from 100 half-years is sure to about ±.1, one from 2,000 runs or more
to ±.01; sums over all outcomes are exact. What each figure means, and when it misleads: [methods.md](methods.md).
"""


def page(found: dict[str, list[Claim]]) -> str:
    """The whole of docs/simulations.md, from the claims of each simulation by its name."""
    parts = [HEAD]
    for title, simulations in SIMULATIONS.items():
        rows = ["| what | setting | asked | found | must be |", "|---|---|---:|---:|---:|"]
        for claim in (claim for simulation in simulations for claim in found[simulation.__name__]):
            must = "" if claim.highest is None else f"{claim.lowest:.2f}–{claim.highest:.2f}"
            rows.append(f"| {claim.what} | {claim.setting} | {claim.asked} | {claim.found:.3f} | {must} |")
        parts.append("\n".join([f"## {title}\n", *rows, ""]))
    return "\n".join(parts)
