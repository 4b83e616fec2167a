"""Tables as a manager reads them, as a spreadsheet opens them and as the regression test compares them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from html import escape
from typing import Any

import pandas as pd

from funnelstats.showing.shown import CSV_MIME, Shown
from funnelstats.showing.workbook import safe_csv
from funnelstats.stated.funnel import suggestion
from funnelstats.stated.words import _, number, percent, short_day

VERDICT_MARKS = {"red": "▼", "amber": "◆", "green": "●", "undecided": "■", "too few": "○"}
"""A shape beside every verdict word, since colour alone is not read by everybody."""

OTHER_VERDICT_WORDS = (
    *("higher", "lower", "more often", "not ranked", "no target"),
    *("no channel", "no leads", "no spend", "no payments"),
)
"""Verdicts without a mark."""

ROW_WORDS = ("(missing)", "(all)", "(start)", "all channels", "everybody", "lost", "nurture")
"""What stands among names from the data and is ours: it is translated, they never are."""

NO_ENTRANTS = "no entrants"
UNKNOWN = "–"
_OWN_ATTRIBUTES = re.compile(r' (id|headers|rowspan|data-[a-z-]+)="[^"]*"| colspan="1"')
_USED_CLASSES = {"gt_right", "gt_stub", "gt_group_heading"}
LONG = 16
"""Rows above which a table scrolls under its own header."""
FEW = 5
"""Rows of a linked table that the regression test compares."""

Format = str | tuple[str, str]


def show_table(
    frame: pd.DataFrame,
    *,
    title: str,
    name: str,
    columns: Mapping[str, str] | Sequence[str] | None = None,
    formats: Mapping[str, Format] | None = None,
    group: str | None = None,
    currency: str = "",
) -> Shown:
    """The frame as an escaped HTML table, as text with its full numbers, and as a CSV beside the page.

    ``columns`` chooses, orders and labels; the first one heads its row, ``group`` names a column that heads
    blocks of rows. ``formats`` says the kind of a column: count, number, exact, percent, interval, date, money,
    verdict, word (one of ours, to be translated), text, or a pair of kind and the words for a missing value.
    Unnamed columns follow their name and
    type (``rate`` and ``target`` are percents, ``*_lower`` an interval). An interval is put on the lower
    column and takes its ``*_upper`` partner with it: 61–74 %. ``name`` ends the CSV's name.
    """
    _check_names(title, name)
    labels = _labels(frame, columns)
    for column in [*labels, *(formats or {}), *([group] if group else [])]:
        if column not in frame.columns:
            near = suggestion(column, map(str, frame))
            raise ValueError(f"no column {column!r} in the table {name!r}; {near}")
    kinds = {column: _kind(frame, column, (formats or {}).get(column)) for column in labels}
    ranges = [column for column, (kind, _) in kinds.items() if kind == "interval"]
    if not isinstance(columns, Mapping):
        labels |= dict.fromkeys(ranges, "interval")
    uppers = {_upper(column) for column in ranges}
    shown = [column for column in labels if column not in uppers and column != group]
    chosen = list(dict.fromkeys([*([group] if group else []), *labels, *sorted(uppers - set(labels))]))
    stored = {column: kind for column, (kind, _) in kinds.items()} | dict.fromkeys(uppers, "interval")
    return Shown(
        {
            "text/html": _html(frame, _(title), name, {c: _(labels[c]) for c in shown}, kinds, group, currency),
            "text/plain": frame[chosen].to_string(index=False),
            CSV_MIME: {"name": name, "csv": safe_csv(frame[chosen])},
        },
        {CSV_MIME: {"kinds": [stored.get(column, "text") for column in chosen], "currency": currency}},
    )


def show_csv(frame: pd.DataFrame, *, title: str, name: str) -> Shown:
    """A sentence that links to the frame as a CSV beside the page, for rows too many to be read there.

    ``name`` ends the CSV's name. The link works on the published page; in a notebook the frame is its variable.
    """
    _check_names(title, name)
    kinds = [_kind(frame, column, None)[0] for column in frame.columns]
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


def _kind(frame: pd.DataFrame, column: str, given: Format | None) -> tuple[str, str]:
    """Kind of a column and the words for a missing value in it."""
    kind, missing = given if isinstance(given, tuple) else (given, None)
    values = frame[column]
    if kind is None:
        if column.endswith("_lower") and _upper(column) in frame:
            kind = "interval"
        elif column == "verdict":
            kind = "verdict"
        elif column in ("rate", "target") or column.endswith(("_rate", "_share")):
            kind = "percent"
        elif pd.api.types.is_datetime64_any_dtype(values):
            kind = "date"
        elif pd.api.types.is_integer_dtype(values):
            kind = "count"
        elif pd.api.types.is_float_dtype(values):
            kind = "number"
        else:
            kind = "text"
    if kind not in _FORMATS and kind != "interval":
        near = suggestion(kind, [*_FORMATS, "interval"])
        raise ValueError(f"no format {kind!r} for column {column!r}; {near}")
    if kind == "interval" and _upper(column) not in frame:
        raise ValueError(f"an interval needs the column {_upper(column)!r} beside {column!r}")
    return kind, _((NO_ENTRANTS if kind == "percent" else UNKNOWN) if missing is None else missing)


def _upper(column: str) -> str:
    return column.removesuffix("_lower") + "_upper"


def _exact(value: Any) -> str:
    return f"{value:.3g}"


def _text(value: Any) -> str:
    if pd.api.types.is_bool(value):
        return _("yes") if value else _("no")
    return _(str(value)) if value in ROW_WORDS else str(value)


_FORMATS: dict[str, Callable[[Any], str]] = {
    "count": number,
    "number": partial(number, digits=1),
    "exact": _exact,
    "percent": partial(percent, digits=1),
    "money": number,
    "date": short_day,
    "verdict": str,
    "word": _,
    "text": _text,
}


def _interval(low: float, high: float) -> str:
    """Both ends; a range that begins below nothing takes a word, since a dash would be read as one more minus."""
    ends = number(100 * low), percent(high)
    if low >= 0 or not ends[0].startswith("-"):
        return "–".join(ends)
    return _("{low} to {high}").format(low=ends[0].replace("-", "\u2212"), high=ends[1].replace("-", "\u2212"))


def _cells(frame: pd.DataFrame, column: str, kind: str, missing: str, currency: str) -> list[str]:
    """The column as plain, not yet escaped words."""
    if kind == "interval":
        return [
            missing if pd.isna(low) or pd.isna(high) else _interval(low, high)
            for low, high in zip(frame[column], frame[_upper(column)], strict=True)
        ]
    words = [missing if pd.isna(value) else _FORMATS[kind](value) for value in frame[column]]
    return [f"{word}\u00a0{currency}".rstrip() if kind == "money" and word != missing else word for word in words]


def _html(
    frame: pd.DataFrame,
    title: str,
    name: str,
    labels: dict[str, str],
    kinds: dict[str, tuple[str, str]],
    group: str | None,
    currency: str,
) -> str:
    import great_tables as gt

    words = pd.DataFrame({column: _cells(frame, column, *kinds[column], currency) for column in labels})
    first, *others = labels
    if group:
        write = _ if kinds.get(group, ("text", ""))[0] == "word" else _text
        words["_group"] = [UNKNOWN if pd.isna(value) else write(value) for value in frame[group]]
    table = (
        gt.GT(words, rowname_col=first, groupname_col="_group" if group else None, id=f"table-{name}")
        .tab_stubhead(labels[first])
        .cols_label({column: labels[column] for column in others})
        .cols_align("left")
    )
    verdicts = [column for column in others if kinds[column][0] == "verdict"]
    figures = [column for column in others if kinds[column][0] not in ("text", "verdict", "word")]
    if figures:
        table = table.cols_align("right", figures)
    if verdicts:
        table = table.fmt(_verdict, columns=verdicts)
    # great-tables sends 8 kB of style with every table and ids made from its texts, which may repeat;
    # the page has one style for all, and scope says to a screen reader what the ids would.
    body = re.sub(r"(?s)<style>.*?</style>", "", table.as_raw_html())
    body = re.search(r"(?s)<table.*</table>", body)[0]  # type: ignore[index]
    body = re.sub(r"<t[^>]*>", lambda tag: _plain(tag[0]), body)
    body = re.sub(r"\n\s*", "\n", body)
    # A wide table is set smaller on paper, a very wide one on a sheet of its own, turned; a long one scrolls
    # under its header on a screen and breaks between its rows on paper.
    width = " fs-wide fs-sheet" if len(labels) > 12 else " fs-wide" if len(labels) > 8 else ""
    width += " fs-long" if len(frame) > LONG else ""
    label = escape(title)
    return (
        f'<figure class="fs-table{width}" id="table-{name}"><figcaption>{label}</figcaption>'
        f'<div class="fs-scroll" role="region" tabindex="0" aria-label="{label}">{body}</div></figure>'
    )


def _plain(tag: str) -> str:
    """A tag of the table with the classes that the page's style knows, and no ids."""
    tag = _OWN_ATTRIBUTES.sub("", tag)
    if not (found := re.search(r' class="([^"]*)"', tag)):
        return tag
    used = " ".join(word for word in found[1].split() if word in _USED_CLASSES)
    return tag.replace(found[0], f' class="{used}"' if used else "")


def _verdict(word: str) -> str:
    """A verdict with its mark; great-tables does not escape what a formatter returns, so this does."""
    if word not in VERDICT_MARKS:
        return escape(_(word))
    mark = f'<span aria-hidden="true">{VERDICT_MARKS[word]}</span>'
    return f'<span class="fs-verdict fs-{word.replace(" ", "-")}">{mark} {_(word)}</span>'
