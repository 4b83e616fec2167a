"""What the meeting of marketing and sales needs to know, as facts for the page's template."""

from collections.abc import Collection
from typing import Any

import pandas as pd

from funnelstats.config.funnel import Funnel
from funnelstats.core.counts import known_columns
from funnelstats.importing.opening import Tables
from funnelstats.loop.counts import STATE
from funnelstats.loop.states import EVERYBODY, HANDED, READY_WORDS, SENT_BACK, named_managers

TO_ACT_ON = ("never touched", "inactive", "returned to marketing", "wrongly qualified")
"""States in which a lead waits for somebody to do or agree on something."""
NAMED = 3
"""How many managers a sentence names."""
LOW_RECORD = 0.8
"""Share of filled records below which a field is worth a sentence."""


def loop_findings(
    states: pd.DataFrame,
    owners: pd.DataFrame,
    load: pd.DataFrame,
    ready: pd.DataFrame,
    records: pd.DataFrame,
    funnel: Funnel,
) -> dict[str, Any]:
    """What to do this month.

    Takes ``state_table``, ``state_counts`` of the month by manager, ``even_load``, ``readiness`` and
    ``record_shares``. Returns ``handed`` (leads of the month), ``moving`` (whether it is told who), ``idle_days`` and
    ``last`` (stage) of the funnel, ``waiting`` (the states to act on that hold a lead, most money first, each with
    ``who`` has most of them), ``few`` (managers with fewer leads than an even share), ``ask`` (what goes with buying
    where it is known at the hand-over) and ``emptiest`` (the field of the record that is filled least, None where all
    reach ``low_record``).

    >>> todo = fs.loop.loop_findings(states, owners, load, ready, records, spec)
    >>> int(todo["handed"]), todo["waiting"][0]["lead_state"]
    (827, 'never touched')
    """
    moving = bool(states[STATE].eq("active and moving").any())
    waiting = states[(states["leads"] > 0) & states[STATE].isin(TO_ACT_ON)]
    waiting = waiting.sort_values("amount", ascending=False, kind="stable", na_position="last")
    people = named_managers(owners, funnel)
    low = records[(records["manager"] == EVERYBODY) & (records["rate"] < LOW_RECORD)]
    # who has most leads in a state: nobody where everybody has a single one
    busy = people[people["leads"] > 1].sort_values(["leads", "manager"], ascending=[False, True])
    return {
        "moving": moving,
        "idle_days": funnel.idle_days(moving),
        "last": funnel.stages[-1],
        "handed": states.loc[states[STATE] == HANDED, "leads"].sum(),
        "waiting": [{**row, "who": busy[busy[STATE] == row[STATE]].head(NAMED)} for row in waiting.to_dict("records")],
        "few": load[load["verdict"] == "fewer"],
        "ask": ready[(ready["value"] == "yes") & (ready["verdict"] == "higher")],
        "emptiest": next(iter(low.to_dict("records")), None),
        "low_record": LOW_RECORD,
    }


def untold_states(tables: Tables, funnel: Funnel) -> list[str]:
    """The states that the export cannot tell, since it holds no contact, refusal, reason or return to marketing.

    >>> fs.loop.untold_states(tables, spec)
    ['still in time']
    """
    refusals = known_columns(tables.entries.filter(tables.entries.stage == "lost"))
    returned = known_columns(tables.entries.filter(tables.entries.stage == "nurture"))
    told = {
        "active and moving": tables.contacts is not None,
        "still in time": tables.contacts is None,
        "never touched": tables.contacts is not None,
        "refused": "stage" in refusals,
        "wrongly qualified": "reason" in refusals and bool(funnel.loop.wrongly_qualified),
        "returned to marketing": "stage" in returned,
    }
    return [state for state, is_told in told.items() if not is_told]


def loop_not_told(tables: Tables, untold: Collection[str]) -> list[str]:
    """What the export lacks of what the page asks for, ``untold_states`` among it.

    >>> fs.loop.loop_not_told(tables, ["never touched"])
    ['contacts']
    """
    leads = known_columns(tables.leads)
    lacking = {
        "contacts": "never touched" in untold,
        "ends": {"refused", *SENT_BACK} <= {*untold},
        "channel": "channel" not in leads,
        "amount": "amount" not in leads,
        "payments": tables.payments is None,
        "readiness": not set(READY_WORDS) & leads,
    }
    return [name for name, is_lacking in lacking.items() if is_lacking]
