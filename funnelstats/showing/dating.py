"""When a leak began, in words: between two days, so already in the first weeks, or not to be told."""

from __future__ import annotations

from datetime import timedelta

import pandas as pd

from funnelstats.stated.words import _, day

WEEK = timedelta(days=6)
"""From a Monday to its Sunday."""


def began_words(row: pd.Series) -> str:
    """When the leak of a row of ``since_when`` began: a sentence, for a step whose verdict says that it is one."""
    if not row["alarm"]:
        return (
            _("That was so already in the first weeks looked at.")
            if row["at_start"]
            else _("It cannot be told when that began.")
        )
    between = {"first": day(row["since_lower"]), "last": day(row["since_upper"] + WEEK)}
    said = (
        _("That was so already in the first weeks looked at; it became worse between {first} and {last}.")
        if row["at_start"]
        else _("That began between {first} and {last}.")
    )
    return said.format(**between)
