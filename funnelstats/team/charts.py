"""The figure of the pages of the team: it draws one frame and shows that frame's numbers with it."""

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.transforms import ScaledTranslation

from funnelstats.config.funnel import Funnel, Step
from funnelstats.config.words import _, axis_day, counted, day, number, percent, percent_range, step_name
from funnelstats.page.figures import (
    ACCENT,
    DESK,
    GRID,
    INK,
    PAD,
    PAPER,
    TARGET,
    Panel,
    house_panel,
    label_marks,
    lines_along,
    name_below,
    room_for,
    show_figure,
)
from funnelstats.page.tables import Shown, show_text

TARGET_DASHES = (0, (4, 2))
NO_LEADS = "There is nothing to draw: no lead entered a step in these weeks, or none can be judged yet."


def trend_chart(weeks: pd.DataFrame, funnel: Funnel, since: pd.DataFrame | None = None) -> Shown:
    """Week by week, one panel for each step: share of a week's stage entries that passed in time, with interval.

    Takes ``conversion_rates`` of ``step_counts`` by week, and the frame of ``since_when``: a step that fell comes
    first and large, with the day from which on it was lower, and its rates before and since. Weeks whose leads still
    have time are grey.

    >>> fs.team.trend_chart(fs.conversion_rates(leak.weeks), spec)
    <Chart: week from_stage to_stage entered rate ci_lower ci_upper…>
    """
    known = weeks[weeks["entered"] > 0]
    if known.empty:
        return show_text(_(NO_LEADS), box="note")
    fell = {} if since is None else {row["from_stage"]: row for row in since[since["alarm"]].to_dict("records")}
    steps = sorted(_steps(known, funnel), key=lambda step: step.from_stage not in fell)
    seen = [*known["rate"], *(step.target for step in steps if step.target is not None)]
    if known["week"].nunique() == 1:
        seen += [*known["ci_lower"], *known["ci_upper"]]
    ends = max(0.0, np.floor(10 * min(seen) - 0.5) / 10), min(1.0, np.ceil(10 * max(seen) + 0.3) / 10)
    panels = []
    for step in steps:
        rows = weeks[weeks["from_stage"] == step.from_stage].sort_values("week")
        draw = partial(_draw_trend, rows, step, fell.get(step.from_stage), ends)
        panels.append(
            Panel(draw, step_name(step.from_stage, step.to_stage), wide=step.from_stage in fell or len(steps) == 1)
        )
    alt = _("Share of each week's leads that passed each step in time, with interval and target, week by week.")
    drawn = known[["week", "from_stage", "to_stage", "entered", "rate", "ci_lower", "ci_upper"]]
    # the four digits that a regression test should hold
    numbers = drawn.round({"rate": 4, "ci_lower": 4, "ci_upper": 4})
    return show_figure(*panels, alt=alt, numbers=numbers, marks=_trend_marks(weeks, steps))


def _trend_marks(weeks: pd.DataFrame, steps: list[Step]) -> list[Line2D]:
    marks = [
        Line2D([], [], marker="o", markersize=5, lw=1, color=ACCENT, label=_("rate of a week's leads")),
        Line2D([], [], color=ACCENT, alpha=0.15, lw=9, label=_("likely range (95%)")),
    ]
    if any(step.target is not None for step in steps):
        marks.append(Line2D([], [], color=TARGET, lw=1.4, linestyle=TARGET_DASHES, label=_("target")))
    if "too_recent" in weeks and weeks["too_recent"].any():
        marks.append(Line2D([], [], color=GRID, lw=9, label=_("not finished yet: leads still have time")))
    return marks


def _draw_trend(rows: pd.DataFrame, step: Step, fall: Any, ends: tuple[float, float], width: float) -> Figure:
    """A step's rates by week between these ends of the axis, with its fall where it has one."""
    first, low, high = rows["week"].min(), *ends
    at = (rows["week"] - first).dt.days / 7
    spaced = 0.1 if high - low <= 0.5 else 0.25
    shares = np.arange(high, low - 1e-9, -spaced).tolist()
    height = 260 if width == DESK else 200 if fall else 140
    figure, ax = house_panel(width, height, left=room_for(map(percent, shares)))
    ax.set(xlim=(-0.7, at.max() + 0.7), ylim=ends)
    lines_along(ax, "y", shares, [percent(share) for share in shares])
    if (unfinished := rows.get("too_recent", at * 0) > 0).any():
        ax.axvspan(at[unfinished].min() - 0.5, at.max() + 0.7, color=GRID, linewidth=0, zorder=0)
    known = rows[rows["entered"] > 0]
    x = at[known.index]
    ax.fill_between(x, *known[["ci_lower", "ci_upper"]].clip(*ends).to_numpy().T, color=ACCENT, alpha=0.15, linewidth=0)
    if len(known) == 1:  # no band without a neighbour
        ax.vlines(x, known["ci_lower"], known["ci_upper"], color=ACCENT, alpha=0.15, linewidth=9)
    ax.plot(x, known["rate"], color=ACCENT, linewidth=1)
    (dots,) = ax.plot(x, known["rate"], "o", markersize=5, markeredgewidth=0, color=ACCENT)
    told = known.to_dict("records")
    label_marks(dots, (_("week from {day}: {told}").format(day=day(row["week"]), told=_told(row)) for row in told))
    if step.target is not None:
        ax.axhline(step.target, color=TARGET, linewidth=1.4, linestyle=TARGET_DASHES)
    name_below(ax, at.tolist(), [axis_day(week) for week in rows["week"]])
    if fall:
        _draw_fall(ax, fall, (fall["since"] - first).days / 7 - 0.5, x)
    return figure


def _draw_fall(ax: Any, fall: Any, since: float, x: pd.Series) -> None:
    """The day of a fall as an upright line, and the rates before and since as two steps with their numbers."""
    ax.axvline(since, color=INK, linewidth=1.2, zorder=2)
    beside = ScaledTranslation(PAD / 2 / 72, 0, ax.figure.dpi_scale_trans)
    from_day = _("from {day} on").format(day=axis_day(fall["since"]))
    ax.text(since, 1, from_day, transform=ax.get_xaxis_transform() + beside, va="top")
    means = [(x.min(), since, fall["before_rate"]), (since, x.max(), fall["after_rate"])]
    low, high = ax.get_ylim()
    for start, end, rate in means:
        ax.hlines(rate, start, end, color=INK, linewidth=2.4, zorder=4)
        left = end == since
        # Below the axis stand the weeks.
        above = left or rate < low + 0.15 * (high - low)
        ax.annotate(percent(rate), (since, rate), (-5 if left else 5, 5 if above else -5), textcoords="offset points",
                    ha="right" if left else "left", va="bottom" if above else "top", weight="bold",
                    bbox={"facecolor": PAPER, "edgecolor": "none", "alpha": 0.8, "pad": 1})  # fmt: skip


def _steps(rows: pd.DataFrame, funnel: Funnel) -> list[Step]:
    return [step for step in funnel.steps if (rows["from_stage"] == step.from_stage).any()]


def _told(row: Any) -> str:
    """What a mark says of its row: 66%, very likely 61–70%, of 234 leads."""
    leads = counted("{n} lead", "{n} leads", row["entered"]).format(n=number(row["entered"]))
    return _("{rate}, very likely {interval}, of {leads}").format(
        rate=percent(row["rate"], 1), interval=percent_range(row["ci_lower"], row["ci_upper"]), leads=leads
    )
