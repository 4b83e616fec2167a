"""What the engine reads of a CSV file is what Python's reader reads, and what it cannot read is left to that."""

import csv
import io
import random

import duckdb
import pytest

from funnelstats.config.errors import FunnelError
from funnelstats.importing import csv_rows
from funnelstats.importing.closing import Needs
from funnelstats.importing.csv_rows import read_plain_csv
from funnelstats.importing.files import read_file
from funnelstats.importing.sql import engine

NEEDS = Needs(("id", "at"), {"kind": ("Total",)})


@pytest.fixture
def both(tmp_path, monkeypatch):
    """The rows as Python reads them, and as the engine does: None where it leaves them to Python."""
    by_itself = []

    def spied(*given):
        by_itself.append(read_plain_csv(*given))
        return by_itself[-1]

    monkeypatch.setattr(csv_rows, "read_plain_csv", spied)

    def run(content, wanted=None, name="export.csv", needs=None, **options):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        by_itself.clear()
        try:
            by_python = read_file(path, wanted, needs=needs, **options)
        except FunnelError:
            with duckdb.connect() as con, pytest.raises(FunnelError):
                read_file(path, wanted, needs=needs, into=(con, "rows"), **options)
            assert not any(by_itself)
            raise
        with duckdb.connect() as con:
            found = read_file(path, wanted, needs=needs, into=(con, "rows"), **options)
            assert found[1:4] == by_python[1:4]
            assert found.rows.num_rows == by_python.columns.num_rows
            rows = con.sql(found.rows.query).to_arrow_table().to_pydict()
        if not any(by_itself):
            assert rows == by_python.columns.to_pydict()
        return by_python.columns.to_pydict(), rows if any(by_itself) else None

    return run


PLAIN = {
    "lines end as on Unix": "id;at\na1;x\nb2;y\n",
    "lines end as on Windows": "id;at\r\na1;x\r\nb2;y\r\n",
    "the last line has no end": "id;at\na1;x\nb2;y",
    "a byte order mark": "\ufeffid;at\na1;x\n",
    "a first line that tells the delimiter": "sep=;\nid;at\na1;x\n",
    "quotes around everything": '"id";"at"\n"a1";"x;y"\n"b2";"say ""no"""\n',
    "a line break within quotes": 'id;at\na1;"x\ny"\nb2;z\n',
    "quotes around nothing": 'id;at\na1;""\nb2;z\n',
    "a blank field after the last column": "id;at;\na1;x;\nb2;y;\n",
    "blank fields beyond the header": "id;at\na1;x;;\nb2;y\n",
    "blanks around texts": "id;at\n a1 ;\tx \nb2;y\n",
    "a backslash, a hash, an apostrophe": "id;at\na\\;#x\nb'2;'y\n",
    "no rows": "id;at\n",
}


@pytest.mark.parametrize("content", PLAIN.values(), ids=PLAIN.keys())
def test_the_engine_reads_a_plain_file_as_python_does(both, content):
    by_python, by_engine = both(content)
    assert by_engine == by_python


@pytest.mark.parametrize("name", ["export.csv.gz", "export of 5'26.csv"])
def test_the_engine_takes_a_file_as_it_is_whatever_its_name(both, name):
    by_python, by_engine = both(PLAIN["lines end as on Unix"], name=name)
    assert by_engine == by_python


def test_the_rows_of_a_report_with_lines_above_its_header_have_the_numbers_a_spreadsheet_shows(both):
    by_python, by_engine = both("Deals;;\nid;at;\na1;x;\n", ["at", "id"], header_row=(2,))
    assert by_engine == by_python == {"_row": [3], "at": ["x"], "id": ["a1"]}


NOT_PLAIN = {
    "text behind a quote that closed": 'id;at\n"a"1;x\nb2;y\n',
    "a quote that never closes": 'id;at\na1;"x\nb2;y\n',
    "a quote within a text": 'id;at\na"1;x\nb2;y\n',
    "a blank before a quote": 'id;at\na1; "x"\nb2;y\n',
    "a blank behind a quote": 'id;at\na1;"x" \nb2;y\n',
    "a blank line": "id;at\na1;x\n\nb2;y\n",
    "lines that end in two ways": "id;at\r\na1;x\nb2;y\n",
    "lines that end as on an old Mac": "id;at\ra1;x\rb2;y\r",
    "a letter and its accent apart": "id;at\na1;e\u0301\n",
    "a short row": "id;at;c\na1;x;\nb2\nc3;y;z\n",
    "a row that is too long": "id;at\na1;x;more\nb2;y\n",
    "a row of blanks alone": "id;at\n;;\nb2;y\n",
    "one column": "id\na1\nb2\n",
}


@pytest.mark.parametrize("content", NOT_PLAIN.values(), ids=NOT_PLAIN.keys())
def test_a_file_that_is_not_plain_is_left_to_python(both, content):
    try:
        _by_python, by_engine = both(content)
    except FunnelError:
        return
    assert by_engine is None


@pytest.mark.parametrize("name", ["a[1].csv", "what?.csv", "a*.csv"])
def test_a_file_whose_name_is_a_pattern_to_the_engine_is_left_to_python(both, name):
    assert both(PLAIN["lines end as on Unix"], name=name)[1] is None


ROWS = "id;at;kind;n\n1;x;call;5\n2;y;call;5\n"
CLOSING = {
    "a total": ROWS + "Total;;;10\n",
    "a total of a group, and more rows": "id;at;kind;n\n1;x;call;5\nTotal Anna;;;5\n2;y;call;5\n",
    "a total in a column that is not wanted": "id;at;kind;n\n1;x;call;5\n;;Grand total;5\n2;y;call;5\n",
    "a line below the table": ROWS + "Report of 5 May;;;\n",
}


@pytest.mark.parametrize("content", CLOSING.values(), ids=CLOSING.keys())
def test_lines_that_close_a_table_are_found_by_python(both, content):
    assert both(content, ["id", "at"], needs=NEEDS)[1] is None
    assert both(ROWS, ["id", "at"], needs=NEEDS)[1] == {"_row": [2, 3], "id": ["1", "2"], "at": ["x", "y"]}


PIECES = ["a", "7", " ", '"', '""', ";", "\n", "\r\n", 'x"y', '"a;b"', '"a\nb"', "é", '"a""b"', "\t", "\\", '"a" ']
PIECES += [' "a"', "Total"]


def random_file(rng):
    """A few rows, half of them written by a program, and some with a piece somewhere that does not belong there."""
    end = rng.choice(["\n", "\n", "\r\n"])
    rows = [["".join(rng.choices(PIECES, k=rng.randint(0, 2))) for _ in range(3)] for _ in range(rng.randint(1, 4))]
    if rng.random() < 0.6:
        out = io.StringIO()
        quoting = rng.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
        csv.writer(out, delimiter=";", lineterminator=end, quoting=quoting).writerows(rows)
        body = out.getvalue()
    else:
        body = end.join(map(";".join, rows)) + end
    if rng.random() < 0.3:
        place = rng.randrange(len(body))
        body = body[:place] + rng.choice(PIECES) + body[place:]
    return f"id;at;kind{end}{body}"


def test_whatever_the_engine_reads_of_random_files_python_reads_too(both):
    rng, read = random.Random(14), 0
    for _ in range(400):
        content = random_file(rng)
        try:
            by_python, by_engine = both(content, ["kind", "id", "at"], needs=rng.choice([None, NEEDS]))
        except FunnelError:
            continue
        assert by_engine in (None, by_python), content
        read += by_engine is not None
    assert read > 50


@pytest.mark.parametrize("mark", ["", '"'])
def test_the_rows_of_a_file_of_many_blocks_keep_their_order_and_numbers(both, mark):
    lines = [f"{mark}{number}{mark};{mark}{'x' * (number % 90)}{mark}" for number in range(2, 200_002)]
    _by_python, by_engine = both("id;at\n" + "\n".join(lines))
    assert by_engine["_row"] == [*map(int, by_engine["id"])] == [*range(2, 200_002)]
    assert [len(text) for text in by_engine["at"]] == [number % 90 for number in range(2, 200_002)]


def test_thousands_of_columns_need_no_more_memory_than_the_engine_has(tmp_path):
    path = tmp_path / "wide.csv"
    lines = [[f"{name}{column}" for column in range(5000)] for name in ("header", "cell")]
    path.write_text("\n".join(map(";".join, lines)))
    with engine(tmp_path / "spilled") as con:
        found = read_file(path, ["header4000"], into=(con, "rows"))
        assert con.sql(found.rows.query).fetchall() == [(2, "cell4000")]
