"""Frames at hand become the tables that an export of the same rows becomes."""

import re

import duckdb
import ibis
import pandas as pd
import pyarrow as pa
import pytest
from bs4 import BeautifulSoup
from projects import REPOSITORY, TOML, prepared

import funnelstats as fs

FUNNEL = fs.funnel(["lead", "met", "paid"], horizon_days=30, timezone="Europe/Moscow")
LEADS = pd.DataFrame({"lead_id": [1, 2, 3], "region": ["North", " ", None], "amount": [10.5, None, 7.0]})
ENTRIES = pd.DataFrame(
    {
        "lead_id": [1.0, 1.0, 2.0, 3.0],
        "stage": ["lead", "met", "lead", "lost"],
        "entered_at": pd.to_datetime(["2026-01-05 23:30", "2026-01-09", "2026-01-06 10:00", None], format="ISO8601"),
        "manager": ["Anna", None, "", "Boris"],
    }
)


def of(entries=ENTRIES, leads=LEADS, **others):
    return fs.tables(FUNNEL, leads=leads, entries=entries, **others)


def rows(table):
    """The rows of an ibis table, what is not known as None."""
    return table.to_pyarrow().to_pylist()


def polars(frame):
    return pytest.importorskip("polars").from_pandas(frame)


def relation(frame):
    return duckdb.from_df(frame)


def of_a_database(frame):
    return ibis.duckdb.connect().create_table("rows", frame)


@pytest.mark.parametrize("made", [polars, pa.Table.from_pandas, relation, ibis.memtable, of_a_database])
def test_a_frame_of_any_kind_gives_the_tables_that_one_of_pandas_gives(made):
    plain = of()
    other = of(leads=made(LEADS), entries=made(ENTRIES))
    assert rows(other.leads) == rows(plain.leads)
    assert rows(other.entries) == rows(plain.entries)


def test_the_index_of_a_frame_of_pandas_is_no_attribute():
    made = of(leads=pa.Table.from_pandas(LEADS.set_axis([7, 8, 9])))
    assert made.leads.columns == of(leads=LEADS.set_axis(list("abc"))).leads.columns == of().leads.columns


def test_ids_are_text_blanks_are_missing_and_times_without_a_zone_are_the_funnels():
    made = of()
    assert [row["lead_id"] for row in rows(made.entries)] == ["1", "1", "2", "3"]
    assert [row["region"] for row in rows(made.leads)] == ["North", None, None]
    assert [row["amount"] for row in rows(made.leads)] == [10.5, None, 7.0]
    first, second, _, last = rows(made.entries)
    assert (str(first["entered_at"]), str(first["entered_on"])) == ("2026-01-05 20:30:00", "2026-01-05")
    assert str(second["entered_on"]) == "2026-01-09"
    assert (last["stage"], last["entered_at"], last["entered_on"]) == ("lost", None, None)
    assert [row["manager"] for row in rows(made.entries)] == ["Anna", None, None, "Boris"]


def test_times_with_a_zone_are_converted():
    known = ENTRIES.dropna(subset="entered_at")
    first = rows(of(known.assign(entered_at=known["entered_at"].dt.tz_localize("UTC"))).entries)[0]
    assert (str(first["entered_at"]), str(first["entered_on"])) == ("2026-01-05 23:30:00", "2026-01-06")


def test_a_day_may_be_a_period_of_pandas():
    known = ENTRIES.dropna(subset="entered_at")
    first = rows(of(known.assign(entered_at=known["entered_at"].dt.to_period("D"))).entries)[0]
    assert str(first["entered_on"]) == "2026-01-05"


def test_a_python_number_of_nineteen_digits_among_texts_keeps_them():
    ids = pd.Series([1234567890123456789, "b"], dtype=object)
    made = of(ENTRIES.head(2).assign(lead_id=ids), leads=pd.DataFrame({"lead_id": ids}))
    assert [row["lead_id"] for row in rows(made.leads)] == ["1234567890123456789", "b"]


@pytest.mark.usefixtures("here")
def test_the_same_rows_in_files_give_the_same_tables_and_account():
    texts = {
        "leads": pd.DataFrame({"lead_id": ["a", "b"], "created_at": ["2026-01-05", "2026-01-06"]}),
        "entries": pd.DataFrame(
            {
                "lead_id": ["a", "a", "b"],
                "stage": ["lead", "met", "lead"],
                "entered_at": ["2026-01-05", "2026-01-09 14:00", "2026-01-06"],
            }
        ),
    }
    files = {
        "leads.csv": texts["leads"].to_csv(index=False),
        "entries.csv": texts["entries"].to_csv(index=False),
    }
    toml = TOML.replace('"id"', '"lead_id"').replace('"created"', '"created_at"').replace('"at"', '"entered_at"')
    prepared(toml, files)
    funnel, read = fs.open_funnel("team")
    made = fs.tables(funnel, **texts)
    assert rows(made.leads) == rows(read.leads)
    assert rows(made.entries) == rows(read.entries)
    account = fs.read_quality("team")
    pd.testing.assert_frame_equal(made.quality.rows, account.rows)
    assert made.quality.facts == account.facts


def test_as_of_a_day_later_rows_do_not_exist_and_undated_ones_do():
    made = of(as_of="2026-01-06")
    assert [row["stage"] for row in rows(made.entries)] == ["lead", "lead", "lost"]


def test_every_table_may_be_there_and_each_has_its_dates():
    made = of(
        contacts=pd.DataFrame({"lead_id": [1], "at": ["2026-01-07 23:00"], "kind": ["call"], "reached": [True]}),
        payments=pd.DataFrame({"lead_id": [1], "paid_at": ["2026-01-09 01:00"], "amount": ["12.50"]}),
        costs=pd.DataFrame({"date": [pd.Timestamp("2026-01-01")], "amount": [3]}),
    )
    assert [(str(row["on"]), row["reached"]) for row in rows(made.contacts)] == [("2026-01-07", True)]
    assert [(str(row["paid_on"]), row["amount"]) for row in rows(made.payments)] == [("2026-01-09", 12.5)]
    assert [str(row["date"]) for row in rows(made.costs)] == ["2026-01-01"]
    assert of().costs is None


def test_a_row_set_aside_and_a_stage_of_no_funnel_are_warned_of_and_accounted_for():
    many = pd.concat([ENTRIES.head(1)] * 40, ignore_index=True)
    many["entered_at"] += pd.to_timedelta(range(40), unit="h")
    many.loc[3, "lead_id"] = 9
    many.loc[[5, 6], "stage"] = "pad"
    told = '3 of 40 rows of entries are not used, see quality. No stage "pad": did you mean "paid"?'
    with pytest.warns(UserWarning, match=re.escape(told)):
        made = of(many)
    assert made.quality.rows.set_index("table").loc["entries"].tolist() == [40, 37, 2, 1]
    aside = made.quality.set_aside.iloc[0]
    assert (aside["table"], aside["row"], aside["column"], aside["value"], aside["code"]) == (
        ("entries", 4, "lead_id", "9", "orphan")
    )  # fmt: skip


@pytest.mark.parametrize("made", [lambda frame: frame, pa.Table.from_pandas, relation])
def test_a_span_of_time_is_one_of_seconds(made):
    began = pd.to_datetime(pd.Series(["2026-03-01 10:00:00", "2026-03-01 11:00:00"]))
    ended = began + pd.to_timedelta([90.5, None], unit="s")
    calls = pd.DataFrame({"lead_id": [1, 2], "at": began, "kind": "call", "duration_s": ended - began})
    assert [row["duration_s"] for row in rows(of(contacts=made(calls)).contacts)] == [90.5, None]


def test_cells_that_cannot_be_read_are_warned_of():
    written = LEADS.assign(amount=["1,200.50", "5", "7"])
    with pytest.warns(UserWarning, match=re.escape('leads.amount: 1 unreadable, as "1,200.50".')):
        of(leads=written)


@pytest.mark.parametrize(
    ("frames", "told"),
    [
        ({"leads": LEADS.drop(columns="lead_id")}, 'leads: no column "lead_id"; known: region, amount'),
        ({"entries": ENTRIES.rename(columns={"stage": "Stage"})}, 'entries: no column "stage"; did you mean "Stage"?'),
        (
            {"entries": ENTRIES.assign(entered_at=["5.1.26", "x", "x", "x"])},
            'entries: row 1, column "entered_at": "5.1.26" is not a date',
        ),
        (
            {"payments": pd.DataFrame({"lead_id": [1, 2], "paid_at": ["2026-01-09"] * 2, "amount": [5, "many"]})},
            'payments: row 2, column "amount": "many" is not a number',
        ),
        ({"leads": LEADS.assign(stage="met")}, 'leads.attributes.stage: reports have a column "stage" of their own'),
        ({"leads": [1, 2]}, "leads: must be a table of pandas, Polars, Arrow, DuckDB or ibis, got list"),
        ({"leads": LEADS["region"]}, "leads: must be a table of pandas, Polars, Arrow, DuckDB or ibis, got Series"),
        ({"entries": None}, "entries: must be a table of pandas, Polars, Arrow, DuckDB or ibis, got NoneType"),
        ({"leads": pd.concat([LEADS, LEADS], axis=1)}, 'leads: column "lead_id" stands there twice; rename one'),
    ],
)
def test_what_is_wrong_with_a_frame_is_told_with_its_column(frames, told):
    with pytest.raises(fs.FunnelError) as error:
        of(**frames)
    assert told in str(error.value)


def test_all_missing_columns_are_told_at_once():
    with pytest.raises(fs.FunnelError) as error:
        of(ENTRIES[["manager"]], leads=LEADS[["region"]])
    assert [line.partition(";")[0] for line in str(error.value).splitlines()] == [
        'leads: no column "lead_id"',
        *(f'entries: no column "{name}"' for name in ("entered_at", "lead_id", "stage")),
    ]


def test_a_funnel_that_names_a_column_of_leads_must_find_it():
    stated = fs.funnel(["lead", "paid"], horizon_days=7, lead_base={"score": "scre"})
    with pytest.raises(fs.FunnelError, match=r'lead_base.score: leads have no column "scre"'):
        fs.tables(stated, leads=LEADS, entries=ENTRIES)


def test_a_notebook_shows_rows_and_columns_of_each_table_and_no_markup_of_a_name():
    shown = of(leads=LEADS.assign(**{"<b>": "x"}))._repr_html_()
    page = BeautifulSoup(shown, "html.parser")
    cells = [[cell.get_text() for cell in row.select("th, td")] for row in page.select("tbody tr")]
    assert cells == [
        ["leads", "3", "lead_id, amount, region, <b>"],
        ["entries", "4", "lead_id, stage, entered_at, entered_on, manager, reason"],
    ]
    assert page.find("b") is None


def test_a_part_of_the_leads_keeps_the_account():
    from funnelstats.importing.opening import part_of

    made = of()
    assert part_of(made, "region=North").quality is made.quality


@pytest.mark.usefixtures("sample_project")
def test_the_samples_own_tables_as_frames_with_zoned_times_come_out_the_same():
    funnel, read = fs.open_funnel("sample")
    instants = {"leads": "created_at", "entries": "entered_at", "contacts": "at", "payments": "paid_at"}
    frames = {table: getattr(read, table).to_pandas() for table in (*instants, "costs")}
    for table, at in instants.items():
        frames[table][at] = frames[table][at].dt.tz_localize("UTC")
    made = fs.tables(funnel, **frames)
    assert made.quality.rows["rows_kept"].tolist() == [len(frames[table]) for table in made.quality.rows["table"]]
    for table in frames:
        one, other = (getattr(tables, table).to_pyarrow() for tables in (made, read))
        assert one.select(other.column_names).equals(other)


def test_the_example_of_a_warehouse_counts():
    page = (REPOSITORY / "docs" / "warehouse.md").read_text(encoding="utf-8")
    code = page.split("```python\n")[1].split("```")[0]
    asked = re.search(r"ibis\.bigquery\.connect\(.*\)", code)[0]
    there = ibis.duckdb.connect()
    deals = {"deal_id": [1, 2], "channel": ["ads", "fair"], "region": ["North", None]}
    created = pd.to_datetime(["2025-12-30", "2026-01-05"])
    there.create_table("deals", pd.DataFrame(deals).assign(created=created))
    moves = {"deal_id": [1, 2, 2], "stage": ["lead", "lead", "met"], "owner": ["Anna"] * 3}
    there.create_table("stage_changes", pd.DataFrame(moves).assign(at=pd.to_datetime("2026-01-06")))
    room = {"there": there}
    exec(code.replace(asked, "there"), room)
    assert room["counts"].loc[0, ["manager", "entered", "converted"]].tolist() == ["Anna", 1, 1]
