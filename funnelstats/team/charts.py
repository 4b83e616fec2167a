"""The figures of the pages: each draws one frame and shows that frame's numbers with it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.lines import Line2D
from matplotlib.markers import MarkerStyle

from funnelstats.config.funnel import Funnel, Step
from funnelstats.config.words import _, number, percent
from funnelstats.page.figures import (
    ACCENT,
    ACROSS,
    FAINT,
    INK,
    NEUTRAL,
    PAD,
    QUIET,
    SMALL,
    TARGET,
    VERDICT_COLOURS,
    VERDICT_MARKERS,
    VERDICT_WORDS,
    WIDTH,
    house_panels,
    house_style,
    name_below,
    name_rows,
    right_of,
    room_for,
    shares_along,
    show_figure,
    step_name,
    text_width,
    wrapped,
)
from funnelstats.page.tables import Shown, show_text

DRAWN = ["rate", "ci_lower", "ci_upper"]
NO_LEADS = "There is nothing to draw: no lead entered a step in these weeks, or none can be judged yet."


def _columns(rows: pd.DataFrame) -> list[float]:
    """Inches of what stands right of a panel: the verdict's shape, the rate, the number of leads."""
    rates = max(text_width(_rate(rate), weight="bold") for rate in rows["rate"])
    sizes = max(text_width(_size(entered), SMALL) for entered in rows["entered"])
    return [0.24 if rows["verdict"].isin(list(VERDICT_MARKERS)).any() else 0.0, PAD / 2 + rates, PAD / 2 + sizes]


def _rate(rate: float) -> str:
    return percent(rate) if pd.notna(rate) else "–"


def _size(entered: float) -> str:
    return f"n\u00a0{number(entered)}" if pd.notna(entered) else ""


def _beside(ax: Any, rows: pd.DataFrame, y: np.ndarray, columns: list[float]) -> None:
    """Right of the panel, where nothing hides them: the verdict's shape, the rate and n of each row."""
    shape, rate, _entered = np.cumsum(columns)
    judged = rows["verdict"].isin(list(VERDICT_MARKERS)).to_numpy()
    _shapes(ax, np.ones(judged.sum()), y[judged], rows["verdict"][judged], 30, clip_on=False,
            transform=right_of(ax, shape / 2), linewidth=0.5)  # fmt: skip
    at, beyond = right_of(ax, rate), right_of(ax, rate + PAD / 2)
    for place, share, entered in zip(y, rows["rate"], rows["entered"], strict=True):
        ax.text(1, place, _rate(share), transform=at, ha="right", va="center", weight="bold")
        ax.text(1, place, _size(entered), transform=beyond, va="center", size=SMALL, color=QUIET)


def _shapes(ax: Any, x: Any, y: np.ndarray, verdicts: pd.Series, size: float, **look: Any) -> None:
    """A dot for each verdict, in its colour and shape."""
    dots = ax.scatter(x, y, size, color=[_colour(verdict) for verdict in verdicts], edgecolor=INK, zorder=3, **look)
    shapes = [MarkerStyle(VERDICT_MARKERS.get(verdict, "o")) for verdict in verdicts]
    dots.set_paths([shape.get_path().transformed(shape.get_transform()) for shape in shapes])


@house_style
def trend_chart(weeks: pd.DataFrame, funnel: Funnel) -> Shown:
    """Week by week, one panel for each step: share of a week's stage entries that passed in time, with interval.

    Takes ``conversion_rates`` of ``step_counts`` by week: only leads whose horizon is over.
    """
    known = weeks[weeks["entered"] > 0]
    if known.empty:
        return show_text(_(NO_LEADS), box="note")
    steps = _steps(known, funnel)
    figure, panels = house_panels(
        [step_name(step.from_stage, step.to_stage) for step in steps],
        height=1.5,
        left=room_for([percent(1)]),
        note=_("The larger a dot, the more leads stand behind it."),
    )
    most = known["entered"].max()
    known = known.assign(at=(known["week"] - known["week"].min()) / pd.Timedelta(days=7))
    for place, (ax, step) in enumerate(zip(panels, steps, strict=True)):
        rows = known[known["from_stage"] == step.from_stage]
        x = rows["at"].to_numpy()
        ax.fill_between(x, rows["ci_lower"], rows["ci_upper"], color=ACCENT, alpha=0.15, linewidth=0)
        ax.plot(x, rows["rate"], color=ACCENT, linewidth=1)
        ax.scatter(x, rows["rate"], s=4 + 24 * rows["entered"] / most, color=ACCENT, zorder=3)
        if step.target is not None:
            ax.axhline(step.target, color=TARGET, linewidth=1.4, linestyle=(0, (4, 2)))
        ax.set(xlim=(-1, known["at"].max() + 1), ylim=(0, 1.05))
        shares_along(ax, "y", named=place % ACROSS == 0)
        shown = np.unique(np.linspace(0, len(x) - 1, 3).astype(int))
        name_below(ax, x[shown], [week.strftime("W%V") for week in rows["week"].iloc[shown]])
    alt = _("Share of each week's leads that passed each step in time, with interval and target, week by week.")
    return show_figure(figure, alt=alt, numbers=_numbers(known, ["week"]))


@house_style
def band_chart(own: pd.DataFrame, peers: pd.DataFrame) -> Shown:
    """One manager's rate at each step on the band that holds the middle half of the colleagues.

    ``own`` is a frame of ``versus_target``, ``peers`` one of ``peer_band``.
    """
    rows = own.merge(peers, how="left", on=["from_stage", "to_stage"])
    rows = rows[rows["rate"].notna()].iloc[::-1].reset_index(drop=True)
    if rows.empty:
        return show_text(_(NO_LEADS), box="note")
    names = [step_name(str(row.from_stage), str(row.to_stage)) for row in rows.itertuples()]
    labels = ["\n".join(wrapped(name, WIDTH / 3)) for name in names]
    banded = rows["peers_lower"].notna().any()
    band = [Line2D([], [], color=FAINT, lw=9, label=_("middle half of the colleagues"))] if banded else []
    columns = _columns(rows)
    figure, (ax,) = house_panels(
        height=0.48 * len(rows), left=room_for(labels), right=sum(columns), marks=_marks(rows, *band)
    )
    y = np.arange(len(rows), dtype=float)
    ax.barh(y, rows["peers_upper"] - rows["peers_lower"], left=rows["peers_lower"], height=0.5, color=FAINT)
    ax.hlines(y, rows["ci_lower"], rows["ci_upper"], color=INK, linewidth=1.4)
    _shapes(ax, rows["rate"], y, rows["verdict"], 58)
    _targets(ax, rows, y, 0.38)
    _beside(ax, rows, y, columns)
    ax.set(xlim=(0, 1.02), ylim=(-0.55, len(rows) - 0.45))
    name_rows(ax, labels)
    shares_along(ax, "x")
    said = "; ".join(
        f"{row['from_stage']} → {row['to_stage']} {percent(row['rate'])}" for _row, row in rows.iloc[::-1].iterrows()
    )
    alt = _("Own rates by step on the band of the middle half of colleagues, with targets: {said}.").format(
        said=said or _("no leads yet")
    )
    return show_figure(figure, alt=alt, numbers=_numbers(rows, [], [*DRAWN, "target", "peers_lower", "peers_upper"]))


def _targets(ax: Any, rows: pd.DataFrame, y: np.ndarray, half: float) -> None:
    aimed = rows["target"].notna().to_numpy()
    ax.vlines(rows["target"][aimed], y[aimed] - half, y[aimed] + half, color=TARGET, linewidth=2.6)


def _steps(rows: pd.DataFrame, funnel: Funnel) -> list[Step]:
    return [step for step in funnel.steps if (rows["from_stage"] == step.from_stage).any()]


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
