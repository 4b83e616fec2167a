"""What a page said before it was made again: verdicts kept, changes found, reasons told apart."""

import nbformat
import pytest
from projects import ENTRIES, FUNNEL, LEADS, NAME, REPOSITORY, prepared

from funnelstats.page.tables import VERDICT_MARKS
from funnelstats.reporting.pages import lead_sentences, tables_of
from funnelstats.reporting.restated import reasons, row_marks, verdict_rows, with_restated

STEP = {"from_stage": "lead", "to_stage": "met"}


def table(*rows):
    """A table's data of rows by column."""
    return {"columns": [{"name": name} for name in rows[0]], "rows": [list(row.values()) for row in rows]}


def team(entered=120, rate=0.71, verdict="red"):
    return {**STEP, "entered": entered, "rate": rate, "ci_lower": 0.6, "target": 0.8, "verdict": verdict}


def manager(name, entered=70, rate=0.751235, target=0.8, verdict="amber"):
    return {"manager": name, **STEP, "entered": entered, "rate": rate, "target": target, "verdict": verdict}


def test_the_verdicts_of_a_page_are_those_of_its_tables() -> None:
    managers = [manager("=Anna", rate=0.7512345678), manager("Борис", 0, None, None, "too few")]
    assert verdict_rows({"flow": table(team()), "managers": table(*managers), "team": table(team())}) == [
        {"manager": "", **STEP, "target": 0.8, "entered": 120, "rate": 0.71, "verdict": "red"},
        manager("=Anna"),
        managers[1],
    ]


def test_the_weekly_notebook_shows_verdicts_of_the_team_and_of_managers() -> None:
    notebook = nbformat.read(REPOSITORY / "notebooks" / "weekly.ipynb", as_version=4)
    found = verdict_rows(tables_of(notebook))
    steps = {(row["from_stage"], row["to_stage"]) for row in found if not row["manager"]}
    judged = {row["manager"] for row in found if row["verdict"] in VERDICT_MARKS}
    assert len(steps) == 4
    assert len(judged) > 8
    assert {(row["from_stage"], row["to_stage"]) for row in found} == steps
    assert lead_sentences(notebook)[0].startswith("presented → contracted: since ")


@pytest.mark.parametrize("row", [{"a": 1}, {"verdict": "red"}, STEP])
def test_a_table_of_something_else_has_no_verdicts(row) -> None:
    assert verdict_rows({"team": table(row)}) == []


def entry(*rows, as_of="2026-06-28"):
    """What run.json says of a page with these verdicts; without any the page failed."""
    page = {"state": "made" if rows else "failed", "parameters": {"as_of": as_of}, "tables": ["team"]}
    return page | ({"verdicts": verdict_rows({"team": table(*rows)})} if rows else {})


def test_the_first_time_nothing_is_restated_and_the_same_again_neither() -> None:
    once = with_restated(entry(team()), {}, {"data": "1"})
    assert (len(once["verdicts"]), once["restated"], once["made_from"]) == (1, [], {"data": "1"})
    assert with_restated(entry(team()), once, {"data": "2"})["restated"] == []


def test_other_numbers_are_told_with_what_they_were() -> None:
    once = with_restated(entry(manager(""), manager("=Anna")), {}, {"statement": "1"})
    later = entry(manager("", rate=0.78, verdict="green"), manager("=Ann"))
    (told,) = with_restated(later, once, {"statement": "2"})["restated"]
    assert told["why"] == [{"reason": "statement"}]
    said = {"entered": 70, "rate": 0.751235, "verdict": "amber"}
    assert told["cells"] == [
        {**STEP, "manager": "", "was": said, "is": {"entered": 70, "rate": 0.78, "verdict": "green"}},
        {**STEP, "manager": "=Ann", "was": None, "is": said},
        {**STEP, "manager": "=Anna", "was": said, "is": None},
    ]


def test_a_failed_page_says_no_verdict_and_the_next_one_is_compared_with_the_last_made() -> None:
    once = with_restated(entry(team()), {}, {"data": "1"})
    failed = with_restated(entry(), once, {"data": "2"})
    assert "verdicts" not in failed
    again = with_restated(entry(), failed, {"data": "3"})
    made = with_restated(entry(team(entered=121)), again, {"data": "4"})
    assert [len(told["cells"]) for told in made["restated"]] == [1]
    assert "last_made" not in made


def test_every_restatement_is_kept_in_order() -> None:
    page = {}
    for entered in (120, 121, 121, 122):
        page = with_restated(entry(team(entered)), page, {})
    assert [(told["cells"][0]["was"]["entered"], told["cells"][0]["is"]["entered"]) for told in page["restated"]] == [
        (120, 121),
        (121, 122),
    ]


TOML = FUNNEL + LEADS + ENTRIES.replace('entered_at = "at"', 'entered_at = "at", manager = "who"')
ROWS = ["a,lead,2026-05-05,Anna", "a,met,2026-05-07,Anna", "b,lead,2026-05-12,Boris", "b,met,2026-05-20,Boris"]
DAY = "2026-05-17"


@pytest.fixture
def marks(tmp_path, monkeypatch):
    """What a project with these entries is marked by."""
    (tmp_path / "data" / "raw").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)

    def marked(rows, **files):
        leads = "id,created\na,2026-05-05\nb,2026-05-12\n"
        prepared(TOML, {"entries.csv": "\n".join(["id,stage,at,who", *rows, ""]), "leads.csv": leads, **files})
        return row_marks(NAME)

    return marked


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([*ROWS, "a,paid,2026-05-15,Anna"], [{"reason": "late", "table": "entries", "rows": 1}]),
        (ROWS[1:], [{"reason": "gone", "table": "entries", "rows": 1}]),
        ([ROWS[0].replace("Anna", "Boris"), *ROWS[1:]], [{"reason": "changed", "table": "entries", "weeks": 1}]),
        (
            [*ROWS[:2], ROWS[2].replace("2026-05-12", "2026-05-06"), ROWS[3]],
            [{"reason": "late", "table": "entries", "rows": 1}, {"reason": "gone", "table": "entries", "rows": 1}],
        ),
        ([*ROWS, "a,paid,2026-05-18,Anna"], [{"reason": "unknown"}]),
        (ROWS[::-1], [{"reason": "unknown"}]),
    ],
    ids=["late", "gone", "changed", "moved to another week", "later than the day told as of", "only another order"],
)
def test_late_gone_and_changed_rows_are_told_apart(marks, rows, expected) -> None:
    assert reasons(marks(ROWS), marks(rows), [DAY, DAY]) == expected


def test_a_later_day_and_changed_rules_are_reasons_of_their_own() -> None:
    before, now = {"statement": "1", "program": "1"}, {"statement": "2", "program": "2"}
    assert reasons(before, now, [DAY, "2026-06-28"]) == [
        {"reason": "as_of", "from": DAY, "to": "2026-06-28"},
        {"reason": "statement"},
        {"reason": "program"},
    ]
    assert reasons({}, now, [DAY, DAY]) == [{"reason": "unknown"}]
