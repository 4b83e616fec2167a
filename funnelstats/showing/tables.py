"""Tables as a manager reads them, as a spreadsheet opens them and as the regression test compares them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape

import pandas as pd

from funnelstats.showing.kinds import Format, cells, column_kinds, headings, upper_of
from funnelstats.showing.shown import CSV_MIME, Shown, show_text
from funnelstats.showing.workbook import safe_csv
from funnelstats.stated.funnel import suggestion
from funnelstats.stated.words import _

VERDICT_MARKS = {"red": "▼", "amber": "◆", "green": "●", "undecided": "■", "too few": "○"}
"""A shape beside every verdict word, since colour alone is not read by everybody."""

OTHER_VERDICT_WORDS = (
    *("higher", "lower", "more often", "not ranked", "no target"),
    *("no channel", "no leads", "no spend", "no payments"),
)
"""Verdicts without a mark."""

NO_ROWS = "{title}: nothing to list."
NOTHING = Shown({"text/html": "", "text/plain": "nothing: the sentences above say why"})
"""Takes the place of a table or a figure where a page has said already that there is nothing."""

_LEFT = ("text", "verdict", "word")
"""Kinds that are read from the left, as words are."""
_DAY = re.compile(r"\b\d{4}-[\dWQ][\d-]*")
LONG = 16
"""Rows above which a table scrolls under its own header."""
NARROW, WORDY, SENTENCE = 4, 3, 28
"""Columns that a phone has room for; columns of words, and letters, that make a table one to be read row by row."""
FEW = 5
"""Rows of a linked table that the regression test compares."""


def show_table(
    frame: pd.DataFrame,
    *,
    title: str,
    name: str,
    columns: Mapping[str, str] | Sequence[str] | None = None,
    formats: Mapping[str, Format] | None = None,
    group: str | None = None,
    currency: str = "",
    empty: str = NO_ROWS,
) -> Shown:
    """The frame as an escaped HTML table, as text with its full numbers, and as a CSV beside the page.

    Where it has no rows, ``empty`` is said in its place: what is missing; nothing where sentences above say it ("").

    ``columns`` chooses, orders and labels; the first one heads its row, ``group`` names a column that heads
    blocks of rows. ``formats`` says the kind of a column: count, number, exact, percent, interval, date, money,
    verdict, word (one of ours, to be translated), text, or a pair of kind and the words for a missing value.
    Unnamed columns follow their name and
    type (``rate`` and ``target`` are percents, ``*_lower`` an interval). An interval is put on the lower
    column and takes its ``*_upper`` partner with it: 61–74 %. ``name`` ends the CSV's name.
    """
    _check_names(title, name)
    if frame.empty:
        return show_text(_(empty).format(title=_(title)), box="note") if empty else NOTHING
    labels = _labels(frame, columns)
    for column in [*labels, *(formats or {}), *([group] if group else [])]:
        if column not in frame.columns:
            near = suggestion(column, map(str, frame))
            raise ValueError(f"no column {column!r} in the table {name!r}; {near}")
    kinds = column_kinds(frame, labels, formats or {})
    ranges = [column for column, (kind, _) in kinds.items() if kind == "interval"]
    if not isinstance(columns, Mapping):
        labels |= dict.fromkeys(ranges, "interval")
    uppers = {upper_of(column) for column in ranges}
    shown = [column for column in labels if column not in uppers and column != group]
    chosen = list(dict.fromkeys([*([group] if group else []), *labels, *sorted(uppers - set(labels))]))
    stored = {column: kind for column, (kind, _) in kinds.items()} | dict.fromkeys(uppers, "interval")
    told = frame[chosen]
    return Shown(
        {
            "text/html": _html(frame, _(title), name, {c: _(labels[c]) for c in shown}, kinds, group, currency),
            "text/plain": told.to_string(index=False),
            CSV_MIME: {"name": name, "csv": safe_csv(told)},
        },
        {CSV_MIME: {"kinds": [stored.get(column, "text") for column in chosen], "currency": currency}},
    )


def show_csv(frame: pd.DataFrame, *, title: str, name: str) -> Shown:
    """A sentence that links to the frame as a CSV beside the page, for rows too many to be read there.

    ``name`` ends the CSV's name. The link works on the published page; in a notebook the frame is its variable.
    """
    _check_names(title, name)
    kinds = [kind for kind, _missing in column_kinds(frame, frame.columns, {}).values()]
    words = f"{_(title)} ({len(frame)})"
    return Shown(
        {
            "text/html": f'<p><a class="fs-csv" href="{name}.csv">{escape(words)}</a></p>',
            "text/plain": f"{words}\n{frame.head(FEW).to_string(index=False)}",
            CSV_MIME: {"name": name, "csv": safe_csv(frame)},
        },
        {CSV_MIME: {"kinds": kinds}},
    )


def _check_names(title: str, name: str) -> None:
    if not title.strip():
        raise ValueError("title must say what the table shows, got an empty text")
    if not re.fullmatch(r"[a-z0-9]+([_-][a-z0-9]+)*", name):
        raise ValueError(f"name must be small letters, digits, - and _, got {name!r}")


def _labels(frame: pd.DataFrame, columns: Mapping[str, str] | Sequence[str] | None) -> dict[str, str]:
    if isinstance(columns, Mapping):
        return dict(columns)
    chosen = list(frame.columns) if columns is None else list(columns)
    return {column: str(column).replace("_", " ") for column in chosen}


def _html(
    frame: pd.DataFrame,
    title: str,
    name: str,
    labels: dict[str, str],
    kinds: dict[str, tuple[str, str]],
    group: str | None,
    currency: str,
) -> str:
    told = {column: cells(frame, column, *kinds[column], currency) for column in labels}
    sides = {column: "" if kinds[column][0] in _LEFT else ' class="gt_right"' for column in labels}
    cards = _is_read_by_rows(told, kinds)
    named = {column: f' data-label="{escape(labels[column])}"' if cards else "" for column in labels}
    first, *others = labels
    columns = []
    for column in others:
        write = _verdict if kinds[column][0] == "verdict" else _words
        columns.append([f"<td{sides[column]}{named[column]}>{write(word)}</td>\n" for word in told[column]])
    rows = [
        f'<tr>\n<th scope="row" class="gt_stub">{_words(head)}</th>\n{"".join(row)}</tr>\n'
        for head, *row in zip(told[first], *columns, strict=True)
    ]
    if group:
        blocks: dict[str, list[str]] = {}
        for heading, row in zip(headings(frame[group], kinds.get(group, ("text", ""))[0]), rows, strict=True):
            blocks.setdefault(heading, []).append(row)
        span = f'<th class="gt_group_heading" colspan="{len(labels)}" scope="colgroup">'
        rows = [f"<tr>\n{span}{escape(heading)}</th>\n</tr>\n" + "".join(own) for heading, own in blocks.items()]
    head = f'<th scope="col">{escape(labels[first])}</th>\n'
    head += "".join(f'<th{sides[column]} scope="col">{escape(labels[column])}</th>\n' for column in others)
    body = f"<table>\n<thead>\n<tr>\n{head}</tr>\n</thead>\n<tbody>\n{''.join(rows)}</tbody>\n</table>"
    # A wide table is set smaller on paper, a very wide one on a sheet of its own, turned; a long one scrolls
    # under its header on a screen and breaks between its rows on paper.
    width = " fs-wide fs-sheet" if len(labels) > 12 else " fs-wide" if len(labels) > 8 else ""
    width += " fs-cards" if cards else ""
    width += " fs-long" if len(frame) > LONG else ""
    label = escape(title)
    return (
        f'<figure class="fs-table{width}" id="table-{name}"><figcaption>{label}</figcaption>'
        f'<div class="fs-scroll" role="region" tabindex="0" aria-label="{label}">{body}</div></figure>'
    )


def _is_read_by_rows(told: Mapping[str, Sequence[str]], kinds: Mapping[str, tuple[str, str]]) -> bool:
    """Whether a phone shows each row apart, every value with its column's name: else the verdict of a row, its next
    step or a sentence would be off the screen. Columns of numbers alone stay columns, to be compared."""
    verdicts = any(kinds[column][0] == "verdict" for column in told)
    words = sum(kinds[column][0] in _LEFT for column in told)
    longest = max((len(word) for column in told.values() for word in column), default=0)
    return longest > SENTENCE or (len(told) > NARROW and (verdicts or words >= WORDY))


def _words(text: str) -> str:
    """The escaped text; a browser would end a line after a hyphen within a day or a week."""
    return _DAY.sub(r'<span class="fs-day">\g<0></span>', escape(text))


def _verdict(word: str) -> str:
    """A verdict with its mark; escaped like every other word."""
    if word not in VERDICT_MARKS:
        return escape(_(word))
    mark = f'<span aria-hidden="true">{VERDICT_MARKS[word]}</span>'
    return f'<span class="fs-verdict fs-{word.replace(" ", "-")}">{mark} {_(word)}</span>'
