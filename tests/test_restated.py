"""What a page said before it was made again: verdicts kept, changes found, reasons told apart."""

from __future__ import annotations

import nbformat
import pytest
from projects import ENTRIES, FUNNEL, LEADS, NAME, REPOSITORY, prepared

from funnelstats.reporting.pages import tables_of
from funnelstats.reporting.restated import reasons, row_marks, verdict_rows, with_verdicts
from funnelstats.showing.tables import VERDICT_MARKS

TEAM = "\ufefffrom_stage,to_stage,entered,rate,ci_lower,target,verdict\nlead,met,120,0.71,0.6,0.8,red\n"
MANAGERS = (
    "manager,from_stage,to_stage,entered,rate,target,verdict\n"
    "'=Anna,lead,met,70,0.7512345678,0.8,amber\nБорис,lead,met,0,,,too few\n"
)
ROW = {"from_stage": "lead", "to_stage": "met", "target": 0.8}


def test_the_verdicts_of_a_page_are_those_of_its_tables() -> None:
    assert verdict_rows({"team": TEAM, "managers": MANAGERS, "flow": TEAM}) == [
        {"manager": "", **ROW, "entered": 120, "rate": 0.71, "verdict": "red"},
        {"manager": "=Anna", **ROW, "entered": 70, "rate": 0.751235, "verdict": "amber"},
        {"manager": "Борис", **ROW, "entered": 0, "rate": None, "target": None, "verdict": "too few"},
    ]


def test_a_table_in_blocks_names_its_step_in_one_text() -> None:
    blocks = MANAGERS.replace("from_stage,to_stage", "step").replace("lead,met", "lead → met")
    assert verdict_rows({"team": TEAM, "managers": blocks}) == verdict_rows({"team": TEAM, "managers": MANAGERS})


def test_the_weekly_notebook_shows_verdicts_of_the_team_and_of_managers() -> None:
    notebook = nbformat.read(REPOSITORY / "notebooks" / "weekly.ipynb", as_version=4)
    found = verdict_rows({name: table["csv"] for name, table in tables_of(notebook).items()})
    steps = {(row["from_stage"], row["to_stage"]) for row in found if not row["manager"]}
    judged = {row["manager"] for row in found if row["verdict"] in VERDICT_MARKS}
    assert len(steps) == 4
    assert len(judged) > 8
    assert {(row["from_stage"], row["to_stage"]) for row in found} == steps


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "verdict\nred\n"])
def test_a_table_of_something_else_has_no_verdicts(text) -> None:
    assert verdict_rows({"team": text}) == []


def entry(state="made", as_of="2026-06-28"):
    return {"state": state, "parameters": {"as_of": as_of}, "tables": ["team"]}


def test_the_first_time_nothing_is_restated_and_the_same_again_neither() -> None:
    once = with_verdicts(entry(), {}, {"team": TEAM}, {"data": "1"})
    assert (len(once["verdicts"]), once["restated"], once["made_from"]) == (1, [], {"data": "1"})
    assert with_verdicts(entry(), once, {"team": TEAM}, {"data": "2"})["restated"] == []


def test_other_numbers_are_told_with_what_they_were() -> None:
    once = with_verdicts(entry(), {}, {"team": TEAM, "managers": MANAGERS}, {"statement": "1"})
    later = {
        "team": TEAM.replace("0.71", "0.78").replace(",red", ",amber"),
        "managers": MANAGERS.replace("=Anna", "=Ann"),
    }
    (told,) = with_verdicts(entry(), once, later, {"statement": "2"})["restated"]
    assert told["why"] == [{"reason": "statement"}]
    step = {"from_stage": "lead", "to_stage": "met"}
    anna = {"entered": 70, "rate": 0.751235, "verdict": "amber"}
    assert told["cells"] == [
        {
            **step,
            "manager": "",
            "was": {"entered": 120, "rate": 0.71, "verdict": "red"},
            "is": {"entered": 120, "rate": 0.78, "verdict": "amber"},
        },
        {**step, "manager": "=Ann", "was": None, "is": anna},
        {**step, "manager": "=Anna", "was": anna, "is": None},
    ]


def test_a_failed_page_says_no_verdict_and_the_next_one_is_compared_with_the_last_made() -> None:
    once = with_verdicts(entry(), {}, {"team": TEAM}, {"data": "1"})
    failed = with_verdicts(entry("failed"), once, {}, {"data": "2"})
    assert "verdicts" not in failed
    again = with_verdicts(entry("failed"), failed, {}, {"data": "3"})
    made = with_verdicts(entry(), again, {"team": TEAM.replace("120", "121")}, {"data": "4"})
    assert [len(told["cells"]) for told in made["restated"]] == [1]
    assert "last_made" not in made


def test_every_restatement_is_kept_in_order() -> None:
    page = {}
    for entered in (120, 121, 121, 122):
        page = with_verdicts(entry(), page, {"team": TEAM.replace("120", str(entered))}, {})
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
