"""What a person at a terminal, or whoever reads a log, hears of a run."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from funnelstats.config.errors import readable

if TYPE_CHECKING:
    from funnelstats.importing.opening import Quality
    from funnelstats.reporting.reports import Job, Record

MOST_LINES, LONGEST_LINE = 60, 600
"""Of a message."""


def say(text: str, *, err: bool = True) -> None:
    """Lines to whoever is listening; that nobody is any more ends no run.

    They may hold texts of an export: what would steer a terminal is shown as a sign, and nobody reads a thousand lines.
    """
    lines = [readable(line) for line in text.split("\n")]
    lines = [line if len(line) <= LONGEST_LINE else f"{line[:LONGEST_LINE]}…" for line in lines]
    if len(lines) > MOST_LINES:
        lines = [*lines[: MOST_LINES - 1], f"… and {len(lines) - MOST_LINES + 1:,} more lines"]
    try:
        click.echo("\n".join(lines), err=err)
    except OSError:
        # A reader that has gone, or a log on a full disk; else Python complains of it once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), (sys.stderr if err else sys.stdout).fileno())


def account_of_rows(quality: Quality) -> str:
    """What became of the rows and of the money of each table, as aligned lines; what is not known is n/a."""
    import pandas as pd

    both = quality.rows.merge(quality.kept, on="table").set_index("table")
    told = {
        "rows": both["rows_in"].map(_count),
        "kept": both["rows_kept"].map(_count),
        "share": (both["rows_kept"] / both["rows_in"]).map(_share),
        "set aside": both["rows_set_aside"].map(_count),
        "left out": both["rows_ignored"].map(_count),
        "no date": both["rows_undated"].map(_count),
        "amount": both["amount_in"].map(_count),
        "of it kept": (both["amount_kept"] / both["amount_in"]).map(_share),
    }
    return pd.DataFrame(told).rename_axis(index=None, columns="table").to_string()


def _count(count: float) -> str:
    return f"{count:,.0f}" if math.isfinite(count) else "n/a"


def _share(share: float) -> str:
    """A share, of which only all is 100 % and only nothing 0 %."""
    if not math.isfinite(share):
        return "n/a"
    return f"{min(max(share, 0.001), 0.999) if 0 < share < 1 else share:.1%}"


@contextmanager
def progress(jobs: Sequence[Job]) -> Iterator[Callable[[Record], None]]:
    """On a terminal one bar with the time left, and failures at the end; elsewhere a line for each page."""
    done: list[Record] = []
    alone = len({job.target.parent for job in jobs}) == 1

    def line(record: Record) -> str:
        target = record.job.target
        page = target.name if alone else f"{target.parent.name}/{target.name}"
        words = f"{record.state} {record.seconds:.1f} s" if record.state == "made" else record.state
        return f"{page}: {words}{f': {record.reason}' if record.reason else ''}"

    def tell(record: Record) -> None:
        done.append(record)
        say(f"{len(done)}/{len(jobs)} {line(record)}")

    if sys.stderr is None or not sys.stderr.isatty():
        yield tell
        return
    with click.progressbar(length=len(jobs), label="pages", show_pos=True, file=sys.stderr) as bar:

        def advance(record: Record) -> None:
            done.append(record)
            bar.update(1)

        yield advance
    for record in done:
        if record.state == "failed":
            say(line(record))
