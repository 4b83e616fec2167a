"""Where the rows of a funnel's tables come from and how they are read; the ground of all that is stated."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from funnelstats.config.kinds import (
    EVERY_COLUMN,
    DateFormats,
    Encoding,
    HeaderName,
    HeaderRows,
    Ids,
    Texts,
    Unit,
    Zone,
    as_tuple,
    by_column,
)


def frozen(stated: Any) -> Any:
    """Lists as tuples, which no check takes for anything else."""
    if isinstance(stated, dict):
        return {key: frozen(value) for key, value in stated.items()}
    return tuple(map(frozen, stated)) if isinstance(stated, list) else stated


class Spec(BaseModel):
    """A frozen statement that knows all its keys; a number in quotes is none."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    @model_validator(mode="before")
    @classmethod
    def _lists(cls, stated: Any) -> Any:
        return frozen(stated)


class FileKeys(Spec):
    """How files are read; which kinds of files have which of the keys says ``KEYS_OF_KIND``."""

    sheet: Texts = ()
    header_row: HeaderRows = (1,)
    rows: str = ""
    fill_down: Texts = ()
    encoding: Encoding | None = None
    may_lack: Texts = ()


class Join(FileKeys):
    """Another file whose columns are added to a source, many rows to one."""

    files: Annotated[Texts, Field(min_length=1)]
    left: str
    right: str
    unmatched: Literal["keep", "ignore"] = "keep"
    prefix: str = ""
    ids: Ids | None = None


class Source(FileKeys):
    """Where rows of one canonical table come from, and how to read them."""

    files: Texts = ()
    database: str | None = None
    table: str | None = None
    query: str | None = None
    watermark: str | None = None
    key: Texts = ()
    timezone: Zone | None = None
    columns: dict[str, HeaderName]
    attributes: dict[str, HeaderName] = {}
    constants: dict[str, str] = {}
    stage: str | None = None
    values: dict[str, dict[str, str]] = {}
    first_of: dict[str, Annotated[str, Field(min_length=1)]] = {}
    unmapped: Literal["error", "ignore"] = "error"
    date_format: Annotated[dict[str, DateFormats], BeforeValidator(by_column)] = {}
    decimal: Literal[".", ","] = "."
    thousands: str = ""
    currency_signs: Texts = ()
    only: dict[str, Texts] = {}
    without: dict[str, Texts] = {}
    given_back: dict[str, Texts] = {}
    refunded: str | None = None
    missing: Annotated[dict[str, Texts], BeforeValidator(by_column)] = {}
    unit: dict[str, Unit] = {}
    later_by: dict[str, str] = {}
    ids: Ids | None = None
    lead_by: Annotated[dict[str, str], Field(max_length=1)] = {}
    shared: Literal["latest"] | None = None
    no_lead: Literal["error", "ignore"] = "error"
    join: Annotated[tuple[Join, ...], BeforeValidator(as_tuple)] = ()
    keep: Literal["first", "last"] = "first"
    latest_by: str | None = None
    repeats: Literal["drop", "keep", "last"] | None = None

    @property
    def home(self) -> tuple[Any, ...]:
        """Which rows these are, of all that its files or its database hold."""
        return self.files, self.sheet, self.rows, self.database, self.table, self.query

    @model_validator(mode="before")
    @classmethod
    def _key_of_its_lead(cls, stated: Any) -> Any:
        """What the key of ``lead_by`` holds is read like an id, and stands for one until the lead is found."""
        keys = stated.get("lead_by") if isinstance(stated, Mapping) else None
        if not isinstance(keys, Mapping) or not isinstance(stated.get("columns"), Mapping):
            return stated
        return {**stated, "columns": {**stated["columns"], "lead_id": next(iter(keys), "")}}


Sources = Annotated[tuple[Source, ...], BeforeValidator(as_tuple)]


def stated_for(per_column: Mapping[str, tuple[str, ...]], column: str) -> tuple[str, ...]:
    """What a source states for a column, or for all of them."""
    return per_column.get(column, per_column.get(EVERY_COLUMN, ()))
