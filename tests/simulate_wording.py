"""Sentences with three answers: how often "no" is said where there is a difference, "yes" where there is none."""

from types import SimpleNamespace

import numpy as np
import numpy.typing as npt
import pandas as pd
from backends import funnel_of
from claims import Claim
from scipy import special, stats

from funnelstats.contacts.counts import CONTACT_COUNTS
from funnelstats.contacts.effects import moves_added, with_expected
from funnelstats.contacts.speed import speed_finding, waiting_times
from funnelstats.core.intervals import POINTS, THIRD, share_answers, share_margin
from funnelstats.loop.base import score_skill
from funnelstats.loop.nurture import nurture_effects
from funnelstats.loop.states import even_load
from funnelstats.refusals.findings import reasons_differ
from funnelstats.refusals.reasons import reason_association

WRONG = (0.0, 0.055)
"""Limits of a false answer: one in twenty, and the error of the simulation."""
FUNNEL = funnel_of("lead", "met", "paid")


def _claims(what: str, setting: str, answer: npt.ArrayLike, weight: npt.ArrayLike = 1.0) -> list[Claim]:
    """How often each answer is given, for information."""
    given, weights = np.asarray(answer), np.broadcast_to(weight, np.shape(answer))
    return [
        Claim(f"{what}: “{word}”", setting, "", float(weights[given == word].sum() / weights.sum()))
        for word in ("yes", "no", "cannot tell")
    ]


def idle_contacts() -> list[Claim]:
    """Contacts that move a multiple of the leads that move without one: 2 % a day, four days, 10,000 quiet days."""
    rng = np.random.default_rng(31)
    runs, daily, what = 4000, 0.02, "“No more than a third more leads moved than without a contact”"

    def answers_to(contacts: int, times: float) -> pd.DataFrame:
        stages = [f"stage {run}" for run in range(runs)]
        days = 4.0 * contacts
        counts = pd.DataFrame({"stage": stages}).assign(**dict.fromkeys(CONTACT_COUNTS, 0))
        counts = counts.assign(contacts=contacts, days=days)
        counts["effective"] = np.minimum(rng.poisson(days * daily * times, runs), contacts)
        quiet = pd.DataFrame({"stage": stages, "quiet_days": 10_000, "quiet_moves": rng.poisson(10_000 * daily, runs)})
        return moves_added(with_expected(counts, quiet))

    claims = []
    for contacts in (25, 100, 400):
        for times, words in ((2.0, "contacts double the moves"), (1 + THIRD, "a third more moves")):
            found = answers_to(contacts, times)
            setting = f"{contacts} contacts, {words}"
            claims.append(Claim(what, setting, "≤ .05", float((found["answer"] == "no").mean()), *WRONG))
        none = answers_to(contacts, 1.0)["answer"]
        setting = f"{contacts} contacts, as many moves as without"
        claims.append(Claim("More leads moved after contacts", setting, "≤ .05", float((none == "yes").mean()), *WRONG))
    return claims + _claims("Contacts", "400 contacts, as many moves as without", none)


def alike_shares() -> list[Claim]:
    """Own contacts beside the colleagues', and second tries beside first ones: sums over all outcomes."""
    claims, what = [], "“About as often as the colleagues'”"

    def answers_to(first: tuple[int, float], second: tuple[int, float]) -> tuple[npt.NDArray, npt.NDArray]:
        (n1, p1), (n2, p2) = first, second
        k1 = np.arange(n1 + 1)[:, None]
        k2 = np.arange(*stats.binom.ppf([1e-9, 1 - 1e-9], n2, p2).astype(int))[None, :]
        chance = stats.binom.pmf(k1, n1, p1) * stats.binom.pmf(k2, n2, p2)
        return share_answers(k1, n1, k2, n2, share_margin(k2 / n2)), chance

    for own in (8, 25, 100):
        answer, chance = answers_to((own, 0.12), (400, 0.40))
        setting = f"12 % of {own} contacts, 40 % of 400"
        claims.append(Claim(what, setting, "≤ .05", chance[answer == "no"].sum(), *WRONG))
    for n, p in ((1000, 0.40), (2000, 0.06)):
        margin = float(share_margin(p))
        answer, chance = answers_to((n, p - margin), (4 * n, p))
        setting = f"{100 * margin:g} points apart: {n} contacts, {100 * p:g} % of {4 * n}"
        claims.append(Claim(what, setting, "≤ .05", chance[answer == "no"].sum(), *WRONG))
    answer, chance = answers_to((250, 0.25), (2500, 0.25))
    claims += _claims("Contacts beside the colleagues'", "250 and 2,500 contacts, both 25 %", answer, chance)
    claims.append(Claim("A difference", "the same", "≤ .05", chance[answer == "yes"].sum(), *WRONG))
    answer, chance = answers_to((17, 0.40), (1000, 0.62))
    setting = "17 second tries with 40 %, 1,000 first ones with 62 %"
    return [*claims, Claim("“About as good as first tries”", setting, "≤ .05", chance[answer == "no"].sum(), *WRONG)]


def alike_waits() -> list[Claim]:
    """Half of the own leads contacted within so many hours beside the colleagues'; a fifth is never contacted."""
    rng = np.random.default_rng(32)
    runs, claims, what = 300, [], "“About as fast as the colleagues”"

    def waits(leads: int, median: float) -> pd.DataFrame:
        hours = np.ceil(rng.lognormal(np.log(median), 1.2, (runs, leads)))
        seen = (hours <= 500) & (rng.random((runs, leads)) < 0.8)
        frame = pd.DataFrame({"run": np.repeat(np.arange(runs), leads), "hours": np.fmin(hours, 500).ravel()})
        frame = frame.assign(contacted=seen.ravel() * 1, waiting=~seen.ravel() * 1)
        table = frame.groupby(["run", "hours"], as_index=False).sum()
        return pd.concat([waiting_times(table).assign(clock=clock) for clock in ("calendar", "working")])

    def said(leads: int, times: float) -> pd.Series:
        own, others = waits(leads, 24 * times), waits(1000, 24)
        return pd.Series(
            [
                speed_finding(own[own["run"] == run], others[others["run"] == run], FUNNEL)["answer"]
                for run in range(runs)
            ]
        )

    for leads in (40, 130):
        twice = said(leads, 2.0)
        setting = f"{leads} leads wait twice as long as the colleagues' 1,000"
        claims.append(Claim(what, setting, "≤ .05", float((twice == "no").mean()), *WRONG))
    alike = said(130, 1.0)
    setting = "130 leads and the colleagues' 1,000 wait alike"
    claims.append(
        Claim("Faster or slower than the colleagues", setting, "≤ .05", float((alike == "yes").mean()), 0, 0.08)
    )
    return claims + _claims("Hours to the first contact", setting, alike)


def same_reasons() -> list[Claim]:
    """Ten managers, seven reasons, every manager's shares turned away from the team's as far as a strength asks."""
    rng = np.random.default_rng(33)
    runs, team = 250, np.array([0.30, 0.20, 0.15, 0.12, 0.10, 0.08, 0.05])
    funnel, what = SimpleNamespace(system_users=()), "“Managers hear much the same reasons”"
    turn = rng.normal(size=(10, 7))
    turn -= turn.mean(axis=0)
    turn -= turn.sum(axis=1, keepdims=True) * team
    turn -= turn.mean(axis=0)
    turn /= np.sqrt((turn**2 / team).sum() / 10)

    def said(refusals: int, strength: float) -> pd.Series:
        shares = np.clip(team + turn * strength * np.sqrt(6), 0.001, None)
        shares /= shares.sum(axis=1, keepdims=True)
        lines = []
        for _run in range(runs):
            drawn = rng.multinomial(refusals // 10, shares)
            counts = pd.DataFrame(
                {
                    "manager": np.repeat([f"M{number}" for number in range(10)], 7),
                    "refusal": np.tile([f"r{number}" for number in range(7)], 10),
                    "lost": drawn.ravel(),
                }
            )
            found = reason_association(counts, funnel, "manager", draws=199)
            lines.append(reasons_differ(found)["differ"])
        return pd.Series(lines)

    claims = []
    for refusals, strength in ((200, 0.15), (500, 0.15), (500, 0.10), (2000, 0.10)):
        answer = said(refusals, strength)
        setting = f"{refusals:,} refusals, strength {strength:.2f}"
        claims.append(Claim(what, setting, "≤ .05", float((answer == "no").mean()), 0, 0.08))
    answer = said(500, 0.0)
    claims.append(
        Claim("Different reasons", "500 refusals, all alike", "≤ .05", float((answer == "yes").mean()), 0, 0.08)
    )
    return claims + _claims("Reasons of managers", "500 refusals, all alike", answer)


def nurtured_alike() -> list[Claim]:
    """Nurtured leads beside others, a fifth of which buy; deals log-normal with a spread of 0.8."""
    rng = np.random.default_rng(34)
    runs, claims = 70, []

    def said(nurtured: int, others: int, times: float) -> pd.DataFrame:
        parts = []
        for _run in range(runs):
            won = {"yes": rng.binomial(nurtured, 0.2 * times), "no": rng.binomial(others, 0.2)}
            strata = pd.DataFrame({"nurtured": list(won), "entered": [nurtured, others], "converted": won.values()})
            deals = {key: rng.lognormal(0, 0.8, n) * (times if key == "yes" else 1) for key, n in won.items()}
            moments = pd.DataFrame(
                [(key, len(part), part.mean(), part.var(ddof=1)) for key, part in deals.items()],
                columns=["nurtured", "deals", "mean", "variance"],
            )
            found = nurture_effects(strata, moments, "nurtured")
            parts.append(found[found["held"] == "equal"])
        return pd.concat(parts)

    for (nurtured, others), times, words in (
        ((300, 2000), 1.3, "30 % more"),
        ((2000, 8000), 1.2, "a fifth more"),
        ((300, 2000), 1.0, "no difference"),
        ((2000, 8000), 1.0, "no difference"),
    ):
        for measure, rows in said(nurtured, others, times).groupby("measure"):
            measured = {"bought": "share that bought", "ticket": "mean ticket"}[str(measure)]
            setting = f"{measured}, {words}: {nurtured:,} nurtured leads, {others:,} others"
            alike = float((rows["says"] == "alike").mean())
            if times == 1:
                more = float((rows["ratio_lower"] > 1).mean())
                claims.append(Claim("Nurtured leads do more", setting, "≤ .025", more, 0, 0.1))
                claims.append(Claim("“No more than a fifth apart”", setting, "", alike))
                continue
            claims.append(Claim("“No more than a fifth apart”", setting, "≤ .05", alike, 0, 0.1))
    return claims


def even_loads() -> list[Claim]:
    """Ten managers, the first handed a share of his own."""
    rng = np.random.default_rng(35)
    runs, claims = 300, []
    managers, funnel = [f"M{number}" for number in range(10)], SimpleNamespace(system_users=())

    def verdicts(mean: int, times: float) -> pd.Series:
        found = []
        for _run in range(runs):
            leads = rng.poisson(np.r_[mean * times, np.full(9, mean * (10 - times) / 9)])
            month = pd.DataFrame({"manager": managers, "leads": leads})
            found.append(even_load(month, month.assign(entered=1), funnel).set_index("manager").at["M0", "verdict"])
        return pd.Series(found)

    for mean in (20, 40, 100):
        few = verdicts(mean, 0.6)
        setting = f"{mean} leads each, one with 40 % fewer"
        claims.append(Claim("That manager's load called even", setting, "≤ .05", float((few == "even").mean()), *WRONG))
        alike = verdicts(mean, 1.0)
        claims.append(Claim("A load called even", f"{mean} leads each", "", float((alike == "even").mean())))
        called = float(alike.isin(["fewer", "more"]).mean())
        claims.append(Claim("A load called fewer or more", f"{mean} leads each", "≤ .05", called, *WRONG))
    return claims


def coins() -> list[Claim]:
    """A score that sorts a won lead before another in so many of 100 cases; a fifth of the leads are won."""
    rng = np.random.default_rng(36)
    runs, claims = 400, []
    for leads, skill in ((300, 0.60), (1000, 0.55), (1000, 0.50), (5000, 0.50)):
        found = []
        for _run in range(runs):
            won = rng.random(leads) < 0.2
            score = np.round(rng.normal(size=leads) + won * np.sqrt(2) * special.ndtri(skill), 1)
            frame = pd.DataFrame({"score": score, "entered": 1, "converted": won * 1})
            found.append(score_skill(frame.groupby("score", as_index=False).sum()))
        limits = pd.concat(found)
        near = (limits["auc_lower"] > 0.5 - POINTS) & (limits["auc_upper"] < 0.5 + POINTS)
        near &= (limits["auc_lower"] <= 0.5) & (limits["auc_upper"] >= 0.5)
        setting = f"{leads:,} leads, {skill:.0%} of pairs sorted"
        limit = (0.0, 0.055) if skill > 0.5 else (None, None)
        asked = "≤ .05" if skill > 0.5 else ""
        claims.append(Claim("“No more than 5 points from a coin”", setting, asked, float(near.mean()), *limit))
    return claims


THREE_ANSWERS = (idle_contacts, alike_shares, alike_waits, same_reasons, nurtured_alike, even_loads, coins)
