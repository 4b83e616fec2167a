"""Charts of refusals: shares of reasons, and what each reason takes from every stage; the words of their tables."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator, PercentFormatter

from funnelstats.showing.charts import LONGEST_LABEL, MOST_PANELS
from funnelstats.showing.figures import ACCENT, INK, NEUTRAL, QUIET, house_axes, short_name, show_figure
from funnelstats.showing.shown import Shown, show_text
from funnelstats.showing.tables import show_table
from funnelstats.stated.funnel import Funnel
from funnelstats.stated.schema import MISSING
from funnelstats.stated.words import _, number, percent

MOST_REASONS = 14
CHANGE_WORDS = {"higher": "more than before", "lower": "less than before", "undecided": "not told from chance"}
LOOK_WORDS = {"excuse": "sounds like an excuse", "gap": "may be a gap of ours"}
ROOM = 1.35
"""The axis beyond the widest interval, for the number beside it."""


def show_rows(frame: pd.DataFrame, *, title: str, **table: Any) -> Shown:
    """``show_table``, or one sentence where the frame has no rows."""
    if len(frame):
        return show_table(frame, title=title, **table)
    return show_text(_("{title}: nothing to list.").format(title=_(title)), box="note")


def reason_chart(shares: pd.DataFrame) -> Shown:
    """One bar for each reason: its share of the refusals, the interval, and both numbers beside it.

    Takes the frame of ``reason_shares``, without groups. Beyond 14 reasons the most frequent ones are drawn,
    the blank one always, and the figure says how many are not.
    """
    if not (shares["lost"] > 0).any():
        return show_text(_("There is nothing to draw: no lead was refused in this time."), box="note")
    drawn = _most(shares)
    figure, ax = house_axes(width=8.4, height=1.1 + 0.36 * len(drawn))
    words = [f"{percent(part)} · {number(lost)}" for part, lost in zip(drawn["share"], drawn["lost"], strict=True)]
    _bars(ax, drawn.rename(columns={"share": "rate"}), words, limit=min(1.0, drawn["ci_upper"].max()))
    ax.set_yticks(range(len(drawn)), [short_name(_shown(name), LONGEST_LABEL) for name in drawn["refusal"]])
    hidden = len(shares) - len(drawn)
    note = _("Bar: share of the refusals. Line: the range the true share is very likely in. Number: refusals.")
    if hidden:
        note += " " + _("{n} more reasons are in the table.").format(n=number(hidden))
    figure.supxlabel(note, fontsize=8.5, color=QUIET)
    said = _said(drawn["refusal"], drawn["share"], 0)
    alt = _("Share of each reason among {n} refusals, with interval: {shares}.")
    numbers = drawn[["refusal", "lost", "of", "share", "ci_lower", "ci_upper"]].round(4)
    return show_figure(figure, alt=alt.format(n=number(drawn["of"].iloc[0]), shares=said), numbers=numbers)


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
    names = [name for name in sizes.index if name != MISSING][: MOST_REASONS - 1]
    names += [MISSING] if MISSING in sizes else []
    drawn = known[known["refusal"].isin(names)]
    lines = -(-len(steps) // MOST_PANELS)
    across = -(-len(steps) // lines)
    figure, axes = house_axes(lines, across, width={1: 7.4, 2: 8.8}.get(across, 10.3), sharey=True, squeeze=False,
                              height=0.5 + lines * (0.8 + 0.3 * len(names)))  # fmt: skip
    for ax in axes.flat[len(steps) :]:
        ax.remove()
    for ax, step in zip(axes.flat, steps, strict=False):
        rows = drawn[drawn["from_stage"] == step.from_stage].set_index("refusal").reindex(names)
        _bars(ax, rows, [percent(rate, 1) for rate in rows["rate"]], limit=drawn["ci_upper"].max())
        lost = total.loc[total["from_stage"] == step.from_stage, "rate"].iloc[0]
        title = _("{step}\n{share} refuse in {days} days").format(
            step=f"{short_name(step.from_stage, 12)} → {short_name(step.to_stage, 12)}",
            share=percent(lost, 1),
            days=number(step.horizon_days),
        )
        ax.set_title(title, loc="left", fontsize=9.5, fontweight="bold")
    axes.flat[0].set_yticks(range(len(names)), [short_name(_shown(name), LONGEST_LABEL) for name in names])
    hidden = len(sizes) - len(names)
    note = _("Bar: share of all leads at the stage lost for the reason in these days. Line: very likely range.")
    if hidden:
        note += " " + _("{n} more reasons are in the table.").format(n=number(hidden))
    figure.supxlabel(note, fontsize=8.5, color=QUIET)
    most = drawn.loc[drawn.groupby("from_stage", sort=False)["rate"].idxmax()]
    said = _said(most["from_stage"] + " → " + most["to_stage"] + " " + most["refusal"].map(_shown), most["rate"], 1)
    numbers = drawn[["refusal", "from_stage", "to_stage", "entered", "rate", "ci_lower", "ci_upper"]].round(4)
    alt = _("Share of leads lost at each step, one bar for each reason; most at each: {reasons}.")
    return show_figure(figure, alt=alt.format(reasons=said), numbers=numbers)


def _bars(ax: Any, rows: pd.DataFrame, words: list[str], *, limit: float) -> None:
    """Bars from above, each with its interval and its words where nothing hides them."""
    y = np.arange(len(rows), dtype=float)
    names = rows["refusal"] if "refusal" in rows else rows.index.to_series()
    rate, upper = rows["rate"].fillna(0).to_numpy(), rows["ci_upper"].fillna(0).to_numpy()
    colours = [NEUTRAL if name == MISSING else ACCENT for name in names]
    ax.barh(y, rate, height=0.62, color=colours, alpha=0.55)
    ax.hlines(y, rows["ci_lower"].fillna(0), upper, color=INK, linewidth=1.3)
    for place, end, text in zip(y, upper, words, strict=True):
        ax.annotate(text, (max(end, 0), place), (5, 0), textcoords="offset points", va="center", fontsize=8.5)
    ax.set(xlim=(0, limit * ROOM), ylim=(len(rows) - 0.4, -0.6))
    ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    ax.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10], min_n_ticks=2))
    ax.grid(axis="x")
    ax.grid(axis="y", visible=False)


def _most(shares: pd.DataFrame) -> pd.DataFrame:
    blank = shares["refusal"] == MISSING
    return pd.concat([shares[~blank].head(MOST_REASONS - 1), shares[blank]])


def _said(names: pd.Series, shares: pd.Series, digits: int) -> str:
    return "; ".join(f"{_shown(name)} {percent(part, digits)}" for name, part in zip(names, shares, strict=True))


def _shown(name: Any) -> str:
    return _(MISSING) if name == MISSING else str(name)
