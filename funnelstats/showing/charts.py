"""The figures of the pages: each draws one frame and shows that frame's numbers with it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.markers import MarkerStyle
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter
from matplotlib.transforms import ScaledTranslation

from funnelstats.showing.figures import (
    ACCENT,
    FAINT,
    INK,
    NEUTRAL,
    QUIET,
    TARGET,
    VERDICT_COLOURS,
    VERDICT_MARKERS,
    VERDICT_WORDS,
    house_axes,
    short_name,
    show_figure,
)
from funnelstats.showing.shown import Shown, show_text
from funnelstats.stated.funnel import Funnel, Step
from funnelstats.stated.words import _, number, percent

DRAWN = ["rate", "ci_lower", "ci_upper"]
MOST_BARS = 12
LONGEST_LABEL = 22
LONGEST_TITLE = 66
"""Characters: of a name beside its bar, of the titles of a line of panels together."""
MOST_PANELS = 4
"""Panels side by side: with more, their words would run into each other."""
NOTHING = "There is nothing to draw: no lead entered a step in these weeks, or none can be judged yet."

# seaborn takes half a second to import, so only a figure that is drawn pays for it. Its bars and lines come
# without its bootstrap: the intervals drawn are those of the frame.


def control_chart(verdicts: pd.DataFrame, funnel: Funnel, *, who: str = "manager") -> Shown:
    """Steps across, one bar for each ``who``: rate by the horizon, interval, black dash at the target, n.

    Takes the frame of ``versus_target``; those not ranked are left to the table. Beyond 12 bars the ones
    with most leads are drawn, and the figure says how many are not.
    """
    ranked = verdicts[verdicts["verdict"] != "not ranked"]
    if not (ranked["entered"] > 0).any():
        return show_text(_(NOTHING), box="note")
    sizes = ranked.groupby(who)["entered"].sum().sort_values(ascending=False)
    names = sorted(sizes.index[:MOST_BARS], reverse=True)
    drawn = ranked[ranked[who].isin(names)]
    figure, panels = _panels(drawn, funnel, row_height=0.75 + 0.31 * len(names), spare=0.55)
    for ax, step in panels:
        rows = drawn[drawn["from_stage"] == step.from_stage]
        _bars(ax, rows.set_index(rows[who].map({name: place for place, name in enumerate(names)})), len(names))
    panels[0][0].set_yticks(range(len(names)), [short_name(name, LONGEST_LABEL) for name in names])
    hidden = len(sizes) - len(names)
    if hidden:
        figure.supxlabel(_("{n} more with fewer leads are in the table").format(n=hidden), fontsize=9)
    _legend(figure, drawn, [Line2D([], [], color=INK, lw=1.3, label=_("range the true rate is very likely in"))])
    red = drawn[drawn["verdict"] == "red"]
    said = "; ".join(f"{row[who]}: {row['from_stage']} → {row['to_stage']}" for _row, row in red.iterrows())
    alt = _(
        "Share of leads that pass each step in time, one bar for each {who}, with interval and target. Below target "
        "beyond chance: {said}."
    ).format(who=_(who), said=said or _("none"))
    return show_figure(figure, alt=alt, numbers=_numbers(drawn, [who]))


def _bars(ax: Any, rows: pd.DataFrame, places: int) -> None:
    """One panel: a bar for each row at its place, in its verdict's colour, with interval and target."""
    import seaborn as sns

    known = rows[rows["rate"].notna()]
    if not known.empty:
        verdicts = known["verdict"].to_numpy()
        colours = {verdict: _colour(verdict) for verdict in verdicts}
        sns.barplot(x=known["rate"].to_numpy(), y=known.index.to_numpy(), order=range(places), orient="h", ax=ax,
                    hue=verdicts, palette=colours, dodge=False, errorbar=None, legend=False, width=0.62,
                    saturation=1, alpha=0.55)  # fmt: skip
    y = known.index.to_numpy(dtype=float)
    ax.hlines(y, known["ci_lower"], known["ci_upper"], color=INK, linewidth=1.3)
    _targets(ax, known, y, 0.4)
    _beside(ax, rows, rows.index.to_numpy(dtype=float))
    ax.set(xlabel="", ylabel="", ylim=(-0.6, places - 0.4))
    _shares(ax)


def _beside(ax: Any, rows: pd.DataFrame, y: np.ndarray) -> None:
    """Right of the panel, where nothing hides them: the verdict's shape, the rate and n of each row."""
    edge = ax.get_yaxis_transform()
    room = 45 if rows["verdict"].isin(list(VERDICT_MARKERS)).any() else 36
    marked = edge + ScaledTranslation(11 / 72, 0, ax.figure.dpi_scale_trans)
    for place, (_row, row) in zip(y, rows.iterrows(), strict=True):
        if row["verdict"] in VERDICT_MARKERS:
            ax.plot(1, place, marker=VERDICT_MARKERS[row["verdict"]], color=VERDICT_COLOURS[row["verdict"]], ms=5.5,
                    markeredgecolor=INK, markeredgewidth=0.5, transform=marked, clip_on=False)  # fmt: skip
        rate = percent(row["rate"]) if pd.notna(row["rate"]) else "–"
        entered = f"n\u00a0{number(row['entered'])}" if pd.notna(row["entered"]) else ""
        look = {"xycoords": edge, "textcoords": "offset points", "va": "center", "annotation_clip": False}
        ax.annotate(rate, (1, place), (room, 0), ha="right", fontsize=9, fontweight="bold", **look)
        ax.annotate(entered, (1, place), (room + 4, 0), ha="left", fontsize=8, color=QUIET, **look)


def trend_chart(weeks: pd.DataFrame, funnel: Funnel) -> Shown:
    """Week by week, one panel for each step: share of a week's stage entries that passed in time, with interval.

    Takes ``conversion_rates`` of ``step_counts`` by week: only leads whose horizon is over.
    """
    import seaborn as sns

    known = weeks[weeks["entered"] > 0]
    if known.empty:
        return show_text(_(NOTHING), box="note")
    figure, panels = _panels(known, funnel, row_height=2.5, spare=0.3)
    most = known["entered"].max()
    for ax, step in panels:
        rows = known[known["from_stage"] == step.from_stage]
        days = rows["week"].to_numpy()
        ax.fill_between(days, rows["ci_lower"], rows["ci_upper"], color=ACCENT, alpha=0.15, linewidth=0)
        sns.lineplot(x=days, y=rows["rate"].to_numpy(), errorbar=None, estimator=None, color=ACCENT, lw=1, ax=ax)
        ax.scatter(days, rows["rate"], s=4 + 24 * rows["entered"] / most, color=ACCENT, zorder=3)
        if step.target is not None:
            ax.axhline(step.target, color=TARGET, linewidth=1.4, linestyle=(0, (4, 2)))
        ax.set(xlabel="", ylabel="", ylim=(0, 1.04))
        ax.yaxis.set_major_formatter(FuncFormatter(lambda share, _place: percent(share)))
        ticks = days[np.unique(np.linspace(0, len(days) - 1, 3).astype(int))]
        ax.set_xticks(ticks, [pd.Timestamp(day).strftime("W%V") for day in ticks])
    figure.supxlabel(_("The larger a dot, the more leads stand behind it."), fontsize=8.5, color=QUIET)
    alt = _("Share of each week's leads that passed each step in time, with interval and target, week by week.")
    return show_figure(figure, alt=alt, numbers=_numbers(known, ["week"]))


def band_chart(own: pd.DataFrame, peers: pd.DataFrame) -> Shown:
    """One manager's rate at each step on the band that holds the middle half of the colleagues.

    ``own`` is a frame of ``versus_target``, ``peers`` one of ``peer_band``.
    """
    rows = own.merge(peers, how="left", on=["from_stage", "to_stage"])
    rows = rows[rows["rate"].notna()].iloc[::-1].reset_index(drop=True)
    if rows.empty:
        return show_text(_(NOTHING), box="note")
    figure, ax = house_axes(width=8.4, height=1.5 + 0.46 * len(rows))
    y = np.arange(len(rows), dtype=float)
    ax.barh(y, rows["peers_upper"] - rows["peers_lower"], left=rows["peers_lower"], height=0.5, color=FAINT)
    _points(ax, rows, y)
    _beside(ax, rows, y)
    labels = [
        f"{short_name(str(row.from_stage), LONGEST_LABEL)} → {short_name(str(row.to_stage), LONGEST_LABEL)}"
        for row in rows.itertuples()
    ]
    ax.set_yticks(y, labels)
    _shares(ax)
    _legend(figure, rows, [Patch(color=FAINT, label=_("middle half of the colleagues"))])
    said = "; ".join(
        f"{row['from_stage']} → {row['to_stage']} {percent(row['rate'])}" for _row, row in rows.iloc[::-1].iterrows()
    )
    alt = _("Own rates by step on the band of the middle half of colleagues, with targets: {said}.").format(
        said=said or _("no leads yet")
    )
    return show_figure(figure, alt=alt, numbers=_numbers(rows, [], [*DRAWN, "target", "peers_lower", "peers_upper"]))


def _points(ax: Any, rows: pd.DataFrame, y: np.ndarray) -> None:
    ax.hlines(y, rows["ci_lower"], rows["ci_upper"], color=INK, linewidth=1.4)
    colours = [_colour(verdict) for verdict in rows["verdict"]]
    dots = ax.scatter(rows["rate"], y, color=colours, edgecolor=INK, s=58, zorder=3)
    shapes = [MarkerStyle(VERDICT_MARKERS.get(verdict, "o")) for verdict in rows["verdict"]]
    dots.set_paths([shape.get_path().transformed(shape.get_transform()) for shape in shapes])
    _targets(ax, rows, y, 0.38)


def _targets(ax: Any, rows: pd.DataFrame, y: np.ndarray, half: float) -> None:
    aimed = rows["target"].notna().to_numpy()
    ax.vlines(rows["target"][aimed], y[aimed] - half, y[aimed] + half, color=TARGET, linewidth=2.6)


def _panels(rows: pd.DataFrame, funnel: Funnel, *, row_height: float, spare: float) -> tuple[Figure, list]:
    """A figure with a titled panel for each step that has rows, on one scale, in as many lines as fit."""
    steps = [step for step in funnel.steps if (rows["from_stage"] == step.from_stage).any()]
    lines = -(-len(steps) // MOST_PANELS)
    across = -(-len(steps) // lines)
    width = {1: 7.4, 2: 8.8}.get(across, 10.3)
    height = lines * row_height + spare
    figure, axes = house_axes(lines, across, width=width, height=height, sharey=True, squeeze=False)
    panels: list[tuple[Any, Step]] = list(zip(axes.flat, steps, strict=False))
    for ax in axes.flat[len(steps) :]:
        ax.remove()
    for ax, step in panels:
        ax.set_title(_title(step, across), loc="left", fontsize=9.5, fontweight="bold")
    return figure, panels


def _shares(ax: Any) -> None:
    """The same scale on every panel of every page, so that two managers' pages compare."""
    ax.set_xlim(0, 1.02)
    ax.xaxis.set_major_formatter(FuncFormatter(lambda share, _place: percent(share)))
    ax.xaxis.set_ticks([0, 0.5, 1])
    ax.grid(axis="x")
    ax.grid(axis="y", visible=False)


def _legend(figure: Figure, rows: pd.DataFrame, more: list) -> None:
    """What shapes and colours mean, in words above the panels; only what is drawn is explained."""
    marks = [
        Line2D([], [], linestyle="", marker=VERDICT_MARKERS[verdict], color=VERDICT_COLOURS[verdict],
               markeredgecolor=INK, markeredgewidth=0.5, markersize=6.5, label=_(words))
        for verdict, words in VERDICT_WORDS.items()
        if (rows["verdict"] == verdict).any()
    ]  # fmt: skip
    aimed = Line2D(
        [], [], linestyle="", marker="|", markersize=10, markeredgewidth=2.6, color=TARGET, label=_("target")
    )
    shown = [*marks, *([aimed] if rows["target"].notna().any() else []), *more]
    figure.legend(handles=shown, loc="outside upper left", ncols=min(len(shown), 4), handletextpad=0.5,
                  columnspacing=1.6, fontsize=8.5, borderpad=0.2, frameon=False)  # fmt: skip


def _colour(verdict: str) -> str:
    return VERDICT_COLOURS.get(verdict, NEUTRAL)


def _title(step: Step, across: int) -> str:
    """The step above its panel, on two lines where it would run into the next one's."""
    most = max(LONGEST_TITLE // across, 12)
    line = f"{short_name(step.from_stage, most)} → {short_name(step.to_stage, most)}"
    return line if len(line) <= most else line.replace(" → ", " →\n", 1)


def _numbers(frame: pd.DataFrame, keys: list[str], drawn: list[str] | None = None) -> pd.DataFrame:
    """The drawn numbers, to the four digits that a regression test should hold."""
    columns = [*keys, "from_stage", "to_stage", "entered", *(drawn or DRAWN)]
    drawn_only = frame[[column for column in columns if column in frame]]
    floats = drawn_only.select_dtypes("float").columns
    return drawn_only.assign(**{column: drawn_only[column].round(4) for column in floats})
