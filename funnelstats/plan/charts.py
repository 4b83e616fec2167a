"""The pictures of a plan: what becomes of 100 leads, and the deals to expect week by week."""

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from funnelstats.config.dates import days_ahead
from funnelstats.config.words import _, axis_day, day, label, number
from funnelstats.page.figures import (
    ACCENT,
    DESK,
    FAINT,
    INK,
    NEUTRAL,
    PAD,
    QUIET,
    TARGET,
    Panel,
    house_panel,
    label_marks,
    lines_along,
    name_below,
    name_rows,
    room_for,
    short_name,
    show_figure,
)
from funnelstats.page.tables import Shown, show_table, show_text
from funnelstats.plan.findings import plan_case
from funnelstats.plan.plan import Plan, weeks_alike

CALENDAR_WORDS = {
    "week": "week from",
    "weeks": "weeks alike",
    "working_days": "working days",
    "new_leads": "new leads",
    "contacts": "contacts",
    "meetings": "meetings",
    "contacts_a_manager_a_day": "contacts per manager and day",
    "meetings_a_manager_a_day": "meetings per manager and day",
}


def arithmetic_chart(stages: pd.DataFrame) -> Shown:
    """Of 100 leads on the list, a bar for each stage: how many reach it as agreed, and how many really do.

    Takes the frame of ``funnel_arithmetic``. The numbers stand at their bars; the line is the range the true
    number is very likely in.

    >>> fs.plan.arithmetic_chart(hundred)
    <Chart: stage agreed really really_lower really_upper lead 100.0…>
    """
    known = stages[stages["really"].notna() | stages["agreed"].notna()]
    if known["really"].notna().sum() < 2:
        return show_text(_("There is nothing to draw: no step's rate is known yet."), box="note")
    agreed = known["agreed"].iloc[1:].notna().any()
    kinds = {"agreed": (_("as agreed"), FAINT), "really": (_("as it really goes"), ACCENT)}
    said = "; ".join(_said(row) for row in known.itertuples())
    return show_figure(
        Panel(partial(_draw_arithmetic, known, ["agreed", "really"] if agreed else ["really"])),
        alt=_("Of 100 leads on the list: {stages}.").format(stages=said),
        numbers=known.round(4),
        marks=[Line2D([], [], color=colour, lw=9, label=words) for words, colour in kinds.values()] if agreed else [],
    )


def _draw_arithmetic(known: pd.DataFrame, kinds: list[str], width: float) -> Figure:
    import seaborn as sns

    names = [short_name(label(str(stage))) for stage in known["stage"]]
    words = {kind: [_number_words(row, kind) for row in known.to_dict("records")] for kind in kinds}
    right = room_for((word for part in words.values() for word in part), "bold")
    figure, ax = house_panel(width, 22 * (len(kinds) + 0.4) * len(known), left=room_for(names), right=right, below=PAD)
    place = np.arange(len(known), dtype=float)
    height = 0.8 / len(kinds)
    most = known[kinds].max().max()
    for turn, kind in enumerate(kinds):
        y = place + height * (turn - (len(kinds) - 1) / 2)
        values = known[kind].to_numpy(dtype=float)
        really = kind == "really"
        sns.barplot(x=values, y=y, orient="h", native_scale=True, width=height * 0.92, ax=ax, legend=False,
                    color=ACCENT if really else FAINT, saturation=1, errorbar=None)  # fmt: skip
        ends = values
        if really:
            ranged = (known["really_upper"] > known["really_lower"]).to_numpy()
            ax.hlines(y[ranged], *known.loc[ranged, ["really_lower", "really_upper"]].to_numpy().T, color=INK, lw=1.4)
            ends = np.where(ranged, known["really_upper"], values)
        for at, value, end, text in zip(y, values, ends, words[kind], strict=True):
            if pd.notna(value):
                ax.annotate(text, (end, at), (PAD, 0), textcoords="offset points", va="center",
                            weight="bold" if really else "normal", color=INK if really else QUIET)  # fmt: skip
    ax.set(xlim=(0, most), ylim=(len(known) - 0.45, -0.55), xlabel="", ylabel="")
    name_rows(ax, names)
    return figure


def _number_words(row: dict[Any, Any], kind: str) -> str:
    """The number of a bar, of what really goes on with its range."""
    low, high = row["really_lower"], row["really_upper"]
    return number(row[kind]) + (f" ({number(low)}–{number(high)})" if kind == "really" and high > low else "")


def _said(row: Any) -> str:
    really = _("{n} really").format(n=number(row.really)) if pd.notna(row.really) else _("not known")
    agreed = _("{n} as agreed").format(n=number(row.agreed)) if pd.notna(row.agreed) else ""
    return f"{label(row.stage)} " + ", ".join(part for part in (agreed, really) if part)


def show_calendar(calendar: pd.DataFrame) -> Shown:
    """The table of ``plan_calendar``, weeks that ask for the same in one row.

    >>> fs.plan.show_calendar(fs.plan.plan_calendar(plan, contacts, len(managers)))
    <Shown: week weeks working_days new_leads into_met into_presented…>
    """
    rows = weeks_alike(calendar)
    later = {name: name.removeprefix("into_") for name in map(str, rows) if name.startswith("into_")}
    labels = {name: _("into {stage}").format(stage=label(stage)) for name, stage in later.items()}
    return show_table(rows, "plan.calendar", labels={name: _(word) for name, word in CALENDAR_WORDS.items()} | labels)


def deals_chart(plan: Plan) -> Shown:
    """Deals to expect up to each week's end: from the leads open now, and with the new leads of the plan.

    The dashed line is the goal; the upright one is the range that the deals of the open leads are very likely in.

    >>> fs.plan.deals_chart(plan)
    <Chart: on open total 2026-07-05 50.3767 50.5814 2026-07-12…>
    """
    goal = plan.goal
    rows = plan.entries[plan.entries["stage"] == plan.funnel.stages[-1]]
    total = rows.assign(total=rows["open"] + rows["new"].fillna(0)).set_index("on")[["open", "total"]].cumsum()
    if not (total["total"] > 0).any():
        unknown = pd.isna(plan.forecast["expected"].iloc[-1]) or plan_case(plan) == "unwatched"
        untold = _("There is nothing to draw: how many deals come by then is not known.")
        return show_text(untold if unknown else _("There is nothing to draw: no deal is expected by then."), box="note")
    total = total.reset_index()
    closing = total["on"].dt.day_of_week == 6 - days_ahead()
    ends = total[closing | (total["on"] == total["on"].max())].reset_index(drop=True)
    last = ends.iloc[-1]
    alt = _("Deals to expect by {by}: {old} from the leads open now, {all} with the new leads; the goal is {goal}.")
    marks = [
        Line2D([], [], color=ACCENT, lw=9, label=_("new leads of the plan")),
        Line2D([], [], color=NEUTRAL, lw=9, label=_("leads open now")),
        Line2D([], [], color=INK, lw=1.4, label=_("likely range of their deals (95%)")),
        Line2D([], [], color=TARGET, lw=1.4, linestyle=(0, (4, 2)), label=_("goal")),
    ]
    return show_figure(
        Panel(partial(_draw_deals, ends, goal.deals, plan.forecast.iloc[-1])),
        alt=alt.format(by=day(goal.by), old=number(last["open"]), all=number(last["total"]), goal=number(goal.deals)),
        numbers=ends.assign(open=ends["open"].round(4), total=ends["total"].round(4)),
        marks=marks,
    )


def _draw_deals(ends: pd.DataFrame, goal: float, of_open: pd.Series, width: float) -> Figure:
    import seaborn as sns
    from matplotlib.ticker import MaxNLocator

    most = 1.06 * max(goal, ends["total"].max(), of_open["deals_upper"])
    ticks = [tick for tick in MaxNLocator(5, integer=True).tick_values(0, most) if tick <= most]
    figure, ax = house_panel(width, 260 if width == DESK else 200, left=room_for(map(number, ticks)))
    ax.set(xlim=(-0.6, len(ends) - 0.4), ylim=(0, most))
    lines_along(ax, "y", ticks, [number(tick) for tick in ticks])
    x = np.arange(len(ends))
    text = _("by {day}: {all} in all, {old} from the leads open now")
    words = [
        text.format(day=day(row["on"]), all=number(row["total"]), old=number(row["open"]))
        for row in ends.to_dict("records")
    ]
    for column, colour in {"total": ACCENT, "open": NEUTRAL}.items():
        before = len(ax.patches)
        sns.barplot(x=x, y=ends[column].to_numpy(), color=colour, saturation=1, errorbar=None, width=0.7, ax=ax,
                    native_scale=True, legend=False)  # fmt: skip
        label_marks(ax.patches[before:], words)
    ax.vlines(x[-1], of_open["deals_lower"], of_open["deals_upper"], color=INK, linewidth=1.4)
    ax.axhline(goal, color=TARGET, linewidth=1.4, linestyle=(0, (4, 2)))
    days = [axis_day(on) for on in ends["on"]]
    ax.set(xlim=(-0.6, len(ends) - 0.4), ylim=(0, most), xlabel="", ylabel="")
    name_below(ax, range(len(ends)), days)
    return figure
