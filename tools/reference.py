"""What every page says, as text, to be compared before and after a change that should change nothing.

    python tools/reference.py OUT [EVERY]

makes each page of the sample (the team, every manager and the data check of all weeks, or of one week in EVERY;
months, quarters, the plan, the leaks of each step) and, where ../shared/data is there, of Olist, Maven and Receipt.
Each page becomes one file of OUT: the sentences, tables and drawn numbers of its cells. `digests.txt` has a line
for each. Two references are compared by `diff -r`; nothing is printed where they are equal.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY / "tests"))

import nbformat  # noqa: E402
from projects import SHARED, copied  # noqa: E402

from funnelstats.config.folders import RUN_FOLDER, WHOLE_RUN  # noqa: E402
from funnelstats.importing.opening import open_funnel  # noqa: E402
from funnelstats.importing.prepare import prepare  # noqa: E402
from funnelstats.reporting.periods import UNITS, asked_periods, covered_days, period_batch, report_batch  # noqa: E402  # noqa: E402
from funnelstats.reporting.reports import Job  # noqa: E402

PARTS = ("text/plain", "application/vnd.funnelstats.table+json")


def main(out: Path, every: int = 1) -> None:
    """Write the reference."""
    out = out.resolve()
    with tempfile.TemporaryDirectory() as project:
        os.chdir(project)
        os.symlink(REPOSITORY / "notebooks", "notebooks")
        # what the pages of a week share is made once
        os.environ[RUN_FOLDER] = os.environ[WHOLE_RUN] = str(Path("shared").resolve())
        Path("shared").mkdir()
        asked = [(out, job) for job in jobs(every)]
        with get_context("spawn").Pool(os.cpu_count(), maxtasksperchild=50) as pool:
            digests = sorted(pool.imap_unordered(page, asked))
    (out / "digests.txt").write_text("".join(f"{digest}  {name}\n" for name, digest in digests))
    print(f"{len(digests)} pages in {out}")


def jobs(every: int) -> Iterator[Job]:
    """Every page of every funnel that is there."""
    for name, source in {"sample": None, "olist": "olist", "maven_crm": "maven_crm", "receipt": "receipt"}.items():
        if source is None:
            raw = Path("data", "raw", name)
            raw.parent.mkdir(parents=True)
            os.symlink(REPOSITORY / raw, raw)
        elif (SHARED / source).is_dir():
            copied(name, source)
        else:
            print(f"{SHARED / source} is absent: no pages of {name}", file=sys.stderr)
            continue
        prepare(name)
        yield from of_funnel(name, every)


def of_funnel(name: str, every: int) -> Iterator[Job]:
    """The pages of one funnel: all complete periods, then those of no period."""
    funnel, tables = open_funnel(name)
    first, last = covered_days(funnel, tables)
    for unit, kind in UNITS.items():
        if kind.of(first) > kind.last_complete(last):
            continue
        periods = asked_periods(unit, "", kind.of(first), "", "", funnel, tables)
        for period in periods[::-1][:: every if unit == "week" else 1]:
            yield from period_batch(name, unit, period=period).jobs
    yield from report_batch("plan", name, {"deals": "20", "by": "2026-09-30"} if name == "sample" else {}).jobs
    for step in funnel.stages[1:]:
        yield from report_batch("leaks", name, {"step": step}).jobs


def page(asked: tuple[Path, Job]) -> tuple[str, str]:
    """Execute one page's cells and write what they show; the page's name and digest."""
    out, job = asked
    path = out / job.target.parent.parent.name / job.target.parent.name / f"{job.target.stem}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "\n\n".join(shown(job))
    path.write_text(text, encoding="utf-8")
    return str(path.relative_to(out)), hashlib.sha256(text.encode()).hexdigest()[:16]


def shown(job: Job) -> Iterator[str]:
    """What each cell of a page shows, as text."""
    names: dict[str, Any] = {}
    for number, cell in enumerate(nbformat.read(job.notebook, as_version=4).cells):
        if cell.cell_type != "code":
            continue
        *statements, last = ast.parse(cell.source).body
        try:
            if not isinstance(last, ast.Expr):
                exec(compile(cell.source, job.notebook.name, "exec"), names)
                names |= job.parameters if "parameters" in cell.metadata.get("tags", []) else {}
                continue
            exec(compile(ast.Module(statements, []), job.notebook.name, "exec"), names)
            output = eval(compile(ast.Expression(last.value), job.notebook.name, "eval"), names)
        except Exception as error:
            yield f"[{number}] {type(error).__name__}: {error}"
            return
        data, _metadata = output._repr_mimebundle_()
        yield f"[{number}] " + "\n".join(as_text(data[part]) for part in PARTS if part in data)


def as_text(part: Any) -> str:
    """Text as it is, data as JSON."""
    return part if isinstance(part, str) else json.dumps(part, ensure_ascii=False, indent=0, sort_keys=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
