"""Who may import what, in one direction; modules short enough to read; no clock and no print in the package."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "funnelstats"
TREES = {
    path.stem: ast.parse(path.read_text(encoding="utf-8"))
    for path in sorted(PACKAGE.rglob("*.py"))
    if path.name != "__init__.py"
}
HOMES = {path.stem: path.parent.name for path in PACKAGE.glob("*/*.py")}

LAYERS = ["stated", "reading", "counting", "statistics", "showing", "reporting"]


def order_of(layer):
    """The modules of a layer in the order its docstring states."""
    text = ast.get_docstring(ast.parse((PACKAGE / layer / "__init__.py").read_text(encoding="utf-8")))
    return " ".join(text.split("Read in this order:")[1].split()).rstrip(".").split(", ")


READING_ORDER = [*(module for layer in LAYERS for module in order_of(layer)), "cli"]

MAY_IMPORT = {
    ("ibis",): {
        "stored",
        "cells",
        "mapping",
        "strays",
        "too_many",
        "doubts",
        "canonical",
        "outliers",
        "shapes",
        "repeats",
        "spelling",
        "currencies",
        "ends_told",
        "quality",
        "sources",
        "opening",
        "shared",
        "journeys",
        "counts",
        "flows",
        "sensitivity",
        "money",
        "pipeline",
        "ends",
        "handover",
        "wins",
        "records",
        "channel_paths",
        "base_counts",
        "touches",
        "firsts",
        "ownleads",
        "drill",
    },
    ("matplotlib", "seaborn"): {
        "figures",
        "panels",
        "charts",
        "plan_charts",
        "money_charts",
        "reason_charts",
        "contact_charts",
    },
    ("papermill", "IPython", "nbclient", "nbconvert", "nbformat", "jupyter_client"): {
        "parameters",
        "engine",
        "committed",
        "pages",
    },
    ("multiprocessing",): {"processes", "preload"},
    ("click",): {"cli", "console"},
}

LONGEST = 400
CLOCKS = {"now", "utcnow", "today", "localtime", "gmtime", "time"}
MONOTONIC = {"processes"}
"""May measure how long a page took; never which day it is."""


def imported(tree):
    """Every module that is imported anywhere in a module, inside functions and for type checkers too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports name the package"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names if node.module.count(".") < 2)


def own_imports(tree):
    return {name.split(".")[-1] for name in imported(tree) if name.startswith("funnelstats.")} & TREES.keys()


def importers(libraries, trees=TREES):
    return {
        module for module, tree in trees.items() if {name.split(".")[0] for name in imported(tree)} & set(libraries)
    }


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


def upward(order, trees=TREES):
    """Imports that go against the reading order, as (importing, imported)."""
    place = {module: number for number, module in enumerate(order)}
    return [
        (module, other)
        for module, tree in trees.items()
        for other in sorted(own_imports(tree))
        if place[other] >= place[module]
    ]


def test_every_module_has_its_place_in_the_reading_order_of_its_layer() -> None:
    assert sorted(READING_ORDER) == sorted(TREES)
    assert [HOMES[module] for module in READING_ORDER[:-1]] == [layer for layer in LAYERS for _ in order_of(layer)]
    assert sorted(LAYERS) == sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))


def test_no_module_imports_one_that_is_read_later() -> None:
    assert upward(READING_ORDER) == []


def test_an_import_against_the_order_would_be_seen() -> None:
    later = {**TREES, "schema": ast.parse("def f():\n    from funnelstats import cli")}
    assert upward(READING_ORDER, later) == [("schema", "cli")]


@pytest.mark.parametrize("libraries", MAY_IMPORT, ids="-".join)
def test_only_its_own_modules_import_a_library(libraries) -> None:
    assert importers(libraries) <= MAY_IMPORT[libraries]


def test_an_import_inside_a_function_would_be_seen() -> None:
    assert importers(["ibis"], {"leaks": ast.parse("def f():\n    import ibis.expr.types as ir")}) == {"leaks"}


def test_the_statistics_know_neither_engine_nor_files_nor_pages() -> None:
    known = {module: own_imports(TREES[module]) for module in order_of("statistics")}
    strangers = {
        module: {name for name in names if HOMES[name] not in ("stated", "statistics")}
        for module, names in known.items()
    }
    # The words of states, and the type of an opened funnel, to say what an export lacks.
    allowed = {"loop": {"states"}, "contacts": {"opening"}, "speed": {"opening"}}
    assert {module: names for module, names in strangers.items() if names} == allowed
    assert not set(order_of("statistics")) & MAY_IMPORT[("ibis",)]


def test_no_module_is_too_long_to_read() -> None:
    lengths = {path.stem: len(path.read_text(encoding="utf-8").splitlines()) for path in PACKAGE.rglob("*.py")}
    assert {name: count for name, count in lengths.items() if count > LONGEST} == {}


def test_nothing_asks_which_day_it_is() -> None:
    assert {module: found for module, tree in TREES.items() if (found := list(clock_calls(tree)))} == {}


@pytest.mark.parametrize("source", ["datetime.now()", "date.today()", "time.time()", 'pd.Timestamp("now")'])
def test_a_look_at_the_clock_would_be_seen(source) -> None:
    assert list(clock_calls(ast.parse(source)))


def test_only_the_runner_measures_how_long_something_takes() -> None:
    assert importers(["time"]) == MONOTONIC


def test_nothing_is_printed_but_by_the_commands() -> None:
    printing = {
        module
        for module, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    }
    assert printing == set()


def test_every_name_for_notebooks_exists_in_the_module_it_is_said_to_live_in() -> None:
    import funnelstats

    for name in funnelstats.__all__:
        assert getattr(funnelstats, name) is not None
    assert len(funnelstats.__all__) == len(set(funnelstats.__all__))


def test_every_module_begins_with_a_sentence_on_what_it_is_for() -> None:
    docs = {module: (ast.get_docstring(tree) or "").splitlines()[:1] for module, tree in TREES.items()}
    assert {module for module, lines in docs.items() if not lines or lines[0].rstrip()[-1:] not in ".:;,"} == set()
