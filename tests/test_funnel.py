"""What funnel.toml may state, and what each mistake in it is called."""

import re

import pytest
from backends import funnel_of
from bs4 import BeautifulSoup
from projects import ENTRIES, FUNNEL, LEADS, REPOSITORY, TOML, write

from funnelstats.config.errors import FunnelError
from funnelstats.config.folders import project_root
from funnelstats.config.funnel import PRACTICE, Funnel, Join, Source, Step, StepInto, funnel as state, read_funnel
from funnelstats.config.schema import KEYS_OF_KIND, KEYS_OF_TABLE, TABLES

LEADS_AGAIN = """attributes = { Kind = "a" }

[[leads]]
files = ["more.csv"]
columns = { lead_id = "id" }
attributes = { kind = "a" }

[[entries]]"""
SNAPSHOT = (
    '\n[[entries]]\nfiles = ["leads.csv"]\nstage = "lead"\ncolumns = { lead_id = "id", entered_at = "created" }\n'
)


pytestmark = pytest.mark.usefixtures("here")


def mistakes(toml):
    """What is wrong with a statement, one line each, without the file's name."""
    write(toml)
    with pytest.raises(FunnelError) as told:
        read_funnel("team")
    lines = str(told.value).splitlines()
    assert all(line.startswith("data/raw/team/funnel.toml: ") for line in lines)
    return [line.removeprefix("data/raw/team/funnel.toml: ") for line in lines]


def with_line(line, before="title"):
    """The toy's statement with one more line before the line that begins with a word."""
    return TOML.replace(f"\n{before}", f"\n{line}\n{before}", 1)


def in_source(table, line):
    return TOML.replace(f"[{table}]\n", f"[{table}]\n{line}\n").replace(f"[[{table}]]\n", f"[[{table}]]\n{line}\n")


def test_a_minimal_statement_is_read_with_its_defaults():
    write()
    funnel = read_funnel("team")
    assert (funnel.name, funnel.title, funnel.stages) == ("team", "Team", ("lead", "met", "paid"))
    assert (funnel.language, funnel.window_weeks, funnel.max_bad_share) == ("en", 13, 0.05)
    assert (funnel.undated, funnel.system_users, funnel.exported_on) == ((), (), None)
    assert funnel.steps == (Step("lead", "met", 14, None, 0.0, {}), Step("met", "paid", 30, None, 0.0, {}))


def test_the_statement_cannot_be_changed_once_read():
    write()
    with pytest.raises(ValueError, match="frozen"):
        read_funnel("team").title = "Other"


def test_one_source_or_value_needs_no_list():
    write(TOML.replace('files = ["leads.csv"]', 'files = "leads.csv"'))
    (source,) = read_funnel("team").leads
    assert source.files == ("leads.csv",)


def test_a_date_format_holds_for_all_columns_or_for_those_named():
    write(
        in_source("leads", 'date_format = "%d.%m.%Y"').replace(
            "[[entries]]\n", "[[entries]]\ndate_format.entered_at = ['%Y%m%d', '%d.%m.%Y']\n"
        )
    )
    funnel = read_funnel("team")
    assert funnel.leads[0].date_format == {"*": ("%d.%m.%Y",)}
    assert funnel.entries[0].date_format == {"entered_at": ("%Y%m%d", "%d.%m.%Y")}


@pytest.mark.parametrize(
    ("agreed", "tolerance"),
    [
        ("", 0.0),
        (", target = 0.8", 0.0),
        (", target = 1.0", 0.05),
        (", target = 1.0, tolerance = 0.0", 0.0),
        (", target = 0.8, tolerance = 0.02", 0.02),
    ],
)
def test_a_target_of_100_percent_is_met_within_5_points_unless_stated_otherwise(agreed, tolerance):
    write(TOML.replace("horizon_days = 14", f"horizon_days = 14{agreed}"))
    assert read_funnel("team").steps[0].tolerance == tolerance


def test_a_manager_may_have_targets_of_his_own():
    write(TOML.replace("horizon_days = 30", 'horizon_days = 30, target = 0.9, targets = { "Иванов" = 0.95 }'))
    assert read_funnel("team").steps[1] == Step("met", "paid", 30, 0.9, 0.0, {"Иванов": 0.95})


@pytest.mark.parametrize(
    ("stated", "days", "judged"),
    [(13, 63, 13), (13, 64, 14), (13, 90, 17), (13, 91, 17), (2, 7, 5), (26, 90, 26), (520, 3650, 526)],
)
def test_at_least_four_of_the_weeks_judged_are_over_for_the_longest_step(stated, days, judged):
    funnel = funnel_of("lead", "met", "paid", days=[7, days])
    widened = funnel.model_copy(update={"window_weeks": stated}).judged_weeks
    assert widened == judged
    assert widened >= stated
    assert 7 * widened - days >= 7 * 4


REPLACED = [
    ('title = "Team"', "", "title: must be stated"),
    ('"Team"', "5", "title: must be a valid string, got 5"),
    ("Europe/Moscow", "Europe/Moskva", "timezone: must be a name like \"Europe/Moscow\", got 'Europe/Moskva'"),
    ("EUR", "euro", "currency: must be three capital letters like \"EUR\", got 'euro'"),
    ('stages = ["lead", "met", "paid"]', "", "stages: must be stated"),
    ('["lead", "met", "paid"]', '"lead, met, paid"', "stages: must be a valid list, got 'lead, met, paid'"),
    ('["lead", "met", "paid"]', '["lead"]', "stages: must name at least 2, got ['lead']"),
    ("met = { horizon_days = 14 }", "met = 14", "step_into.met: must be a valid table of keys, got 14"),
    ('"met", "paid"]', '"met", "paid", "met"]', 'stages: "met" is named twice; a stage has one place'),
    ("horizon_days = 14", "target = 0.5", "step_into.met.horizon_days: must be stated"),
    ("horizon_days = 14", "horizon_days = 0", "step_into.met.horizon_days: must be greater than or equal to 1, got 0"),
    (
        "horizon_days = 14",
        "horizon_days = 14, target = 80",
        "step_into.met.target: must be less than or equal to 1, got 80",
    ),
    (
        "horizon_days = 14",
        "horizon_days = 14, targets = { Anna = 80 }",
        "step_into.met.targets.Anna: must be less than or equal to 1, got 80",
    ),
    (
        "horizon_days = 14",
        "horizon_days = 14, horison = 1",
        'step_into.met.horison: unknown key; did you mean "horizon_days"?',
    ),
    (
        "horizon_days = 14",
        "horizon_days = 36501",
        "step_into.met.horizon_days: must be less than or equal to 36500, got 36501",
    ),
    ("met = { horizon_days = 14 }, ", "", "step_into.met: must be stated, with horizon_days"),
    (
        "{ met =",
        "{ mett = { horizon_days = 1 }, met =",
        'step_into.mett: no stage that is stepped into; did you mean "met"?',
    ),
    (
        "{ met =",
        "{ lead = { horizon_days = 1 }, met =",
        "step_into.lead: no stage that is stepped into; known: met, paid",
    ),
    ('columns = { lead_id = "id", created_at = "created" }', "", "leads.columns: must be stated"),
    ("created_at", "created", 'leads.columns.created: no column of leads; did you mean "created_at"?'),
    ('lead_id = "id", created_at', "created_at", "leads.columns.lead_id: must be stated"),
    ('= "created" }', "= 3 }", "leads.columns.created_at: must be the header of a column, or a list of them, got 3"),
    ('files = ["leads.csv"]', "", "leads.files: state either files or database with table or query"),
    (
        'files = ["leads.csv"]',
        'files = ["leads.csv"]\nwatermark = "at"\nkey = "id"',
        "leads.watermark: goes with key and database",
    ),
    ('files = ["leads.csv"]', 'database = "env:CRM"', "leads.table: database goes with table or query"),
    (
        'files = ["leads.csv"]',
        'database = "env:CRM"\ntable = "deals"\nquery = "select 1"',
        "leads.query: state either table or query",
    ),
    ('stage = "stage", ', "", "entries.columns.stage: must be stated"),
]
OF_AMOUNTS = '"micros", "cents", "thousands" and "millions" are the units of columns.amount, and its only ones'
OF_A_SOURCE = [
    ("leads", 'constants.chanel = "x"', 'constants.chanel: no column of leads; did you mean "channel"?'),
    ("leads", 'constants.created_at = "x"', "constants.created_at: it is read from a column too; state one of the two"),
    (
        "leads",
        'constants._x = "x"',
        'constants._x: names that begin with "_" are those of funnelstats; give it another name',
    ),
    (
        "leads",
        'constants.stage = "x"',
        'constants.stage: reports have a column "stage" of their own; give it another name',
    ),
    ("leads", 'ids = "number"', "ids: only entries, contacts and payments have it"),
    ("leads", "header_row = [2, 1]", "header_row: must name rows from top to bottom, got [2, 1]"),
    ("leads", "header_row = 0", "header_row: must be greater than or equal to 1, got 0"),
    (
        "leads",
        'date_format.created_at = "%Y-%m"',
        'date_format: "%Y-%m" names no day; only costs may be dated by their month or week',
    ),
    ("leads", 'unit.created_at = "ms"', "unit.created_at: no duration that this source reads; known: none"),
    (
        "leads",
        'unit.amount = "ms"',
        f"unit.amount: {OF_AMOUNTS}",
    ),
    (
        "leads",
        'unit.created_at = "cents"',
        f"unit.created_at: {OF_AMOUNTS}",
    ),
    ("leads", 'later_by.amount = "x"', "later_by.amount: must be a column of instants that this source reads"),
    ("leads", 'later_by.created_at = "x"', 'later_by.created_at: its unit must be stated: unit.created_at = "min"'),
    ("leads", 'first_of.chanel = ";"', "first_of.chanel: not among this source's columns; known: created_at, lead_id"),
    ("entries", 'constants.stage = "met"', "constants.stage: state stage instead"),
    ("entries", 'constants.lead_id = "1"', "constants.lead_id: it is read from a column too; state one of the two"),
    ("entries", 'ids = "numbers"', "ids: must be 'number', 'salesforce', 'capitals' or 'phone', got 'numbers'"),
    ("entries", 'lead_by = { "C" = "id" }', "lead_by: state either columns.lead_id or lead_by, not both"),
    ("entries", 'lead_by = { "C" = "contact" }', 'lead_by: leads have no column "contact"; known: created_at, lead_id'),
    ("entries", "lead_by.C = ['x']", "lead_by: leads have no column \"['x']\"; known: created_at, lead_id"),
    ("entries", "stage = ['met']", "stage: must be a valid string, got ['met']"),
    ("entries", "values.stage.new = ['met']", "values.stage.new: must be a valid string, got ['met']"),
    ("entries", 'shared = "latest"', "shared: says which lead counts where lead_by finds several; state lead_by"),
]


@pytest.mark.parametrize(("table", "line", "told"), OF_A_SOURCE)
def test_a_mistake_in_how_a_table_is_read_is_told_with_what_would_be_right(table, line, told):
    where = "[[entries]]" if table == "entries" else "[leads]"
    assert f"{table}.{told}" in mistakes(TOML.replace(where, f"{where}\n{line}"))


@pytest.mark.parametrize("key", KEYS_OF_KIND)
def test_keys_of_how_a_file_is_read_are_refused_beside_a_database(key):
    value = {"header_row": "2", "encoding": '"cp1251"'}.get(key, '"x"')
    toml = TOML.replace('files = ["leads.csv"]', f'database = "env:CRM"\ntable = "deals"\n{key} = {value}')
    (told,) = mistakes(toml)
    assert re.fullmatch(rf"leads\.{key}: only [\w, ]+ files have it, and no database; leave it out", told)


@pytest.mark.parametrize(("key", "tables"), KEYS_OF_TABLE.items())
def test_keys_of_some_tables_are_refused_in_others(key, tables):
    told = {
        table: mistakes(f"{TOML}\n[[{table}]]\n{key} = 1\n") for table in ("contacts", "payments", "costs", "rates")
    }
    assert {table for table in told if any("have it" in line for line in told[table])} == {*told} - {*tables}


def test_the_number_of_a_row_is_an_id_and_no_date():
    assert mistakes(TOML.replace('"created"', '"_row"')) == [
        'leads.columns.created_at: "_row", the number of the row, can only be an id'
    ]


AT_THE_TOP = [
    ('titel = "x"', 'titel: unknown key; did you mean "title"?'),
    ('name = "x"', "name: is the folder's name and not stated"),
    ('language = "de"', "language: must be 'en' or 'ru', got 'de'"),
    ('labels.de = { met = "Termin" }', "labels.de: must be 'en' or 'ru', got 'de'"),
    (
        'lead_url = "https://crm.example/deals/"',
        'lead_url: must be an address with one {lead_id}, like "https://crm.example/deals/{lead_id}", '
        "got 'https://crm.example/deals/'",
    ),
    (
        'lead_url = "javascript:alert({lead_id})"',
        'lead_url: must be an address with one {lead_id}, like "https://crm.example/deals/{lead_id}", '
        "got 'javascript:alert({lead_id})'",
    ),
    (
        'window_weeks = "many"',
        "window_weeks: must be a valid integer, got 'many'",
    ),
    ("window_weeks = 521", "window_weeks: must be less than or equal to 520, got 521"),
    ("max_bad_share = 5", "max_bad_share: must be less than or equal to 1, got 5"),
    ('exported_on = "soon"', "exported_on: must be a day like 2026-06-28, got 'soon'"),
    ('window_weeks = "14"', "window_weeks: must be a valid integer, got '14'"),
    ("base = [['channel']]", "base: must be a valid string, got ['channel']"),
    ("work = { start = 9 }", "work.start: must be a time like 09:30:00, got 9"),
    (
        "refusals = { retry_days = [90, 60] }",
        "refusals.retry_days: must be the first and the last day after the refusal, got [90, 60]",
    ),
    ("refusals = { retry_days = [60] }", "refusals.retry_days: must name 2 at least"),
    ("system_users = " + 3000 * "[" + 3000 * "]", "not a funnel: nested too deep, or a number without end"),
    ("window_weeks = " + 5000 * "9", "not a funnel: nested too deep, or a number without end"),
    ('notes = "\\u0000"', r"\u0000 is no letter of a name; leave it out"),
    ('undated = ["met"]', 'undated: "met" is among the stages, which have dates; name it in one of the two'),
]
OF_LEADS = [
    ('file = "a"', 'file: unknown key; did you mean "files"?'),
    ('encoding = "cp1521"', "encoding: must be an encoding of text, for example \"cp1251\", got 'cp1521'"),
    ('encoding = "base64"', "encoding: must be an encoding of text, for example \"cp1251\", got 'base64'"),
    ('timezone = "localtime"', "timezone: must be a name like \"Europe/Moscow\", got 'localtime'"),
    ('key = "id"', "watermark: goes with key and database"),
    ('database = "env:CRM"\ntable = "deals"', "files: state either files or database with table or query"),
    ('table = "x"', "table: database goes with table or query"),
    ('query = "select 1"', "table: database goes with table or query"),
    (
        'attributes = { amount = "sum" }',
        "attributes.amount: leads have a column of this name; map it under columns, or rename it",
    ),
    (
        'attributes = { entered = "e" }',
        'attributes.entered: reports have a column "entered" of their own; give it another name',
    ),
    (
        'attributes = { Created_on = "e" }',
        "attributes.Created_on: leads have a column of this name, whatever its capitals; "
        "map it under columns, or rename it",
    ),
    (
        'attributes = { Back_On = "e" }',
        'attributes.Back_On: reports have a column "back_on" of their own; give it another name',
    ),
    (
        'attributes = { kind = "a", Kind = "b" }',
        'attributes.kind: "Kind" is stated too, and capitals tell no two apart; rename one',
    ),
    (
        'attributes = { _file = "e" }',
        'attributes._file: names that begin with "_" are those of funnelstats; give it another name',
    ),
    ('decimal = ","\nthousands = ","', "thousands: must differ from decimal, got ',' for both"),
    ('repeats = "drop"', "repeats: only payments and costs have it"),
    ('decimal = ";"', "decimal: must be '.' or ',', got ';'"),
    (
        'date_format = "%d.%m"',
        "date_format: must name day, month and year, for example \"%d.%m.%Y %H:%M\", got '%d.%m'",
    ),
    (
        'date_format.created_at = "dd.mm.yyyy"',
        "date_format.created_at: must name day, month and year, for example \"%d.%m.%Y %H:%M\", got 'dd.mm.yyyy'",
    ),
    (
        'date_format = "%-d.%-m.%Y"',
        'date_format: must be without "-" after "%", since %d reads 5 and 05, got \'%-d.%-m.%Y\'',
    ),
    (
        'date_format = ["%d.%m.%Y %H:%M %Z", "%Y-%m-%dT%H:%M:%SZ"]',
        'date_format: must not end in "Z", which would say nothing: %Z reads it, and ISO needs no format, '
        "got '%Y-%m-%dT%H:%M:%SZ'",
    ),
    ("header_row = 0", "header_row: must be greater than or equal to 1, got 0"),
    ('timezone = "Moscow"', "timezone: must be a name like \"Europe/Moscow\", got 'Moscow'"),
    ('values.channel = { a = "b" }', "values.channel: not among this source's columns; known: created_at, lead_id"),
    (
        'date_format.created = "%d.%m.%Y"',
        'date_format.created: not among this source\'s columns; did you mean "created_at"?',
    ),
    ('missing.amount = "0"', "missing.amount: not among this source's columns; known: created_at, lead_id"),
    ('stage = "lead"', "stage: only entries have it"),
    (
        'join = { file = "t.csv", files = "t.csv", left = "a", right = "b" }',
        'join.file: unknown key; did you mean "files"?',
    ),
    ('join = { files = "t.csv", left = "a" }', "join.right: must be stated"),
    ('join = { files = [], left = "a", right = "b" }', "join.files: must name at least 1, got []"),
    (
        'join = { files = "t.csv", left = "a", right = "b", unmatched = "drop" }',
        "join.unmatched: must be 'keep' or 'ignore', got 'drop'",
    ),
]
OF_ENTRIES = [
    ('attributes = { a = "b" }', "attributes: only leads have it"),
    ('stage = "lead"', "stage: state either stage or columns.stage, not both"),
    ('values.stage = { New = "leed" }', 'values.stage."New": no stage "leed"; did you mean "lead"?'),
    ('unmapped = "skip"', "unmapped: must be 'error' or 'ignore', got 'skip'"),
]
OTHERS = [
    (
        TOML.replace('"paid"]', '"paid", "lost"]').replace(
            "step_into = {", "step_into = { lost = { horizon_days = 1 },"
        ),
        'stages: "lost" is a word of funnelstats; choose another name',
    ),
    (
        with_line('base = ["created_at", "segmnt"]').replace("[leads]", '[leads]\nattributes = { segment = "s" }'),
        'base: leads have no column "segmnt"; did you mean "segment"?',
    ),
    (FUNNEL + ENTRIES, "leads: must be stated"),
    (FUNNEL + LEADS, "entries: must be stated"),
    (
        TOML.replace("[leads]", "[[leads]]").replace("[[entries]]", LEADS_AGAIN, 1),
        'leads.attributes.kind: "Kind" is stated too, and capitals tell no two apart; rename one',
    ),
    (
        TOML.replace('"met"', '"Lost"').replace("met =", "Lost ="),
        'stages: "Lost" is a word of funnelstats, whatever its capitals; choose another name',
    ),
    (
        TOML.replace('"met"', '"Lead"').replace("met =", "Lead ="),
        'stages: "lead" and "Lead" differ in capitals only, which tell no two apart; rename one',
    ),
    (
        TOML.replace('"met"', '"leads"').replace("met =", "leads ="),
        'stages: "leads" is a word of funnelstats; choose another name',
    ),
    (
        TOML + SNAPSHOT.replace('stage = "lead"', 'stage = "led"'),
        'entries.1.stage: no stage "led"; did you mean "lead"?',
    ),
]


MISTAKES = [
    *((TOML.replace(old, new), told) for old, new, told in REPLACED),
    *((with_line(line), told) for line, told in AT_THE_TOP),
    *((in_source("leads", line), f"leads.{told}") for line, told in OF_LEADS),
    *((in_source("entries", line), f"entries.{told}") for line, told in OF_ENTRIES),
    *OTHERS,
]


@pytest.mark.parametrize(("toml", "told"), MISTAKES, ids=[told for _, told in MISTAKES])
def test_a_mistake_names_key_offender_and_what_would_be_right(toml, told):
    assert mistakes(toml) == [told]


@pytest.mark.parametrize("name", ["", " ", "a\\nb", "x" * 201])
def test_what_pages_show_as_a_name_is_one(name):
    (told,) = mistakes(TOML.replace('"Team"', f'"{name}"'))
    assert told.startswith("title: must be 1 to 200 letters without line breaks, got '")
    assert len(told) < 300


def test_all_mistakes_are_told_at_once():
    toml = in_source("leads", "decimel = ','").replace('"Team"', "5").replace('"met", "paid"]', '"met", "paid", "met"]')
    assert mistakes(toml) == [
        "title: must be a valid string, got 5",
        'leads.decimel: unknown key; did you mean "decimal"?',
        'stages: "met" is named twice; a stage has one place',
    ]


def test_of_several_sources_the_one_at_fault_is_numbered():
    told = mistakes(TOML + SNAPSHOT + SNAPSHOT.replace("stage =", "stagge ="))
    assert 'entries.2.stagge: unknown key; did you mean "stage"?' in told


@pytest.mark.parametrize(("line", "snapshot"), [("", True), ('rows = "changes"', False), ('sheet = "Changes"', False)])
def test_stages_from_the_leads_own_rows_are_a_snapshot_and_those_from_a_list_or_a_sheet_beside_them_none(
    line, snapshot
):
    write(TOML.replace("entries.csv", "leads.csv").replace("[[entries]]", f"[[entries]]\n{line}"))
    assert read_funnel("team").is_snapshot is snapshot


def test_a_password_is_refused_and_not_repeated():
    toml = TOML.replace('files = ["leads.csv"]', 'database = "postgres://crm:s3cret@host/db"\ntable = "deals"')
    (told,) = mistakes(toml)
    assert told == 'leads.database: no password in a file; name an environment variable instead: "env:CRM_URL"'


def test_a_file_that_is_not_toml_is_told_with_its_line():
    (told,) = mistakes(TOML + "\n[leads\n")
    assert told.startswith("not a TOML file: ")
    assert "line" in told


def test_a_byte_order_mark_is_no_mistake():
    folder = write()
    (folder / "funnel.toml").write_bytes(b"\xef\xbb\xbf" + TOML.encode())
    assert read_funnel("team").title == "Team"


@pytest.mark.parametrize("encoding", ["cp1251", "utf-16", "utf-16-le"])
def test_a_file_in_another_encoding_is_to_be_saved_as_utf_8(encoding):
    folder = write()
    (folder / "funnel.toml").write_bytes(TOML.replace('"Team"', '"Отдел"').encode(encoding))
    with pytest.raises(FunnelError, match=r"^data/raw/team/funnel.toml: not text in UTF-8; save it as UTF-8$"):
        read_funnel("team")


@pytest.mark.parametrize("name", ["tem", "../team", "", "team/x"])
def test_a_name_without_a_funnel_is_told_with_the_near_miss(name):
    write()
    with pytest.raises(FunnelError, match=f'no funnel "{name}".*(did you mean|known:) "?team'):
        read_funnel(name)


def test_the_project_is_found_from_a_folder_inside_it(tmp_path, monkeypatch):
    write()
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    assert project_root() == tmp_path
    assert read_funnel("team").name == "team"


def test_a_project_elsewhere_is_found_by_its_variable(tmp_path, monkeypatch):
    write()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setenv("FUNNELSTATS_PROJECT", "..")
    assert project_root() == tmp_path
    assert read_funnel("team").name == "team"


def test_outside_a_project_it_is_said_where_one_was_looked_for():
    with pytest.raises(FunnelError, match=r"no project here: neither .* holds data/raw"):
        project_root()


REFERENCE = (REPOSITORY / "docs" / "funnel_toml.md").read_text(encoding="utf-8")


PRACTICE_HEADING = "The practice: contact, work, refusals, loop, lead_base"


def section(heading):
    return REFERENCE.split(f"\n## {heading}\n")[1].split("\n## ")[0]


@pytest.mark.parametrize(
    ("heading", "spec"),
    [("The funnel", Funnel), ("step_into", StepInto), ("A source", Source), ("join", Join)],
)
def test_the_reference_explains_every_key_and_no_other(heading, spec):
    keys = [key for line in section(heading).splitlines() if line.startswith("| `") for key in line.split("|")[1:2]]
    explained = {name for key in keys for name in re.findall(r"`(\w+)`", key)}
    assert explained == spec.model_fields.keys() - {"name"}


def test_the_reference_explains_every_key_of_the_practice_and_no_other():
    explained = set(re.findall(r"`(\w+\.\w+)`(?=[^|]*\|[^|]*\|)", section(PRACTICE_HEADING)))
    assert explained == {f"{key}.{name}" for key, spec in PRACTICE.items() for name in spec.model_fields}


def test_a_mistake_in_the_practice_is_told_with_what_would_be_right():
    toml = """
[contact]
follow_up = 3
[work]
start = 19:00:00
[loop]
handed_over = "meeting"
nurtured = "nurture"
needs = { met = ["budget"] }
"""
    assert mistakes(TOML.replace("\n[leads]", f"{toml}\n[leads]", 1)) == [
        'contact.follow_up: unknown key; did you mean "follow_up_days"?',
        "work: start must lie before end, got 19:00 and 18:00",
        'loop.nurtured: leads have no column "nurture"; known: created_at, lead_id',
        'loop.needs.met: leads have no column "budget"; known: created_at, lead_id',
        'loop.handed_over: no stage "meeting"; did you mean "met"?',
    ]


def test_the_reference_lists_every_canonical_column_with_its_kind():
    for table, columns in TABLES.items():
        for name, column in columns.items():
            needed = "needed" if column.required else ""
            line = f"| {table} | `{name}` | {column.kind} | {column.meaning} | {needed} |"
            assert line in section("The columns of the tables"), f"docs/funnel_toml.md lacks: {line}"
    assert section("The columns of the tables").count("\n| ") == sum(map(len, TABLES.values())) + 1


@pytest.mark.parametrize("example", re.findall(r"```toml\n(.*?)```", REFERENCE, re.DOTALL))
def test_a_whole_example_of_the_reference_is_valid(example):
    write(example)
    assert read_funnel("team").steps


@pytest.mark.parametrize("example", re.findall(r"```\n(\[.*?)```", REFERENCE, re.DOTALL))
def test_a_partial_example_of_the_reference_fits_into_a_whole_one(example):
    whole = FUNNEL + ENTRIES if example.startswith("[leads]") else TOML
    if example.startswith("[step_into"):
        whole = TOML.replace(", paid = { horizon_days = 30 }", "").replace("step_into = {", "step_into.met = {")
        whole = whole.replace("{ met = { horizon_days = 14 } }", "{ horizon_days = 14 }")
        whole = re.sub(r"\n\[leads\]", f"\n{example}\n[leads]", whole)
        example = ""
    if example.startswith("[contact]"):
        attributes = 'created_at = "created", ready_budget = "budget" }\nattributes = { company = "company" }'
        whole = TOML.replace('created_at = "created" }', attributes)
    if "lead_by" in example:
        whole = whole.replace('created_at = "created" }', 'created_at = "created" }\nattributes.phone = "phone"')
    write(whole + example)
    assert read_funnel("team").stages == ("lead", "met", "paid")


STAGES = ["lead", "met", "won"]


def test_a_funnel_stated_in_python_is_the_one_its_file_states():
    stated = state(["lead", "met", "paid"], horizon_days={"met": 14, "paid": 30}, targets={"paid": 0.4}, currency="EUR")
    write(TOML)
    read = read_funnel("team")
    assert [step[:3] for step in stated.steps] == [("lead", "met", 14), ("met", "paid", 30)]
    assert [step.target for step in stated.steps] == [None, 0.4]
    assert stated.timezone == "UTC"
    assert not stated.is_snapshot
    assert stated.judged_weeks == read.judged_weeks


@pytest.mark.parametrize(
    ("stated", "told"),
    [
        ({"horizon_days": 0}, "step_into.met.horizon_days: must be greater than or equal to 1, got 0"),
        ({"horizon_days": {"met": 7}}, "step_into.won: must be stated, with horizon_days"),
        ({"targets": {"mett": 0.5}}, 'step_into.mett: no stage that is stepped into; did you mean "met"?'),
        ({"targets": {"met": 40}}, "step_into.met.target: must be less than or equal to 1, got 40"),
        ({"timezone": "Berlin"}, "timezone: "),
        ({"window_weks": 9}, 'window_weks: unknown key; did you mean "window_weeks"?'),
        ({"loop": {"handed_over": "mett"}}, 'loop.handed_over: no stage "mett"; did you mean "met"?'),
    ],
)
def test_a_mistake_in_python_is_told_as_that_of_a_file(stated, told):
    with pytest.raises(FunnelError) as error:
        state(STAGES, **{"horizon_days": 7, **stated})
    assert told in str(error.value)


def test_other_horizons_make_a_new_funnel_and_leave_the_targets():
    first = state(
        STAGES, horizon_days=7, targets={"won": 0.4}, system_users=["robot"], work={"holidays": ["2026-05-01"]}
    )
    other = first.with_horizons({"won": 30})
    assert first.horizons == {"lead": 7, "met": 7}
    assert other.horizons == {"lead": 7, "met": 30}
    assert other.steps[1].target == 0.4
    assert (other.system_users, other.work) == (first.system_users, first.work)
    with pytest.raises(FunnelError, match="horizon_days: must be greater"):
        first.with_horizons({"won": 0})
    with pytest.raises(FunnelError, match=r'step_into.wn: no stage that is stepped into; did you mean "won"\?'):
        first.with_horizons({"wn": 3})


def test_a_step_over_a_stage_left_out_has_the_days_of_both_and_no_target():
    first = state(
        ["lead", "met", "shown", "won"], horizon_days={"met": 7, "shown": 14, "won": 30}, targets={"won": 0.4}
    )
    assert [step[:4] for step in first.with_stages(["lead", "shown", "won"]).steps] == [
        ("lead", "shown", 21, None),
        ("shown", "won", 30, 0.4),
    ]
    with pytest.raises(FunnelError, match=r'no stage "wn"; did you mean "won"\?'):
        first.with_stages(["lead", "wn"])
    with pytest.raises(FunnelError, match="must stand in the funnel's order: lead, met, shown, won"):
        first.with_stages(["won", "lead"])
    with pytest.raises(FunnelError, match="stages: must name at least 2"):
        first.with_stages(["lead"])


def test_what_the_loop_states_of_a_stage_left_out_goes_with_it():
    loop = {"handed_over": "met", "idle_days_at": {"met": 5, "won": 9}, "needs": {"met": ["region"], "lead": ["city"]}}
    first = state(["lead", "met", "won"], horizon_days=7, loop=loop)
    other = first.with_stages(["lead", "won"]).loop
    assert (other.handed_over, other.idle_days_at, other.needs) == ("", {"won": 9}, {"lead": ("city",)})
    assert first.with_stages(["lead", "met", "won"]).loop == first.loop


def test_a_notebook_shows_each_step_with_its_days_and_target():
    stated = state(["lead", "<b>", "won"], horizon_days=7, targets={"won": 0.405})
    shown = BeautifulSoup(stated._repr_html_(), "html.parser")
    cells = [[cell.get_text() for cell in row.select("th, td")] for row in shown.select("tr")]
    assert cells == [["step", "days", "target"], ["lead → <b>", "7", "none"], ["<b> → won", "7", "40.5 %"]]
    assert shown.find("b") is None


def test_a_changed_funnel_of_an_export_keeps_its_sources():
    write(TOML)
    first = read_funnel("team")
    other = first.with_stages(["lead", "paid"])
    assert other.horizons == {"lead": sum(first.horizons.values())}
    assert (other.name, other.leads, other.entries) == (first.name, first.leads, first.entries)
