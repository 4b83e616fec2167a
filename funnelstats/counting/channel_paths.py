"""Count verbs of attribution: which channels touched the leads that paid, in which order.

A touch is a contact that names a channel, up to the day its lead was won, or up to the page's day. Touches of one
lead are ordered by time, then by the channel's name; the same channel at the same instant is one touch.
"""

from __future__ import annotations

from datetime import date

import ibis
import ibis.expr.types as ir
import pandas as pd

from funnelstats.counting.counts import fetch, in_order, on_date, whole_numbers
from funnelstats.counting.journeys import visible
from funnelstats.stated.schema import MISSING, NO_TOUCH, NOT_WON, START, WON

CREDITS = ["own", "first", "last", "linear", "position"]


def channel_credit(values: ir.Table, contacts: ir.Table | None, as_of: date) -> pd.DataFrame:
    """Revenue of the leads by channel under five rules: channel, own, first, last, linear, position.

    `own` is the channel the lead came from; `first` and `last` give all of a lead's money to that touch, `linear`
    the same part to each touch, `position` 40 % to the first, 40 % to the last and 20 % to those between (half each
    of two). The money of leads without a touch stands at "(no contact with a channel)", so each column adds up to
    the same total. Takes `lead_values`. Empty where no contact names a channel.
    """
    touches = _touches(values, contacts, as_of)
    if touches is None:
        return _nothing(["channel", *CREDITS])
    rows = touches.join(values.select("lead_id", "paid"), "lead_id")
    many = rows.touches.cast("float64")
    first, last = rows.number == 0, rows.number == rows.touches - 1
    position = ibis.cases(
        (rows.touches == 1, 1.0), (rows.touches == 2, 0.5), (first | last, 0.4), else_=0.2 / ibis.greatest(many - 2, 1)
    )
    credited = rows.group_by("channel").aggregate(
        first=rows.paid.sum(where=first),
        last=rows.paid.sum(where=last),
        linear=(rows.paid / many).sum(),
        position=(rows.paid * position).sum(),
    )
    own = values.group_by("channel").aggregate(own=values.paid.sum())
    untouched = values.anti_join(touches, "lead_id")
    spared = fetch(untouched.aggregate(paid=untouched.paid.sum()))["paid"].astype("float64").fillna(0.0)
    frame = fetch(own).merge(fetch(credited), how="outer", on="channel")
    nobody = pd.DataFrame({"channel": [NO_TOUCH], **dict.fromkeys(CREDITS, spared)}).assign(own=0.0)
    frame = in_order(frame, ["channel"])[["channel", *CREDITS]]
    frame = frame.astype(dict.fromkeys(CREDITS, "float64")).fillna(dict.fromkeys(CREDITS, 0.0))
    return pd.concat([frame, nobody], ignore_index=True) if len(frame) else frame


def channel_moves(values: ir.Table, contacts: ir.Table | None, as_of: date) -> pd.DataFrame:
    """How often one touch was followed by another: from_channel, to_channel, moves, over leads won or ended.

    A path begins at "(start)" and ends at "(won)" or "(not won)"; open leads are left out, since their path is not
    over. Empty where no contact names a channel.
    """
    names = ["from_channel", "to_channel", "moves"]
    touches = _touches(values.filter(values.state != "open"), contacts, as_of)
    if touches is None:
        return _nothing(names)
    in_time = ibis.window(group_by="lead_id", order_by="number")
    steps = touches.select(
        from_channel=touches.channel.lag().over(in_time).fill_null(START), to_channel=touches.channel
    )
    last = touches.filter(touches.number == touches.touches - 1)
    ends = last.join(values.select("lead_id", "state"), "lead_id").select(
        from_channel="channel", to_channel=(ibis._.state == "won").ifelse(WON, NOT_WON)
    )
    moved = steps.union(ends)
    counted = moved.group_by("from_channel", "to_channel").aggregate(moves=moved.count())
    return whole_numbers(in_order(fetch(counted), ["from_channel", "to_channel"]), ["moves"])[names]


def _touches(values: ir.Table, contacts: ir.Table | None, as_of: date) -> ir.Table | None:
    """Every touch with its number and how many its lead had; None where contacts carry no channel."""
    if contacts is None or "channel" not in contacts.columns:
        return None
    on = contacts.on if "on" in contacts.columns else contacts.at.date()
    named = contacts.mutate(_on=on, channel=visible(contacts.channel))
    known = named.filter((named.channel != MISSING) & (named._on <= on_date(as_of)))
    known = known.select("lead_id", "at", "channel", "_on").join(values.select("lead_id", "won_on"), "lead_id")
    in_time = known.filter(known.won_on.isnull() | (known._on <= known.won_on))
    rows = in_time.select("lead_id", "at", "channel").distinct()
    return rows.mutate(
        number=ibis.row_number().over(ibis.window(group_by="lead_id", order_by=["at", "channel"])),
        touches=rows.count().over(ibis.window(group_by="lead_id")),
    )


def _nothing(names: list[str]) -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(dtype="str" if "channel" in name else "float64") for name in names})
