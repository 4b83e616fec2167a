"""A bad cell costs its cell: its row stays, is counted and listed, and figures that do not use it do not change."""

import random

import duckdb
import pytest
from projects import FUNNEL, NAME, TOML, account, prepared, refused, source

from funnelstats.config.dates import parse_day
from funnelstats.config.funnel import read_funnel
from funnelstats.core.counts import step_counts
from funnelstats.core.journeys import journeys
from funnelstats.importing.cells import FORMULA_ERRORS
from funnelstats.importing.facts import FACT_TEXTS
from funnelstats.importing.mapping import cell_texts, faults_of, mapped, typed_cells
from funnelstats.importing.opening import open_funnel, read_quality

LEADS = """
[leads]
files = ["leads.csv"]
columns = { lead_id = "id", created_at = "created", amount = "sum", ready_need = "need", channel = "source" }
attributes = { size = "size" }
"""
ENTRIES = """
[[entries]]
files = ["entries.csv"]
columns = { lead_id = "id", stage = "stage", entered_at = "at", manager = "owner", reason = "why" }
"""
CALLS = source("contacts", "calls.csv", lead_id="id", at="at", kind="kind", duration_s="s", reached="ok")
CALLS += source("payments", "payments.csv", lead_id="id", paid_at="at", amount="sum")
RICH = FUNNEL + LEADS + ENTRIES
HEADER = "id,created,sum,need,source,size"


pytestmark = pytest.mark.usefixtures("here")


def files(rows, entries=(), **others):
    lines = {"leads": [HEADER, *rows], "entries": ["id,stage,at,owner,why", *entries], **others}
    return {f"{name}.csv": "\n".join(text) for name, text in lines.items()}


def export(rows, entries=(), toml=RICH, **others):
    return prepared(toml, files(rows, entries, **others))


def cells():
    """The bad cells of rows that stay: row, column, value."""
    return read_quality(NAME).bad_cells[["row", "column", "value"]].values.tolist()


def facts():
    return {(fact["fact"], fact["detail"]): fact["count"] for fact in read_quality(NAME).facts}


GOOD = [f"g{n},2026-01-05,100,yes,web,big" for n in range(40)]


def test_cells_that_cannot_be_read_are_missing_in_a_row_that_stays_and_all_of_them_are_listed():
    made = export([*GOOD, "a,soon,12 q,maybe,#REF!,#N/A", "b,2026-01-05,7,no,web,small"])
    lead = made["leads"].set_index("lead_id").loc["a"]
    assert lead.isna().to_dict() == {
        "created_at": True, "created_on": True, "amount": True, "ready_need": True, "channel": True, "size": True,
    }  # fmt: skip
    assert cells() == [
        [42, "created", "soon"], [42, "sum", "12 q"], [42, "need", "maybe"], [42, "source", "#REF!"],
        [42, "size", "#N/A"],
    ]  # fmt: skip
    told = made["set_aside"]
    assert set(told["cost"]) == {"cell"}
    assert told["reason"].tolist()[1:4] == [
        'is not a number with decimal "."',
        "is neither yes nor no; map it with values.ready_need",
        "is an error of a formula",
    ]
    assert read_quality(NAME).set_aside.empty
    assert (account()["rows_kept"], account()["rows_set_aside"]) == (42, 0)
    assert {key: count for key, count in facts().items() if key[0].startswith("unread")} == {
        ("unread_dates", "created"): 1, ("unread_amounts", "sum"): 1, ("unread_cells", "need"): 1,
        ("unread_cells", "source"): 1, ("unread_cells", "size"): 1,
    }  # fmt: skip
    assert FACT_TEXTS["unread_amounts"].touches == ["money"]


def test_rates_with_bad_cells_are_those_of_the_clean_export():
    rng = random.Random(3)
    clean = [f"d{n},2026-01-05,{n},{rng.choice(['yes', 'no'])},web,big" for n in range(200)]
    lines = [f"d{n},lead,2026-01-{n % 20 + 5:02} 10:00,Anna," for n in range(200)]
    lines += [f"d{n},met,2026-01-{n % 20 + 7:02} 10:00,Anna," for n in range(200) if rng.random() < 0.7]
    lines += [f"d{n},lost,2026-02-{n % 20 + 7:02} 10:00,Anna,price" for n in range(0, 200, 3)]
    spoilt = [line.replace(f",{n},", ",about 5,") if n % 10 == 0 else line for n, line in enumerate(clean)]
    spoilt = [line.replace("yes", "perhaps") if n % 9 == 0 else line for n, line in enumerate(spoilt)]
    counted = []
    for rows in (clean, spoilt):
        export(rows, lines)
        funnel, tables = open_funnel(NAME)
        paths = journeys(tables.entries, funnel).cache()
        counted.append(step_counts(paths, funnel, parse_day("2026-06-30"), by=["manager"]))
    assert counted[0].equals(counted[1])
    assert len(cells()) > 20


def test_what_a_row_is_about_still_costs_the_row():
    toml = "max_bad_share = 1\n" + RICH + CALLS
    entries = [
        "#REF!,lead,2026-01-05,Anna,",
        "g1,#N/A,2026-01-05,Anna,",
        "g1,lead,soon,Anna,",
        "g1,lead,2026-01-05,#REF!,#REF!",
    ]
    calls = [
        "id,at,kind,s,ok",
        "g1,2026-01-05,call,a while,perhaps",
        "g1,2026-01-05,#VALUE!,60,yes",
        "g1,never,call,60,yes",
    ]
    payments = ["id,at,sum", "g1,2026-01-05,a lot", "g1,2026-01-05,5", "z,2026-01-05,5"]
    made = export(GOOD, entries, toml, calls=calls, payments=payments)
    aside = read_quality(NAME).set_aside
    assert aside[["table", "row", "column"]].values.tolist() == [
        ["entries", 2, "id"], ["entries", 3, "stage"], ["entries", 4, "at"], ["contacts", 3, "kind"],
        ["contacts", 4, "at"], ["payments", 2, "sum"], ["payments", 4, "id"],
    ]  # fmt: skip
    assert cells() == [[5, "owner", "#REF!"], [5, "why", "#REF!"], [2, "s", "a while"], [2, "ok", "perhaps"]]
    assert made["contacts"][["duration_s", "reached"]].isna().values.tolist() == [[True, True]]
    assert made["payments"]["amount"].tolist() == [5]
    told = facts()
    assert (told["unread_managers", "owner"], told["unread_reasons", "why"]) == (1, 1)
    assert told["unread_payments", ""] == 1
    assert "payment" in FACT_TEXTS["unread_payments"].one


def test_a_bad_cell_of_a_row_set_aside_for_another_reason_is_not_listed_twice():
    made = export([*GOOD, "g1,2026-01-05,12 q,yes,web,big"])
    assert made["set_aside"][["row", "cost"]].values.tolist() == [[42, "row"]]


def test_a_date_that_a_stage_does_not_need_costs_its_cell():
    made = export(GOOD, ["g1,listed,whenever,Anna,", "g2,listed,2026-01-05,Anna,"], 'undated = ["listed"]\n' + RICH)
    assert made["entries"]["stage"].tolist() == ["listed"] * 2
    assert cells() == [[2, "at", "whenever"]]


def test_a_declared_missing_word_is_no_bad_cell_and_errors_may_be_declared():
    rows = [*GOOD, "a,2026-01-05,#N/A,n/a,#N/A,#Н/Д"]
    export(rows, toml=RICH.replace("[leads]", '[leads]\nmissing = ["#N/A", " n/a ", "#Н/Д"]'))
    assert cells() == []


def test_a_cell_may_hold_a_nul():
    costs = source("costs", "costs.csv", date="day", channel="source", amount="sum")
    spent = ['{"day": "2026-01-05", "source": "\\u0000x", "sum": "5"}']
    assert export(GOOD, toml=RICH + costs, costs=spent)["costs"]["channel"].tolist() == ["\0x"]
    assert facts()["costs_without_leads", "�x"] == 1


def test_an_error_of_a_formula_is_nobodys_name():
    made = export(GOOD, [f"g{n},lead,2026-01-05,{error}," for n, error in enumerate(FORMULA_ERRORS)])
    assert made["entries"]["manager"].isna().all()
    assert cells() == [[n + 2, "owner", error] for n, error in enumerate(FORMULA_ERRORS)]


# How much may be bad


def test_a_column_of_which_most_cells_cannot_be_read_stops_with_the_line_to_add():
    rows = [f'a{n},2026-01-05,"{n},50",yes,web,big' for n in range(30)]
    assert refused(RICH, files(rows)).splitlines() == [
        'leads: 30 of 30 cells of the column "sum" cannot be read: as most of them cannot, it is written in another '
        "way than stated",
        'leads.csv: row 2, column "sum": "0,50" is not a number with decimal "." (30 rows); decimal = "," would '
        "read them",
    ]
    export(rows, toml="max_bad_share = 1\n" + RICH)
    assert [fact["mend"] for fact in read_quality(NAME).facts if fact["fact"] == "unread_amounts"] == ['decimal = ","']


def test_a_few_cells_of_a_sparse_column_do_not_stop():
    rows = [f"a{n},2026-01-05,,yes,web,big" for n in range(39)]
    export([*rows, "b,2026-01-05,about 5,yes,web,big"])
    assert cells() == [[41, "sum", "about 5"]]


def test_errors_of_formulas_never_stop_for_a_column():
    export([line.replace(",100,", ",#N/A,") for line in GOOD])
    assert facts()["unread_amounts", "sum"] == 40


def test_the_share_of_bad_rows_is_of_the_rows_selected():
    toml = "max_bad_share = 0.1\n" + TOML.replace("[leads]", '[leads]\nonly = { kind = "deal" }')
    rows = ["id,created,kind", *(f"d{n},2026-01-05,deal" for n in range(8)), ",2026-01-05,deal", ",2026-01-06,deal"]
    rows += [f"t{n},2026-01-05,task" for n in range(90)]
    told = refused(toml, {"leads.csv": "\n".join(rows), "entries.csv": "id,stage,at\n"})
    assert told.splitlines() == [
        "leads: 2 of 10 rows cannot be used, more than max_bad_share = 10%",
        'leads.csv: row 10, column "id": is missing (2 rows); if these are no rows of the table, leave them out: '
        'without = { "id" = "" }',
    ]


# How long the query is


def sizes(words, columns):
    """Length of the SQL of each step for so many missing words and so many columns."""
    source = (
        read_funnel(NAME)
        .leads[0]
        .model_copy(
            update={
                "missing": {"*": tuple(f"word {n}" for n in range(words))},
                "currency_signs": tuple(f"sign {n}" for n in range(words)),
                "values": {"channel": {f"value {n}": "web" for n in range(words)}},
                "attributes": {f"a{n}": f"a{n}" for n in range(columns)},
            }
        )
    )
    funnel = read_funnel(NAME)
    faults = faults_of([f"_typed_{column}" for column in source.columns], funnel, "leads", source)
    texts = cell_texts(duckdb.connect(), "raw", funnel, "leads", source)
    cells = typed_cells("FROM texts", funnel, "leads", source)
    rows = mapped("cells", funnel, "leads", source, 0, faults=faults, utc_days={})
    return [len(step) for step in (texts, cells, rows)]


def test_missing_words_currency_signs_and_values_make_the_query_longer_and_not_twice_as_long():
    export(GOOD)
    few, some, many = sizes(5, 1), sizes(40, 1), sizes(75, 1)
    assert max(some) < 40_000
    for a, b, c in zip(few, some, many, strict=True):
        assert c - b <= 1.2 * (b - a) + 100


def test_the_query_grows_with_the_columns_and_no_faster():
    export(GOOD)
    few, many = sizes(5, 20), sizes(5, 200)
    assert all(b <= 11 * a for a, b in zip(few, many, strict=True))


def test_a_blank_cell_can_be_given_a_meaning():
    toml = RICH.replace("[leads]", '[leads]\nvalues.channel = { "" = "Facebook", " Web " = "web" }')
    toml = toml.replace("[[entries]]", '[[entries]]\nvalues.stage = { "" = "lead" }')
    made = export(["a,2026-01-05,1,yes,,big", "b,2026-01-05,1,yes,Web,big"], ["a,,2026-01-05,Anna,"], toml)
    assert made["leads"]["channel"].tolist() == ["Facebook", "web"]
    assert made["entries"]["stage"].tolist() == ["lead"]
