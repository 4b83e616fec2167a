"""A table of a page, or one sentence that says what is missing for it."""

from __future__ import annotations

from typing import Any

import pandas as pd

from funnelstats.showing.shown import Shown, show_text
from funnelstats.showing.tables import show_table
from funnelstats.stated.errors import suggestion
from funnelstats.stated.words import _

PART_WORDS = {
    "handed": "No lead was handed over in this time.",
    "campaigns": "No campaign is known of these leads.",
    "speed": "No contacts in this export, or no lead with a manager: how long leads wait cannot be told.",
    "ready": "No readiness (budget, authority, need, timing), or no lead whose days are over: it cannot be compared.",
    "nurtured": "Nothing says which leads were nurtured: state loop.nurtured in funnel.toml.",
    "needs": "Nobody stated what the next step needs, or no lead stands there: state loop.needs in funnel.toml.",
    "common": "No attribute goes with buying beyond chance, or too few leads are known to the end to tell.",
    "load": "No lead with a manager was handed over in these months: loads cannot be compared.",
    "won": "No lead was won in this month.",
    "lessons": "Nobody is named as needing help, or nobody is surely good enough at that step to show how.",
    "leaks": "No target is agreed, or no step loses half a deal or more below it.",
}
"""What is said where a table would be empty."""


def show_part(frame: pd.DataFrame, missing: str, **table: Any) -> Shown:
    """The frame as ``show_table`` shows it, or where it is empty the sentence of what is ``missing``."""
    if missing not in PART_WORDS:
        raise ValueError(f"no part {missing!r}; {suggestion(missing, PART_WORDS)}")
    return show_text(_(PART_WORDS[missing]), box="note") if frame.empty else show_table(frame, **table)
