"""Campaigns as a table shows them: those of some size each in a row, the small ones together in one."""

from __future__ import annotations

import pandas as pd

from funnelstats.stated.schema import MISSING
from funnelstats.stated.words import _, counted, number

FEWEST_LEADS = 10
"""Below so many leads a campaign is told together with its like."""
MOST_CAMPAIGNS = 25
SEVERAL = "(several)"
ADDS_UP = ["leads", "won", "deals", "revenue", "returned", "spend", "open", "to_come", "revenue_final"]


def small_together(counts: pd.DataFrame) -> pd.DataFrame:
    """A frame of counts by channel and campaign, campaigns of fewer than 10 leads summed as one.

    Takes ``hand_over_days`` or ``hand_over_counts``; both tell the same campaigns as small, since both hold every
    lead once. A campaign that is not named stays what it is.
    """
    keys = ["channel", "campaign"]
    numbers = [column for column in counts if column not in (*keys, "from_stage", "to_stage", "week", "age_days")]
    leads = counts[[column for column in numbers if column != "converted"]].sum(axis=1)
    of_each = leads.groupby([counts[key] for key in keys]).transform("sum")
    small = (of_each < FEWEST_LEADS) & (counts["campaign"] != MISSING)
    if counts.loc[small, keys].drop_duplicates().shape[0] < 2:
        return counts
    named = counts.assign(**{key: counts[key].mask(small, name) for key, name in _others(counts[small]).items()})
    groups = [str(column) for column in counts if column not in numbers]
    return named.groupby(groups, sort=False)[numbers].sum().reset_index()


def of_campaigns(accepted: pd.DataFrame) -> pd.DataFrame:
    """The rows of ``acceptance`` whose campaign is named, most leads first, the first 25; small ones together last."""
    named = accepted[accepted["campaign"] != MISSING].assign(_together=accepted["channel"] == _(SEVERAL))
    ordered = named.sort_values(["_together", "entered"], ascending=[True, False], kind="stable", ignore_index=True)
    return ordered.drop(columns="_together").head(MOST_CAMPAIGNS)


def money_of_campaigns(rows: pd.DataFrame) -> pd.DataFrame:
    """The first 25 rows of ``returns`` by channel and campaign, and one of all others, so that nothing is left out.

    Others are also those without spend that brought fewer than 10 leads. What adds up is summed; their return is not
    told, since few of them have spend.
    """
    small = ~(rows["spend"] > 0) & (rows["leads"] < FEWEST_LEADS)
    kept = rows[~small].head(MOST_CAMPAIGNS)
    rest = rows.drop(kept.index)
    if len(rest) < 2:
        return rows[rows.index.isin([*kept.index, *rest.index])]
    together = pd.DataFrame([rest[ADDS_UP].sum(skipna=False)]).astype(rest[ADDS_UP].dtypes).assign(**_others(rest))
    return pd.concat([kept, together], ignore_index=True)


def _others(rows: pd.DataFrame) -> dict[str, str]:
    many = rows["campaign"].nunique()
    return {
        "channel": _(SEVERAL),
        "campaign": counted("(others: {n} campaign)", "(others: {n} campaigns)", many).format(n=number(many)),
    }
