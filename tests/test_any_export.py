"""Exports as single tools write them: what their rows are, which dates are ends, whose rows stand in another table."""

from __future__ import annotations

import pytest
from test_init import COUNTED, csv, default, history, made, project, put  # noqa: F401
from test_kinds_of_exports import NEW

ENDED = {lead: (stage, at) for lead, stage, at, *_ in history() if stage in ("won", "lost")}


def deals(won="won", lost="lost", opened="open"):
    """Rows ``lead, created, status, closed`` of the same leads."""
    for lead, at in NEW:
        stage, closed = ENDED.get(lead, ("", ""))
        yield lead, at, {"won": won, "lost": lost}.get(stage, opened), closed


@pytest.mark.parametrize("total", ["Total Anna", "Anna Total"])
def test_a_sum_of_a_group_that_stands_where_ids_do_is_no_lead(total):
    rows = [*deals()]
    rows.insert(20, (total, "", "", ""))
    folder = put(deals_csv=csv([(*row, 5) for row in rows], "id", "created", "status", "closed", "amount"))
    assert made(folder)["leads"] == 40


def test_a_total_of_rows_without_ids_is_no_lead():
    rows = [("Anna", *row[1:], 5) for row in deals()] + [("Total", "", "", "", 200)]
    assert made(put(deals_csv=csv(rows, "owner", "created", "status", "closed", "amount")))["leads"] == 40
