"""The CRM's export of the clean sample: its words, its formats, and its dirty rows.

Each kind of dirt is listed with its exact number in `facts.DIRT`. The kinds touch different leads,
and those that keep their lead leave the true counts of steps as they are.
"""

import csv
import io

import numpy as np
import pandas as pd

from . import facts

Frames = dict[str, pd.DataFrame]
DAY, MINUTE = pd.Timedelta(days=1), pd.Timedelta(minutes=1)
STAGE_WORDS = {
    "lead": "Новая",
    "met": "Встреча",
    "presented": "Презентация",
    "contracted": "Договор",
    "paid": "Оплата",
    "lost": "Отказ",
    "nurture": "В маркетинг",
}
DEALS = {
    "lead_id": "Deal ID",
    "created_at": "Created",
    "manager": "Owner",
    "channel": "Source",
    "campaign": "Campaign",
    "amount": "Amount",
    "ready_budget": "Budget known",
    "ready_authority": "Decision maker",
    "ready_need": "Need confirmed",
    "ready_timing": "Timing known",
    "segment": "Segment",
    "product": "Product",
    "nurtured": "Nurtured",
    "company": "Company",
}
STAGES = {
    "lead_id": "Deal ID",
    "stage": "Stage",
    "at": "Changed",
    "manager": "Owner",
    "reason": "Loss reason",
}
ACTIVITIES = {
    **{"lead_id": "Deal ID", "at": "Date", "kind": "Type", "manager": "Owner"},
    "duration_s": "Seconds",
    "reached": "Reached",
}
PAYMENTS = {"lead_id": "Deal ID", "paid_on": "Paid", "amount": "Sum"}
COSTS = {"date": "Date", "channel": "Source", "campaign": "Campaign", "amount": "Cost"}
IMPOSSIBLE, FAR = "31.02.2026", "15.06.2062 10:00"
BROKEN_DEAL, BROKEN_ENTRY = ["995001", "05.05.2026 10:00", "Иванов"], ["995002", "Встреча"]


def export(clean: Frames, rng: np.random.Generator) -> dict[str, str]:
    """Text of each CSV file by name, as the CRM writes it: `;`, DD.MM.YYYY, decimal comma, BOM."""
    entries = _dirty_entries(clean["entries"], rng)
    deals = _dirty_deals(clean["leads"], rng)
    in_2025 = entries["Changed"].str[6:10] == "2025"
    return {
        "deals.csv": _csv(deals, BROKEN_DEAL, _count("deal row with too few fields")),
        "stages_2025.csv": _csv(entries[in_2025]),
        "stages_2026.csv": _csv(entries[~in_2025], BROKEN_ENTRY, _count("entry with too few fields")),
        "activities.csv": _csv(_dirty_contacts(clean["contacts"], rng)),
        "payments.csv": _csv(_dirty_payments(clean["payments"], rng)),
        "costs.csv": _csv(_dirty_costs(clean["costs"], rng)),
    }


def _dirty_deals(leads: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    deals = leads.assign(created_at=_minutes(leads["created_at"]), amount=_money(leads["amount"]))
    change = {
        "channel blank": ("channel", [""]),
        "channel 'unknown'": ("channel", ["unknown"]),
        "amount 0": ("amount", ["0"]),
        "amount blank": ("amount", [""]),
        "company with newline and semicolon": ("company", ['ООО "Рога; и\nкопыта"']),
        "company is an HTML tag": ("company", ["<img src=x onerror=alert(1)>"]),
        "company is a formula": ("company", ['=HYPERLINK("http://x","y")', "@SUM(1+1)*cmd"]),
        "campaign is a formula": ("campaign", ['=HYPERLINK("http://x","y")', "+7-495", "-spring"]),
    }
    places = _places(len(deals), list(change), rng)
    for kind, (column, values) in change.items():
        deals.loc[places[kind], column] = np.resize(np.array(values, dtype=object), _count(kind))
    owned = deals.index[deals["manager"].isin(facts.TEAM)]
    spaced = rng.choice(owned, _count("owner with trailing space"), replace=False)
    deals.loc[spaced, "manager"] += " "
    plain = deals.drop(np.concatenate([*places.values(), spaced]))
    again = plain.sample(_count("lead repeated exactly"), random_state=rng)
    other = plain.drop(again.index).sample(_count("lead repeated with another amount"), random_state=rng)
    model = plain.iloc[[100]].assign(company="Проба")
    odd = [
        again,
        other.assign(amount="1 111 111,00"),
        _new(model, "lead without any stage", 9900),
        _new(model, "created unreadable", 9910).assign(created_at=IMPOSSIBLE + " 10:00"),
        _new(model, "created after the export", 9920).assign(created_at=FAR),
        _new(model, "amount unreadable", 9930).assign(amount="по договору"),
    ]
    return _scattered(deals, odd, rng)[list(DEALS)].rename(columns=DEALS)


def _dirty_entries(entries: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Stage rows as exported. Kinds that change a lead's own rows never share a lead."""
    entries = entries.reset_index(drop=True)
    free = pd.Series(True, index=entries.index)
    taken = {}
    for kind, fits in _eligible(entries).items():
        rows = entries[fits & free].drop_duplicates("lead_id").sample(_count(kind), random_state=rng)
        free &= ~entries["lead_id"].isin(rows["lead_id"])
        taken[kind] = rows
    before = entries["stage"].map(dict(zip(facts.STAGES[1:], facts.STAGES, strict=False)))
    forth, back = taken["step back and forward again"], taken["step back for good"]
    extra = [
        taken["same stage logged again"].assign(at=lambda rows: rows["at"] + 5 * MINUTE),
        taken["stage row repeated exactly"],
        forth.assign(stage=before, at=forth["at"].dt.normalize() + DAY + 600 * MINUTE),
        forth.assign(at=forth["at"].dt.normalize() + 2 * DAY + 600 * MINUTE),
        back.assign(stage=before, at=back["at"] + 5 * DAY),
    ]
    started = entries["lead_id"].map(entries.groupby("lead_id")["at"].min())
    at = entries["at"].copy()
    for kind, moved in {
        "date-only time": entries["at"].dt.normalize(),
        "won before created": started - 2 * DAY,
        "end before the start": started - 3 * DAY,
    }.items():
        at.loc[taken[kind].index] = moved.loc[taken[kind].index]
    kept = pd.concat([entries.assign(at=at).drop(taken["skipped stage"].index), *extra])
    kept = kept.sort_values(["at", "lead_id"], kind="stable").reset_index(drop=True)
    kept = kept.assign(stage=kept["stage"].map(STAGE_WORDS), at=_minutes(kept["at"]))
    owned = kept.index[kept["manager"].isin(facts.TEAM)]
    kept.loc[rng.choice(owned, _count("entry owner with trailing space"), replace=False), "manager"] += " "
    known = entries[free & (entries["stage"] == "lead")].sample(15, random_state=rng)
    known = known.assign(at=_minutes(known["at"]), stage=STAGE_WORDS["met"])
    odd = [
        _new(known.iloc[[0]], "entry of unknown lead", 9800),
        known.head(_count("unknown stage 'Тест'")).assign(stage="Тест"),
        known.tail(_count("entry date unreadable")).assign(at=IMPOSSIBLE + " 10:00"),
        known.tail(_count("entry after the export")).assign(at=FAR),
    ]
    return _scattered(kept, odd, rng)[list(STAGES)].rename(columns=STAGES)


def _eligible(entries: pd.DataFrame) -> dict[str, pd.Series]:
    """Rows that each kind may take so that the true count of every step stays as drawn."""
    of_lead = entries.groupby("lead_id")
    day = entries["at"].dt.normalize()
    last_day, next_day = (day.groupby(entries["lead_id"]).shift(by) for by in (1, -1))
    episode = of_lead["episode"]
    once = episode.transform("max") == 1
    position = entries["stage"].map({stage: place for place, stage in enumerate(facts.STAGES)})
    between = (position >= 1) & next_day.notna() & (of_lead["stage"].shift(-1).isin(facts.STAGES))
    horizon = pd.to_timedelta(entries["stage"].map(facts.HORIZON), unit="D")
    long_ago = pd.Timestamp(facts.EXPORTED_AT) - 25 * DAY
    return {
        "won before created": once & (entries["stage"] == "paid"),
        "end before the start": once & (entries["stage"] == "lost") & (last_day < day),
        "step back for good": position.isin([2, 3]) & next_day.isna() & (day < long_ago),
        "step back and forward again": (position >= 2) & (next_day - day > 3 * DAY),
        "skipped stage": once & between & (next_day - last_day <= horizon),
        "same stage logged again": position >= 0,
        "stage row repeated exactly": position >= 0,
        "date-only time": (position >= 1) & (last_day < day),
    }


def _dirty_contacts(contacts: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    contacts = contacts.assign(at=_minutes(contacts["at"]))
    others = contacts.index[contacts["manager"] != facts.ROBOT]
    contacts.loc[rng.choice(others, _count("contact by the robot"), replace=False), "manager"] = facts.ROBOT
    odd = [
        _new(contacts.iloc[[200]], "contact of unknown lead", 9700),
        contacts.sample(_count("contact repeated exactly"), random_state=rng),
        contacts.sample(_count("contact date unreadable"), random_state=rng).assign(at=IMPOSSIBLE + " 10:00"),
    ]
    return _scattered(contacts, odd, rng)[list(ACTIVITIES)].rename(columns=ACTIVITIES)


def _dirty_payments(payments: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    back = payments.iloc[:2000].sample(_count("payment back"), random_state=rng)
    back = back.assign(amount=-(back["amount"] * 0.1).round(2), paid_on=back["paid_on"] + 7 * DAY)
    payments = pd.concat([payments, back]).sort_values("paid_on", kind="stable").reset_index(drop=True)
    paid_on = payments["paid_on"].dt.strftime("%d.%m.%Y")
    payments = payments.assign(paid_on=paid_on, amount=_money(payments["amount"]))
    odd = [
        _new(payments.iloc[[200]], "payment of unknown lead", 9600),
        payments.sample(_count("payment amount unreadable"), random_state=rng).assign(amount="н/д"),
    ]
    return _scattered(payments, odd, rng)[list(PAYMENTS)].rename(columns=PAYMENTS)


def _dirty_costs(costs: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    costs = costs.assign(date=costs["date"].dt.strftime("%d.%m.%Y"), amount=_money(costs["amount"]))
    blank = costs.sample(_count("cost without channel"), random_state=rng)
    odd = [
        blank.assign(channel="", campaign="", amount="5 000,00"),
        costs.sample(_count("cost date unreadable"), random_state=rng).assign(date=IMPOSSIBLE),
    ]
    return _scattered(costs, odd, rng)[list(COSTS)].rename(columns=COSTS)


def _count(kind: str) -> int:
    return facts.DIRT[kind][0]


def _places(n: int, kinds: list[str], rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Row numbers for each kind, no row twice."""
    numbers = [_count(kind) for kind in kinds]
    pieces = np.split(rng.permutation(n)[: sum(numbers)], np.cumsum(numbers)[:-1])
    return dict(zip(kinds, pieces, strict=True))


def _new(model: pd.DataFrame, kind: str, number: int) -> pd.DataFrame:
    """Copies of a row under ids that no lead has: 990000, 990001 ... for number 9900."""
    rows = model.loc[model.index.repeat(_count(kind))]
    return rows.assign(lead_id=[str(number * 100 + i) for i in range(len(rows))])


def _scattered(table: pd.DataFrame, odd: list[pd.DataFrame], rng: np.random.Generator) -> pd.DataFrame:
    """The table with the odd rows at random places; its own rows keep their order."""
    extra = pd.concat(odd)
    place = np.concatenate([np.arange(len(table)), rng.uniform(0, len(table), len(extra))])
    return pd.concat([table, extra]).iloc[np.argsort(place, kind="stable")].reset_index(drop=True)


def _minutes(at: pd.Series) -> pd.Series:
    return at.dt.strftime("%d.%m.%Y %H:%M")


def _money(amount: pd.Series) -> pd.Series:
    return amount.map(lambda value: f"{value:,.2f}".replace(",", " ").replace(".", ","))


def _csv(table: pd.DataFrame, broken: list[str] | None = None, times: int = 0) -> str:
    """The table as text, with `times` copies of a line of too few fields at even distances."""
    rows = table.to_numpy().tolist()
    for number in range(times):
        rows.insert((number + 1) * len(rows) // (times + 1), broken or [])
    text = io.StringIO()
    csv.writer(text, delimiter=";", lineterminator="\n").writerows([list(table.columns), *rows])
    return "\ufeff" + text.getvalue()
