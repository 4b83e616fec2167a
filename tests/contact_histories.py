"""Random contacts of random histories, and what became of each by a loop, to compare the engines with."""

from datetime import timedelta
from typing import NamedTuple

import ibis
import numpy as np
import pandas as pd
from backends import episodes_of

from funnelstats.config.schema import MISSING
from funnelstats.contacts.counts import OUTSIDE

CONTACTS_SCHEMA = ibis.schema(
    {
        "lead_id": "string",
        "at": "timestamp",
        "on": "date",
        "kind": "string",
        "manager": "string",
        "duration_s": "float64",
        "reached": "boolean",
    }
)


def contacts_frame(rows):
    """Contacts from (lead, time[, kind[, manager[, duration[, reached]]]]) tuples; the date is that of the time."""
    usual = (None, None, "call", "Anna", None, None)
    frame = pd.DataFrame(
        [(*row, *usual[len(row) :]) for row in rows], columns=[n for n in CONTACTS_SCHEMA if n != "on"]
    )
    at = pd.to_datetime(frame["at"], format="ISO8601").astype("datetime64[us]")
    frame = frame.assign(at=at, on=at.dt.date)
    return frame.astype({"duration_s": "float64"})[list(CONTACTS_SCHEMA)]


def random_contacts(seed, leads=40):
    """Contacts on the grid of `random_entries`, so that many fall on a stage entry, an end or another contact."""
    random = np.random.default_rng(1000 + seed)
    count = leads * 6
    at = pd.Timestamp("2025-12-28 01:00") + pd.to_timedelta(8 * random.integers(0, 200, count), unit="h")
    frame = pd.DataFrame(
        {
            "lead_id": [f"L{number:03}" for number in random.integers(0, leads + 2, count)],
            "at": at.astype("datetime64[us]"),
            "on": (at + pd.Timedelta(hours=8)).date,
            "kind": random.choice(["call", "meeting"], count),
            "manager": random.choice(np.array(["Анна", "robot", "", None]), count),
            "duration_s": random.choice([0.0, 59.0, 60.0, np.nan], count),
            "reached": random.choice(np.array([True, False, None]), count),
        }
    )
    return pd.concat([frame, frame.head(20)], ignore_index=True)[list(CONTACTS_SCHEMA)]


class Touch(NamedTuple):
    lead_id: str
    episode: int | None
    at: pd.Timestamp
    on: object
    kind: str
    manager: str
    conversation: bool
    stage: str
    moves: int
    sold: bool
    days: int
    next_on: object


def touches_of(contacts, entries, stages, follow_up_days=7, conversation_s=60):
    """Every contact once, with what came of it, by a loop over contacts and stages."""
    episodes: dict = {}
    for episode in episodes_of(entries, stages):
        episodes.setdefault(episode.lead_id, []).append(episode)
    unique = contacts.drop_duplicates()
    times = (
        unique.groupby("lead_id")[["at", "on"]].apply(lambda rows: sorted(set(map(tuple, rows.to_numpy())))).to_dict()
    )
    found = []
    for row in unique.itertuples(index=False):
        later = [(at, on) for at, on in times[row.lead_id] if at > row.at]
        found.append(_touch(row, later[0] if later else None, episodes.get(row.lead_id, []), stages, follow_up_days,
                            conversation_s))  # fmt: skip
    return found


def _touch(row, following, episodes, stages, follow_up_days, conversation_s):
    manager = row.manager if isinstance(row.manager, str) and row.manager.strip() else MISSING
    conversation = row.duration_s >= conversation_s if not np.isnan(row.duration_s) else row.reached is True
    who = (row.at, row.on, row.kind, manager, bool(conversation))
    if not episodes:
        return Touch(row.lead_id, None, *who, OUTSIDE, 0, False, 0, following and following[1])
    begun = [episode for episode in episodes if episode.began(stages).entered_at <= row.at]
    episode = (begun or episodes[:1])[-1]
    entry = [episode.first(stage, stages) for stage in stages]
    ended = episode.end()
    if ended and ended.entered_at < episode.began(stages).entered_at:
        ended = None
    stood = [place for place, e in enumerate(entry) if e and e.entered_at < row.at]
    began = episode.began(stages).entered_at
    place = stood[-1] if stood else episode.opened(stages) if began <= row.at else None
    if place is None or (ended and ended.entered_at < row.at):
        place = len(stages)
    ahead = entry[place + 1 :]
    won = [
        number
        for number, e in enumerate(ahead, place + 1)
        if e and (e.entered_on - row.on).days <= follow_up_days and (not following or e.entered_at < following[0])
    ]
    move = ahead[0] if ahead else None
    gone = [e for e in (move, ended) if e]
    if following and any(e.entered_at < following[0] for e in gone):
        following = None
    last = [row.on + timedelta(days=follow_up_days), *(e.entered_on for e in gone)]
    last += [following[1] - timedelta(days=1)] if following else []
    days = max((min(last) - row.on).days + 1, 0) if place < len(stages) - 1 else 0
    stage = (*stages, OUTSIDE)[place]
    return Touch(row.lead_id, episode.number, *who, stage, len(won), len(stages) - 1 in won, days,
                 following and following[1])  # fmt: skip
