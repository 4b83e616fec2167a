"""Fixtures shared by the tests."""

import gc

import pytest
from backends import con, duckdb, postgres, pyspark  # noqa: F401

from funnelstats.page import figures


@pytest.fixture
def drawn(monkeypatch):
    """The drawings as matplotlib has them, without those of the key; of a wide panel the narrow one first."""
    kept = []

    def keep(figure, *rest, fixed=False):
        kept.extend([] if fixed else [figure])
        return original(figure, *rest, fixed=fixed)

    original = figures._svg
    monkeypatch.setattr(figures, "_svg", keep)
    return kept


def pytest_collection_finish():
    """What is imported by now stays: Python need not look through it for garbage again and again."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
