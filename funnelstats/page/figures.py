"""The panels of a figure, placed by the widths of the words around them: at home on a desk and on a phone."""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.transforms import ScaledTranslation

from funnelstats.config.words import label, number, percent
from funnelstats.page.tables import Shown

# Okabe & Ito's palette holds apart under the common colour-vision deficiencies; the greys carry everything
# that is not the message, so that the one accent is seen first.
NEUTRAL = "#8a94a0"
FAINT = "#d5dae0"
GRID = "#e1e5ea"
INK = "#1f2933"
QUIET = "#56616d"
ACCENT = "#0072b2"
TARGET = "#000000"
VERDICT_COLOURS = {
    "red": "#c2410c",
    "amber": "#d99a00",
    "green": "#00805a",
    "undecided": "#8a94a0",
    "too few": "#c3cad2",
}
VERDICT_MARKERS = {"red": "v", "amber": "D", "green": "o", "undecided": "s", "too few": "."}

VERDICT_WORDS = {
    "red": "red: below target, beyond chance",
    "amber": "amber: look here",
    "green": "green: on target",
    "undecided": "undecided: not told from chance yet",
    "too few": "too few leads to tell",
}
"""What a verdict means, said beside every figure that is coloured by it."""

DPI = 144
"""Three pixels of a picture for two of the page: sharp enough for its letters, wherever it is read."""

MAX_PNG_BYTES = 150_000
MOST_COLOURS = 256

SIZE, SMALL, TITLE = 10.5, 10, 10
"""Points: of names and numbers, of what explains them, of a panel's title."""

HOUSE_STYLE: Any = {
    "font.family": "DejaVu Sans",  # comes with matplotlib and has Cyrillic
    "font.size": SIZE,
    "axes.titlesize": TITLE,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titley": 1.0,  # else every panel's ticks are measured once more
    "axes.facecolor": "none",
    "axes.labelsize": SMALL,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SIZE,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "xtick.major.pad": 5,
    "legend.frameon": False,
    "legend.fontsize": SMALL,
    "figure.facecolor": "white",
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "butt",
}

house_style = mpl.rc_context(HOUSE_STYLE)
"""Around a function that draws: what it draws is in the house style."""


def house_axes(
    rows: int = 1, columns: int = 1, *, width: float = 10.3, height: float = 3.6, **subplots: Any
) -> tuple[Figure, Any]:
    """A figure and its axes in the house style, laid out by matplotlib; width and height in inches.

    Built without pyplot, so nothing stays open and no back end can show it a second time.
    """
    with mpl.rc_context(HOUSE_STYLE):
        figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
        return figure, figure.subplots(rows, columns, **subplots)


def show_figure(figure: Figure, *, alt: str, numbers: pd.DataFrame) -> Shown:
    """The figure as PNG with its alt text, and the drawn numbers as text.

    Pixels differ between versions of matplotlib, so the regression test compares ``numbers``: pass the frame
    that was drawn. The same figure gives the same bytes.
    """
    if not alt.strip():
        raise ValueError("alt must say in words what the figure shows, got an empty text")
    if numbers.empty and figure.axes and any(axes.has_data() for axes in figure.axes):
        raise ValueError("numbers must hold what the figure draws, got an empty frame")
    with mpl.rc_context(HOUSE_STYLE):
        figure.set_dpi(DPI)
        canvas = FigureCanvasAgg(figure)
        canvas.draw()  # savefig would draw twice where matplotlib lays out
    png = _few_colours(np.asarray(canvas.buffer_rgba()))
    size = len(png)
    if size > MAX_PNG_BYTES:
        raise ValueError(f"a figure must stay below {MAX_PNG_BYTES:,} bytes, got {size:,}: draw fewer marks")
    width = round(figure.get_figwidth() * 96)  # CSS pixels: what the figure would measure on paper
    return Shown(
        {"image/png": png, "text/plain": numbers.to_string(index=False)},
        {"image/png": {"alt": " ".join(alt.split()), "width": width}},
    )


def short_name(name: str, most: int) -> str:
    """A name that leaves room for what is drawn; the numbers and the tables have it whole."""
    line = " ".join(name.split())
    # between two dollars matplotlib would read a formula, and fail where it is none
    return (line if len(line) <= most else f"{line[: most - 1].rstrip()}…").replace("$", r"\$")


def _few_colours(pixels: np.ndarray) -> bytes:
    """A picture of red, green, blue and alpha as PNG in a palette: half the bytes of one in full colour."""
    from PIL import Image

    picture = Image.fromarray(np.ascontiguousarray(pixels[..., :3]))
    png = io.BytesIO()
    picture.quantize(MOST_COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(png, format="png")
    return png.getvalue()


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


NOT_RANKED = "not ranked"


def step_words(row: pd.Series) -> str:
    """The step of a row: lead → met."""
    return f"{label(row['from_stage'])} → {label(row['to_stage'])}"


def interval_words(row: pd.Series) -> str:
    """The interval of a row: 61–70%."""
    return f"{number(100 * row['ci_lower'])}–{percent(row['ci_upper'])}"


LONGEST_LABEL = 22
"""Characters of a stage above its panel."""


def step_name(from_stage: str, to_stage: str) -> str:
    """A step as figures write it."""
    return f"{short_name(label(from_stage), LONGEST_LABEL)} → {short_name(label(to_stage), LONGEST_LABEL)}"
