"""What marketing and sales should do about the leads handed over, in sentences; limits and counting rules."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pandas as pd

from funnelstats.config.funnel import Funnel
from funnelstats.config.words import _, counted, day, money, number, percent
from funnelstats.core.counts import known_columns
from funnelstats.loop.counts import STATE, followed_to, hand_over_stage
from funnelstats.loop.states import ACCEPTED_BY_THE_TRADE, EVERYBODY, HANDED, READY_WORDS, named_managers
from funnelstats.page.rules import THREE_ANSWERS

if TYPE_CHECKING:
    from funnelstats.config.funnel import Funnel
    from funnelstats.importing.opening import Tables

NAMED = 3
"""How many managers a sentence names."""
LOW_RECORD = 0.8
"""Share of filled records below which a field is worth a sentence."""


def loop_sentences(
    states: pd.DataFrame,
    owners: pd.DataFrame,
    load: pd.DataFrame,
    ready: pd.DataFrame,
    records: pd.DataFrame,
    funnel: Funnel,
) -> list[str]:
    """What to do this month, most money first; then what to agree on about load, readiness and records.

    Takes ``state_table``, ``state_counts`` of the month by manager, ``even_load``, ``readiness`` and
    ``record_shares``.
    """
    rows = states[(states["leads"] > 0) & states[STATE].isin(["never touched", "inactive", "to nurture"])]
    rows = pd.concat([rows, states[(states["leads"] > 0) & (states[STATE] == "wrongly qualified")]])
    rows = rows.sort_values("amount", ascending=False, kind="stable", na_position="last")
    said = [_state_sentence(row, owners, funnel) for _place, row in rows.iterrows()]
    said += [*_load_sentences(load), *_ready_sentences(ready), *_record_sentences(records)]
    if said:
        return said
    if states[states[STATE] == HANDED]["leads"].sum() == 0:
        return [_("No lead was handed over in this month: there is nothing to close the loop on.")]
    return [
        _(
            "Every lead handed over in this month has a result, or moved or was contacted of late, as far as the "
            "export knows: there is none to chase."
        )
    ]


def _state_sentence(row: pd.Series, owners: pd.DataFrame, funnel: Funnel) -> str:
    who = _who(named_managers(owners, funnel), row[STATE]) if len(owners) else ""
    what = {
        "never touched": _("never touched: call these first"),
        "inactive": _("inactive: decide on the next contact, or close them"),
        "to nurture": _("back to marketing: agree who nurtures them and when they return"),
        "wrongly qualified": _("wrongly qualified: settle what a lead must have before it is handed over"),
    }[row[STATE]]
    head = counted("{n} lead {what}.", "{n} leads {what}.", row["leads"]).format(n=number(row["leads"]), what=what)
    worth = _("Amount in their records: {money}, if all of them were won.").format(
        money=money(float(f"{row['amount']:.2g}"), funnel.currency)
    )
    waits = (
        _("The longest has waited {days} days.")
        if row["over_a_week"] == row["leads"]
        else counted(
            "{n} has waited longer than a week, the longest {days} days.",
            "{n} have waited longer than a week, the longest {days} days.",
            row["over_a_week"],
        )
    ).format(n=number(row["over_a_week"]), days=number(row["longest_days"]))
    parts = [
        head,
        *([worth] if pd.notna(row["amount"]) else []),
        *([waits] if row[STATE] in ("never touched", "inactive") and row["over_a_week"] > 0 else []),
        *([_("Longest lists: {who}.").format(who=who)] if who else []),
    ]
    return " ".join(parts)


def _who(owners: pd.DataFrame, state: str) -> str:
    """Who has most leads in the state; nobody where everybody has a single one."""
    rows = owners[(owners[STATE] == state) & (owners["leads"] > 1)]
    rows = rows.sort_values(["leads", "manager"], ascending=[False, True]).head(NAMED)
    return ", ".join(f"{row['manager']} ({number(row['leads'])})" for _place, row in rows.iterrows())


def _load_sentences(load: pd.DataFrame) -> list[str]:
    few = load[load["verdict"] == "fewer"]
    if few.empty:
        return []
    names = ", ".join(f"{row['manager']} ({number(row['leads'])})" for _place, row in few.iterrows())
    return [
        _("Few leads: {who}, where an even share is {even}. If that is not meant, hand over more evenly.").format(
            who=names, even=number(few["even"].iloc[0])
        )
    ]


def _ready_sentences(ready: pd.DataFrame) -> list[str]:
    found = ready[(ready["value"] == "yes") & (ready["verdict"] == "higher")]
    return [
        _(
            "Ask before handing over: of leads with “{flag}” {rate} bought, of the others {other}. "
            "It goes together with buying; that it causes it is not shown."
        ).format(flag=row["flag"], rate=percent(row["rate"]), other=percent(row["other_rate"]))
        for _place, row in found.iterrows()
    ]


def _record_sentences(records: pd.DataFrame) -> list[str]:
    low = records[(records["manager"] == EVERYBODY) & (records["rate"] < LOW_RECORD)].head(1)
    return [
        counted(
            "Fill in: “{field}” is known of {rate} of the {n} lead that stands at “{stage}” and needs it next.",
            "Fill in: “{field}” is known of {rate} of the {n} leads that stand at “{stage}” and need it next.",
            row["entered"],
        ).format(
            field=row["field"],
            rate=percent(row["rate"]),
            n=number(row["entered"]),
            stage=row["stage"],
        )
        for _place, row in low.iterrows()
    ]


def reconciliation(states: pd.DataFrame) -> str:
    """All hand-overs of the month as the sum of their states: 827 handed over = 129 won + ..."""
    rows = states[states[STATE] != HANDED]
    total = states[states[STATE] == HANDED]["leads"].sum()
    parts = " + ".join(f"{number(row['leads'])} {_(row[STATE])}" for _place, row in rows.iterrows())
    return _("It adds up: {total} handed over = {parts}.").format(total=number(total), parts=parts)


def acceptance_sentences(team: pd.DataFrame, funnel: Funnel, window: tuple[date, date]) -> list[str]:
    """What share of the leads sales accepted, what accepted means, and what the trade says. Takes ``acceptance``."""
    aimed, days = followed_to(funnel)
    meaning = _(
        "Accepted means: sales moved the lead from “{first}” to “{aimed}” within {days} days of the hand-over. Sent "
        "back means: in the same time, and before that, it was returned to marketing or refused as wrongly qualified."
    ).format(first=hand_over_stage(funnel), aimed=aimed, days=number(days))
    if team.empty or team["rate"].isna().all():
        return [_("What share of the leads sales accepts cannot be told yet: their days are not over."), meaning]
    row = team.iloc[0]
    found = _(
        "Of the leads handed over from {first} to {last} sales accepted {rate} (very likely {low} to {high}), and sent "
        "back {back}."
    )
    trade = _(
        "The trade's own figure for accepted leads is {claim}. It is a claim about other teams, counted by a rule "
        "nobody knows: no aim for this one."
    )
    return [
        found.format(
            first=day(window[0]),
            last=day(window[1]),
            rate=percent(row["rate"]),
            low=percent(row["ci_lower"]),
            high=percent(row["ci_upper"]),
            back=percent(row["sent_back"], 1),
        ),
        trade.format(claim=percent(ACCEPTED_BY_THE_TRADE)),
        meaning,
    ]


def won_sentence(total: pd.DataFrame, funnel: Funnel) -> str:
    """How many leads were won, and what they have paid. Takes ``won_counts`` without keys."""
    row = total.iloc[0]
    won = counted("{n} lead was won this month.", "{n} leads were won this month.", row["won"])
    paid = _("They have paid {money} so far.").format(money=money(row["paid"], funnel.currency))
    return " ".join([won.format(n=number(row["won"])), *([paid] if pd.notna(row["paid"]) else [])])


def loop_limits(funnel: Funnel, tables: Tables) -> list[str]:
    """What this export cannot tell about the closed loop, each in a sentence."""
    leads = known_columns(tables.leads)
    checks = [
        (tables.contacts is None, _("No contacts: nobody can be told as never touched, and inactive means no move.")),
        ("channel" not in leads, _("No channel: which leads marketing handed over cannot be told apart.")),
        (
            not funnel.loop.wrongly_qualified,
            _("No refusal is stated to mean “wrongly qualified”: such leads count as refused."),
        ),
        ("amount" not in leads, _("No expected amount: what the leads in a state are worth cannot be told.")),
        (tables.payments is None, _("No payments: what won leads brought cannot be told.")),
        (not set(READY_WORDS) & leads, _("No readiness: budget, authority, need and timing are not known.")),
        (not funnel.loop.nurtured, _("No mark of nurtured leads: whether nurturing pays cannot be told.")),
        (not funnel.loop.needs, _("Nobody stated what a record needs for the next step.")),
    ]
    said = [sentence for missing, sentence in checks if missing]
    late = _("Attributes of leads are those of the export, not those of the day of the hand-over.")
    return [*said, late, *funnel.notes]


def loop_rules(funnel: Funnel, as_of: date, month: tuple[date, date], window: tuple[date, date]) -> list[str]:
    """How the closed loop was counted, one sentence for each rule."""
    own = ", ".join(f"{stage} {days}" for stage, days in funnel.loop.idle_days_at.items())
    idle = number(funnel.loop.idle_days) + (f" ({own})" if own else "")
    aimed, days = followed_to(funnel, funnel.stages[-1])
    channels = ", ".join(funnel.loop.marketing)
    return [
        _("Handed over: a lead that first stood at “{stage}”, or beyond it, in the month {first} to {last}.").format(
            stage=hand_over_stage(funnel), first=day(month[0]), last=day(month[1])
        ),
        _("Only leads of marketing's channels: {channels}.").format(channels=channels)
        if channels
        else _("All channels count as marketing's: none are stated in loop.marketing."),
        _("The second set of columns is that of the hand-overs from {first} to {last}.").format(
            first=day(window[0]), last=day(window[1])
        ),
        _("A lead reopened after its end and handed over again is another hand-over."),
        _(
            "Each is in one state, the first that holds: won, wrongly qualified, refused, to nurture, never touched "
            "(no contact by a person and no move since), inactive (none for more than {days} days), active and moving."
        ).format(days=idle),
        _(
            "Amount in the record: what was expected of the leads' deals when it was written, not weighted by the "
            "chance to win; none of refused and wrongly qualified leads."
        ),
        _(
            "A step back is a move. Contacts of system users touch nobody. A contact on the day of the hand-over "
            "counts."
        ),
        _(
            "Managers: who owned the lead when it was handed over; for won leads, when it was won; for records, when "
            "it came to the stage."
        ),
        _(
            "Bought: reached “{stage}” within {days} days of the hand-over; compared are leads of the twelve months "
            "whose days are over. Refused leads stay in."
        ).format(stage=aimed, days=number(days)),
        _("At equal leads: both groups weighted to the same mix of {base}.").format(base=", ".join(map(_, funnel.base)))
        if funnel.base
        else _("No attributes are stated in base: leads cannot be made equal."),
        _(
            "Averaged over many such tables, at most one in ten of the attributes called higher or lower is called so "
            "by chance; the same holds for loads. That is an average, not the odds of any single one."
        ),
        _(THREE_ANSWERS),
        _("As of {day}: what was known at the end of that day; later rows do not exist.").format(day=day(as_of)),
    ]
