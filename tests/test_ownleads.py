"""One manager's own leads: on a few of them, then against a loop over random histories, on every engine."""

from datetime import date

import ibis
import numpy as np
import pandas as pd
import pytest
from backends import entries_frame, episodes_of, funnel_of, random_entries, table
from contact_histories import CONTACTS_SCHEMA, contacts_frame, random_contacts, touches_of

from funnelstats.config.errors import FunnelError
from funnelstats.contacts.counts import touches
from funnelstats.core.journeys import journeys
from funnelstats.leads.counts import OWN, WON, leads_won, open_leads
from funnelstats.leads.standing import own_rows

STAGES = ("new", "встреча", "offer", "paid")
PLAIN, RANDOM = funnel_of("lead", "met", "paid"), funnel_of(*STAGES)
AS_OF = date(2026, 2, 10)
LEADS = ibis.schema({"lead_id": "string", "manager": "string", "firm": "string", "amount": "float64"})


def own(con, entries, leads=None, contacts=None, *, manager="Anna", funnel=PLAIN, as_of=AS_OF):
    paths = journeys(table(con, entries_frame(entries)), funnel).cache()
    ids = sorted({row[0] for row in entries})
    known = table(
        con, pd.DataFrame(leads or [(lead, "Anna", None, None) for lead in ids], columns=list(LEADS)), LEADS, "leads"
    )
    made = None
    if contacts is not None:
        made = touches(table(con, contacts_frame(contacts), CONTACTS_SCHEMA, "contacts"), paths, funnel).cache()
    return own_rows(open_leads(paths, known, made, funnel, as_of), manager)


def test_a_lead_is_its_owners_of_now_and_where_that_is_blank_its_owners_at_the_stage(duckdb):
    entries = [
        ("a", "lead", "2026-01-05", "Boris"),
        ("a", "met", "2026-01-08", "Vera"),
        ("b", "lead", "2026-01-05", "Anna"),
    ]
    leads = [("a", "Anna", None, None), ("b", None, None, None)]
    assert own(duckdb, entries, leads)["lead_id"].tolist() == ["b", "a"]
    paths = journeys(table(duckdb, entries_frame(entries)), PLAIN).cache()
    bare = table(duckdb, pd.DataFrame({"lead_id": ["a", "b"]}), ibis.schema({"lead_id": "string"}), "bare")
    found = {
        who: own_rows(open_leads(paths, bare, None, PLAIN, AS_OF), who)["lead_id"].tolist() for who in ("Vera", "Boris")
    }
    assert found == {"Vera": ["a"], "Boris": []}


def test_contacts_are_those_by_people_and_unknown_without_the_table(duckdb):
    funnel = PLAIN.model_validate({**PLAIN.model_dump(), "system_users": ["robot"]})
    entries = [("a", "lead", "2026-01-05"), ("b", "lead", "2026-01-05"), ("c", "lead", "2026-01-05")]
    contacts = [("a", "2026-01-07"), ("a", "2026-01-09"), ("b", "2026-01-07", "mail", "robot"), ("c", "2026-02-11")]
    found = own(duckdb, entries, contacts=contacts, funnel=funnel).set_index("lead_id")
    assert found["contacts"].tolist() == [2, 0, 0]
    assert found.loc["a", "last_contact_on"] == pd.Timestamp("2026-01-09")
    assert found["last_contact_on"].isna().tolist() == [False, True, True]
    unknown = own(duckdb, entries)
    assert unknown["contacts"].isna().all()
    assert unknown.dtypes.astype(str).to_dict() == found.reset_index().dtypes.astype(str).to_dict()


def test_company_and_amount_come_along_where_the_export_has_them(duckdb):
    funnel = PLAIN.model_validate({**PLAIN.model_dump(), "lead_base": {"company": "firm"}})
    entries = [("a", "lead", "2026-01-05"), ("b", "lead", "2026-01-05")]
    leads = [("a", "Anna", "<b>Acme", 5.0), ("b", "Anna", None, None)]
    found = own(duckdb, entries, leads, funnel=funnel)
    assert found["company"].tolist() == ["<b>Acme", "(missing)"]
    assert found["amount"].tolist()[0] == 5
    assert own(duckdb, entries, leads)["company"].tolist() == ["", ""]


def test_an_attribute_may_be_called_as_a_column_in_other_capitals(duckdb):
    funnel = PLAIN.model_validate({**PLAIN.model_dump(), "lead_base": {"company": "Company"}})
    paths = journeys(table(duckdb, entries_frame([("a", "lead", "2026-01-05")])), funnel).cache()
    schema = ibis.schema({"lead_id": "string", "Company": "string"})
    known = table(duckdb, pd.DataFrame({"lead_id": ["a"], "Company": ["Acme"]}), schema, "named")
    assert open_leads(paths, known, None, funnel, AS_OF)["company"].tolist() == ["Acme"]


def test_wins_are_own_leads_that_reached_the_last_stage_in_the_period(con):
    entries = [
        ("a", "lead", "2026-01-05"),
        ("a", "paid", "2026-01-12"),
        ("b", "paid", "2026-01-13"),
        ("c", "paid", "2026-01-12"),
    ]
    leads = [("a", "Anna", None, 7.0), ("b", "Anna", None, None), ("c", "Boris", None, None)]
    paths = journeys(table(con, entries_frame(entries)), PLAIN).cache()
    known = table(con, pd.DataFrame(leads, columns=list(LEADS)), LEADS, "leads")
    found = own_rows(leads_won(paths, known, PLAIN, (date(2026, 1, 6), date(2026, 1, 12))), "Anna")
    assert found.columns.tolist() == WON
    assert found[["lead_id", "days", "amount"]].to_numpy().tolist() == [["a", 7, 7.0]]
    nobody = own_rows(leads_won(paths, known, PLAIN, (date(2026, 1, 6), date(2026, 1, 12))), "Vera")
    assert nobody.empty
    assert nobody.dtypes.astype(str).to_dict() == found.dtypes.astype(str).to_dict()
    with pytest.raises(FunnelError, match=r"between must be \(first, last\)"):
        own_rows(leads_won(paths, known, PLAIN, (date(2026, 1, 6), date(2026, 1, 5))), "Anna")


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_open_leads_are_those_of_a_loop(con, seed):
    # enough leads and few ends, so that many are open
    entries = random_entries(seed, STAGES, leads=120)
    entries = entries[~entries["stage"].isin(["lost", "nurture", "paid"]) | (entries.index % 9 == 0)]
    contacts = random_contacts(seed, leads=120)
    touched = [t for t in touches_of(contacts, entries, STAGES) if t.on <= AS_OF]
    expected = {}
    for episode in episodes_of(entries, STAGES):
        known = [e for e in [*episode.entries, *episode.ends] if e.entered_on <= AS_OF]
        begun = episode.began(STAGES).entered_on <= AS_OF
        won = episode.first("paid", STAGES)
        if not begun or any(e in episode.ends for e in known) or (won and won.entered_on <= AS_OF):
            continue
        stands = [
            stage
            for stage in STAGES[:-1]
            if episode.first(stage, STAGES)
            and episode.first(stage, STAGES).entered_on <= AS_OF
            and not (episode.back_on(stage, STAGES) and episode.back_on(stage, STAGES) <= AS_OF)
        ]
        stage = stands[-1] if stands else "new"
        back = episode.back_on(STAGES[STAGES.index(stage) + 1], STAGES)
        entered = (episode.first(stage, STAGES) or episode.began(STAGES)).entered_on
        if not episode.first(stage, STAGES) and back and back <= AS_OF:
            entered = back
        reached = [s for s in STAGES if episode.first(s, STAGES) and episode.first(s, STAGES).entered_on <= AS_OF]
        made = [t for t in touched if (t.lead_id, t.episode) == (episode.lead_id, episode.number)]
        if episode.holder(reached[-1], STAGES) == "Анна":
            expected[episode.lead_id] = (
                stage,
                entered,
                back if back and back <= AS_OF else entered,
                len(made),
                max((t.on for t in made), default=None),
            )
    paths = journeys(table(con, entries), RANDOM).cache()
    touches_table = touches(table(con, contacts, CONTACTS_SCHEMA, "contacts"), paths, RANDOM).cache()
    bare = table(con, pd.DataFrame({"lead_id": ["L001"]}), ibis.schema({"lead_id": "string"}), "bare")
    found = own_rows(open_leads(paths, bare, touches_table, RANDOM, AS_OF), "Анна")
    assert found.columns.tolist() == OWN
    rows = {
        row.lead_id: (row.stage, row.entered_on.date(), row.since.date(), int(row.contacts),
                      None if pd.isna(row.last_contact_on) else row.last_contact_on.date())
        for row in found.itertuples()
    }  # fmt: skip
    assert rows == expected
    assert len(expected) > 5
    assert not np.isnan(found["contacts"]).any()
