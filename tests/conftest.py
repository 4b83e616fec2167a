"""Fixtures shared by the tests."""

from backends import con, postgres, pyspark  # noqa: F401
