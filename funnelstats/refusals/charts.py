"""Charts of refusals: shares of reasons, and what each reason takes from every stage; the words of their tables."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from funnelstats.config.funnel import Funnel, Step
from funnelstats.config.schema import MISSING
from funnelstats.config.words import _, number, percent
from funnelstats.page.figures import (
    ACCENT,
    ACROSS,
    INK,
    LONGEST_LABEL,
    MOST_IN_ALL,
    NEUTRAL,
    PAD,
    SMALL,
    house_panels,
    house_style,
    name_rows,
    room_for,
    shares_along,
    short_name,
    show_figure,
    step_name,
    text_width,
)
from funnelstats.page.tables import Shown, show_text
from funnelstats.refusals.sentences import reason_word

MOST_REASONS = 14
CHANGE_WORDS = {"higher": "more than before", "lower": "less than before", "undecided": "not told from chance"}
LOOK_WORDS = {"excuse": "sounds like an excuse", "gap": "may be a gap of ours"}
ROW = 0.29
"""Inches from bar to bar."""


@house_style
def reason_chart(shares: pd.DataFrame) -> Shown:
    """One bar for each reason: its share of the refusals, the interval, and both numbers beside it.

    Takes the frame of ``reason_shares``, without groups. Beyond 14 reasons the most frequent ones are drawn,
    the blank one always, and the figure says how many are not.
    """
    if not (shares["lost"] > 0).any():
        return show_text(_("There is nothing to draw: no lead was refused in this time."), box="note")
    drawn = _most(shares)
    words = [f"{percent(part)} · {number(lost)}" for part, lost in zip(drawn["share"], drawn["lost"], strict=True)]
    names = [short_name(reason_word(name), LONGEST_LABEL) for name in drawn["refusal"]]
    hidden = len(shares) - len(drawn)
    note = _("Bar: share of the refusals. Line: the range the true share is very likely in. Number: refusals.")
    if hidden:
        note += " " + _("{n} more reasons are in the table.").format(n=number(hidden))
    figure, (ax,) = house_panels(
        height=ROW * len(drawn), left=room_for(names), right=PAD + text_width(max(words, key=len), SMALL), note=note
    )
    _bars(ax, drawn.rename(columns={"share": "rate"}), words, limit=min(1.0, drawn["ci_upper"].max()))
    name_rows(ax, names)
    said = _said(drawn["refusal"], drawn["share"], 0)
    alt = _("Share of each reason among {n} refusals, with interval: {shares}.")
    numbers = drawn[["refusal", "lost", "of", "share", "ci_lower", "ci_upper"]].round(4)
    return show_figure(figure, alt=alt.format(n=number(drawn["of"].iloc[0]), shares=said), numbers=numbers)


@house_style
def loss_chart(rates: pd.DataFrame, total: pd.DataFrame, funnel: Funnel) -> Shown:
    """One panel for each step, one bar for each reason: share of **all** leads there lost for it in time.

    Takes ``incidence_at(incidence(by_reason(...)), funnel)`` and the same of ``any_reason``; the bars of a panel
    add up to the share in its title.
    """
    known = rates[rates["rate"].notna()]
    steps = [step for step in funnel.steps if (known["from_stage"] == step.from_stage).any()]
    if not steps:
        return show_text(_("There is nothing to draw: no lead was refused in this time."), box="note")
    sizes = (known["rate"] * known["entered"]).groupby(known["refusal"]).sum().sort_values(ascending=False)
    names = [name for name in sizes.index if name != MISSING][: min(MOST_REASONS, MOST_IN_ALL // len(steps)) - 1]
    names += [MISSING] if MISSING in sizes else []
    drawn = known[known["refusal"].isin(names)]
    labels = [short_name(reason_word(name), LONGEST_LABEL) for name in names]
    hidden = len(sizes) - len(names)
    note = _("Bar: share of all leads at the stage lost for the reason in these days. Line: very likely range.")
    if hidden:
        note += " " + _("{n} more reasons are in the table.").format(n=number(hidden))
    words = {step.from_stage: [percent(rate, 1) for rate in _of(drawn, step, names)["rate"]] for step in steps}
    lost = total.set_index("from_stage")["rate"]
    titles = [
        _("{step}\n{share} refuse in {days} days").format(
            step=step_name(step.from_stage, step.to_stage),
            share=percent(lost[step.from_stage], 1),
            days=number(step.horizon_days),
        )
        for step in steps
    ]
    figure, panels = house_panels(
        titles,
        height=ROW * len(names),
        left=room_for(labels),
        right=PAD + text_width(max((word for part in words.values() for word in part), key=len), SMALL),
        note=note,
    )
    for place, (ax, step) in enumerate(zip(panels, steps, strict=True)):
        _bars(ax, _of(drawn, step, names), words[step.from_stage], limit=drawn["ci_upper"].max())
        name_rows(ax, labels if place % ACROSS == 0 else [])
    most = drawn.loc[drawn.groupby("from_stage", sort=False)["rate"].idxmax()]
    said = _said(
        most["from_stage"] + " → " + most["to_stage"] + " " + most["refusal"].map(reason_word), most["rate"], 1
    )
    numbers = drawn[["refusal", "from_stage", "to_stage", "entered", "rate", "ci_lower", "ci_upper"]].round(4)
    alt = _("Share of leads lost at each step, one bar for each reason; most at each: {reasons}.")
    return show_figure(figure, alt=alt.format(reasons=said), numbers=numbers)


def _of(drawn: pd.DataFrame, step: Step, names: list[str]) -> pd.DataFrame:
    return drawn[drawn["from_stage"] == step.from_stage].set_index("refusal").reindex(names)


def _bars(ax: Any, rows: pd.DataFrame, words: list[str], *, limit: float) -> None:
    """Bars from above, each with its interval and its words where nothing hides them."""
    y = np.arange(len(rows), dtype=float)
    names = rows["refusal"] if "refusal" in rows else rows.index.to_series()
    rate, upper = rows["rate"].fillna(0).to_numpy(), rows["ci_upper"].fillna(0).to_numpy()
    colours = [NEUTRAL if name == MISSING else ACCENT for name in names]
    ax.barh(y, rate, height=0.62, color=colours, alpha=0.55)
    ax.hlines(y, rows["ci_lower"].fillna(0), upper, color=INK, linewidth=1.3)
    for place, end, text in zip(y, upper, words, strict=True):
        ax.annotate(text, (max(end, 0), place), (4, 0), textcoords="offset points", va="center", size=SMALL)
    shares = [share for share in MaxNLocator(3, steps=[1, 2, 5, 10]).tick_values(0, limit) if 0 <= share <= limit]
    ax.set(xlim=(0, limit), ylim=(len(rows) - 0.45, -0.55))
    shares_along(ax, "x", shares)


def _most(shares: pd.DataFrame) -> pd.DataFrame:
    blank = shares["refusal"] == MISSING
    return pd.concat([shares[~blank].head(MOST_REASONS - 1), shares[blank]])


def _said(names: pd.Series, shares: pd.Series, digits: int) -> str:
    return "; ".join(f"{reason_word(name)} {percent(part, digits)}" for name, part in zip(names, shares, strict=True))
