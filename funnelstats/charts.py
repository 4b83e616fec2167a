"""The figures of the pages: each draws one frame and shows that frame's numbers with it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.ticker import PercentFormatter

from funnelstats.figures import (
    ACCENT,
    FAINT,
    INK,
    NEUTRAL,
    TARGET,
    VERDICT_COLOURS,
    house_axes,
    show_figure,
)
from funnelstats.funnel import Funnel, Step
from funnelstats.shown import Shown, show_text

DRAWN = ["rate", "ci_lower", "ci_upper"]
MOST_BARS = 40
LONGEST_LABEL = 28
LONGEST_TITLE = 96
"""Characters: of a name beside its bar, of all the panels' titles together."""
NOTHING = "There is nothing to draw: no lead entered a step in these weeks, or none can be judged yet."


def control_chart(verdicts: pd.DataFrame, funnel: Funnel, *, who: str = "manager") -> Shown:
    """Steps across, one bar for each ``who``: rate by the horizon, interval, black dash at the target, n.

    Takes the frame of ``versus_target``; those not ranked are left to the table. Beyond 40 bars the ones
    with most leads are drawn, and the figure says how many are not.
    """
    ranked = verdicts[verdicts["verdict"] != "not ranked"]
    if not (ranked["entered"] > 0).any():
        return show_text(NOTHING, box="note")
    sizes = ranked.groupby(who)["entered"].sum().sort_values(ascending=False)
    names = sorted(sizes.index[:MOST_BARS], reverse=True)
    steps = [step for step in funnel.steps if (ranked["from_stage"] == step.from_stage).any()]
    places = pd.Series(range(len(names)), index=names)
    figure, axes = house_axes(1, len(steps), height=1.1 + 0.32 * len(names), sharey=True, squeeze=False)
    for ax, step in zip(axes[0], steps, strict=True):
        rows = ranked[(ranked["from_stage"] == step.from_stage) & ranked[who].isin(names)]
        _bars(ax, rows.set_index(rows[who].map(places)), _title(step, len(steps)))
    axes[0][0].set_yticks(places, [_short(name) for name in names], parse_math=False)
    hidden = len(sizes) - len(names)
    if hidden:
        figure.supxlabel(f"{hidden} more with fewer leads are in the table", fontsize=9)
    drawn = ranked[ranked[who].isin(names)]
    red = drawn[drawn["verdict"] == "red"]
    said = "; ".join(f"{row[who]} at {row['from_stage']} → {row['to_stage']}" for _, row in red.iterrows())
    alt = f"Share of leads that pass each step in time, one bar for each {who}, with interval and target. "
    return show_figure(
        figure, alt=alt + f"Below target beyond chance: {said or 'none'}.", numbers=_numbers(drawn, [who])
    )


def _bars(ax: Any, rows: pd.DataFrame, title: str) -> None:
    """One panel: bars coloured by verdict at their place on the y axis, interval, target, n."""
    rows = rows[rows["rate"].notna()]
    y = rows.index.to_numpy(dtype=float)
    colours = [VERDICT_COLOURS.get(verdict, NEUTRAL) for verdict in rows["verdict"]]
    ax.barh(y, rows["rate"], height=0.62, color=colours, alpha=0.55)
    ax.hlines(y, rows["ci_lower"], rows["ci_upper"], color=INK, linewidth=1.2)
    ax.vlines(
        rows["target"].dropna(),
        y[rows["target"].notna()] - 0.4,
        y[rows["target"].notna()] + 0.4,
        color=TARGET,
        linewidth=2.6,
    )
    for place, entered in zip(y, rows["entered"], strict=True):
        ax.text(0.015, place, f"n {entered:,}", va="center", fontsize=7.5, color=INK)
    ax.set_title(title, parse_math=False)
    ax.set_xlim(0, 1.02)
    ax.xaxis.set_major_formatter(PercentFormatter(1))
    ax.xaxis.set_ticks([0, 0.5, 1])
    ax.grid(axis="x")
    ax.grid(axis="y", visible=False)


def trend_chart(weeks: pd.DataFrame, funnel: Funnel) -> Shown:
    """Week by week, one panel for each step: share of a week's stage entries that passed in time, with interval.

    Takes ``conversion_rates`` of ``step_counts`` by week: only leads whose horizon is over.
    """
    known = weeks[weeks["entered"] > 0]
    if known.empty:
        return show_text(NOTHING, box="note")
    steps = [step for step in funnel.steps if (known["from_stage"] == step.from_stage).any()]
    figure, axes = house_axes(1, len(steps), height=2.6, sharey=True, squeeze=False)
    for ax, step in zip(axes[0], steps, strict=True):
        rows = known[known["from_stage"] == step.from_stage]
        days = rows["week"].to_numpy()
        ax.fill_between(days, rows["ci_lower"], rows["ci_upper"], color=ACCENT, alpha=0.15, linewidth=0)
        ax.plot(days, rows["rate"], color=ACCENT, marker="o", markersize=3)
        if step.target is not None:
            ax.axhline(step.target, color=TARGET, linewidth=1.4, linestyle=(0, (4, 2)))
        ax.set_title(_title(step, len(steps)), parse_math=False)
        ax.set_ylim(0, 1.04)
        ax.yaxis.set_major_formatter(PercentFormatter(1))
        ticks = days[:: max(1, len(days) // 3)]
        ax.set_xticks(ticks, [pd.Timestamp(day).strftime("W%V") for day in ticks])
    alt = "Share of each week's leads that passed each step in time, with interval and target, week by week."
    return show_figure(figure, alt=alt, numbers=_numbers(known, ["week"]))


def band_chart(own: pd.DataFrame, peers: pd.DataFrame) -> Shown:
    """One manager's rate at each step on the band that holds the middle half of the colleagues.

    ``own`` is a frame of ``versus_target``, ``peers`` one of ``peer_band``.
    """
    rows = own.merge(peers, how="left", on=["from_stage", "to_stage"])
    rows = rows[rows["rate"].notna()].iloc[::-1].reset_index(drop=True)
    if rows.empty:
        return show_text(NOTHING, box="note")
    figure, ax = house_axes(width=6, height=0.9 + 0.5 * len(rows))
    y = np.arange(len(rows), dtype=float)
    ax.barh(y, rows["peers_upper"] - rows["peers_lower"], left=rows["peers_lower"], height=0.5, color=FAINT)
    _points(ax, rows, y)
    labels = [f"{_short(str(row.from_stage))} → {_short(str(row.to_stage))}" for row in rows.itertuples()]
    ax.set_yticks(y, labels, parse_math=False)
    ax.set_xlim(0, 1.02)
    ax.xaxis.set_major_formatter(PercentFormatter(1))
    ax.grid(axis="x")
    ax.grid(axis="y", visible=False)
    said = "; ".join(f"{row.from_stage} → {row.to_stage} {row.rate:.0%}" for row in rows.iloc[::-1].itertuples())
    alt = f"Own rates by step on the band of the middle half of colleagues, with targets: {said or 'no leads yet'}."
    return show_figure(figure, alt=alt, numbers=_numbers(rows, [], [*DRAWN, "target", "peers_lower", "peers_upper"]))


def _points(ax: Any, rows: pd.DataFrame, y: np.ndarray) -> None:
    colours = [VERDICT_COLOURS.get(verdict, NEUTRAL) for verdict in rows["verdict"]]
    ax.hlines(y, rows["ci_lower"], rows["ci_upper"], color=INK, linewidth=1.4)
    ax.scatter(rows["rate"], y, color=colours, edgecolor=INK, s=60, zorder=3)
    aimed = rows["target"].notna().to_numpy()
    ax.vlines(rows["target"][aimed], y[aimed] - 0.38, y[aimed] + 0.38, color=TARGET, linewidth=2.6)


def _short(name: str, most: int = LONGEST_LABEL) -> str:
    """A name that leaves room for what is drawn; the numbers and the tables have it whole."""
    line = " ".join(name.split())
    return line if len(line) <= most else f"{line[: most - 1].rstrip()}…"


def _title(step: Step, panels: int) -> str:
    """The step above its panel, on two lines where it would run into the next one's."""
    most = max(LONGEST_TITLE // panels, 12)
    line = f"{_short(step.from_stage, most)} → {_short(step.to_stage, most)}"
    return line if len(line) <= most else line.replace(" → ", " →\n", 1)


def _numbers(frame: pd.DataFrame, keys: list[str], drawn: list[str] | None = None) -> pd.DataFrame:
    """The drawn numbers, to the four digits that a regression test should hold."""
    columns = [
        *keys,
        "from_stage",
        "to_stage",
        *(["entered"] if "entered" in frame else []),
        *(drawn or DRAWN),
    ]
    drawn_only = frame[[column for column in columns if column in frame]]
    floats = drawn_only.select_dtypes("float").columns
    return drawn_only.assign(**{column: drawn_only[column].round(4) for column in floats})
