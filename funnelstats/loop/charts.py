"""The figure of the closed loop: what became of the leads handed over, one bar of all states for each period."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from funnelstats.config.words import _, counted, number, percent
from funnelstats.loop.counts import STATE
from funnelstats.loop.states import HANDED
from funnelstats.page.figures import (
    FAINT,
    NEUTRAL,
    PAD,
    PAPER,
    VERDICT_COLOURS,
    Panel,
    house_panel,
    label_marks,
    show_figure,
    text_width,
)
from funnelstats.page.tables import Shown, show_text

STATE_COLOURS = {
    **{"won": NEUTRAL, "active and moving": FAINT, "to nurture": NEUTRAL, "refused": FAINT},
    **{"inactive": VERDICT_COLOURS["amber"], "never touched": VERDICT_COLOURS["red"], "wrongly qualified": "#cc79a7"},
}
"""In the order of a bar: what needs nothing is grey, what needs somebody to act has a colour."""
HEIGHT = 34
"""Units of a bar."""


def state_chart(states: pd.DataFrame) -> Shown:
    """A bar for the month and one for the trailing window, cut into the states of all leads handed over.

    Takes a frame of ``state_table``.
    """
    rows = states[states[STATE] != HANDED].set_index(STATE).reindex(list(STATE_COLOURS)).reset_index()
    periods = {"leads": _("this month"), "window_leads": _("three months")}
    drawn = [column for column in periods if rows[column].sum() > 0]
    if not drawn:
        return show_text(_("There is nothing to draw: no lead was handed over in this time."), box="note")
    panels = []
    for column in drawn:
        leads = counted("{n} lead", "{n} leads", rows[column].sum()).format(n=number(rows[column].sum()))
        panels.append(Panel(partial(_draw_states, rows, column), f"{periods[column]}: {leads}"))
    said = "; ".join(
        _("{state} {count} ({share})").format(
            state=_(row[STATE]), count=number(row["leads"]), share=percent(row["share"])
        )
        for _place, row in rows.iterrows()
    )
    alt = _("What became of the leads handed over this month: {parts}.").format(parts=said)
    present = rows[rows[drawn].sum(axis=1) > 0][STATE]
    marks = [Line2D([], [], color=STATE_COLOURS[state], lw=9, label=_(state)) for state in present]
    return show_figure(*panels, alt=alt, numbers=rows[[STATE, *drawn]], marks=marks)


def _draw_states(rows: pd.DataFrame, column: str, width: float) -> Figure:
    """One bar; below a part stands as much as there is room for, where the pointer rests all of it."""
    figure, ax = house_panel(width, HEIGHT, left=PAD, right=PAD)
    shares = rows[column] / rows[column].sum()
    starts = shares.cumsum() - shares
    ax.set(xlim=(0, 1), ylim=(-0.5, 0.5))
    bars = ax.barh(np.zeros(len(rows)), shares, left=starts, height=1, color=list(STATE_COLOURS.values()),
                   edgecolor=PAPER, linewidth=1.5)  # fmt: skip
    told = _("{state} {count} ({share})")
    label_marks(
        bars,
        [
            told.format(state=_(state), count=number(leads), share=percent(share))
            for state, leads, share in zip(rows[STATE], rows[column], shares, strict=True)
        ],
    )
    for state, start, share in zip(rows[STATE], starts, shares, strict=True):
        room = share * (width - 2 * PAD) - PAD
        words = [word for word in (f"{_(state)} {percent(share)}", percent(share)) if text_width(word) < room]
        if words:
            ax.annotate(words[0], (start + share / 2, -0.5), (0, -PAD / 2), textcoords="offset points", ha="center",
                        va="top")  # fmt: skip
    return figure
