"""What a person at a terminal, or whoever reads a log, hears of a run."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from funnelstats.reporting.reports import Job, Record


def say(text: str, *, err: bool = True) -> None:
    """A line to whoever is listening; that nobody is any more ends no run."""
    try:
        click.echo(text, err=err)
    except BrokenPipeError:
        # Else Python complains of the same pipe once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), (sys.stderr if err else sys.stdout).fileno())


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

    if not sys.stderr.isatty():
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
