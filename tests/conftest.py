"""Fixtures shared by the tests."""

from backends import con  # noqa: F401
