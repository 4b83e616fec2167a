"""Who is credited with the money; campaigns of some size each in a row, the small ones together in one."""

import numpy as np
import pandas as pd

from funnelstats.config.errors import need
from funnelstats.config.schema import MISSING, NO_TOUCH, NOT_WON, START, WON
from funnelstats.config.words import _, counted, number

RULES = ["own", "first", "last", "linear", "position", "markov"]


def attribution(credit: pd.DataFrame, moves: pd.DataFrame) -> pd.DataFrame:
    """Revenue by channel under six rules, each adding up to the same total, the greatest by the linear rule first.

    Takes ``channel_credit`` and ``channel_moves``. Adds ``markov``: the money of leads with a touch, shared by the
    removal effects; missing where no path is over or none was won. Returns ``channel, own, first, last, linear,
    position, markov``.

    >>> contacts = tables.contacts.mutate(channel=tables.contacts.kind)
    >>> credit, moves = (count(leads, contacts, day) for count in (fs.money.channel_credit, fs.money.channel_moves))
    >>> fs.money.attribution(credit, moves)[["channel", "first", "last", "linear", "markov"]].head(2).round()
       channel        first         last       linear       markov
    0  meeting   63245400.0  153623370.0  175896846.0  135367242.0
    1     call  307341600.0   25869300.0  147710272.0  150553223.0
    """
    need(credit, "credit", "channel")
    need(moves, "moves", "from_channel", "to_channel", "moves")
    if credit.empty:
        return credit.assign(markov=pd.Series(dtype="float64"))
    removal = removal_effects(moves)
    share = removal.set_index("channel")["share"].reindex(credit["channel"]).to_numpy()
    untouched = credit["channel"] == NO_TOUCH
    touched = credit.loc[~untouched, "linear"].sum()
    known = removal["share"].notna().any()
    markov = np.where(untouched, credit["linear"], np.nan_to_num(share) * touched if known else np.nan)
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


FEWEST_LEADS = 10
"""Below so many leads a campaign is told together with its like."""
MOST_CAMPAIGNS = 25
SEVERAL = "(several)"
ADDS_UP = ["leads", "won", "deals", "revenue", "returned", "spend", "open", "to_come", "revenue_final"]


def small_together(counts: pd.DataFrame) -> pd.DataFrame:
    """A frame of counts by channel and campaign, campaigns of fewer than 10 leads summed as one.

    Takes ``hand_over_days`` or ``hand_over_counts``; both tell the same campaigns as small, since both hold every
    lead once. A campaign that is not named stays what it is.

    >>> import pandas as pd
    >>> counts = pd.DataFrame({"channel": ["Ads"] * 3, "campaign": ["spring", "may", "june"], "entered": [40, 4, 3]})
    >>> fs.money.small_together(counts)
         channel               campaign  entered
    0        Ads                 spring       40
    1  (several)  (others: 2 campaigns)        7
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
    """The rows of ``acceptance`` whose campaign is named, most leads first, the first 25; small ones together last.

    >>> import pandas as pd
    >>> campaigns = {"channel": "Ads", "campaign": ["may", "(missing)", "june"], "entered": [20, 90, 40]}
    >>> fs.money.of_campaigns(pd.DataFrame(campaigns))
      channel campaign  entered
    0     Ads     june       40
    1     Ads      may       20
    """
    named = accepted[accepted["campaign"] != MISSING]
    named = named.assign(_together=named["channel"] == _(SEVERAL))
    ordered = named.sort_values(["_together", "entered"], ascending=[True, False], kind="stable", ignore_index=True)
    return ordered.drop(columns="_together").head(MOST_CAMPAIGNS)


def money_of_campaigns(rows: pd.DataFrame) -> pd.DataFrame:
    """The first 25 rows of ``returns`` by channel and campaign, and one of all others, so that nothing is left out.

    Others are also those without spend that brought fewer than 10 leads. What adds up is summed; their return is not
    told, since few of them have spend. No rows where no campaign is named.

    >>> fs.money.money_of_campaigns(campaigns)[["channel", "campaign", "leads", "revenue"]].head(2)
         channel   campaign  leads     revenue
    0    Partner  (missing)    724  73900040.0
    1  Cold call  (missing)   1001  72052110.0
    """
    if rows["campaign"].eq(MISSING).all():
        return rows.iloc[:0]
    small = ~(rows["spend"] > 0) & (rows["leads"] < FEWEST_LEADS)
    shown = rows[~small].head(MOST_CAMPAIGNS)
    rest = rows.drop(shown.index)
    if len(rest) < 2:
        return rows[rows.index.isin([*shown.index, *rest.index])]
    together = pd.DataFrame([rest[ADDS_UP].sum(skipna=False)]).astype(rest[ADDS_UP].dtypes).assign(**_others(rest))
    return pd.concat([shown, together], ignore_index=True)


def _others(rows: pd.DataFrame) -> dict[str, str]:
    many = rows["campaign"].nunique()
    return {
        "channel": _(SEVERAL),
        "campaign": counted("(others: {n} campaign)", "(others: {n} campaigns)", many).format(n=number(many)),
    }


OF_QUARTERS = ["channel", "cohort"]
ON_RECORD = 0.5
"""Share of a channel's leads that must be of quarters with spend, so that what they bring is set against it."""


def with_spend_on_record(found: pd.DataFrame, leads: pd.DataFrame, spend: pd.DataFrame | None) -> pd.DataFrame:
    """The ``returns`` by channel, "part spend" on those most of whose leads are of quarters without any spend."""
    if spend is None:
        return found
    spent = spend.loc[spend["spend"] > 0, OF_QUARTERS].assign(spent=True)
    counted = leads.merge(spent, how="left", on=OF_QUARTERS)
    of_spend = counted["leads"].where(counted["spent"].eq(True), 0).groupby(counted["channel"]).sum()
    part = found["channel"].map(of_spend / counted.groupby("channel")["leads"].sum()) < ON_RECORD
    part &= found["verdict"].isin(["red", "green", "undecided"])
    return found.assign(verdict=found["verdict"].mask(part, "part spend"))
