"""What refusals show, as sentences beside the figures: the reason heard most, who hears what, how second tries did."""

from __future__ import annotations

import pandas as pd

from funnelstats.stated.intervals import wilson_interval
from funnelstats.stated.schema import MISSING
from funnelstats.stated.words import _, counted, number, percent, points
from funnelstats.statistics.answers import NO, STRENGTH, UNTOLD, YES, answers, share_answers, share_margin
from funnelstats.statistics.managers import ALPHA

NONE = "No lead was refused in this month: there is nothing to talk about here."


def top_sentence(shares: pd.DataFrame) -> str:
    """Which reason the month's refusals give most often: the first row with a reason of ``reason_shares``."""
    named = shares[(shares["refusal"] != MISSING) & (shares["lost"] > 0)]
    if named.empty:
        return _("No refusal of this month has a reason.") if (shares["lost"] > 0).any() else _(NONE)
    top = named.iloc[0]
    return _(
        "Most often heard this month: “{reason}”, {lost} of {of} refusals ({share}, very likely {interval})."
    ).format(
        reason=top["refusal"],
        lost=number(top["lost"]),
        of=number(top["of"]),
        share=percent(top["share"]),
        interval=_interval(top["ci_lower"], top["ci_upper"]),
    )


def association_sentence(association: pd.DataFrame) -> str:
    """Whether managers hear different reasons at all, in words: the first row of ``reason_association``."""
    row = association.iloc[0]
    if pd.isna(row["p_value"]):
        return _("Whether managers hear different reasons cannot be told: fewer than two managers or reasons.")
    text = {
        NO: _(
            "Managers hear much the same reasons: the strength of any difference is below {margin}, where 0 is no "
            "difference and 1 is a reason of one's own for each."
        ),
        UNTOLD: counted(
            "Whether managers hear different reasons cannot be told yet from {n} refusal.",
            "Whether managers hear different reasons cannot be told yet from {n} refusals.",
            row["refusals"],
        ),
        YES: _(
            "Managers do hear different reasons, beyond chance; strength {strength}, where 0 is no difference and 1 is "
            "a reason of one's own for each."
        ),
    }[str(answers(row["p_value"] <= ALPHA, 0.0, row["v_upper"], STRENGTH))]
    return text.format(margin=number(STRENGTH, 1), n=number(row["refusals"]), strength=number(row["cramers_v"], 2))


def tried_sentence(tried: pd.DataFrame, success: pd.DataFrame) -> str:
    """How many refused leads were tried again, and whether those did otherwise than first tries.

    Takes frames of ``retried_counts`` and ``retry_success``.
    """
    over, again = tried["entered"].sum(), tried["converted"].sum()
    if not over:
        return _("No refused lead's time for a second try is over yet.")
    if not again:
        text = counted(
            "Second tries so far: the {over} refused lead whose time for one is over was not tried again. Or a second "
            "try is written down as a new lead: then it cannot be told.",
            "Second tries so far: of {over} refused leads whose time for one is over, none was tried again. Or second "
            "tries are written down as new leads: then it cannot be told.",
            over,
        )
        return text.format(over=number(over))
    lower, upper = (float(limit) for limit in wilson_interval(again, over))
    text = _(
        "Second tries so far: of {over} refused leads whose time for one is over, {again} were tried ({share}, "
        "very likely {interval})."
    )
    said = text.format(
        over=number(over), again=number(again), share=percent(again / over), interval=_interval(lower, upper)
    )
    known = success[success["difference"].notna()]
    if known.empty:
        return said + " " + _("How second tries do cannot be told yet.")
    return said + " " + _compared(known.iloc[-1])


def _compared(last: pd.Series) -> str:
    """Second tries against first ones: better or worse beyond chance, alike within a margin, or not told yet."""
    margin = float(share_margin(last["other_rate"]))
    first = round(last["other_rate"] * last["first_entered"])
    answer = share_answers(last["again_converted"], last["again_entered"], first, last["first_entered"], margin)
    compared = {
        YES: _("Better than first tries, beyond chance")
        if last["difference"] > 0
        else _("Worse than first tries, beyond chance"),
        NO: _("About as good as first tries, no more than {margin} apart").format(margin=points(margin)),
        UNTOLD: _("Whether they do better or worse than first tries cannot be told yet"),
    }[str(answer)]
    return _("{compared}: {n} of {of} second tries came to {stage} ({rate}, first ones {other}).").format(
        compared=compared,
        n=number(last["again_converted"]),
        of=number(last["again_entered"]),
        stage=last["to_stage"],
        rate=percent(last["rate"]),
        other=percent(last["other_rate"]),
    )


def _interval(lower: float, upper: float) -> str:
    digits = 1 if upper < 0.01 else 0
    return _("{lower} to {upper}").format(lower=percent(lower, digits), upper=percent(upper, digits))
