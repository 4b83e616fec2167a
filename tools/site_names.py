"""Fills two pages: `docs/api.md` with every public name and its docstring, `docs/gallery.md` with the charts."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import griffe

PACKAGE = Path(__file__).parents[1] / "funnelstats"
ROOMS = ("team", "leads", "contacts", "refusals", "loop", "money", "plan")


def imported(path: Path) -> Iterator[str]:
    """Where the functions and classes are defined that a module of public names imports; its constants left out."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom) and node.module:
            home = node.module if node.module.startswith("funnelstats.") else f"funnelstats.{node.module}"
            yield from (f"{home}.{alias.name}" for alias in node.names if not alias.name.isupper())


def charts() -> Iterator[str]:
    """Each chart of the committed notebooks below the line that draws it."""
    for path in sorted((PACKAGE.parent / "notebooks").glob("*.ipynb")):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            for output in cell.get("outputs", []):
                html = "".join(output.get("data", {}).get("text/html", ""))
                if '<figure class="fs-figure"' in html:
                    yield f"```python\n{''.join(cell['source']).splitlines()[-1]}\n```"
                    yield html.replace("\n", " ")


def on_page_markdown(markdown: str, page: Any, **_options: Any) -> str:
    """What mkdocs calls for every page."""
    if page.file.src_uri == "gallery.md":
        return "\n\n".join([markdown, *charts()])
    if page.file.src_uri != "api.md":
        return markdown
    rooms = {"fs": PACKAGE / "__init__.pyi", **{f"fs.{room}": PACKAGE / room / "__init__.py" for room in ROOMS}}
    parts = [markdown]
    for title, path in rooms.items():
        parts += [f"## {title}", *(f"::: {name}" for name in imported(path))]
    return "\n\n".join(parts)


class Examples(griffe.Extension):
    """Shows what a docstring executes as code: paragraphs that begin with >>>."""

    def on_instance(self, *, obj: griffe.Object, **_options: Any) -> None:
        if obj.docstring:
            text = obj.docstring.value
            obj.docstring.value = re.sub(r"^(>>> .*(?:\n.+)*)", r"```pycon\n\1\n```", text, flags=re.M)
