"""What a week's page says where leads of one week are alike: reds, ranges, names and the whole way, and the price.

Correlation is that of two leads of one week at a step, shared by all managers or each manager's own. All leads are
matured, so that a page costs little; ``leads_on_their_way`` in simulate.py has the others.
"""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pandas as pd
from claims import FLOORS, HALF_YEAR, STAGES, WINDOW, Claim, funnel_of
from scipy import stats

from funnelstats.contacts.counts import CONTACT_COUNTS
from funnelstats.contacts.effects import moves_added, over_weeks, with_expected
from funnelstats.contacts.speed import landmark_differences
from funnelstats.core.casemix import case_mix
from funnelstats.core.comparing import page_verdicts, versus_target, versus_targets
from funnelstats.core.incidence import incidence, incidence_at
from funnelstats.core.intervals import share_answers, share_margin
from funnelstats.core.scatter import against_rest, rates_over_weeks, usual_dispersion
from funnelstats.team.advice import team_finding
from funnelstats.team.changes import e_alarms, explain_change
from funnelstats.team.leaks import leak_sizes, noticeable

FUNNEL = funnel_of(FLOORS)
MONDAYS = range(0, HALF_YEAR, 2)
"""Every other page of a half-year: its neighbours judge nearly the same leads."""

Counts = tuple[npt.NDArray, npt.NDArray]


def weeks_that_scatter() -> list[Claim]:
    """Pages of a team exactly at its floors: any red, a leak of the team, losses listed, and the ranges."""
    claims = []
    for managers, leads, correlation, own in (
        (10, 15, 0.0, False),
        (10, 15, 0.05, False),
        (10, 15, 0.05, True),
        (10, 3, 0.02, False),
        (40, 3, 0.05, False),
        (40, 15, 0.02, False),
    ):
        rng, runs = np.random.default_rng(41), 120
        found = np.zeros((runs, 6))
        for run in range(runs):
            counts = drawn(rng, managers, leads, correlation, np.array(FLOORS), WINDOW, own=own)
            days = days_of(*counts)
            together = rates_over_weeks(of_team(days), FUNNEL)
            team, people = versus_targets(together, rates_over_weeks(days, FUNNEL), FUNNEL)
            plain = incidence_at(incidence(of_team(days).drop(columns="week")), FUNNEL)
            red = (team["verdict"] == "red").any()
            found[run] = [
                red or (people["verdict"] == "red").any(),
                red,
                len(noticeable(leak_sizes(together, FUNNEL), team)) > 0,
                versus_target(plain, FUNNEL)["verdict"].isin(["red", "amber"]).any(),
                _holds(team),
                _holds(people),
            ]
        any_red, leaks, listed, before, ranges, own_ranges = found.mean(axis=0)
        setting = f"{managers} managers, {leads} leads a week each, correlation {correlation}{', own' * own}"
        claims += [
            Claim("Pages with any red", setting, "≤ .07", any_red, 0, 0.10),
            Claim("Pages on which the team leaks", setting, "≤ .07", leaks, 0, 0.07),
            Claim("Pages that list a loss", setting, "≤ .07", listed, 0, 0.07),
            Claim("— with leads taken for independent, the team leaks", setting, "", before),
            Claim("The team's ranges", setting, ".95", ranges, 0.93, 0.98),
            Claim("Managers' ranges", setting, ".95", own_ranges, 0.93, 0.98),
        ]
    return claims


def whole_way() -> list[Claim]:
    """The whole way of a team that does the same all the time, told every other Monday; and after a fall."""
    claims = []
    for leads, correlation in ((30, 0.0), (100, 0.0), (100, 0.02), (200, 0.05)):
        rng, runs = np.random.default_rng(42), 60
        said = np.zeros((runs, len(MONDAYS)))
        for run in range(runs):
            counts = drawn(rng, 1, leads, correlation, np.array(FLOORS), 2 * WINDOW + HALF_YEAR - 1, own=False)
            said[run] = [_change(counts, week)["changed"] == "yes" for week in MONDAYS]
        setting = f"{leads} leads a week, correlation {correlation}"
        claims += [
            Claim("Pages that say the way changed", setting, "≤ .02", said.mean(), 0, 0.02),
            Claim("Half-years that say so at least once", setting, "≤ .10", said.any(axis=1).mean(), 0, 0.15),
        ]
    for correlation, points in ((0.0, 10), (0.0, 17), (0.02, 17)):
        rng, runs = np.random.default_rng(43), 200
        rates = np.tile(FLOORS, (2 * WINDOW, 1))
        rates[WINDOW:, 2] -= points / 100
        changes = [_change(drawn(rng, 1, 100, correlation, rates, 2 * WINDOW, own=False), 0) for _ in range(runs)]
        setting = f"100 leads a week, correlation {correlation}, one step fell by {points} points 13 weeks ago"
        seen = np.mean([change["changed"] == "yes" for change in changes])
        claims.append(Claim("Falls of the whole way that are told", setting, "", seen))
        denied = np.mean([change["changed"] == "no" for change in changes])
        claims.append(Claim("Falls of the whole way that are denied", setting, "≤ .05", denied, 0, 0.05))
    return claims


def what_is_denied() -> list[Claim]:
    """What a page denies although it is so: a leak of the team, a weakness behind harder leads."""
    claims = []
    for managers, leads, correlation in ((3, 5, 0.0), (10, 15, 0.0), (10, 15, 0.05)):
        rng, runs = np.random.default_rng(44), 200
        rates = np.array(FLOORS)
        rates[1] -= 0.10
        said = []
        for _ in range(runs):
            days = days_of(*drawn(rng, managers, leads, correlation, rates, WINDOW, own=False))
            together = rates_over_weeks(of_team(days), FUNNEL)
            team, _people = versus_targets(together, rates_over_weeks(days, FUNNEL), FUNNEL)
            said.append(team_finding(team, leak_sizes(together, FUNNEL), _no_alarm())["case"])
        setting = f"{managers} managers, {leads} leads a week each, correlation {correlation}, a step 10 points low"
        denied = np.isin(said, ["none", "met"]).mean()
        claims += [
            Claim("Pages that deny the leak", setting, "≤ .05", denied, 0, 0.05),
            Claim("Pages that tell it", setting, "", np.isin(said, ["leak", "slow"]).mean()),
            Claim("Pages that say it cannot be told", setting, "", np.equal(said, "untold").mean()),
        ]
    for harder, weak in ((0.15, 0.08), (0.15, 0.0)):
        whose = np.array(list(_misses(np.random.default_rng(45), harder, weak, runs=300)))
        setting = f"150 leads, {100 * harder:.0f} points harder, {100 * weak:.0f} points weak at equal leads"
        claims += [
            Claim("No weakness beyond 5 points, of reds and ambers", setting, "≤ .05" * (weak > 0.05),
                  np.mean(whose == "base"), *([0, 0.08] * (weak > 0.05))),
            Claim("Cannot be told, of reds and ambers", setting, "", np.mean(whose == "unclear")),
        ]  # fmt: skip
    return claims


def named_falsely() -> list[Claim]:
    """Half-years in which anybody is named, every other Monday, of managers who do the same; also without targets."""
    claims = []
    for managers, leads, correlation in ((10, 15, 0.0), (10, 15, 0.05), (40, 15, 0.02)):
        rng, runs = np.random.default_rng(46), 16 if managers == 10 else 8
        named = np.zeros((runs, 2), dtype=bool)
        for run in range(runs):
            history = drawn(rng, managers, leads, correlation, np.array(FLOORS), WINDOW + HALF_YEAR - 1, own=True)
            for week in MONDAYS:
                named[run] |= [_page(history, week, funnel)["named"].any() for funnel in (FUNNEL, FREE)]
        setting = (
            f"{managers} managers exactly at their floors, {leads} leads a week each, correlation {correlation}, own"
        )
        for funnel, share in zip(("", ", no target agreed"), named.mean(axis=0), strict=True):
            # so few half-years are sure to about ±.1
            claims.append(Claim("Half-years in which anybody is named", setting + funnel, "≤ .05", share, 0, 0.13))
    return claims


def weeks_until_named() -> list[Claim]:
    """The price: when a manager who is low beside nine good ones is first red, and first named."""
    claims = []
    for points, correlation in ((10, 0.0), (10, 0.02), (20, 0.0)):
        rng, runs = np.random.default_rng(47), 30
        first = np.full((runs, 2), np.inf)
        rates = np.tile(np.array(FLOORS) + 0.03, (10, 1, 1))
        rates[0, 0, 1] = FLOORS[1] - points / 100
        for run in range(runs):
            history = drawn(rng, 10, 15, correlation, rates, 2 * HALF_YEAR, own=False)
            for week in range(2 * HALF_YEAR - WINDOW):
                page = _page(history, week, FUNNEL)
                cell = page[(page["manager"] == 0) & (page["from_stage"] == STAGES[1])].iloc[0]
                seen = np.array([cell["verdict"] == "red", cell["named"]])
                first[run] = np.minimum(first[run], np.where(seen, week + WINDOW, np.inf))
                if cell["named"]:
                    break
        setting = f"15 leads a week, {points} points low, correlation {correlation}, the first page after 13 weeks"
        claims += [
            Claim("Weeks until the weak manager is red, median", setting, "", float(np.median(first[:, 0]))),
            Claim("Weeks until the weak manager is named, median", setting, "", float(np.median(first[:, 1]))),
        ]
    return claims


def contacts_of_weeks() -> list[Claim]:
    """Contacts that move as many leads as days without one do, or a third more, with ten managers who do the same."""
    claims = []
    for calls, correlation, own in ((15, 0.0, True), (15, 0.02, True), (15, 0.05, True), (15, 0.05, False),
                                    (40, 0.05, True)):  # fmt: skip
        rng, runs = np.random.default_rng(48), 120
        said, third = (
            np.mean([_contacts_said(rng, calls, correlation, times, own=own) for _ in range(runs)], axis=(0, 3))
            for times in (1.0, 4 / 3)
        )
        setting = f"{calls} calls a week each, a fifth move a lead, correlation {correlation}{', own' * own}"
        for (more, fewer, _no, other), (*_more, no, _other), before in zip(said, third, (False, True), strict=True):
            for what, asked, found, highest in (
                ("More moves after contacts than without", "≤ .025", more, 0.04),
                ("Fewer moves after contacts than without", "≤ .025", fewer, 0.04),
                ("“No more than a third more”, of a third more", "≤ .05", no, 0.06),
                ("Another share of contacts than the colleagues'", "≤ .05", other, 0.07),
            ):
                old = "— with contacts taken for independent: "
                # nothing is promised of the colleagues' share where weeks differ so much and contacts are so many
                limits = () if before or (highest == 0.07 and calls == 40) else (0, highest)
                claims.append(Claim(f"{old}{what.lower()}" if before else what, setting, "" if before else asked,
                                    float(found), *limits))  # fmt: skip
    return claims


def _contacts_said(
    rng: np.random.Generator, calls: float, correlation: float, times: float, *, own: bool
) -> npt.NDArray:
    """More, fewer, no and another share than the colleagues', of each manager: now, and of independent contacts."""
    managers, chance, days = 10, 0.2, 4
    size = 1 / max(correlation, 1e-9) - 1
    luck = rng.random((managers if own else 1, WINDOW))
    rate = np.broadcast_to(stats.beta.ppf(luck, chance * size, (1 - chance) * size), (managers, WINDOW))
    made, quiet = rng.poisson(calls, rate.shape), rng.poisson(150, rate.shape)
    moved = rng.binomial(made, np.minimum(times * rate, 1))
    places = pd.MultiIndex.from_product([range(managers), range(WINDOW)], names=["manager", "week"])
    frame = places.to_frame(index=False).assign(**dict.fromkeys(CONTACT_COUNTS, 0)).assign(stage=STAGES[0], kind="call")
    frame = frame.assign(contacts=made.ravel(), effective=moved.ravel(), days=days * made.ravel())
    moves = rng.poisson(quiet * rate / days).sum()
    without = pd.DataFrame({"stage": [STAGES[0]], "quiet_days": quiet.sum(), "quiet_moves": moves})
    counts = with_expected(over_weeks(frame, FUNNEL), without)
    found = []
    for part in (counts, counts.drop(columns="scatter")):
        cells = moves_added(part)
        scatter = part.get("scatter", part["contacts"])
        k, n = part["effective"], part["contacts"]
        rest_k, rest_n, rest_scatter = (side.sum() - side for side in (k, n, scatter))
        own, rest = n / scatter, rest_n / rest_scatter
        other = share_answers(k * own, n * own, rest_k * rest, rest_n * rest, share_margin(rest_k / rest_n)) == "yes"
        found.append([cells["answer"] == "yes", cells["ratio_upper"] < 1, cells["answer"] == "no", other])
    return np.array(found)


def early_contacts() -> list[Claim]:
    """Leads contacted early, from a tenth to nine tenths of a manager's week, that do as the others of that week do."""
    claims = []
    for correlation, own in ((0.0, True), (0.05, True), (0.05, False)):
        rng, runs, called = np.random.default_rng(49), 400, 0
        size = 1 / max(correlation, 1e-9) - 1
        for _ in range(runs):
            luck = rng.random((10 if own else 1, WINDOW))
            rate = np.broadcast_to(stats.beta.ppf(luck, 0.3 * size, 0.7 * size), (10, WINDOW))
            leads = rng.poisson(15, rate.shape)
            early = rng.binomial(leads, rng.uniform(0.1, 0.9, rate.shape))
            sides = [early, leads - early]
            counts = pd.DataFrame({"to_stage": STAGES[1], "landmark_days": 1, "contacted": [True, False]})
            counts["entered"] = [side.sum() for side in sides]
            counts["converted"] = [rng.binomial(side, rate).sum() for side in sides]
            called += landmark_differences(counts)["verdict"].item() != "undecided"
        setting = f"10 managers, 15 leads a week each, correlation {correlation}{', own' * own}"
        # nothing is promised where weeks differ: early calls are not counted by week
        limits = () if correlation else (0, 0.14)
        claims.append(Claim("Leads called early do better or worse", setting, "≤ .10", called / runs, *limits))
    return claims


FREE = funnel_of((None, None, None, None))  # type: ignore[arg-type]


def drawn(
    rng: np.random.Generator,
    managers: int,
    leads: float,
    correlation: float,
    rates: npt.NDArray,
    weeks: int,
    *,
    own: bool,
) -> Counts:
    """Entered and converted, axes manager, week, step; ``rates`` are broadcast to that."""
    entered = rng.poisson(leads, (managers, weeks, len(FLOORS)))
    rate = np.broadcast_to(rates, entered.shape)
    if correlation:
        size = 1 / correlation - 1
        luck = rng.random((managers if own else 1, weeks, len(FLOORS)))
        rate = stats.beta.ppf(luck, rate * size, (1 - rate) * size)
    return entered, rng.binomial(entered, rate)


def days_of(entered: npt.NDArray, converted: npt.NDArray) -> pd.DataFrame:
    """Day counts by manager and week of leads that all leave their stage on the day they enter it."""
    places = [range(size) for size in entered.shape]
    index = pd.MultiIndex.from_product(places, names=["manager", "week", "step"]).to_frame(index=False)
    rows = index.assign(age_days=0, advanced=converted.ravel(), lost=(entered - converted).ravel(), open=0)
    rows = rows.assign(from_stage=np.array(STAGES)[rows["step"]]).drop(columns="step")
    return rows[rows["advanced"] + rows["lost"] > 0]


def of_team(days: pd.DataFrame) -> pd.DataFrame:
    keys = ["week", "from_stage", "age_days"]
    return days.groupby(keys, as_index=False)[["advanced", "lost", "open"]].sum()


def _holds(page: pd.DataFrame) -> float:
    known = page[page["rate"].notna()]
    return float(((known["ci_lower"] <= known["floor"]) & (known["floor"] <= known["ci_upper"])).mean())


def _no_alarm() -> pd.DataFrame:
    dates = dict.fromkeys(("since_lower", "since_upper"), pd.NaT)
    return pd.DataFrame({"from_stage": list(STAGES[:-1]), "to_stage": list(STAGES[1:]), "alarm": False, **dates})


def _change(counts: Counts, week: int) -> pd.Series:
    """The decision of the page that ends so many weeks after the first one that has weeks before it."""
    windows = (slice(week, week + WINDOW), slice(week + WINDOW, week + 2 * WINDOW))
    before, after = (rates_over_weeks(of_team(days_of(*(part[:, at] for part in counts))), FUNNEL) for at in windows)
    return explain_change(before, after).iloc[0]


def _page(history: Counts, week: int, funnel: object) -> pd.DataFrame:
    """The managers of a page that begins with this week, with alarms from the first week on."""
    days = days_of(*(part[:, week : week + WINDOW] for part in history))
    team, people = versus_targets(rates_over_weeks(of_team(days), funnel), rates_over_weeks(days, funnel), funnel)
    if funnel is FUNNEL and not (people["verdict"] == "red").any():
        return people.assign(named=False)
    rest = against_rest(days, funnel)
    sums = _counts(days).groupby(["manager", "from_stage", "to_stage"], as_index=False)[["entered", "converted"]].sum()
    mix = case_mix(sums, dispersion=usual_dispersion(rest))
    alarms = e_alarms(_counts(days_of(*(part[:, : week + WINDOW] for part in history))), funnel, rates=people)
    return page_verdicts(people, rest, mix, team, alarms)


def _counts(days: pd.DataFrame) -> pd.DataFrame:
    """Day counts of leads that are all matured as counts of each manager, week and step."""
    return pd.DataFrame(
        {
            "manager": days["manager"],
            "week": pd.Timestamp("2026-01-05") + pd.to_timedelta(7 * days["week"], unit="D"),
            "from_stage": days["from_stage"],
            "to_stage": days["from_stage"].map(dict(pairwise(STAGES))),
            "entered": days["advanced"] + days["lost"],
            "converted": days["advanced"],
        }
    )


def _misses(rng: np.random.Generator, harder: float, weak: float, runs: int) -> Iterator[str]:
    """Whose a miss is said to be where it is red or amber, of one manager with mostly hard leads beside nine others."""
    funnel = funnel_of((0.80,))
    for _ in range(runs):
        rows = []
        for manager in range(10):
            for hard, share in ((True, 0.75 if manager == 0 else 0.10), (False, 0.25 if manager == 0 else 0.90)):
                entered = rng.poisson(150 * share / WINDOW, WINDOW)
                rate = 0.85 - (harder if hard else 0) - (weak if manager == 0 else 0)
                won = rng.binomial(entered, rate)
                rows += [(manager, week, hard, n, k) for week, n, k in zip(range(WINDOW), entered, won, strict=True)]
        frame = pd.DataFrame(rows, columns=["manager", "week", "hard", "entered", "converted"])
        frame = frame.assign(from_stage="lead", to_stage="met", age_days=0, open=0, advanced=frame["converted"])
        frame = frame.assign(lost=frame["entered"] - frame["converted"])
        keys = ["manager", "week", "from_stage", "age_days"]
        days = frame.groupby(keys, as_index=False)[["advanced", "lost", "open"]].sum()
        team, people = versus_targets(rates_over_weeks(of_team(days), funnel), rates_over_weeks(days, funnel), funnel)
        strata = frame.groupby(["manager", "hard", "from_stage", "to_stage"], as_index=False)[
            ["entered", "converted"]
        ].sum()
        page = page_verdicts(people, against_rest(days, funnel), case_mix(strata), team)
        own = page[page["manager"] == 0].iloc[0]
        if own["verdict"] in ("red", "amber"):
            yield own["whose"]
