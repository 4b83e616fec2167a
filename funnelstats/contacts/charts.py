"""The figures of contacts and speed: one manager beside the colleagues, each with the numbers it draws."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.lines import Line2D

from funnelstats.config.words import _, number, percent
from funnelstats.page.figures import (
    ACCENT,
    INK,
    PAD,
    QUIET,
    SMALL,
    house_panels,
    house_style,
    name_below,
    name_rows,
    right_of,
    room_for,
    shares_along,
    short_name,
    show_figure,
    text_width,
)
from funnelstats.page.tables import NO_OUTPUT, Shown

MOST_ROWS = 12
ROW = 0.33
"""Inches from row to row."""
NEAREST = 0.1
"""Share of a panel's height between two lines of words."""
LONGEST_LABEL = 24


@house_style
def contact_chart(rates: pd.DataFrame) -> Shown:
    """Share of contacts after which the lead moved on, by kind and stage, with what moves without one.

    Takes a frame of ``beside_colleagues``; of many kinds the twelve with most contacts are drawn.
    """
    most = rates.sort_values("contacts", ascending=False, kind="stable").head(MOST_ROWS).index
    rows = rates[rates.index.isin(most)].iloc[::-1].reset_index(drop=True)
    if rows.empty:
        return NO_OUTPUT
    names = [short_name(f"{row['stage']}, {row['kind']}", LONGEST_LABEL) for row in rows.to_dict("records")]
    sizes = [f"n\u00a0{number(contacts)}" for contacts in rows["contacts"]]
    marks = [
        Line2D([], [], linestyle="", marker="o", color=ACCENT, markeredgecolor=INK, label=_("my contacts")),
        Line2D([], [], linestyle="", marker="|", markersize=10, markeredgewidth=2.4, color=INK,
               label=_("moves without a contact in as many days")),
    ]  # fmt: skip
    if rows["peer_rate"].notna().any():
        marks.insert(
            1, Line2D([], [], linestyle="", marker="o", color="white", markeredgecolor=QUIET, label=_("colleagues"))
        )
    figure, (ax,) = house_panels(
        height=ROW * len(rows),
        left=room_for(names),
        right=PAD + text_width(max(sizes, key=len), SMALL),
        marks=marks,
    )
    y = np.arange(len(rows), dtype=float)
    ax.hlines(y, rows["ci_lower"], rows["ci_upper"], color=INK, linewidth=1.3)
    ax.scatter(rows["rate"], y, color=ACCENT, edgecolor=INK, s=52, zorder=3)
    ax.scatter(rows["peer_rate"], y, facecolor="white", edgecolor=QUIET, linewidth=1.4, s=40, zorder=2)
    ax.vlines(rows["base_rate"].clip(upper=1), y - 0.34, y + 0.34, color=INK, linewidth=2.4, zorder=2)
    ax.set(xlim=(-0.03, 1.03), ylim=(-0.6, len(rows) - 0.4))
    name_rows(ax, names)
    shares_along(ax, "x")
    beside = right_of(ax, PAD)
    for place, size in zip(y, sizes, strict=True):
        ax.text(1, place, size, transform=beside, va="center", size=SMALL, color=QUIET)
    said = "; ".join(
        f"{row['stage']}, {row['kind']}: {percent(row['rate'])} / {percent(row['base_rate'])}"
        for row in rows.iloc[::-1].to_dict("records")
    )
    alt = _("Share of contacts after which the lead moved on, and of leads that move without one: {rates}.")
    columns = ["stage", "kind", "contacts", "rate", "ci_lower", "ci_upper", "peer_rate", "base_rate"]
    return show_figure(figure, alt=alt.format(rates=said), numbers=rows.iloc[::-1][columns].round(4))


@house_style
def speed_chart(own: pd.DataFrame, others: pd.DataFrame, *, hours: int = 72) -> Shown:
    """Share of leads contacted within so many hours, on the calendar's clock and on that of working hours.

    Takes two frames of ``contact_curve``, the manager's and the colleagues' (empty where too few).
    """
    if own.empty:
        return NO_OUTPUT
    titles = {"calendar": _("hours since the lead came in"), "working": _("working hours since the lead came in")}
    whose = {"mine": (_("my leads"), own, ACCENT), "colleagues": (_("colleagues"), others, QUIET)}
    whose = {name: part for name, part in whose.items() if len(part[1])}
    beside = max(text_width(words, SMALL) for words, _curves, _colour in whose.values())
    range_of_mine = Line2D([], [], color=ACCENT, alpha=0.15, lw=9, label=_("range the true share is very likely in"))
    figure, panels = house_panels(
        list(titles.values()), height=1.9, left=room_for([percent(1)]), right=PAD / 2 + beside, marks=[range_of_mine]
    )
    drawn = []
    for place, (ax, clock) in enumerate(zip(panels, titles, strict=True)):
        curves = {name: _curve(frame, clock, hours) for name, (_words, frame, _colour) in whose.items()}
        curves = {name: curve for name, curve in curves.items() if len(curve)}
        mine = curves.get("mine")
        if mine is not None:
            ax.fill_between(mine["hours"], mine["ci_lower"], mine["ci_upper"], step="post", color=ACCENT, alpha=0.15,
                            linewidth=0)  # fmt: skip
        ends = _apart({name: curve["rate"].iloc[-1] for name, curve in curves.items()})
        for name, curve in curves.items():
            words, _frame, colour = whose[name]
            ax.step(curve["hours"], curve["rate"], where="post", color=colour, zorder=3 if name == "mine" else 2)
            ax.text(1, ends[name], words, transform=right_of(ax, PAD / 2), va="center", size=SMALL, color=colour)
            drawn.append(curve.assign(whose=name))
        ax.set(xlim=(0, hours), ylim=(0, 1.02))
        shares_along(ax, "y", named=place == 0)
        ticks = range(0, hours + 1, 24 if clock == "calendar" else 18)
        name_below(ax, ticks, [number(tick) for tick in ticks])
    table = pd.concat(drawn, ignore_index=True)
    day = table[(table["clock"] == "calendar") & (table["whose"] == "mine") & (table["hours"] <= 24)]["rate"].max()
    alt = _("Share of own leads contacted within so many hours, leads never contacted included: {share} within a day.")
    # Every sixth hour is enough to compare; all of them would be longer than the page.
    numbers = table[table["hours"] % 6 == 0][["whose", "clock", "hours", "rate", "ci_lower", "ci_upper"]]
    return show_figure(figure, alt=alt.format(share=percent(day)), numbers=numbers.round(4))


def _apart(ends: dict[str, float]) -> dict[str, float]:
    """Where the words of two curves stand: at their ends, or a line apart where these are closer."""
    if len(ends) < 2 or np.ptp(list(ends.values())) >= NEAREST:
        return ends
    middle = np.clip(np.mean(list(ends.values())), NEAREST, 1 - NEAREST)
    lower, upper = sorted(ends, key=lambda name: ends[name])
    return {lower: middle - NEAREST / 2, upper: middle + NEAREST / 2}


def _curve(curve: pd.DataFrame, clock: str, hours: int) -> pd.DataFrame:
    """One clock's curve, a row for every hour while a lead was watched: between two events it stays where it was."""
    rows = curve[curve["clock"] == clock]
    if rows.empty:
        return rows
    columns = ["rate", "ci_lower", "ci_upper"]
    every = rows.set_index("hours")[columns].reindex(range(min(hours, int(rows["hours"].max())) + 1), method="ffill")
    return every.fillna(0.0).rename_axis("hours").reset_index().assign(clock=clock)
