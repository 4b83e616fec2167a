"""The commands. Exit code 0: all made; 1: a page failed; 2: wrong use or bad input; 3: a new red; 130: interrupted."""

from __future__ import annotations

import io
import logging
import os
import shlex
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from funnelstats.config.errors import FunnelError
from funnelstats.config.folders import project_root
from funnelstats.config.project import new_project, notebook_in_use
from funnelstats.config.pseudonyms import ENDING, stated_name
from funnelstats.reporting.console import progress, say
from funnelstats.reporting.processes import start_importing

try:
    import resource
except ImportError:  # Windows, where no limit of addresses is set for a process
    resource = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from funnelstats.reporting.periods import Batch

Command = TypeVar("Command", bound=Callable[..., Any])

LEAST = 3 * 2**30
"""Bytes of addresses that a run asks for, most of which it never fills; with fewer, libraries wait for threads that
could not be started, and hear no signal."""


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="funnelstats")
def app() -> None:
    """Where a sales team loses its leads, and whether that is real.

    FUNNEL is a folder of data/raw that holds a funnel.toml. A page whose data, notebook and parameters have not
    changed is kept, so a run that was interrupted goes on where it ended.
    """
    if resource is None:
        return
    allowed, _most = resource.getrlimit(resource.RLIMIT_AS)
    if resource.RLIM_INFINITY != allowed < LEAST:
        raise FunnelError(f"ulimit -v must be at least {LEAST // 1024} or unlimited, got {allowed // 1024}")


def _how(command: Command) -> Command:
    """Options of every command that makes pages."""
    for option in (
        click.option("--jobs", type=click.IntRange(1), metavar="N", help="Pages made at once."),
        click.option("--language", default="", metavar="en|ru", help="The funnel's own if not given."),
        click.option("--anonymise", is_flag=True, help="Pseudonyms for people, companies and leads."),
    ):
        command = option(command)
    return command


def _periods(unit: str, example: str) -> Callable[[Command], Command]:
    """Argument and options of a command that makes the pages of a kind of period."""
    options = (
        click.argument("funnel"),
        click.option(f"--{unit}", "period", default="", metavar=example, help="The last complete one if not given."),
        click.option("--as-of", default="", metavar="DATE", help=f"What was known that day, not on the {unit}'s last."),
        click.option("--from", "first", default="", metavar=example, help=f"Several: every {unit} from this one ..."),
        click.option("--to", "last", default="", metavar=example, help="... to this one, or the last complete one."),
        click.option(
            "--only",
            multiple=True,
            metavar="PAGE",
            help="Make the pages of this notebook alone, or of one manager: manager=NAME. Repeatable.",
        ),
        _how,
    )

    def add(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return add


@app.command()
@click.argument("folder", type=click.Path(path_type=Path))
def new(folder: Path) -> None:
    """Make a project in a new FOLDER: the notebooks, the sample, a Makefile, a workflow for GitHub."""
    new_project(folder)
    say(f"next:  cd {shlex.quote(str(folder))} && funnelstats weekly sample")


@app.command()
@click.argument("funnel")
def prepare(funnel: str) -> None:
    """Read an export into checked tables under data/processed."""
    _prepare(funnel)


@app.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path), metavar="FILES...")
@click.option("--name", default="", metavar="NAME", help="Of the funnel; that of the folder or file if not given.")
@click.option("--yes", is_flag=True, help="Ask nothing: take what the files suggest.")
def init(paths: tuple[Path, ...], name: str, yes: bool) -> None:
    """Write a funnel.toml for an export that has none, and prepare it.

    FILES are the files of the export, or a folder that holds them.
    """
    from funnelstats.recognising.init import init as recognise

    def ask(question: str, choices: list[str], default: str | None) -> str | None:
        if yes or not sys.stdin.isatty():
            return default
        kind = click.Choice(choices) if choices else str
        return str(click.prompt(question, type=kind, default=default, err=True))

    found = recognise(paths, name, ask)
    for message in found.told:
        say(message)
    if found.statement.open:
        raise FunnelError(
            "\n".join([*found.statement.open, f"answer in {found.shown}, then run  funnelstats prepare {found.name}"])
        )
    _prepare(found.name)
    say(f"next:  state the targets agreed in {found.shown}, then  funnelstats weekly {found.name}")


@app.command()
@_periods("week", "YYYY-Www")
@click.option("--fail-on", type=click.Choice(["red"]), help="Exit 3 on a red that the week before did not have.")
@click.option("--by", default="", metavar="COLUMN", help="A team's page too for each value of it, as region.")
def weekly(funnel: str, fail_on: str | None, **asked: Any) -> None:
    """Render the pages of a week: the team, every manager, the data check."""
    batch = _make(funnel, "week", team_needed=bool(fail_on), **asked)
    folder = batch.jobs[-1].target.parent
    _summarise(folder)
    if fail_on:
        _refuse_new_reds(folder)


@app.command()
@_periods("month", "YYYY-MM")
def monthly(funnel: str, **asked: Any) -> None:
    """Render the pages of a month: what became of marketing's leads, refusals."""
    _make(funnel, "month", **asked)


@app.command()
@_periods("quarter", "YYYY-Qn")
def quarterly(funnel: str, **asked: Any) -> None:
    """Render the pages of a quarter: what channels bring and cost."""
    _make(funnel, "quarter", **asked)


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
@_how
def report(
    notebook: str,
    funnel: str,
    parameter: tuple[tuple[str, str], ...],
    language: str,
    jobs: int | None,
    anonymise: bool,
) -> None:
    """Render one notebook of notebooks/ to reports/FUNNEL/NOTEBOOK."""
    given = [*parameter, *([("language", language)] if language else [])]
    names = [name for name, _ in given]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise FunnelError(f"-p {repeated[0]} is given twice; once is enough")
    start_importing()
    funnel = _named(funnel, anonymise)
    _prepare(funnel)
    from funnelstats.reporting.periods import report_batch

    batch = report_batch(notebook, funnel, dict(given))
    _render(funnel, batch, whole=False, jobs=jobs)


def _named(funnel: str, anonymise: bool) -> str:
    return stated_name(funnel) + ENDING if anonymise else funnel


def _prepare(funnel: str) -> None:
    from funnelstats.importing.opening import read_quality
    from funnelstats.importing.prepare import prepare
    from funnelstats.page.rules import cautions
    from funnelstats.reporting.console import account_of_rows

    made = prepare(funnel)
    quality = read_quality(funnel)
    say(f"data/processed/{funnel}: {'prepared' if made else 'unchanged'}")
    say(account_of_rows(quality))
    for warning in cautions(quality.facts):
        say("warning: " + warning.replace("\n", "\n    "))


def _make(
    funnel: str,
    unit: str,
    *,
    only: tuple[str, ...],
    jobs: int | None,
    anonymise: bool,
    team_needed: bool = False,
    **asked: str,
) -> Batch:
    """The pages of one or several periods."""
    # It imports for seconds, meanwhile the pages are told.
    start_importing()
    funnel = _named(funnel, anonymise)
    _prepare(funnel)
    from funnelstats.reporting.periods import period_batch

    batch = period_batch(funnel, unit, only=only, **asked)
    if team_needed and not any(job.notebook.stem == "weekly" for job in batch.jobs):
        raise FunnelError("--fail-on judges the team's page, which --only leaves out: add --only weekly")
    if not (asked["period"] or asked["first"] or asked["as_of"]):
        say(f"{batch.jobs[0].target.parent.name}: the last complete {unit}; the data reaches {batch.until}")
    _render(funnel, batch, whole=not only, jobs=jobs)
    return batch


def _render(funnel: str, batch: Batch, *, whole: bool, jobs: int | None) -> None:
    """Make pages, then the funnel's page of all; ends with exit 1 where one failed."""
    from funnelstats.config.funnel import read_funnel
    from funnelstats.reporting.overview import write_overview
    from funnelstats.reporting.reports import render_many

    for name in sorted({job.notebook.name for job in batch.jobs}):
        if told := notebook_in_use(project_root() / "notebooks" / name)[1]:
            say(f"notebooks: {told}")
    logging.getLogger("papermill").setLevel(logging.CRITICAL)
    with progress(batch.jobs) as tell:
        records = render_many(
            batch.jobs,
            title=batch.titles,
            inputs=batch.inputs,
            workers=jobs,
            whole=whole,
            tell=tell,
        )
    write_overview(read_funnel(funnel))
    say(str((batch.jobs[-1].target.parent / "index.html").relative_to(project_root())), err=False)
    if any(record.state == "failed" for record in records):
        raise SystemExit(1)


def _summarise(folder: Path) -> None:
    """Add the week to the summary of a run on GitHub, where there is one."""
    if not (summary := os.environ.get("GITHUB_STEP_SUMMARY")):
        return
    from funnelstats.reporting.summary import week_markdown

    address = [os.environ.get(f"GITHUB_{name}", "") for name in ("SERVER_URL", "REPOSITORY", "RUN_ID")]
    link = "{}/{}/actions/runs/{}#artifacts".format(*address) if all(address) else ""
    with open(summary, "a", encoding="utf-8") as file:
        file.write(week_markdown(folder, link))


def _refuse_new_reds(folder: Path) -> None:
    from funnelstats.reporting.overview import red_sentence
    from funnelstats.reporting.summary import new_reds

    if found := new_reds(folder):
        for row in found:
            say(f"new red: {red_sentence(row)}")
        raise SystemExit(3)


def _is_input(filename: Any) -> bool:
    """Whether a file is one that people put there, not one that a run makes."""
    with suppress(FunnelError, OSError, TypeError):
        inputs = [project_root() / "data" / "raw", project_root() / "notebooks"]
        return any(map(Path(filename).is_relative_to, inputs))
    return False


def main() -> None:
    """The command line, with mistakes as one message and without a traceback."""
    # Who ends a run from outside gets what Ctrl-C gets: pages in the making ended, no half page left.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        app(standalone_mode=False)
    except FunnelError as error:
        say(str(error))
        sys.exit(2)
    except click.UsageError as error:
        shown = io.StringIO()
        error.show(shown)
        say(shown.getvalue().rstrip())
        sys.exit(2)
    except OSError as error:
        say(f"{error.filename or 'the run'}: {error.strerror or error}")
        sys.exit(2 if _is_input(error.filename) else 1)
    except MemoryError:
        say("the run: there is too little memory")
        sys.exit(1)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        sys.exit(130)
