"""What a notebook cell shows: HTML for the page, the same numbers as text for the regression test."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any

from funnelstats.stated.words import _

TABLE_MIME = "application/vnd.funnelstats.table+json"
"""Carries a shown table as data to whoever publishes the page: name, title, currency, columns (each its name, label
and kind) and rows: numbers, texts, days in ISO form, null for what is not known."""

TEXT_MIME = "application/vnd.funnelstats.text+json"
"""Carries the sentences of a box as data: box, sentences."""


@dataclass(frozen=True)
class Shown:
    """One output in several forms; Jupyter picks the richest it knows, nbval compares all but pictures."""

    data: Mapping[str, Any]
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict, dict]:  # noqa: ARG002
        return dict(self.data), dict(self.metadata)


def show_text(sentences: str | Iterable[str], *, title: str | None = None, box: str = "lead") -> Shown:
    """Plain sentences in a box of their own, each escaped, so that a lead's name stays a name.

    One sentence becomes a paragraph, several a list. ``box`` is "lead" for what to do this week,
    "note" for how it was counted and limits, "warning" for what the data cannot tell: of no sentence a page shows
    nothing. A lead's sentence that begins with what it is about and a colon has that part bold.
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
    body = (
        f"<p>{_line(lines[0], box)}</p>"
        if len(lines) == 1
        else "<ul>" + "".join(f"<li>{_line(line, box)}</li>" for line in lines) + "</ul>"
    )
    return Shown(
        {
            "text/html": f'<div class="fs-box fs-{box}">{heading}{body}</div>',
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
