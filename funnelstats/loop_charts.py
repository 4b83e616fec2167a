"""The figure of the closed loop: what became of the leads handed over, as one stacked bar for each period."""

from __future__ import annotations

import pandas as pd

from funnelstats.figures import INK, QUIET, house_axes, show_figure
from funnelstats.loop import HANDED
from funnelstats.shown import Shown, show_text
from funnelstats.states import STATE
from funnelstats.words import _, counted, number, percent

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
WIDE_ENOUGH = 0.14
"""Share of the bar from which a part is named inside it; a narrower one is named above."""


def state_chart(states: pd.DataFrame) -> Shown:
    """One bar of all hand-overs of the month, one of the trailing window: a part for each state, labelled directly.

    Takes a frame of ``state_table``.
    """
    rows = states[states[STATE] != HANDED]
    periods = [("leads", _("this month")), ("window_leads", _("three months"))]
    drawn = [(column, label) for column, label in periods if rows[column].sum() > 0]
    if not drawn:
        return show_text(_("There is nothing to draw: no lead was handed over in this time."), box="note")
    figure, ax = house_axes(width=10.3, height=0.45 + 1.5 * len(drawn))
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
    """One bar; what does not fit its part stands above it, neighbours at three heights."""
    shares = rows[column] / rows[column].sum()
    left = shares.cumsum() - shares
    ax.barh([place] * len(rows), shares, left=left, height=0.5, edgecolor="white", linewidth=1.2,
            color=[STATE_COLOURS[state] for state in rows[STATE]])  # fmt: skip
    narrow = (shares < WIDE_ENOUGH).tolist()
    for number_of, (state, part, start, leads) in enumerate(zip(rows[STATE], shares, left, rows[column], strict=True)):
        if leads == 0:
            continue
        middle, look = start + part / 2, {"ha": "center", "va": "center", "fontsize": 9, "color": INK}
        if not narrow[number_of]:
            ax.text(middle, place, f"{_(state)}\n{number(leads)} · {percent(part)}", **look)
            continue
        # narrow neighbours go down like stairs, so that no words run into each other
        following = [*narrow[number_of + 1 :], False].index(False)
        height = place + 0.36 + 0.15 * (following % 3)
        ax.plot([middle, middle], [place + 0.25, height - 0.06], color=QUIET, linewidth=0.6)
        # the last part's words would leave the picture on the right
        side = {"ha": "right"} if middle > 0.95 else {}
        plate = {"facecolor": "white", "edgecolor": "none", "pad": 1}
        ax.text(min(middle + 0.004 * bool(side), 1), height, f"{_(state)} {number(leads)}", bbox=plate, **look | side)
