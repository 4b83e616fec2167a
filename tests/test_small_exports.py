"""Every page on the smallest honest exports: whatever an export lacks, each cell runs and shows something."""

import re
from datetime import date, timedelta

import pytest
from projects import PAGES, REPOSITORY, page_of, source, write

from funnelstats.config.errors import FunnelError
from funnelstats.config.folders import RUN_FOLDER
from funnelstats.importing.prepare import prepare
from funnelstats.reporting.periods import report_batch

STATED = """
title = "Small"
timezone = "Europe/Berlin"
currency = "EUR"
exported_on = 2026-07-05
stages = ["lead", "met", "paid"]
step_into = { met = { horizon_days = 7 }, paid = { target = 0.5, horizon_days = 21 } }
"""
LEADS = source("leads", "leads.csv", lead_id="id")
ENTRIES = source("entries", "entries.csv", lead_id="id", stage="stage", entered_at="at", manager="who")
TABLES = {
    "payments": source("payments", "payments.csv", lead_id="id", paid_at="at", amount="sum"),
    "contacts": source("contacts", "contacts.csv", lead_id="id", at="at", kind="kind"),
    "costs": source("costs", "costs.csv", date="day", amount="sum"),
}


def rows(leads, first):
    """Entries of so many leads: each is met, one of three is then refused, one pays."""
    for number in range(leads):
        day = first + timedelta(days=2 * number)
        who = ("Anna", "Boris")[number % 2]
        yield f"L{number}", "lead", day, who
        yield f"L{number}", "met", day + timedelta(days=2), who
        if number % 3:
            yield f"L{number}", ("lost", "paid")[number % 3 - 1], day + timedelta(days=12), who


def export(*tables, leads=80, managers=True, dated=True, first=date(2026, 1, 5)):
    """The statement and the files of an export that has these tables besides leads and entries."""
    made = list(rows(leads, first))
    days = {lead: day for lead, stage, day, _ in made if stage == "lead"}
    files = {
        "leads.csv": "id,created\n" + "".join(f"{lead},{day}\n" for lead, day in days.items()),
        "entries.csv": "id,stage,at,who\n" + "".join(f"{lead},{stage},{day},{who}\n" for lead, stage, day, who in made),
        "payments.csv": "id,at,sum\n" + "".join(f"{lead},{day},100\n" for lead, at, day, _ in made if at == "paid"),
        "contacts.csv": "id,at,kind\n" + "".join(f"{lead},{day} 11:00,call\n" for lead, day in days.items()),
        "costs.csv": "day,sum\n2026-02-01,500\n2026-05-01,500\n",
    }
    toml = STATED + (LEADS.replace('"id" }', '"id", created_at = "created" }') if dated else LEADS)
    toml += ENTRIES if managers else ENTRIES.replace(', manager = "who"', "")
    return toml + "".join(TABLES[table] for table in tables), files


EXPORTS = {
    "entries-alone": export(dated=False),
    "costs": export("payments", "contacts", "costs"),
    "no-managers": export("payments", managers=False),
    "three-leads": export("payments", "contacts", "costs", leads=3),
}
YOUNG, FILES = export("payments", "contacts", "costs", leads=25, first=date(2026, 2, 16))
EXPORTS["young"] = YOUNG.replace("2026-07-05", "2026-04-12"), FILES
"""A company of eight weeks, of which pages that look at a quarter of a year or more have to judge."""


@pytest.fixture(scope="module", params=EXPORTS)
def project(request, tmp_path_factory):
    """A folder with one of the exports, prepared, and the notebooks, which share what pages of a run share."""
    folder = tmp_path_factory.mktemp(request.param)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv(RUN_FOLDER, str(tmp_path_factory.mktemp("shared")))
        (folder / "notebooks").symlink_to(REPOSITORY / "notebooks")
        toml, files = EXPORTS[request.param]
        write(toml, files, name="small")
        prepare("small")
        yield request.param


def asked(notebook):
    """The parameters that a command gives a notebook."""
    texts = {"leaks": {"step": "paid"}, "manager": {"manager": "Anna"}, "plan": {"deals": "5", "by": "2026-12-31"}}
    return report_batch(notebook.stem, "small", texts.get(notebook.stem, {})).jobs[0].parameters


@pytest.mark.parametrize("notebook", PAGES, ids=lambda path: path.stem)
def test_every_cell_of_every_notebook_shows_something(project, notebook) -> None:
    if (project, notebook.stem) == ("no-managers", "manager"):
        with pytest.raises(FunnelError, match='no manager "Anna" in small; known: none'):
            asked(notebook)
        return
    *_, shown = page_of(notebook.stem, **asked(notebook))
    assert len(shown) > 1
    shown = ["".join(map(str, value._repr_mimebundle_()[0].values())) for value in shown]
    assert all(value.strip() for value in shown)
    if project == "young" and notebook.stem != "roi":  # where money was spent before the first lead came
        early = [value for value in shown if re.search("2025|January|Jan ", value)]
        assert not early, "nothing is known of days before the first lead"
