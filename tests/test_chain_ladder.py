"""The chain ladder against the triangle of Taylor and Ashe, as Mack published it."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from funnelstats.statistics.chain_ladder import chain_ladder, paid_triangle

TAYLOR_ASHE = """
357848 1124788 1735330 2218270 2745596 3319994 3466336 3606286 3833515 3901463
352118 1236139 2170033 3353322 3799067 4120063 4647867 4914039 5339085
290507 1292306 2218525 3235179 3985995 4132918 4628910 4909315
310608 1418858 2195047 3757447 4029929 4381982 4588268
443160 1136350 2128333 2897821 3402672 3873311
396132 1333217 2180715 2985752 3691712
440832 1288463 2419861 3483130
359480 1421128 2864498
376686 1363294
344014
"""


def triangle_of(text):
    return pd.DataFrame([pd.Series(line.split(), dtype=float) for line in text.strip().splitlines()])


def test_taylor_and_ashe_s_triangle_gives_the_published_reserves_and_errors():
    found = chain_ladder(triangle_of(TAYLOR_ASHE)).set_index("cohort")
    assert found.loc["all", "to_come"] == pytest.approx(18_680_856, abs=1)
    assert found.loc["all", "error"] == pytest.approx(2_447_095, abs=1)
    assert found["to_come"].iloc[[1, 9]].tolist() == pytest.approx([94_634, 4_625_811], abs=1)
    assert found["error"].iloc[[0, 1, 9]].tolist() == pytest.approx([0, 75_535, 1_363_155], abs=1)


def test_the_order_of_the_cohorts_changes_nothing():
    triangle = triangle_of(TAYLOR_ASHE)
    shuffled = chain_ladder(triangle.iloc[[3, 9, 0, 1, 5, 2, 4, 6, 8, 7]]).set_index("cohort")
    pd.testing.assert_frame_equal(shuffled.sort_index(), chain_ladder(triangle).set_index("cohort").sort_index())


def test_cohorts_that_all_pay_alike_leave_no_doubt():
    found = chain_ladder(triangle_of("10 30 45 60\n20 60 90\n30 90\n40"))
    assert found["final"].tolist() == pytest.approx([60, 120, 180, 240, 600])
    assert found["error"].tolist() == pytest.approx([0] * 5)


def test_a_triangle_with_gaps_is_refused():
    with pytest.raises(ValueError, match="no gaps"):
        chain_ladder(pd.DataFrame([[1.0, np.nan, 3.0]]))


def test_where_nobody_has_paid_yet_what_is_to_come_is_unknown():
    found = chain_ladder(pd.DataFrame([[0.0, 0.0], [0.0, np.nan]]))
    assert found["to_come"].isna().tolist() == [False, True, True]


def test_payments_by_month_become_quarters_that_are_over():
    monthly = pd.DataFrame(
        {
            "cohort": pd.to_datetime(["2026-01-01"] * 4 + ["2026-04-01"] * 2),
            "month": [1, 3, 4, 9, 2, 4],
            "revenue": [10.0, 5.0, 7.0, 1.0, 20.0, 99.0],
        }
    )
    triangle = paid_triangle(monthly, date(2026, 9, 30))
    assert triangle.columns.tolist() == [1, 2, 3]
    assert triangle.fillna(-1).to_numpy().tolist() == [[15, 22, 23], [20, 119, -1]]
    early = paid_triangle(monthly, date(2026, 9, 29))
    assert early.fillna(-1).to_numpy().tolist() == [[15, 22], [20, -1]]
    assert paid_triangle(monthly.iloc[:0], date(2026, 9, 29)).empty
