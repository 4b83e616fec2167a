"""What a machine that runs the week wants to know: which reds are new, and the week as Markdown."""

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from funnelstats.config.dates import week_days, week_of
from funnelstats.config.words import _, percent
from funnelstats.page.tables import VERDICT_MARKS
from funnelstats.reporting.overview import verdict_page
from funnelstats.reporting.publishing import read_run
from funnelstats.reporting.restated import KEY, fresh_reds

WORDS = {"who": "who", "team": "The team", "all": "All pages", "new": "new this week"}
_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")


def new_reds(folder: Path) -> list[dict[str, Any]]:
    """The reds of a week's folder that the week before did not have: its rows of run.json's verdicts.

    A red is a manager, or the team, at a step. It is new unless the run of the week before, in the folder beside
    this one, says red of the same manager at the same step; without such a run every red is new.
    """
    monday, _sunday = week_days(folder.name)
    return fresh_reds(_verdicts(folder), _verdicts(folder.with_name(week_of(monday - timedelta(days=7)))))


def _verdicts(folder: Path) -> list[dict[str, Any]]:
    return list(verdict_page(read_run(folder)).get("verdicts", []))


def _key(row: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(row[name] for name in KEY)


def week_markdown(folder: Path, link: str = "") -> str:
    """A week's sentences to act on, its verdicts by manager and step, and a link: as Markdown, every text escaped.

    ``link`` is the address of all pages; without one the folder's index is named.
    """
    run = read_run(folder)
    rows = _verdicts(folder)
    fresh = {_key(row) for row in new_reds(folder)}
    steps = list(dict.fromkeys((row["from_stage"], row["to_stage"]) for row in rows))
    people = list(dict.fromkeys(row["manager"] for row in rows if row["verdict"] in VERDICT_MARKS))
    cells = {_key(row): _cell(row, _key(row) in fresh) for row in rows}
    table = [
        [_(WORDS["who"]), *(f"{start} → {end}" for start, end in steps)],
        *([who or _(WORDS["team"]), *(cells.get((who, *step), "–") for step in steps)] for who in people),
    ]
    lines = [f"- {_escaped(sentence)}" for sentence in verdict_page(run).get("sentences", [])]
    index = f"reports/{folder.parent.name}/{folder.name}/index.html"
    return "\n".join(
        [
            f"## {_escaped(run.get('title', folder.name))}",
            "",
            *lines,
            "",
            *(_table(table) if rows else []),
            "",
            f"[{_escaped(_(WORDS['all']))}]({link})" if link else f"`{index}`",
            "",
        ]
    )


def _cell(row: Mapping[str, Any], fresh: bool) -> str:
    parts = [VERDICT_MARKS.get(row["verdict"], ""), _(row["verdict"])]
    parts += [percent(row["rate"])] if row["rate"] is not None else []
    return " ".join(part for part in [*parts, f"({_(WORDS['new'])})" if fresh else ""] if part)


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    lines = ["| " + " | ".join(map(_escaped, row)) + " |" for row in rows]
    return [lines[0], "|" + " --- |" * len(rows[0]), *lines[1:]]


def _escaped(text: str) -> str:
    """The text as Markdown that reads as the text, whatever is in it."""
    return _PUNCTUATION.sub(r"\\\1", " ".join(text.split()))
