"""Figures as drawings within a page: their words are words, their colours the page's, their width its column's."""

import io
import json
import math
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from html import escape
from itertools import starmap
from typing import Any, NamedTuple
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.transforms import IdentityTransform, ScaledTranslation

from funnelstats.page.tables import VERDICT_COLOURS, Shown
from funnelstats.page.workbook import ILLEGAL

# Okabe & Ito's palette holds apart under the common colour-vision deficiencies; the greys carry everything
# that is not the message, so that the one accent is seen first. None is pure black, which an SVG leaves unsaid.
NEUTRAL = "#8a94a0"
FAINT = "#d5dae0"
GRID = "#e1e5ea"
INK = "#1f2933"
QUIET = "#56616d"
ACCENT = "#0072b2"
TARGET = "#0b0f14"
PAPER = "#ffffff"
VERDICT_MARKERS = {"red": "v", "amber": "D", "green": "o", "undecided": "s", "too few": "."}


VARIABLES = {
    **{INK: "ink", QUIET: "quiet", NEUTRAL: "neutral", FAINT: "faint", GRID: "grid"},
    **{ACCENT: "accent", TARGET: "target", PAPER: "paper"},
    **{VERDICT_COLOURS[verdict]: verdict for verdict in ("red", "amber", "green")},
    VERDICT_COLOURS["too few"]: "few",
}
"""The variable of a page's style, --fs-ink and so on, that may give a colour of the house another one in the dark."""
IN_LAB = {
    **{INK: "ui-font-color1", TARGET: "ui-font-color1", QUIET: "ui-font-color2"},
    **{FAINT: "border-color2", GRID: "border-color2", PAPER: "layout-color0"},
}
"""The variable of JupyterLab's, --jp-ui-font-color1 and so on, that does so where no page does."""

DESK, PANEL = 800, 400
"""Units that a drawing is wide: of a whole column, and of half of one or a phone's. A phone shows nine tenths of
a unit as a pixel, a desk five quarters."""
SIZE = 12.5
"""Units of a letter, 11 pixels on a phone."""
LARGEST = 1.24
"""Pixels of a unit where there is room."""
LINE, BELOW = 18, 28
"""Units of a line of words, and below a panel for those of its axis."""
PAD, LAST = 8, 12
"""Units between a panel and words, and for half of an axis' last word."""

HOUSE_STYLE: Any = {
    "font.family": "DejaVu Sans",  # comes with matplotlib and has Cyrillic; a page's own letters are no wider
    "font.size": SIZE,
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "butt",
    "svg.fonttype": "none",
    "text.color": INK,
    "text.parse_math": False,  # between two dollars it would read a formula, and fail where it is none
}


class Panel(NamedTuple):
    """A part of a figure: what draws it so many units wide, and its title."""

    draw: Callable[[float], Figure]
    title: str = ""
    wide: bool = True
    """Whether it takes the whole column of a desk."""


@dataclass(frozen=True, repr=False)
class Chart(Shown):
    """A shown figure; ``figures`` has those of matplotlib to change or save, one for each panel, ``figure`` the first.

    They are drawn anew for whoever asks; a figure of one's own is itself.
    """

    panels: tuple[Panel | Figure, ...] = field(default=(), compare=False)

    @property
    def figures(self) -> list[Figure]:
        with mpl.rc_context(HOUSE_STYLE):
            return [panel if isinstance(panel, Figure) else panel.draw(DESK if panel.wide else PANEL)
                    for panel in self.panels]  # fmt: skip

    @property
    def figure(self) -> Figure:
        return self.figures[0]


def show_figure(
    *figures: Any, alt: str, numbers: pd.DataFrame | None = None, marks: Sequence[Line2D] = (), note: str = ""
) -> Chart:
    """Figures as drawings of a page, with their alt text, what the ``marks`` mean above, the ``note`` below them.

    Each is a ``Figure`` of matplotlib, or what has one, such as Axes and the grids of seaborn; it keeps its look, and
    is closed in pyplot, which would show it once more. Or it is a ``Panel``: a wide one is drawn for a desk and for a
    phone, and the page shows the one that fits. Drawings differ between versions of matplotlib, so the regression test
    compares ``numbers``, which panels need: pass the frame that was drawn. The same figure gives the same text. Raises
    ValueError without words in ``alt``, and for a figure with a picture in it.

    >>> import matplotlib.pyplot as plt
    >>> fs.show_figure(plt.figure(), alt="Nothing yet")
    <Chart: Nothing yet>
    """
    if not alt.strip():
        raise ValueError("alt must say in words what the figure shows, got an empty text")
    panels = tuple(panel if isinstance(panel, Panel) else panel.figure for panel in figures)
    if any(isinstance(panel, Panel) for panel in panels) and (numbers is None or numbers.empty):
        raise ValueError("numbers must hold what the figure draws, got an empty frame")
    alt = " ".join(alt.split())
    shown = alt if numbers is None else numbers.to_string(index=False)
    salt = f"{alt} {shown}"
    with mpl.rc_context(HOUSE_STYLE):
        key = "".join(f"<li>{_icon(mark, f'{salt} {place}')}{_words(mark.get_label())}</li>"
                      for place, mark in enumerate(marks))  # fmt: skip
    drawn = "".join(_panel(panel, f"{salt} {place}") for place, panel in enumerate(panels))
    parts = [
        f'<ul class="fs-key">{key}</ul>' if key else "",
        f'<div class="fs-panels" role="img" aria-label="{escape(alt)}">{drawn}</div>',
        f"<figcaption>{_words(note)}</figcaption>" if note else "",
    ]
    html = f'<figure class="fs-figure">{"".join(parts)}</figure>'
    return Chart({"text/html": html, "text/plain": shown}, panels=panels)


def _words(text: Any) -> str:
    return escape(" ".join(ILLEGAL.sub("\ufffd", str(text)).split())).replace(" → ", "\u00a0→ ")


def _panel(panel: Panel | Figure, salt: str) -> str:
    if isinstance(panel, Figure):
        return f'<div class="fs-wide">{_own_svg(panel, salt)}</div>'
    title = f"<p>{'<br>'.join(map(_words, panel.title.splitlines()))}</p>" if panel.title else ""
    with mpl.rc_context(HOUSE_STYLE):
        narrow = _svg(panel.draw(PANEL), f"{salt} narrow")
        wide = _svg(panel.draw(DESK), salt) if panel.wide else ""
    if not wide:
        return f"<div>{title}{narrow}</div>"
    # hidden where no style of a page says otherwise, in a notebook
    both = f'<div class="fs-desk">{wide}</div><div class="fs-phone" hidden>{narrow}</div>'
    return f'<div class="fs-wide">{title}{both}</div>'


def _icon(mark: Line2D, salt: str) -> str:
    """A mark as it stands before its words."""
    figure = Figure(figsize=(26 / 72, 14 / 72), dpi=72)
    ends = [13] if mark.get_linestyle() == "None" else [2, 24]
    mark.set(data=(ends, [7] * len(ends)), transform=IdentityTransform())
    figure.add_artist(mark)
    return _svg(figure, f"{salt} mark", fixed=True)


_DECIMALS = re.compile(r"-?\d+\.\d+")


def _svg(figure: Figure, salt: str, *, fixed: bool = False) -> str:
    """The drawing as one element of a page, its ids different for a different ``salt``.

    matplotlib's file has a prolog, a style for all of the page, names of its groups and of a font, and six digits;
    here are the page's letters, its colours, and at the labelled marks their words.
    """
    figure.patch.set_visible(False)
    for artist in (artist for ax in figure.axes for artist in ax.get_children()):
        artist.set_clip_on(False)
    root = _written(figure, salt)
    labelled = []
    for part in root.iter():
        if part.get("id", "").startswith("["):
            labelled.append(part)
        elif part.tag == "g":
            part.attrib.pop("id", None)
        if "style" in part.attrib:
            part.set("style", _style(part))
        if part.get("transform", "").startswith("rotate(-0 "):
            part.attrib.pop("transform")
        for name in part.attrib.keys() & {"d", "x", "y", "transform"}:
            numbers = _DECIMALS.sub(lambda found: f"{round(float(found[0]), 2):g}", part.attrib[name])
            part.set(name, " ".join(numbers.split()))
        if part.tag != "text":
            part.text = None
        part.tail = None
    for part in labelled:
        _label(part, json.loads(part.attrib.pop("id")))
    root[:] = _ungrouped(root)
    return _sized(root, f"{';'.join(starmap(_look, _LETTERS.items()))};", fixed=fixed)


def _written(figure: Figure, salt: str, **size: Any) -> ElementTree.Element:
    """The drawing as matplotlib writes it, without what is not drawn, its names those of HTML."""
    written = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": salt}):
        figure.savefig(written, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")), **size)
    root = ElementTree.fromstring(ILLEGAL.sub("\ufffd", written.getvalue()))
    root.remove(root[0])
    for part in root.iter():
        part.tag = part.tag.rpartition("}")[2]
        part.attrib = {name.rpartition("}")[2]: value for name, value in part.items()}
    return root


def _sized(root: ElementTree.Element, letters: str = "", *, fixed: bool = False) -> str:
    width, height = (round(float(part), 2) for part in root.attrib["viewBox"].split()[2:])
    size = {"width": f"{width:g}", "height": f"{height:g}"} if fixed else {"width": "100%"}
    style = "" if fixed else f"max-width:{width * LARGEST:.0f}px;{letters}"
    box = {"viewBox": f"0 0 {width:g} {height:g}"}
    root.attrib = {**box, **size, "style": f"{style}stroke-linejoin:round", "aria-hidden": "true"}
    return ElementTree.tostring(root, encoding="unicode")


def _own_svg(figure: Figure, salt: str) -> str:
    """The drawing of a figure that somebody made by themselves, as it looks: its letters are lines."""
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close(figure)
    for artist in figure.findobj(lambda artist: bool(artist.get_rasterized())):
        artist.set_rasterized(False)  # as matplotlib does with the bar of many colours
    with mpl.rc_context({"svg.fonttype": "path"}):
        root = _written(figure, salt, bbox_inches="tight")  # words may stand beyond its edges
    if root.find(".//image") is not None:
        raise ValueError("a page holds drawings, no pictures: draw the figure without imshow, by pcolormesh say")
    return _sized(root)


_LETTERS = {"font-size": f"{SIZE}px", "fill": INK}
"""How words look unless they say otherwise."""


def _style(part: ElementTree.Element) -> str:
    looks = (look.split(": ", 1) for look in part.attrib["style"].split("; "))
    unsaid = {("text-anchor", "start"), *(_LETTERS.items() if part.tag == "text" else ())}
    stated = [(name, value) for name, value in looks if name != "font-family" and (name, value) not in unsaid]
    return ";".join(starmap(_look, stated))


def _look(name: str, value: str) -> str:
    if value not in VARIABLES:
        return f"{name}:{value}"
    plain = f"var(--jp-{IN_LAB[value]},{value})" if value in IN_LAB else value
    return f"{name}:var(--fs-{VARIABLES[value]},{plain})"


def _ungrouped(part: ElementTree.Element) -> Iterator[ElementTree.Element]:
    """What a part holds, without groups that say nothing of it."""
    for child in part:
        if child.tag == "g" and not child.attrib:
            yield from _ungrouped(child)
        else:
            yield child


def label_marks(drawn: Any, words: Iterable[str]) -> None:
    """What is read where the pointer rests on a mark: one text for each.

    ``drawn`` is what matplotlib's ``scatter``, ``hlines`` or ``barh`` gave; they travel as the name of its group.
    """
    labels = list(words)
    if isinstance(drawn, Artist):
        drawn.set_gid(json.dumps(labels))
        return
    for artist, label in zip(drawn, labels, strict=True):
        artist.set_gid(json.dumps([label]))


def _label(group: ElementTree.Element, labels: list[str]) -> None:
    marks = [mark for parent in group.iter() if parent.tag == "g" for mark in parent if mark.tag in ("path", "use")]
    for mark, words in zip(marks, labels, strict=True):
        title = ElementTree.Element("title")
        title.text = ILLEGAL.sub("\ufffd", words)
        mark.insert(0, title)


def house_panel(
    width: float, height: float, *, left: float = PAD, right: float = LAST, below: float = BELOW
) -> tuple[Figure, Any]:
    """A drawing ``width`` units wide of one panel ``height`` units high, and room left, right and below for words."""
    tall = PAD + height + below
    figure = Figure(figsize=(width / 72, tall / 72), dpi=72)
    ax = figure.add_axes((left / width, below / tall, (width - left - right) / width, height / tall))
    # words and lines of our own cost a third of matplotlib's ticks
    ax.set_axis_off()
    return figure, ax


def short_name(name: str) -> str:
    """A name that leaves room for what is drawn; the numbers and the tables have it whole."""
    line = " ".join(name.split())
    return line if len(line) <= LONGEST_LABEL else f"{line[: LONGEST_LABEL - 1].rstrip()}…"


def room_for(words: Iterable[str], weight: str = "normal") -> float:
    """Units for words beside a panel."""
    return max(text_width(word, weight) for word in words) + PAD


def name_rows(ax: Any, names: Iterable[str]) -> None:
    """The name of each row left of a panel, the first at place 0."""
    for place, name in enumerate(names):
        ax.text(0, place, name, transform=right_of(ax, -PAD), ha="right", va="center")


def name_below(ax: Any, places: Sequence[float], words: Sequence[str]) -> None:
    """Words below a panel at these evenly spaced places: where they do not fit, every second, third, … one."""
    below = ax.get_xaxis_transform() + ScaledTranslation(0, -(PAD + SIZE) / 72, ax.figure.dpi_scale_trans)
    at = ax.transData.transform([(place, 0) for place in places])[:, 0]
    step = math.ceil(room_for(words) / np.diff(at).min(initial=DESK))
    for place, word in zip(places[::step], words[::step], strict=True):
        ax.text(place, 0, word, transform=below, ha="center")


def lines_along(ax: Any, axis: str, places: Sequence[float], words: Sequence[str]) -> None:
    """Faint lines across a panel at these places of its x or y axis, whose ends are set, and their words beside it."""
    ends = [[(place, 0), (place, 1)] if axis == "x" else [(0, place), (1, place)] for place in places]
    across = ax.get_xaxis_transform() if axis == "x" else ax.get_yaxis_transform()
    ax.add_collection(LineCollection(ends, colors=GRID, linewidths=1, transform=across, zorder=0.5), autolim=False)
    if axis == "x":
        name_below(ax, places, words)
    else:
        for place, word in zip(places, words, strict=True):
            ax.text(0, place, word, transform=right_of(ax, -PAD), ha="right", va="center")


def right_of(ax: Any, units: float) -> Any:
    """Places across in shares of the panel, so many units further right; places upwards in the panel's rows."""
    return ax.get_yaxis_transform() + ScaledTranslation(units / 72, 0, ax.figure.dpi_scale_trans)


@cache
def text_width(text: str, weight: str = "normal") -> float:
    """Units that a line takes."""
    font = FontProperties(family="DejaVu Sans", size=SIZE, weight=weight)
    return float(_pen().get_text_width_height_descent(text, font, False)[0])


@cache
def _pen() -> RendererAgg:
    return RendererAgg(1, 1, 72)


LONGEST_LABEL = 22
"""Characters of a name beside a panel."""
