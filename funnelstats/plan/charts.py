"""The pictures of a plan: what becomes of 100 leads, and the deals to expect week by week."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from funnelstats.config.words import _, day, number
from funnelstats.page.figures import (
    ACCENT,
    FAINT,
    INK,
    NEUTRAL,
    QUIET,
    SMALL,
    TARGET,
    WIDTH,
    house_axes,
    short_name,
    show_figure,
)
from funnelstats.page.tables import Shown, show_table, show_text
from funnelstats.plan.plan import Plan, weeks_alike

LONGEST_LABEL = 22
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
    """
    import seaborn as sns

    known = stages[stages["really"].notna() | stages["agreed"].notna()]
    if known["really"].notna().sum() < 2:
        return show_text(_("There is nothing to draw: no step's rate is known yet."), box="note")
    agreed = known["agreed"].iloc[1:].notna().any()
    kinds = {_("as agreed"): ("agreed", FAINT), _("as it really goes"): ("really", ACCENT)}
    kinds = kinds if agreed else dict(list(kinds.items())[1:])
    height = 0.38 if agreed else 0.56
    figure, ax = house_axes(width=WIDTH, height=0.9 + (0.72 if agreed else 0.5) * len(known))
    place = np.arange(len(known), dtype=float)
    for turn, (label, (column, colour)) in enumerate(kinds.items()):
        y = place + (height * (turn - 0.5) if agreed else 0)
        values = known[column].to_numpy(dtype=float)
        sns.barplot(x=values, y=y, orient="h", native_scale=True, width=height * 0.92 if agreed else height, ax=ax,
                    color=colour, saturation=1, errorbar=None, label=label, legend=False)  # fmt: skip
        _numbers_at(ax, values, y, known, column)
    names = [short_name(str(stage), LONGEST_LABEL) for stage in known["stage"]]
    ax.set_yticks(place, names)
    ax.set(
        xlabel="", ylabel="", ylim=(len(known) - 0.4, -0.6), xlim=(0, known[["agreed", "really"]].max().max() * 1.35)
    )
    ax.xaxis.set_visible(False)
    ax.grid(visible=False)
    ax.spines["bottom"].set_visible(False)
    if agreed:
        figure.legend(loc="outside upper left", ncols=2, fontsize=SMALL, frameon=False)
    said = "; ".join(_said(row) for row in known.itertuples())
    return show_figure(figure, alt=_("Of 100 leads on the list: {stages}.").format(stages=said), numbers=known.round(4))


def _numbers_at(ax: Any, values: np.ndarray, y: np.ndarray, known: pd.DataFrame, column: str) -> None:
    """At the end of each bar its number; of what really goes on also the line and words of its range."""
    really = column == "really"
    for value, at, low, high in zip(values, y, known["really_lower"], known["really_upper"], strict=True):
        if np.isnan(value):
            continue
        ranged = really and high - low > 0
        if ranged:
            ax.hlines(at, low, high, color=INK, linewidth=1.4)
        words = number(value) + (f"  ({number(low)}–{number(high)})" if ranged else "")
        ax.annotate(words, (max(value, high if ranged else 0), at), (6, 0), textcoords="offset points", va="center",
                    fontsize=SMALL, fontweight="bold" if really else "normal",
                    color=INK if really else QUIET)  # fmt: skip


def _said(row: Any) -> str:
    really = _("{n} really").format(n=number(row.really)) if pd.notna(row.really) else _("not known")
    agreed = _("{n} as agreed").format(n=number(row.agreed)) if pd.notna(row.agreed) else ""
    return f"{row.stage} " + ", ".join(part for part in (agreed, really) if part)


def show_calendar(calendar: pd.DataFrame) -> Shown:
    """The table of ``plan_calendar``, weeks that ask for the same in one row."""
    rows = weeks_alike(calendar)
    later = {name: name.removeprefix("into_") for name in map(str, rows) if name.startswith("into_")}
    labels = {name: _("into {stage}").format(stage=stage) for name, stage in later.items()}
    return show_table(rows, "plan.calendar", labels={name: _(word) for name, word in CALENDAR_WORDS.items()} | labels)


def deals_chart(plan: Plan) -> Shown:
    """Deals to expect up to each week's end: from the leads open now, and with the new leads of the plan.

    The dashed line is the goal.
    """
    import seaborn as sns

    goal = plan.goal
    rows = plan.entries[plan.entries["stage"] == plan.funnel.stages[-1]]
    total = rows.assign(total=rows["open"] + rows["new"].fillna(0)).set_index("on")[["open", "total"]].cumsum()
    if not (total["total"] > 0).any():
        return show_text(_("There is nothing to draw: no deal is expected by then."), box="note")
    total = total.reset_index()
    ends = total[(total["on"].dt.day_of_week == 6) | (total["on"] == total["on"].max())].reset_index(drop=True)
    x = np.arange(len(ends))
    figure, ax = house_axes(width=WIDTH, height=3.2)
    sns.barplot(x=x, y=ends["total"].to_numpy(), color=ACCENT, saturation=1, errorbar=None, width=0.7, ax=ax,
                label=_("new leads of the plan"), legend=False)  # fmt: skip
    sns.barplot(x=x, y=ends["open"].to_numpy(), color=NEUTRAL, saturation=1, errorbar=None, width=0.7, ax=ax,
                label=_("leads open now"), legend=False)  # fmt: skip
    ax.axhline(goal.deals, color=TARGET, linewidth=1.4, linestyle=(0, (4, 2)), label=_("goal"))
    shown = np.unique(np.linspace(0, len(ends) - 1, min(len(ends), 7)).astype(int))
    ax.set_xticks(shown, [ends["on"].iloc[place].strftime("%d.%m.") for place in shown])
    ax.set(xlabel="", ylabel=_("deals in all"), ylim=(0, max(goal.deals, ends["total"].max()) * 1.12))
    figure.legend(loc="outside upper left", ncols=3, fontsize=SMALL, frameon=False)
    last = ends.iloc[-1]
    alt = _("Deals to expect by {by}: {old} from the leads open now, {all} with the new leads; the goal is {goal}.")
    return show_figure(
        figure,
        alt=alt.format(by=day(goal.by), old=number(last["open"]), all=number(last["total"]), goal=number(goal.deals)),
        numbers=ends.assign(open=ends["open"].round(4), total=ends["total"].round(4)),
    )
