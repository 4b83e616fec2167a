"""The figure of money: what each channel brings back for what was spent on it."""

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from funnelstats.config.funnel import Funnel
from funnelstats.config.schema import MISSING
from funnelstats.config.words import _, exact, label, money, number
from funnelstats.page.figures import (
    INK,
    PAD,
    QUIET,
    TARGET,
    VERDICT_MARKERS,
    Panel,
    house_panel,
    label_marks,
    lines_along,
    name_rows,
    right_of,
    room_for,
    short_name,
    show_figure,
)
from funnelstats.page.tables import VERDICT_COLOURS, Shown, show_text

WORDS = {
    "red": "brings less than was spent",
    "green": "brings more than was spent",
    "undecided": "cannot be told yet",
    "too few": "too few deals",
}
TICKS = [1 / 64, 1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8, 16, 32, 64, 128]
MOST_ROWS = 25
ROW = 26
"""Units from row to row."""


def returns_chart(by_channel: pd.DataFrame, funnel: Funnel) -> Shown:
    """One row for each channel with spend: what comes back for one unit spent, at maturity, with its range.

    Takes ``returns`` by channel. The axis doubles from line to line, so that a loss by half is as far from the line of
    break-even as a gain by double. That axis has no nothing: what brought nothing stands beyond its left end, behind
    a break, at a mark of its own.

    >>> fs.money.returns_chart(channels, spec)
    <Chart: channel spend revenue_final back back_lower back_upper…>
    """
    known = by_channel["verdict"].isin([*WORDS, "no leads"]) & by_channel["back"].notna()
    drawn = by_channel[known].head(MOST_ROWS)
    if drawn.empty:
        return show_text([], box="warning")
    drawn = drawn.assign(channel=drawn["channel"].replace(MISSING, _("all channels")))
    drawn = drawn.sort_values("back", ascending=False, ignore_index=True)
    marks = [
        Line2D([], [], marker=VERDICT_MARKERS[v], color=VERDICT_COLOURS[v], markeredgecolor=INK, linestyle="none",
               label=_(words))
        for v, words in WORDS.items()
        if (drawn["verdict"] == v).any()
    ]  # fmt: skip
    note = _("comes back for {unit} spent, expected sales included; dashed line: as much as was spent")
    alt = _("What comes back for each unit spent, by channel, with its range and break-even.")
    red = ", ".join(map(label, drawn.loc[drawn["verdict"] == "red", "channel"]))
    alt += " " + (
        _("Less than was spent: {red}.").format(red=red)
        if red
        else _("Of none can it be told that less came back than was spent.")
    )
    return show_figure(
        Panel(partial(_draw_returns, drawn)),
        alt=alt,
        numbers=drawn[["channel", "spend", "revenue_final", "back", "back_lower", "back_upper", "verdict"]],
        marks=[*marks, Line2D([], [], color=INK, lw=1.3, label=_("likely range (95%)"))],
        note=note.format(unit=money(1, funnel.currency)),
    )


def _draw_returns(drawn: pd.DataFrame, width: float) -> Figure:
    positive = drawn.loc[drawn["back"] > 0, ["back", "back_lower", "back_upper"]].to_numpy()
    seen = positive[np.isfinite(positive) & (positive > 0)]
    low, high = min(0.5, *(seen / 1.15), 0.5), max(2.0, *(seen * 1.15), 2.0)
    nothing = low / 2
    broken = bool((drawn["back"] <= 0).any())
    edge = nothing if broken else low
    names = [short_name(label(channel)) for channel in drawn["channel"]]
    rows = drawn.to_dict("records")
    labels = [_times(row) for row in rows]
    figure, ax = house_panel(width, ROW * len(drawn), left=room_for(names), right=PAD + room_for(labels))
    ax.set_xscale("log")
    # room at the edge, so that a channel that brought nothing does not stand on its own name
    ax.set(xlim=(edge / 1.06, high), ylim=(len(drawn) - 0.45, -0.55))
    ticks = {nothing: _("nothing")} if broken else {}
    ticks |= {tick: f"×{exact(tick)}" for tick in TICKS if low <= tick <= high}
    lines_along(ax, "x", list(ticks), list(ticks.values()))
    if broken:
        ax.text((nothing * low) ** 0.5, 0, "//", transform=ax.get_xaxis_transform(), ha="center", va="center")
    ax.axvline(1, color=TARGET, linewidth=1.2, linestyle="--")
    for place, (row, text) in enumerate(zip(rows, labels, strict=True)):
        if row["verdict"] != "no leads":
            ax.hlines(place, *np.clip([row["back_lower"], row["back_upper"]], edge, high), color=INK, linewidth=1.3)
        dot = ax.scatter(max(row["back"], nothing), place, 70, marker=VERDICT_MARKERS.get(row["verdict"], "X"),
                         color=VERDICT_COLOURS.get(row["verdict"], QUIET), edgecolor=INK, linewidth=0.6,
                         zorder=3)  # fmt: skip
        label_marks(dot, [f"{label(row['channel'])}: {text}"])
        ax.text(1, place, text, transform=right_of(ax, PAD), va="center")
    name_rows(ax, names)
    return figure


def _times(row: dict[Any, Any]) -> str:
    """What comes back in times of what was spent, with its range: ×2.2 (2.0–2.4)."""
    if row["verdict"] == "no leads":
        return _("no lead came")
    return f"×{number(row['back'], 1)} ({number(row['back_lower'], 1)}–{number(row['back_upper'], 1)})"
