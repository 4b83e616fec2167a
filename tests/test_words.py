"""Each language: its catalogue is whole, its numbers are written its way, and its pages hold no other one."""

import re
from datetime import date

import pytest
from texts import LOCALE, catalogue, texts

from funnelstats.config import words
from funnelstats.config.errors import FunnelError


@pytest.fixture
def russian():
    words.speak("ru")


@pytest.mark.usefixtures("russian")
def test_numbers_shares_money_and_days_are_written_as_the_language_does():
    assert words.number(35324) == "35\u00a0324"
    assert words.number(4.256, 1) == "4,3"
    assert words.percent(0.663) == "66\u00a0%"
    assert words.money(1234567, "RUB") == "1\u00a0234\u00a0567\u00a0₽"
    assert words.money(0.4, "EUR") == "0,40\u00a0€"
    assert words.exact(0.01457) == "0,0146"
    assert words.day(date(2026, 6, 28)) == "28 июня 2026"


@pytest.mark.usefixtures("russian")
def test_about_so_many_deals_takes_the_form_of_its_number():
    one, several = "Gain: about %(n)s deal in %(weeks)s", "Gain: about %(n)s deals in %(weeks)s"
    forms = [words.counted(one, several, n) % {"n": n, "weeks": ""} for n in (1, 2, 11, 21)]
    assert [form.split()[-2] for form in forms] == ["сделки", "сделок", "сделок", "сделки"]


def test_a_number_below_nothing_has_a_true_minus_in_every_form():
    written = [words.number(-1234.5), words.percent(-0.043, 1), words.money(-5, "RUB"), words.rough(-35324006)]
    assert written == ["−1,234", "−4.3%", "−5\u00a0₽", "−35,000,000"]
    assert words.exact(-0.5) == "−0.5"


def test_an_exact_number_keeps_three_digits_and_no_power_of_ten():
    values = [0, 0.98, 0.5, 0.0109, 12.345, 123.45, 1234.5, 0.0001, 1.57e-38, -1e-9, float("inf"), float("nan")]
    assert [words.exact(value) for value in values] == [
        *("0", "0.98", "0.5", "0.0109", "12.3", "123", "1,234", "0.0001", "<0.0001", ">−0.0001", "∞", "n/a")
    ]


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_no_day_ends_in_a_full_stop_that_a_sentence_would_double(language):
    words.speak(language)
    try:
        days = [words.day(date(2026, month, 30 - 2 * (month == 2))) for month in range(1, 13)]
    finally:
        words.speak("en")
    assert not [day for day in days if "." in day]
    assert len(set(days)) == 12


def test_what_is_not_known_is_said_so_and_never_a_number():
    nan = float("nan")
    assert {words.number(nan), words.percent(nan), words.money(nan, "EUR"), words.rough(nan), words.day(nan)} == {"n/a"}


def test_a_language_without_catalogue_is_refused_with_those_there_are():
    with pytest.raises(FunnelError, match='no language "de"; known: en, ru'):
        words.speak("de")


@pytest.mark.parametrize("language", [folder.name for folder in LOCALE.iterdir()])
def test_every_text_has_its_translation(language):
    lacking = [message.id for message in catalogue(language) if message.id and not _whole(message)]
    assert lacking == []


@pytest.mark.parametrize("language", [folder.name for folder in LOCALE.iterdir()])
def test_a_translation_speaks_of_the_same_things_as_the_text(language):
    wrong = {
        message.id
        for message in catalogue(language)
        if message.id
        for translated in _forms(message.string)
        if translated and _places(translated) != _places(_forms(message.id)[-1])
    }
    assert wrong == set()


@pytest.mark.parametrize("language", [folder.name for folder in LOCALE.iterdir()])
def test_what_gettext_reads_is_what_people_edited(language):
    words.translations.cache_clear()
    read = words.translations(language)
    for message in catalogue(language):
        if message.id and isinstance(message.id, str):
            assert read.gettext(message.id) == message.string
        elif message.id:
            assert read.ngettext(*message.id, 1) == message.string[0]


def test_texts_of_code_tables_and_notebooks_are_gathered():
    found = set(texts())
    assert "Skip to the report" in found, "a mapping of words"
    assert "no entrants" in found, "a constant"
    assert "Mind the data" in found, "the title of a notebook's box"
    assert "The team against its targets" in found, "a table's title"
    assert "likely range (95%)" in found, "a column's label"
    assert "not known yet" in found, "words for what is missing"


def _forms(text):
    return [text] if isinstance(text, str) else list(text)


def _whole(message):
    return all(_forms(message.string)) and len(_forms(message.string)) == (3 if isinstance(message.id, tuple) else 1)


def _places(text):
    return set(re.findall(r"{(\w+)|%\((\w+)\)s", text))
