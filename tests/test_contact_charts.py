"""The figures of contacts and speed show the numbers of their frames, in words too, whatever a kind is called."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from funnelstats.config.words import _spoken
from funnelstats.contacts.charts import contact_chart, speed_chart
from funnelstats.page.tables import NO_OUTPUT, show_table


def rates_of(*kinds):
    count = len(kinds)
    return pd.DataFrame(
        {
            "stage": ["lead"] * count,
            "kind": list(kinds),
            "contacts": np.arange(10, 10 + count),
            "rate": 0.4,
            "ci_lower": 0.31234,
            "ci_upper": 0.5,
            "peer_rate": [np.nan, *[0.5] * (count - 1)],
            "base_rate": 0.25,
        }
    )


def curve_of(*rates):
    hours = np.arange(len(rates)) * 10
    frame = pd.DataFrame({"hours": hours, "at_risk": 9, "rate": rates, "ci_lower": 0.1, "ci_upper": 0.9})
    return pd.concat([frame.assign(clock="calendar"), frame.assign(clock="working")])


def test_contacts_are_drawn_in_the_order_of_their_frame_with_words_for_all_of_them() -> None:
    shown = contact_chart(rates_of("call", "$a_b$ <i>"))
    assert "lead, $a_b$ &lt;i&gt;</text>" in shown.data["text/html"]
    assert shown.data["text/plain"].splitlines()[1].split()[:5] == ["lead", "call", "10", "0.4", "0.3123"]
    assert 'lead, call: 40% / 25%; lead, $a_b$ &lt;i&gt;: 40% / 25%."' in shown.data["text/html"]


def test_of_many_kinds_those_with_most_contacts_are_drawn() -> None:
    shown = contact_chart(rates_of(*(f"kind {number}" for number in range(20))))
    rows = shown.data["text/plain"].splitlines()[1:]
    assert len(rows) == 8
    assert "kind 11 " not in shown.data["text/plain"]
    assert "kind 12 " in shown.data["text/plain"]


def test_kinds_of_few_contacts_are_left_to_the_table() -> None:
    shown = contact_chart(rates_of("call", "mail", "visit").assign(contacts=[9, 10, 300]))
    assert [line.split()[1] for line in shown.data["text/plain"].splitlines()[1:]] == ["mail", "visit"]
    assert contact_chart(rates_of("call").assign(contacts=9)) == NO_OUTPUT


def test_between_two_hours_the_curve_stays_where_it_was() -> None:
    shown = speed_chart(curve_of(0.2, 0.5, 0.6), curve_of(0.1, 0.2), hours=18)
    lines = [line.split() for line in shown.data["text/plain"].splitlines()[1:]]
    mine = {int(line[2]): float(line[3]) for line in lines if line[:2] == ["mine", "calendar"]}
    assert mine == {0: 0.2, 6: 0.2, 12: 0.5, 18: 0.5}
    # nobody of the colleagues' leads was watched beyond ten hours
    theirs = [int(line[2]) for line in lines if line[:2] == ["colleagues", "calendar"]]
    assert theirs == [0, 6]
    assert "50% within a day" in shown.data["text/html"]


def test_without_colleagues_or_without_anything() -> None:
    alone = speed_chart(curve_of(0.2, 0.5), curve_of().head(0))
    assert "colleagues" not in alone.data["text/plain"]
    nothing = [
        speed_chart(curve_of().head(0), curve_of().head(0)),
        contact_chart(rates_of("call").head(0)),
        show_table(rates_of("call").head(0), "manager.contacts"),
    ]
    assert {shown.data["text/html"] for shown in nothing} == {""}


@pytest.mark.parametrize("language", ["en", "ru"])
@pytest.mark.parametrize("ends", [(0.2, 0.9), (0.6, 0.6), (1.0, 1.0), (0.0, 0.0)])
def test_the_words_at_two_curves_and_beside_rows_stay_apart_and_on_the_picture(
    drawn, monkeypatch, language, ends
) -> None:
    monkeypatch.setitem(_spoken, "language", language)
    speed_chart(curve_of(0.0, ends[0]), curve_of(0.0, ends[1]))
    rates = rates_of("call", "messages in three messengers").assign(rate=[0.0, 1.0], contacts=[17, 123456])
    contact_chart(rates.assign(stage="Коммерческое предложение"))
    assert len(drawn) == 4
    for figure in drawn:
        boxes = {text: text.get_window_extent() for text in figure.findobj(Text) if text.get_text().strip()}
        assert not [1 for one, other in combinations(boxes.values(), 2) if one.shrunk(1, 0.8).overlaps(other)]
        assert all(box.x0 >= 0 and box.x1 <= figure.bbox.x1 and box.y0 >= 0 for box in boxes.values())


def test_the_colleagues_curve_is_named_at_its_end_and_the_band_belongs_to_the_own_one(drawn) -> None:
    speed_chart(curve_of(0.2, 0.5), curve_of(0.1, 0.9))
    assert len(drawn) == 2
    for ax in [figure.axes[0] for figure in drawn]:
        curves = {line.get_color(): line.get_ydata()[-1] for line in ax.lines}
        names = {text.get_color(): (text.get_text(), text.get_position()[1]) for text in ax.texts}
        assert {names[colour][0]: curves[colour] for colour in curves} == {"my leads": 0.5, "colleagues": 0.9}
        assert {colour: names[colour][1] for colour in curves} == pytest.approx(curves)
