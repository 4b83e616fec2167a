"""Which module may use which library, modules short enough to read, no clock and no print; rooms: pyproject.toml."""

import ast
from fnmatch import fnmatch
from inspect import isfunction, ismodule
from pathlib import Path

import pytest

import funnelstats

PACKAGE = Path(funnelstats.__file__).parent
TREES = {
    str(path.relative_to(PACKAGE).with_suffix("")): ast.parse(path.read_text(encoding="utf-8"))
    for path in sorted(PACKAGE.rglob("*.py"))
}
MAY_IMPORT = {
    "ibis": ["importing/*", "core/journeys", "core/shared", "*/counts", "*/*_counts", "weekly"],
    "matplotlib": ["page/figures", "*/charts"],
    "seaborn": ["*/charts"],
    "papermill": ["reporting/*"],
    "nbconvert": ["reporting/*"],
    "nbformat": ["reporting/*"],
    "click": ["cli", "reporting/console"],
    "time": ["reporting/*", "config/folders"],
}
"""Where a library may be imported; a query runs only where counts are made."""

LONGEST = 400
CLOCKS = {"now", "utcnow", "today", "localtime", "gmtime", "time"}


def imported(tree):
    """Every library that is imported anywhere in a module, inside functions and for type checkers too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            yield (node.module or "").split(".")[0]


def clock_calls(tree):
    """Calls that ask which time it is: datetime.now(), date.today(), time.time(), Timestamp("now")."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        if isinstance(node.func, ast.Attribute) and node.func.attr in CLOCKS:
            # a date's own .time(), a column's .time(): with something of that day before the dot
            owner = ast.unparse(node.func.value)
            if node.func.attr != "time" or owner == "time":
                yield f"{owner}.{node.func.attr}()"
        words = [word.value for word in node.args if isinstance(word, ast.Constant)]
        if {"now", "today"} & {word for word in words if isinstance(word, str)}:
            yield ast.unparse(node)


@pytest.mark.parametrize("library", MAY_IMPORT)
def test_only_its_own_modules_import_a_library(library) -> None:
    importers = [module for module, tree in TREES.items() if library in imported(tree)]
    assert importers
    assert [module for module in importers if not any(fnmatch(module, home) for home in MAY_IMPORT[library])] == []


def test_an_import_inside_a_function_would_be_seen() -> None:
    assert "ibis" in imported(ast.parse("def f():\n    import ibis.expr.types as ir"))


def test_no_module_is_too_long_to_read() -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in PACKAGE.rglob("*.py")}
    assert {path: count for path, count in lengths.items() if count > LONGEST} == {}


def test_nothing_asks_which_day_it_is() -> None:
    assert {module: found for module, tree in TREES.items() if (found := list(clock_calls(tree)))} == {}


@pytest.mark.parametrize("source", ["datetime.now()", "date.today()", "time.time()", 'pd.Timestamp("now")'])
def test_a_look_at_the_clock_would_be_seen(source) -> None:
    assert list(clock_calls(ast.parse(source)))


def test_nothing_is_printed_but_by_the_commands() -> None:
    printing = {
        module
        for module, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    }
    assert printing == set()


def test_every_public_name_is_there_and_few_enough_to_be_completed() -> None:
    assert len(funnelstats.__all__) <= 120
    for name in funnelstats.__all__:
        assert getattr(funnelstats, name) is not None
    assert {"journeys", "team", "weekly"} <= {*dir(funnelstats)}


def test_every_module_begins_with_a_sentence_on_what_it_is_for() -> None:
    docs = {module: (ast.get_docstring(tree) or "").splitlines()[:1] for module, tree in TREES.items()}
    assert {module for module, lines in docs.items() if not lines or lines[0].rstrip()[-1:] not in ".:;,"} == set()


def test_every_public_function_has_an_example_that_is_executed() -> None:
    rooms = {name: getattr(funnelstats, name) for name in funnelstats.__all__}
    homes = [funnelstats, *(room for room in rooms.values() if ismodule(room))]
    verbs = {
        f"{home.__name__}.{name}": verb
        for home in homes
        for name in getattr(home, "__all__", vars(home))
        if isfunction(verb := getattr(home, name)) and not name.startswith("_")
    }
    assert len(verbs) > 200
    assert [name for name, verb in verbs.items() if ">>> " not in verb.__doc__] == []
