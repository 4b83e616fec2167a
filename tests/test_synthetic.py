"""The sample holds what TRUTH.md says, and its dirt changes none of it."""

import csv
import io
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sample.dirt import STAGE_WORDS
from sample.drawn import clean_sample, facts, sample_files
from sample.truth import money_by_channel, realised_steps
from scipy.stats import binom, binomtest

SAMPLE = Path(__file__).parents[1] / "data" / "raw" / "sample"
WINDOW_FROM = "2026-03-30"  # the Monday of the first of the 13 weeks to 2026-W26
BEFORE_LEAK = "2026-05-03"  # 21 days after the last Sunday before the leak
ORDER = {stage: place for place, stage in enumerate(facts.STAGES)}
TIME = r"\d\d\.\d\d\.20\d\d \d\d:\d\d"


@pytest.fixture(scope="module")
def clean() -> dict[str, pd.DataFrame]:
    return clean_sample()


@pytest.fixture(scope="module")
def raw() -> dict[str, list[list[str]]]:
    """Data lines of each committed CSV file, the two stage files as one."""
    lines: dict[str, list[list[str]]] = {}
    for path in sorted(SAMPLE.glob("*.csv")):
        text = path.read_bytes().decode("utf-8-sig")
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=";"))
        lines.setdefault(path.stem.split("_")[0], []).extend(rows[1:])
    return lines


@pytest.fixture(scope="module")
def deals(raw: dict[str, list[list[str]]]) -> pd.DataFrame:
    header = (SAMPLE / "deals.csv").read_text(encoding="utf-8-sig").split("\n", 1)[0].split(";")
    return pd.DataFrame([row for row in raw["deals"] if len(row) == len(header)], columns=header)


@pytest.fixture(scope="module")
def stages(raw: dict[str, list[list[str]]]) -> pd.DataFrame:
    columns = ["lead_id", "stage", "at", "manager", "reason"]
    return pd.DataFrame([row for row in raw["stages"] if len(row) == 5], columns=columns)


def test_the_committed_files_are_reproduced_to_the_byte() -> None:
    files = sample_files()
    assert {path.name for path in SAMPLE.glob("*.csv")} == {name for name in files if name.endswith(".csv")}
    for name, text in files.items():
        assert (SAMPLE / name).read_bytes() == text.encode("utf-8"), name


def test_the_sample_is_small_and_every_line_ends_alike() -> None:
    files = [path for path in SAMPLE.iterdir() if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 3_000_000
    assert not any(b"\r" in path.read_bytes() for path in files)


def test_every_planted_rate_is_realised_within_binomial_noise(clean: dict[str, pd.DataFrame]) -> None:
    all_weeks = realised_steps(clean["entries"], facts.FIRST_DAY)
    before = realised_steps(clean["entries"], facts.FIRST_DAY, BEFORE_LEAK)
    counts = pd.concat(
        [all_weeks[all_weeks["to_stage"] != facts.LEAK_STEP], before[before["to_stage"] == facts.LEAK_STEP]]
    )
    assert len(counts) == 44
    for row in counts.itertuples():
        planted = facts.RATES[row.to_stage][row.manager]
        if row.manager == facts.HARD_BASE and row.to_stage == facts.SEGMENT_STEP:
            planted += (facts.SEGMENTS["shift"] * facts.SEGMENTS["hard_share"]).sum()
        assert binomtest(row.converted, row.entered, planted).pvalue > 0.001, row


def test_the_planted_weak_cells_are_below_target_and_no_other_is() -> None:
    weak = {("Иванов", "met"), ("Иванов", "presented"), ("Сидоров", "contracted"), ("Сидоров", "paid")}
    for manager in facts.TEAM:
        for stage, target in facts.TARGET.items():
            tolerated = target - 0.05 if target == 1 else target
            assert (facts.RATES[stage][manager] < tolerated) == ((manager, stage) in weak), (manager, stage)


def test_in_the_judged_window_only_the_planted_looks_significantly_low(
    clean: dict[str, pd.DataFrame],
) -> None:
    counts = realised_steps(clean["entries"], WINDOW_FROM)
    target = counts["to_stage"].map(facts.TARGET).replace(1.0, 0.95)
    k, n = counts["converted"], counts["entered"]
    low = counts.assign(p=binom.cdf(k, n, target) - binom.pmf(k, n, target) / 2)
    low = low[low["to_stage"] != facts.LEAK_STEP].set_index(["manager", "to_stage"])["p"]
    planted = [("Иванов", "met"), ("Иванов", "presented"), ("Сидоров", "paid"), ("Петрова", "presented")]
    assert (low[planted] < 0.005).all()
    assert (low.drop(planted) > 0.1).all()


def test_the_noisy_manager_looks_bad_without_being_so(clean: dict[str, pd.DataFrame]) -> None:
    counts = realised_steps(clean["entries"], WINDOW_FROM)
    row = counts[(counts["manager"] == facts.NOISE) & (counts["to_stage"] == "presented")].iloc[0]
    assert (row["converted"], row["entered"]) == (20, 28)
    assert row["converted"] / row["entered"] < facts.TARGET["presented"] - 0.08
    assert binomtest(20, 28, facts.TARGET["presented"], alternative="less").pvalue > 0.15


def test_the_hard_base_hides_a_true_skill(clean: dict[str, pd.DataFrame]) -> None:
    segment = clean["leads"].set_index("lead_id")["segment"]
    rate = {}
    for name in facts.SEGMENTS.index:
        entries = clean["entries"][clean["entries"]["lead_id"].map(segment) == name]
        counts = realised_steps(entries, facts.FIRST_DAY).query("to_stage == @facts.SEGMENT_STEP")
        counts = counts[~counts["manager"].isin(facts.ARTICLE)]
        hers = counts["manager"] == facts.HARD_BASE
        for who, part in (("hers", counts[hers]), ("theirs", counts[~hers])):
            rate[name, who] = part["converted"].sum() / part["entered"].sum()
            assert part["entered"].sum() > 40
    assert all(rate[name, "hers"] > rate[name, "theirs"] for name in facts.SEGMENTS.index)
    assert rate["tender", "theirs"] < rate["new", "theirs"] - 0.2


def test_the_step_leaks_from_its_week_on_for_one_product_only(clean: dict[str, pd.DataFrame]) -> None:
    product = clean["leads"].set_index("lead_id")["product"]
    leaking = clean["entries"]["lead_id"].map(product) == facts.LEAK_PRODUCT

    def rate(entries: pd.DataFrame, since: str, until: str) -> float:
        counts = realised_steps(entries, since, until).query("to_stage == @facts.LEAK_STEP")
        counts = counts[~counts["manager"].isin([*facts.ARTICLE, facts.NOISE])]
        return counts["converted"].sum() / counts["entered"].sum()

    before = facts.FIRST_DAY, BEFORE_LEAK
    after = facts.LEAK_FROM, facts.JUDGED_UNTIL
    assert rate(clean["entries"], *before) == pytest.approx(0.835, abs=0.03)
    assert rate(clean["entries"], *after) == pytest.approx(0.668, abs=0.035)
    assert rate(clean["entries"][leaking], *after) == pytest.approx(0.416, abs=0.06)
    assert rate(clean["entries"][~leaking], *after) == pytest.approx(0.835, abs=0.04)


def test_one_channel_loses_and_every_other_with_spend_and_leads_earns(clean: dict[str, pd.DataFrame]) -> None:
    roi = money_by_channel(clean)["roi"]
    assert roi[facts.LOSING] < -0.3
    assert np.isnan(roi[facts.UNPAID])
    assert roi[facts.SPEND_ONLY] == -1
    assert (roi.drop([facts.LOSING, facts.UNPAID, facts.SPEND_ONLY]) > 0.3).all()


def test_one_managers_refusals_sound_alike(clean: dict[str, pd.DataFrame]) -> None:
    lost = clean["entries"].query("stage == 'lost' and reason != ''")
    telling = lost["reason"] == facts.TELL_TALE_REASON
    assert telling[lost["manager"] == facts.TELL_TALE].mean() == pytest.approx(0.5, abs=0.07)
    assert telling[lost["manager"] != facts.TELL_TALE].mean() == pytest.approx(0.125, abs=0.03)
    assert set(lost["reason"]) == set(facts.REASONS)


def test_speed_shows_no_effect_by_landmark_though_buckets_do(clean: dict[str, pd.DataFrame]) -> None:
    first_contact = clean["contacts"].groupby("lead_id")["at"].min()
    when = clean["entries"].query("episode == 1").pivot_table(index="lead_id", columns="stage", values="at")
    when = when[when["lead"] < "2026-05-01"].assign(contact=first_contact)
    paid, days = when["paid"].notna(), (when["contact"] - when["lead"]) / pd.Timedelta(days=1)

    def z(one: pd.Series, other: pd.Series) -> float:
        spread = one.var() / len(one) + other.var() / len(other)
        return float((one.mean() - other.mean()) / np.sqrt(spread))

    assert z(paid[days <= 1], paid[days > 1]) > 3
    for landmark in (1, 2, 3):
        day_after = when["lead"].dt.normalize() + pd.Timedelta(days=landmark + 1)
        still_open = ~(when[["met", "lost", "nurture"]].min(axis=1) < day_after)
        contacted = when["contact"] < day_after
        assert abs(z(paid[still_open & contacted], paid[still_open & ~contacted])) < 1.96


def test_truth_md_names_every_kind_of_dirt_with_its_number() -> None:
    section = (SAMPLE / "TRUTH.md").read_text(encoding="utf-8").split("## Dirty rows")[1].split("##")[0]
    rows = re.findall(r"^\| (.+?) \| (\d+) \|", section, flags=re.MULTILINE)
    assert {kind: int(number) for kind, number in rows} == {k: n for k, (n, _) in facts.DIRT.items()}


def test_the_dirty_leads_are_as_many_as_listed(
    raw: dict[str, list[list[str]]], deals: pd.DataFrame, stages: pd.DataFrame
) -> None:
    ids = set(deals["Deal ID"])
    unique = deals.drop_duplicates()
    found = {
        "channel blank": (deals["Source"] == "").sum(),
        "channel 'unknown'": (deals["Source"] == "unknown").sum(),
        "amount 0": (deals["Amount"] == "0").sum(),
        "amount blank": (deals["Amount"] == "").sum(),
        "owner with trailing space": deals["Owner"].str.endswith(" ").sum(),
        "id of 19 digits": sum(len(name) == 19 for name in ids),
        "id with leading zeros": len({name for name in ids if name.startswith("0")}),
        "id twin without the zeros": len({n for n in ids if n.startswith("0") and n.lstrip("0") in ids}),
        "lead repeated exactly": deals.duplicated().sum(),
        "lead repeated with another amount": unique["Deal ID"].duplicated().sum(),
        "created unreadable": deals["Created"].str.startswith("31.02.2026").sum(),
        "created after the export": deals["Created"].str.contains("2062").sum(),
        "amount unreadable": (deals["Amount"] == "по договору").sum(),
        "deal row with too few fields": sum(len(row) < deals.shape[1] for row in raw["deals"]),
        "company with newline and semicolon": deals["Company"].str.contains("; и\n", regex=False).sum(),
        "company is an HTML tag": deals["Company"].str.startswith("<img").sum(),
        "company is a formula": deals["Company"].str.match("[=@+-]").sum(),
        "campaign is a formula": deals["Campaign"].str.match("[=@+-]").sum(),
    }
    assert {kind: int(n) for kind, n in found.items()} == {kind: facts.DIRT[kind][0] for kind in found}
    without = ids - set(stages["lead_id"])
    odd = ("lead without any stage", "created unreadable", "created after the export", "amount unreadable")
    assert len(without) == sum(facts.DIRT[kind][0] for kind in odd)


def test_the_dirty_entries_are_as_many_as_listed(
    raw: dict[str, list[list[str]]], deals: pd.DataFrame, stages: pd.DataFrame, clean: dict[str, pd.DataFrame]
) -> None:
    found = {
        "date-only time": stages["at"].str.endswith(" 00:00").sum(),
        "stage row repeated exactly": stages.duplicated().sum(),
        "entry of unknown lead": (~stages["lead_id"].isin(deals["Deal ID"])).sum(),
        "unknown stage 'Тест'": (stages["stage"] == "Тест").sum(),
        "entry date unreadable": stages["at"].str.startswith("31.02.2026").sum(),
        "entry after the export": stages["at"].str.contains("2062").sum(),
        "entry with too few fields": sum(len(row) < 5 for row in raw["stages"]),
        "entry owner with trailing space": stages["manager"].str.endswith(" ").sum(),
    }
    assert {kind: int(n) for kind, n in found.items()} == {kind: facts.DIRT[kind][0] for kind in found}
    extra = {
        "same stage logged again": 1,
        "stage row repeated exactly": 1,
        "step back and forward again": 2,
        "step back for good": 1,
        "skipped stage": -1,
        **dict.fromkeys(list(found)[2:7], 1),
    }
    expected = len(clean["entries"]) + sum(facts.DIRT[kind][0] * times for kind, times in extra.items())
    assert len(raw["stages"]) == expected


def test_the_other_dirty_rows_are_as_many_as_listed(
    raw: dict[str, list[list[str]]], deals: pd.DataFrame, clean: dict[str, pd.DataFrame]
) -> None:
    contacts, payments, costs = (pd.DataFrame(raw[name]) for name in ("activities", "payments", "costs"))
    by_robot = (contacts[3] == facts.ROBOT).sum() - (clean["contacts"]["manager"] == facts.ROBOT).sum()
    repeated = contacts.duplicated().sum() - clean["contacts"].duplicated().sum()
    found = {
        "contact of unknown lead": (~contacts[0].isin(deals["Deal ID"])).sum(),
        "contact date unreadable": contacts[1].str.startswith("31.02.2026").sum(),
        "payment of unknown lead": (~payments[0].isin(deals["Deal ID"])).sum(),
        "payment back": payments[2].str.startswith("-").sum(),
        "payment amount unreadable": (payments[2] == "н/д").sum(),
        "cost without channel": (costs[1] == "").sum(),
        "cost date unreadable": costs[0].str.startswith("31.02.2026").sum(),
    }
    assert {kind: int(n) for kind, n in found.items()} == {kind: facts.DIRT[kind][0] for kind in found}
    assert repeated == facts.DIRT["contact repeated exactly"][0]
    assert by_robot >= facts.DIRT["contact by the robot"][0]


def test_the_dirt_changes_no_count_of_a_first_episode(
    clean: dict[str, pd.DataFrame], deals: pd.DataFrame, stages: pd.DataFrame
) -> None:
    """Days from stage to stage, first at or beyond, are those of the clean data wherever a lead moved on."""
    again = clean["entries"].query("episode == 2")["lead_id"]
    rows = stages[stages["at"].str.fullmatch(TIME) & stages["lead_id"].isin(deals["Deal ID"])]
    rows = rows[~rows["at"].str.contains("2062|31.02") & rows["stage"].isin(list(STAGE_WORDS.values()))]
    rows = rows.assign(
        at=pd.to_datetime(rows["at"], format="%d.%m.%Y %H:%M"),
        stage=rows["stage"].map({word: stage for stage, word in STAGE_WORDS.items()}),
    )

    def in_time(entries: pd.DataFrame) -> pd.DataFrame:
        entries = entries[entries["stage"].isin(ORDER) & ~entries["lead_id"].isin(again)]
        place, day = entries["stage"].map(ORDER), entries["at"].dt.normalize()
        first = pd.DataFrame(
            {stage: day[place >= ORDER[stage]].groupby(entries["lead_id"]).min() for stage in facts.STAGES}
        )
        return pd.DataFrame(
            {
                stage: first[stage] - first[before] <= pd.Timedelta(days=facts.HORIZON[stage])
                for before, stage in zip(facts.STAGES, facts.STAGES[1:], strict=False)
            }
        )

    dirty, true = in_time(rows), in_time(clean["entries"])
    assert set(dirty.index) == set(true.index)
    changed = (dirty.loc[true.index] != true).any(axis=1)
    assert changed.sum() <= facts.DIRT["won before created"][0]


def test_the_invented_sample_knows_nothing_of_the_package() -> None:
    sources = [path.read_text(encoding="utf-8") for path in Path(facts.__file__).parent.glob("*.py")]
    assert len(sources) > 5
    assert not [text for text in sources if "import funnelstats" in text or "from funnelstats" in text]
