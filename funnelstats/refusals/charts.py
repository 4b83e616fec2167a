"""Charts of refusals: shares of reasons, and what each reason takes from every stage; the words of their tables."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from funnelstats.config.funnel import Funnel
from funnelstats.config.schema import MISSING
from funnelstats.config.words import _, number, percent
from funnelstats.page.figures import (
    ACCENT,
    INK,
    LONGEST_LABEL,
    MOST_IN_ALL,
    NEUTRAL,
    VERDICT_COLOURS,
    Panel,
    house_panel,
    label_marks,
    name_rows,
    room_for,
    shares_along,
    short_name,
    show_figure,
)
from funnelstats.page.tables import Shown, show_text
from funnelstats.refusals.sentences import reason_word

MOST_REASONS = 14
CHANGE_WORDS = {"higher": "more than before", "lower": "less than before", "undecided": "not told from chance"}
LOOK_WORDS = {"excuse": "sounds like an excuse", "gap": "may be a gap of ours"}
CHANGE_COLOURS = {"higher": VERDICT_COLOURS["red"], "lower": ACCENT}
ROW = 22
"""Units from bar to bar."""


def reason_chart(shares: pd.DataFrame) -> Shown:
    """One bar for each reason: its share of the refusals, the interval, and both numbers beside it.

    Takes the frame of ``reason_shares``, without groups. Beyond 14 reasons the most frequent ones are drawn,
    the blank one always, and the figure says how many are not.
    """
    if not (shares["lost"] > 0).any():
        return show_text(_("There is nothing to draw: no lead was refused in this time."), box="note")
    drawn = _most(shares)
    words = [f"{percent(part)} · {number(lost)}" for part, lost in zip(drawn["share"], drawn["lost"], strict=True)]
    note = _("Bar: share of the refusals. Line: the range the true share is very likely in. Number: refusals.")
    said = _said(drawn["refusal"], drawn["share"], 0)
    alt = _("Share of each reason among {n} refusals, with interval: {shares}.")
    bars = drawn.rename(columns={"share": "rate"}).set_index("refusal")
    return show_figure(
        Panel(partial(_draw_reasons, bars, words, min(1.0, drawn["ci_upper"].max()))),
        alt=alt.format(n=number(drawn["of"].iloc[0]), shares=said),
        numbers=drawn[["refusal", "lost", "of", "share", "ci_lower", "ci_upper"]].round(4),
        note=note + _hidden(len(shares) - len(drawn)),
    )


def loss_chart(rates: pd.DataFrame, total: pd.DataFrame, funnel: Funnel, changes: pd.DataFrame | None = None) -> Shown:
    """One panel for each step, one bar for each reason: share of **all** leads there lost for it in time.

    Takes ``incidence_at(incidence(by_reason(...)), funnel)`` and the same of ``any_reason``; the bars of a panel
    add up to the share in its title. Bars that the ``changes`` of ``reason_changes`` tell apart from the weeks before
    have a colour.
    """
    known = rates[rates["rate"].notna()].assign(verdict="undecided")
    if changes is not None:
        keys = ["refusal", "from_stage", "to_stage"]
        known = known.drop(columns="verdict").merge(changes[[*keys, "verdict"]], how="left", on=keys)
    steps = [step for step in funnel.steps if (known["from_stage"] == step.from_stage).any()]
    if not steps:
        return show_text(_("There is nothing to draw: no lead was refused in this time."), box="note")
    sizes = (known["rate"] * known["entered"]).groupby(known["refusal"]).sum().sort_values(ascending=False)
    names = [name for name in sizes.index if name != MISSING][: min(MOST_REASONS, MOST_IN_ALL // len(steps)) - 1]
    names += [MISSING] if MISSING in sizes else []
    drawn = known[known["refusal"].isin(names)]
    note = _("Bar: share of all leads at the stage lost for the reason in these days. Line: very likely range.")
    lost = total.set_index("from_stage")["rate"]
    panels = []
    for step in steps:
        title = _("{step}\n{share} refuse in {days} days").format(
            step=f"{step.from_stage} → {step.to_stage}",
            share=percent(lost[step.from_stage], 1),
            days=number(step.horizon_days),
        )
        rows = drawn[drawn["from_stage"] == step.from_stage].set_index("refusal").reindex(names)
        words = [percent(rate, 1) for rate in rows["rate"]]
        panels.append(Panel(partial(_draw_reasons, rows, words, drawn["ci_upper"].max()), title, wide=False))
    most = drawn.loc[drawn.groupby("from_stage", sort=False)["rate"].idxmax()]
    said = _said(
        most["from_stage"] + " → " + most["to_stage"] + " " + most["refusal"].map(reason_word), most["rate"], 1
    )
    alt = _("Share of leads lost at each step, one bar for each reason; most at each: {reasons}.")
    return show_figure(
        *panels,
        alt=alt.format(reasons=said),
        numbers=drawn[["refusal", "from_stage", "to_stage", "entered", "rate", "ci_lower", "ci_upper"]].round(4),
        marks=[
            Line2D([], [], color=colour, alpha=0.55, lw=9, label=_(CHANGE_WORDS[verdict]))
            for verdict, colour in CHANGE_COLOURS.items()
            if (drawn["verdict"] == verdict).any()
        ],
        note=note + _hidden(len(sizes) - len(names)),
    )


def _hidden(reasons: int) -> str:
    return " " + _("{n} more reasons are in the table.").format(n=number(reasons)) if reasons else ""


def _draw_reasons(rows: pd.DataFrame, words: list[str], limit: float, width: float) -> Figure:
    """Bars from above, each with its interval and its words where nothing hides them."""
    names = [short_name(reason_word(name), LONGEST_LABEL) for name in rows.index]
    figure, ax = house_panel(width, ROW * len(rows), left=room_for(names), right=room_for(words))
    y = np.arange(len(rows), dtype=float)
    upper = rows["ci_upper"].fillna(0)
    ax.set(xlim=(0, limit), ylim=(len(rows) - 0.45, -0.55))
    shares_along(
        ax, "x", [tick for tick in MaxNLocator(3, steps=[1, 2, 5, 10]).tick_values(0, limit) if 0 <= tick <= limit]
    )
    colours = [CHANGE_COLOURS.get(verdict, NEUTRAL) for verdict in rows.get("verdict", [""] * len(rows))]
    bars = ax.barh(y, rows["rate"].fillna(0), height=0.62, color=colours, alpha=0.55)
    label_marks(bars, (f"{reason_word(name)}: {word}" for name, word in zip(rows.index, words, strict=True)))
    ax.hlines(y, rows["ci_lower"].fillna(0), upper, color=INK, linewidth=1.3)
    for place, end, text in zip(y, upper, words, strict=True):
        ax.annotate(text, (end, place), (4, 0), textcoords="offset points", va="center")
    name_rows(ax, names)
    return figure


def _most(shares: pd.DataFrame) -> pd.DataFrame:
    blank = shares["refusal"] == MISSING
    return pd.concat([shares[~blank].head(MOST_REASONS - 1), shares[blank]])


def _said(names: pd.Series, shares: pd.Series, digits: int) -> str:
    return "; ".join(f"{reason_word(name)} {percent(part, digits)}" for name, part in zip(names, shares, strict=True))
