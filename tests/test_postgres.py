"""Tables and queries of a PostgreSQL server as sources: read only, as text, and never a password in what is said."""

import os
import re
import shutil
from pathlib import Path

import ibis
import pandas as pd
import pytest
from projects import ENTRIES, FUNNEL, REPOSITORY, prepared, write

from funnelstats import read_quality
from funnelstats.config.errors import FunnelError
from funnelstats.importing.files import read_database
from funnelstats.importing.postgres import Kept
from funnelstats.importing.prepare import prepare

LONG = "9007199254740993001"  # 19 digits, more than a float holds


@pytest.fixture
def server(postgres, monkeypatch):
    """PostgreSQL with a table of deals, whose URL CRM_URL holds, with a password."""
    monkeypatch.setenv("CRM_URL", f"postgresql://tester:s3cret@/postgres?host={postgres.con.info.host}")
    run = postgres.con.execute
    run("create table deals (id bigint, at timestamptz, met timestamp, day date, sum numeric(9, 2), won bool, x float)")
    run(f"insert into deals values ({LONG}, '2026-01-05 14:30+03', '2026-01-05 14:30', '2026-01-05', 12.5, true, 1000)")
    run("insert into deals values (2, null, 'infinity', null, 3, false, 0.5)")
    yield run
    run("drop table deals")


@pytest.mark.usefixtures("server")
def test_cells_of_postgres_are_read_like_those_of_files():
    assert read_database("env:CRM_URL", "deals", ["id", "at", "met", "day", "sum", "won", "x"]).columns.to_pydict() == {
        "_row": [1, 2],
        "id": [LONG, "2"],
        "at": ["2026-01-05T11:30:00Z", ""],
        "met": ["2026-01-05T14:30:00", "infinity"],
        "day": ["2026-01-05T00:00:00", ""],
        "sum": ["12.50", "3.00"],
        "won": ["true", "false"],
        "x": ["1000", "0.5"],
    }


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize("end", ["", ";", " -- 100 %"])
def test_a_query_is_a_table_like_any_other(end):
    query = (
        f"select upper(name) as \"Name\" from (values ('anna'), ('100%')) as people (name) where name like '%n%'{end}"
    )
    assert read_database("env:CRM_URL", None, ["Name"], query).columns["Name"].to_pylist() == ["ANNA"]
    with pytest.raises(FunnelError, match=r'^query: no column "Nam"; did you mean "Name"\?$'):
        read_database("env:CRM_URL", None, ["Nam"], query)


def test_a_schema_may_stand_in_the_url(server, monkeypatch):
    server("create schema sales")
    server("create table sales.deals as select 'sold' as id")
    monkeypatch.setenv("CRM_URL", os.environ["CRM_URL"].replace("/postgres?", "/postgres/sales?"))
    try:
        assert read_database("env:CRM_URL", "deals", ["id"]).columns["id"].to_pylist() == ["sold"]
    finally:
        server("drop schema sales cascade")


WRITING = [
    ("select emptied() as id", "cannot execute DELETE in a read-only transaction"),
    (
        "with gone as (delete from deals returning id) select id from gone",
        "WITH clause containing a data-modifying statement must be at the top level",
    ),
    ("delete from deals", 'syntax error at or near "from"'),
    (
        "select 1) as found; commit; delete from deals; select * from (select 1 as id",
        "cannot insert multiple commands into a prepared statement",
    ),
    (
        "select set_config('transaction_read_only', 'off', true) as id, emptied()",
        "transaction read-write mode must be set before any query",
    ),
]


@pytest.mark.parametrize(("query", "told"), WRITING)
def test_a_query_that_writes_is_refused_by_the_server(server, query, told):
    server("create function emptied() returns int language sql as 'delete from deals; select 1'")
    try:
        with pytest.raises(FunnelError) as error:
            read_database("env:CRM_URL", None, ["id"], query)
        assert str(error.value).startswith(f"database env:CRM_URL: cannot open the query: {told}")
        assert server("select count(*) from deals").fetchone() == (2,)
    finally:
        server("drop function emptied")


@pytest.fixture
def locked(server):
    """A role that needs its password."""
    file = Path(server("show hba_file").fetchone()[0])
    before = file.read_text()
    server("create role locked login password 'other'")
    file.write_text(f"local all locked scram-sha-256\n{before}")
    server("select pg_reload_conf()")
    yield
    file.write_text(before)
    server("select pg_reload_conf()")
    server("drop role locked")


FAULTS = {
    "a wrong password": ({"tester": "locked"}, "select 1 as id", "OperationalError"),
    "no server": ({"host=": "host=/nowhere"}, "select 1 as id", "OperationalError"),
    "no host": ({"@/": "@nowhere.invalid/", "?host=": "?application_name="}, "select 1 as id", "OperationalError"),
    "a port that is none": ({"s3cret@": "1/s3cret@"}, "select 1 as id", r"\w+Error"),
    "a slip": ({}, "selct 1 as id", 'syntax error at or near "1"'),
    "a bad row": ({}, "select 1 / (2 - n) as id from generate_series(1, 3) as n", "division by zero"),
}


@pytest.mark.usefixtures("locked")
@pytest.mark.parametrize(("url", "query", "told"), FAULTS.values(), ids=FAULTS)
def test_what_fails_at_a_server_is_told_without_the_password(url, query, told, monkeypatch):
    for part, other in url.items():
        assert part in os.environ["CRM_URL"]
        monkeypatch.setenv("CRM_URL", os.environ["CRM_URL"].replace(part, other))
    with pytest.raises(
        FunnelError, match=rf"^database env:CRM_URL: cannot open the query: {told}(; see that the URL .+)?$"
    ) as error:
        read_database("env:CRM_URL", None, ["id"], query)
    chain, found = [], error.value
    while found:
        chain.append(found)
        found = found.__cause__ or found.__context__
    assert chain == [error.value]


@pytest.mark.usefixtures("here", "server")
def test_a_funnel_is_prepared_from_a_query_and_no_file_holds_the_password():
    leads = """
[leads]
database = "env:CRM_URL"
query = "select id, at from deals where won"
columns = { lead_id = "id", created_at = "at" }
"""
    found = prepared(FUNNEL + leads + ENTRIES, {"entries.csv": f"id,stage,at\n{LONG},lead,2026-01-05\n"})
    assert found["leads"]["lead_id"].tolist() == [LONG]
    assert found["leads"]["created_at"].astype(str).tolist() == ["2026-01-05 11:30:00"]
    files = [path for path in Path().rglob("*") if path.is_file()]
    assert any(path.name == "quality.json" for path in files)
    assert not [path for path in files if b"s3cret" in path.read_bytes()]


@pytest.mark.usefixtures("here")
def test_the_sample_from_a_server_is_the_sample_from_its_files(postgres, monkeypatch):
    monkeypatch.setenv("CRM_URL", f"postgresql://tester@/postgres?host={postgres.con.info.host}")
    raw = REPOSITORY / "data" / "raw" / "sample"
    from_files, toml = Path("data", "raw", "files"), (raw / "funnel.toml").read_text(encoding="utf-8")
    shutil.copytree(raw, from_files)
    for pattern in re.findall(r'^files = \["(.*)"\]$', toml, re.M):
        how = {"sep": None, "engine": "python", "dtype": str, "encoding": "utf-8-sig", "keep_default_na": False}
        # a server has no row of too few fields
        frames = [pd.read_csv(path, **how).dropna() for path in sorted(raw.glob(pattern))]
        table = pattern.split(".")[0].rstrip("_*")
        postgres.create_table(table, pd.concat(frames, ignore_index=True).reset_index(names="place"))
        query = f"select * from {table} order by place"
        toml = toml.replace(f'files = ["{pattern}"]', f'database = "env:CRM_URL"\nquery = "{query}"')
    write(toml, name="server")
    for name in ("files", "server"):
        prepare(name)
    processed = Path("data", "processed")
    for table in ("leads", "entries", "contacts", "payments", "costs"):
        of_files, of_server = (pd.read_parquet(processed / name / f"{table}.parquet") for name in ("files", "server"))
        pd.testing.assert_frame_equal(of_server, of_files)
    kept, counted = (read_quality(name).rows["rows_kept"].tolist() for name in ("files", "server"))
    assert counted == kept


MARKED = """
[leads]
database = "env:CRM_URL"
table = "people"
columns = { lead_id = "id", created_at = "at" }

[entries]
database = "env:CRM_URL"
table = "moves"
watermark = "written"
key = "no"
columns = { lead_id = "lead", stage = "stage", entered_at = "at" }
"""


@pytest.fixture
def moves(postgres, monkeypatch):
    """A server with leads and their moves, which say when they were last written; two funnels read it, one whole."""
    monkeypatch.setenv("CRM_URL", f"postgresql://tester@/postgres?host={postgres.con.info.host}")
    run = postgres.con.execute
    run("create table people as select n as id, date '2026-01-05' as at from generate_series(1, 40) as n")
    run("create table moves (no int, lead int, stage text, at timestamp, written timestamptz, who text)")
    run(
        "insert into moves select n, n, 'lead', timestamp '2026-01-05 10:00', "
        "timestamptz '2026-01-05 10:00+03' + n / 2 * interval '1 minute' from generate_series(1, 40) as n"
    )
    write(FUNNEL + MARKED, name="kept")
    write(FUNNEL + MARKED.replace('watermark = "written"\nkey = "no"\n', ""), name="whole")
    yield run
    run("drop table people, moves")


def both_prepared():
    for name in ("kept", "whole"):
        prepare(name)
    kept, whole = (pd.read_parquet(Path("data", "processed", name, "entries.parquet")) for name in ("kept", "whole"))
    order = ["lead_id", "stage", "entered_at"]
    pd.testing.assert_frame_equal(*(rows.sort_values(order, ignore_index=True) for rows in (kept, whole)))
    return whole


LATER = "now() + interval '1 hour'"
CHANGES = {
    "nothing": "select 1",
    "new rows": f"insert into moves select n, n - 47, 'met', '2026-02-01', {LATER} from generate_series(50, 51) as n",
    "a row of an old day": f"insert into moves values (52, 5, 'met', '2026-01-06', {LATER})",
    "a row with the last watermark": "insert into moves select 53, 6, 'met', '2026-02-01', max(written) from moves",
    "a correction with it": "update moves set at = '2026-02-03' where no = 53",
    "a correction": f"update moves set at = '2026-01-05 09:00', written = {LATER} where no = 7",
    "a row that is another lead's": f"update moves set lead = 8, at = '2026-01-08', written = {LATER} where no = 9",
    "a row without a watermark": "insert into moves values (54, 7, 'met', '2026-02-01', null)",
    "a correction without a watermark": "update moves set at = '2026-02-02' where no = 54",
    "removed rows": "delete from moves where no in (10, 40, 53)",
    "a row written with an old watermark": "insert into moves values (55, 9, 'met', '2026-02-03', '2026-01-05')",
    "all but one removed": "delete from moves where no > 1",
}


@pytest.mark.usefixtures("here")
def test_whatever_was_written_since_kept_rows_and_newer_ones_are_all_rows(moves):
    seen = [both_prepared()]
    for change in CHANGES.values():
        moves(change)
        seen.append(both_prepared())
    assert [len(rows) for rows in seen] == [40, 40, 42, 43, 44, 44, 44, 44, 45, 45, 42, 43, 1]


@pytest.mark.usefixtures("here")
def test_rows_below_the_watermark_are_not_fetched_again_unless_other_columns_are_read(moves):
    def entered(lead):
        prepare("kept")
        rows = pd.read_parquet(Path("data", "processed", "kept", "entries.parquet"))
        return str(rows.set_index("lead_id").loc[lead, "entered_at"])

    assert entered("1") == "2026-01-05 07:00:00"
    moves("update moves set at = '2026-01-07 10:00'")
    assert (entered("1"), entered("40")) == ("2026-01-05 07:00:00", "2026-01-07 07:00:00")
    write(FUNNEL + MARKED.replace('entered_at = "at"', 'entered_at = "at", manager = "who"'), name="kept")
    assert entered("1") == "2026-01-07 07:00:00"


@pytest.mark.usefixtures("here")
def test_a_key_that_names_several_rows_is_told(moves):
    moves("update moves set no = 7 where no = 8")
    told = r'^moves: 2 rows have the no "7"; state as key the columns that name one row$'
    with pytest.raises(FunnelError, match=told):
        prepare("kept")


@pytest.mark.usefixtures("here", "moves")
def test_pseudonyms_are_made_of_kept_rows_and_none_are_kept_beside_them():
    prepare("kept")
    prepare("kept.anonymous")
    assert [path.as_posix() for path in Path("data").rglob("kept_*")] == [
        "data/processed/kept/kept_raw_entries_0.parquet"
    ]


def test_rows_of_no_other_database_are_kept(tmp_path):
    ibis.duckdb.connect(tmp_path / "crm.db").raw_sql("create table deals as select 1 as id").close()
    with pytest.raises(FunnelError, match=r"^database duckdb://...: watermark: only rows of PostgreSQL are kept"):
        read_database(f"duckdb://{tmp_path}/crm.db", "deals", ["id"], kept=Kept(tmp_path / "kept", "at", ("id",)))
