"""docs/methods.md keeps its word: every statistic has its place, and the sample's numbers are those of the code."""

import re
from pathlib import Path

import pandas as pd
import pytest

import funnelstats as fs
from funnelstats.config.folders import RUN_FOLDER
from funnelstats.importing.prepare import prepare

ROOT = Path(__file__).parents[1]
METHODS = (ROOT / "docs" / "methods.md").read_text(encoding="utf-8")

WEEK = "2026-W26"
STATISTICS = ("core", *(f"team.{module}" for module in ("changes", "coaching", "leaks")))
NO_STATISTICS = {"at_step", "axis_low", "of_manager", "stage_span", "with_leads"}


def quoted() -> dict[str, str]:
    """The lines of methods.md below a comment like `<!-- sample: rate -->`, by name, as one line each."""
    found = re.findall(r"<!-- sample: (\w+) -->\n(.+?)(?:\n\n|\Z)", METHODS, re.S)
    assert len(found) == len(dict(found))
    return {name: " ".join(text.split()) for name, text in found}


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def between(row: pd.Series, lower: str = "ci_lower", upper: str = "ci_upper") -> str:
    return f"{100 * row[lower]:.1f} to {percent(row[upper])}"


def row_of(frame: pd.DataFrame, **where: str) -> pd.Series:
    for column, value in where.items():
        frame = frame[frame[column] == value]
    assert len(frame) == 1
    return frame.iloc[0]


@pytest.fixture(scope="module")
def sample(tmp_path_factory) -> dict[str, str]:
    """What methods.md should say of the sample in the week 2026-W26, by the name of the comment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        patch.setenv(RUN_FOLDER, str(tmp_path_factory.mktemp("shared")))
        prepare("sample")
        day = fs.week_days(WEEK)[1]
        spec, tables = fs.open_funnel("sample", as_of=day)
        days = fs.outcome_days(
            fs.weekly.team(spec, tables, WEEK, day).paths,
            spec,
            day,
            by=["manager", "week"],
            entered_between=fs.trailing_window(WEEK, spec),
        )
        return {**_on_the_pages(spec, tables, day, days), **_for_the_analyst(spec, tables, day, days)}


def _on_the_pages(spec, tables, day, days) -> dict[str, str]:
    page, leak = fs.weekly.team(spec, tables, WEEK, day), fs.weekly.leak(spec, tables, WEEK, day)
    paths, team, managers = page.paths, page.team, page.managers
    step = row_of(team, to_stage="contracted")
    rest = fs.against_rest(days, spec)
    many = managers["verdict"].value_counts()
    visible = {name: row_of(managers, manager=name, to_stage="presented") for name in ("Novák", "Петрова", "Иванов")}
    other = row_of(rest, manager="Сидоров", to_stage="contracted")
    base = row_of(page.mix, manager="Петрова", to_stage="presented")
    deal = page.deal.at[0, "mean_deal"]
    lost = row_of(fs.team.noticeable(leak.leaks, team), to_stage="contracted")
    since = row_of(leak.since, to_stage="contracted")
    teacher = row_of(managers, manager="Сидоров", to_stage="presented")
    band = row_of(fs.leads.peer_band(managers, "Иванов", spec), to_stage="presented")
    cohorts = fs.overall_counts(fs.with_cohort(paths, spec), spec, day, by="cohort")
    first, second = (row for _, row in fs.cohort_table(cohorts, spec).head(2).iterrows())
    flow = row_of(fs.stage_flow(paths, spec, *fs.week_days(WEEK)), stage="presented")
    return {
        "rate": f"presented → contracted, 21 days: {percent(step['rate'])} of {step['entered']:,} leads.",
        "interval": f"presented → contracted: {between(step)}. The state on day 21 is known of {step['known']:,} "
        f"of the {step['entered']:,} leads; together they are worth {step['n_eff']:,.0f} leads watched to the end.",
        "matured": f"presented → contracted: {percent(step['matured_rate'])} of {step['matured']:,}; "
        f"{step['too_recent']:,} are too recent.",
        "verdicts": f"{many['red']} red, {many['amber']} amber, {many['green']} green, {many['undecided']} undecided; "
        f"{many['not ranked']} rows are not ranked.",
        "visible": f"met → presented: Novák's {visible['Novák']['entered']} leads show a drop of "
        f"{visible['Novák']['drop_visible']:.0f} points, Петрова's {visible['Петрова']['entered']} one of "
        f"{visible['Петрова']['drop_visible']:.0f}, the team's "
        f"{row_of(team, to_stage='presented')['entered']:,} one of "
        f"{row_of(team, to_stage='presented')['drop_visible']:.0f}.",
        "rest": f"Сидоров, presented → contracted: {percent(other['rate'])} against {percent(other['other_rate'])} "
        f"of all others, {100 * other['difference']:.1f} points ({100 * other['ci_lower']:.1f} to "
        f"{100 * other['ci_upper']:.1f}): {other['verdict']}.",
        "base": f"Петрова, met → presented: {base['converted']} of {base['entered']} matured leads passed; of such "
        f"leads the others would have brought on {base['expected']:.1f}. Ratio {base['ratio']:.2f} "
        f"({base['ratio_lower']:.2f} to {base['ratio_upper']:.2f}); against the others with the same mix "
        f"{100 * base['mix_difference']:+.1f} points ({100 * base['mix_lower']:.1f} to {100 * base['mix_upper']:.1f}); "
        f"{percent(base['shared'])} of the leads are of kinds that others work too. By the horizon "
        f"{percent(visible['Петрова']['rate'])} pass, "
        f"so the verdict is {visible['Петрова']['verdict']}, because of the leads.",
        "leak": f"presented → contracted: {lost['lost_deals']:.0f} deals ({lost['lost_lower']:.0f} to "
        f"{lost['lost_upper']:.0f}), {lost['lost_money'] / 1e6:.1f} million RUB "
        f"({lost['lost_money_lower'] / 1e6:.1f} to {lost['lost_money_upper'] / 1e6:.1f}) at a mean deal of "
        f"{deal:,.0f}.",
        "since": f"presented → contracted fell with probability {since['fell']:.3f}, between the weeks of "
        f"{since['since_lower']:%Y-%m-%d} and {since['since_upper']:%Y-%m-%d}: {percent(since['before_rate'])} before, "
        f"{percent(since['after_rate'])} since.",
        "teacher": f"met → presented: Сидоров's lower limit of {percent(teacher['ci_lower'])} is above Иванов's "
        f"upper one of {percent(visible['Иванов']['ci_upper'])}.",
        "band": f"Иванов, met → presented: {percent(visible['Иванов']['rate'])}; colleagues "
        f"{between(band, 'peers_lower', 'peers_upper')}.",
        "cohort": f"of the {first['leads']} leads of the week of {first['cohort']:%Y-%m-%d} "
        f"{percent(first['presented'])} were presented to and {percent(first['paid'])} paid in time; of the "
        f"{second['leads']} a week later {percent(second['presented'])} and "
        f"{'too recent' if pd.isna(second['paid']) else percent(second['paid'])}.",
        "flow": f"presented: {flow['opening']} at the start + {flow['entered']} entered "
        f"+ {flow['came_back']} came back = {flow['advanced']} moved on "
        f"+ {flow['lost']} lost + {flow['nurture']} returned + {flow['moved_away']} stepped back "
        f"+ {flow['still_there']} at the end.",
    }


def _for_the_analyst(spec, tables, day, days) -> dict[str, str]:
    window, page = fs.trailing_window(WEEK, spec), fs.weekly.team(spec, tables, WEEK, day)
    paths = page.paths
    own = fs.versus_target(fs.rates_over_weeks(days, spec), spec)
    steadier = fs.team.rank_intervals(fs.team.shrunken_rates(own))
    novak, sidorov = (row_of(steadier, manager=name, to_stage="contracted") for name in ("Novák", "Сидоров"))
    pairs = fs.team.coaching_pairs(own, spec, mean_deal=page.deal.at[0, "mean_deal"])
    leads = fs.with_leads(paths, tables.leads, spec.base)
    strata = fs.at_step(fs.step_counts(leads, spec, day, by=spec.base, entered_between=window), spec, "contracted")
    found = fs.team.drivers(strata)
    product, call = (row_of(found, value=value) for value in ("Compressors", "Cold call"))
    change = fs.weekly.leak(spec, tables, WEEK, day).change
    trend = fs.trend_window(WEEK, spec)
    by_manager = fs.step_counts(paths, spec, day, by=["manager", "week"], entered_between=trend)
    alarms = fs.team.e_alarms(by_manager, spec)
    of_team = fs.outcome_days(paths, spec, day, entered_between=window)
    left = fs.at_step(fs.days_in_stage(of_team), spec, "contracted")["days"]
    return {
        "shrunken": f"Novák, presented → contracted: {percent(novak['rate'])} of {novak['entered']} leads become "
        f"{percent(novak['shrunken'])} ({between(novak, 'shrunken_lower', 'shrunken_upper')}).",
        "ranks": f"presented → contracted, nine managers: Novák may hold any place from {novak['rank_lower']:.0f} to "
        f"{novak['rank_upper']:.0f}, Сидоров from {sidorov['rank_lower']:.0f} to {sidorov['rank_upper']:.0f}.",
        "pairs": "; ".join(
            f"{row['teacher']} teaches {row['learner']} {row['from_stage']} → {row['to_stage']}: "
            f"{row['deals']:.0f} deals ({row['deals_lower']:.0f} to {row['deals_upper']:.0f})"
            for _, row in pairs.iterrows()
        )
        + ".",
        "drivers": f"into contracted: Compressors {percent(product['rate'])} against {percent(product['other_rate'])}, "
        f"odds ratio {product['odds_ratio']:.2f} ({product['odds_lower']:.2f} to {product['odds_upper']:.2f}): "
        f"{product['verdict']}. Cold call {percent(call['rate'])} against {percent(call['other_rate'])} with p "
        f"{call['p_value']:.3f} is {call['verdict']}: the channels as a whole have p {call['attribute_p']:.2f}.",
        "change": f"13 weeks against the 13 before: from {percent(change.at[0, 'overall_before'])} to "
        f"{percent(change.at[0, 'overall_after'])}; "
        + ", ".join(f"{row['to_stage']} {100 * row['effect']:+.1f}" for _, row in change.iterrows())
        + " points.",
        "alarms": f"26 weeks by manager: {alarms['alarm'].sum()} of {alarms['e_value'].notna().sum()} cells alarm: "
        + ", ".join(f"{row['manager']} {row['to_stage']}" for _, row in alarms[alarms["alarm"]].iterrows())
        + ".",
        "days": f"presented: a quarter has left after {left[0]:.0f} days, half after {left[1]:.0f}, three quarters "
        f"after {left[2]:.0f}.",
    }


def test_every_statistic_has_its_place_in_the_methods() -> None:
    public = {
        name: getattr(room, name) for room, names in ((fs, fs.__all__), (fs.team, vars(fs.team))) for name in names
    }
    homes = tuple(f"funnelstats.{home}" for home in STATISTICS)
    verbs = {name for name, verb in public.items() if getattr(verb, "__module__", "").startswith(homes)} - NO_STATISTICS
    assert len(verbs) > 30
    missing = {verb for verb in verbs if not re.search(rf"`{verb}\b", METHODS)}
    assert not missing


def test_the_sample_s_numbers_in_the_methods_are_those_of_the_code(sample: dict[str, str]) -> None:
    assert quoted() == sample


def test_the_methods_say_of_each_figure_what_it_is_its_formula_its_source_and_when_it_misleads() -> None:
    sections = re.split(r"^### ", METHODS, flags=re.M)[1:]
    assert len(sections) > 20
    for section in sections:
        title = section.splitlines()[0]
        for part in ("**What.**", "**Formula.**", "**Source.**", "**Misleads**"):
            assert part in section, f"{title} lacks {part}"
