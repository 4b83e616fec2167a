"""Fixtures shared by the tests."""

import pytest
from backends import con, postgres, pyspark  # noqa: F401

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
