"""The figure of the closed loop: what became of the leads handed over, a bar for each state."""

from __future__ import annotations

import pandas as pd

from funnelstats.config.words import _, counted, number, percent
from funnelstats.loop.counts import STATE
from funnelstats.loop.states import HANDED
from funnelstats.page.figures import PAD, SMALL, house_panels, house_style, name_rows, room_for, show_figure, text_width
from funnelstats.page.tables import Shown, show_text

# Okabe & Ito's palette: told apart under the common colour-vision deficiencies, and by order and label anyway.
STATE_COLOURS = {
    "won": "#009e73",
    "active and moving": "#56b4e9",
    "inactive": "#f0e442",
    "never touched": "#e69f00",
    "to nurture": "#cc79a7",
    "refused": "#b3bac2",
    "wrongly qualified": "#d55e00",
}
ROW = 0.29
"""Inches from bar to bar."""


@house_style
def state_chart(states: pd.DataFrame) -> Shown:
    """A panel for the month and one for the trailing window: a bar for each state, its share and number beside it.

    Takes a frame of ``state_table``.
    """
    rows = states[states[STATE] != HANDED]
    periods = [("leads", _("this month")), ("window_leads", _("three months"))]
    drawn = [(column, label) for column, label in periods if rows[column].sum() > 0]
    if not drawn:
        return show_text(_("There is nothing to draw: no lead was handed over in this time."), box="note")
    totals = {column: rows[column].sum() for column, _label in drawn}
    titles = [
        f"{label}: " + counted("{n} lead", "{n} leads", totals[column]).format(n=number(totals[column]))
        for column, label in drawn
    ]
    names = [_(state) for state in rows[STATE]]
    shares = {column: rows[column] / totals[column] for column, _label in drawn}
    words = {
        column: [
            f"{percent(share)} · {number(leads)}" for share, leads in zip(shares[column], rows[column], strict=True)
        ]
        for column, _label in drawn
    }
    widest = max((word for part in words.values() for word in part), key=len)
    figure, panels = house_panels(
        titles, height=ROW * len(rows), left=room_for(names), right=text_width(widest, SMALL) + PAD
    )
    for place, (ax, (column, _label)) in enumerate(zip(panels, drawn, strict=True)):
        y = range(len(rows))
        ax.barh(y, shares[column], height=0.62, color=[STATE_COLOURS[state] for state in rows[STATE]])
        for at, share, word in zip(y, shares[column], words[column], strict=True):
            ax.annotate(word, (share, at), (4, 0), textcoords="offset points", va="center", size=SMALL)
        ax.set(xlim=(0, max(part.max() for part in shares.values())), ylim=(len(rows) - 0.45, -0.55))
        name_rows(ax, names if place == 0 else [])
    said = "; ".join(
        _("{state} {count} ({share})").format(
            state=_(row[STATE]), count=number(row["leads"]), share=percent(row["share"])
        )
        for _place, row in rows.iterrows()
    )
    alt = _("What became of the leads handed over this month: {parts}.").format(parts=said)
    return show_figure(figure, alt=alt, numbers=rows[[STATE, *(column for column, _label in drawn)]])
