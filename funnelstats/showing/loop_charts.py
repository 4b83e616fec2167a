"""The figure of the closed loop: what became of the leads handed over, as one stacked bar for each period."""

from __future__ import annotations

import pandas as pd

from funnelstats.counting.states import STATE
from funnelstats.showing.figures import INK, QUIET, house_axes, show_figure
from funnelstats.showing.shown import Shown, show_text
from funnelstats.stated.words import _, counted, number, percent
from funnelstats.statistics.loop import HANDED

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
LETTER = 0.0086
"""Share of the bar that a letter takes, rather too much than too little."""
LEVELS = 5
"""Heights above a bar at which names stand."""


def state_chart(states: pd.DataFrame) -> Shown:
    """One bar of all hand-overs of the month, one of the trailing window: a part for each state, labelled directly.

    Takes a frame of ``state_table``.
    """
    rows = states[states[STATE] != HANDED]
    periods = [("leads", _("this month")), ("window_leads", _("three months"))]
    drawn = [(column, label) for column, label in periods if rows[column].sum() > 0]
    if not drawn:
        return show_text(_("There is nothing to draw: no lead was handed over in this time."), box="note")
    figure, ax = house_axes(width=10.3, height=0.45 + 1.7 * len(drawn))
    for place, (column, label) in enumerate(reversed(drawn)):
        _bar(ax, rows, column, place)
        total = counted("{n} lead", "{n} leads", rows[column].sum()).format(n=number(rows[column].sum()))
        ax.text(-0.008, place, f"{label}\n{total}", ha="right", va="center", fontsize=9.5)
    ax.set(xlim=(0, 1), ylim=(-0.4, len(drawn) - 0.22), yticks=[], xticks=[])
    ax.spines[:].set_visible(False)
    ax.grid(visible=False)
    said = "; ".join(
        _("{state} {count} ({share})").format(
            state=_(row[STATE]), count=number(row["leads"]), share=percent(row["share"])
        )
        for _place, row in rows.iterrows()
    )
    alt = _("What became of the leads handed over this month: {parts}.").format(parts=said)
    return show_figure(figure, alt=alt, numbers=rows[[STATE, *(column for column, _label in drawn)]])


def _bar(ax, rows: pd.DataFrame, column: str, place: int) -> None:  # type: ignore[no-untyped-def]
    """One bar; what does not fit its part stands above it, right of its line, at the lowest height that is free."""
    shares = rows[column] / rows[column].sum()
    left = shares.cumsum() - shares
    ax.barh([place] * len(rows), shares, left=left, height=0.4, edgecolor="white", linewidth=1.2,
            color=[STATE_COLOURS[state] for state in rows[STATE]])  # fmt: skip
    begins = [2.0] * LEVELS  # up to where each height is free
    parts = list(zip(rows[STATE], shares, left + shares / 2, rows[column], strict=True))
    # from right to left, so that a part's line stands left of all words below its own
    for state, part, middle, leads in reversed([part for part in parts if part[-1] > 0]):
        look = {"va": "center", "fontsize": 9, "color": INK}
        inside = f"{_(state)}\n{number(leads)} · {percent(part)}"
        if part > LETTER * max(map(len, inside.split("\n"))):
            ax.text(middle, place, inside, ha="center", **look)
            continue
        words = f"{_(state)} {number(leads)}"
        begin = min(middle - LETTER, 1 - len(words) * LETTER)
        free = [level for level, taken in enumerate(begins) if begin + len(words) * LETTER < taken]
        level = free[0] if free else begins.index(max(begins))
        # nor may words further left stand on this part's line
        begins = [begin if height == level else min(taken, middle) if height < level else taken
                  for height, taken in enumerate(begins)]  # fmt: skip
        height = place + 0.3 + 0.112 * level
        ax.plot([middle, middle], [place + 0.2, height - 0.045], color=QUIET, linewidth=0.6, zorder=1)
        end = {"x": begin} if begin < 1 - len(words) * LETTER else {"x": 1, "ha": "right"}
        ax.text(y=height, s=words, bbox={"facecolor": "white", "edgecolor": "none", "pad": 1}, **look, **end)
