"""What all tests begin with; in a docstring's example the names of its room's notebook, on the sample."""

import ast
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import nbformat
import pytest

NOTEBOOKS = {
    "leads": "manager",
    "contacts": "manager",
    "refusals": "refusals",
    "loop": "closed_loop",
    "money": "roi",
    "plan": "plan",
}
"""The notebook of a room; the others' is weekly."""
SHARED = TemporaryDirectory(prefix="doctests-")


@pytest.fixture(autouse=True)
def english() -> None:
    """Each test begins in English, whatever language the one before it ended in."""
    from funnelstats.config.words import speak

    speak("en")


@pytest.fixture
def doctest_namespace(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    from funnelstats.config.folders import RUN_FOLDER

    asked = _names(ast.parse("".join(example.source for example in request.node.dtest.examples)), ast.Load)
    if "fs" not in asked:
        return {}
    lines, named = notebook(NOTEBOOKS.get(request.node.name.split(".")[1], "weekly"))
    needed = []
    for line in reversed(lines):
        if isinstance(line, ast.Import) or _names(line, ast.Store) & asked:
            needed.append(line)
            asked |= _names(line, ast.Load)
    monkeypatch.setenv(RUN_FOLDER, SHARED.name)
    for line in reversed(needed):
        if not hasattr(line, "done"):
            exec(compile(ast.Module([line], []), "<notebook>", "exec"), named)
            line.done = True
    return named


@cache
def notebook(name: str) -> tuple[list[ast.stmt], dict[str, Any]]:
    """The lines of a notebook that name something, and what those that ran have named."""
    from funnelstats.importing.prepare import prepare

    prepare("sample")
    cells = nbformat.read(Path(__file__).parent / "notebooks" / f"{name}.ipynb", as_version=4).cells
    code = [ast.parse(cell.source).body for cell in cells if cell.cell_type == "code"]
    return [line for body in code for line in body if not isinstance(line, ast.Expr)], {}


def _names(tree: ast.AST, how: type[ast.expr_context]) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, how)}
