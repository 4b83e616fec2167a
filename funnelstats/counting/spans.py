"""Pieces that later count verbs share: days as numbers, rows in groups or in none, no rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import ibis.expr.types as ir
import pandas as pd

from funnelstats.counting.counts import on_date


def day_number(day: ir.DateValue) -> ir.IntegerValue:
    """Days since 1970: sums and limits of numbers exist on every engine, those of dates do not."""
    return day.delta(on_date(date(1970, 1, 1)), unit="day")


def number_of(day: date) -> int:
    """The same for a date at hand."""
    return (pd.Timestamp(day) - pd.Timestamp(0)).days


def grouped(rows: ir.Table, keys: Sequence[str]) -> Any:
    """What an aggregate is taken of: each group of the rows, or all of them in one where nothing groups them."""
    return rows.group_by(*keys) if keys else rows


def nothing_counted(keys: Sequence[str], numbers: Sequence[str]) -> pd.DataFrame:
    """No rows, with the columns and types that there would be."""
    kinds = dict.fromkeys(keys, "str") | dict.fromkeys(numbers, "int64")
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in kinds.items()})
