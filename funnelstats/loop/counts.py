"""Count verbs of the closed loop: what became of every lead that marketing handed over to sales.

The unit is the lead episode: a lead reopened and handed over again is another hand-over. Shapes and types are those
of `counts`. Contacts of system users count for nobody; days, not hours, decide whether a contact came after the
hand-over.
"""

from collections.abc import Sequence
from datetime import date

import ibis
import ibis.expr.types as ir
import pandas as pd

from funnelstats.config.dates import checked_period
from funnelstats.config.errors import FunnelError, need, suggestion
from funnelstats.config.funnel import Funnel
from funnelstats.config.schema import MISSING
from funnelstats.core.counts import By, category_of, fetch, group_keys, in_order, on_date, whole_numbers
from funnelstats.core.journeys import EPISODE, not_before, period_begin, visible, with_leads
from funnelstats.importing.mapping import YES

STATE = "lead_state"

STATES = STATE_WORDS = (
    *("won", "active and moving", "still in time", "inactive", "never touched", "returned to marketing", "refused"),
    "wrongly qualified",
)
"""The states of a hand-over in the order of a table and a chart: from what marketing hopes for to what it should not
have handed over."""


def hand_over_stage(funnel: Funnel) -> str:
    """The stage at which marketing hands a lead to sales: `loop.handed_over`, or the first.

    >>> fs.loop.hand_over_stage(spec)
    'lead'
    """
    return funnel.loop.handed_over or funnel.stages[0]


def followed_to(funnel: Funnel, to_stage: str = "") -> tuple[str, int]:
    """The stage a hand-over is followed to, by default the next one, and the days it gets for that.

    The days are the horizons of the steps until then, summed.

    >>> fs.loop.followed_to(spec)
    ('met', 14)
    """
    ahead = funnel.stages[funnel.stages.index(hand_over_stage(funnel)) :]
    if len(ahead) < 2:
        raise FunnelError(f'loop.handed_over is the last stage, "{ahead[0]}": nothing is left to follow')
    aimed = to_stage or ahead[1]
    if aimed not in ahead[1:]:
        raise FunnelError(f'no stage "{aimed}" after the hand-over; {suggestion(aimed, ahead[1:])}')
    days = {step.to_stage: step.horizon_days for step in funnel.steps}
    return aimed, sum(days[stage] for stage in ahead[1 : ahead.index(aimed) + 1])


OURS = ["handed_on", "manager", "stage", STATE, "contacted_on", "idle_days", "ended_on", "sent_back"]
SOURCE = ["channel", "campaign", "amount"]
STEP = ["from_stage", "to_stage"]


def hand_overs(
    journeys: ir.Table,
    leads: ir.Table,
    funnel: Funnel,
    as_of: date,
    between: tuple[date, date],
    keep: Sequence[str] = (),
) -> ir.Table:
    """The journeys of the episodes that entered the hand-over stage from the first to the last day of `between`.

    Only channels of `loop.marketing`, where stated. Adds handed_on and the lead's channel, campaign and amount (blank
    where the export has none) and the columns in `keep`: flags as yes, no and unknown; `loop.nurtured` as yes and no.

    >>> fs.loop.hand_overs(paths, tables.leads, spec, day, now).lead_id.nunique().to_pandas()
    827
    """
    need(journeys, "journeys", *EPISODE, "stage", "entered_on", lazy=True)
    first, last = between
    checked_period(first, last)
    wanted = list(dict.fromkeys([*SOURCE, *keep]))
    if taken := sorted(set(keep) & {*OURS}):
        raise FunnelError(f'a lead\'s column must not be named like one of the hand-over: "{taken[0]}"; rename it')
    if funnel.loop.marketing and "channel" not in leads.columns:
        raise FunnelError("loop.marketing names channels, but the leads of this export have no channel")
    at = journeys.filter(journeys.stage == hand_over_stage(funnel)).select(*EPISODE, handed_on="entered_on")
    known = (at.handed_on <= on_date(as_of)) & at.handed_on.between(on_date(first), on_date(last))
    rows = journeys.join(at.filter(known), EPISODE)
    rows = with_leads(rows, leads, [name for name in wanted if name in leads.columns or name not in SOURCE])
    rows = rows.mutate(
        **{
            name: ibis.cases((rows[name].isnull(), "unknown"), (rows[name], "yes"), else_="no")
            for name in wanted
            if name in leads.columns and rows[name].type().is_boolean()
        },
        **{name: ibis.literal(MISSING) for name in SOURCE[:2] if name not in leads.columns},
        **({} if "amount" in leads.columns else {"amount": ibis.null("float64")}),
    )
    nurtured = funnel.loop.nurtured
    if nurtured in wanted:
        says_yes = rows[nurtured].lower().strip().isin(YES).fill_null(False)
        rows = rows.mutate(**{nurtured: says_yes.ifelse("yes", "no")})
    if funnel.loop.marketing:
        rows = rows.filter(rows.channel.isin(funnel.loop.marketing))
    return rows


def handed_over(
    journeys: ir.Table,
    leads: ir.Table,
    funnel: Funnel,
    as_of: date,
    between: tuple[date, date],
    *,
    contacts: ir.Table | None = None,
    keep: Sequence[str] = (),
) -> ir.Table:
    """Every hand-over of a period in exactly one state at the end of the day `as_of`.

    In this order: won (reached the last stage), wrongly qualified (refused with such a reason), refused, returned to
    marketing, never touched (no contact, no move since the hand-over; only where contacts are known),
    inactive (no contact or move for more than the funnel's `idle_days`), active and moving or, where no contact
    could tell, still in time. Moves are first entries of later stages and steps back for good; an end belongs to the
    episode, as in `journeys`.

    Returns lead_id, episode, handed_on, manager (owner at the hand-over), channel, campaign, amount, *keep, stage
    (furthest reached), lead_state, contacted_on (last contact), idle_days (since that, a move or the hand-over),
    ended_on, sent_back (to marketing, or as wrongly qualified), won_on, and _on_n: the day stage n was reached, for the
    stages after the hand-over.

    >>> handed = fs.loop.handed_over(paths, tables.leads, spec, day, now, contacts=tables.contacts)
    >>> handed.order_by("lead_id").to_pandas()[["lead_id", "handed_on", "stage", "lead_state"]].head(2)
      lead_id  handed_on       stage         lead_state
    0  004700 2026-06-12  contracted  active and moving
    1  004718 2026-06-08  contracted  active and moving
    """
    need(journeys, "journeys", *EPISODE, "stage", "place", "entered_on", "ended_as", "reason", lazy=True)
    start, today = funnel.stages.index(hand_over_stage(funnel)), on_date(as_of)
    ahead = {f"_on_{place}": place for place in range(start + 1, len(funnel.stages))}
    rows = hand_overs(journeys, leads, funnel, as_of, between, keep)
    rows = rows.filter(rows.place >= start)
    come = rows.reached_on <= today
    later = come & (rows.place > start)
    moves = rows.group_by(EPISODE).aggregate(
        _furthest=rows.place.max(where=come),
        _moved_on=rows.reached_on.max(where=later),
        _back_on=rows.back_on.max(where=rows.back_on <= today),
        **{name: rows.reached_on.min(where=come & (rows.place == place)) for name, place in ahead.items()},
    )
    at = rows.filter(rows.place == start)
    rows = at.join(moves, EPISODE).select(*at.columns, *moves.columns[2:])
    if contacts is None:
        rows = rows.mutate(contacted_on=ibis.null("date"))
    else:
        touched = _last_contacts(rows.select(*EPISODE, "handed_on"), contacts, funnel, as_of)
        rows = rows.left_join(touched, EPISODE).select(*rows.columns, "contacted_on")
    known = (rows.ended_on <= today) | rows.ended_on.isnull()
    lost = (known & (rows.ended_as == "lost")).fill_null(False)
    returned = (known & (rows.ended_as == "nurture")).fill_null(False)
    won = (rows.won_on <= today).fill_null(False)
    wrong = (
        category_of(rows.reason, funnel).isin(funnel.loop.wrongly_qualified).fill_null(False)
        if funnel.loop.wrongly_qualified
        else False
    )
    days = (rows._moved_on, rows._back_on, rows.contacted_on)
    last_on = ibis.greatest(*(day.fill_null(rows.handed_on) for day in days))
    unmoved = rows._moved_on.isnull() & rows._back_on.isnull()
    # An end without a date is one: it counts from the hand-over on.
    ended_on = not_before(rows.ended_on.fill_null(rows.handed_on), rows.handed_on)
    rows = rows.mutate(
        stage=rows._furthest.cases(*enumerate(funnel.stages)),
        idle_days=today.delta(last_on, unit="day"),
        ended_on=(lost | returned).ifelse(ended_on, ibis.null("date")),
        won_on=won.ifelse(rows.won_on, ibis.null("date")),
        sent_back=returned | (lost & wrong),
        _lost=lost,
        _returned=returned,
        _won=won | (rows.undated == funnel.stages[-1]).fill_null(False),
        _wrong=wrong,
        _untouched=(rows.contacted_on.isnull() & unmoved) if contacts is not None else ibis.literal(False),
    )
    idle = rows.stage.cases(*funnel.idle_days(contacts is not None).items(), else_=funnel.loop.idle_days)
    state = ibis.cases(
        (rows._won, "won"),
        (rows._lost & rows._wrong, "wrongly qualified"),
        (rows._lost, "refused"),
        (rows._returned, "returned to marketing"),
        (rows._untouched, "never touched"),
        (rows.idle_days > idle, "inactive"),
        else_="still in time" if contacts is None else "active and moving",
    )
    carried = list(dict.fromkeys([*SOURCE, *keep]))
    return rows.mutate(**{STATE: state}).select(*EPISODE, *OURS[:2], *carried, *OURS[2:], "won_on", *ahead)


def _last_contacts(rows: ir.Table, contacts: ir.Table, funnel: Funnel, as_of: date) -> ir.Table:
    """Day of the last contact after the hand-over, of episodes that had one."""
    made = contacts.filter(contacts.on <= on_date(as_of))
    if "manager" in contacts.columns and funnel.system_users:
        made = made.filter(~visible(made.manager).isin(funnel.system_users))
    days = made.select("lead_id", contact_on="on").distinct()
    after = rows.join(days, "lead_id").filter(ibis._.contact_on >= ibis._.handed_on)
    return after.group_by(*EPISODE).aggregate(contacted_on=ibis._.contact_on.max())


def state_counts(handed: ir.Table, by: By = ()) -> pd.DataFrame:
    """How many hand-overs are in which state, what the leads may be worth, and how long they have waited.

    Takes `handed_over`. Returns *by, lead_state, leads, amount (sum of expected sizes, missing where none is known),
    without_amount (leads), longest_days (without contact or move), over_a_week (leads that waited longer than 7).

    >>> fs.loop.state_counts(month_leads)[["lead_state", "leads", "longest_days"]].head(2)
              lead_state  leads  longest_days
    0                won    129            22
    1  active and moving    404            19
    """
    need(handed, "handed", "lead_state", "amount", "idle_days", lazy=True)
    keys = group_keys(by, handed.columns)
    place = handed[STATE].cases(*((state, number) for number, state in enumerate(STATES)))
    counted = (
        handed.mutate(_place=place)
        .group_by(*keys, STATE, "_place")
        .aggregate(
            leads=ibis._.count(),
            amount=ibis._.amount.sum(),
            without_amount=ibis._.count(where=ibis._.amount.isnull()),
            longest_days=ibis._.idle_days.max(),
            over_a_week=ibis._.count(where=ibis._.idle_days > 7),
        )
    )
    found = in_order(fetch(counted), keys, "_place")
    return whole_numbers(
        found.drop(columns="_place"), ["leads", "without_amount", "longest_days", "over_a_week"]
    ).astype({"amount": "float64"})


def hand_over_counts(handed: ir.Table, funnel: Funnel, as_of: date, by: By = (), *, to_stage: str = "") -> pd.DataFrame:
    """Hand-overs whose days are over, those of them that reached a stage in time, and those too recent.

    Until the next stage, or `to_stage`; its days are the horizons of the steps summed. Returns *by, from_stage,
    to_stage, entered, converted, too_recent: a count frame like those of `step_counts`.

    >>> fs.loop.hand_over_counts(followed, spec, day)
      from_stage to_stage  entered  converted  too_recent
    0       lead      met     1943       1871         374
    """
    need(handed, "handed", "handed_on", "ended_on", lazy=True)
    aimed, days = followed_to(funnel, to_stage)
    keys = group_keys(by, handed.columns)
    age = on_date(as_of).delta(handed.handed_on, unit="day")
    took = handed[f"_on_{funnel.stages.index(aimed)}"].delta(handed.handed_on, unit="day")
    rows = handed.mutate(_over=age >= days, _in_time=(took <= days).fill_null(False), **_ends_of(funnel, aimed))
    counted = rows.group_by(*keys, *STEP).aggregate(
        entered=ibis._.count(where=ibis._._over),
        converted=ibis._.count(where=ibis._._over & ibis._._in_time),
        too_recent=ibis._.count(where=~ibis._._over),
    )
    return whole_numbers(in_order(fetch(counted), keys, *STEP), ["entered", "converted", "too_recent"])


def hand_over_days(handed: ir.Table, funnel: Funnel, as_of: date, by: By = (), *, to_stage: str = "") -> pd.DataFrame:
    """Hand-overs that reached a stage, were sent back or refused before it, or are open, by days since hand-over.

    Returns *by, from_stage, to_stage, age_days, advanced, sent_back, refused, open: the day counts of
    `outcome_days` with its lost leads in two. `by="week"` is the first day of the week of the hand-over.

    >>> fs.loop.hand_over_days(followed, spec, day).head(2)
      from_stage to_stage  age_days  advanced  sent_back  refused  open
    0       lead      met         0       718          0        3    36
    1       lead      met         1       425          2        5    18
    """
    need(handed, "handed", "handed_on", "ended_on", lazy=True)
    aimed, _days = followed_to(funnel, to_stage)
    handed = handed.mutate(week=period_begin(handed.handed_on, "week"))
    keys = group_keys(by, handed.columns)
    reached = handed[f"_on_{funnel.stages.index(aimed)}"]
    left = ibis.coalesce(reached, handed.ended_on, on_date(as_of))
    rows = handed.mutate(
        age_days=not_before(left, handed.handed_on).delta(handed.handed_on, unit="day"),
        _reached=reached.notnull(),
        _ended=reached.isnull() & handed.ended_on.notnull(),
        **_ends_of(funnel, aimed),
    )
    counted = rows.group_by(*keys, *STEP, "age_days").aggregate(
        advanced=ibis._.count(where=ibis._._reached),
        sent_back=ibis._.count(where=ibis._._ended & ibis._.sent_back),
        refused=ibis._.count(where=ibis._._ended & ~ibis._.sent_back),
        open=ibis._.count(where=~ibis._._reached & ~ibis._._ended),
    )
    found = in_order(fetch(counted), keys, "age_days")
    return whole_numbers(found, ["age_days", "advanced", "sent_back", "refused", "open"])


def _ends_of(funnel: Funnel, aimed: str) -> dict[str, ir.StringScalar]:
    return {"from_stage": ibis.literal(hand_over_stage(funnel)), "to_stage": ibis.literal(aimed)}
