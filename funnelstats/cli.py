"""The commands. Exit code 0: all made; 1: a page failed; 2: wrong use or bad input; 130: interrupted."""

from __future__ import annotations

import logging
import os
import sys
from typing import TYPE_CHECKING

import click

from funnelstats.funnel import FunnelError, project_root

if TYPE_CHECKING:
    from funnelstats.reports import Record
    from funnelstats.weekly import Batch


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="funnelstats")
def app() -> None:
    """Where a sales team loses its leads, and whether that is real.

    FUNNEL is a folder of data/raw that holds a funnel.toml.
    """


@app.command()
@click.argument("funnel")
def prepare(funnel: str) -> None:
    """Read an export into checked tables under data/processed."""
    _prepare(funnel)


@app.command()
@click.argument("funnel")
@click.option("--week", default="", metavar="YYYY-Www", help="The last complete week if not given.")
@click.option("--as-of", default="", metavar="DATE", help="What was known at the end of this day; the week's Sunday.")
def weekly(funnel: str, week: str, as_of: str) -> None:
    """Render the pages of a week: the team, every manager, the data check."""
    _prepare(funnel)
    from funnelstats.weekly import week_batch

    _render(week_batch(funnel, week=week, as_of=as_of), whole=True)


@app.command()
@click.argument("notebook")
@click.argument("funnel")
@click.option(
    "-p",
    "--parameter",
    nargs=2,
    multiple=True,
    metavar="NAME VALUE",
    help="A notebook's parameter; repeatable.",
)
def report(notebook: str, funnel: str, parameter: tuple[tuple[str, str], ...]) -> None:
    """Render one notebook of notebooks/ to reports/FUNNEL/NOTEBOOK."""
    names = [name for name, _ in parameter]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise FunnelError(f"-p {repeated[0]} is given twice; once is enough")
    _prepare(funnel)
    from funnelstats.weekly import report_batch

    _render(report_batch(notebook, funnel, dict(parameter)), whole=False)


def _prepare(funnel: str) -> None:
    from funnelstats.sources import prepare

    made = prepare(funnel)
    click.echo(f"data/processed/{funnel}: {'prepared' if made else 'unchanged'}", err=True)


def _render(batch: Batch, *, whole: bool) -> None:
    # Pages are made side by side, one core each: threads inside one would only take turns.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from funnelstats.reports import render_many

    logging.getLogger("papermill").setLevel(logging.CRITICAL)
    done = 0

    def tell(record: Record) -> None:
        nonlocal done
        done += 1
        words = f"{record.state} {record.seconds:.1f} s" if record.state == "made" else record.state
        reason = f": {record.reason}" if record.reason else ""
        click.echo(f"{done}/{len(batch.jobs)} {record.job.target.name}: {words}{reason}", err=True)

    records = render_many(batch.jobs, title=batch.title, inputs=batch.inputs, whole=whole, tell=tell)
    click.echo((batch.jobs[0].target.parent / "index.html").relative_to(project_root()))
    if any(record.state == "failed" for record in records):
        raise SystemExit(1)


def main() -> None:
    """The command line, with mistakes as one message and without a traceback."""
    try:
        app(standalone_mode=False)
    except FunnelError as error:
        click.echo(str(error), err=True)
        sys.exit(2)
    except click.UsageError as error:
        error.show()
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        sys.exit(130)


if __name__ == "__main__":
    main()
