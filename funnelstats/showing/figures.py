"""Figures in one house style, each shown with the numbers it draws and words for who cannot see it."""

from __future__ import annotations

import io
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from funnelstats.showing.shown import Shown

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
    _close(figure)
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
    """A picture of red, green, blue and alpha as PNG in a palette: half the bytes, and a tenth of the time.

    Colours that differ by less than 8 of 256 become their mean; of too many the rarest become their nearest.
    """
    from PIL import Image

    height, width, _channels = pixels.shape
    flat = np.ascontiguousarray(pixels).view("<u4").ravel()
    paper = flat[0]
    drawn = np.flatnonzero(flat != paper)  # most is paper, and need not be looked at again
    red, green, blue = (flat[drawn] >> shift & 0xFF for shift in (0, 8, 16))
    cells = red >> 3 | green >> 3 << 5 | blue >> 3 << 10
    counts = np.bincount(cells, minlength=1 << 15)
    found = np.flatnonzero(counts)
    found = found[np.argsort(-counts[found], kind="stable")]
    sums = [np.bincount(cells, part, minlength=1 << 15)[found] for part in (red, green, blue)]
    colours = np.rint(np.column_stack(sums) / counts[found][:, None])
    kept = colours[: MOST_COLOURS - 1]
    nearest = [np.square(kept - rare).sum(axis=1).argmin() for rare in colours[len(kept) :]]
    places = np.zeros(1 << 15, dtype=np.uint8)
    places[found] = 1 + np.r_[np.arange(len(kept)), np.array(nearest, dtype=int)]
    few = np.zeros(flat.size, dtype=np.uint8)
    few[drawn] = places[cells]
    picture = Image.frombytes("P", (width, height), few.tobytes())
    picture.putpalette([int(paper) >> shift & 0xFF for shift in (0, 8, 16)] + kept.astype(int).ravel().tolist())
    png = io.BytesIO()
    picture.save(png, format="png", compress_level=6)  # the highest level: a tenth fewer bytes, ten times as long
    return png.getvalue()


def _close(figure: Figure) -> None:
    """Forget a figure made with pyplot, else the inline back end shows it again at the end of the cell."""
    if hasattr(figure, "number"):
        import matplotlib.pyplot as plt

        plt.close(figure)
