"""TRUTH.md: what is planted in the sample, what came out as drawn, and what a page must and must not say."""

import textwrap
from collections.abc import Mapping

import numpy as np
import pandas as pd

from . import facts

Frames = dict[str, pd.DataFrame]


def realised_steps(entries: pd.DataFrame, since: str, until: str = facts.JUDGED_UNTIL) -> pd.DataFrame:
    """Counts of each manager and step: manager, to_stage, entered, converted (clean entries as drawn).

    Entered are the episodes that stood at the stage before from `since` on and whose horizon was over at
    `until`; the manager is the owner then.
    """
    days = entries.assign(on=entries["at"].dt.normalize())
    frames = []
    for before, stage in zip(facts.STAGES, facts.STAGES[1:], strict=False):
        at, after = (days[days["stage"] == name].set_index(["lead_id", "episode"]) for name in (before, stage))
        horizon = pd.Timedelta(days=facts.HORIZON[stage])
        matured = at[(at["on"] >= pd.Timestamp(since)) & (at["on"] + horizon <= pd.Timestamp(until))]
        converted = after["on"].reindex(matured.index) <= matured["on"] + horizon
        frames.append(
            pd.DataFrame({"manager": matured["manager"], "to_stage": stage, "entered": 1, "converted": converted})
        )
    counts = pd.concat(frames).groupby(["manager", "to_stage"])[["entered", "converted"]].sum()
    order = pd.MultiIndex.from_product([facts.RATES.index, facts.STAGES[1:]], names=["manager", "to_stage"])
    return counts.reindex(order, fill_value=0).reset_index()


def money_by_channel(frames: Frames) -> pd.DataFrame:
    """Leads, spend, revenue so far and ROI of each channel, channels with spend but no leads included."""
    leads, payments, costs = frames["leads"], frames["payments"], frames["costs"]
    channel_of = leads.set_index("lead_id")["channel"]
    revenue = payments.groupby(payments["lead_id"].map(channel_of))["amount"].sum()
    spend = costs.groupby("channel")["amount"].sum()
    money = pd.DataFrame({"leads": leads["channel"].value_counts(), "spend": spend, "revenue": revenue})
    money = money.fillna(0).sort_index()
    return money.assign(roi=(money["revenue"] - money["spend"]) / money["spend"].where(money["spend"] > 0))


def truth_page(frames: Frames, rows: Mapping[str, int]) -> str:
    """TRUTH.md: what is planted, what a page must say and must not, what is dirty and how often."""
    shift, hard = facts.SEGMENTS["shift"], facts.SEGMENTS["hard_share"]
    usual = facts.RATES.loc[list(facts.TEAM[3:])].mean()
    skill = facts.RATES[facts.SEGMENT_STEP][facts.HARD_BASE]
    raw = float(((skill + shift) * hard).sum())
    expected = float(((usual[facts.SEGMENT_STEP] + shift) * hard).sum())
    leaking, drop = float(usual[facts.LEAK_STEP]), facts.LEAK_DROP * facts.PRODUCTS[facts.LEAK_PRODUCT]
    lost, nurtured = facts.RETURNS["lost"], facts.RETURNS["nurture"]
    weak, strong = facts.ARTICLE
    page = f"""# What is true in the sample

Written by `python -m tools.sample` (seed {facts.SEED}); do not edit. An invented team sells
equipment to companies: leads from {facts.FIRST_DAY}, exported {facts.EXPORTED_AT}, time zone Europe/Moscow,
last complete week {facts.JUDGED_WEEK}. Percentages are shares of stage entries that make the next step within
its horizon.

## Steps

{_table(_steps(), "step into")}

Of the leads that miss a horizon {facts.LATE:.0%} make the step after it, {facts.LOST:.0%} of the others are
lost and {facts.NURTURE:.0%} go back to marketing; the rest fall silent.

## True rates of each manager on the usual base, %

{_table(_named(facts.RATES.drop(columns="a_week").mul(100).round(0).astype(int)), "manager")}

The usual base is {_shares(facts.SEGMENTS["share"])}; {facts.HARD_BASE} has {_shares(hard)}.

## Planted

1. **{weak} and {strong}** have the trade article's profiles (table above). The page must name {weak} at met
   and presented, {strong} at contracted and paid; {strong} can teach {weak} presented, {weak} can teach
   {strong} paid. {strong}'s 95 % at met is practically met: not red.

2. **{facts.HARD_BASE}: hard base, true skill.** Into `{facts.SEGMENT_STEP}` the segments shift everybody's
   rate by {_points(shift)} points. {facts.HARD_BASE}'s expected raw rate is {raw:.1%}; an average colleague
   would have {expected:.1%} on the same leads (ratio {raw / expected:.2f}). A page may show the raw rate as
   below target; adjusted for the base it must not call it a weakness. On the other steps segments change
   nothing.

3. **{facts.NOISE}: only noise.** {facts.RATES["a_week"][facts.NOISE]} leads a week, true rates at target or
   above, no {facts.LEAK_PRODUCT}. Some raw rates look bad (table below); no verdict may be red or amber.

4. **The leak.** {facts.LEAK_PRODUCT} ({facts.PRODUCTS[facts.LEAK_PRODUCT]:.0%} of every other manager's
   leads) that enter presented on {facts.LEAK_FROM} ({facts.LEAK_WEEK}) or later lose
   {facts.LEAK_DROP * 100:.0f} points at `{facts.LEAK_STEP}`, with everyone: the usual manager falls from
   {leaking:.1%} to {leaking - drop:.1%}. Other products stay. {facts.LEAK_REASON_SHARE:.0%} of the refusals
   there say «дорого». The page must show the step as leaking for the team since {facts.LEAK_WEEK}, and must
   not blame one manager.

5. **{facts.LOSING} loses money**: small deals, high spend. Every other channel with spend and leads earns;
   {facts.UNPAID} costs nothing (ROI n/a, not infinite), {facts.SPEND_ONLY} costs and brings no lead.

6. **{facts.TELL_TALE}'s refusals**: {facts.TELL_TALE_SHARE:.0%} say «{facts.TELL_TALE_REASON}», against
   {facts.REASONS[facts.TELL_TALE_REASON][0]:.0%} elsewhere. {facts.BLANK_REASON:.0%} of all reasons are
   blank.

7. **Speed has no effect.** Idle contacts come at a constant rate whatever becomes of the lead, so among leads
   still at `lead` after day L those contacted by then do no better. Buckets of time to first contact show a
   false effect: most first contacts are the one that made the meeting, repeat customers meet sooner, tenders
   later, and tenders buy less.

8. **{facts.BUSY}** makes {facts.BUSY_FACTOR:.0f} times as many idle contacts after the first meeting; it
   brings nothing.

9. **Readiness**: the budget is known on {facts.READY["budget"] * 100:.0f} points more of the leads that
   contract; authority, need and timing are unrelated to the outcome.

10. **Nurtured leads** have no better rates and no larger deals given the segment; more repeat customers are
    among them, so the raw comparison favours them.

11. **Second episodes**: {nurtured[0]:.0%} of nurtured leads come back after {nurtured[1]}-{nurtured[2]} days,
    {lost[0]:.0%} of refused ones after {lost[1]}-{lost[2]}; their rates are the usual ones.

Nothing else is planted: no other manager, channel, week or segment is to be found.

## As drawn, before the dirt

Converted/entered of what had matured by {facts.JUDGED_UNTIL}: all weeks, then entries of the
{facts.WINDOW_WEEKS} weeks to {facts.JUDGED_WEEK}.

{_table(_named(_realised_table(frames["entries"])), "manager")}

{_table(_totals(frames), "in the clean data")}

## Money as drawn, RUB

{_table(_money_table(frames), "channel")}

## Refusal reasons

{_table(pd.DataFrame(facts.REASONS, index=["share", "means"]).T, "reason")}

## Dirty rows

{_table(pd.DataFrame(facts.DIRT, index=["number", "where and what"]).T, "kind")}

## Rows of the files (header not counted, lines with too few fields counted)

{_table(pd.DataFrame({"rows": dict(rows)}), "file")}
"""
    return "\n\n".join(_filled(block) for block in page.split("\n\n"))


def _filled(block: str) -> str:
    """A paragraph or list item wrapped anew; headings and tables stay as they are."""
    if block.startswith(("#", "|")):
        return block
    indent = " " * (block.find(" ") + 1) if block[0].isdigit() else ""
    return textwrap.fill(" ".join(block.split()), 110, subsequent_indent=indent)


def _realised_table(entries: pd.DataFrame) -> pd.DataFrame:
    window = pd.Timestamp(facts.JUDGED_UNTIL) + pd.Timedelta(days=1) - pd.Timedelta(weeks=facts.WINDOW_WEEKS)
    shown = []
    for since in (facts.FIRST_DAY, str(window.date())):
        counts = realised_steps(entries, since).set_index(["manager", "to_stage"])
        shown.append(counts["converted"].astype(str) + "/" + counts["entered"].astype(str))
    table = (shown[0] + ", " + shown[1]).unstack("to_stage")
    return table.loc[list(facts.RATES.index), list(facts.STAGES[1:])]


def _steps() -> pd.DataFrame:
    percent = {stage: f"{target:.0%}" for stage, target in facts.TARGET.items()}
    return pd.DataFrame({"target": percent, "horizon, days": pd.Series(facts.HORIZON).astype(str)})


def _totals(frames: Frames) -> pd.DataFrame:
    entries = frames["entries"]
    owners = entries.groupby(["lead_id", "episode"])["manager"].nunique()
    number = {
        "leads": len(frames["leads"]),
        "second episodes": int((entries["stage"].eq("lead") & entries["episode"].eq(2)).sum()),
        "episodes handed over": int((owners > 1).sum()),
        "leads that started with the robot": int(_started(entries).eq(facts.ROBOT).sum()),
        "leads that started without a manager": int(_started(entries).eq(facts.NOBODY).sum()),
        "refusals": int(entries["stage"].eq("lost").sum()),
        "back to marketing": int(entries["stage"].eq("nurture").sum()),
    }
    return pd.DataFrame({"number": number})


def _started(entries: pd.DataFrame) -> pd.Series:
    return entries.loc[entries["stage"].eq("lead") & entries["episode"].eq(1), "manager"]


def _money_table(frames: Frames) -> pd.DataFrame:
    money = money_by_channel(frames)
    shown = money[["leads", "spend", "revenue"]].round(0).astype(int)
    return shown.assign(roi=["n/a" if np.isnan(roi) else f"{roi:+.0%}" for roi in money["roi"]])


def _named(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.rename(index={facts.NOBODY: "(no manager)"})


def _table(frame: pd.DataFrame, label: str) -> str:
    lines = [[label, *map(str, frame.columns)], ["---"] * (len(frame.columns) + 1)]
    lines += [[str(index), *map(str, row)] for index, row in zip(frame.index, frame.to_numpy(), strict=True)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _shares(shares: pd.Series) -> str:
    return ", ".join(f"{share:.0%} {name}" for name, share in shares.items())


def _points(shift: pd.Series) -> str:
    return ", ".join(f"{points * 100:+.0f} ({name})" for name, points in shift.items())
