"""What says that a lead ended, was paid for or belongs to somebody: rows that prove it, and none that do not."""

import pytest
from projects import FUNNEL, NAME, prepared, refused, source, stage_source, tables

from funnelstats.importing.opening import read_quality

LEADS = source("leads", "deals.csv", lead_id="id", created_at="created")
LEADS += stage_source("lead", "deals.csv", lead_id="id", entered_at="created")
WON = stage_source("paid", "deals.csv", lead_id="id", entered_at="won")
PAID = source("payments", "deals.csv", lead_id="id", paid_at="paid", amount="amount")


pytestmark = pytest.mark.usefixtures("here")


def deals(*rows):
    """Deals of id, created, met, won, status, pipe, paid, amount; what is not given is blank."""
    header = "id,created,met,won,status,pipe,paid,amount"
    keys = header.split(",")
    return "\n".join([header, *(",".join(str(row.get(key, "")) for key in keys) for row in rows)]) + "\n"


def deal(number, **more):
    return {"id": f"L{number}", "created": f"2026-01-{number:02d}", "pipe": "Sales", **more}


def wins():
    entries = tables()["entries"]
    return entries[entries["stage"] == "paid"]


def test_a_filter_that_every_stage_shares_says_nothing_of_winning():
    met = WON.replace('"paid"', '"met"').replace('"won"', '"met"')
    toml = FUNNEL + LEADS + "".join(part + 'only = { pipe = "Sales" }\n' for part in (met, WON))
    rows = [deal(n, won="2026-02-01" if n < 4 else "") for n in range(1, 11)]
    prepared(toml, {"deals.csv": deals(*rows)})
    assert len(wins()) == 3


def test_a_status_that_only_wins_are_chosen_by_is_a_win_without_its_date_too():
    lost = WON.replace('"paid"', '"lost"') + 'only = { status = "Refused" }\n'
    toml = FUNNEL + LEADS + WON + 'only = { status = "Done" }\n' + lost
    rows = [deal(n, status="Done", won="2026-02-01" if n < 4 else "") for n in range(1, 11)]
    prepared(toml, {"deals.csv": deals(*rows)})
    assert (len(wins()), wins()["entered_at"].isna().sum()) == (10, 7)


@pytest.mark.parametrize("word", ["-", "no date"])
def test_words_in_a_column_of_dates_are_no_wins(word):
    rows = [deal(n, won=word if n == 3 else "2026-02-01") for n in range(1, 31)]
    prepared(FUNNEL + "max_bad_share = 0.1\n" + LEADS + WON, {"deals.csv": deals(*rows)})
    assert len(wins()) == 29


def test_a_win_whose_date_is_written_wrong_is_a_win():
    rows = [deal(n, won="2026-02-31" if n == 3 else "2026-02-01") for n in range(1, 31)]
    prepared(FUNNEL + LEADS + WON, {"deals.csv": deals(*rows)})
    assert (len(wins()), wins()["entered_at"].isna().sum()) == (30, 1)


def test_an_amount_without_a_day_of_payment_was_paid_only_where_the_row_was_chosen_for_it():
    rows = [deal(n, amount=100, paid="2026-02-01" if n < 30 else "", status="Paid") for n in range(1, 31)]
    prepared(FUNNEL + LEADS + PAID, {"deals.csv": deals(*rows)})
    assert len(tables()["payments"]) == 29
    prepared(FUNNEL + LEADS + PAID + 'only = { status = "Paid" }\n', {"deals.csv": deals(*rows)})
    assert len(tables()["payments"]) == 30


def test_payments_of_one_number_by_two_leads_are_two():
    numbered = PAID.replace('amount = "amount"', 'amount = "amount", payment_id = "pipe"')
    rows = [deal(n, amount=100, paid="2026-02-01", pipe="1") for n in (1, 2)]
    prepared(FUNNEL + LEADS + numbered, {"deals.csv": deals(*rows)})
    assert tables()["payments"]["amount"].sum() == 200


def test_equal_sums_of_every_month_in_two_files_are_two_budgets():
    toml = FUNNEL + LEADS + source("costs", "costs*.csv", date="day", amount="sum")
    months = "day,sum\n" + "".join(f"2026-{month:02d}-01,500\n" for month in range(1, 7))
    prepared(toml, {"deals.csv": deals(deal(1)), "costs-a.csv": months, "costs-b.csv": months})
    assert tables()["costs"]["amount"].sum() == 6000


VALUES = 'values.stage = { Done = "paid", Refused = "lost", Open = "ignore" }'
LOST = WON.replace('"paid"', '"lost"')


@pytest.mark.parametrize(
    ("filters", "kept"),
    [('without = { status = ["Open", "Done"] }', 8), ('without = { pipe = "Test" }', 6)],
)
def test_what_is_left_by_a_status_has_ended_without_its_date_too_and_what_is_left_by_another_column_has_not(
    filters, kept
):
    rows = [
        *(deal(n, status="Refused", won="2026-02-01" if n < 7 else "") for n in range(1, 9)),
        *(deal(n, status="Open") for n in range(9, 29)),
    ]
    made = prepared(FUNNEL + LEADS + LOST + filters, {"deals.csv": deals(*rows)})["entries"]
    assert (made["stage"] == "lost").sum() == kept


@pytest.mark.parametrize(
    "stated",
    [
        stage_source("paid", "deals.csv", 'only = { status = "Done" }', lead_id="id")
        + stage_source("lost", "deals.csv", 'only = { status = "Refused" }', lead_id="id"),
        source("[entries]", "deals.csv", VALUES, lead_id="id", stage="status"),
    ],
)
def test_ends_that_a_status_tells_need_no_column_of_dates(stated):
    rows = [deal(n, status=("Done", "Refused", "Open")[n % 3]) for n in range(1, 16)]
    entries = prepared(FUNNEL + LEADS + stated, {"deals.csv": deals(*rows)})["entries"]
    ends = entries[entries["stage"] != "lead"]
    assert ends["stage"].value_counts().to_dict() == {"paid": 5, "lost": 5}
    assert ends[["entered_at", "entered_on"]].isna().all(axis=None)
    facts = {(fact["fact"], fact["detail"]): fact["count"] for fact in read_quality(NAME).facts}
    assert (facts["ends_undated", "paid"], facts["ends_undated", "lost"]) == (5, 5)


@pytest.mark.parametrize(
    ("stated", "told"),
    [
        ('stage = "met"\ncolumns = { lead_id = "id" }', "columns.entered_at: must be stated"),
        (
            'columns = { lead_id = "id", stage = "status" }\nvalues.stage = { Demo = "met", Done = "paid" }',
            "columns.entered_at: must be stated",
        ),
        (
            'stage = "paid"\ncolumns = {}\nlead_by = { who = "lead_id" }\nshared = "latest"',
            "shared: the lead counts that was created last before the row; state columns.entered_at",
        ),
    ],
)
def test_a_stage_on_the_way_needs_a_date(stated, told):
    toml = FUNNEL + LEADS + f'[[entries]]\nfiles = "deals.csv"\n{stated}\n'
    assert told in refused(toml, {"deals.csv": deals(deal(1))})


def test_a_stage_of_the_way_that_no_value_is_mapped_to_is_told_where_there_are_no_dates():
    toml = FUNNEL + LEADS + source("[entries]", "deals.csv", lead_id="id", stage="status")
    assert '"met" (1 row) is mapped to no stage' in refused(toml, {"deals.csv": deals(deal(1, status="met"))})


def test_one_pipeline_chosen_in_two_ways_says_nothing_of_winning():
    met = WON.replace('"paid"', '"met"').replace('"won"', '"met"') + 'without = { pipe = "Service" }\n'
    rows = [deal(n, won="2026-02-01" if n < 4 else "") for n in range(1, 11)]
    prepared(FUNNEL + LEADS + met + WON + 'only = { pipe = "Sales" }\n', {"deals.csv": deals(*rows)})
    assert len(wins()) == 3
