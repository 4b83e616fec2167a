"""The figures of contacts and speed: one manager beside the colleagues, each with the numbers it draws."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from funnelstats.showing.figures import ACCENT, FAINT, INK, QUIET, house_axes, short_name, show_figure
from funnelstats.showing.shown import Shown
from funnelstats.showing.tables import show_table
from funnelstats.stated.words import _, number, percent

NOTHING = Shown({"text/html": "", "text/plain": "nothing: the sentences above say why"})
"""Shown where a figure or a table would be empty, below sentences that say what is missing."""
MOST_ROWS = 12
LONGEST_LABEL = 30


def show_if_any(frame: pd.DataFrame, **table: Any) -> Shown:
    """The frame as ``show_table`` shows it; nothing where it has no rows, since the sentences above say why."""
    return NOTHING if frame.empty else show_table(frame, **table)


def contact_chart(rates: pd.DataFrame) -> Shown:
    """Share of contacts after which the lead moved on, by kind and stage, with what moves without one.

    Takes a frame of ``beside_colleagues``; of many kinds the twelve with most contacts are drawn.
    """
    most = rates.sort_values("contacts", ascending=False, kind="stable").head(MOST_ROWS).index
    rows = rates[rates.index.isin(most)].iloc[::-1].reset_index(drop=True)
    if rows.empty:
        return NOTHING
    figure, ax = house_axes(width=8.4, height=1.3 + 0.36 * len(rows))
    y = np.arange(len(rows), dtype=float)
    ax.hlines(y, rows["ci_lower"], rows["ci_upper"], color=INK, linewidth=1.3)
    # a dot at 0% stands half outside
    ax.scatter(rows["rate"], y, color=ACCENT, edgecolor=INK, s=52, zorder=3, clip_on=False)
    ax.scatter(rows["peer_rate"], y, facecolor="white", edgecolor=QUIET, linewidth=1.4, s=40, zorder=2, clip_on=False)
    ax.vlines(rows["base_rate"].clip(upper=1), y - 0.34, y + 0.34, color=INK, linewidth=2.4, zorder=2)
    ax.set_yticks(y, [short_name(f"{row['stage']}, {row['kind']}", LONGEST_LABEL) for row in rows.to_dict("records")])
    edge = ax.get_yaxis_transform()
    for place, contacts in zip(y, rows["contacts"], strict=True):
        ax.annotate(f"n {number(contacts)}", (1, place), (6, 0), xycoords=edge, textcoords="offset points",
                    va="center", fontsize=8, color=QUIET, annotation_clip=False)  # fmt: skip
    ax.set(xlim=(0, 1.02), ylim=(-0.6, len(rows) - 0.4))
    ax.xaxis.set_major_formatter(PercentFormatter(1))
    ax.grid(axis="x")
    ax.grid(axis="y", visible=False)
    marks = [
        Line2D([], [], linestyle="", marker="o", color=ACCENT, markeredgecolor=INK, label=_("my contacts")),
        Line2D([], [], linestyle="", marker="|", markersize=10, markeredgewidth=2.4, color=INK,
               label=_("moves without a contact in as many days")),
    ]  # fmt: skip
    if rows["peer_rate"].notna().any():
        marks.insert(
            1, Line2D([], [], linestyle="", marker="o", color="white", markeredgecolor=QUIET, label=_("colleagues"))
        )
    _legend(figure, marks)
    said = "; ".join(
        f"{row['stage']}, {row['kind']}: {percent(row['rate'])} / {percent(row['base_rate'])}"
        for row in rows.iloc[::-1].to_dict("records")
    )
    alt = _("Share of contacts after which the lead moved on, and of leads that move without one: {rates}.")
    columns = ["stage", "kind", "contacts", "rate", "ci_lower", "ci_upper", "peer_rate", "base_rate"]
    return show_figure(figure, alt=alt.format(rates=said), numbers=rows.iloc[::-1][columns].round(4))


def speed_chart(own: pd.DataFrame, others: pd.DataFrame, *, hours: int = 72) -> Shown:
    """Share of leads contacted within so many hours, on the calendar's clock and on that of working hours.

    Takes two frames of ``contact_curve``, the manager's and the colleagues' (empty where too few).
    """
    if own.empty:
        return NOTHING
    figure, axes = house_axes(1, 2, width=9.4, height=2.9, sharey=True, squeeze=False)
    titles = {"calendar": _("hours since the lead came in"), "working": _("working hours since the lead came in")}
    drawn = []
    for ax, (clock, title) in zip(axes.flat, titles.items(), strict=True):
        peers, mine = (_curve(frame, clock, hours) for frame in (others, own))
        if not peers.empty:
            ax.step(peers["hours"], peers["rate"], where="post", color=QUIET, linewidth=1.4)
        ax.fill_between(mine["hours"], mine["ci_lower"], mine["ci_upper"], step="post", color=FAINT, linewidth=0)
        ax.step(mine["hours"], mine["rate"], where="post", color=ACCENT)
        ax.set(xlabel=title, xlim=(0, hours), ylim=(0, 1.02))
        ax.set_xticks(np.arange(0, hours + 1, 24 if clock == "calendar" else 9))
        ax.yaxis.set_major_formatter(PercentFormatter(1))
        drawn += [part.assign(whose=whose) for part, whose in ((mine, "mine"), (peers, "colleagues")) if len(part)]
    marks = [Line2D([], [], color=ACCENT, label=_("my leads"))]
    if not others.empty:
        marks.append(Line2D([], [], color=QUIET, label=_("the colleagues' leads")))
    _legend(figure, marks)
    table = pd.concat(drawn, ignore_index=True)
    day = table[(table["clock"] == "calendar") & (table["whose"] == "mine") & (table["hours"] <= 24)]["rate"].max()
    alt = _("Share of own leads contacted within so many hours, leads never contacted included: {share} within a day.")
    # Every sixth hour is enough to compare; all of them would be longer than the page.
    numbers = table[table["hours"] % 6 == 0][["whose", "clock", "hours", "rate", "ci_lower", "ci_upper"]]
    return show_figure(figure, alt=alt.format(share=percent(day)), numbers=numbers.round(4))


def _curve(curve: pd.DataFrame, clock: str, hours: int) -> pd.DataFrame:
    """One clock's curve, a row for every hour while a lead was watched: between two events it stays where it was."""
    rows = curve[curve["clock"] == clock]
    if rows.empty:
        return rows
    columns = ["rate", "ci_lower", "ci_upper"]
    every = rows.set_index("hours")[columns].reindex(range(min(hours, int(rows["hours"].max())) + 1), method="ffill")
    return every.fillna(0.0).rename_axis("hours").reset_index().assign(clock=clock)


def _legend(figure: Any, marks: list[Line2D]) -> None:
    figure.legend(handles=marks, loc="outside upper left", ncols=len(marks), handletextpad=0.5, columnspacing=1.6,
                  fontsize=8.5, borderpad=0.2, frameon=False)  # fmt: skip
