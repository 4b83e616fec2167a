"""A project of a few rows in the working folder: `data/raw/team` with a funnel.toml, prepared and read back."""

import ast
import io
import json
import shutil
from pathlib import Path

import nbformat
import openpyxl
import pandas as pd
import pytest

from funnelstats.config.errors import FunnelError
from funnelstats.importing.prepare import prepare
from funnelstats.reporting.titles import LABEL_WORDS

NAME = "team"
RAW = Path("data", "raw", NAME)
PROCESSED = Path("data", "processed", NAME)
REPOSITORY = Path(__file__).parents[1]
PAGES = sorted(REPOSITORY / "notebooks" / f"{name}.ipynb" for name in LABEL_WORDS)
"""The notebooks that become pages; the others are for analysts alone."""
SHARED = REPOSITORY.parent / "shared" / "data"

FUNNEL = """
title = "Team"
timezone = "Europe/Moscow"
currency = "EUR"
stages = ["lead", "met", "paid"]
step_into = { met = { horizon_days = 14 }, paid = { horizon_days = 30 } }
"""
LEADS = """
[leads]
files = ["leads.csv"]
columns = { lead_id = "id", created_at = "created" }
"""
ENTRIES = """
[[entries]]
files = ["entries.csv"]
columns = { lead_id = "id", stage = "stage", entered_at = "at" }
"""
TOML = FUNNEL + LEADS + ENTRIES
FILES = {
    "leads.csv": "id,created\na,2026-01-05\nb,2026-01-06\n",
    "entries.csv": "id,stage,at\na,lead,2026-01-05\na,met,2026-01-09\nb,lead,2026-01-06\n",
}


def source(table, files, *lines, **columns):
    """The statement of a source: its table, its files, which column is which of ours, and further lines.

    Several sources of a table are stated as "[payments]".
    """
    named = ", ".join(f'{ours} = "{theirs}"' for ours, theirs in columns.items())
    head = [f"[{table}]", f'files = "{files}"', f"columns = {{ {named} }}"]
    return "\n" + "\n".join([*head, *lines]) + "\n"


def stage_source(name, files, *lines, **columns):
    """The statement of a source of the entries of one stage."""
    return source("[entries]", files, f'stage = "{name}"', *lines, **columns)


COLUMN_STAGE = stage_source("met", "leads.csv", lead_id="id", entered_at="first_meeting")
"""A second source of entries: a column of dates in the leads' own file."""


def write(toml=TOML, files=None, name=NAME):
    """The funnel's folder with this statement and the toy's files, some of them replaced or added."""
    folder = Path("data", "raw", name)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "funnel.toml").write_text(toml, encoding="utf-8")
    for file, content in {**FILES, **(files or {})}.items():
        data = content if isinstance(content, bytes) else content.encode()
        (folder / file).write_bytes(data)
    return folder


def prepared(toml=TOML, files=None):
    """The canonical tables, as frames, of a project written and prepared."""
    write(toml, files)
    prepare(NAME)
    return tables()


def refused(toml=TOML, files=None):
    """What is said of a project that cannot be prepared."""
    with pytest.raises(FunnelError) as told:
        prepared(toml, files)
    return str(told.value)


def account(table="leads"):
    """What preparation counted of a table."""
    return json.loads((PROCESSED / "quality.json").read_text(encoding="utf-8"))["tables"][table]


def workbook(*, epoch=None, **sheets):
    """The bytes of a workbook with these rows in sheets by name; one whose name ends in _hidden is hidden."""
    made, room = openpyxl.Workbook(), io.BytesIO()
    made.epoch = epoch or made.epoch
    made.remove(made.active)
    for name, rows in sheets.items():
        sheet = made.create_sheet(name.removesuffix("_hidden"))
        sheet.sheet_state = "hidden" if name.endswith("_hidden") else "visible"
        for row in rows:
            sheet.append([*row])
    made.save(room)
    return room.getvalue()


def tables(name=NAME):
    """The prepared frames by name, `set_aside` among them."""
    folder = Path("data", "processed", name)
    return {path.stem: pd.read_parquet(path) for path in sorted(folder.glob("*.parquet"))}


def copied(name, source):
    """A committed funnel.toml with the files of a folder of the shared data beside it."""
    if not (SHARED / source).is_dir():
        pytest.skip(f"../shared/data/{source} absent")
    folder = Path("data", "raw", name)
    folder.mkdir(parents=True)
    # Whoever tries the example has its files there too; none of them counts here.
    for path in [REPOSITORY / "data" / "raw" / name / "funnel.toml", *(SHARED / source).iterdir()]:
        if path.is_file():
            shutil.copyfile(path, folder / path.name)
    return folder


PARAMETERS = 'who = "Anna"\nweeks = 13\nshare = 0.5\nstrict = False\nfault = ""'


def write_notebook(path, cells, parameters=PARAMETERS):
    """A notebook of a heading, parameters and cells of code, not executed."""
    code = [nbformat.v4.new_code_cell(source, id=f"c{i}") for i, source in enumerate([parameters, *cells])]
    code[0].metadata["tags"] = ["parameters"]
    heading = nbformat.v4.new_markdown_cell("# Who is to be called?", id="words")
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(nbformat.v4.new_notebook(cells=[heading, *code], metadata={"kernelspec": kernel}), path)
    return path


def page_of(name, *, shows=True, **parameters):
    """What a notebook computes by its own cells, by name; its sections in words; and all that it shows.

    The cells run as plain code with these parameters; those that show something may be left out.
    """
    room, sections, shown = {}, {}, []
    for cell in nbformat.read(REPOSITORY / "notebooks" / f"{name}.ipynb", as_version=4).cells:
        tree = ast.parse(cell.source)
        last = tree.body.pop().value if isinstance(tree.body[-1], ast.Expr) else None
        if last and not shows:
            continue
        exec(compile(tree, name, "exec"), room)
        room |= parameters if "parameters" in cell.metadata.get("tags", ()) else {}
        if last:
            shown.append(eval(compile(ast.Expression(last), name, "eval"), room))
            if ast.unparse(last.func) == "fs.show_section":
                sections[last.args[0].value.partition(".")[2]] = shown[-1].data["text/plain"]
    return room, sections, shown
