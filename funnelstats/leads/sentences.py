"""One manager's page: own numbers, what to do about them, and the colleagues as a band without names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from funnelstats.config.funnel import Funnel
from funnelstats.config.schema import MISSING
from funnelstats.config.words import _, counted, money, number, percent, points
from funnelstats.core.intervals import wilson_interval
from funnelstats.leads.worklist import AGAIN, FEWEST_TRIES, MOST, OPEN, second_tries
from funnelstats.page.figures import NOT_RANKED, STEP, interval_words, step_words

if TYPE_CHECKING:
    from funnelstats.config.funnel import Funnel


def worklist_sentences(listed: pd.DataFrame, own: pd.DataFrame, success: pd.DataFrame, funnel: Funnel) -> list[str]:
    """How many own leads to act on this week, open ones and second tries apart, and what the list cannot know.

    Takes ``worklist``, ``with_stake`` of all own open leads, and ``retry_success`` of the team.
    """
    opened, again = (listed[listed["kind"] == kind] for kind in (OPEN, AGAIN))
    return [*_open(opened, own, funnel), *_again(again, success, funnel), *_unknown(opened, own)]


def _open(opened: pd.DataFrame, own: pd.DataFrame, funnel: Funnel) -> list[str]:
    if own.empty:
        return [_("The export knows no open lead of yours.")]
    if opened.empty:
        return [
            _(
                "Nothing is due on your open leads this week: as far as the export knows, none lacks a contact, stands "
                "still, or comes to the end of its days."
            )
        ]
    first = opened.iloc[0]
    text = counted(
        "Your list: {n} open lead waits for you this week; begin with {lead} at {stage} ({reason}).",
        "Your list: {n} open leads wait for you this week; begin with {lead} at {stage} ({reason}).",
        len(opened),
    )
    said = text.format(n=number(len(opened)), lead=_called(first), stage=first["stage"], reason=first["reason"])
    return [said + _stake(first["at_stake"], funnel) + _shown(opened)]


def _again(again: pd.DataFrame, success: pd.DataFrame, funnel: Funnel) -> list[str]:
    if again.empty:
        return []
    said = counted(
        "Second tries: {n} refused lead of yours is due to be called again this week, after the open ones.",
        "Second tries: {n} refused leads of yours are due to be called again this week, after the open ones.",
        len(again),
    ).format(n=number(len(again)))
    said += _tries(*second_tries(success))
    if again["at_stake"].sum() > 0:
        said += _(" If all are tried and do as well, {money} are at stake.").format(
            money=money(again["at_stake"].sum(), funnel.currency)
        )
    return [said + _shown(again)]


def _tries(tried: int, won: int) -> str:
    """What second tries brought so far: of those made, not of all that were due."""
    if not tried:
        return _(" What they may bring is not known: the data shows no second try whose days are over.")
    found = counted(
        " Of the team's {tried} second try whose days are over {won} was won",
        " Of the team's {tried} second tries whose days are over {won} were won",
        tried,
    ).format(tried=number(tried), won=number(won))
    if tried < FEWEST_TRIES:
        return found + _(": too few to tell what these may bring.")
    lower, upper = (float(limit) for limit in wilson_interval(won, tried))
    return found + _(" ({share}, very likely {low} to {high}); somebody chose which to try.").format(
        share=percent(won / tried), low=percent(lower), high=percent(upper)
    )


def _unknown(opened: pd.DataFrame, own: pd.DataFrame) -> list[str]:
    said = []
    if own["contacts"].isna().any():
        said.append(_("Without contacts in the export nobody knows which leads were never called."))
    if len(opened) and opened["chance"].isna().all():
        said.append(_("What is at stake is not known yet: too few leads of the team went the whole way."))
    elif len(opened) and opened["at_stake"].isna().all():
        said.append(_("Without amounts and payments the list is sorted by the chance to win, not by money."))
    return said


def _called(lead: pd.Series) -> str:
    """What people call a lead: its company, and its number behind it."""
    if lead["company"] in ("", MISSING):
        return str(lead["lead_id"])
    return _("{company} ({lead})").format(company=lead["company"], lead=lead["lead_id"])


def _shown(part: pd.DataFrame) -> str:
    if len(part) <= MOST:
        return ""
    return _(" The first {most} are listed below, all {n} are in the file.").format(most=MOST, n=number(len(part)))


def _stake(at_stake: float, funnel: Funnel) -> str:
    if pd.isna(at_stake):
        return ""
    if at_stake <= 0:
        return _(" No lead of the team has been won after as long a wait so far: call them or close them.")
    return _(" {money} are at stake.").format(money=money(at_stake, funnel.currency))


FEWEST_PEERS = 4
"""Below this a band would show single colleagues."""


def of_manager(managers: pd.DataFrame, manager: str, funnel: Funnel) -> pd.DataFrame:
    """The rows of one manager, every step of the funnel among them; no leads is 0 entered and too few."""
    steps = pd.DataFrame(
        [(*step[:2], step.targets.get(manager, step.target)) for step in funnel.steps], columns=[*STEP, "agreed"]
    )
    steps["agreed"] = steps["agreed"].astype(float)
    own = steps.merge(managers[managers["manager"] == manager].drop(columns="manager"), how="left", on=STEP)
    counts = ["entered", "matured", "too_recent"]
    own[counts] = own[counts].fillna(0).astype("int64")
    own = own.assign(
        target=own["target"].fillna(own["agreed"]),
        verdict=own["verdict"].fillna("too few"),
        whose=own["whose"].fillna(""),
        ci_lower=own["ci_lower"].fillna(0.0),
        ci_upper=own["ci_upper"].fillna(1.0),
    )
    return own.drop(columns="agreed")


def of_manager_flow(flow: pd.DataFrame, manager: str, funnel: Funnel) -> pd.DataFrame:
    """The flow of one manager, every stage of the funnel among it."""
    stages = pd.DataFrame({"stage": funnel.stages})
    own = stages.merge(flow[flow["manager"] == manager].drop(columns="manager"), how="left", on="stage")
    return own.fillna(0).astype({column: "int64" for column in own if column != "stage"})


def own_rows(frame: pd.DataFrame, manager: str) -> pd.DataFrame:
    """The manager's rows of any frame by manager, without that column."""
    return frame[frame["manager"] == manager].drop(columns="manager").reset_index(drop=True)


def peer_rows(frame: pd.DataFrame, manager: str, funnel: Funnel) -> pd.DataFrame:
    """The colleagues' rows of any frame by manager, without their names: for sums, not for showing.

    System users and leads of nobody are no colleagues. Empty where fewer than four are left, since a sum over a
    narrower circle would show single people.
    """
    others = frame[~frame["manager"].isin([manager, MISSING, *funnel.system_users])]
    enough = others["manager"].nunique() >= FEWEST_PEERS
    return (others if enough else others.head(0)).drop(columns="manager").reset_index(drop=True)


def peer_band(managers: pd.DataFrame, manager: str, funnel: Funnel) -> pd.DataFrame:
    """The middle half of the colleagues' rates at each step: from_stage, to_stage, peers_lower, peers_upper.

    Missing where fewer than four colleagues have a rate, since a narrower circle would show single people.
    """
    others = managers[(managers["manager"] != manager) & (managers["verdict"] != NOT_RANKED)]
    rates = others.groupby(STEP)["rate"]
    band = pd.DataFrame({"peers_lower": rates.quantile(0.25), "peers_upper": rates.quantile(0.75)})
    band = band.where(rates.count() >= FEWEST_PEERS)
    steps = pd.DataFrame([step[:2] for step in funnel.steps], columns=STEP)
    return steps.merge(band.reset_index(), how="left", on=STEP)


def own_sentences(own: pd.DataFrame) -> list[str]:
    """What one manager should do this week: the weakest step, the strongest, and what cannot be told."""
    judged = own[own["rate"].notna()]
    if judged.empty:
        return [_("No lead entered a step with this manager in the weeks judged, or none can be judged yet.")]
    said: list[str] = []
    missed = judged[judged["verdict"].isin(["red", "amber"])]
    for place in (missed["rate"] - missed["target"]).sort_values(kind="stable").index:
        row = missed.loc[place]
        because = {
            "own": _("low in these weeks: look at it, it may still be chance")
            if row["verdict"] == "amber"
            else _("then work on this step")
            if said
            else _("work on this step first"),
            "team": _("the whole team is below target here, so look at it together"),
            "base": _(
                "your leads are harder here: with equal leads you are less than {points} behind colleagues"
            ).format(points=points(row["margin"])),
            "unclear": _("whether that is your work, your leads or chance cannot be told yet"),
        }[row["whose"]]
        said.append(
            _("{step}: {rate} of your leads pass, {target} are agreed (very likely {interval}); {because}.").format(
                step=step_words(row),
                rate=percent(row["rate"]),
                target=percent(row["target"]),
                interval=interval_words(row),
                because=because,
            )
        )
    good = judged[judged["verdict"] == "green"]
    if not good.empty:
        steps = ", ".join(step_words(row) for _row, row in good.iterrows())
        said.append(_("On target, keep it up: {steps}.").format(steps=steps))
    unsure = judged[judged["verdict"].isin(["undecided", "too few"])]
    if not unsure.empty:
        steps = ", ".join(
            counted("{step} ({leads} lead)", "{step} ({leads} leads)", row["entered"]).format(
                step=step_words(row), leads=number(row["entered"])
            )
            for _row, row in unsure.iterrows()
        )
        said.append(_("Cannot be told from the target yet: {steps}.").format(steps=steps))
    return said or [_("Nothing of yours is judged: no target is agreed for these steps, or you are not compared.")]
