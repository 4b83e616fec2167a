"""What is odd about an export: each fact on a few rows, where it is there and where it is not."""

from datetime import date, timedelta

import duckdb
import pytest
from projects import COLUMN_STAGE, FUNNEL, NAME, TOML, prepared, source, write

from funnelstats.config.funnel import read_funnel
from funnelstats.config.words import speak
from funnelstats.importing.facts import FACT_TEXTS
from funnelstats.importing.opening import read_quality, set_aside_reasons
from funnelstats.importing.prepare import prepare
from funnelstats.importing.sql import columns_in
from funnelstats.importing.table_facts import odd_facts
from funnelstats.page.rules import cautions, oddities

MANAGED = TOML.replace('entered_at = "at"', 'entered_at = "at", manager = "owner"')
CHANNELLED = TOML.replace('created_at = "created"', 'created_at = "created", channel = "source"', 1)


pytestmark = pytest.mark.usefixtures("here")


def found(entries, toml=TOML, leads="id,created\na,2026-01-05 10:00\nb,2026-01-06 10:00\n", header="id,stage,at"):
    """Facts of a toy as {(fact, detail): count}; entries are lines."""
    prepared(toml, {"leads.csv": leads, "entries.csv": "\n".join([header, *entries])})
    return {(fact["fact"], fact["detail"]): fact["count"] for fact in read_quality(NAME).facts}


CLEAN = ["a,lead,2026-01-05 10:00", "a,met,2026-01-09 10:00", "b,lead,2026-01-06 10:00"]


def test_an_orderly_export_has_no_odd_facts():
    owned = [f"{line},Anna" for line in CLEAN]
    assert found(owned, MANAGED, header="id,stage,at,owner") == {}


def test_a_fact_of_one_is_told_of_one():
    one, *more = oddities([{"fact": "entered_before_created", "detail": "", "count": n} for n in (1, 2, 0)])
    assert one == "1 lead entered a stage before it was created: counted, not in durations."
    assert more[0].startswith("2 leads entered a stage before they were")
    assert more[1].startswith("0 leads")


def test_both_forms_of_a_fact_tell_its_count_and_end_in_a_full_stop():
    forms = [form for text in FACT_TEXTS.values() for form in (text.one, text.several)]
    assert all(form.startswith("{n} ") and form.endswith(".") for form in forms)
    assert len(set(forms)) == 2 * len(FACT_TEXTS)


def fact(name, detail="", count=2, **more):
    return {"fact": name, "detail": detail, "count": count, **more}


def test_a_warning_is_told_first_with_the_line_that_mends_it_and_beside_the_numbers_it_touches():
    mend = 'stages = ["lead"]'
    odd = [fact("tied"), fact("history_starts_late", "lead → met", mend=mend), fact("costs_twice", "web")]
    first, second = cautions(odd)
    (last,) = oddities(odd)
    assert "had their whole time" in first
    assert first.endswith(f"In funnel.toml:\n{mend}")
    assert "web" in second
    assert "same instant" in last
    assert cautions(odd, "dates", "refusals") == [first]
    assert cautions(odd, "dates", unnamed=True) == [first.partition(" In funnel.toml")[0]], "no keys for a manager"
    assert cautions(odd, "money") == [second]
    assert cautions(odd, "people") == cautions([], "dates") == []


def test_a_page_of_one_manager_has_no_warning_that_names_people():
    odd = [fact("queue_like", "Anna")]
    assert cautions(odd, "people")
    assert not cautions(odd, "people", unnamed=True)


def test_of_many_warnings_of_a_kind_five_are_told_and_how_many_more():
    told = cautions([fact("costs_twice", f"channel {number}") for number in range(12)])
    assert len(told) == 6
    assert "channel 4" in told[4]
    assert told[5] == "7 more of this kind."


@pytest.mark.parametrize(
    ("lines", "stated", "told"),
    [
        (["a,paid,2026-01-09 10:00"], "", {("tied", ""): 1}),
        (["b,listed,"], 'undated = ["listed"]\n', {("undated", "listed"): 1}),
        (["a,paid,", "b,lost,"], "", {("ends_undated", "paid"): 1, ("ends_undated", "lost"): 1}),
    ],
    ids=["ties, by lead", "leads at an undated stage", "ends and wins without a date, which are kept"],
)
def test_odd_entries_are_counted(lines, stated, told):
    assert told.items() <= found([*CLEAN, *lines], stated + TOML).items()


def test_leads_without_an_entry_or_a_date_of_creation_are_counted():
    told = found(CLEAN, leads="id,created\na,\nb,2026-01-06 10:00\nc,2026-01-07 10:00\n")
    assert told["leads_without_entry", ""] == 1
    assert told["leads_without_created_at", ""] == 1


def test_blank_is_told_apart_from_unknown():
    told = found(CLEAN, CHANNELLED, "id,created,source\na,2026-01-05 10:00,\nb,2026-01-06 10:00,unknown\n")
    assert told["blank", "channel"] == 1


def test_a_stage_without_any_manager_says_what_cannot_be_computed():
    lines = [
        "a,lead,2026-01-05 10:00,",
        "b,lead,2026-01-06 10:00,",
        "a,met,2026-01-09 10:00,Anna",
        "b,met,2026-01-09 11:00,",
    ]
    told = found(lines, MANAGED, header="id,stage,at,owner")
    assert told["no_manager_at_stage", "lead"] == 2
    assert told["entries_without_manager", "met"] == 1
    assert not any(detail == "paid" for _, detail in told)


def test_entries_of_system_users_and_hand_overs_are_counted():
    lines = ["a,lead,2026-01-05 10:00,robot", "a,met,2026-01-09 10:00,Anna", "b,lead,2026-01-06 10:00,Anna"]
    told = found(lines, 'system_users = ["robot", "nobody"]\n' + MANAGED, header="id,stage,at,owner")
    assert told == {
        ("never_seen", "system_users: “nobody”"): 0,
        ("system_user_entries", "robot"): 1,
        ("hand_overs", ""): 1,
    }


def test_what_is_dated_after_the_export_or_before_the_lead_is_counted_not_repaired():
    told = found([*CLEAN, "b,met,2026-01-06 09:00", "a,paid,2026-02-09 10:00"], "exported_on = 2026-02-01\n" + TOML)
    assert told["after_export", ""] == 1
    assert told["entered_before_created", ""] == 1
    assert told["out_of_order", "lead → met"] == 1
    assert ("out_of_order", "met → paid") not in told


@pytest.mark.parametrize(
    ("exported_on", "fact", "days"),
    [
        ("2026-01-20", "export_is_newer", 11),
        ("2026-02-05", "", 0),
        ("2026-02-18", "", 0),
        ("2062-02-01", "silent_before_export", 13150),
    ],
)
def test_a_stated_day_that_is_of_another_export_is_told(exported_on, fact, days):
    lines = [f"a,lead,2026-01-{day:02} 10:00" for day in range(1, 32)]
    told = found(lines, f"exported_on = {exported_on}\n" + TOML)
    about = {name: number for (name, _), number in told.items() if "export" in name}
    assert about == ({fact: days} if fact else {})


def test_midnight_is_that_of_the_funnels_time_zone():
    told = found(["a,lead,2026-01-05", "a,met,2026-01-09T21:00:00Z", "b,lead,2026-01-06T00:00:00Z"])
    assert told["at_midnight", ""] == 2


def test_ends_put_right_are_counted_and_those_that_may_be_name_the_line_to_add():
    slips = ["a,lost,2026-01-10 10:00", "a,met,2026-01-10 10:59", "b,lost,2026-01-10 10:00", "b,lead,2026-01-10 12:00"]
    told = found([*CLEAN, *slips], TOML)
    assert (told["ends_corrected", "1"], told["ends_soon_reopened", ""]) == (1, 1)
    assert {fact.get("mend") for fact in read_quality(NAME).facts} == {None, "correction_hours = 24"}
    told = found([*CLEAN, *slips], "correction_hours = 24\n" + TOML)
    assert told["ends_corrected", "24"] == 2
    assert ("ends_soon_reopened", "") not in told


def test_that_most_ends_were_put_right_is_a_warning_with_the_line_that_counts_them():
    slips = [
        f"a,{row},2026-02-{day:02} 10:{minute}"
        for day in range(1, 7)
        for row, minute in (("lost", "00"), ("met", "09"))
    ]
    told = found([*CLEAN, *slips], TOML)
    assert told["most_ends_corrected", "1"] == 6
    assert "correction_hours = 0" in cautions(read_quality(NAME).facts)[0]
    assert "correction_hours" not in cautions(read_quality(NAME).facts, "conversion", unnamed=True)[0]
    kept = [f"b,lost,2026-02-{day:02} 10:00" for day in range(1, 8)]
    assert found([*CLEAN, *slips, *kept], TOML)["ends_corrected", "1"] == 6


def history(start_of_met, converted=0.3, per_day=4, days=100):
    """Leads from 1 January on; their meetings, two days later, are recorded from a day on only."""
    first = date(2026, 1, 1)
    leads, lines = ["id,created"], []
    for number in range(per_day * days):
        day = first + timedelta(days=number // per_day)
        leads.append(f"L{number},{day} 10:00")
        lines.append(f"L{number},lead,{day} 10:00")
        met = day + timedelta(days=2)
        if number % 10 < 10 * converted and met >= start_of_met:
            lines.append(f"L{number},met,{met} 12:00")
    return lines, "\n".join(leads) + "\n"


def test_a_stage_whose_history_starts_later_than_the_leads_is_found():
    lines, leads = history(date(2026, 3, 1))
    told = found(lines, leads=leads)
    # Whose 14 days were over before 1 March: those of 1 January to 14 February, 4 a day.
    assert told["history_starts_late", "lead → met"] == 4 * 45


def test_a_first_success_that_merely_took_some_days_is_no_late_history():
    lines, leads = history(date(2026, 1, 1))
    assert ("history_starts_late", "lead → met") not in found(lines, leads=leads)
    lines, leads = history(date(2026, 2, 1), converted=0.1, per_day=1)
    assert ("history_starts_late", "lead → met") not in found(lines, leads=leads)


def test_of_empty_tables_nothing_is_told_but_that_they_are_empty():
    assert found([], leads="id,created\n") == {("no_rows", "leads"): 0, ("no_rows", "entries"): 0}


STATED = """
system_users = ["Schultz", "Robot"]
refusals.categories = { "too dear" = "price", "no bugdet" = "budget" }
refusals.excuses = ["prices", "later"]
refusals.gaps = { price = { product = ["Pumps"] } }
loop.marketing = ["Web", "Fair"]
"""


def test_names_that_are_stated_and_never_occur_are_told_with_the_nearest_that_does():
    toml = STATED + MANAGED.replace('manager = "owner"', 'manager = "owner", reason = "why"')
    toml = toml.replace('created_at = "created" }', 'created_at = "created", channel = "source" }', 1)
    toml = toml.replace("[leads]\n", '[leads]\nattributes = { product = "product" }\n')
    toml = toml.replace("horizon_days = 14", 'horizon_days = 14, targets = { anna = 0.5, "Boris" = 0.5, Clara = 0.5 }')
    lines = [
        "a,lead,2026-01-05,Schulz,",
        "a,met,2026-01-09,Anna,",
        "b,lead,2026-01-06,Boris,",
        "b,met,2026-01-07,Robot,",
    ]
    lines += ["a,lost,2026-01-19,Anna,no budget", "b,lost,2026-01-19,Anna,too dear"]
    leads = "id,created,source,product\na,2026-01-05,Fairs,Pump\nb,2026-01-06,Web,Valve\n"
    told = found(lines, toml, leads, header="id,stage,at,owner,why")
    assert [detail for fact, detail in told if fact == "never_seen"] == [
        "system_users: “Schultz” (“Schulz”?)",
        "step_into.met.targets: “Clara”",
        "step_into.met.targets: “anna” (“Anna”?)",
        "loop.marketing: “Fair” (“Fairs”?)",
        "refusals.categories: “no bugdet” (“no budget”?)",
        "refusals.excuses: “prices” (“price”?)",
        "refusals.gaps.price.product: “Pumps” (“Pump”?)",
    ]


def test_a_reason_that_nobody_gave_yet_and_names_of_what_no_column_holds_are_no_slips():
    told = found(
        CLEAN, 'system_users = "Robot"\nrefusals = { categories = { dear = "price" }, final = "war" }\n' + TOML
    )
    assert not any(fact == "never_seen" for fact, _ in told)


def test_money_spent_on_a_channel_without_leads_is_told():
    write(
        files={
            "costs.csv": "day,channel,sum\n2026-01-05,web,10\n2026-01-06,Wbe,10\n2026-01-07,Wbe,10\n2026-01-08,,10\n"
        }
    )
    costs = source("costs", "costs.csv", date="day", channel="channel", amount="sum")
    told = found(CLEAN, CHANNELLED + costs, "id,created,source\na,2026-01-05 10:00,web\nb,2026-01-06 10:00,\n")
    assert {key: count for key, count in told.items() if key[0] == "costs_without_leads"} == {
        ("costs_without_leads", "Wbe"): 2
    }


def test_facts_need_no_column_that_may_be_absent():
    write(FUNNEL + TOML.removeprefix(FUNNEL).replace(', created_at = "created"', ""))
    prepare(NAME)
    con = duckdb.connect()
    con.execute("CREATE TABLE leads AS SELECT 'a' AS lead_id")
    con.execute("CREATE TABLE entries AS FROM 'data/processed/team/entries.parquet'")
    told = odd_facts(con, {table: columns_in(con, table) for table in ("leads", "entries")}, read_funnel(NAME))
    assert {fact["fact"] for fact in told} == {"at_midnight", "no_manager_at_stage"}


def test_reasons_of_rows_set_aside_are_grouped_whatever_row_they_repeat():
    lines = [*CLEAN, CLEAN[0], CLEAN[2], "z,lead,2026-01-05", "a,met,2026-01-05,x"]
    found(lines, "max_bad_share = 1\n" + TOML)
    reasons = set_aside_reasons(read_quality(NAME).set_aside)
    assert reasons.values.tolist() == [
        ["entries", "entries.csv", "", "has 4 fields where the header has 3", 1, 8],
        ["entries", "entries.csv", "id", "repeats lead_id and stage and entered_at of an earlier row", 2, 5],
        ["entries", "entries.csv", "id", "belongs to no lead", 1, 7],
    ]


def test_no_rows_set_aside_have_no_reasons():
    found(CLEAN)
    assert set_aside_reasons(read_quality(NAME).set_aside).empty


def test_why_a_row_is_left_out_is_said_in_the_language_of_the_page_and_values_stay():
    declared = TOML.replace("[[entries]]", '[[entries]]\nonly.stage = ["lead", "met"]', 1) + COLUMN_STAGE
    leads = "id,created,first_meeting\na,2026-01-05 10:00,\nb,2026-01-06 10:00,2026-01-12 10:00\n"
    prepared(
        declared, {"leads.csv": leads, "entries.csv": "id,stage,at\na,lead,2026-01-05 10:00\na,no,2026-01-09 10:00"}
    )
    said = {}
    for language in ("en", "ru"):
        speak(language)
        said[language] = sorted(read_quality(NAME).ignored["value"])
    speak("en")
    assert said == {"en": ["first_meeting is blank", "stage = no"], "ru": ["stage = no", "не заполнено: first_meeting"]}
