"""Who is credited with the money: rules side by side. None of them says what a channel causes."""

from __future__ import annotations

import numpy as np
import pandas as pd

from funnelstats.stated.schema import NO_TOUCH, NOT_WON, START, WON

RULES = ["own", "first", "last", "linear", "position", "markov"]


def attribution(credit: pd.DataFrame, moves: pd.DataFrame) -> pd.DataFrame:
    """Revenue by channel under six rules, each adding up to the same total, the greatest by the linear rule first.

    Takes ``channel_credit`` and ``channel_moves``. Adds ``markov``: the money of leads with a touch, shared by the
    removal effects; missing where no path is over or none was won. Returns ``channel, own, first, last, linear,
    position, markov``.
    """
    if credit.empty:
        return credit.assign(markov=pd.Series(dtype="float64"))
    removal = removal_effects(moves)
    share = removal.set_index("channel")["share"].reindex(credit["channel"]).to_numpy()
    apart = credit["channel"] == NO_TOUCH
    touched = credit.loc[~apart, "linear"].sum()
    known = removal["share"].notna().any()
    markov = np.where(apart, credit["linear"], np.nan_to_num(share) * touched if known else np.nan)
    return credit.assign(markov=markov).sort_values(["linear", "own"], ascending=False, ignore_index=True)[
        ["channel", *RULES]
    ]


def removal_effects(moves: pd.DataFrame) -> pd.DataFrame:
    """How much rarer winning would be without a channel, if leads moved between channels at random: a Markov chain.

    Takes ``from_channel, to_channel, moves`` with "(start)", "(won)", "(not won)". What would have gone to the removed
    channel is not won. One matrix is inverted: with visits N and chances to win p, removing c takes
    N[start, c] / N[c, c] x p[c] of p[start]. Returns ``channel, removal`` (a share of the leads won), ``share`` (of
    all removals); missing where nobody was won. Source: Anderl, Becker, von Wangenheim and Schumann 2016.
    """
    names = {*moves["from_channel"], *moves["to_channel"]} - {START, WON, NOT_WON}
    channels = sorted(names)
    states = [START, *channels]
    counts = (
        moves.pivot_table(index="from_channel", columns="to_channel", values="moves", aggfunc="sum")
        .reindex(index=states, columns=[*states, WON, NOT_WON])
        .fillna(0.0)
        .to_numpy(dtype=float)
    )
    total = counts.sum(axis=1, keepdims=True)
    chance = np.divide(counts, total, out=np.zeros_like(counts), where=total > 0)
    visits = np.linalg.inv(np.eye(len(states)) - chance[:, : len(states)])
    wins = visits @ chance[:, len(states)]
    if not channels or wins[0] <= 0:
        unknown = np.full(len(channels), np.nan)
        return pd.DataFrame({"channel": pd.Series(channels, dtype="str"), "removal": unknown, "share": unknown})
    removal = (visits[0] / np.diag(visits) * wins / wins[0])[1:]
    found = pd.DataFrame({"channel": pd.Series(channels, dtype="str"), "removal": removal})
    return found.assign(share=removal / removal.sum())
