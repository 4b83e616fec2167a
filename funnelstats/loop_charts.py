"""The figure of the closed loop: what became of the leads handed over, as one stacked bar for each period."""

from __future__ import annotations

import pandas as pd

from funnelstats.figures import INK, house_axes, show_figure
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
WIDE_ENOUGH = 0.055
"""Share of the bar from which its number stands inside it; a narrower one has it above."""


def state_chart(states: pd.DataFrame) -> Shown:
    """One bar of all hand-overs of the month, one of the trailing window: a part for each state, labelled directly.

    Takes a frame of ``state_table``.
    """
    rows = states[states[STATE] != HANDED]
    periods = [("leads", _("this month")), ("window_leads", _("three months"))]
    drawn = [(column, label) for column, label in periods if rows[column].sum() > 0]
    if not drawn:
        return show_text(_("There is nothing to draw: no lead was handed over in this time."), box="note")
    figure, ax = house_axes(width=10.3, height=1.15 + 1.05 * len(drawn))
    for place, (column, label) in enumerate(reversed(drawn)):
        _bar(ax, rows, column, place)
        total = counted("{n} lead", "{n} leads", rows[column].sum()).format(n=number(rows[column].sum()))
        ax.text(-0.008, place, f"{label}\n{total}", ha="right", va="center", fontsize=9.5)
    ax.set(xlim=(0, 1), ylim=(-0.5, len(drawn) - 0.3), yticks=[], xticks=[])
    ax.spines[:].set_visible(False)
    ax.grid(visible=False)
    handles = [ax.barh(0, 0, color=STATE_COLOURS[state], edgecolor="white", label=_(state)) for state in rows[STATE]]
    figure.legend(handles=handles, loc="outside lower left", ncols=7, handlelength=1, handletextpad=0.5,
                  columnspacing=1.3, fontsize=9, frameon=False)  # fmt: skip
    said = "; ".join(
        _("{state} {count} ({share})").format(
            state=_(row[STATE]), count=number(row["leads"]), share=percent(row["share"])
        )
        for _place, row in rows.iterrows()
    )
    alt = _("What became of the leads handed over this month: {parts}.").format(parts=said)
    return show_figure(figure, alt=alt, numbers=rows[[STATE, *(column for column, _label in drawn)]])


def _bar(ax, rows: pd.DataFrame, column: str, place: int) -> None:  # type: ignore[no-untyped-def]
    """One bar; a number that does not fit its part stands above it, neighbours at two heights."""
    shares = rows[column] / rows[column].sum()
    left = shares.cumsum() - shares
    ax.barh([place] * len(rows), shares, left=left, height=0.58, edgecolor="white", linewidth=1.2,
            color=[STATE_COLOURS[state] for state in rows[STATE]])  # fmt: skip
    raised = False
    for part, start, leads in zip(shares, left, rows[column], strict=True):
        if leads == 0:
            continue
        inside = part >= WIDE_ENOUGH
        raised = not inside and not raised
        words = f"{number(leads)} · {percent(part)}" if part >= 2 * WIDE_ENOUGH else number(leads)
        height = place if inside else place + (0.44 if raised else 0.36)
        ax.text(start + part / 2, height, words, ha="center", va="center", fontsize=9, color=INK)
