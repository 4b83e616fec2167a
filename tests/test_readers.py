"""Files of every kind and disguise become columns of text, or a clear error."""

import codecs
import gzip
import io
import json
import random
import re
import sqlite3
import tempfile
import zipfile
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import duckdb
import ibis
import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter
from projects import workbook

from funnelstats.config.errors import FunnelError
from funnelstats.config.folders import TEMPORARY, remove_leftovers
from funnelstats.importing import files, packed
from funnelstats.importing.facts import reason
from funnelstats.importing.files import read_database
from funnelstats.importing.workbooks import FORMULA_WITHOUT_RESULT

LONG = "9007199254740993001"  # 19 digits, more than a float holds


def read_file(path, wanted=None, **options):
    """What a file holds; the engine is given the same, by every source that reads it."""
    with duckdb.connect() as con:
        try:
            found = files.read_file(path, wanted, **options)
        except FunnelError as error:
            with pytest.raises(FunnelError, match=f"^{re.escape(str(error))}$"):
                files.read_file(path, wanted, into=(con, "rows"), **options)
            raise
        for table in ("rows", "rows_again"):
            given = files.read_file(path, wanted, into=(con, table), **options)
            assert given[1:4] == found[1:4]
            assert con.sql(given.rows.query).to_arrow_table().to_pydict() == found.columns.to_pydict()
    return found


@pytest.fixture
def read(tmp_path):
    """Read bytes or text written to a file: (columns as lists, broken rows, kind)."""

    def run(content, wanted=None, name="export.csv", **options):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        found = read_file(path, wanted, **options)
        return found.columns.to_pydict(), found.broken, found.kind

    return run


@pytest.fixture
def error(read):
    """The message of the FunnelError that reading raises."""

    def run(*args, **options):
        with pytest.raises(FunnelError) as told:
            read(*args, **options)
        return str(told.value)

    return run


@pytest.mark.parametrize(("mark", "kind"), [(",", "CSV (,)"), (";", "CSV (;)"), ("\t", "CSV (tab)"), ("|", "CSV (|)")])
def test_the_delimiter_is_told_by_the_header(read, mark, kind):
    columns, broken, found = read(f"id{mark}created\n007{mark}2026-01-05\n")
    assert columns == {"_row": [2], "id": ["007"], "created": ["2026-01-05"]}
    assert (broken, found) == ([], kind)


def test_a_delimiter_within_a_name_is_outvoted_by_the_wanted_columns(read):
    header = 'id;"Sum, of, all, deals";name\n'
    assert read(header + "1;5;x\n", ["id", "name"])[0] == {"_row": [2], "id": ["1"], "name": ["x"]}


ENCODED = {
    "UTF-8": ("utf-8", None),
    "UTF-8 with a byte-order mark": ("utf-8-sig", None),
    "UTF-8 with a byte-order mark, stated": ("utf-8-sig", "UTF-8"),
    "UTF-16 with a byte-order mark": ("utf-16", None),
    "UTF-16 without one, stated": ("utf-16-le", "utf-16-le"),
    "cp1251, stated": ("cp1251", "cp1251"),
}


@pytest.mark.parametrize(("written", "stated"), ENCODED.values(), ids=ENCODED)
def test_an_encoding_is_told_by_its_mark_or_stated(read, written, stated):
    text = '"Сделка";"Менеджер"\n1;Иванов\n'
    columns, _, _ = read(text.encode(written), ["Сделка", "Менеджер"], encoding=stated)
    assert columns == {"_row": [2], "Сделка": ["1"], "Менеджер": ["Иванов"]}


def test_an_encoding_that_does_not_fit_is_told_however_late_it_shows(error):
    rows = "1;abc\n" * 10_000
    told = 'export.csv: not UTF-8; state its encoding, for example encoding = "cp1251"'
    assert error((rows + "2;Иванов\n").encode("cp1251"), ["1"]) == told
    assert error("имя;б\n".encode("cp1251")) == told
    assert error(b'{"id": "1"}\n' * 1000 + '{"id": "Я"}'.encode("cp1251"), ["id"]) == told
    assert error(b"id;name\n1;\xff\n", encoding="ascii").startswith("export.csv: not ascii; ")


def test_a_nul_costs_its_letter_alone(read):
    rows = [f"{n},x" for n in range(60)]
    columns, broken, _kind = read("\n".join(["id,name", "a,b\0c", *rows]))
    assert (columns["name"][:2], broken) == (["b\0c", "x"], [])


def test_quoted_newlines_quotes_and_delimiters_stay_in_their_cell(read):
    text = 'id,note\r\n1,"two\r\nlines, and a ""quote"""\r\n2,plain\r\n'
    columns, broken, _ = read(text)
    assert columns["note"] == ['two\r\nlines, and a "quote"', "plain"]
    assert columns["_row"] == [2, 3]
    assert broken == []


def test_blank_cells_at_the_end_may_be_left_out_or_be_too_many_and_filled_ones_break_their_row(read):
    columns, broken, _ = read("id,name\n1,a\n2\n\n3,b,c\n4,d,, \n")
    assert columns == {"_row": [2, 6, 3], "id": ["1", "4", "2"], "name": ["a", "d", ""]}
    assert broken == [(5, "3,b,c", reason("fields", 3, 2))]


def test_a_quote_that_never_closes_is_told_with_the_row_it_opens_in(error):
    assert error('id,name\n0,"two\nlines"\n1,"open\n2,b\n') == (
        "export.csv: row 3, which begins in line 4: unexpected end of data in line 5; "
        "a quote that opens must close, and one within a text stand twice"
    )
    assert error('id,name\n1,"OOO "Daisy""\n2,b\n').startswith(
        "export.csv: row 2, which begins in line 2: ',' expected"
    )


def test_a_name_twice_in_the_header_is_an_error_only_where_it_is_wanted(read, error):
    assert error("id,name,name\n1,a,b\n", ["id", "name"]) == 'export.csv: column "name" stands there twice; rename one'
    assert read("id,name,name\n1,a,b\n", ["id"])[0] == {"_row": [2], "id": ["1"]}


def test_names_that_differ_in_capitals_are_an_error_only_where_both_are_wanted(read, error):
    text = "ID,Name,id\n1,a,b\n"
    assert error(text, ["ID", "id"]) == 'export.csv: columns "ID" and "id" differ in capitals only; rename one'
    assert error(text) == 'export.csv: columns "ID" and "id" differ in capitals only; rename one'
    assert read(text, ["id", "Name"])[0] == {"_row": [2], "id": ["b"], "Name": ["a"]}


def test_names_that_rows_get_here_are_an_error_only_where_they_are_wanted(read, error):
    text = "id,_file,_Row\n1,a,b\n"
    assert error(text, ["_Row", "_file", "id"]).splitlines() == [
        'export.csv: column "_Row" has a name that funnelstats uses itself; rename it',
        'export.csv: column "_file" has a name that funnelstats uses itself; rename it',
    ]
    assert read(text, ["id"])[0] == {"_row": [2], "id": ["1"]}


def test_missing_columns_are_told_at_once_each_with_its_near_miss(error):
    assert error("id,created,,owner\n", ["id", "creatd", "price"]).splitlines() == [
        'export.csv: no column "creatd"; did you mean "created"?',
        'export.csv: no column "price"; known: id, created, owner',
    ]


TITLED = [["Deals of July"], [], ["id", "name"], ["1", "a"], [], ["2", "b"]]


def test_what_stands_above_the_header_is_not_read_and_rows_keep_their_numbers(read, error, tmp_path):
    text = "".join(";".join(row) + "\n" for row in TITLED)
    found = {"_row": [4, 6], "id": ["1", "2"], "name": ["a", "b"]}
    assert read(text, ["id", "name"], header_row=(3,))[0] == found
    assert (
        read_file(book(tmp_path / "deals.xlsx", TITLED), ["id", "name"], header_row=(3,)).columns.to_pydict() == found
    )
    assert error(text, ["id", "name"]).splitlines() == [
        'export.csv: no column "id"; known: Deals of July',
        'export.csv: no column "name"; known: Deals of July',
        "export.csv: row 1 was taken as the header; if it is another, state header_row",
    ]
    assert error("\nid,name\n", ["id"]).startswith('export.csv: no column "id"; known: none\n')
    assert "row 9 was taken as the header" in error(text, ["id"], header_row=(9,))


def test_a_title_with_other_delimiters_does_not_mislead(read):
    assert read('"a, b, c, ""d""\n, e";\nid;name\n1;a\n', ["id"], header_row=(2,))[0] == {"_row": [3], "id": ["1"]}


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_the_delimiter_that_a_first_line_for_spreadsheets_names_is_taken_and_not_counted(read, encoding):
    for line in ("sep=^", '"sep=^"'):
        found = read(f"{line}\r\nid^a,b\r\n1^x\r\n2^y^z\r\n".encode(encoding), ["id", "a,b"])
        assert found == ({"_row": [2], "id": ["1"], "a,b": ["x"]}, [(3, "2^y^z", reason("fields", 3, 2))],
                         "CSV (^)")  # fmt: skip


def test_blanks_around_a_header_and_a_column_without_a_name_do_no_harm(read):
    assert read(" id ;name\t;\n1;a;\n", ["id", "name"])[0] == {"_row": [2], "id": ["1"], "name": ["a"]}


def test_cells_come_as_they_stand_against_a_plain_writer(read):
    """Random cells of the awkward characters, written by pandas, with several chunks of rows."""
    rng = random.Random(1)
    cells = [["".join(rng.choices('ab1 ,;"\n\t|é№', k=rng.randint(0, 6))) for _ in range(3)] for _ in range(2000)]
    frame = pd.DataFrame(cells, columns=["id", "b", "c"])
    for mark in ",;\t|":
        columns, broken, _ = read(frame.to_csv(index=False, sep=mark, lineterminator="\n"), ["id", "b", "c"])
        assert broken == []
        assert [list(row) for row in zip(columns["id"], columns["b"], columns["c"], strict=True)] == cells
        assert columns["_row"] == list(range(2, 2002))


def saved(path, **sheets):
    path.write_bytes(workbook(**sheets))
    return path


def book(path, rows):
    return saved(path, Deals=rows, Notes=[["nothing"]])


def test_a_spreadsheet_keeps_numbers_dates_and_flags_as_one_reads_them(tmp_path):
    rows = [
        ["id", "created", "sum", "won", "note"],
        ["007", datetime(2026, 1, 5, 14, 30), 1234.5, True, "x"],
        [],
        [8, date(2026, 1, 6), 1000.0, False, None],
    ]
    found = read_file(book(tmp_path / "deals.csv", rows))
    assert found.kind == "XLSX"
    assert found.columns.to_pydict() == {
        "_row": [2, 4],
        "id": ["007", "8"],
        "created": ["2026-01-05T14:30:00", "2026-01-06T00:00:00"],
        "sum": ["1234.5", "1000"],
        "won": ["true", "false"],
        "note": ["x", ""],
    }


def test_a_long_number_of_a_spreadsheet_looks_like_one_that_lost_digits(tmp_path):
    found = read_file(book(tmp_path / "deals.xlsx", [["id"], [int(LONG)], [float(LONG)], [LONG]]), ["id"])
    assert found.columns["id"].to_pylist() == ["9.00720E+18", "9.00720E+18", LONG]


def test_rows_beyond_the_size_that_a_spreadsheet_states_are_read(tmp_path):
    whole, cut = book(tmp_path / "whole.xlsx", [["id", "name"], *([n, "x"] for n in range(40))]), tmp_path / "cut.xlsx"
    for stated in ("A1:B10", "A1", "A1:A3"):
        with zipfile.ZipFile(whole) as source, zipfile.ZipFile(cut, "w") as target:
            for part in source.namelist():
                text = source.read(part).replace(b'<dimension ref="A1:B41"', b'<dimension ref="%s"' % stated.encode())
                assert part != "xl/worksheets/sheet1.xml" or stated.encode() in text
                target.writestr(part, text)
        columns = read_file(cut, ["id", "name"]).columns
        assert columns["id"].to_pylist() == [str(n) for n in range(40)]
        assert set(columns["name"].to_pylist()) == {"x"}


def test_a_chart_is_no_table_of_a_spreadsheet(tmp_path):
    made = openpyxl.load_workbook(book(tmp_path / "deals.xlsx", [["id"], ["1"]]))
    made.create_chartsheet("Chart", 0).add_chart(openpyxl.chart.BarChart())
    made.save(tmp_path / "deals.xlsx")
    assert read_file(tmp_path / "deals.xlsx").columns.column_names == ["_row", "id"]
    with pytest.raises(FunnelError, match=r'deals.xlsx: sheet "Chart" is a chart, not a table; known: Deals, Notes'):
        read_file(tmp_path / "deals.xlsx", sheet="Chart")
    with pytest.raises(FunnelError, match=r'deals.xlsx: no sheet "Note"; did you mean "Notes"\?'):
        read_file(tmp_path / "deals.xlsx", sheet="Note")


def test_a_hidden_sheet_is_read_only_where_it_is_stated(tmp_path):
    path = saved(tmp_path / "deals.xlsx", Lookup_hidden=[["id"], ["old"]], Data=[["id"], ["new"]])
    assert read_file(path, ["id"]).columns["id"].to_pylist() == ["new"]
    assert read_file(path, ["id"], sheet="Lookup").columns["id"].to_pylist() == ["old"]


def test_a_cover_before_the_table_is_told_with_the_sheet_that_has_the_columns(tmp_path):
    cover, data = [["Report", "Deals"]], [["id", "sum"], ["1", 5]]
    path = saved(tmp_path / "deals.xlsx", Cover=cover, Data=data, Notes=[["id"]], Old_hidden=data)
    with pytest.raises(FunnelError) as told:
        read_file(path, ["id", "sum"])
    assert str(told.value).splitlines()[-1] == (
        'deals.xlsx: the sheet "Cover" was read; all these columns stand in another one: state sheet = "Data" or '
        'sheet = "Old"'
    )
    with pytest.raises(FunnelError) as told:
        read_file(path, ["price"])
    assert "stand in another one" not in str(told.value)


def test_formulas_whose_results_nobody_computed_are_told_and_others_are_read(tmp_path):
    rows = [["=1+1", "title"], ["id", "at"], ["1", "=DATE(2026,1,5)"], ["2", "=DATE(2026,1,6)"]]
    path = saved(tmp_path / "deals.xlsx", Notes=[["=1+1"]], Deals=rows)
    with pytest.raises(FunnelError) as told:
        read_file(path, ["id", "at"], sheet="Deals", header_row=(2,))
    assert str(told.value) == (
        'deals.xlsx: row 3, column "at": 2 cells hold formulas without a result; open the file in Excel, save it and '
        "put it here again"
    )
    assert read_file(path, ["id"], sheet="Deals", header_row=(2,)).columns["id"].to_pylist() == ["1", "2"]
    results = xlsxwriter.Workbook(tmp_path / "computed.xlsx")
    sheet = results.add_worksheet()
    sheet.write_row(0, 0, ["id", "note"])
    for row, value in enumerate(("x", "#REF!"), start=1):
        sheet.write(row, 0, str(row))
        sheet.write_formula(row, 1, "=A1", None, value)
    results.close()
    assert read_file(tmp_path / "computed.xlsx").columns["note"].to_pylist() == ["x", "#REF!"]
    assert not re.search(FORMULA_WITHOUT_RESULT, b'<c r="B3" t="str"><f>A1</f><v></v></c>')


@pytest.mark.parametrize("error", ["#REF!", "#SPILL!"])
def test_errors_of_cells_are_their_texts(error, tmp_path):
    texts = ["#N/A", 'say t="e"', error]
    made = openpyxl.load_workbook(book(tmp_path / "deals.xlsx", [["note"], *([text] for text in texts)]))
    for row, text in enumerate(texts, start=2):
        made["Deals"].cell(row, 1).data_type = "e" if text.startswith("#") else "s"
    made.save(tmp_path / "deals.xlsx")
    with zipfile.ZipFile(tmp_path / "deals.xlsx") as archive:
        assert archive.read("xl/worksheets/sheet1.xml").count(b' t="e"><v>') == 2
    assert read_file(tmp_path / "deals.xlsx").columns["note"].to_pylist() == texts


def test_a_cell_far_away_from_the_table_takes_no_memory(tmp_path):
    made = openpyxl.load_workbook(book(tmp_path / "deals.xlsx", [["id"], ["1"]]))
    made["Deals"].cell(30_000, 16_000, "stray")
    made.save(tmp_path / "deals.xlsx")
    assert read_file(tmp_path / "deals.xlsx").columns.to_pydict() == {"_row": [2, 30_000], "id": ["1", ""]}


def test_a_table_that_begins_beneath_and_right_of_the_first_cell_keeps_its_places(tmp_path):
    made = openpyxl.Workbook()
    for place, value in {"C4": "id", "D4": "sum", "C7": "a", "D7": 5, "E7": "no name"}.items():
        made.active[place] = value
    made.save(tmp_path / "deals.xlsx")
    found = read_file(tmp_path / "deals.xlsx", header_row=(4,))
    assert found.columns.to_pydict() == {"_row": [7], "id": ["a"], "sum": ["5"]}
    assert found.header == ["", "", "id", "sum"]


def test_damaged_texts_of_a_spreadsheet_are_told(tmp_path):
    with xlsxwriter.Workbook(tmp_path / "deals.xlsx") as made:
        made.add_worksheet().write_column(0, 0, ["id", "abcdef"])
    with zipfile.ZipFile(tmp_path / "deals.xlsx") as source, zipfile.ZipFile(tmp_path / "stored.xlsx", "w") as target:
        for part in source.namelist():
            target.writestr(part, source.read(part))
    assert read_file(tmp_path / "stored.xlsx").columns["id"].to_pylist() == ["abcdef"]
    (tmp_path / "stored.xlsx").write_bytes((tmp_path / "stored.xlsx").read_bytes().replace(b"abcdef", b"abXdef"))
    with pytest.raises(FunnelError, match=r"^stored.xlsx: not a whole XLSX file \(BadZipFile\); export it again$"):
        read_file(tmp_path / "stored.xlsx")


APART = "Андреи\u0306"  # й of two characters, as some systems write it


def test_letters_and_their_accents_are_one_whoever_wrote_them(read, tmp_path):
    assert len(APART) == 7
    one = {"Андрей": ["Андрей", "Андрей"]}
    assert read(f"id;{APART}\n1;{APART}\n2;Андрей\n", ["Андрей"])[0] == {"_row": [2, 3], **one}
    assert read(f'{{"{APART}": "{APART}"}}\n{{"Андрей": "Андрей"}}\n', ["Андрей"])[0] == {"_row": [1, 2], **one}
    rows = [[APART], [APART], ["Андрей"]]
    assert read_file(book(tmp_path / "deals.xlsx", rows), ["Андрей"]).columns.to_pydict() == {"_row": [2, 3], **one}
    pq.write_table(pa.table({APART: [APART, "Андрей"]}), tmp_path / "deals.parquet")
    assert read_file(tmp_path / "deals.parquet", ["Андрей"]).columns.to_pydict() == {"_row": [1, 2], **one}


def test_parquet_keeps_digits_instants_and_categories(tmp_path):
    moscow = datetime(2026, 1, 5, 14, 30, tzinfo=ZoneInfo("Europe/Moscow"))
    table = pa.table(
        {
            "id": pa.array([int(LONG), None]),
            "zoned": pa.array([moscow, None], pa.timestamp("ns", "Europe/Moscow")),
            "plain": pa.array([datetime(2026, 1, 5, 14, 30), None], pa.timestamp("ms")),
            "day": pa.array([date(2026, 1, 5), None]),
            "sum": pa.array([1000.0, float("nan")]),
            "price": pa.array([Decimal("12.50"), None]),
            "won": pa.array([True, None]),
            "channel": pa.array(["web", None]).dictionary_encode(),
            "tags": pa.array([["a", "b"], None]),
        }
    )
    pq.write_table(table, tmp_path / "deals.csv")
    found = read_file(tmp_path / "deals.csv")
    first, second = found.columns.to_pylist()
    assert found.kind == "Parquet"
    assert first == {
        "_row": 1,
        "id": LONG,
        "zoned": "2026-01-05T11:30:00.000000Z",
        "plain": "2026-01-05T14:30:00.000000",
        "day": "2026-01-05T00:00:00.000000",
        "sum": "1000",
        "price": "12.50",
        "won": "true",
        "channel": "web",
        "tags": "['a', 'b']",
    }
    assert second == {"_row": 2} | dict.fromkeys(table.column_names) | {"sum": "", "tags": ""}


def test_a_long_id_that_was_stored_as_a_float_looks_like_one_that_lost_digits(tmp_path):
    pq.write_table(pa.table({"id": [float(LONG)]}), tmp_path / "deals.parquet")
    assert read_file(tmp_path / "deals.parquet", ["id"]).columns["id"].to_pylist() == ["9.00720E+18"]


def test_json_lines_keep_digits_and_tell_bad_lines(read):
    text = f'\ufeff{{"id": {LONG}, "sum": 12.50, "won": true, "note": null}}\n\n{{"id": 2}}\nnonsense\n[1]\n'
    columns, broken, kind = read(text, ["id", "sum", "won", "note"])
    assert kind == "JSON lines"
    assert columns == {"_row": [1, 3], "id": [LONG, "2"], "sum": ["12.50", ""], "won": ["true", ""], "note": ["", ""]}
    assert broken == [(4, "nonsense", reason("json", "Expecting value")), (5, "[1]", reason("json_object"))]


def test_what_lies_in_the_objects_of_json_lines_is_named_by_its_way(read):
    text = f'{{"id": 1, "current": {{"id": {LONG}, "user": {{"name": "Anna"}}, "tags": ["a", 2]}}}}\n{{"id": 2}}\n'
    columns, _, _ = read(text, ["id", "current.id", "current.user.name", "current.tags"])
    assert columns == {
        "_row": [1, 2],
        "id": ["1", "2"],
        "current.id": [LONG, ""],
        "current.user.name": ["Anna", ""],
        "current.tags": ["a; 2", ""],
    }


WRAPPED = '{"total": 2, "results": [{"id": "1", "a": {"b": "x"}}, {"id": 2, "tags": []}], "paging": {"next": "y"}}'


@pytest.mark.parametrize("indent", [None, 2])
def test_a_json_list_is_a_table_alone_or_as_the_only_list_of_one_object(read, error, indent):
    whole = json.loads(WRAPPED)
    found = {"_row": [1, 2], "id": ["1", "2"], "a.b": ["x", ""]}
    for value in (whole, whole["results"], {"data": {"deals": whole}}):
        columns, broken, kind = read("\ufeff" + json.dumps(value, indent=indent), ["id", "a.b"])
        assert (columns, broken, kind) == (found, [], "JSON")
    several = json.dumps(whole | {"errors": [{"id": 3}]}, indent=indent)
    assert error(several, ["id"]) == (
        "export.csv: one object with several lists of objects; state which are the rows: "
        'rows = "results" or rows = "errors"'
    )
    assert read(several, ["results.id", "total"], way="results")[0] == {
        "_row": [1, 2],
        "results.id": ["1", "2"],
        "total": ["2", "2"],
    }
    assert read(json.dumps(whole, indent=indent), ["total"])[0] == {"_row": [1], "total": ["2"]}


def test_json_that_is_cut_is_told_as_such(error):
    assert error('{\n  "id": 1\n', ["id"]) == (
        'export.csv: JSON, but not one object per line (JSON lines): line 1 is "{", '
        "which is not JSON: Expecting property name enclosed in double quotes"
    )
    told = "export.csv: a JSON list that is not whole: Expecting ',' delimiter in line 2; export it again"
    assert error('[{"id": 1}\n', ["id"]) == told


def test_a_list_within_each_object_becomes_rows_of_its_own(read, error):
    deals = [
        {"id": 1, "history": {"stage": [{"value": "met", "at": "b"}, {"value": "new"}]}},
        {"id": 2, "history": {"stage": []}},
        {"id": 3},
        {"id": 4, "history": {"stage": [{"value": "won", "at": "c"}]}},
    ]
    wanted = ["id", "history.stage.value", "history.stage.at"]
    rows = {"_row": [1, 2, 3], "id": ["1", "1", "4"], wanted[1]: ["met", "new", "won"], wanted[2]: ["b", "", "c"]}
    lines = "".join(f"{json.dumps(deal)}\n" for deal in deals)
    for text in (lines, json.dumps(deals), json.dumps({"results": deals})):
        assert read(text, wanted, way="history.stage")[0] == rows
    assert read(json.dumps(deals[0]), wanted, way="history.stage")[0]["id"] == ["1", "1"]
    nested = json.dumps({"results": deals, "people": [{"name": "x"}]})
    assert read(nested, ["results.id"], way="results.history.stage")[0]["results.id"] == ["1", "1", "4"]
    assert error(lines, wanted, way="history.stages") == (
        'export.csv: rows: no list "history.stages"; did you mean "history.stage"?'
    )


LOG = """<?xml version="1.0"?>
<log xmlns="http://www.xes-standard.org/">
  <global scope="event"><string key="concept:name" value="none"/></global>
  <trace>
    <string key="concept:name" value="case-1"/><string key="channel" value="Desk"/>
    <event><string key="concept:name" value="Received"/><date key="time:timestamp" value="2026-01-05T10:00:00+01:00"/>
      <list key="more"><string key="hidden" value="x"/></list></event>
    <event><string key="concept:name" value="Decided"/><int key="cost" value="5"/></event>
  </trace>
  <trace><event><string key="concept:name" value="Lost"/></event></trace>
</log>
"""


@pytest.mark.parametrize("pack", [str.encode, lambda text: gzip.compress(text.encode())])
def test_an_event_log_has_a_row_for_each_event_with_what_its_case_says(read, error, pack):
    wanted = ["case:concept:name", "case:channel", "concept:name", "time:timestamp", "cost"]
    columns, broken, kind = read(pack(LOG), wanted, name="log.xes")
    assert (broken, kind) == ([], "XES")
    assert list(zip(*columns.values(), strict=True)) == [
        (1, "case-1", "Desk", "Received", "2026-01-05T10:00:00+01:00", ""),
        (2, "case-1", "Desk", "Decided", "", "5"),
        (3, "", "", "Lost", "", ""),
    ]
    assert error(pack(LOG[:-8])).startswith("export.csv: XES that is not whole: ")


# Packed files


def zipped(**held):
    """A zip archive of these files."""
    room = io.BytesIO()
    with zipfile.ZipFile(room, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in held.items():
            archive.writestr(name.replace("__in__", "/"), content)
    return room.getvalue()


def test_a_packed_file_is_read_as_the_one_it_packs(read):
    table = ({"_row": [2], "id": ["1"]}, [], "CSV (,)")
    assert read(gzip.compress(b"id\n1\n"), ["id"]) == table
    assert read(zipped(**{"a__in__deals.csv": "id\n1\n", "__MACOSX/a/._deals.csv": "x", "a/": ""}), ["id"]) == table
    assert read(zipped(**{"deals.csv.gz": gzip.compress(b"id\n1\n")}), ["id"]) == table
    deals = workbook(Deals=[["id"], ["1"]])
    for content in (gzip.compress(deals), zipped(**{"deals.xlsx": deals})):
        assert read(content, ["id"]) == (table[0], [], "XLSX")


def test_what_a_file_packs_stays_while_another_run_clears_up(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    path = tmp_path / "deals.csv.gz"
    path.write_bytes(gzip.compress(b"id\n1\n"))
    with packed.unpacked(path) as plain:
        remove_leftovers(tmp_path, TEMPORARY)
        assert plain.read_bytes() == b"id\n1\n"
    assert [*tmp_path.iterdir()] == [path]


def test_what_is_packed_wrongly_is_told(error, monkeypatch):
    several = zipped(**{"deals.csv": "id\n", "stages.csv": "id\n"})
    assert error(several) == (
        "export.csv: must pack one file, got deals.csv, stages.csv; unpack it, and name the files"
    )
    assert "got none" in error(zipped(readme__in__=""))
    whole = "export.csv: a packed file that is not whole; export or pack it again"
    assert error(gzip.compress(b"id\n1\n" * 99)[:-9]) == whole
    assert (
        error(gzip.compress(gzip.compress(gzip.compress(b"id\n")))) == "export.csv: packed more than twice; unpack it"
    )
    monkeypatch.setattr(packed, "UNPACKED", 2**21)
    for bomb in (gzip.compress(b"0" * 2**22), zipped(**{"bomb.csv": b"0" * 2**22})):
        assert len(bomb) < 2**13
        assert "GB when unpacked; unpack and split it" in error(bomb)


def test_half_a_letter_of_json_costs_that_letter_alone(read):
    half = '"\\ud800x"'
    for text in (f'[{{"id": {half}}}, {{"id": "y"}}]', f'{{"id": {half}}}\n{{"id": "y"}}\n'):
        assert read(text, ["id"])[0]["id"] == ["\ufffdx", "y"]


def test_utf_32_is_no_utf_16(read):
    assert read("id\n1ü\n".encode("utf-32"), ["id"])[0]["id"] == ["1ü"]


UNREADABLE = {
    "JSON that is nested too deep": (
        b"[" * 100_000,
        "a JSON list that is not whole: nested too deep in line 1; export it again",
    ),
    "empty": (b"", "the file is empty; a table with a header row is needed"),
    "blank": (codecs.BOM_UTF8 + b"\n \n", "the file is empty; a table with a header row is needed"),
    "an old Excel file": (b"\xd0\xcf\x11\xe0\xa1\xb1", "an old Excel file (.xls); save it as .xlsx or CSV"),
    "PDF": (b"%PDF-1.7", "a PDF; export it as CSV or XLSX"),
    "HTML": (b"\n<html><table><tr><td>id", "HTML or XML, not a table; export it as CSV or XLSX"),
    "HTML in UTF-16": ("<html>".encode("utf-16"), "HTML or XML, not a table; export it as CSV or XLSX"),
    "UTF-16 without a mark": ("id,x\n".encode("utf-16-le"), 'not text in UTF-8; if it is, try encoding = "utf-16-le"'),
    "a cut XLSX": (b"PK\x03\x04rest", "not a whole XLSX file (BadZipFile); export it again"),
    "a cut Parquet": (b"PAR1rest", "not a whole Parquet file (ArrowInvalid); export it again"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "told"), UNREADABLE.values(), ids=UNREADABLE)
def test_what_is_no_table_is_told_by_what_it_is(error, content, told):
    assert error(content, name="export.csv") == f"export.csv: {told}"


@pytest.fixture
def crm(tmp_path):
    """The URL of a small SQLite database with a table of deals."""
    with sqlite3.connect(tmp_path / "crm.sqlite") as con:
        con.execute("create table deals (id integer, created text, sum real)")
        con.execute(f"insert into deals values ({LONG}, '2026-01-05', 12.5), (2, null, 3.0)")
    con.close()
    return f"sqlite://{tmp_path}/crm.sqlite"


def test_a_database_table_is_read_behind_the_name_of_a_variable(crm, monkeypatch):
    monkeypatch.setenv("CRM_URL", crm)
    found = read_database("env:CRM_URL", "deals", ["id", "sum"])
    assert found.columns.to_pydict() == {"_row": [1, 2], "id": [LONG, "2"], "sum": ["12.5", "3"]}


def test_a_column_that_a_database_lacks_is_told_with_the_near_miss(crm):
    with pytest.raises(FunnelError, match=r'^deals: no column "summ"; did you mean "sum"\?$'):
        read_database(crm, "deals", ["summ"])


@pytest.mark.parametrize("url", ["postgres://crm:s3cret@nowhere.invalid/x", "nosuch://nowhere/x?password=s3cret"])
def test_a_password_never_stands_in_a_message(url, monkeypatch):
    monkeypatch.setenv("CRM_URL", url)
    for address in ("env:CRM_URL", url):
        with pytest.raises(FunnelError, match="cannot open table deals") as told:
            read_database(address, "deals", ["id"])
        assert "s3cret" not in str(told.value)
        assert told.value.__cause__ is None


def test_a_duckdb_file_that_is_not_there_is_told_and_not_made(tmp_path):
    with pytest.raises(FunnelError, match="cannot open table deals"):
        read_database(f"duckdb://{tmp_path}/crm.duckdb", "deals", ["id"])
    assert list(tmp_path.iterdir()) == []
    ibis.duckdb.connect(tmp_path / "crm.duckdb").create_table("deals", pa.table({"id": ["1"]}))
    assert read_database(f"duckdb://{tmp_path}/crm.duckdb", "deals", ["id"]).columns["id"].to_pylist() == ["1"]


def test_a_table_that_cannot_be_read_to_its_end_and_a_driver_that_lacks_are_told(tmp_path):
    con = ibis.duckdb.connect(tmp_path / "crm.duckdb")
    con.raw_sql("create view deals as select cast(name as int) as id from (select 'no number' as name)")
    con.disconnect()
    with pytest.raises(FunnelError, match=r"^database duckdb://\.\.\.: cannot read table deals: ConversionException$"):
        read_database(f"duckdb://{tmp_path}/crm.duckdb", "deals", ["id"])
    with pytest.raises(FunnelError, match=r'no driver; pip install "ibis-framework\[mysql\]"$'):
        read_database("mysql://nowhere.invalid/x", "deals", ["id"])


def test_a_variable_that_is_not_set_is_named(monkeypatch):
    monkeypatch.delenv("CRM_URL", raising=False)
    with pytest.raises(FunnelError, match="the environment variable CRM_URL is not set; it must hold the URL"):
        read_database("env:CRM_URL", "deals", ["id"])


def test_a_query_of_another_database_is_read_too(crm):
    assert read_database(crm, None, ["n"], "select count(*) as n from deals").columns["n"].to_pylist() == ["2"]
