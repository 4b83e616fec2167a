"""The lead base against plain loops on three engines; the score against scikit-learn and by hand."""

from datetime import date

import ibis
import numpy as np
import pandas as pd
import pytest
from backends import ENTRIES_SCHEMA, entries_frame, funnel_of, random_entries, table
from contact_histories import CONTACTS_SCHEMA, contacts_frame
from scipy import stats
from sklearn.metrics import brier_score_loss, roc_auc_score

from funnelstats.config.errors import FunnelError
from funnelstats.config.sources import LeadBase
from funnelstats.core.journeys import journeys
from funnelstats.loop.base import renewal, score_groups, score_skill
from funnelstats.loop.base_counts import (
    blacklist_counts,
    coverage_counts,
    duplicate_counts,
    renewal_counts,
    score_counts,
)
from funnelstats.money.counts import lead_values

FUNNEL = funnel_of("lead", "paid", days=30)
LEADS = ibis.schema(
    {"lead_id": "string", "manager": "string", "company": "string", "stop": "string", "score": "string"}
)
QUARTER = (date(2026, 4, 1), date(2026, 6, 30))


def funnel(**columns):
    return FUNNEL.model_copy(update={"lead_base": LeadBase(**columns)})


COMPANIES = funnel(company="company", blacklisted="stop", score="score")


def leads_of(con, rows):
    frame = pd.DataFrame(rows, columns=list(LEADS))
    return table(con, frame, LEADS, "leads")


def contacts_of(con, rows):
    return table(con, contacts_frame(rows), CONTACTS_SCHEMA, "contacts")


@pytest.fixture
def base(con):
    """Five leads: two of one company open with two managers, one blacklisted, one lost, one that paid."""
    leads = leads_of(
        con,
        [
            ("a", "Anna", "Alpha", None, "0.9"),
            ("b", "Boris", " Alpha", "no", "0.2"),
            ("c", "Anna", None, "Yes", "n/a"),
            ("d", "Anna", "Delta", None, "0.2"),
            ("e", "Anna", "", None, None),
        ],
    )
    entries = table(
        con,
        entries_frame(
            [
                ("a", "lead", "2026-02-01"),
                ("b", "lead", "2026-04-05"),
                ("c", "lead", "2026-02-03"),
                ("d", "lead", "2026-01-04"),
                ("d", "lost", "2026-01-09"),
                ("e", "lead", "2026-01-05"),
                ("e", "paid", "2026-01-10"),
            ]
        ),
    )
    contacts = contacts_of(con, [("a", "2026-05-01"), ("c", "2026-06-30"), ("c", "2026-06-30"), ("e", "2026-03-31")])
    values = con.create_table(
        "values", lead_values(journeys(entries, FUNNEL).cache(), FUNNEL, QUARTER[1], leads), overwrite=True
    )
    return leads, entries, contacts, values


def test_a_company_is_new_unchanged_or_dropped_against_the_quarter_before(base):
    leads, entries, contacts, _ = base
    counts = renewal_counts(leads, entries, contacts, COMPANIES, QUARTER[1])
    assert counts["companies"].tolist() == [2, 1]  # Alpha, Delta; then Alpha: whose c and e are nobody knows
    assert counts["kept"].tolist() == [0, 1]
    found = renewal(counts, QUARTER[1])
    assert found["quarter"].tolist() == ["2026-Q1", "2026-Q2"]
    assert found.loc[1, ["new", "unchanged", "dropped", "new_share", "dropped_share"]].tolist() == [0, 1, 1, 0, 0.5]
    assert found.loc[0, ["new", "unchanged", "dropped", "new_share"]].isna().all()
    assert found["note"].tolist() == ["the data begins here", "the quarter before is not whole in the data"]
    assert renewal(counts, date(2026, 6, 29))["note"].iloc[1] == "not over yet"


def test_quarters_of_a_fiscal_year_begin_with_its_months(base, fiscal):
    fiscal(2)
    leads, entries, contacts, _ = base
    counts = renewal_counts(leads, entries, contacts, COMPANIES, QUARTER[1])
    found = renewal(counts, QUARTER[1])
    assert found["quarter"].tolist() == ["FY2025-02-Q4", "FY2026-02-Q1", "FY2026-02-Q2"]
    assert found["companies"].tolist() == [1, 1, 1]  # Delta; Alpha; Alpha
    assert found["note"].tolist()[-1] == "not over yet"


def test_without_a_named_column_each_lead_is_its_own_company(base):
    leads, entries, _contacts, values = base
    assert renewal_counts(leads, entries, None, FUNNEL, QUARTER[1])["companies"].tolist() == [4, 1]
    assert duplicate_counts(values, leads, FUNNEL).loc[0].tolist() == [0, 0, 0]


def test_coverage_asks_whether_open_leads_were_contacted_in_the_quarter(base):
    _, _, contacts, values = base
    assert coverage_counts(values, contacts, QUARTER).loc[0].tolist() == [3, 2]
    assert coverage_counts(values, None, QUARTER).loc[0].tolist() == [3, 0]


def test_a_company_with_several_open_leads_is_found_and_whether_managers_share_it(base):
    leads, _, _, values = base
    assert duplicate_counts(values, leads, COMPANIES).loc[0].tolist() == [1, 2, 1]


def test_contacts_with_blacklisted_leads_are_counted(base):
    leads, _, contacts, _ = base
    assert blacklist_counts(leads, contacts, COMPANIES, QUARTER).loc[0].tolist() == [1, 1, 2]
    assert blacklist_counts(leads, None, COMPANIES, QUARTER).loc[0].tolist() == [1, 0, 0]
    assert blacklist_counts(leads, contacts, FUNNEL, QUARTER).empty
    assert blacklist_counts(leads, contacts, COMPANIES, (QUARTER[0], date(2026, 6, 29))).loc[0, "contacted"] == 0


def test_scores_are_counted_over_leads_whose_days_are_over(base):
    leads, _, _, values = base
    counts = score_counts(values, leads, COMPANIES, date(2026, 4, 20))
    assert counts.fillna(-1).to_numpy().tolist() == [[0.2, 1, 0], [0.9, 1, 0], [-1, 2, 1]]
    assert score_counts(values, leads, FUNNEL, date(2026, 4, 20)).columns.tolist() == ["score", "entered", "converted"]


def test_a_column_that_does_not_exist_is_named_with_its_key(base):
    leads, _, _, values = base
    with pytest.raises(FunnelError, match=r'lead_base.company .*"compny"; did you mean "company"'):
        duplicate_counts(values, leads, funnel(company="compny"))


@pytest.mark.parametrize("seed", range(2))
def test_renewal_equals_a_loop_over_random_histories(con, seed):
    random = np.random.default_rng(seed)
    frame = random_entries(seed, ("lead", "paid"), leads=60)
    # the histories span two months; stretched, they span two years with quarters in which some rest
    day = pd.Timestamp("2025-01-01")
    frame["entered_at"] = (day + (frame["entered_at"] - day) % pd.Timedelta(days=400) * 2).astype("datetime64[us]")
    frame["entered_on"] = frame["entered_at"].dt.date
    names = sorted(set(frame["lead_id"]))
    company = random.choice(np.array([*"ABCDEFGHIJ", None, " "]), len(names))
    leads = leads_of(con, [(name, None, firm, None, None) for name, firm in zip(names, company, strict=True)])
    at = day + pd.to_timedelta(random.integers(0, 700, 50), unit="D")
    contacted = list(zip(random.choice(names, 50), at, strict=True))
    as_of = date(2026, 10, 1)

    unit = {name: firm for name, firm in zip(names, company, strict=True) if firm and firm.strip()}
    done = [(row.lead_id, row.entered_on) for row in frame.itertuples()]
    done += [(name, when.date()) for name, when in contacted]
    done = [(unit[name], when) for name, when in done if name in unit]
    worked = {}
    for who, when in done:
        if when <= as_of:
            worked.setdefault(when.year * 4 + (when.month - 1) // 3, set()).add(who)
    quarters = range(min(worked), max(worked) + 1)
    expected = [[len(worked.get(q, ())), len(worked.get(q, set()) & worked.get(q - 1, set()))] for q in quarters]
    lazy = table(con, frame, ENTRIES_SCHEMA)
    counts = renewal_counts(leads, lazy, contacts_of(con, contacted), COMPANIES, as_of)
    assert counts[["companies", "kept"]].to_numpy().tolist() == expected
    assert counts["since"].iloc[0] == pd.Timestamp(min(when for _, when in done))
    found = renewal(counts, as_of).iloc[1:]
    assert (found["new"] + found["unchanged"] == found["companies"]).all()
    assert (found["dropped"] + found["unchanged"]).tolist() == [companies for companies, _ in expected[:-1]]


def test_no_entries_are_no_quarters(con):
    counts = renewal_counts(leads_of(con, []), table(con, entries_frame([])), None, FUNNEL, QUARTER[1])
    assert renewal(counts, QUARTER[1]).empty


# The score


def scored(seed=1, n=600, whole=False):
    """Leads with a score that is right on average, as an analyst has them and as counts by score."""
    random = np.random.default_rng(seed)
    score = random.integers(1, 40, n) if whole else random.beta(2, 3, n).round(2)
    won = random.random(n) < (score / 60 if whole else score)
    frame = pd.DataFrame({"score": score.astype(float), "entered": 1, "converted": won.astype(int)})
    return score, won, frame.groupby("score", as_index=False).sum()


def test_order_and_error_of_a_score_are_those_of_scikit_learn():
    score, won, counts = scored()
    row = score_skill(counts).iloc[0]
    assert row["auc"] == pytest.approx(roc_auc_score(won, score))
    assert row["brier"] == pytest.approx(brier_score_loss(won, score))
    assert row["brier_base"] == pytest.approx(won.mean() * (1 - won.mean()))
    assert row[["leads", "won", "unscored"]].tolist() == [600, won.sum(), 0]


@pytest.mark.parametrize(("won", "auc"), [([0, 0, 0], np.nan), ([0, 1, 0], 0.5), ([1, 1, 1], np.nan)])
def test_the_order_of_a_score_is_known_from_one_win_on(won, auc):
    counts = pd.DataFrame({"score": [1.0, 2.0, 3.0], "entered": 1, "converted": won})
    assert score_skill(counts)["auc"].iloc[0] == pytest.approx(auc, nan_ok=True)
    assert score_skill(counts)[["auc_lower", "auc_upper"]].to_numpy().tolist() == [[0, 1]]


def test_the_limits_of_the_order_are_delong_s_over_all_pairs():
    score, won, counts = scored(seed=2, n=90)
    pairs = np.sign(score[won][:, None] - score[~won][None, :]) / 2 + 0.5
    error = np.sqrt(pairs.mean(1).var(ddof=1) / won.sum() + pairs.mean(0).var(ddof=1) / (~won).sum())
    auc = pairs.mean()
    row = score_skill(counts).iloc[0]
    width = 1.959964 * error / (auc * (1 - auc))
    expected = 1 / (1 + np.exp(-(np.log(auc / (1 - auc)) + np.array([-width, width]))))
    assert row[["auc_lower", "auc_upper"]].to_numpy(dtype=float) == pytest.approx(expected, rel=1e-5)


def test_calibration_compares_the_promised_with_the_won_in_each_group():
    _, _, counts = scored()
    groups = score_groups(counts)
    assert len(groups) == 10
    assert groups["entered"].sum() == 600
    assert groups["entered"].between(40, 80).all()
    assert (groups["score_low"].iloc[1:].to_numpy() > groups["score_high"].iloc[:-1].to_numpy()).all()
    p = groups["promised"]
    off = (groups["converted"] - groups["entered"] * p) ** 2 / (groups["entered"] * p * (1 - p))
    assert score_skill(counts)["calibration_p"].iloc[0] == pytest.approx(stats.chi2.sf(off.sum(), 10))
    assert score_skill(counts)["calibration_p"].iloc[0] > 0.05
    wrong = counts.assign(score=counts["score"] ** 3)
    assert score_skill(wrong)["calibration_p"].iloc[0] < 0.001
    assert (groups["entered"] * groups["lift"]).sum() / 600 == pytest.approx(1)


def test_points_are_no_probabilities_and_only_their_order_is_judged():
    score, won, counts = scored(whole=True)
    row = score_skill(counts).iloc[0]
    assert row["auc"] == pytest.approx(roc_auc_score(won, score))
    assert row[["brier", "brier_base", "calibration_p"]].isna().all()
    assert score_groups(counts)["promised"].isna().all()


def test_without_scores_or_without_two_outcomes_nothing_is_known():
    none = pd.DataFrame({"score": [np.nan], "entered": [5], "converted": [2]})
    assert score_skill(none).empty
    assert score_groups(none).empty
    alike = pd.DataFrame({"score": [0.1, 0.5, np.nan], "entered": [5, 4, 2], "converted": [0, 0, 1]})
    row = score_skill(alike).iloc[0]
    assert (row["auc_lower"], row["auc_upper"], row["unscored"]) == (0, 1, 2)
    assert np.isnan(row["auc"])
    assert len(score_groups(alike)) == 2
