"""What is heard of a run: lines in a log, one bar at a terminal, and nothing breaks where nobody listens."""

import io
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from projects import NAME, TOML, prepared

from funnelstats.importing.opening import read_quality
from funnelstats.reporting.console import account_of_rows, progress, say
from funnelstats.reporting.reports import Job, Record


def jobs(*names):
    return [Job(Path("toy.ipynb"), {}, Path("reports/team", name), "Toy") for name in names]


def told(made, failed):
    with progress([made, failed]) as tell:
        tell(Record(made, "made", 1.26))
        tell(Record(failed, "failed", 2.0, "cell 3: ValueError: no"))


def test_a_log_has_a_line_for_each_page(capsys) -> None:
    told(*jobs("2026-W01/team.html", "2026-W01/anna.html"))
    assert capsys.readouterr().err.splitlines() == [
        "1/2 team.html: made 1.3 s",
        "2/2 anna.html: failed: cell 3: ValueError: no",
    ]


def test_of_several_weeks_each_line_names_its_own(capsys) -> None:
    told(*jobs("2026-W01/team.html", "2026-W02/team.html"))
    assert [line.split()[1] for line in capsys.readouterr().err.splitlines()] == [
        *("2026-W01/team.html:", "2026-W02/team.html:"),
    ]


def test_a_terminal_has_one_bar_and_then_the_failures(monkeypatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    told(*jobs("2026-W01/team.html", "2026-W01/anna.html"))
    bar, failure = screen.getvalue().rstrip("\n").rsplit("\n", 1)
    assert "2/2" in bar.rsplit("\r", 1)[-1]
    assert "team.html" not in bar
    assert failure == "anna.html: failed: cell 3: ValueError: no"


@pytest.mark.parametrize("err", [True, False])
def test_nobody_listening_ends_no_run(err) -> None:
    code = "from funnelstats.reporting.console import say\n"
    code += f"for n in range(3): say('x' * 100_000, err={err})\nraise SystemExit(7)"
    stream = "stderr" if err else "stdout"
    with subprocess.Popen([sys.executable, "-c", code], **{stream: subprocess.PIPE}) as process:
        getattr(process, stream).close()
        assert process.wait(timeout=30) == 7


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a file that is always full")
@pytest.mark.parametrize("err", [True, False])
def test_a_log_on_a_full_disk_ends_no_run(err) -> None:
    code = (
        f"from funnelstats.reporting.console import say\nfor n in range(3): say('line', err={err})\nraise SystemExit(7)"
    )
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-c", code], check=False, timeout=30, **{"stderr" if err else "stdout": full}
        )
    assert done.returncode == 7


def test_pages_are_told_where_nothing_can_be_said(monkeypatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    told(*jobs("team.html", "anna.html"))


def test_a_line_goes_where_it_belongs(capsys) -> None:
    say("to the log")
    say("the place", err=False)
    assert capsys.readouterr() == ("the place\n", "to the log\n")


@pytest.mark.usefixtures("here")
def test_a_preparation_ends_with_the_rows_and_the_money_of_each_table() -> None:
    paid = "\n[payments]\nfiles = ['paid.csv']\ncolumns = { lead_id = 'id', paid_at = 'at', amount = 'sum' }\n"
    rows = "id,at,sum,kind\na,2026-01-09,30,x\na,2026-01-10,60,x\na,,5,x\nz,2026-01-09,10,x\nb,2026-01-12,0,test\n"
    prepared(
        "max_bad_share = 1\n" + TOML + paid + "only = { kind = 'x' }\n",
        {"paid.csv": rows, "leads.csv": "id,created\na,2026-01-05\nb,\n"},
    )
    header, *lines = account_of_rows(read_quality(NAME)).splitlines()
    assert header.split()[-4:] == ["amount", "of", "it", "kept"]
    assert [line.split() for line in lines] == [
        ["leads", "2", "2", "100.0%", "0", "0", "1", "n/a", "n/a"],
        ["entries", "3", "3", "100.0%", "0", "0", "0", "n/a", "n/a"],
        ["payments", "5", "3", "60.0%", "1", "1", "1", "105", "90.5%"],
    ]


def test_only_all_is_told_as_all_and_only_nothing_as_nothing() -> None:
    rows = pd.DataFrame({"table": ["leads", "costs"], "rows_in": [5000, 0], "rows_kept": [4999, 0]})
    rows = rows.assign(rows_set_aside=[1, 0], rows_ignored=0)
    kept = pd.DataFrame(
        {"table": ["leads", "costs"], "rows_undated": 0.0, "amount_in": [8e6, 0], "amount_kept": [1, 0]}
    )
    first, empty = account_of_rows(SimpleNamespace(rows=rows, kept=kept)).splitlines()[1:]
    assert [first.split()[3], first.split()[-1]] == ["99.9%", "0.1%"]
    assert [empty.split()[3], empty.split()[-1]] == ["n/a", "n/a"]


def test_a_message_steers_no_terminal_and_is_no_longer_than_somebody_reads(capsys) -> None:
    say("column \x1b[31mred\u202e\n" + "x" * 5000 + "\nmore" * 1000)
    told = capsys.readouterr().err
    assert told.startswith("column \ufffd[31mred\ufffd\nxxx")
    assert told.endswith("more\n… and 943 more lines\n")
    assert len(told) < 2000
