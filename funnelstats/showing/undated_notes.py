"""Sentences beside the headline of what has no date, and of refusals that have no stage."""

from __future__ import annotations

import pandas as pd

from funnelstats.showing.remarks import step_words
from funnelstats.stated.funnel import Funnel
from funnelstats.stated.words import _, counted, number, percent


def undated_sentences(counts: pd.DataFrame, funnel: Funnel) -> list[str]:
    """How far wins without a date could move each step's rate, and how many other ends have none; empty without any.

    ``counts`` is a frame of ``undated_counts`` of one team or manager.
    """
    said = []
    for _row, row in counts[counts["won"] + counts["unseen"] > 0].iterrows():
        more = row["won"] + row["unseen"]
        text = counted(
            "{n} more lead was won ({last}) on a day that the export does not hold: with it as in time {rate} of the "
            "leads whose days are over instead of {without} pass {step}.",
            "{n} more leads were won ({last}) on a day that the export does not hold: with them as in time {rate} of "
            "the leads whose days are over instead of {without} pass {step}.",
            more,
        )
        rate = (row["converted"] + more) / (row["entered"] + row["unseen"])
        without = percent(row["converted"] / row["entered"]) if row["entered"] else _("not known")
        words = {"step": step_words(row), "last": funnel.stages[-1], "rate": percent(rate), "without": without}
        said.append(text.format(n=number(more), **words))
    ended = counts["ended"].sum()
    if ended:
        said.append(
            counted(
                "{n} lead was lost or returned on a day that the export does not hold: it counts as one that did not "
                "move on, in no week's refusals.",
                "{n} leads were lost or returned on a day that the export does not hold: they count as leads that did "
                "not move on, in no week's refusals.",
                ended,
            ).format(n=number(ended))
        )
    return said


def without_stage_sentence(refused: pd.DataFrame) -> list[str]:
    """How many refusals belong to no stage, and for what; empty where none does. Takes ``without_stage``."""
    lost = refused["lost"].sum()
    if not lost:
        return []
    reasons = ", ".join(f"{why} {number(many)}" for why, many in zip(refused["refusal"], refused["lost"], strict=True))
    return [
        counted(
            "{n} more lead was refused that the export never shows at a stage (no stage): {reasons}. It is in no other "
            "number of this page.",
            "{n} more leads were refused that the export never shows at a stage (no stage): {reasons}. They are in no "
            "other number of this page.",
            lost,
        ).format(n=number(lost), reasons=reasons)
    ]
