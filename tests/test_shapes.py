"""Exports whose shape lies: each told with its count and the line that mends it, and silence where nothing is odd."""

from collections import Counter
from datetime import date, timedelta
from pathlib import Path

import pytest
from openpyxl import Workbook
from projects import FUNNEL, NAME, prepared, source, stage_source, tables

from funnelstats.importing.days import usual_days
from funnelstats.importing.opening import last_day, open_funnel, read_quality
from funnelstats.importing.repeats import look

LEADS = source("leads", "leads.csv", lead_id="id", created_at="created", manager="owner", channel="source")
MOVES = {"lead_id": "id", "stage": "stage", "entered_at": "at", "manager": "owner", "reason": "why"}
ENTRIES = source("[entries]", "entries.csv", **MOVES)
PAYMENTS = source("payments", "paid*.csv", lead_id="id", paid_at="at", amount="sum")
BASE = FUNNEL + LEADS + ENTRIES
FIRST = date(2026, 1, 5)
OPEN = 10
"""Every fourth lead is open, every fourth was refused; the others are met, half of them have paid."""


pytestmark = pytest.mark.usefixtures("here")


def moves():
    """The entries of 40 leads as [id, stage, at, owner, why], one new lead a day, hers or his by turns."""
    rows = []
    for number in range(40):
        at, owner = FIRST + timedelta(days=number), ("Anna", "Boris")[number % 2]
        lead = f"L{number}"
        rows.append([lead, "lead", f"{at} 10:{number:02}", owner, ""])
        if number % 4 > 1:
            rows.append([lead, "met", f"{at + timedelta(days=3)} 11:{number:02}", owner, ""])
        if number % 4 == 1:
            rows.append([lead, "lost", f"{at + timedelta(days=5)} 12:{number:02}", owner, "price"])
        if number % 4 == 3:
            rows.append([lead, "paid", f"{at + timedelta(days=9)} 13:{number:02}", owner, ""])
    return rows


def owners():
    return {f"L{number}": ("Anna", "Boris")[number % 2] for number in range(40)}


def text(header, rows):
    return "\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n"


def of_leads(present=None, channels=None):
    rows = [
        [lead, f"{FIRST + timedelta(days=place)} 10:{place:02}", owner, (channels or {}).get(lead, "web")]
        for place, (lead, owner) in enumerate((present or owners()).items())
    ]
    return text("id,created,owner,source", rows)


def told(entries, toml=BASE, leads=None, **files):
    """The facts of an export by name, but for those of midnights and the like."""
    given = {"leads.csv": leads or of_leads(), "entries.csv": text("id,stage,at,owner,why", entries)}
    prepared(toml, given | {f"{name}.csv": content for name, content in files.items()})
    return {fact["fact"]: fact for fact in read_quality(NAME).facts if fact["fact"] not in ("at_midnight",)}


def test_an_orderly_history_has_nothing_odd():
    assert told(moves()) == {}


def test_one_date_far_from_all_others_does_not_move_the_last_day():
    rows = moves()
    rows[0][2] = "1970-01-01 10:00"
    rows.append(["L0", "met", "2062-06-01 10:00", "Anna", ""])
    found = told(rows)
    assert (found["far_after"]["count"], found["far_after"]["detail"]) == (1, "2062-06-01")
    assert found["far_after"]["mend"] == "exported_on = 2026-02-22"
    assert found["far_before"]["detail"] == "1970-01-01"
    assert last_day(open_funnel(NAME)[1], open_funnel(NAME)[0]) == date(2026, 2, 22)
    stated = told(rows, "exported_on = 2062-06-01\n" + BASE)
    assert "far_after" not in stated
    assert last_day(open_funnel(NAME)[1], open_funnel(NAME)[0]) == date(2062, 6, 1)


def test_a_few_rows_after_a_holiday_may_be_true_and_no_line_offered_cuts_them_off():
    rows = [*moves(), ["L0", "met", "2026-03-30 10:00", "Anna", ""]]
    assert told(rows)["far_after"]["mend"] == "exported_on = 2026-03-30"


def test_money_spent_after_the_last_day_is_told():
    costs = BASE + source("costs", "costs.csv", date="on", amount="sum")
    found = told(moves(), costs, costs=text("on,sum", [["2026-02-01", 5], ["2062-02-01", 7]]))
    assert (found["costs_after_the_end"]["count"], found["costs_after_the_end"]["detail"]) == (1, "2026-02-22")


def days(*steps):
    found, day = [], FIRST
    for step in steps:
        day += timedelta(days=step)
        found.append(day)
    return usual_days(Counter(found)), found[0], found[-1]


def test_a_silence_that_the_team_often_keeps_and_one_of_many_rows_are_no_slip():
    assert days(*[20] * 30, 90)[0][1] == days(*[20] * 30, 90)[2]
    many, _first, last = days(*[1] * 30, 60, 0, 0)
    assert many[1] == last
    few, _first, last = days(*[1] * 30, 60, 0)
    assert few[1] == last - timedelta(days=60)
    assert days(*[1] * 5, 400)[0][1] == days(*[1] * 5, 400)[2]


def test_dates_ten_years_from_all_others_are_slips_though_one_row_in_twenty_has_them():
    wrong = [*[10] * 4, 13_000, *[10] * 100, 13_000, *[10] * 4]
    assert days(*wrong)[0] == (FIRST + timedelta(days=13_040), FIRST + timedelta(days=14_040))
    many, first, last = days(*[10] * 100, 13_000, *[10] * 6)
    assert many == (first, last)
    sooner, first, last = days(*[10] * 100, 3000, *[10] * 4)
    assert sooner == (first, last)


def test_payments_contacts_and_leads_after_the_last_day_are_told():
    paid = text("id,at,sum", [["L3", "2026-02-10", 5], ["L7", "2031-02-10", 5]])
    found = told(moves(), BASE + PAYMENTS, paid=paid)
    assert (found["payments_after_the_end"]["count"], found["payments_after_the_end"]["detail"]) == (1, "2026-02-22")
    leads = of_leads().replace("2026-02-13 10:39", "2027-02-13 10:39")
    assert told(moves(), leads=leads)["leads_after_the_end"]["count"] == 1


def test_a_history_of_changes_only_is_told_with_the_entries_to_add():
    changes = [row for row in moves() if row[1] != "lead"]
    found = told(changes)
    assert (found["first_stage_not_logged"]["count"], found["ends_without_stage"]["count"]) == (20, 10)
    mend = found["first_stage_not_logged"]["mend"].partition("\n#")[0]
    mended = told(changes, BASE + mend)
    assert mended == {}
    assert len(tables()["entries"]) == len(moves())


def test_a_history_that_logs_the_first_stage_of_a_few_only_is_told_and_some_skips_are_not():
    some = [row for row in moves() if row[1] != "lead" or row[0] in ("L2", "L3")]
    assert told(some)["first_stage_not_logged"]["count"] == 18
    most = [row for row in moves() if row[1] != "lead" or row[0] not in ("L2", "L3")]
    assert "first_stage_not_logged" not in told(most)


def test_a_stage_that_nobody_logs_is_told_and_an_export_of_last_moves_is_called_so():
    rows = [row for row in moves() if row[1] != "met" or int(row[0][1:]) % 4 == 2]
    found = told(rows)
    assert (found["stage_not_logged"]["detail"], found["stage_not_logged"]["count"]) == ("met", 10)
    assert found["stage_not_logged"]["mend"] == 'stages = ["lead", "paid"]'
    longer = BASE.replace('"met", ', '"met", "seen", ').replace("{ met", "{ seen = { horizon_days = 9 }, met")
    assert told(rows, longer)["only_the_last_move"]["count"] == 10


def test_leads_with_an_end_alone_are_told():
    rows = [row for row in moves() if not (row[1] == "lead" and row[0] in ("L1", "L5"))]
    found = told(rows)
    assert found["ends_without_stage"]["count"] == 2
    assert 'stage = "lead"' in found["ends_without_stage"]["mend"]


def test_an_export_of_won_leads_alone_is_told():
    """But not where one lead is open, or where there are few leads."""
    rows = [row for row in moves() if row[1] != "lost"]
    won = rows + [
        [*row[:1], "paid", f"{FIRST + timedelta(days=50)} 13:00", *row[3:]] for row in rows if row[1] == "lead"
    ]
    assert told(won)["only_won"]["count"] == 40
    assert "only_won" not in told([row for row in won if row[:2] != ["L0", "paid"]])
    assert "only_won" not in told([row for row in won if int(row[0][1:]) < 19])


def test_an_export_without_wins_or_without_ends_is_told():
    """But not where one lead was lost, or where there are few leads."""
    rows = moves()
    paid, lost = ([row for row in rows if row[1] == stage] for stage in ("paid", "lost"))
    assert not {*told(rows)} & {"none_won", "none_ended"}
    assert told([row for row in rows if row not in paid])["none_won"]["detail"] == "paid"
    assert told([row for row in rows if row not in lost])["none_ended"]["count"] == len({row[0] for row in rows})
    assert "none_ended" not in told([row for row in rows if row not in lost[1:]])
    assert "none_ended" not in told([row for row in rows if row not in lost and int(row[0][1:]) < 19])


def test_leads_that_were_imported_and_cleared_away_within_an_hour_are_told_and_busy_days_are_not():
    rows = moves()
    many = [f"I{number}" for number in range(25)]
    imported = text(
        "id,created,owner,source",
        [[lead, f"2026-02-03 09:{place:02}", "Anna", "web"] for place, lead in enumerate(many)],
    )
    leads = of_leads() + imported.partition("\n")[2]
    came = [[lead, "lead", f"2026-02-0{3 + place % 5} 1{place % 7}:30", "Anna", ""] for place, lead in enumerate(many)]
    ends = [[lead, "lost", f"2026-03-31 17:{place:02}", "Anna", "gone"] for place, lead in enumerate(many)]
    found = told([*rows, *came, *ends], leads=leads)
    assert (found["created_at_once"]["count"], found["created_at_once"]["detail"]) == (25, "2026-02-03")
    assert (found["ended_at_once"]["count"], found["ended_at_once"]["detail"]) == (25, "2026-03-31")
    spread = [
        [lead, "lost", f"2026-03-31 {8 + place // 3}:{place:02}", "Anna", "gone"] for place, lead in enumerate(many)
    ]
    assert "ended_at_once" not in told([*rows, *came, *spread], leads=leads)


def test_contacts_that_stand_there_again_to_the_second_are_told_and_those_of_days_are_not():
    calls = source("contacts", "calls.csv", lead_id="id", at="at", kind="kind")
    sent = [[f"L{number}", f"2026-02-03 1{number % 9}:00:{number:02}", "mail"] for number in range(30)]
    found = told(moves(), BASE + calls, calls=text("id,at,kind", sent + sent[:21]))
    assert found["contacts_twice"]["count"] == 21
    days = [[lead, at[:10], kind] for lead, at, kind in sent]
    assert "contacts_twice" not in told(moves(), BASE + calls, calls=text("id,at,kind", days + days))


def test_open_leads_that_changed_hands_since_are_told_by_present_owner():
    present = owners() | {"L0": "Clara", "L4": "Clara", "L2": "Dan", "L3": "Clara", "L1": "Clara", "L8": ""}
    found = told(moves(), leads=of_leads(present))
    # L3 is won and L1 was refused: nobody has to act on them.
    assert (found["inherited"]["detail"], found["inherited"]["count"]) == ("Clara 2, Dan 1", 3)
    assert "open_without_owner" not in found
    rows = [[*row[:3], "" if row[0] == "L8" else row[3], row[4]] for row in moves()]
    assert told(rows, leads=of_leads(present))["open_without_owner"]["count"] == 1


def queued(first, minutes=5):
    for row in moves():
        if row[1] == "lead":
            yield [*row[:3], first, ""]
            yield [row[0], "lead", f"{row[2][:-2]}{int(row[2][-2:]) + minutes:02}", row[3], ""]
        else:
            yield row


def test_a_queue_that_gets_leads_first_is_told_whether_stated_as_no_person_or_not():
    for first, stated in (("", ""), ("Queue", 'system_users = "Queue"\n')):
        assert "queue_first" not in told(list(queued(first)), stated + BASE)
        found = told(list(queued(first)), 'owner_from = "entry"\n' + stated + BASE)
        assert (found["queue_first"]["detail"], found["queue_first"]["count"]) == ("lead", 40)
        assert found["queue_first"]["mend"] == 'owner_from = "first_person"'
    found = told(list(queued("Queue")))
    assert (found["queue_like"]["detail"], found["queue_like"]["count"]) == ("Queue", 40)
    assert "queue_first" not in found
    assert "queue_like" not in told(moves())


def test_leads_read_from_their_own_rows_are_called_a_snapshot():
    toml = FUNNEL + LEADS + stage_source("lead", "leads.csv", lead_id="id", entered_at="created", manager="owner")
    assert told([], toml)["snapshot"]["count"] == 40


def paid(*sums, first=0):
    return [
        [f"L{4 * (place % 10) + 3}", FIRST + timedelta(days=30 + place + first), sum_]
        for place, sum_ in enumerate(sums)
    ]


def test_payments_of_two_exports_that_overlap_count_once():
    rows = paid(*range(100, 130))
    whole = told(moves(), BASE + PAYMENTS, paid1=text("id,at,sum", rows[:20]), paid2=text("id,at,sum", rows[12:]))
    assert (whole["payments_overlap"]["count"], whole["payments_overlap"]["detail"]) == (8, "paid2.csv")
    assert "payments_twice" not in whole
    assert tables()["payments"]["amount"].tolist() == list(range(100, 130))
    aside = tables()["set_aside"]
    assert set(aside["reason"]) == {"repeats a row of paid1.csv"}


def test_exports_that_overlap_in_days_need_not_be_sorted_and_may_lack_a_last_evening():
    rows = paid(*range(100, 130))
    evening = [[rows[19][0], rows[19][1], 7]]
    one, two = [rows[19], *rows[:19]], [*rows[12:], *evening]
    told(moves(), BASE + PAYMENTS, paid1=text("id,at,sum", one), paid2=text("id,at,sum", two[::-1]))
    assert sorted(tables()["payments"]["amount"]) == [7, *range(100, 130)]


def test_other_rows_that_stand_there_again_are_told_with_both_sums_and_counted():
    rows = paid(*range(100, 130))
    again = [*rows[5:7], *rows[20:22]]
    found = told(moves(), BASE + PAYMENTS, paid1=text("id,at,sum", rows), paid2=text("id,at,sum", again))
    assert found["payments_twice"]["count"] == 4
    assert found["payments_twice"]["detail"] == "paid1.csv, paid2.csv: 3887 / 3435 EUR"
    assert len(tables()["payments"]) == 34
    within = told(moves(), BASE + PAYMENTS, paid1=text("id,at,sum", [*rows, *again]), paid2=text("id,at,sum", []))
    assert within["payments_twice"]["count"] == 4


@pytest.mark.parametrize(
    ("repeats", "sums", "rows_aside"),
    [("drop", [5, 7, 9, 8, 6], 2), ("keep", [5, 7, 9, 5, 8, 6, 9], 0), ("last", [7, 5, 8, 6, 9], 2)],
)
def test_what_repeated_payments_mean_can_be_stated(repeats, sums, rows_aside):
    one = [["L3", "2026-02-10", 5], ["L7", "2026-02-10", 7], ["L11", "2026-02-11", 9]]
    two = [["L3", "2026-02-10", 5], ["L11", "2026-02-11", 8], ["L15", "2026-02-12", 6], ["L15", "2026-02-13", 9]]
    if repeats == "drop":
        two[-1] = two[-2]
    stated = PAYMENTS + f'repeats = "{repeats}"\n'
    found = told(moves(), BASE + stated, paid1=text("id,at,sum", one), paid2=text("id,at,sum", two))
    assert tables()["payments"]["amount"].tolist() == sums
    assert len(tables()["set_aside"]) == rows_aside
    assert not any(fact.startswith("payments") for fact in found)


def test_a_statement_of_repeats_overrules_what_overlapping_exports_seem_to_be():
    rows = paid(*range(100, 130))
    files = {"paid1": text("id,at,sum", rows[:20]), "paid2": text("id,at,sum", rows[12:])}
    found = told(moves(), BASE + PAYMENTS + 'repeats = "keep"\n', **files)
    assert not {"payments_overlap", "payments_twice"} & {*found}
    assert len(tables()["payments"]) == 38


def test_costs_that_a_later_export_corrects_are_those_of_the_last():
    costs = source("costs", "cost*.csv", date="at", channel="source", amount="sum")
    one = text("at,source,sum", [["2026-02-10", "web", 5], ["2026-02-10", "fair", 6], ["2026-02-11", "", 1]])
    two = text("at,source,sum", [["2026-02-10", "web", 8], ["2026-02-11", "", 2]])
    told(moves(), BASE + costs + 'repeats = "last"\n', cost1=one, cost2=two)
    assert tables()["costs"]["amount"].tolist() == [6, 8, 2]


def test_payments_of_one_number_count_once_and_alike_ones_of_two_numbers_twice():
    numbered = PAYMENTS.replace('amount = "sum"', 'amount = "sum", payment_id = "no"')
    rows = [["L3", "2026-02-10", 5, "p1"], ["L3", "2026-02-10", 5, "p2"], ["L3", "2026-02-10", 5, "p1"]]
    rows += [["L7", "2026-02-10", 5, ""], ["L11", "2026-02-10", 5, ""]]
    found = told(moves(), BASE + numbered, paid=text("id,at,sum,no", rows))
    assert "payments_twice" not in found
    assert len(tables()["payments"]) == 4


def twice(*changes):
    rows = of_leads().splitlines()
    again = list(rows[1:6])
    for old, new in changes:
        again = [row.replace(old, new) for row in again]
    return "\n".join([*rows, *again]) + "\n"


def test_leads_that_repeat_with_other_contents_are_told_and_which_row_counts_can_be_stated():
    found = told(moves(), leads=twice(("web", "fair")))
    assert (found["repeated_ids_differ"]["detail"], found["repeated_ids_differ"]["count"]) == ("channel", 5)
    assert tables()["leads"]["channel"].tolist().count("fair") == 0
    last = BASE.replace("[leads]\n", '[leads]\nkeep = "last"\n')
    assert "repeated_ids_differ" not in told(moves(), last, leads=twice(("web", "fair")))
    assert tables()["leads"]["channel"].tolist().count("fair") == 5
    assert "repeated_ids_differ" not in told(moves(), leads=twice())


def test_the_latest_row_by_a_column_counts_wherever_it_stands():
    toml = BASE.replace("[leads]\n", '[leads]\nlatest_by = "changed"\n')
    rows = [line.split(",") for line in of_leads().splitlines()[1:]]
    lines = [[*row, "2026-03-01" if place else ""] for place, row in enumerate(rows)]
    lines += [[*row[:3], "old", "2026-02-01"] for row in rows[:3]] + [[*rows[4][:3], "new", "2026-03-09"]]
    told(moves(), toml, leads=text("id,created,owner,source,changed", lines))
    channels = tables()["leads"].set_index("lead_id")["channel"]
    assert channels[["L0", "L1", "L2", "L3", "L4"]].tolist() == ["old", "web", "web", "web", "new"]


def test_ids_with_several_dates_of_creation_are_told_as_several_leads():
    found = told(moves(), leads=twice(("2026-01-", "2026-02-")))
    assert (found["one_id_of_several"]["detail"], found["one_id_of_several"]["count"]) == ("id", 5)
    assert "repeated_ids_differ" not in found


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Anna Berg", "anna berg"),
        ("Anna Berg", "Anna Berg."),
        ("Фёдор", "Федор"),
        ("Cергей", "Сергей"),
        ("Web-site", "web - site"),
    ],
)
def test_names_that_look_the_same_have_one_look(one, other):
    assert one != other
    assert look(one) == look(other)


def test_names_that_differ_in_a_letter_or_digit_do_not_look_the_same():
    names = ["Web 1", "Web 2", "Иванов", "Иванова", "Anna", "Hanna", "Lee", "Le"]
    assert len({look(name) for name in names}) == len(names)


def test_names_spelled_in_several_ways_are_told_with_the_lines_that_join_them():
    rows = [
        [
            *row[:3],
            "anna" if row[0] == "L2" else row[3],
            row[4].replace("price", "Price.") if row[0] == "L1" else row[4],
        ]
        for row in moves()
    ]
    found = told(rows, leads=of_leads(channels={"L3": "WEB", "L5": "Wеb"}))
    assert found["people_spelled_twice"]["detail"] == "manager: “Anna”; “anna”"
    assert found["people_spelled_twice"]["mend"].splitlines()[1:] == ['values.manager = { anna = "Anna" }']
    assert "WEB" in found["channels_spelled_twice"]["mend"]
    assert found["reasons_spelled_twice"]["count"] == 1
    joined = BASE.replace('"source" }', '"source" }\nvalues.channel = { WEB = "web", "Wеb" = "web" }')
    assert "channels_spelled_twice" not in told(rows, joined, leads=of_leads(channels={"L3": "WEB", "L5": "Wеb"}))


def money(*sums, signs='["€", "$"]', column=""):
    rows = [[f"L{4 * place + 3}", FIRST + timedelta(days=30 + place), *sum_] for place, sum_ in enumerate(sums)]
    toml = BASE + PAYMENTS + f"currency_signs = {signs}\n"
    return toml, text("id,at,sum" + column, rows)


def test_two_currencies_in_a_column_are_told_with_their_counts_and_two_signs_of_one_are_not():
    toml, paid = money(["€5"], ["7 €"], ["$5"])
    found = told(moves(), toml, paid=paid)["mixed_currencies"]
    assert (found["detail"], found["count"]) == ("payments, sum: € 2, $ 1", 1)
    assert found["mend"].endswith('currency_signs = "€"')
    assert "mixed_currencies" not in told(
        moves(), *money(["€5"], ["7 EUR"], signs='["€", "EUR"]')[:1], paid=paid.replace("$", "€")
    )
    toml, paid = money(["US$5"], ["C$ 7"], signs='["US$", "C$", "$"]')
    dollars = told(moves(), toml.replace('"EUR"', '"USD"'), paid=paid)["mixed_currencies"]
    assert dollars["detail"] == "payments, sum: US$ 1, C$ 1"


def test_one_currency_written_in_several_ways_is_one():
    toml, paid = money(["5", "EUR"], ["6", "Euro"], ["7", "€"], ["8", "евро"], column=",Currency")
    assert "mixed_currencies" not in told(moves(), toml, paid=paid)
    toml, paid = money(["5", "RUR"], ["6", "руб"], ["7", "rub."], ["8", "Российский рубль"], column=",Currency")
    assert "mixed_currencies" not in told(moves(), toml.replace('"EUR"', '"RUB"'), paid=paid)


def test_rows_that_are_left_out_have_no_currency():
    toml, paid = money(["5", "EUR", ""], ["6", "USD", "yes"], column=",Currency,Test")
    assert "mixed_currencies" in told(moves(), toml, paid=paid)
    assert "mixed_currencies" not in told(moves(), toml + 'without = { Test = "yes" }\n', paid=paid)
    toml, paid = money(["€5", ""], ["$6", "yes"], column=",Test")
    assert "mixed_currencies" not in told(moves(), toml + 'without = { Test = "yes" }\n', paid=paid)


def test_amounts_all_of_another_currency_than_stated_are_told():
    toml, paid = money(["$5"], ["$6"], signs='"$"')
    assert told(moves(), toml, paid=paid)["mixed_currencies"]["count"] == 2
    assert "mixed_currencies" not in told(moves(), toml.replace('"EUR"', '"CAD"'), paid=paid)


def test_amounts_whose_header_names_another_currency_are_told():
    toml, paid = money([5], [6])
    for header, count in {"sum USD": 2, "sum ($)": 2, "sum (EUR)": 0, "sum EUR, not USD": 0}.items():
        stated = toml.replace('currency_signs = ["€", "$"]\n', "").replace('"sum"', f'"{header}"')
        found = told(moves(), stated, paid=paid.replace(",sum", f',"{header}"'))
        assert found.get("mixed_currencies", {"count": 0})["count"] == count


def test_a_column_that_names_the_currency_is_looked_at_unless_it_is_stated():
    toml, paid = money(["5", "EUR"], ["6", "USD"], column=",Currency")
    found = told(moves(), toml, paid=paid)["mixed_currencies"]
    assert (found["detail"], found["mend"].splitlines()[1]) == (
        "payments, Currency: EUR 1, USD 1",
        'columns = { lead_id = "id", paid_at = "at", amount = "sum", currency = "Currency" }',
    )
    mended = told(moves(), toml.replace('amount = "sum"', 'amount = "sum", currency = "Currency"'), paid=paid)
    assert ("mixed_currencies" in mended, mended["no_rate"]["detail"]) == (False, "payments: USD 1")
    assert "mixed_currencies" not in told(moves(), toml + 'only = { Currency = "EUR" }\n', paid=paid)


@pytest.mark.parametrize(
    ("other", "count"), [('"$"#,##0.00', 1), ('#,##0.00 "руб."', 1), ("[$€-407] #,##0.00", 0), ("General", 0)]
)
def test_the_currency_of_a_workbook_is_that_of_its_formats(other, count):
    book = Workbook()
    sheet = book.active
    sheet.append(["id", "at", "sum"])
    for place, shown in enumerate(("[$€-2] #,##0.00", other)):
        sheet.append([f"L{4 * place + 3}", "2026-02-10", 5])
        sheet.cell(place + 2, 3).number_format = shown
    folder = Path("data", "raw", NAME)
    folder.mkdir(parents=True)
    book.save(folder / "paid.csv")
    found = told(moves(), BASE + PAYMENTS)
    assert found.get("mixed_currencies", {"count": 0})["count"] == count


def test_blanks_within_a_name_are_one_blank_without_a_word():
    present = owners() | {"L0": "Anna  Berg", "L2": "Anna\u00a0Berg", "L4": "Anna Berg"}
    told(moves(), leads=of_leads(present))
    assert set(tables()["leads"]["manager"]) == {"Anna", "Boris", "Anna Berg"}


def test_a_message_of_many_names_stays_short():
    present = {
        lead: ("a" * 300 + str(place // 2), "A" * 300 + str(place // 2))[place % 2]
        for place, lead in enumerate(owners())
    }
    found = told(moves(), leads=of_leads(present))
    assert found["people_spelled_twice"]["count"] == 20
    assert len(found["people_spelled_twice"]["detail"]) < 1000
    assert found["people_spelled_twice"]["detail"].endswith("… +15")
