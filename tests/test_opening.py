"""Opening prepared data as it was known on a day, and the windows its pages judge."""

from datetime import date, timedelta

import pytest
from projects import ENTRIES, FUNNEL, NAME, PROCESSED, TOML, source, write

from funnelstats.config.errors import FunnelError
from funnelstats.importing.opening import (
    last_day,
    open_funnel,
    part_values,
    read_quality,
    trailing_window,
    trend_window,
)
from funnelstats.importing.prepare import prepare

MONEY = source("payments", "payments.csv", lead_id="id", paid_at="at", amount="sum")
RICH = f'undated = ["listed"]\n{TOML}{MONEY}' + source("costs", "costs.csv", date="day", amount="sum")
MORE = {
    "leads.csv": "id,created\na,2026-01-05\nb,2026-01-06\nc,\n",
    "entries.csv": "id,stage,at\na,lead,2026-01-05\na,met,2026-01-09 23:30\nb,lead,2026-01-10\nc,listed,\n",
    "payments.csv": "id,at,sum\na,2026-01-09,1\na,2026-01-10,2\n",
    "costs.csv": "day,sum\n2026-01-09,1\n2026-01-10,2\n",
}


pytestmark = pytest.mark.usefixtures("here")


@pytest.fixture
def rich():
    write(RICH, MORE)
    prepare(NAME)


def rows(tables):
    return {
        name: None if table is None else table.count().execute()
        for name, table in tables._asdict().items()
        if name not in ("part", "quality")
    }


@pytest.mark.usefixtures("here", "rich")
def test_without_a_day_the_tables_are_as_exported():
    funnel, tables = open_funnel(NAME)
    assert funnel.name == NAME
    assert rows(tables) == {"leads": 3, "entries": 4, "contacts": None, "payments": 2, "costs": 2}


@pytest.mark.usefixtures("here", "rich")
@pytest.mark.parametrize("day", ["2026-01-09", date(2026, 1, 9)])
def test_as_of_a_day_later_rows_do_not_exist_and_undated_ones_do(day):
    # 23:30 in Moscow on the 9th is known at the end of the 9th.
    _, tables = open_funnel(NAME, day)
    assert rows(tables) == {"leads": 3, "entries": 3, "contacts": None, "payments": 1, "costs": 1}


@pytest.mark.usefixtures("here", "rich")
def test_before_the_first_day_only_what_has_no_date_exists():
    _, tables = open_funnel(NAME, "2025-12-31")
    assert rows(tables) == {"leads": 1, "entries": 1, "contacts": None, "payments": 0, "costs": 0}


def test_data_that_is_not_prepared_says_the_command():
    write()
    with pytest.raises(FunnelError, match="data/processed/team is not there yet: run  funnelstats prepare team"):
        open_funnel(NAME)


@pytest.mark.usefixtures("here", "rich")
@pytest.mark.parametrize(
    "changed", [(RICH, {**MORE, "leads.csv": MORE["leads.csv"] + "d,\n"}), (RICH.replace("= 14", "= 21"), MORE)]
)
def test_data_that_changed_since_it_was_prepared_says_the_command(changed):
    write(*changed)
    with pytest.raises(FunnelError, match="data/raw/team has changed since it was prepared: run  funnelstats prepare"):
        open_funnel(NAME)
    prepare(NAME)
    open_funnel(NAME)


@pytest.mark.usefixtures("here", "rich")
def test_a_comment_in_the_statement_changes_nothing():
    write("# a word\n" + RICH, MORE)
    open_funnel(NAME)


def test_a_value_that_is_called_like_the_blank_ones_is_one_part_with_them():
    channels = {"leads.csv": "id,created,channel\na,2026-01-05,\nb,2026-01-06,(missing)\nc,2026-01-07,web\n"}
    write(TOML.replace('created_at = "created"', 'created_at = "created", channel = "channel"'), channels)
    prepare(NAME)
    leads = open_funnel(NAME)[1].leads
    assert part_values(leads, "channel") == ["(missing)", "web"]
    assert rows(open_funnel(NAME, where="channel=(missing)")[1])["leads"] == 2


@pytest.mark.usefixtures("here", "rich")
def test_the_last_day_is_that_of_the_export_else_of_the_last_entry():
    funnel, tables = open_funnel(NAME)
    assert last_day(tables, funnel) == date(2026, 1, 10)
    assert last_day(tables, funnel.model_copy(update={"exported_on": date(2026, 2, 1)})) == date(2026, 2, 1)


@pytest.mark.parametrize(
    ("free", "last"), [((5, 6), date(2026, 3, 8)), ((6,), date(2026, 3, 6)), ((), date(2026, 3, 6))]
)
def test_days_of_the_week_on_which_nothing_ever_happens_are_over_with_the_one_before(free, last):
    days = [date(2026, 1, 5) + timedelta(days=day) for day in range(61)]
    rows = [f"a,lead,{day}" for day in days if day.weekday() not in free]
    write(files={"entries.csv": "\n".join(["id,stage,at", *rows])})
    prepare(NAME)
    funnel, tables = open_funnel(NAME)
    assert last_day(tables, funnel) == last


def test_data_without_a_single_dated_entry_says_that_there_is_no_last_day():
    write(files={"entries.csv": "id,stage,at\n"})
    prepare(NAME)
    funnel, tables = open_funnel(NAME)
    with pytest.raises(FunnelError, match="team: no stage entry has a date; state exported_on"):
        last_day(tables, funnel)


@pytest.mark.usefixtures("here", "rich")
def test_the_account_of_a_preparation_adds_up():
    quality = read_quality(NAME)
    assert quality.rows.values.tolist() == [
        ["leads", 3, 3, 0, 0],
        ["entries", 4, 4, 0, 0],
        ["payments", 2, 2, 0, 0],
        ["costs", 2, 2, 0, 0],
    ]
    assert quality.ignored.empty
    assert list(quality.ignored) == ["table", "value", "rows"]
    columns = ["table", "file", "row", "column", "value", "reason", "code"]
    assert [list(quality.set_aside), list(quality.bad_cells)] == [columns, columns]
    assert {path.suffix for path in PROCESSED.iterdir()} == {".parquet", ".json"}


def test_the_judged_window_ends_with_the_week_and_the_shown_one_is_twice_as_long():
    write()
    prepare(NAME)
    funnel, _ = open_funnel(NAME)
    first, last = trailing_window("2026-W26", funnel)
    assert (first, last) == (date(2026, 3, 30), date(2026, 6, 28))
    assert ((last - first).days + 1, first.isoweekday()) == (13 * 7, 1)
    shown = trend_window("2026-W26", funnel)
    assert shown == (first - timedelta(days=13 * 7), last)


PARTS = source("leads", "leads.csv", 'attributes = { region = "Region" }', lead_id="id", created_at="created")


@pytest.fixture
def regions():
    """Two leads of the north and one without a region, each with entries; costs know no region."""
    leads = "id,created,Region\na,2026-01-05,North\nb,2026-01-06,\nc,2026-01-07,North\n"
    entries = "id,stage,at\na,lead,2026-01-05\na,met,2026-01-09\nb,lead,2026-01-06\nc,lead,2026-01-07\n"
    write(FUNNEL + PARTS + ENTRIES, {"leads.csv": leads, "entries.csv": entries})
    prepare(NAME)


@pytest.mark.usefixtures("here", "regions")
@pytest.mark.parametrize(("where", "leads", "entries"), [("region=North", 2, 3), ("region=(missing)", 1, 1)])
def test_a_part_of_the_leads_has_what_happened_to_them(where, leads, entries):
    _, tables = open_funnel(NAME, where=where)
    found = rows(tables)
    assert (found["leads"], found["entries"], tables.part) == (leads, entries, where)
    whole = rows(open_funnel(NAME)[1])
    assert (whole["leads"], whole["entries"]) == (3, 4)


@pytest.mark.usefixtures("here", "regions")
@pytest.mark.parametrize(
    ("where", "told"),
    [
        ("North", 'where must be written like "region=North", got "North"'),
        ("regoin=North", 'leads have no "regoin"; did you mean "region"?'),
        ("region=Nroth", 'where: no lead has the region "Nroth"; did you mean "North"?'),
    ],
)
def test_a_part_that_no_lead_is_of_is_refused_with_the_nearest(where, told):
    with pytest.raises(FunnelError) as refused:
        open_funnel(NAME, where=where)
    assert str(refused.value) == told
