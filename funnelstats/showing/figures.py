"""Figures in one house style, each shown with the numbers it draws and words for who cannot see it."""

from __future__ import annotations

import io
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from funnelstats.showing.shown import Shown

# Okabe & Ito's palette holds apart under the common colour-vision deficiencies; the greys carry everything
# that is not the message, so that the one accent is seen first.
NEUTRAL = "#8a94a0"
FAINT = "#d5dae0"
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
"""Two device pixels per page pixel at the usual width: sharp on phones, one rendering only."""

MAX_PNG_BYTES = 150_000

HOUSE_STYLE: Any = {
    "font.family": "DejaVu Sans",  # comes with matplotlib and has Cyrillic
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 9.5,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "grid.color": "#e8ebef",
    "grid.linewidth": 0.8,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "figure.facecolor": "white",
    "lines.linewidth": 1.8,
}


def house_axes(
    rows: int = 1, columns: int = 1, *, width: float = 10.3, height: float = 3.6, **subplots: Any
) -> tuple[Figure, Any]:
    """A figure and its axes in the house style; width and height in inches, 10.3 fills the page's column.

    Built without pyplot, so nothing stays open and no back end can show it a second time.
    """
    with mpl.rc_context(HOUSE_STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
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
    picture = io.BytesIO()
    with mpl.rc_context(HOUSE_STYLE):
        figure.savefig(picture, format="png", dpi=DPI, metadata={"Software": None})
    _close(figure)
    png = _few_colours(picture)
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


def _few_colours(picture: io.BytesIO) -> bytes:
    """The same picture in 192 colours: half the bytes, and no eye sees it on bars, lines and letters."""
    from PIL import Image

    few = Image.open(picture).convert("RGB").quantize(192, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    smaller = io.BytesIO()
    few.save(smaller, format="png", optimize=True)
    return smaller.getvalue()


def _close(figure: Figure) -> None:
    """Forget a figure made with pyplot, else the inline back end shows it again at the end of the cell."""
    if hasattr(figure, "number"):
        import matplotlib.pyplot as plt

        plt.close(figure)
