"""What people wrote for a month's meeting: wins and what could be better, as plain text beside the export."""

from __future__ import annotations

import hashlib
from pathlib import Path

from funnelstats.config.dates import month_days
from funnelstats.config.errors import FunnelError
from funnelstats.config.funnel import project_root
from funnelstats.config.words import _


def notes_path(name: str, month: str) -> Path:
    """Where the notes of a funnel's month are looked for: ``data/raw/<name>/notes/<month>.md``."""
    month_days(month)
    return project_root() / "data" / "raw" / name / "notes" / f"{month}.md"


def month_notes(name: str, month: str) -> list[str]:
    """The paragraphs and list items of a month's notes, each under its heading: "Wins: three new clients".

    It is plain text: nothing in it is taken for more than a heading (``#``), a list item (``-`` or ``*``) or a
    paragraph. Without notes one sentence says where to put them. Raises FunnelError if the file is not UTF-8.
    """
    path = notes_path(name, month)
    text = _text(path)
    heading, said, paragraph = "", list[str](), list[str]()
    for line in [*text.splitlines(), ""]:
        words = line.strip()
        is_item = words.startswith(("- ", "* "))
        if paragraph and (not words or is_item or words.startswith("#")):
            said.append(heading + " ".join(paragraph))
            paragraph = []
        if words.startswith("#"):
            title = words.lstrip("#").strip().rstrip(":")
            heading = f"{title}: " if title else ""
        elif words:
            paragraph.append(words[2:].strip() if is_item else words)
    if said:
        return said
    return [
        _("Nobody wrote notes for this meeting. Put wins and what could be better into {path}, as plain text.").format(
            path=path.relative_to(project_root()).as_posix()
        )
    ]


def notes_fingerprint(name: str, month: str) -> str:
    """A digest of a month's notes, empty without them: part of what a page with notes is made from."""
    path = notes_path(name, month)
    return hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest() if path.is_file() else ""


def _text(path: Path) -> str:
    if not path.is_file():
        return ""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        shown = path.relative_to(project_root()).as_posix()
        raise FunnelError(f"{shown}: must be UTF-8 text, byte {error.start} is not; save it as UTF-8") from error
