"""The folder of a run as its readers find it: whole pages of this run, never half a page or an old one."""

import errno
import json
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from funnelstats.config.folders import locked
from funnelstats.page.workbook import csv_text, xlsx
from funnelstats.reporting.pages import linked, site_page
from funnelstats.reporting.restated import with_restated

_CSV_LINK = re.compile(r'(<a class="fs-csv" href=")([a-z0-9_-]+\.csv")')


def open_folder(folder: Path) -> dict[str, Any]:
    """What the folder's last run.json says of its pages, by file name; makes a missing folder."""
    folder.mkdir(parents=True, exist_ok=True)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, "cannot be written to", str(folder))
    return dict(read_run(folder).get("pages", {}))


def publish(target: Path, html: str, tables: Mapping[str, Mapping[str, Any]], part: Path) -> None:
    """Put the page and its tables in place, the page last; ``part`` is a folder on the same disk.

    The tables are a CSV each and one XLSX together, named after the page.
    """
    # Excel takes a CSV for UTF-8 only with this mark.
    files = {f"{target.stem}.{name}.csv": ("\ufeff" + csv_text(table)).encode() for name, table in tables.items()}
    if tables:
        files[f"{target.stem}.xlsx"] = xlsx(tables)
    # A notebook does not know what its page will be called.
    html = _CSV_LINK.sub(lambda link: f"{link[1]}{quote(target.stem)}.{link[2]}", html)
    html = linked(html, target.parent)
    for name, content in {**files, target.name: html.encode()}.items():
        (part / name).write_bytes(content)
    # Of two runs at once the page and the tables of the later one stay, never one's page beside the other's tables.
    with locked(target.parent):
        for path in _tables(target):
            if path.name not in files:
                path.unlink(missing_ok=True)
        for name in (*files, target.name):
            os.replace(part / name, target.with_name(name))
        _clear_failed(target)


def unpublish(target: Path) -> None:
    """Remove a page and its tables, so that no old numbers stand under a new date."""
    for path in (target, *_tables(target)):
        path.unlink(missing_ok=True)


def set_aside(target: Path, reason: str, executed: Path | None = None) -> None:
    """Take the page away and keep the reason, and its failed notebook where there is one, under ``_failed``."""
    with suppress(OSError), locked(target.parent):
        unpublish(target)
        failed = target.parent / "_failed"
        failed.mkdir(exist_ok=True)
        (failed / f"{target.stem}.txt").write_text(reason + "\n", encoding="utf-8")
        if executed and executed.exists():
            os.replace(executed, failed / f"{target.stem}.ipynb")


def close_folder(
    folder: Path,
    pages: Mapping[str, Mapping[str, Any]],
    *,
    title: str | Mapping[Path, str],
    inputs: Mapping[str, str],
    versions: Mapping[str, str],
    whole: bool,
) -> None:
    """Write run.json and, last of all, index.html with links to every page the folder then has.

    ``pages`` are this run's, by file name; an unchanged one keeps what is known of it, one made again also what it
    said before. Pages of earlier runs stay listed while their file is there, unless ``whole``: then they are removed.
    ``title`` heads the index; a mapping has one for each folder.
    """
    with locked(folder):
        run = read_run(folder)
        known = run.get("pages", {})
        merged = {
            name: known[name] | {"state": "made"}
            if page["state"] == "unchanged"
            else with_restated(page, known.get(name, {}), inputs)
            for name, page in pages.items()
        }
        others = {name: page for name, page in known.items() if name not in pages}
        if whole:
            for name in others:
                unpublish(folder / name)
                _clear_failed(folder / name)
        else:
            there = {n: page for n, page in others.items() if page["state"] == "failed" or (folder / n).is_file()}
            order = [*known, *merged]
            merged = {name: (merged | there)[name] for name in dict.fromkeys(order) if name in merged | there}
        heading = (title if isinstance(title, str) else title.get(folder, "")) or run.get("title", "") or folder.name
        content = {
            "title": heading,
            "versions": dict(versions),
            "inputs": dict(inputs) or run.get("inputs", {}),
            "pages": merged,
        }
        replace_text(folder / "run.json", json.dumps(content, ensure_ascii=False, indent=1, default=str) + "\n")
        links = [
            {key: page[key] for key in ("section", "label", "state")}
            | {"href": name, "workbook": f"{Path(name).stem}.xlsx" if page["tables"] else ""}
            | {"finding": _finding(page)}
            for name, page in merged.items()
        ]
        languages = [page["language"] for page in merged.values()]
        names = list(dict.fromkeys(link["section"] for link in links))
        sections = [(name, [link for link in links if link["section"] == name]) for name in names]
        # A run of periods heads each of its folders, and is followed by a page of all of them above.
        up = "" if isinstance(title, str) else "../index.html"
        html = site_page(
            "overview.html.j2", languages[0] if languages else "en", sections=sections, title=heading, up=up
        )
        replace_text(folder / "index.html", html)


def _finding(page: Mapping[str, Any]) -> str:
    """What a page begins with, where that says more than its label and is not for one manager's eyes."""
    first: str = next(iter(page.get("sentences", [])), "")
    return "" if "manager" in page["parameters"] or first == page["label"] else first


def read_run(folder: Path) -> dict[str, Any]:
    try:
        run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        return run if isinstance(run["pages"], dict) else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _tables(target: Path) -> list[Path]:
    mine = re.compile(rf"{re.escape(target.stem)}\.([\w-]+\.csv|xlsx)")
    return [path for path in target.parent.iterdir() if mine.fullmatch(path.name)]


def _clear_failed(target: Path) -> None:
    failed = target.parent / "_failed"
    for suffix in (".ipynb", ".txt"):
        (failed / f"{target.stem}{suffix}").unlink(missing_ok=True)
    with suppress(OSError):
        failed.rmdir()


def replace_text(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_text(text, encoding="utf-8")
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
