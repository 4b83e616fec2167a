"""Tables at hand, of pandas, Polars, Arrow, DuckDB or ibis, made canonical by the code that reads files."""

import tempfile
import warnings
from datetime import date
from pathlib import Path
from typing import Any

import ibis
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from funnelstats.config.dates import parse_day
from funnelstats.config.errors import FunnelError, listed, suggestion
from funnelstats.config.funnel import Funnel
from funnelstats.config.mistakes import contradictions
from funnelstats.config.schema import ENDS, TABLES, date_column
from funnelstats.config.sources import Source
from funnelstats.importing.cells import cell_text
from funnelstats.importing.opening import Quality, Tables, account_of, known_rows
from funnelstats.importing.prepare import canonical_tables, rows_in_order
from funnelstats.importing.sql import engine


def tables(
    funnel: Funnel,
    *,
    leads: Any,
    entries: Any,
    contacts: Any = None,
    payments: Any = None,
    costs: Any = None,
    as_of: date | str | None = None,
) -> Tables:
    """Canonical tables of frames at hand, checked and dated like the files of an export; ``quality`` is their account.

    Each frame is one of pandas (without its index), Polars, Arrow, a DuckDB relation, or an ibis table of any backend,
    which is executed first. Columns have their canonical names:

    - leads: lead_id · created_at, manager, channel, campaign, amount, currency, ready_budget, ready_authority,
      ready_need, ready_timing; every other column is an attribute, a text
    - entries: lead_id, stage, entered_at · manager, reason. A stage is one of the funnel's, "lost" or "nurture"; only
      the last of the funnel's and these two may have no date
    - contacts: lead_id, at, kind · manager, duration_s (seconds), reached, channel
    - payments: lead_id, paid_at, amount · currency, payment_id
    - costs: date, amount · channel, campaign, currency

    Those before the dot must be there; other columns are left out. Ids are taken as text, a blank one is missing. Times
    without a zone are those of the funnel's, times with one are converted; beside created_at, entered_at, at and
    paid_at stand their dates in the funnel's zone: created_on, entered_on, on, paid_on. Rows that lack their id, stage
    or date, repeat another or belong to no lead are set aside, and those of another stage are left out: a warning
    counts them and the cells that cannot be read, ``quality`` names them. Without ``as_of`` all rows are there, else
    those known at the end of that day.

    Tables of ``open_funnel`` are in UTC and no frames for here: exchange one of them by ``tables._replace``.

    Raises FunnelError, with the column, a value and its row (from 1), for a column that is not there or most of which
    cannot be read, and where more rows are set aside than the funnel's ``max_bad_share``.

    >>> import funnelstats as fs
    >>> ours = fs.funnel(["lead", "won"], horizon_days=30)
    >>> of_frames = fs.tables(
    ...     ours,
    ...     leads=pd.DataFrame({"lead_id": [1, 2], "region": ["North", ""]}),
    ...     entries=pd.DataFrame({
    ...         "lead_id": [1, 1, 2],
    ...         "stage": ["lead", "won", "lead"],
    ...         "entered_at": ["2026-01-05 10:00", "2026-01-09 16:30", "2026-01-06 09:15"],
    ...     }),
    ... )
    >>> fs.step_counts(fs.journeys(of_frames.entries, ours), ours, fs.parse_day("2026-06-28"))
      from_stage to_stage  entered  converted  too_recent
    0       lead      won        2          1           0
    """
    given = {"leads": leads, "entries": entries, "contacts": contacts, "payments": payments, "costs": costs}
    needed = ("leads", "entries")
    frames = {table: _arrow(table, frame) for table, frame in given.items() if frame is not None or table in needed}
    stated = funnel.model_dump(exclude_unset=True, exclude={"name", *TABLES})
    sources = {table: _source(table, frame.column_names) for table, frame in frames.items()}
    if mistakes := contradictions({**stated, **sources}):
        raise FunnelError("\n".join(mistakes))
    read = {table: (Source.model_validate(sources[table]),) if table in sources else () for table in TABLES}
    of_frames = funnel.model_copy(update=read)
    kept = ibis.duckdb.connect()
    known = None if as_of is None else parse_day(as_of)
    with tempfile.TemporaryDirectory() as spilled, engine(Path(spilled)) as con:
        report, aside = canonical_tables(con, of_frames, frames)
        for table in frames:
            kept.create_table(table, con.execute(rows_in_order(table)).to_arrow_table())
    made: dict[str, Any] = dict.fromkeys(given)
    made |= {table: known_rows(kept.table(table), table, known) for table in frames}
    quality = account_of(report, aside, of_frames)
    _warn_of_unused(quality, funnel)
    return Tables(**made, quality=quality)


def _arrow(table: str, frame: Any) -> pa.Table:
    if isinstance(frame, pd.DataFrame):
        plain = [pa.array(_plain(cells), from_pandas=True) for _, cells in frame.items()]
        found = pa.table(plain, names=[*map(str, frame.columns)])
    elif hasattr(frame, "__arrow_c_stream__") and not isinstance(frame, pd.Series):
        found = pa.table(frame)
    else:
        mend = "; collect() it first" if type(frame).__name__ == "LazyFrame" else ""
        raise FunnelError(
            f"{table}: must be a table of pandas, Polars, Arrow, DuckDB or ibis, got {type(frame).__name__}{mend}"
        )
    for place, of in enumerate(found.schema):
        if pa.types.is_duration(of.type) or pa.types.is_interval(of.type):
            found = found.set_column(place, of.name, _seconds(found.column(place)))
    return found


def _seconds(spans: pa.ChunkedArray) -> pa.Array:
    """Spans of time as seconds: Arrow's would become numbers of its own unit, which no column tells."""
    if pa.types.is_duration(spans.type):
        return pc.divide(spans.cast(pa.duration("us"), safe=False).cast(pa.int64()), 1e6)
    each = spans.to_pylist()
    return pa.array([None if span is None else 86_400 * span.days + span.nanoseconds / 1e9 for span in each])


def _plain(cells: pd.Series) -> pd.Series:
    """A column of objects may hold anything, as a spreadsheet's may; for Arrow a period is a number."""
    if isinstance(cells.dtype, pd.PeriodDtype):
        return cells.dt.start_time
    return cells.map(_cell, na_action="ignore") if cells.dtype == object else cells


def _cell(value: Any) -> str:
    # an id of Python keeps its digits, unlike that of a spreadsheet
    return str(value) if type(value) is int else cell_text(value)


def _source(table: str, there: list[str]) -> dict[str, Any]:
    """What a funnel.toml would state of a file with these columns, each of which has its canonical name."""
    known = TABLES[table]
    columns = {name: name for name, spec in known.items() if spec.required or name in there}
    ours = {*known, *(date_column(name) for name, spec in known.items() if spec.kind == "instant")}
    # what pandas gives Arrow of an index without a name
    others = [name for name in there if name not in ours and not name.startswith("__index_level_")]
    more: dict[str, dict[str, Any]] = {
        "leads": {"attributes": {name: name for name in others}},
        "entries": {"unmapped": "ignore"},
    }
    return {"files": table, "columns": columns, **more.get(table, {})}


def _warn_of_unused(quality: Quality, funnel: Funnel) -> None:
    unused = quality.rows.assign(unused=quality.rows["rows_in"] - quality.rows["rows_kept"]).query("unused > 0")
    counts = [f"{row['unused']:,} of {row['rows_in']:,} rows of {row['table']}" for row in unused.to_dict("records")]
    told = [f"{listed(counts)} are not used, see quality."] if counts else []
    stages = quality.ignored.loc[quality.ignored["table"] == "entries", "value"]
    told += [f'No stage "{stage}": {suggestion(stage, (*funnel.stages, *ENDS))}' for stage in stages]
    for (table, column), cells in quality.bad_cells.groupby(["table", "column"], sort=False):
        told.append(f'{table}.{column}: {len(cells):,} unreadable, as "{cells["value"].iloc[0]}".')
    if told:
        warnings.warn(" ".join(told), stacklevel=3)
