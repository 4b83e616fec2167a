"""The figures of contacts and speed: one manager beside the colleagues, each with the numbers it draws."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from funnelstats.config.words import _, label, number, percent
from funnelstats.page.figures import (
    ACCENT,
    INK,
    LINE,
    LONGEST_LABEL,
    PAD,
    PAPER,
    QUIET,
    Panel,
    house_panel,
    label_marks,
    name_below,
    name_rows,
    right_of,
    room_for,
    shares_along,
    short_name,
    show_figure,
)
from funnelstats.page.tables import NO_OUTPUT, Shown

MOST_ROWS = 8
LEAST_CONTACTS = 10
"""Of fewer a range would be as wide as the panel."""
ROW = 24
"""Units from row to row."""
HEIGHT = 150
"""Units of a panel of curves."""


def contact_chart(rates: pd.DataFrame) -> Shown:
    """Share of contacts after which the lead moved on, by stage and kind, with what moves without one.

    Takes a frame of ``beside_colleagues``; of stages and kinds with at least ten contacts the eight with most.
    """
    enough = rates[rates["contacts"] >= LEAST_CONTACTS]
    most = enough.sort_values("contacts", ascending=False, kind="stable").head(MOST_ROWS).index
    rows = rates[rates.index.isin(most)].iloc[::-1].reset_index(drop=True)
    if rows.empty:
        return NO_OUTPUT
    marks = [
        Line2D([], [], linestyle="", marker="o", color=ACCENT, markeredgecolor=INK, label=_("my contacts")),
        Line2D([], [], linestyle="", marker="|", markersize=10, markeredgewidth=2.4, color=INK,
               label=_("moves without a contact in as many days")),
    ]  # fmt: skip
    if rows["peer_rate"].notna().any():
        marks.insert(
            1, Line2D([], [], linestyle="", marker="o", color=PAPER, markeredgecolor=QUIET, label=_("colleagues"))
        )
    said = "; ".join(
        f"{row['stage']}, {row['kind']}: {percent(row['rate'])} / {percent(row['base_rate'])}"
        for row in rows.iloc[::-1].to_dict("records")
    )
    alt = _("Share of contacts after which the lead moved on, and of leads that move without one: {rates}.")
    columns = ["stage", "kind", "contacts", "rate", "ci_lower", "ci_upper", "peer_rate", "base_rate"]
    return show_figure(
        Panel(partial(_draw_contacts, rows)),
        alt=alt.format(rates=said),
        numbers=rows.iloc[::-1][columns].round(4),
        marks=marks,
    )


def _draw_contacts(rows: pd.DataFrame, width: float) -> Figure:
    names = [
        short_name(f"{label(row['stage'])}, {label(row['kind'])}", LONGEST_LABEL) for row in rows.to_dict("records")
    ]
    sizes = [f"n\u00a0{number(contacts)}" for contacts in rows["contacts"]]
    figure, ax = house_panel(width, ROW * len(rows), left=room_for(names), right=PAD + room_for(sizes))
    y = np.arange(len(rows), dtype=float)
    ax.set(xlim=(-0.03, 1.03), ylim=(-0.6, len(rows) - 0.4))
    shares_along(ax, "x")
    ax.hlines(y, rows["ci_lower"], rows["ci_upper"], color=INK, linewidth=1.3)
    mine = ax.scatter(rows["rate"], y, color=ACCENT, edgecolor=INK, s=60, zorder=3)
    told = _("moved on after the contact: {rate}; colleagues: {peers}; without a contact: {base}")
    shares = rows[["rate", "peer_rate", "base_rate"]].map(percent)
    label_marks(mine, [told.format(rate=row[0], peers=row[1], base=row[2]) for row in shares.to_numpy()])
    ax.scatter(rows["peer_rate"], y, facecolor=PAPER, edgecolor=QUIET, linewidth=1.4, s=44, zorder=2)
    ax.vlines(rows["base_rate"].clip(upper=1), y - 0.34, y + 0.34, color=INK, linewidth=2.4, zorder=2)
    name_rows(ax, names)
    for place, size in zip(y, sizes, strict=True):
        ax.text(1, place, size, transform=right_of(ax, PAD), va="center", color=QUIET)
    return figure


def speed_chart(own: pd.DataFrame, others: pd.DataFrame, *, hours: int = 72) -> Shown:
    """Share of leads contacted within so many hours, on the calendar's clock and on that of working hours.

    Takes two frames of ``contact_curve``, the manager's and the colleagues' (empty where too few).
    """
    if own.empty:
        return NO_OUTPUT
    titles = {"calendar": _("hours since the lead came in"), "working": _("working hours since the lead came in")}
    whose = {"mine": own, "colleagues": others}
    curves = {
        clock: {name: curve for name, frame in whose.items() if len(curve := _curve(frame, clock, hours))}
        for clock in titles
    }
    table = pd.concat([curve.assign(whose=name) for part in curves.values() for name, curve in part.items()])
    day = table[(table["clock"] == "calendar") & (table["whose"] == "mine") & (table["hours"] <= 24)]["rate"].max()
    alt = _("Share of own leads contacted within so many hours, leads never contacted included: {share} within a day.")
    # Every sixth hour is enough to compare; all of them would be longer than the page.
    numbers = table[table["hours"] % 6 == 0][["whose", "clock", "hours", "rate", "ci_lower", "ci_upper"]]
    ticks = {"calendar": range(0, hours + 1, 24), "working": range(0, hours + 1, 18)}
    return show_figure(
        *(Panel(partial(_draw_curves, curves[clock], ticks[clock]), titles[clock], wide=False) for clock in titles),
        alt=alt.format(share=percent(day)),
        numbers=numbers.round(4),
        marks=[Line2D([], [], color=ACCENT, alpha=0.15, lw=9, label=_("range the true share is very likely in"))],
    )


def _draw_curves(curves: dict[str, pd.DataFrame], ticks: range, width: float) -> Figure:
    looks = {"mine": (_("my leads"), ACCENT), "colleagues": (_("colleagues"), QUIET)}
    beside = room_for(words for words, _colour in looks.values())
    figure, ax = house_panel(width, HEIGHT, left=room_for([percent(1)]), right=PAD + beside)
    ax.set(xlim=(0, ticks.stop - 1), ylim=(0, 1.02))
    shares_along(ax, "y")
    ends = _apart({name: curve["rate"].iloc[-1] for name, curve in curves.items()})
    for name, curve in curves.items():
        words, colour = looks[name]
        if name == "mine":
            ax.fill_between(curve["hours"], curve["ci_lower"], curve["ci_upper"], step="post", color=colour, alpha=0.15,
                            linewidth=0)  # fmt: skip
        ax.step(curve["hours"], curve["rate"], where="post", color=colour, zorder=3 if name == "mine" else 2)
        ax.text(1, ends[name], words, transform=right_of(ax, PAD / 2), va="center", color=colour)
    name_below(ax, ticks, [number(tick) for tick in ticks])
    return figure


def _apart(ends: dict[str, float]) -> dict[str, float]:
    """Where the words of two curves stand: at their ends, or a line apart where these are closer."""
    nearest = LINE / HEIGHT
    if len(ends) < 2 or np.ptp(list(ends.values())) >= nearest:
        return ends
    middle = np.clip(np.mean(list(ends.values())), nearest, 1 - nearest)
    lower, upper = sorted(ends, key=lambda name: ends[name])
    return {lower: middle - nearest / 2, upper: middle + nearest / 2}


def _curve(curve: pd.DataFrame, clock: str, hours: int) -> pd.DataFrame:
    """One clock's curve, a row for every hour while a lead was watched: between two events it stays where it was."""
    rows = curve[curve["clock"] == clock]
    if rows.empty:
        return rows
    columns = ["rate", "ci_lower", "ci_upper"]
    every = rows.set_index("hours")[columns].reindex(range(min(hours, int(rows["hours"].max())) + 1), method="ffill")
    return every.fillna(0.0).rename_axis("hours").reset_index().assign(clock=clock)
