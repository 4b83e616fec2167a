"""The figures of the pages: each draws one frame and shows that frame's numbers with it."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.markers import MarkerStyle
from matplotlib.transforms import ScaledTranslation

from funnelstats.config.funnel import Funnel, Step
from funnelstats.config.words import _, axis_day, counted, day, label, number, percent
from funnelstats.page.figures import (
    ACCENT,
    DESK,
    FAINT,
    GRID,
    INK,
    LONGEST_LABEL,
    MOST_IN_ALL,
    NEUTRAL,
    NOT_RANKED,
    PAD,
    PAPER,
    QUIET,
    TARGET,
    VERDICT_COLOURS,
    VERDICT_MARKERS,
    VERDICT_WORDS,
    Panel,
    house_panel,
    interval_words,
    label_marks,
    name_below,
    name_rows,
    right_of,
    room_for,
    shares_along,
    short_name,
    show_figure,
    step_words,
)
from funnelstats.page.tables import Shown, show_text

DRAWN = ["rate", "ci_lower", "ci_upper"]
MOST_BARS = 12
LONGEST_NAME = 18
"""Characters of a name beside its bar."""
ROW = 22
"""Units from bar to bar."""
TARGET_DASHES = (0, (4, 2))
NO_LEADS = "There is nothing to draw: no lead entered a step in these weeks, or none can be judged yet."
NO_MANAGERS = "There is no manager to compare: the export names none, or none of these leads had one."


def control_chart(verdicts: pd.DataFrame, funnel: Funnel, *, who: str = "manager") -> Shown:
    """A panel for each step, one bar for each ``who``: rate by the horizon, interval, black dash at the target, n.

    Takes the frame of ``versus_target``; those not ranked are left to the table. Beyond 12 bars, fewer in
    a funnel of many steps, the ones with most leads are drawn, and the figure says how many are not.
    """
    ranked = verdicts[verdicts["verdict"] != NOT_RANKED]
    if not (ranked["entered"] > 0).any():
        return show_text(_(NO_LEADS if len(ranked) else NO_MANAGERS), box="note")
    steps = _steps(ranked, funnel)
    sizes = ranked.groupby(who)["entered"].sum().sort_values(ascending=False)
    names = sorted(sizes.index[: min(MOST_BARS, MOST_IN_ALL // len(steps))], reverse=True)
    drawn = ranked[ranked[who].isin(names)]
    hidden = len(sizes) - len(names)
    places = {name: place for place, name in enumerate(names)}
    columns = _columns(drawn)
    panels = []
    for step in steps:
        rows = drawn[drawn["from_stage"] == step.from_stage]
        draw = partial(_draw_bars, rows.set_index(rows[who].map(places)), names, columns)
        panels.append(Panel(draw, _step_name(step), wide=False))
    red = drawn[drawn["verdict"] == "red"]
    said = "; ".join(f"{row[who]}: {row['from_stage']} → {row['to_stage']}" for _row, row in red.iterrows())
    alt = _(
        "Share of leads that pass each step in time, one bar for each {who}, with interval and target. Below target "
        "beyond chance: {said}."
    ).format(who=_(who), said=said or _("none"))
    return show_figure(
        *panels,
        alt=alt,
        numbers=_numbers(drawn, [who]),
        marks=_marks(drawn, Line2D([], [], color=INK, lw=1.3, label=_("range the true rate is very likely in"))),
        note=_("{n} more with fewer leads are in the table").format(n=hidden) if hidden else "",
    )


def _draw_bars(rows: pd.DataFrame, names: list[str], columns: list[float], width: float) -> Figure:
    """A bar for each row at its place, in its verdict's colour, with interval and target."""
    labels = [short_name(name, LONGEST_NAME) for name in names]
    figure, ax = house_panel(width, ROW * len(names), left=room_for(labels), right=sum(columns))
    known = rows[rows["rate"].notna()]
    y = known.index.to_numpy(dtype=float)
    ax.set(xlim=(0, 1.02), ylim=(-0.55, len(names) - 0.45))
    shares_along(ax, "x")
    bars = ax.barh(y, known["rate"], height=0.62, color=[_colour(verdict) for verdict in known["verdict"]], alpha=0.55)
    label_marks(bars, map(_told, known.to_dict("records")))
    ax.hlines(y, known["ci_lower"], known["ci_upper"], color=INK, linewidth=1.3)
    _targets(ax, known, y, 0.4)
    _beside(ax, rows, rows.index.to_numpy(dtype=float), columns)
    name_rows(ax, labels)
    return figure


def _told(row: Any) -> str:
    """What a mark says of its row: 66%, very likely 61–70%, of 234 leads."""
    leads = counted("{n} lead", "{n} leads", row["entered"]).format(n=number(row["entered"]))
    return _("{rate}, very likely {interval}, of {leads}").format(
        rate=percent(row["rate"], 1), interval=interval_words(row), leads=leads
    )


def _columns(rows: pd.DataFrame) -> list[float]:
    """Units of what stands right of a panel: the verdict's shape, the rate, the number of leads."""
    shapes = 20.0 if rows["verdict"].isin(list(VERDICT_MARKERS)).any() else 0.0
    return [shapes, room_for(map(_rate, rows["rate"]), "bold"), room_for(map(_size, rows["entered"]))]


def _rate(rate: float) -> str:
    return percent(rate) if pd.notna(rate) else "–"


def _size(entered: float) -> str:
    return f"n\u00a0{number(entered)}" if pd.notna(entered) else ""


def _beside(ax: Any, rows: pd.DataFrame, y: np.ndarray, columns: list[float]) -> None:
    """Right of the panel, where nothing hides them: the verdict's shape, the rate and n of each row."""
    shape, rate, _entered = np.cumsum(columns)
    judged = rows["verdict"].isin(list(VERDICT_MARKERS)).to_numpy()
    _shapes(ax, np.ones(judged.sum()), y[judged], rows["verdict"][judged], 40, transform=right_of(ax, shape / 2),
            linewidth=0.5)  # fmt: skip
    at, beyond = right_of(ax, rate), right_of(ax, rate + PAD)
    for place, share, entered in zip(y, rows["rate"], rows["entered"], strict=True):
        ax.text(1, place, _rate(share), transform=at, ha="right", va="center", weight="bold")
        ax.text(1, place, _size(entered), transform=beyond, va="center", color=QUIET)


def _shapes(ax: Any, x: Any, y: np.ndarray, verdicts: pd.Series, size: float, **look: Any) -> Any:
    """A dot for each verdict, in its colour and shape."""
    dots = ax.scatter(x, y, size, color=[_colour(verdict) for verdict in verdicts], edgecolor=INK, zorder=3, **look)
    shapes = [MarkerStyle(VERDICT_MARKERS.get(verdict, "o")) for verdict in verdicts]
    dots.set_paths([shape.get_path().transformed(shape.get_transform()) for shape in shapes])
    return dots


def trend_chart(weeks: pd.DataFrame, funnel: Funnel, since: pd.DataFrame | None = None) -> Shown:
    """Week by week, one panel for each step: share of a week's stage entries that passed in time, with interval.

    Takes ``conversion_rates`` of ``step_counts`` by week, and the frame of ``since_when``: a step that fell comes
    first and large, with the day from which on it was lower, and its rates before and since. Weeks whose leads still
    have time are grey.
    """
    known = weeks[weeks["entered"] > 0]
    if known.empty:
        return show_text(_(NO_LEADS), box="note")
    fell = {} if since is None else {row["from_stage"]: row for row in since[since["alarm"]].to_dict("records")}
    steps = sorted(_steps(known, funnel), key=lambda step: step.from_stage not in fell)
    seen = [*known["rate"], *(step.target for step in steps if step.target is not None)]
    ends = max(0.0, np.floor(10 * min(seen) - 0.5) / 10), min(1.0, np.ceil(10 * max(seen) + 0.3) / 10)
    panels = []
    for step in steps:
        rows = weeks[weeks["from_stage"] == step.from_stage].sort_values("week")
        draw = partial(_draw_trend, rows, step, fell.get(step.from_stage), ends)
        panels.append(Panel(draw, _step_name(step), wide=step.from_stage in fell or len(steps) == 1))
    alt = _("Share of each week's leads that passed each step in time, with interval and target, week by week.")
    return show_figure(*panels, alt=alt, numbers=_numbers(known, ["week"]), marks=_trend_marks(weeks, steps))


def _trend_marks(weeks: pd.DataFrame, steps: list[Step]) -> list[Line2D]:
    marks = [
        Line2D([], [], marker="o", markersize=5, lw=1, color=ACCENT, label=_("rate of a week's leads")),
        Line2D([], [], color=ACCENT, alpha=0.15, lw=9, label=_("range the true rate is very likely in")),
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
    shares_along(ax, "y", shares)
    if (unfinished := rows.get("too_recent", at * 0) > 0).any():
        ax.axvspan(at[unfinished].min() - 0.5, at.max() + 0.7, color=GRID, linewidth=0, zorder=0)
    known = rows[rows["entered"] > 0]
    x = at[known.index]
    ax.fill_between(x, *known[["ci_lower", "ci_upper"]].clip(*ends).to_numpy().T, color=ACCENT, alpha=0.15, linewidth=0)
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
    for start, end, rate in means:
        ax.hlines(rate, start, end, color=INK, linewidth=2.4, zorder=4)
        before = end == since
        ax.annotate(percent(rate), (since, rate), (-5, 5) if before else (5, -5), textcoords="offset points",
                    ha="right" if before else "left", va="bottom" if before else "top", weight="bold",
                    bbox={"facecolor": PAPER, "edgecolor": "none", "alpha": 0.8, "pad": 1})  # fmt: skip


def band_chart(own: pd.DataFrame, peers: pd.DataFrame) -> Shown:
    """One manager's rate at each step on the band that holds the middle half of the colleagues.

    ``own`` is a frame of ``versus_target``, ``peers`` one of ``peer_band``.
    """
    rows = own.merge(peers, how="left", on=["from_stage", "to_stage"])
    rows = rows[rows["rate"].notna()].iloc[::-1].reset_index(drop=True)
    if rows.empty:
        return show_text(_(NO_LEADS), box="note")
    banded = rows["peers_lower"].notna().any()
    band = [Line2D([], [], color=FAINT, lw=9, label=_("middle half of the colleagues"))] if banded else []
    said = "; ".join(f"{step_words(row)} {percent(row['rate'])}" for _row, row in rows.iloc[::-1].iterrows())
    return show_figure(
        Panel(partial(_draw_band, rows)),
        alt=_("Own rates by step on the band of the middle half of colleagues, with targets: {said}.").format(
            said=said
        ),
        numbers=_numbers(rows, [], [*DRAWN, "target", "peers_lower", "peers_upper"]),
        marks=_marks(rows, *band),
    )


def _draw_band(rows: pd.DataFrame, width: float) -> Figure:
    columns = _columns(rows)
    stages = rows[["from_stage", "to_stage"]].map(lambda stage: short_name(label(stage), LONGEST_LABEL))
    labels = [(f"{start} →", end) for start, end in stages.to_numpy()]
    left = room_for(word for pair in labels for word in pair)
    figure, ax = house_panel(width, 2 * ROW * len(rows), left=left, right=sum(columns))
    y = np.arange(len(rows), dtype=float)
    ax.set(xlim=(0, 1.02), ylim=(-0.55, len(rows) - 0.45))
    shares_along(ax, "x")
    ax.barh(y, rows["peers_upper"] - rows["peers_lower"], left=rows["peers_lower"], height=0.5, color=FAINT)
    ax.hlines(y, rows["ci_lower"], rows["ci_upper"], color=INK, linewidth=1.4)
    label_marks(_shapes(ax, rows["rate"], y, rows["verdict"], 60), map(_told, rows.to_dict("records")))
    _targets(ax, rows, y, 0.38)
    _beside(ax, rows, y, columns)
    for place, pair in zip(y, labels, strict=True):
        for word, lift in zip(pair, (0.19, -0.19), strict=True):
            ax.text(0, place + lift, word, transform=right_of(ax, -PAD), ha="right", va="center")
    return figure


def _targets(ax: Any, rows: pd.DataFrame, y: np.ndarray, half: float) -> None:
    aimed = rows["target"].notna().to_numpy()
    ax.vlines(rows["target"][aimed], y[aimed] - half, y[aimed] + half, color=TARGET, linewidth=2.6)


def _steps(rows: pd.DataFrame, funnel: Funnel) -> list[Step]:
    return [step for step in funnel.steps if (rows["from_stage"] == step.from_stage).any()]


def _step_name(step: Step) -> str:
    return f"{label(step.from_stage)} → {label(step.to_stage)}"


def _marks(rows: pd.DataFrame, *more: Line2D) -> list[Line2D]:
    """What shapes and colours mean; only what is drawn is explained."""
    marks = [
        Line2D([], [], linestyle="", marker=VERDICT_MARKERS[verdict], color=VERDICT_COLOURS[verdict],
               markeredgecolor=INK, markeredgewidth=0.5, markersize=6.5, label=_(words))
        for verdict, words in VERDICT_WORDS.items()
        if (rows["verdict"] == verdict).any()
    ]  # fmt: skip
    if rows["target"].notna().any():
        marks.append(Line2D([], [], linestyle="", marker="|", markersize=10, markeredgewidth=2.6, color=TARGET,
                            label=_("target")))  # fmt: skip
    return [*marks, *more]


def _colour(verdict: str) -> str:
    return VERDICT_COLOURS.get(verdict, NEUTRAL)


def _numbers(frame: pd.DataFrame, keys: list[str], drawn: list[str] | None = None) -> pd.DataFrame:
    """The drawn numbers, to the four digits that a regression test should hold."""
    columns = [*keys, "from_stage", "to_stage", "entered", *(drawn or DRAWN)]
    drawn_only = frame[[column for column in columns if column in frame]]
    floats = drawn_only.select_dtypes("float").columns
    return drawn_only.assign(**{column: drawn_only[column].round(4) for column in floats})
