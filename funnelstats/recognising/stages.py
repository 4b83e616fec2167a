"""Stages from the moves of leads: their order, which are ends, how long a lead gets for each step."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.sparse.csgraph import connected_components

from funnelstats.config.schema import ENDS, IGNORE
from funnelstats.recognising.words import fit, plain, words

MOST_STAGES, FEW_STAGES = 12, 7
"""A page of more stages is no funnel; of a log of many activities the few that most leads come to are its stages."""
LEAST_REACH = 0.1
"""Share of the leads that come to a stage, of a log of many activities."""
LOOKED_AT = 50_000
"""Leads whose moves tell the order of stages."""
MOST_NAMES = 100
"""Names that may be stages; a column of more is one of many activities, or holds something else."""
SAID = 1.5
"""A fit of words that say little more than the name does."""
STAY = 0.98
"""Share of the leads of a stage that come to no other one, where it is an end."""
GOES_ON = 0.5
"""Share of the leads of a refusal that come to stages after it, from which on it is none beside another one."""
DAYS_BETWEEN_NAMES = 7
LEAST_MOVES = 10
USUAL_DAYS = 30
HORIZONS = [1, 2, 3, 5, 7, 10, 14, 21, 30, 45, 60, 90, 120, 180, 270, 365]


class Stages(NamedTuple):
    """Stages in order, the win last; the export's names that are an end or left out; days for each step."""

    order: list[str]
    meant: dict[str, str]
    """The export's name = lost, nurture or ignore."""
    days: dict[str, int]
    moves: dict[str, int]
    """Moves from which the days of a step are known; too few where they are the usual ones."""
    won: bool
    """Whether the win is called one; else it is the stage that comes last."""
    dead_ends: dict[str, int]
    """Stages that count as lost since leads stay there for good and are not won, each with its leads."""


def end_of(name: str) -> str:
    """Whether a name says won, lost, nurture or ignore; "" where it says none of them.

    >>> [end_of(name) for name in ("Closed Won (Sales)", "C:LOSE", "Отказ", "Demo booked", "Not sold", "Not paid")]
    ['won', 'lost', 'lost', '', 'lost', '']
    """
    known = words()["ends"]
    fits = {end: fit(name, known[end or "open"]) for end in ("", "won", *ENDS, IGNORE)}
    told = {end: score for end, score in fits.items() if score >= SAID}
    if not told:
        told = {end: fit(name, known[f"{end}_anywhere"]) for end in ("lost", "won", IGNORE)}
    best = max(told, key=lambda end: told[end])
    if best == "won" and (denied := _denied(name)):
        return "" if denied in known["to_come"] else "lost"
    return best if told[best] else ""


def _denied(name: str) -> str:
    """The win that a name denies, plain: “sold” of “Not sold”; "" where it denies none."""
    known, said = words()["ends"], plain(name).split()
    for place, word in enumerate(said, start=1):
        rest = f"{' '.join(said[place:])} "
        wins = [win for win in (*known["won"], *known["won_anywhere"]) if rest.startswith(f"{win} ")]
        if word in known["no"] and wins:
            return max(wins, key=len)
    return ""


def stages_of(entries: pd.DataFrame, first: str = "") -> Stages:
    """Stages of entries ``lead, stage, at``, where the time may be missing; ``first`` is known to be the first one."""
    spelled = _spelled(entries["stage"])
    entries = entries.assign(stage=entries["stage"].replace(spelled))
    names = entries["stage"].value_counts().index.tolist()
    entries = _of_usual_names(entries)
    renamed = _renamed(entries) | _several_wins(entries)
    entries = entries.assign(stage=entries["stage"].replace(renamed))
    ends = {name: end_of(name) for name in entries["stage"].unique()}
    meant = {name: end for name, end in ends.items() if end in (*ENDS, IGNORE)}
    some = _of_some_leads(entries)
    came = _first_times(some[~some["stage"].isin([*meant])])
    # Who came to a stage without a date says nothing of its place: it is a win.
    order = sorted(in_order(came), key=lambda name: (name != first, came[name].isna().all()))
    wins = [name for name in order if ends[name] == "won"]
    if wins == order[:1] and not first and (came[order[1:]].notna().mean() >= LEAST_REACH).any():
        wins = []  # what a log begins with and leads go on from, as an order that was placed
    # Who is refused leaves a stage too.
    all_times = _first_times(some[some["stage"].map(ends) != IGNORE])
    final = [name for name in _final(all_times) if name in order[1:]]
    # In a log of many activities also rare ones are the last of a few leads.
    often = [name for name in order if came[name].count() >= LEAST_REACH * len(came)]
    final = [name for name in final if name in often or len(order) - len(final) <= MOST_STAGES]
    # Where no word says which is the win: of the stages that nobody leaves the one with most of the way behind it.
    last = wins[-1:] or sorted(final, key=lambda name: came[came[name].notna()].notna().sum(axis=1).mean())[-1:]
    order = sorted(order, key=lambda name: not wins and name in last)
    won = pd.Series(came.index.isin(some["lead"][some["stage"].isin(wins or last)]), came.index)
    won_at = pd.to_datetime(all_times[wins or last].min(axis=1), utc=True)
    for name in [name for name, end in meant.items() if end in ENDS and won.any()]:
        ended = all_times[name].dropna()
        after = (won_at[ended.index] < ended).mean()
        meant |= {name: IGNORE} if len(ended) >= LEAST_MOVES and after >= STAY else {}
    refusals = {name: all_times[name].dropna() for name, end in meant.items() if end == "lost"}
    last_at = pd.to_datetime(came.max(axis=1), utc=True)
    later = {name: (last_at.reindex(at.index) > at).mean() for name, at in refusals.items() if len(at) >= LEAST_MOVES}
    # Of an offer that was cancelled the lead goes on, with another one.
    goes_on = [name for name, share in later.items() if share > GOES_ON]
    meant |= dict.fromkeys(goes_on if len(goes_on) < len(refusals) else [], IGNORE)
    leads = entries.groupby("stage")["lead"].nunique()
    dead_ends = {name: int(leads[name]) for name in final if last and won[came[name].notna()].mean() <= 1 - STAY}
    meant |= dict.fromkeys(dead_ends, "lost")
    order = [name for name in order if name not in dead_ends]
    if len(order) > MOST_STAGES:
        # Of many activities those that most leads come to, if they do in this order.
        reach = came.notna().mean()
        chosen = {*reach[reach >= LEAST_REACH].nlargest(FEW_STAGES).index, *order[:1], *(last or often[-1:])}
        order = [name for name in order if name in chosen]
    if wins:
        # What comes after the win is another story: delivery, service.
        order = order[: order.index(wins[-1]) + 1]
    if len(order) == 1:
        # Nobody has won yet, or nothing logs how leads come in.
        order, wins = (["lead", *order], wins) if wins else ([*order, "won"], ["won"])
    # Of all leads: of a stage that was put in no lead has a time.
    reached = _first_times(entries[entries["stage"].isin(order)]).reindex(columns=order)
    reached = reached.apply(pd.to_datetime, utc=True)
    days, moves = {}, {}
    for before, after in pairwise(order):
        took = (reached[after] - reached[before]).dt.total_seconds().dropna() / 86400
        took = took[took >= 0]
        moves[after] = len(took)
        days[after] = _horizon(float(took.quantile(0.9))) if len(took) >= LEAST_MOVES else USUAL_DAYS
    meant |= {name: IGNORE for name in names if name not in order and name not in meant}
    for name, usual in [*renamed.items(), *spelled.items()]:
        meant[name] = meant.get(usual, usual)
    return Stages(order, meant, days, moves, bool(wins), dead_ends)


def groups_of_stages(entries: pd.DataFrame) -> list[list[str]]:
    """Stages that leads share, the most leads first, where most leads know the stages of one group alone; ends aside.

    Two groups are two pipelines, whose stages are no funnel together.
    """
    named = _of_usual_names(entries.assign(stage=entries["stage"].replace(_spelled(entries["stage"]))))
    came = _first_times(_of_some_leads(_but_ends(named))).notna().astype(int)
    if came.empty:
        return []
    shared = came.T @ came
    _number, group = connected_components(shared.to_numpy())
    names = [[name for name, own in zip(came.columns, group, strict=True) if own == one] for one in np.unique(group)]
    leads = {tuple(names_of): came[names_of].any(axis=1).mean() for names_of in names if len(names_of) > 1}
    return [[*names_of] for names_of in sorted(leads, key=lambda of: -leads[of]) if leads[names_of] >= LEAST_REACH]


MOVE = re.compile(r".*(?:→|->|=>|➔|⇒)\s*(.+)")
"""A move as a log may write it: Demo → Won."""


def _spelled(names: pd.Series) -> dict[str, str]:
    """Names that differ in capitals alone, each with the most frequent spelling; of moves what they lead to."""
    counts = names.value_counts()
    moves = {name: move[1].strip() for name in counts.index if (move := MOVE.fullmatch(name))}
    if counts[[*moves]].sum() >= GOES_ON * counts.sum():
        return moves
    usual = counts.groupby(counts.index.str.casefold()).idxmax()
    return {name: usual[name.casefold()] for name in counts.index if usual[name.casefold()] != name}


def _of_usual_names(entries: pd.DataFrame) -> pd.DataFrame:
    """The entries at the most frequent names, and at those of ends."""
    names = entries["stage"].value_counts().index
    return entries[entries["stage"].isin([*names[:MOST_NAMES], *filter(end_of, names[MOST_NAMES:])])]


def _but_ends(entries: pd.DataFrame) -> pd.DataFrame:
    return entries[entries["stage"].isin([name for name in entries["stage"].unique() if not end_of(name)])]


def _renamed(entries: pd.DataFrame) -> dict[str, str]:
    """Stages under an earlier name: it ends where the later one begins, and no lead has both.

    Nor has a lead both where an earlier stage got its new name that day: of several the one that leads come to last.
    """
    dated = _but_ends(entries).dropna(subset=["at"])
    stages = dated.groupby("stage").agg(begins=("at", "min"), ends=("at", "max"), leads=("lead", set))
    stages = stages[stages["leads"].map(len) >= LEAST_MOVES]
    order = in_order(_first_times(_of_some_leads(dated))) if len(stages) else []
    found: dict[str, str] = {}
    for name, stage in stages.loc[[name for name in order if name in stages.index]].iterrows():
        ahead = stages["begins"] - stage["ends"]
        follow = stages[(ahead > pd.Timedelta(0)) & (ahead <= pd.Timedelta(days=DAYS_BETWEEN_NAMES))]
        later = [other for other, leads in follow["leads"].items() if leads.isdisjoint(stage["leads"])]
        if later := sorted({*later} - {*found.values()}, key=order.index):
            found[str(name)] = later[-1]
    return found


def _several_wins(entries: pd.DataFrame) -> dict[str, str]:
    """Names of wins of which (nearly) no lead has two, such as one for each plan: each with the most frequent one."""
    wins = entries[entries["stage"].isin([name for name in entries["stage"].unique() if end_of(name) == "won"])]
    names = wins["stage"].value_counts().index
    several = wins["lead"].isin(wins["lead"][wins["stage"] == names[0]] if len(names) else [])
    both = several.groupby(wins["stage"]).mean()
    return {name: names[0] for name in names[1:] if both[name] <= 1 - STAY}


def _first_times(entries: pd.DataFrame) -> pd.DataFrame:
    """When each lead first came to each stage: a row for each lead, a column for each stage."""
    return entries.groupby(["lead", "stage"])["at"].min().unstack()


def _of_some_leads(entries: pd.DataFrame) -> pd.DataFrame:
    """The entries of leads from the whole table, and of each stage's first ones however rare it is."""
    leads = entries["lead"].drop_duplicates()
    some = [leads[:: len(leads) // (LOOKED_AT + 1) + 1], entries.groupby("stage")["lead"].head(LEAST_MOVES)]
    return entries[entries["lead"].isin(pd.concat(some))]


def _final(first: pd.DataFrame) -> list[str]:
    """Stages that leads do not leave, though they have stood there for longer than most moves take."""
    if first.isna().all(axis=None):
        return []
    hours = first.apply(_seconds)
    gaps = np.diff(np.sort(hours, axis=1), axis=1)
    usual = np.nanquantile(gaps, 0.9) if np.isfinite(gaps).any() else np.inf
    staying = hours.max(axis=None) - hours.where(hours.eq(hours.max(axis=1), axis=0))
    stays = staying.count() >= np.maximum(STAY * hours.count(), LEAST_MOVES)
    return [name for name in first.columns if stays[name] and staying[name].median() > usual]


def _seconds(instants: pd.Series) -> pd.Series:
    """Since 1970; of any year, those that have no nanoseconds too."""
    return (instants - pd.Timestamp("1970-01-01", tz="UTC")).dt.total_seconds()


def in_order(first: pd.DataFrame) -> list[str]:
    """Stages by the moves: each pair as most leads pass it; of equal ones, the earlier on average."""
    hours = first.apply(_seconds)
    ranks = hours.rank(axis=1).mean().fillna(np.inf)

    def beaten(name: str) -> int:
        """Stages that are passed before this one, less those after it."""
        ahead = hours.drop(columns=name).sub(hours[name], axis=0)
        return int(np.sign((ahead < 0).sum() - (ahead > 0).sum()).sum())

    return sorted(first.columns, key=lambda name: (beaten(name), ranks[name]))


def _horizon(days: float) -> int:
    return next((horizon for horizon in HORIZONS if days < horizon), int(np.ceil(days / 365)) * 365)
