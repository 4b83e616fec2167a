"""What the sample's leads leave beside their stages: contacts, payments, and what the channels cost."""

import numpy as np
import pandas as pd

from . import facts

DAY = pd.Timedelta(days=1)
MINUTE = pd.Timedelta(minutes=1)


def contacts_of(entries: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """A contact shortly before most stage entries, and idle ones at a constant rate while a lead stays."""
    stays = entries.assign(left=entries.groupby(["lead_id", "episode"])["at"].shift(-1))
    stays = stays[stays["stage"].isin(facts.STAGES)].reset_index(drop=True)
    until_export = (pd.Timestamp(facts.EXPORTED_AT) - stays["at"]).dt.total_seconds() / 86_400
    days = (stays["left"] - stays["at"]).dt.total_seconds() / 86_400
    days = np.minimum(days.fillna(until_export), np.minimum(until_export, 30))
    busy = (stays["manager"] == facts.BUSY) & (stays["stage"] != facts.STAGES[0])
    rate: pd.Series = stays["stage"].map(facts.CONTACT_RATE) * np.where(busy, facts.BUSY_FACTOR, 1)
    idle = stays.loc[stays.index.repeat(rng.poisson(rate * days))]
    at = idle["at"] + np.floor(rng.random(len(idle)) * days.loc[idle.index] * 24 * 60) * MINUTE
    # nights become working hours of the same day; what then falls outside the stay is dropped
    at = at.dt.normalize() + (9 * 60 + (at.dt.hour * 60 + at.dt.minute) * 9 // 24) * MINUTE
    idle = idle.assign(moment=at, kind=rng.choice(["call", "call", "mail"], len(idle)), answered=0.45)
    idle = idle[(idle["moment"] > idle["at"]) & (idle["moment"] < idle["left"].fillna(at + DAY))]
    causing = stays[(stays["stage"] != facts.STAGES[0]) & (rng.random(len(stays)) < facts.CAUSING)]
    kinds = {"met": "call", "presented": "meeting", "contracted": "meeting", "paid": "mail"}
    moment = causing["at"] - rng.integers(5, 19, len(causing)) * MINUTE
    causing = causing.assign(moment=moment, kind=causing["stage"].map(kinds), answered=1.0)
    both = pd.concat([idle, causing]).sort_values(["moment", "lead_id"], kind="stable").reset_index(drop=True)
    reached = rng.random(len(both)) < both["answered"]
    call = np.where(reached, rng.integers(60, 900, len(both)), rng.integers(0, 20, len(both)))
    length = np.where(both["kind"] == "meeting", rng.integers(30, 120, len(both)) * 60, call)
    return pd.DataFrame(
        {
            "lead_id": both["lead_id"],
            "at": both["moment"],
            "kind": both["kind"],
            "manager": both["manager"],
            "duration_s": pd.Series(length).astype(str).mask(both["kind"] == "mail", ""),
            "reached": pd.Series(np.where(reached, "yes", "no")).mask(both["kind"] == "mail", ""),
        }
    )


def payments_of(entries: pd.DataFrame, leads: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """The deal's amount on the day of `paid`; on some deals a part of it on the day of the contract."""
    contract, paid = (entries[entries["stage"] == stage] for stage in ("contracted", "paid"))
    when = contract.merge(paid, on=["lead_id", "episode"], how="left", suffixes=("_contract", "_paid"))
    amount = leads.set_index("lead_id")["amount"].reindex(when["lead_id"]).to_numpy()
    advance = np.round(amount * 0.4, -2) * (rng.random(len(when)) < 0.3)
    parts = [
        pd.DataFrame({"lead_id": when["lead_id"], "paid_on": when["at_contract"], "amount": advance}),
        pd.DataFrame({"lead_id": when["lead_id"], "paid_on": when["at_paid"], "amount": amount - advance}),
    ]
    money = pd.concat(parts).query("amount > 0 and paid_on.notna()")
    money = money.assign(paid_on=money["paid_on"].dt.normalize())
    return money.sort_values(["paid_on", "lead_id"], kind="stable").reset_index(drop=True)


def costs_of_channels(rng: np.random.Generator) -> pd.DataFrame:
    """Spend by day for the losing channel, by week for the others, at once for exhibitions."""
    rows = []
    for channel, spend in [*facts.CHANNELS["spend"].items(), (facts.SPEND_ONLY, 50_000)]:
        every = 1 if channel == facts.LOSING else 7
        days = pd.date_range(facts.FIRST_DAY, periods=facts.DAYS)[::every]
        campaigns = facts.CAMPAIGNS.get(str(channel), [""])
        for campaign in campaigns if spend else []:
            amount = spend / 7 * every / len(campaigns) * rng.uniform(0.8, 1.2, len(days))
            spent = {"date": days, "channel": channel, "campaign": campaign, "amount": amount}
            rows.append(pd.DataFrame(spent))
    for date, (campaign, spend) in facts.EXHIBITIONS.items():
        fair = {"channel": "Exhibition", "campaign": campaign, "amount": float(spend)}
        rows.append(pd.DataFrame({"date": [pd.Timestamp(date)], **fair}))
    costs = pd.concat(rows).sort_values(["date", "channel", "campaign"], kind="stable").reset_index(drop=True)
    return costs.assign(amount=costs["amount"].round(2))
