"""The panels of a figure, placed by the widths of the words around them: at home on a desk and on a phone."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.transforms import ScaledTranslation

from funnelstats.showing.figures import DPI, GRID, HOUSE_STYLE, QUIET, SIZE, SMALL, TITLE
from funnelstats.stated.words import percent

WIDTH = 6.0
"""Inches, 576 pixels of a page. A phone shows five eighths of it, and its words can still be read."""
LINE, KEY, BELOW = 0.2, 0.225, 0.31
"""Inches: of a line of words, of a line of marks, below a panel."""
EDGE, GAP, PAD, LAST = 0.06, 0.22, 0.1, 0.14
"""Inches: of paper around everything, between two panels, between a panel and words, for an axis' last word."""
ICON, APART = 0.3, 0.25
"""Inches that a mark takes before its words, and between these and the next mark."""
MOST_IN_ALL = 60
"""Rows of all panels together: with more a picture would have too many bytes."""
ACROSS = 2
"""Panels side by side: with more, a phone's would be too small."""


def house_panels(
    titles: Sequence[str] = ("",),
    *,
    height: float,
    left: float,
    right: float = 0.0,
    marks: Sequence[Line2D] = (),
    note: str = "",
) -> tuple[Figure, list[Any]]:
    """A figure of the one width with a panel for each title, two side by side, each ``height`` inches high.

    ``left`` is the room of names, before the first panel of a row; ``right`` that of the words after every panel.
    What the ``marks`` mean, by their labels, stands above the panels, the ``note`` below them. Places come from the
    widths of the words: matplotlib's own layout would draw the figure twice to find them.
    """
    across = min(len(titles), ACROSS)
    rows = -(-len(titles) // across)
    after = max(right, LAST)
    wide = (WIDTH - EDGE - left - GAP * (across - 1)) / across - after - EDGE
    above = ["\n".join(wrapped(title, wide + after + EDGE / 2, TITLE, "bold")) for title in titles]
    placed = _flow(marks)
    notes = wrapped(note, WIDTH - 2 * EDGE)
    top = EDGE + (KEY * (placed[-1][1] + 1) + PAD if placed else 0)
    head = LINE * max(title.count("\n") + 1 for title in above) + PAD if any(titles) else PAD
    tall = head + height + BELOW
    total = top + rows * tall + len(notes) * LINE + EDGE
    with mpl.rc_context({**HOUSE_STYLE, "axes.grid": False}):
        figure = Figure(figsize=(WIDTH, total), dpi=DPI)
        for mark, (x, line) in zip(marks, placed, strict=True):
            _explain(figure, mark, EDGE + x, total - EDGE - KEY * (line + 0.5))
        for line, words in enumerate(reversed(notes)):
            figure.add_artist(_words(figure, EDGE, EDGE + LINE * (line + 0.5), words, color=QUIET))
        panels = []
        for place, title in enumerate(above):
            row, column = divmod(place, across)
            x = EDGE + left + column * (wide + after + EDGE + GAP)
            y = total - top - row * tall - head - height
            panels.append(figure.add_axes((x / WIDTH, y / total, wide / WIDTH, height / total)))
            # words and lines of our own cost a third of matplotlib's ticks
            panels[-1].set_axis_off()
            if title:
                panels[-1].set_title(title)
    return figure, panels


def room_for(names: Iterable[str]) -> float:
    """Inches for names left of a panel."""
    return max(text_width(name) for name in names) + PAD


def name_rows(ax: Any, names: Iterable[str]) -> None:
    """The name of each row left of a panel, the first at place 0."""
    beside = right_of(ax, -PAD / 2)
    for place, name in enumerate(names):
        ax.text(0, place, name, transform=beside, ha="right", va="center")


def name_below(ax: Any, places: Iterable[float], words: Iterable[str]) -> None:
    """Words below a panel at these places."""
    below = ax.get_xaxis_transform() + ScaledTranslation(0, -PAD / 2 - SMALL / 72, ax.figure.dpi_scale_trans)
    for place, word in zip(places, words, strict=True):
        ax.text(place, 0, word, transform=below, ha="center", size=SMALL)


def shares_along(ax: Any, axis: str, shares: Sequence[float] = (0, 0.5, 1), *, named: bool = True) -> None:
    """Lines at these shares of an axis: the same on every page unless told, so that two managers' pages compare."""
    lines_along(ax, axis, shares, [percent(share) for share in shares] if named else [])


def lines_along(ax: Any, axis: str, places: Sequence[float], words: Sequence[str]) -> None:
    """Faint lines across a panel at these places of its x or y axis, whose ends are set, and their words beside it.

    Below a panel that is too narrow for them every second, third, … word stands.
    """
    ends = [[(place, 0), (place, 1)] if axis == "x" else [(0, place), (1, place)] for place in places]
    across = ax.get_xaxis_transform() if axis == "x" else ax.get_yaxis_transform()
    ax.add_collection(LineCollection(ends, colors=GRID, linewidths=0.8, transform=across, zorder=0.5), autolim=False)
    if axis == "x" and words:
        at = ax.transData.transform([(place, 0) for place in places])[:, 0] / DPI
        apart = np.diff(at).min(initial=WIDTH)
        step = math.ceil(max(text_width(word, SMALL) for word in words) / apart)
        name_below(ax, places[::step], words[::step])
    elif words:
        beside = right_of(ax, -PAD / 2)
        for place, word in zip(places, words, strict=True):
            ax.text(0, place, word, transform=beside, ha="right", va="center", size=SMALL)


def right_of(ax: Any, inches: float) -> Any:
    """Places across in shares of the panel, so many inches further right; places upwards in the panel's rows."""
    return ax.get_yaxis_transform() + ScaledTranslation(inches, 0, ax.figure.dpi_scale_trans)


@cache
def text_width(text: str, size: float = SIZE, weight: str = "normal") -> float:
    """Inches that the longest line of a text takes."""
    font = FontProperties(family="DejaVu Sans", size=size, weight=weight)
    return max(_pen().get_text_width_height_descent(line, font, False)[0] for line in text.split("\n")) / DPI


def wrapped(text: str, width: float, size: float = SMALL, weight: str = "normal") -> list[str]:
    """The lines of a text, a step's broken at its arrow, others between words; none of an empty text."""
    lines: list[str] = []
    for given in text.splitlines():
        fits = text_width(given, size, weight) <= width
        for part in [given] if fits else given.replace(" → ", " →\n", 1).split("\n"):
            lines.append("")
            for word in part.split(" "):
                longer = f"{lines[-1]} {word}" if lines[-1] else word
                if fits or not lines[-1] or text_width(longer, size, weight) <= width:
                    lines[-1] = longer
                else:
                    lines.append(word)
    return lines


@cache
def _pen() -> RendererAgg:
    return RendererAgg(1, 1, DPI)


def _flow(marks: Sequence[Line2D]) -> list[tuple[float, int]]:
    """Where each mark begins and on which line, as words flow: a line that is full is followed by the next."""
    places: list[tuple[float, int]] = []
    x, line = 0.0, 0
    for mark in marks:
        wide = ICON + text_width(str(mark.get_label()), SMALL)
        if x and x + wide > WIDTH - 2 * EDGE:
            x, line = 0.0, line + 1
        places.append((x, line))
        x += wide + APART
    return places


def _words(figure: Figure, x: float, y: float, words: str, **look: Any) -> Text:
    return Text(x, y, words, va="center", size=SMALL, transform=figure.dpi_scale_trans, **look)


def _explain(figure: Figure, mark: Line2D, x: float, y: float) -> None:
    """A mark and its words, in inches from the figure's lower left corner."""
    ends = [x + ICON * 0.3] if mark.get_linestyle() == "None" else [x, x + ICON * 0.7]
    mark.set(data=(ends, [y] * len(ends)), transform=figure.dpi_scale_trans)
    figure.add_artist(mark)
    figure.add_artist(_words(figure, x + ICON, y, str(mark.get_label())))
