"""The counts of `scale.py` as one would write them by hand for Polars, pandas and chDB (ClickHouse in this process)."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from counting import AS_OF, STAGES

LEAD = ["lead_id", "episode"]
HORIZON = pd.Timedelta(days=14)


def by_polars(path: Path) -> pd.DataFrame:
    import polars as pl

    place, before, step, manager = (pl.col(name) for name in ("place", "before", "step", "manager"))
    at, day = pl.col("entered_at"), pl.col("entered_on")
    places = {stage: number for number, stage in enumerate(STAGES)}
    reaches, own = step > before, step == place
    moves = (
        pl.scan_parquet(path)
        .with_columns(place=pl.col("stage").replace_strict(places, default=None, return_dtype=pl.Int64))
        .sort("lead_id", "entered_at", place.is_null())
        .with_columns(after_end=place.is_null().shift(fill_value=False).over("lead_id"))
        .with_columns(episode=(place.is_not_null() & pl.col("after_end")).cum_sum().over("lead_id"))
        .filter(place.is_not_null())
        .sort(*LEAD, "entered_at", "place")
        .with_columns(before=place.cum_max().shift(fill_value=-1).over(LEAD))
        .with_columns(step=pl.int_ranges(pl.min_horizontal(before + 1, place), place + 1))
        .explode("step")
    )
    stages = moves.group_by(*LEAD, "step").agg(
        reached_on=day.filter(reaches).min(),
        entered_on=pl.coalesce(day.filter(own).min(), day.filter(reaches).min()),
        manager=pl.coalesce(*(manager.filter(part).sort_by(at.filter(part)).first() for part in (own, reaches))),
    )
    next_on = pl.col("reached_on").shift(-1).over(LEAD)
    old = day <= AS_OF - HORIZON
    counts = (
        stages.sort(*LEAD, "step")
        .with_columns(next_on=next_on)
        .filter((step < len(STAGES) - 1) & (day <= AS_OF))
        .group_by("manager", week=day.dt.truncate("1w"), step=step)
        .agg(
            entered=old.sum(),
            converted=(old & (pl.col("next_on") - day <= HORIZON)).sum(),
            too_recent=(~old).sum(),
        )
    )
    return counts.sort("manager", "week", "step").collect().to_pandas()


def by_pandas(path: Path) -> pd.DataFrame:
    rows = pd.read_parquet(path)
    rows["place"] = rows["stage"].map({stage: number for number, stage in enumerate(STAGES)})
    rows["end"] = rows["place"].isna()
    rows = rows.sort_values(["lead_id", "entered_at", "end"])
    after_end = rows.groupby("lead_id")["end"].shift(fill_value=False)
    rows["episode"] = (~rows["end"] & after_end).groupby(rows["lead_id"]).cumsum()
    rows = rows[~rows["end"]].sort_values([*LEAD, "entered_at", "place"])
    rows["before"] = rows.groupby(LEAD)["place"].cummax().groupby([rows[key] for key in LEAD]).shift(fill_value=-1)
    first = (rows["before"] + 1).clip(upper=rows["place"])
    many = (rows["place"] - first + 1).astype(int)
    rows = rows.loc[rows.index.repeat(many)].assign(first=first.repeat(many))
    rows["step"] = rows["first"] + rows.groupby(level=0).cumcount()
    keys = [*LEAD, "step"]
    reaches, own = (
        rows[kept].sort_values("entered_at").groupby(keys).agg({"entered_on": "min", "manager": "first"})
        for kept in (rows["step"] > rows["before"], rows["step"] == rows["place"])
    )
    stages = own.combine_first(reaches).assign(reached_on=reaches["entered_on"]).sort_index()
    stages["next_on"] = stages.groupby(level=LEAD)["reached_on"].shift(-1)
    stages = stages.reset_index()
    day = pd.to_datetime(stages["entered_on"])
    stages = stages.assign(
        week=day - pd.to_timedelta(day.dt.weekday, unit="D"),
        old=day <= pd.Timestamp(AS_OF) - HORIZON,
        in_time=pd.to_datetime(stages["next_on"]) - day <= HORIZON,
    )[(stages["step"] < len(STAGES) - 1) & (day <= pd.Timestamp(AS_OF))]
    stages = stages.assign(
        entered=stages["old"], converted=stages["old"] & stages["in_time"], too_recent=~stages["old"]
    )
    return stages.groupby(["manager", "week", "step"])[["entered", "converted", "too_recent"]].sum().reset_index()


def by_chdb(path: Path) -> pd.DataFrame:
    import chdb

    return chdb.query(CLICKHOUSE.format(path=path, stages=list(STAGES), as_of=AS_OF), "DataFrame")


CLICKHOUSE = """
with placed as (
    select * replace (toDate(entered_on) as entered_on), indexOf({stages}, assumeNotNull(stage)) - 1 as place,
        place < 0 as is_end
    from file('{path}', Parquet)
),
marked as (
    select *, lagInFrame(is_end) over (partition by lead_id order by entered_at, is_end
        rows between unbounded preceding and unbounded following) as after_end from placed
),
opened as (
    select *, sum(not is_end and after_end) over (
        partition by lead_id order by entered_at, is_end rows unbounded preceding) as episode
    from marked
),
furthest as (
    select *, if(row_number() over w = 1, -1, max(place) over (
        partition by lead_id, episode order by entered_at, place
        rows between unbounded preceding and 1 preceding)) as before
    from opened where not is_end
    window w as (partition by lead_id, episode order by entered_at, place)
),
reached as (
    select lead_id, episode, entered_at, entered_on, manager, place, before,
        arrayJoin(range(toInt32(least(before + 1, place)), toInt32(place + 1))) as step
    from furthest
),
stages as (
    select lead_id, episode, step,
        minIfOrNull(entered_on, step > before) as reached_on,
        coalesce(minIfOrNull(entered_on, step = place), reached_on) as came_on,
        coalesce(argMinIfOrNull(manager, entered_at, step = place), argMinIfOrNull(manager, entered_at, step > before))
            as owner
    from reached group by lead_id, episode, step
),
followed as (
    select *, leadInFrame(reached_on) over (partition by lead_id, episode order by step
        rows between unbounded preceding and unbounded following) as next_on from stages
)
select owner as manager, toMonday(came_on) as week, step,
    countIf(toDate('{as_of}') - came_on >= 14) as entered,
    countIf(toDate('{as_of}') - came_on >= 14 and next_on - came_on <= 14) as converted,
    countIf(toDate('{as_of}') - came_on < 14) as too_recent
from followed where step < 6 and came_on <= toDate('{as_of}') group by manager, week, step order by manager, week, step
"""
