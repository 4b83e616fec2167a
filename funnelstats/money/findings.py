"""What a page says about money: which channel loses and which earns, what is unsure, what the export lacks."""

from typing import Any

import numpy as np
import pandas as pd

from funnelstats.config.schema import MISSING
from funnelstats.config.words import _
from funnelstats.core.counts import known_columns
from funnelstats.importing.opening import Tables
from funnelstats.money.channels import RULES
from funnelstats.money.revenue import FEW_DEALS, rivals

BIG = 1 / 3
"""From this share of its revenue on, one deal makes a channel's return a matter of luck."""
FEW = 3
"""Channels that a title names."""
VERDICTS = ("red", "green", "undecided", "too few", "no leads", "no spend", "part spend", "no channel")


def channel_facts(by_channel: pd.DataFrame) -> dict[str, Any]:
    """The rows of ``returns`` by channel, by verdict ("no_spend"), each with its ``gain`` over what was spent.

    Of the green ones ``best`` is the row that brings back most, ``close`` those that may bring as much; the title names
    for ``more`` the best, and the close ones if they are few; all others are to ``keep``. Those without a verdict are
    ``refunded`` more than they were paid, or ``untold``, since nobody knows what their open leads will bring; only the
    others are too close to call, or too few. ``lucky`` are judged rows that hang on one deal; ``most`` are those of
    most revenue, if there is any; ``costs`` and ``payments`` say whether any are known, ``unnamed`` whether no lead has
    a channel.

    >>> fs.money.channel_facts(channels)["red"]["channel"].tolist()
    ['Search ads']
    """
    unnamed = bool(by_channel["channel"].eq(MISSING).all())
    rows = by_channel.assign(gain=by_channel["revenue_final"] - by_channel["spend"])
    rows = rows.assign(channel=_("all channels")) if unnamed else rows
    verdict = rows["verdict"]
    told = verdict.mask((verdict == "undecided") & rows["revenue_final"].isna(), "untold")
    told = told.mask(verdict.isin(["undecided", "too few"]) & (rows["revenue"] < 0), "refunded")
    of = {name.replace(" ", "_"): rows[told == name] for name in (*VERDICTS, "refunded", "untold")}
    best, close = of["green"].nlargest(1, "back"), rivals(of["green"])
    more = pd.concat([best, close]) if len(close) < FEW else best
    judged = verdict.isin(["red", "green", "undecided"])
    return of | {
        "rows": rows,
        "best": best,
        "close": close,
        "more": more,
        "keep": of["green"].drop(more.index).sort_values("gain", ascending=False),
        "lucky": rows[judged & (rows["biggest_share"] >= BIG) & (rows["deals"] > FEW_DEALS)],
        "most": rows[(rows["revenue"] == rows["revenue"].max()) & (rows["revenue"] > 0)],
        "costs": bool(rows["spend"].notna().any()),
        "payments": bool(rows["revenue"].notna().any()),
        "unnamed": unnamed,
    }


def credit_facts(credited: pd.DataFrame) -> dict[str, Any] | None:
    """The channel on which the rules of ``attribution`` differ most, and its least and greatest share of the money.

    >>> import pandas as pd
    >>> credited = {"channel": ["Ads", "Website"], "own": [60.0, 40.0], "first": [70.0, 30.0], "last": [20.0, 80.0]}
    >>> credited = pd.DataFrame(credited).assign(linear=[45.0, 55.0], position=45.0, markov=45.0)
    >>> fs.money.credit_facts(credited)["channel"]
    'Ads'
    """
    if credited.empty:
        return None
    rules = credited[RULES[1:]]
    widest = int(np.argmax(rules.max(axis=1) - rules.min(axis=1)))
    row, total = rules.iloc[widest], credited["linear"].sum()
    return {"channel": credited["channel"].iloc[widest], "low": row.min() / total, "high": row.max() / total}


def amount_facts(amounts: pd.DataFrame) -> dict[str, Any]:
    """The rows of ``stage_amounts``; the ``worst``, at which most money is lost, and all that is ``open``.

    None where the amounts of some stage are not known.

    >>> fs.money.amount_facts(amounts)["worst"]["stage"]
    'presented'
    """
    left = amounts.iloc[:-1]
    lost, there = left["lost_amount"], left["still_there_amount"]
    known = len(left) > 0 and bool(lost.notna().all()) and lost.max() > 0
    return {
        "stages": amounts,
        "worst": left.sort_values("lost_amount").iloc[-1].to_dict() if known else None,
        "open": there.sum() if len(left) and there.notna().all() else None,
    }


def money_gaps(tables: Tables, strays: pd.DataFrame, set_aside: pd.DataFrame) -> dict[str, Any]:
    """What the export lacks of money, and the payments that are in no table.

    Takes a frame of ``stray_payments``, and the rows that the preparation set aside: ``orphans`` are of no lead.

    >>> fs.money.money_gaps(tables, strays, fs.read_quality("sample").set_aside)["costs"]
    False
    """
    return {
        "costs": tables.costs is None,
        "payments": tables.payments is None,
        "lead_channels": "channel" not in known_columns(tables.leads),
        "cost_channels": tables.costs is not None and "channel" not in known_columns(tables.costs),
        "orphans": int(((set_aside["table"] == "payments") & (set_aside["code"] == "orphan")).sum()),
        "strays": strays.iloc[0].to_dict(),
    }
