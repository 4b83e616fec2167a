"""The page of all pages of a funnel: weeks by managers, months, quarters, what was restated; that of all funnels."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from funnelstats.config.dates import parse_day
from funnelstats.config.errors import FunnelError
from funnelstats.config.folders import locked, project_root
from funnelstats.config.funnel import Funnel
from funnelstats.config.words import _, counted, day, number, percent, spoken, step_name
from funnelstats.page.layout import UNKNOWN
from funnelstats.page.tables import LONG, VERDICT_MARKS
from funnelstats.reporting.pages import linked, site_page
from funnelstats.reporting.periods import UNITS
from funnelstats.reporting.publishing import read_run, replace_text
from funnelstats.reporting.restated import fresh_reds
from funnelstats.reporting.titles import notebook_label, period_words

TEAM_PAGE = f"{UNITS['week'].pages[0].name}.html"
FEW_PAGES = 3
ALARMS = ("red", "amber")


def write_overview(funnel: Funnel) -> Path:
    """Write ``reports/<funnel>/index.html`` from the run.json of every folder beside it, and return its path.

    Links between the funnel's pages then lead to all the pages there are, and ``reports/index.html`` to all funnels.
    """
    folder = project_root() / "reports" / funnel.name
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(folder.glob("*/*.html")):
        with locked(path.parent):
            html = path.read_text(encoding="utf-8")
            if (now := linked(html, path.parent)) != html:
                replace_text(path, now)
    # Held from reading to writing: a run that ends meanwhile writes a page that knows both.
    with locked(folder):
        runs = {path.name: run for path in sorted(folder.glob("[!._]*/")) if (run := read_run(path))}
        replace_text(folder / "index.html", weeks_html(runs, funnel))
    with locked(folder.parent):
        newest = {
            path.name: run for path in sorted(folder.parent.iterdir()) if path.is_dir() and (run := _newest(path))
        }
        replace_text(folder.parent / "index.html", funnels_html(newest))
    return folder / "index.html"


def weeks_html(runs: Mapping[str, Mapping[str, Any]], funnel: Funnel) -> str:
    """The page of a funnel's runs by the names of their folders, newest week first, in the language spoken."""
    units = {name: _unit(name) for name in runs}
    newest = list(runs)[::-1]
    weeks = [name for name in newest if units[name] == "week"]
    managers = _managers([runs[name] for name in weeks])
    return site_page(
        "weeks.html.j2",
        spoken(),
        title=funnel.title,
        managers=managers,
        weeks=[_week(name, runs[name], managers) for name in weeks],
        latest=_latest(weeks[0], runs) if weeks else None,
        restated=[block for name in weeks for block in _restatements(name, runs[name])],
        long=LONG,
        links=[
            (heading, [_link(name, runs[name]) for name in newest if units[name] == unit])
            for heading, unit in ((_("Months"), "month"), (_("Quarters"), "quarter"), (_("Other pages"), ""))
        ],
    )


def _newest(folder: Path) -> dict[str, Any]:
    """The run of a funnel's newest week, of another of its folders where no week was made; {} where nothing was."""
    names = [path.parent.name for path in sorted(folder.glob("[!._]*/run.json"))]
    weeks = [name for name in names if _unit(name) == "week"]
    return read_run(folder / (weeks or names)[-1]) if names else {}


def funnels_html(newest: Mapping[str, Mapping[str, Any]]) -> str:
    """The page of all funnels by the names of their folders: the newest week's first line and the team's steps."""
    return site_page("funnels.html.j2", spoken(), funnels=[_funnel(name, run) for name, run in newest.items()])


def _funnel(name: str, run: Mapping[str, Any]) -> dict[str, Any]:
    page = verdict_page(run)
    steps = [row for row in page.get("verdicts", []) if not row["manager"]]
    return {
        "title": run["title"],
        "href": f"{quote(name)}/index.html",
        "headline": next(iter(page.get("sentences", [])), ""),
        "steps": [{"name": _step(row), **_told(row)} for row in steps],
    }


def _unit(name: str) -> str:
    """Which kind of period a folder is of; "" for none."""
    for unit, kind in UNITS.items():
        try:
            kind.days(name)
        except FunnelError:
            continue
        return unit
    return ""


def verdict_page(run: Mapping[str, Any]) -> Mapping[str, Any]:
    """The entry of a week's page of the team, which holds its verdicts; {} where there is none."""
    found: Mapping[str, Any] = run.get("pages", {}).get(TEAM_PAGE, {})
    return found


def _managers(runs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Whoever was judged in any week, or has a page."""
    judged = {
        row["manager"]
        for run in runs
        for row in verdict_page(run).get("verdicts", [])
        if row["manager"] and row["verdict"] in VERDICT_MARKS
    }
    return sorted(judged | {name for run in runs for name in _own_pages(run)})


def _own_pages(run: Mapping[str, Any]) -> dict[str, str]:
    """File name by manager."""
    pages = run.get("pages", {}).items()
    return {page["parameters"]["manager"]: file for file, page in pages if "manager" in page["parameters"]}


def _latest(name: str, runs: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """What the head says of the newest week: its sentences to act on, its new reds, and where the rest stands."""
    week = UNITS["week"]
    first, last = week.days(name)
    page, before = (verdict_page(runs.get(asked, {})) for asked in (name, week.of(first - timedelta(days=1))))
    return {
        "days": period_words("week", first, last),
        "sentences": page.get("sentences", []),
        "new": [red_sentence(row) for row in fresh_reds(page.get("verdicts", []), before.get("verdicts", []))]
        if before
        else [],
        "href": f"{quote(name)}/{TEAM_PAGE}" if _is_made(runs[name], TEAM_PAGE) else "",
    }


def red_sentence(row: Mapping[str, Any]) -> str:
    """Who is red at which step, at what rate."""
    return f"{row['manager'] or _('The team')}: {_step(row)}, {percent(row['rate'])}"


def _week(name: str, run: Mapping[str, Any], managers: Sequence[str]) -> dict[str, Any]:
    """A row: the week, its days, and a cell for the team and each manager."""
    page = verdict_page(run)
    files = {**({"": TEAM_PAGE} if page else {}), **_own_pages(run)}
    first, last = UNITS["week"].days(name)
    as_of = str(page.get("parameters", {}).get("as_of", "")) or str(last)
    cells = [cell for change in page.get("restated", []) for cell in change["cells"]]
    turned = {cell["manager"] for cell in cells if _verdict_of(cell["was"]) != _verdict_of(cell["is"])}
    rows: dict[str, list[Mapping[str, Any]]] = {}
    for row in page.get("verdicts", []):
        rows.setdefault(row["manager"], []).append(row)
    return {
        "name": name,
        "href": f"{quote(name)}/index.html",
        "days": period_words("week", first, last),
        "as_of": _("as of {day}").format(day=day(parse_day(as_of))) if as_of != str(last) else "",
        "changed": bool(cells),
        "cells": [
            {
                "href": f"{quote(name)}/{quote(files[who])}" if _is_made(run, files.get(who, "")) else "",
                "failed": bool(files.get(who)) and not _is_made(run, files[who]),
                "lines": _lines(rows.get(who, [])),
                "turned": who in turned,
            }
            for who in ("", *managers)
        ],
    }


def _is_made(run: Mapping[str, Any], file: str) -> bool:
    return run["pages"].get(file, {}).get("state") == "made"


def _lines(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """What a cell says: each alarm with its steps; where there is none, how many steps have which verdict."""
    steps = {verdict: [row for row in rows if row["verdict"] == verdict] for verdict in VERDICT_MARKS}
    shown = [verdict for verdict in ALARMS if steps[verdict]] or sorted(steps, key=lambda verdict: -len(steps[verdict]))
    return [
        {
            "verdict": verdict.replace(" ", "-"),
            "mark": VERDICT_MARKS[verdict],
            "word": _(verdict),
            "about": ", ".join(_step(row) for row in steps[verdict])
            if verdict in ALARMS
            else counted("{n} step", "{n} steps", len(steps[verdict])).format(n=len(steps[verdict])),
        }
        for verdict in shown
        if steps[verdict]
    ]


def _step(row: Mapping[str, Any]) -> str:
    return step_name(row["from_stage"], row["to_stage"])


def _link(name: str, run: Mapping[str, Any]) -> dict[str, Any]:
    failed = any(page["state"] == "failed" for page in run["pages"].values())
    labels = [page["label"] for page in run["pages"].values()]
    about = "; ".join(labels if len(labels) <= FEW_PAGES else [run.get("title", "")])
    unit = _unit(name)
    called = period_words(unit, *UNITS[unit].days(name)) if unit else notebook_label(name)
    return {"label": called, "about": about, "href": f"{quote(name)}/index.html", "failed": failed}


def _restatements(name: str, run: Mapping[str, Any]) -> list[dict[str, Any]]:
    """For each time a week was made again with other numbers: a sentence why, and the cells, changed verdicts first."""
    blocks = []
    for change in reversed(verdict_page(run).get("restated", [])):
        cells = sorted(change["cells"], key=lambda cell: _verdict_of(cell["was"]) == _verdict_of(cell["is"]))
        turned = sum(_verdict_of(cell["was"]) != _verdict_of(cell["is"]) for cell in cells)
        numbers = counted("{n} number changed", "{n} numbers changed", len(cells)).format(n=number(len(cells)))
        verdicts = counted("{n} verdict", "{n} verdicts", turned).format(n=number(turned))
        rows = [
            {
                "who": cell["manager"] or _("The team"),
                "step": _step(cell),
                "was": _told(cell["was"]),
                "is": _told(cell["is"]),
            }
            for cell in cells
        ]
        why = "; ".join(reason_sentence(reason) for reason in change["why"])
        blocks.append({"week": name, "numbers": numbers, "verdicts": verdicts, "why": why, "rows": rows})
    return blocks


def _verdict_of(step: Mapping[str, Any] | None) -> str:
    return step["verdict"] if step else ""


def _told(step: Mapping[str, Any] | None) -> dict[str, str]:
    """A cell's words, number and verdict apart."""
    if step is None:
        return {"words": UNKNOWN, "mark": "", "word": "", "verdict": ""}
    rate = (
        _("{rate} of {n}").format(rate=percent(step["rate"], 1), n=number(step["entered"]))
        if step["rate"] is not None
        else ""
    )
    verdict = step["verdict"]
    known = {"mark": VERDICT_MARKS.get(verdict, ""), "word": _(verdict), "verdict": verdict.replace(" ", "-")}
    return {"words": rate or _("no rate"), **known}


def reason_sentence(reason: Mapping[str, Any]) -> str:
    """Why numbers changed, in a few words."""
    rows = int(reason.get("rows", reason.get("weeks", 0)))
    words = {
        "as_of": _("told as of {to}, before as of {before}"),
        "late": counted("{n} row of {table} came in late", "{n} rows of {table} came in late", rows),
        "gone": counted("{n} row of {table} is gone", "{n} rows of {table} are gone", rows),
        "changed": counted("rows of {table} changed in {n} week", "rows of {table} changed in {n} weeks", rows),
        "statement": _("funnel.toml was changed"),
        "program": _("the notebook or the program was changed"),
        "unknown": _("the reason is not known"),
    }[reason["reason"]]
    days = {key: day(parse_day(reason[key])) if reason.get(key) else UNKNOWN for key in ("from", "to")}
    return words.format(n=number(rows), table=reason.get("table", ""), to=days["to"], before=days["from"])
