"""One manager's page: which own leads to act on and why, own numbers, and the colleagues as a band without names."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd

from funnelstats.config.funnel import Funnel
from funnelstats.config.schema import MISSING
from funnelstats.config.words import _, counted, day, money, number, percent, points
from funnelstats.core.conversion import STEP
from funnelstats.core.incidence import life_table
from funnelstats.core.intervals import Array, wilson_interval
from funnelstats.page.figures import NOT_RANKED, interval_words, step_words

MOST = 20
FEWEST_TRIES = 10
"""Second tries below which their share won is no chance to plan by: of 10, a half is very likely 24 to 76 %."""
WEEK = 7
NEVER, HORIZON, IDLE = "never contacted", "horizon ends", "idle"
OPEN, AGAIN = "open", "second try"
LISTED = ["kind", "lead_id", "company", "stage", "days_there", "reason", "next_step", "chance", "at_stake"]


def chances(days: pd.DataFrame, rates: pd.DataFrame, funnel: Funnel) -> pd.DataFrame:
    """Chance to win, by stage and days there, of a lead that is still there: as the team's leads did.

    ``days`` are the team's ``outcome_days``, ``rates`` its frame of ``incidence_at``. A lead that stood at its stage
    for a days moves on with the chance (F(end) - F(a)) / S(a) of those that were still there, and then with the
    team's rates of the later steps. A lead long silent so has next to none, where the plain rate would promise most.
    Returns from_stage, age_days (0, 1, ... up to the longest seen), chance; missing where a later rate is not known.
    """
    later = _later(rates, funnel)
    _keys, table = life_table(days)
    frames = []
    for stage, rows in table.groupby("from_stage", sort=False):
        daily = rows.set_index("age_days")[["incidence", "survival"]]
        daily = daily.reindex(range(int(daily.index.max()) + 1)).ffill()
        passed = daily["incidence"].fillna(0.0)
        left = daily["survival"].fillna(1.0)
        moves = ((passed.iloc[-1] - passed) / left.where(left > 0)).clip(0, 1).fillna(0.0)
        frames.append(
            pd.DataFrame({"from_stage": stage, "age_days": daily.index, "chance": moves.to_numpy() * later[str(stage)]})
        )
    found = pd.concat(frames or [pd.DataFrame(columns=["from_stage", "age_days", "chance"])], ignore_index=True)
    return found.astype({"from_stage": "str", "age_days": "int64", "chance": "float64"})


def _later(rates: pd.DataFrame, funnel: Funnel) -> dict[str, float]:
    """Product of the rates of the steps after each stage's own."""
    rate = rates.set_index("from_stage")["rate"].to_dict()
    product, found = 1.0, {}
    for step in reversed(funnel.steps):
        found[step.from_stage] = product
        product *= float(rate.get(step.from_stage, np.nan))
    return found


def with_stake(own: pd.DataFrame, chances: pd.DataFrame, deal: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """A manager's open leads with what each may bring: its chance to win times its amount, or the mean deal.

    Takes the manager's rows of ``open_leads``, ``chances`` and ``deal_size``. Adds days_there (since it last moved),
    chance and at_stake (missing where neither amount nor mean deal is known). A lead there longer than any other has no
    chance left.
    """
    days_there = _days(own["since"], as_of)
    oldest = chances.groupby("from_stage")["age_days"].max()
    known = own["stage"].map(oldest)
    age = np.fmin(_days(own["entered_on"], as_of), known.fillna(0)).astype("int64")
    at = pd.MultiIndex.from_arrays([own["stage"], age])
    chance = chances.set_index(["from_stage", "age_days"])["chance"].reindex(at).to_numpy()
    return own.assign(days_there=days_there, chance=chance, at_stake=chance * _amounts(own, deal))


def _amounts(leads: pd.DataFrame, deal: pd.DataFrame) -> Array:
    """What each lead would bring: its own amount, or the mean deal; missing where neither is known."""
    mean = float(deal["mean_deal"].iloc[0])
    amount = leads["amount"].where(leads["amount"] > 0).fillna(mean if mean > 0 else np.nan)
    return amount.to_numpy(dtype=float)


def coming_week(as_of: date) -> tuple[date, date]:
    """First and last of the seven days after a day.

    >>> coming_week(date(2026, 6, 28))
    (datetime.date(2026, 6, 29), datetime.date(2026, 7, 5))
    """
    return as_of + timedelta(days=1), as_of + timedelta(days=WEEK)


def untouched(staked: pd.DataFrame) -> pd.DataFrame:
    """Open leads that nobody contacted yet, those waiting longest first; none where contacts are not known."""
    waiting = staked[staked["contacts"] == 0]
    return waiting.sort_values(["days_there", "lead_id"], ascending=[False, True], ignore_index=True)


def stalled(own: pd.DataFrame, funnel: Funnel, as_of: date) -> pd.DataFrame:
    """Open leads by stage, and those of them without a contact or move for longer than ``loop.idle_days``.

    Returns stage (every one but the last), leads, stalled, untouched (never contacted; missing without contacts),
    idle_days (the limit), longest (days of the longest silence, missing where nobody is there).
    """
    frame = own.assign(silent=_silent(own, as_of), limit=_limits(own["stage"], funnel))
    frame = frame.assign(stalled=frame["silent"] > frame["limit"], untouched=frame["contacts"] == 0)
    by = frame.groupby("stage")
    stages = pd.Index(funnel.stages[:-1], name="stage")
    counts = pd.DataFrame({"leads": by.size(), "stalled": by["stalled"].sum(), "untouched": by["untouched"].sum()})
    counts = counts.reindex(stages).fillna(0).astype("int64")
    counts["untouched"] = counts["untouched"].astype(float) * (np.nan if own["contacts"].isna().any() else 1.0)
    counts["idle_days"] = _limits(stages.to_series(), funnel).to_numpy()
    counts["longest"] = by["silent"].max().reindex(stages)
    return counts.reset_index()


def worklist(staked: pd.DataFrame, retries: pd.DataFrame, funnel: Funnel, as_of: date) -> pd.DataFrame:
    """All own leads to act on this week: the open ones, most money at stake first, then the refused ones to try again.

    ``staked`` is a frame of ``with_stake``, ``retries`` one of ``with_retry_stake`` (empty where there are none), whose
    order is kept. An open lead is listed if no contact with it is recorded, if the days agreed for its step end within
    a week after ``as_of``, or if it stalled; the first of these is its reason. Returns kind ("open" or "second try"),
    lead_id, company, stage, days_there, reason, next_step, chance, at_stake.
    """
    ahead = {step.from_stage: step for step in funnel.steps}
    to_stage = staked["stage"].map({name: step.to_stage for name, step in ahead.items()})
    horizon = staked["stage"].map({name: step.horizon_days for name, step in ahead.items()})
    left = horizon.to_numpy(dtype=float) - _days(staked["entered_on"], as_of).to_numpy(dtype=float)
    silent, limit = _silent(staked, as_of), _limits(staked["stage"], funnel)
    why = np.select(
        [staked["contacts"] == 0, (left >= 1) & (left <= WEEK), silent > limit], [NEVER, HORIZON, IDLE], default=""
    )
    frame = staked.assign(
        why=why, silent=silent, to_stage=to_stage, due=[as_of + timedelta(days=int(days)) for days in left]
    )
    frame = frame[frame["why"] != ""]
    rows = [_words(row, funnel) for row in frame.to_dict("records")]
    listed = frame.assign(kind=OPEN, reason=[why for why, _step in rows], next_step=[step for _why, step in rows])
    order = ["at_stake", "chance", "days_there", "lead_id"]
    listed = listed.sort_values(order, ascending=[False, False, True, True], na_position="last", ignore_index=True)
    both = [part[LISTED] for part in (listed, retries) if not part.empty]
    return pd.concat(both, ignore_index=True) if both else listed[LISTED]


def second_tries(success: pd.DataFrame) -> tuple[int, int]:
    """How many second tries the team made whose days are over, and how many of them were won; of ``retry_success``."""
    won = success[success["to_stage"] == success["to_stage"].iloc[-1]] if len(success) else success
    return int(won["again_entered"].sum()), int(won["again_converted"].sum())


def with_retry_stake(retries: pd.DataFrame, success: pd.DataFrame, deal: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """Refused leads due for a second try with what each may bring if it is tried: most first, then by its last day.

    Takes the manager's ``retries_due`` and ``retry_success`` of the team. The chance is that of leads that **were**
    tried: those nobody called again say nothing of what a call brings. It is missing, and at_stake with it, below ten
    such tries: an export that writes them down as new leads, or holds one row per lead, shows none. Returns the columns
    of ``worklist`` (days_there counts from the refusal), then refusal, lost_on, due_from, due_to.
    """
    tried, won = second_tries(success)
    chance = won / tried if tried >= FEWEST_TRIES else np.nan
    due = [_("call again by {day}").format(day=day(until)) for until in retries["due_to"]]
    why = [
        _("second try due") if refusal == MISSING else _("second try due: {refusal}").format(refusal=refusal)
        for refusal in retries["refusal"]
    ]
    found = retries.assign(
        kind=AGAIN,
        days_there=_days(retries["lost_on"], as_of),
        chance=chance,
        at_stake=chance * _amounts(retries, deal),
        reason=pd.Series(why, index=retries.index, dtype="str"),
        next_step=pd.Series(due, index=retries.index, dtype="str"),
    )[[*LISTED, "refusal", "lost_on", "due_from", "due_to"]]
    order = ["at_stake", "chance", "due_to", "lead_id"]
    return found.sort_values(order, ascending=[False, False, True, True], na_position="last", ignore_index=True)


def _words(row: dict, funnel: Funnel) -> tuple[str, str]:
    """Reason and next step of a listed lead."""
    if row["why"] == NEVER and row["stage"] == funnel.stages[0]:
        return _("never contacted"), _("first call")
    if row["why"] == NEVER:
        # who came this far was talked to: what lacks is the record
        return _("no contact recorded"), _("call and write it down")
    if row["why"] == HORIZON:
        reason = _("days end {day}").format(day=day(row["due"]))
        return reason, _("bring it to {stage}").format(stage=row["to_stage"])
    return _("idle for {n} days").format(n=number(row["silent"])), _("call or close it")


def _days(since: pd.Series, as_of: date) -> pd.Series:
    return (pd.Timestamp(as_of) - since).dt.days


def _silent(own: pd.DataFrame, as_of: date) -> pd.Series:
    return _days(own[["since", "last_contact_on"]].max(axis=1), as_of)


def _limits(stages: pd.Series, funnel: Funnel) -> pd.Series:
    return stages.map(lambda stage: funnel.loop.idle_days_at.get(stage, funnel.loop.idle_days)).astype("int64")


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
