"""When a leak began, in words."""

from __future__ import annotations

import pandas as pd

from funnelstats.stated.words import _, day


def began_words(run: pd.Series) -> str:
    """When a leak began."""
    return _("That began about the week of {day}.").format(day=day(run["since"]))
