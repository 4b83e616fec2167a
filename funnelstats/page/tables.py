"""Tables as a manager reads them, as a spreadsheet opens them and as the regression test compares them."""

import re
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

import pandas as pd

from funnelstats.config.schema import MISSING
from funnelstats.config.words import _, lead_address, number
from funnelstats.page.layout import INTERVALS, UNKNOWN, Column, Layout, cells, layout, upper_of
from funnelstats.page.workbook import rows_of

TABLE_MIME = "application/vnd.funnelstats.table+json"
"""Carries a shown table as data to whoever publishes the page: name, title, currency, columns (each its name, label
and kind) and rows: numbers, texts, days in ISO form, null for what is not known."""

TEXT_MIME = "application/vnd.funnelstats.text+json"
"""Carries the sentences of a box as data: box, sentences."""


@dataclass(frozen=True, repr=False)
class Shown:
    """One output in several forms; Jupyter picks the richest it knows, nbval compares all but pictures."""

    data: Mapping[str, Any]
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict, dict]:  # noqa: ARG002
        return dict(self.data), dict(self.metadata)

    def __repr__(self) -> str:
        """Its first words; the whole of it is ``data``."""
        return f"<{type(self).__name__}: {textwrap.shorten(self.data.get('text/plain', ''), 60, placeholder='…')}>"


def show_text(sentences: str | Iterable[str], *, title: str | None = None, box: str = "lead") -> Shown:
    """Plain sentences in a box of their own, each escaped, so that a lead's name stays a name.

    One sentence becomes a paragraph, several a list. ``box`` is "lead" for what to do this week, "note" for how it was
    counted and limits, "warning" for what the data cannot tell: of no sentence a page shows nothing, and with a title
    it opens on what the first one is about. A lead's sentence that begins with what it is about and a colon has that
    part bold.

    >>> fs.show_text("Call Anna.")
    <Shown: Call Anna.>
    """
    if box not in ("lead", "note", "warning"):
        raise ValueError(f'box must be "lead", "note" or "warning", got {box!r}')
    lines = [sentences] if isinstance(sentences, str) else [str(sentence) for sentence in sentences]
    if not lines and box == "warning":
        return Shown({"text/html": "", "text/plain": "(nothing)"})
    if not lines:
        raise ValueError("show_text needs at least one sentence, got none")
    title = _(title) if title else title
    heading = f'<p class="fs-box-title">{escape(title)}</p>' if title else ""
    tag = "div"
    if box == "warning" and title:
        # what the first one is about is to be seen, whatever else is on the page; the rest on demand
        about = _line(re.split(r": | \(", lines[0])[0].rstrip("."), box)
        tag, heading = "details", f"<summary><b>{escape(title)}</b> ({len(lines)}): {about}</summary>"
    body = (
        f"<p>{_line(lines[0], box)}</p>"
        if len(lines) == 1
        else "<ul>" + "".join(f"<li>{_line(line, box)}</li>" for line in lines) + "</ul>"
    )
    return Shown(
        {
            "text/html": f'<{tag} class="fs-box fs-{box}">{heading}{body}</{tag}>',
            "text/plain": "\n".join([title, *lines] if title else lines),
            TEXT_MIME: {"box": box, "sentences": lines},
        }
    )


def _line(sentence: str, box: str) -> str:
    """The escaped sentence, no arrow at the start of a line; both halves of a bold beginning are escaped apart."""
    head, colon, rest = sentence.partition(": ")
    parts = [escape(part).replace(" → ", "\u00a0→ ") for part in (head, rest)]
    if box != "lead" or not colon or len(head) > 80:
        return escape(sentence).replace(" → ", "\u00a0→ ").replace("\n", "<br>")
    return f"<b>{parts[0]}:</b> {parts[1]}"


VERDICT_COLOURS = {
    "red": "#c2410c",
    "amber": "#d99a00",
    "green": "#00805a",
    "undecided": "#8a94a0",
    "too few": "#c3cad2",
}
VERDICT_MARKS = {"red": "▼", "amber": "◆", "green": "●", "undecided": "■", "too few": "○"}
"""A shape beside every verdict word, since colour alone is not read by everybody."""

OTHER_VERDICT_WORDS = (
    *("higher", "lower", "more often", "not ranked", "no target"),
    *("no channel", "no leads", "no spend", "part spend", "no payments"),
)
"""Verdicts without a mark."""

NO_OUTPUT = Shown({"text/html": "", "text/plain": "nothing: the sentences above say why"})
"""Takes the place of a table or a figure where a page has said already that there is nothing."""

_LEFT = ("text", "written", "lead", "verdict", "word")
"""Kinds that are read from the left, as words are."""
_TIMES: dict[str, Callable[[Any], str]] = {"date": "{:%Y-%m-%d}".format, "quarter": str}
"""Kinds whose words have another order than their days, and what they are sorted by."""
_DAY = re.compile(r"\b\d{4}-[\dWQ][\d-]*")
LONG = 16
"""Rows above which a table scrolls under its own header."""
NARROW, WORDY, SENTENCE = 4, 3, 28
"""Columns that a phone has room for; columns of words, and letters, that make a table one to be read row by row."""
WIDE, SHORT = 6, 7
"""Columns above which a table of so many rows at most is read row by row too, whatever it holds."""
SAYS_NOTHING = ("n/a", "none", "none recorded", "not known", "no target", MISSING)
"""Words of columns that are left out where every row has them."""
MOST_ROWS, MOST_COLUMNS = 100, 16
"""Of a table on a page; the file beside it has them all."""
FEW = 5
"""Rows of a linked table that the regression test compares."""


def show_table(
    frame: pd.DataFrame,
    table: str | Layout,
    *,
    currency: str = "",
    labels: Mapping[str, str] | None = None,
    folded: bool = False,
) -> Shown:
    """The frame as an escaped HTML table, as text with its full numbers, and as data for the files beside the page.

    ``table`` names its section in ``columns.toml``, "weekly.team"; a frame without one takes a ``Layout``. ``labels``
    are those of columns that the data names. A table without rows is a sentence, or nothing where others say why, as
    is one by what the export does not hold; a folded one shows its title until it is opened, a large one its first
    rows and columns, with a link to all.

    >>> fs.show_table(team, "weekly.team", folded=True)
    <Shown: from_stage to_stage entered rate ci_lower ci_upper target…>
    """
    how = _checked(table)
    if frame.empty:
        return show_text(_(how.empty).format(title=_(how.title)), box="note") if how.empty else NO_OUTPUT
    columns = how.columns_of(frame, labels)
    if (frame[next(name for name in columns if name not in how.group)] == MISSING).all():
        return NO_OUTPUT
    first, last = list(columns)[: MOST_COLUMNS - 1], list(columns)[-1:]
    seen = columns if len(columns) <= MOST_COLUMNS else {name: columns[name] for name in (*first, *last)}
    html = _html(frame.head(MOST_ROWS), how, seen, currency, folded=folded)
    if len(frame) > MOST_ROWS or seen is not columns:
        whole = _("The whole table, {rows} × {columns}").format(rows=number(len(frame)), columns=len(columns))
        html += f'<p><a class="fs-csv" href="{how.name}.csv">{escape(whole)}</a></p>'
    return Shown(
        {
            "text/html": html,
            "text/plain": frame[list(columns)].to_string(index=False),
            TABLE_MIME: _data(frame, how, columns, currency),
        }
    )


def show_csv(frame: pd.DataFrame, table: str | Layout) -> Shown:
    """A sentence that links to the frame as a CSV beside the page, for rows too many to be read there.

    The link works on the published page; in a notebook the frame is its variable.

    >>> fs.show_csv(losses, "weekly.managers")
    <Shown: All results by manager and step (44) manager from_stage…>
    """
    how = _checked(table)
    words = f"{_(how.title)} ({number(len(frame))})"
    return Shown(
        {
            "text/html": f'<p><a class="fs-csv" href="{how.name}.csv">{escape(words)}</a></p>',
            "text/plain": f"{words}\n{frame.head(FEW).to_string(index=False)}",
            TABLE_MIME: _data(frame, how, how.columns_of(frame)),
        }
    )


def _data(frame: pd.DataFrame, how: Layout, columns: Mapping[str, Column], currency: str = "") -> dict[str, Any]:
    return {
        "name": how.name,
        "title": _(how.title),
        "currency": currency,
        "columns": [{"name": name, "label": column.label, "kind": column.kind} for name, column in columns.items()],
        "rows": rows_of(frame[list(columns)]),
    }


def _checked(table: str | Layout) -> Layout:
    how = table if isinstance(table, Layout) else layout(table)
    if not how.title.strip():
        raise ValueError("title must say what the table shows, got an empty text")
    if not re.fullmatch(r"[a-z0-9]+([_-][a-z0-9]+)*", how.name):
        raise ValueError(f"name must be small letters, digits, - and _, got {how.name!r}")
    return how


def _html(
    frame: pd.DataFrame, how: Layout, columns: Mapping[str, Column], currency: str, *, folded: bool = False
) -> str:
    uppers = {upper_of(name) for name, column in columns.items() if column.kind in INTERVALS}
    words = {name: cells(frame, name, column, currency) for name, column in columns.items() if name not in uppers}
    texts = {name: words[name] for name in words if name not in how.group}
    first = next(iter(texts))
    # a column without anything in it says nothing; the files beside the page have it
    nothing = {"", UNKNOWN, *map(_, SAYS_NOTHING)}
    said = {name for name, column in texts.items() if name == first or {*column} - nothing}
    # nor do the limits of a number that no row has: they would stand as those of the column before it
    said -= {f"{name}_{end}" for name in texts if name not in said for end in ("lower", "upper")}
    texts = {name: column for name, column in texts.items() if name in said}
    sides = {name: "" if columns[name].kind in _LEFT else ' class="gt_right"' for name in texts}
    labels = {name: escape(columns[name].label) for name in texts}
    cards = _is_read_by_rows(texts, columns)
    named = {name: f' data-label="{label}"' if cards else "" for name, label in labels.items()}
    others = [name for name in texts if name != first]
    values = []
    for name in others:
        write = _WRITTEN.get(columns[name].kind, _words)
        keys = [""] * len(frame) if how.group else _sort_keys(frame[name], columns[name].kind)
        looks = _bars(frame[name]) if columns[name].kind == "bar" else [sides[name]] * len(frame)
        cells_of = zip(looks, keys, texts[name], strict=True)
        values.append([f"<td{look}{named[name]}{key}>{write(word)}</td>\n" for look, key, word in cells_of])
    head_of = _WRITTEN.get(columns[first].kind, _words)
    head_keys = _sort_keys(frame[first], columns[first].kind) if columns[first].kind in _TIMES else [""] * len(frame)
    rows = [
        f'<tr>\n<th scope="row" class="gt_stub"{key}>{head_of(head)}</th>\n{"".join(row)}</tr>\n'
        for head, key, *row in zip(texts[first], head_keys, *values, strict=True)
    ]
    if how.group:
        blocks: dict[str, list[str]] = {}
        for row, *heads in zip(rows, *(words[name] for name in how.group), strict=True):
            blocks.setdefault(" → ".join(heads), []).append(row)
        span = f'<th class="gt_group_heading" colspan="{len(labels)}" scope="colgroup">'
        rows = [f"<tr>\n{span}{escape(heading)}</th>\n</tr>\n" + "".join(own) for heading, own in blocks.items()]
    head = f'<th scope="col">{labels[first]}</th>\n'
    head += "".join(f'<th{sides[name]} scope="col">{labels[name]}</th>\n' for name in others)
    body = f"<table>\n<thead>\n<tr>\n{head}</tr>\n</thead>\n<tbody>\n{''.join(rows)}</tbody>\n</table>"
    # A wide table is set smaller on paper, a very wide one on a sheet of its own, turned; a long one scrolls
    # under its header on a screen and breaks between its rows on paper.
    width = " fs-wide fs-sheet" if len(labels) > 12 else " fs-wide" if len(labels) > 8 else ""
    width += " fs-cards" if cards else ""
    is_long, is_sortable = len(frame) > LONG, not how.group
    width += " fs-long" if is_long else ""
    width += " fs-sortable" if is_sortable else ""
    search = f' data-filter="{escape(_("Search in this table"))}"' if is_long and is_sortable else ""
    title = escape(_(how.title))
    scroll = f'<div class="fs-scroll" role="region" tabindex="0" aria-label="{title}">{body}</div>'
    start = f'<figure class="fs-table{width}" id="table-{how.name}"{search}>'
    if folded:
        return f"{start}<details><summary>{title}</summary>{scroll}</details></figure>"
    return f"{start}<figcaption>{title}</figcaption>{scroll}</figure>"


def _sort_keys(values: pd.Series, kind: str) -> list[str]:
    """What each cell of a column is sorted by where that is not its words: a number, or a day."""
    if kind in _LEFT:
        return [""] * len(values)
    texts = values.map(_TIMES.get(kind, "{:.6g}".format), na_action="ignore")
    return [f' data-sort="{text}"' for text in texts.where(values.notna(), "")]


def _is_read_by_rows(texts: Mapping[str, Sequence[str]], columns: Mapping[str, Column]) -> bool:
    """Whether a phone shows each row apart, every value with its column's name: else the verdict of a row, its next
    step or a sentence would be off the screen. Long columns of numbers alone stay columns, to be compared."""
    verdicts = any(columns[name].kind == "verdict" for name in texts)
    words = sum(columns[name].kind in _LEFT for name in texts)
    rows = len(next(iter(texts.values())))
    longest = max((len(word) for column in texts.values() for word in column), default=0)
    to_act_on = len(texts) > NARROW and (verdicts or words >= WORDY)
    return longest > SENTENCE or to_act_on or (len(texts) > WIDE and rows <= SHORT)


def _words(text: str) -> str:
    """The escaped text; a browser would end a line after a hyphen within a day or a week."""
    return _DAY.sub(r'<span class="fs-day">\g<0></span>', escape(text))


def _bars(shares: pd.Series) -> list[str]:
    """What draws each share as a bar behind its number, the largest of the column as wide as the column."""
    widths = (100 * shares / shares.max()).fillna(0.0).round(1)
    return [f' class="gt_right fs-bar" style="--part:{width}%"' for width in widths]


def _lead(lead_id: str) -> str:
    """A lead's id, linked to the CRM where funnel.toml states its address."""
    address = lead_address(lead_id)
    return f'<a href="{escape(address)}">{escape(lead_id)}</a>' if address and lead_id != UNKNOWN else escape(lead_id)


def _verdict(word: str) -> str:
    """A verdict with its mark; escaped like every other word."""
    if word not in VERDICT_MARKS:
        return escape(_(word))
    mark = f'<span aria-hidden="true">{VERDICT_MARKS[word]}</span>'
    return f'<span class="fs-verdict fs-{word.replace(" ", "-")}">{mark} {_(word)}</span>'


def _whole(text: str) -> str:
    """The escaped text, which no line ends within."""
    return f'<span class="fs-day">{escape(text)}</span>'


_WRITTEN = {"verdict": _verdict, "lead": _lead, "date": _whole, "quarter": _whole}
"""How kinds whose cells are more than words are written."""
