"""The sample's sales team drawn from its planted numbers, and the files of its CRM export.

The same seed gives the same bytes. A step is drawn first and its delay after it, so that the share
within the horizon is the planted rate.
"""

import csv

import numpy as np
import pandas as pd

from . import facts
from .dirt import export
from .traces import contacts_of, costs_of_channels, payments_of
from .truth import truth_page

Frames = dict[str, pd.DataFrame]
DAY = pd.Timedelta(days=1)
MINUTE = pd.Timedelta(minutes=1)


def clean_sample(seed: int = facts.SEED) -> Frames:
    """The five tables as they truly are, before the CRM's dirt, in local time.

    leads: lead_id, created_at, manager (present owner), channel, campaign, amount, ready_*, segment,
    product, nurtured, company; entries: lead_id, episode, stage, at, manager, reason; contacts: lead_id, at,
    kind, manager, duration_s, reached; payments: lead_id, paid_on, amount; costs: date, channel, campaign,
    amount.
    """
    rng = np.random.default_rng(seed)
    leads = _leads(rng)
    first = _follow(leads.assign(at=leads["created_at"], episode=1), rng)
    ends = first[first["stage"].isin(list(facts.RETURNS))]
    entries = pd.concat([first, _follow(_returning(ends, leads, rng), rng)])
    entries = entries[entries["at"] < pd.Timestamp(facts.EXPORTED_AT)]
    entries = entries.sort_values(["lead_id", "at"], kind="stable").reset_index(drop=True)
    contracted = entries.loc[entries["stage"] == "contracted", "lead_id"]
    return {
        "leads": _with_flags(leads, leads["lead_id"].isin(contracted), rng).assign(
            manager=leads["lead_id"].map(entries.groupby("lead_id")["manager"].last())
        ),
        "entries": entries,
        "contacts": contacts_of(entries, rng),
        "payments": payments_of(entries, leads, rng),
        "costs": costs_of_channels(rng),
    }


def _leads(rng: np.random.Generator) -> pd.DataFrame:
    days = pd.date_range(facts.FIRST_DAY, periods=facts.DAYS)
    of_week = np.where(days.day_of_week < 5, 0.92 / 5, 0.08 / 2)
    number = rng.poisson(np.outer(facts.RATES["a_week"], of_week))
    manager, day = (index.repeat(number.ravel()) for index in np.indices(number.shape).reshape(2, -1))
    n = number.sum()
    leads = pd.DataFrame(
        {
            "created_at": days[day] + rng.integers(8 * 60, 20 * 60, n) * MINUTE,
            "manager": facts.RATES.index.to_numpy()[manager],
            "channel": rng.choice(facts.CHANNELS.index, n, p=facts.CHANNELS["share"]),
            "product": rng.choice(list(facts.PRODUCTS), n, p=list(facts.PRODUCTS.values())),
        }
    )
    usual, hard = (rng.choice(facts.SEGMENTS.index, n, p=facts.SEGMENTS[c]) for c in ("share", "hard_share"))
    spared = (leads["manager"] == facts.NOISE) & (leads["product"] == facts.LEAK_PRODUCT)
    second = rng.integers(0, 2, n)
    fairs = leads["created_at"] >= pd.Timestamp(max(facts.EXHIBITIONS))
    second = np.where(leads["channel"] == "Exhibition", fairs, second)
    campaigns = leads["channel"].map(lambda channel: facts.CAMPAIGNS.get(channel, [""]))
    ticket = facts.TICKET_MEDIAN * rng.lognormal(0, facts.TICKET_SIGMA, n)
    names = rng.choice(facts.COMPANIES, n)
    leads = leads.assign(
        segment=np.where(leads["manager"] == facts.HARD_BASE, hard, usual),
        product=leads["product"].mask(spared, "Service"),
        campaign=[some[pick % len(some)] for some, pick in zip(campaigns, second, strict=True)],
        amount=np.round(ticket * facts.CHANNELS["ticket"].reindex(leads["channel"]).to_numpy(), -2),
        company=names + " " + pd.Series(rng.integers(1, 10_000, n)).astype(str),
    )
    leads = leads[leads["created_at"] < pd.Timestamp(facts.EXPORTED_AT)]
    leads = leads.sort_values("created_at", kind="stable").reset_index(drop=True)
    return leads.assign(lead_id=_ids(len(leads), rng))


def _ids(n: int, rng: np.random.Generator) -> np.ndarray:
    """Ids as text; some of 19 digits that floats cannot tell apart, some with zeros that numbers lose."""
    long, zeros, twins = (
        facts.DIRT[k][0] for k in ("id of 19 digits", "id with leading zeros", "id twin without the zeros")
    )
    ids = np.array([str(100_001 + i) for i in range(n)], dtype=object)
    odd = rng.permutation(n)[: long + zeros + twins]
    ids[odd[:long]] = [str(4_611_686_018_427_387_000 + i) for i in range(long)]
    ids[odd[long : long + zeros]] = [f"{4_700 + i:06d}" for i in range(zeros)]
    ids[odd[long + zeros :]] = [str(4_700 + i) for i in range(twins)]
    return ids


def _follow(starts: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Every stage entry and end of leads that start at `at` with `manager`, in episode `episode`."""
    here = starts[["lead_id", "episode", "at", "manager", "segment", "product"]].assign(reason="")
    rows = [here.assign(stage=facts.STAGES[0])]
    for stage in facts.STAGES[1:]:
        n = len(here)
        in_time = rng.random(n) < facts.step_rate(here["manager"], stage, here, here["at"].dt.normalize())
        late = ~in_time & (rng.random(n) < facts.LATE)
        # three days at least, so that the move back from a weekend cannot bring it into the horizon
        wait = np.where(in_time, _delays(here, stage, rng), facts.HORIZON[stage] + rng.integers(3, 18, n))
        end = pd.Series(rng.choice(["lost", "nurture", ""], n, p=_end_shares()), index=here.index)
        end_wait = 1 + np.minimum(rng.exponential(9, n), 40).astype(int)
        reason = _reasons(here, stage, rng).where(end == "lost", "")
        ended = here.assign(stage=end, reason=reason, at=_later(here["at"], end_wait, rng))
        rows.append(ended[~in_time & ~late & (end != "")])
        moved = here.assign(at=_later(here["at"], wait, rng), manager=_owner(here["manager"], rng))
        here = moved[in_time | late]
        rows.append(here.assign(stage=stage))
    return pd.concat(rows)[["lead_id", "episode", "stage", "at", "manager", "reason"]]


def _end_shares() -> list[float]:
    return [facts.LOST, facts.NURTURE, 1 - facts.LOST - facts.NURTURE]


def _delays(here: pd.DataFrame, stage: str, rng: np.random.Generator) -> np.ndarray:
    """Whole days, exponential and cut at the horizon; only the first step can take less than a day."""
    mean = np.full(len(here), facts.MEAN_DELAY[stage])
    first = stage == facts.STAGES[1]
    if first:
        mean = mean * facts.SEGMENTS["slowness"].reindex(here["segment"]).to_numpy()
    within = 1 - np.exp(-facts.HORIZON[stage] / mean)
    days = np.floor(-mean * np.log1p(-rng.random(len(here)) * within)).astype(int)
    return days + (not first)


def _later(at: pd.Series, days: np.ndarray, rng: np.random.Generator) -> pd.Series:
    """So many days later at a working hour; a weekend moves back to Friday unless that is before `at`."""
    day = at.dt.normalize() + days * DAY
    friday = day - (day.dt.day_of_week - 4).clip(lower=0) * DAY
    day = friday.where(friday >= at.dt.normalize(), day)
    soon, working = rng.integers(20, 60, len(at)) * MINUTE, rng.integers(9 * 60, 18 * 60, len(at)) * MINUTE
    return (day + working).where(day > at.dt.normalize(), at + soon)


def _owner(manager: pd.Series, rng: np.random.Generator) -> pd.Series:
    other = rng.choice(facts.TEAM, len(manager))
    return manager.mask(manager.isin(facts.TEAM) & (rng.random(len(manager)) < facts.HANDED_OVER), other)


def _reasons(here: pd.DataFrame, stage: str, rng: np.random.Generator) -> pd.Series:
    n = len(here)
    shares = np.array([share for share, _ in facts.REASONS.values()])
    reason = pd.Series(rng.choice(list(facts.REASONS), n, p=shares / shares.sum()), index=here.index)
    leak = (here["product"] == facts.LEAK_PRODUCT) & (here["at"] >= pd.Timestamp(facts.LEAK_FROM))
    reason = reason.mask(leak & (stage == facts.LEAK_STEP) & (rng.random(n) < facts.LEAK_REASON_SHARE), "дорого")
    others = [words for words in facts.REASONS if words != facts.TELL_TALE_REASON]
    telling = np.where(rng.random(n) < facts.TELL_TALE_SHARE, facts.TELL_TALE_REASON, rng.choice(others, n))
    reason = reason.mask(here["manager"] == facts.TELL_TALE, telling)
    return reason.mask(rng.random(n) < facts.BLANK_REASON, "")


def _returning(ends: pd.DataFrame, leads: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    share, soonest, latest = (ends["stage"].map(lambda end, i=i: facts.RETURNS[end][i]) for i in range(3))
    after = (soonest + rng.random(len(ends)) * (latest - soonest)).astype(int)
    again = ends.assign(at=_later(ends["at"], after.to_numpy(), rng), episode=2)
    again = again[rng.random(len(ends)) < share]
    return again.merge(leads[["lead_id", "segment", "product"]], on="lead_id")


def _with_flags(leads: pd.DataFrame, contracts: pd.Series, rng: np.random.Generator) -> pd.DataFrame:
    known = {}
    for flag, more in facts.READY.items():
        yes = rng.random(len(leads)) < 0.5 + more * contracts
        known[f"ready_{flag}"] = np.where(rng.random(len(leads)) < 0.15, "", np.where(yes, "yes", "no"))
    share = facts.SEGMENTS["nurtured"].reindex(leads["segment"]).to_numpy()
    return leads.assign(**known, nurtured=np.where(rng.random(len(leads)) < share, "yes", ""))


def sample_files(seed: int = facts.SEED) -> dict[str, str]:
    """Text of every generated file of the sample by name: the CSV files and TRUTH.md."""
    clean = clean_sample(seed)
    files = export(clean, np.random.default_rng([seed, 1]))
    rows = {
        name: sum(1 for _ in csv.reader(text.splitlines(keepends=True), delimiter=";")) - 1
        for name, text in files.items()
    }
    return {**files, "TRUTH.md": truth_page(clean, rows)}
