"""When a leak began, in words."""

from __future__ import annotations

import pandas as pd
import pytest

from funnelstats.team.advice import began_words


def row(alarm: bool, at_start: bool) -> pd.Series:
    dates = {"since": "2026-04-20", "since_lower": "2026-04-13", "since_upper": "2026-04-27"}
    days = {name: pd.Timestamp(day) if alarm else pd.NaT for name, day in dates.items()}
    return pd.Series({"alarm": alarm, "at_start": at_start, **days})


@pytest.mark.parametrize(
    ("alarm", "at_start", "said"),
    [
        (True, False, "That began between 13 Apr 2026 and 3 May 2026."),
        (
            True,
            True,
            "That was so already in the first weeks looked at; it became worse between 13 Apr 2026 and 3 May 2026.",
        ),
        (False, True, "That was so already in the first weeks looked at."),
        (False, False, "It cannot be told when that began."),
    ],
)
def test_a_beginning_is_said_as_two_days_or_as_not_to_be_told(alarm: bool, at_start: bool, said: str) -> None:
    assert began_words(row(alarm, at_start)) == said
