"""Every number planted in the sample: an invented team that sells equipment to companies.

Rates, loads, delays, costs and how many rows of each kind are dirty stand here and nowhere else: `sample`
draws from them, `dirt` dirties the export, `truth` writes them down.
"""

import numpy as np
import pandas as pd

SEED = 20260715
FIRST_DAY, DAYS = "2025-12-01", 213
EXPORTED_AT = "2026-07-01 08:00"
JUDGED_WEEK, JUDGED_UNTIL, WINDOW_WEEKS = "2026-W26", "2026-06-28", 13

STAGES = ("lead", "met", "presented", "contracted", "paid")
TARGET = {"met": 1.00, "presented": 0.80, "contracted": 0.80, "paid": 0.95}
HORIZON = {"met": 14, "presented": 14, "contracted": 21, "paid": 30}
MEAN_DELAY = {"met": 4.0, "presented": 5.0, "contracted": 8.0, "paid": 12.0}

ROBOT, NOBODY = "CRM robot", ""
RATES = pd.DataFrame(
    {  # leads a week, then the share of leads that makes each step within its horizon
        "Иванов": [20.0, 0.80, 0.70, 0.85, 0.95],
        "Сидоров": [20.0, 0.95, 0.90, 0.70, 0.80],
        "Петрова": [20.0, 0.98, 0.91, 0.84, 0.97],
        "Кузнецов": [20.0, 0.98, 0.83, 0.84, 0.97],
        "Смирнова": [20.0, 0.98, 0.85, 0.83, 0.97],
        "Anna Berg": [20.0, 0.99, 0.84, 0.86, 0.96],
        "O'Neill": [20.0, 0.97, 0.83, 0.83, 0.97],
        "Müller": [20.0, 0.98, 0.86, 0.82, 0.97],
        "Novák": [2.6, 0.97, 0.84, 0.84, 0.97],
        ROBOT: [2.0, 0.97, 0.82, 0.82, 0.96],
        NOBODY: [1.5, 0.97, 0.82, 0.82, 0.96],
    },
    index=["a_week", *STAGES[1:]],
).T
ARTICLE = ("Иванов", "Сидоров")
HARD_BASE, NOISE, TELL_TALE, BUSY = "Петрова", "Novák", "Сидоров", "Кузнецов"
TEAM = tuple(RATES.index[:8])  # leads change hands among these only

SEGMENTS = pd.DataFrame(
    {  # shares sum to 1 and share x shift to 0, so that the rates above hold for the usual base
        "share": [0.50, 0.40, 0.10],
        "hard_share": [0.15, 0.10, 0.75],
        "shift": [0.02, 0.05, -0.30],
        "slowness": [1.0, 0.5, 2.0],
        "nurtured": [0.10, 0.30, 0.10],
    },
    index=["new", "repeat", "tender"],
)
SEGMENT_STEP = "presented"

PRODUCTS = {"Compressors": 0.40, "Pumps": 0.30, "Welding": 0.20, "Service": 0.10}
LEAK_STEP, LEAK_PRODUCT, LEAK_DROP = "contracted", "Compressors", 0.42
LEAK_WEEK, LEAK_FROM, LEAK_REASON_SHARE = "2026-W16", "2026-04-13", 0.6

CHANNELS = pd.DataFrame(
    {
        "share": [0.26, 0.20, 0.14, 0.15, 0.15, 0.10],
        "ticket": [1.0, 0.9, 1.2, 1.1, 0.35, 0.9],
        "spend": [1_500_000, 1_600_000, 0, 0, 1_400_000, 350_000],  # RUB a week
    },
    index=["Website", "Cold call", "Exhibition", "Partner", "Search ads", "Newsletter"],
)
CAMPAIGNS = {
    "Website": ["site-form", "site-chat"],
    "Exhibition": ["expo-winter", "expo-spring"],
    "Search ads": ["ads-brand", "ads-compressors"],
    "Newsletter": ["nl-monthly"],
}
EXHIBITIONS = {"2025-12-01": ("expo-winter", 15_000_000), "2026-04-06": ("expo-spring", 18_000_000)}
LOSING, UNPAID, SPEND_ONLY = "Search ads", "Partner", "Radio"
COMPANIES = ["ООО «Вектор»", "АО «Сталь»", "ИП Орлов", "Nordic Steel", "Завод «Луч»", "Delta GmbH"]
TICKET_MEDIAN, TICKET_SIGMA = 140_000, 0.6

REASONS = {  # the CRM's own words, the share of each among the refusals, and the seven of the practice
    "нет бюджета": (0.18, "no budget"),
    "уже есть поставщик": (0.14, "other supplier"),
    "дорого": (0.20, "price"),
    "не планируем": (0.16, "not planned"),
    "не подходит продукт": (0.12, "product does not fit"),
    "не интересно": (0.12, "not interested"),
    "не устроили условия": (0.08, "terms"),
}
TELL_TALE_REASON, TELL_TALE_SHARE, BLANK_REASON = "уже есть поставщик", 0.5, 0.08
# of the leads that miss the horizon: late; of the rest: lost, nurture, and the others fall silent
LATE, LOST, NURTURE = 0.08, 0.70, 0.20
RETURNS = {"lost": (0.08, 60, 90), "nurture": (0.30, 40, 90)}  # share that comes back, after so many days
HANDED_OVER = 0.02
# how much more often the flag is yes on leads that contract
READY = {"budget": 0.25, "authority": 0.0, "need": 0.0, "timing": 0.0}
# idle contacts a day
CONTACT_RATE = {"lead": 0.15, "met": 0.03, "presented": 0.03, "contracted": 0.03, "paid": 0.0}
BUSY_FACTOR, CAUSING = 4.0, 0.75

DIRT = {  # kind: how many, and what a reader of the export has to do with it
    "channel blank": (60, "deals; a group of its own, '(missing)'"),
    "channel 'unknown'": (110, "deals; a group of its own, beside '(missing)'"),
    "amount 0": (250, "deals; not asked, so missing and not zero"),
    "amount blank": (300, "deals; missing"),
    "owner with trailing space": (40, "deals; the same manager as without"),
    "id of 19 digits": (120, "deals; neighbours collide when read as floats"),
    "id with leading zeros": (80, "deals; text, never a number"),
    "id twin without the zeros": (40, "deals; another lead than its twin with zeros"),
    "lead repeated exactly": (12, "deals, extra rows; one lead each"),
    "lead repeated with another amount": (5, "deals, extra rows; one lead each, the conflict reported"),
    "lead without any stage": (4, "deals, extra rows; a lead with no journey"),
    "created unreadable": (3, "deals, extra rows with 31.02.2026; the cell is missing"),
    "created after the export": (2, "deals, extra rows; typing errors"),
    "amount unreadable": (2, "deals, extra rows saying 'по договору'; the cell is missing"),
    "deal row with too few fields": (3, "deals, extra rows; set aside"),
    "company with newline and semicolon": (2, "deals; quoted, one field"),
    "company is an HTML tag": (1, "deals; escaped on every page"),
    "company is a formula": (2, "deals; inert in every CSV written"),
    "campaign is a formula": (3, "deals; inert in every CSV written"),
    "date-only time": (160, "stages; midnight, and never before the entry it follows"),
    "same stage logged again": (90, "stages, extra rows 5 minutes later; collapsed"),
    "stage row repeated exactly": (20, "stages, extra rows; collapsed"),
    "step back and forward again": (40, "stages, two extra rows each; changes no count of reached"),
    "step back for good": (12, "stages, extra rows; moved away"),
    "skipped stage": (70, "stages, a row missing; the stage counts as reached"),
    "won before created": (3, "stages; stays in counts, leaves durations"),
    "end before the start": (4, "stages; a refusal dated before the lead"),
    "entry of unknown lead": (15, "stages, extra rows; orphans"),
    "unknown stage 'Тест'": (8, "stages, extra rows; mapped to ignore"),
    "entry date unreadable": (4, "stages, extra rows with 31.02.2026; set aside"),
    "entry after the export": (3, "stages, extra rows in 2062; typing errors"),
    "entry with too few fields": (2, "stages, extra rows; set aside"),
    "entry owner with trailing space": (150, "stages; the same manager as without"),
    "contact of unknown lead": (10, "activities, extra rows; orphans"),
    "contact repeated exactly": (15, "activities, extra rows"),
    "contact date unreadable": (3, "activities, extra rows with 31.02.2026; set aside"),
    "contact by the robot": (100, "activities, besides those on its own leads; no manager's contact"),
    "payment of unknown lead": (4, "payments, extra rows; orphans"),
    "payment back": (5, "payments, extra rows with a negative amount: money returned"),
    "payment amount unreadable": (2, "payments, extra rows saying 'н/д'; set aside"),
    "cost without channel": (3, "costs, extra rows; belong to '(missing)'"),
    "cost date unreadable": (1, "costs, extra row with 31.02.2026; set aside"),
}


def step_rate(manager: pd.Series, stage: str, lead: pd.DataFrame, day: pd.Series) -> np.ndarray:
    """True chance of each lead to enter the stage within its horizon, given its owner, its base and the day.

    `lead` carries segment and product, `day` the local date of entering the stage before.
    """
    rate = RATES[stage].reindex(manager).to_numpy()
    if stage == SEGMENT_STEP:
        rate = rate + SEGMENTS["shift"].reindex(lead["segment"]).to_numpy()
    if stage == LEAK_STEP:
        leaks = (lead["product"] == LEAK_PRODUCT) & (day >= pd.Timestamp(LEAK_FROM))
        rate = rate - LEAK_DROP * leaks.to_numpy()
    return np.clip(np.asarray(rate, dtype=float), 0, 1)
