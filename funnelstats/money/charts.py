"""The figure of money: what each channel brings back for what was spent on it."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.lines import Line2D

from funnelstats.config.funnel import Funnel
from funnelstats.config.schema import MISSING
from funnelstats.config.words import _, money, number, percent
from funnelstats.page.figures import (
    INK,
    PAD,
    QUIET,
    SMALL,
    TARGET,
    VERDICT_COLOURS,
    VERDICT_MARKERS,
    house_panels,
    house_style,
    lines_along,
    name_rows,
    right_of,
    room_for,
    short_name,
    show_figure,
    text_width,
)
from funnelstats.page.tables import Shown, show_text

WORDS = {
    "red": "brings less than was spent",
    "green": "brings more than was spent",
    "undecided": "cannot be told yet",
    "too few": "too few deals",
}
TICKS = [1 / 64, 1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8, 16, 32, 64, 128]
MOST_ROWS = 25
LONGEST_LABEL = 22


@house_style
def returns_chart(by_channel: pd.DataFrame, funnel: Funnel) -> Shown:
    """One row for each channel with spend: what comes back for one unit spent, at maturity, with its range.

    Takes ``returns`` by channel. The axis doubles from line to line, so that a loss by half is as far from the line of
    break-even as a gain by double. That axis has no nothing: what brought nothing stands beyond its left end, at a mark
    of its own.
    """
    known = by_channel["verdict"].isin([*WORDS, "no leads"]) & by_channel["back"].notna()
    drawn = by_channel[known].head(MOST_ROWS)
    if drawn.empty:
        return show_text(_("There is nothing to draw: no channel has leads, payments and spend."), box="note")
    drawn = drawn.assign(channel=drawn["channel"].replace(MISSING, _("all channels")))
    drawn = drawn.sort_values("back", ascending=False, ignore_index=True)
    positive = drawn.loc[drawn["back"] > 0, ["back", "back_lower", "back_upper"]].to_numpy()
    seen = positive[np.isfinite(positive) & (positive > 0)]
    low = min(0.5, *(seen / 1.15)) if len(seen) else 0.5
    high = max(2.0, *(seen * 1.15)) if len(seen) else 2.0
    nothing = low / 2
    edge = nothing if (drawn["back"] <= 0).any() else low
    names = [short_name(channel, LONGEST_LABEL) for channel in drawn["channel"]]
    labels = [_label(row).replace(" (", "\n(", 1) for row in drawn.to_dict("records")]
    shown = [verdict for verdict in WORDS if (drawn["verdict"] == verdict).any()]
    marks = [
        Line2D([], [], marker=VERDICT_MARKERS[v], color=VERDICT_COLOURS[v], markeredgecolor=INK, linestyle="none",
               label=_(WORDS[v]))
        for v in shown
    ]  # fmt: skip
    note = _("comes back for {unit} spent, young leads counted in; dashed line: as much as was spent")
    figure, (ax,) = house_panels(
        height=0.44 * len(drawn),
        left=room_for(names),
        right=PAD + max(text_width(label, SMALL) for label in labels),
        marks=[*marks, Line2D([], [], color=INK, lw=1.3, label=_("range it is very likely in"))],
        note=note.format(unit=money(1, funnel.currency)),
    )
    for place, (row, label) in enumerate(zip(drawn.to_dict("records"), labels, strict=True)):
        colour = VERDICT_COLOURS.get(row["verdict"], QUIET)
        at = row["back"] if row["back"] > 0 else nothing
        if row["verdict"] != "no leads":
            ends = np.clip([row["back_lower"], row["back_upper"]], edge, high)
            ax.hlines(place, *ends, color=INK, linewidth=1.3)
        ax.plot(at, place, marker=VERDICT_MARKERS.get(row["verdict"], "X"), color=colour, markersize=9,
                markeredgecolor=INK, markeredgewidth=0.6, linestyle="none", clip_on=False, zorder=3)  # fmt: skip
        ax.text(1, place, label, transform=right_of(ax, PAD), va="center", size=SMALL)
    ax.axvline(1, color=TARGET, linewidth=1.2, linestyle="--")
    ax.set_xscale("log")
    # room at the edge, so that a channel that brought nothing does not stand on its own name
    ax.set(xlim=(edge / 1.06, high), ylim=(len(drawn) - 0.45, -0.55))
    name_rows(ax, names)
    ticks = {nothing: _("nothing")} if edge < low else {}
    ticks |= {tick: number(tick, 0 if tick >= 1 else 2) for tick in TICKS if low <= tick <= high}
    lines_along(ax, "x", list(ticks), list(ticks.values()))
    alt = _("What comes back for each unit spent, by channel, with its range and break-even.")
    red = ", ".join(drawn.loc[drawn["verdict"] == "red", "channel"])
    alt += " " + (
        _("Less than was spent: {red}.").format(red=red)
        if red
        else _("Of none can it be told that less came back than was spent.")
    )
    columns = ["channel", "spend", "revenue_final", "back", "back_lower", "back_upper", "verdict"]
    return show_figure(figure, alt=alt, numbers=drawn[columns])


def _label(row: dict) -> str:
    if row["verdict"] == "no leads":
        return _("no lead came")
    low, high = row["roi_final_lower"], row["roi_final_upper"]
    return _("return {roi} ({low} to {high})").format(
        roi=_signed(row["roi_final"]), low=_signed(low), high=_signed(high)
    )


def _signed(roi: float) -> str:
    return ("+" if roi > 0 else "") + percent(roi)
