"""What may be stated: where tables come from and how they are read, a team's practice, and the kinds of all values."""

import re
from collections.abc import Mapping
from datetime import date, time
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, model_validator

from funnelstats.config.dates import checked_format, checked_formats, checked_zone
from funnelstats.config.errors import readable

EVERY_COLUMN = "*"
"""Key of what is stated for all columns of a source at once."""

LONGEST = 200
"""Letters of a name that pages show."""

Share = Annotated[float, Field(ge=0, le=1)]


def as_tuple(value: Any) -> Any:
    return (value,) if isinstance(value, str | int | Mapping) else value


def _ascending(rows: tuple[int, ...]) -> tuple[int, ...]:
    if list(rows) != sorted(set(rows)):
        raise ValueError("must name rows from top to bottom")
    return rows


def by_column(value: Any) -> Any:
    return value if isinstance(value, Mapping) else {EVERY_COLUMN: value}


def _unquoted(kind: type[date] | type[time]) -> BeforeValidator:
    """A day or a time of day may stand in quotes."""

    def read(value: Any) -> Any:
        try:
            return kind.fromisoformat(value) if isinstance(value, str) else value
        except ValueError:
            return value

    return BeforeValidator(read)


def _said(name: str) -> str:
    if not name.strip() or readable(name) != name or len(name) > LONGEST:
        raise ValueError(f"must be 1 to {LONGEST} letters without line breaks")
    return name


def _text_encoding(name: str) -> str:
    try:
        b"a".decode(name)
    except UnicodeDecodeError:  # of two bytes a letter
        pass
    except (LookupError, UnicodeError, ValueError) as error:
        raise ValueError('must be an encoding of text, for example "cp1251"') from error
    return name


def _retry(days: tuple[int, int]) -> tuple[int, int]:
    if days[0] > days[1]:
        raise ValueError("must be the first and the last day after the refusal")
    return days


def _lead_url(address: str) -> str:
    if not re.fullmatch(r"https?://[^\s{}]*\{lead_id\}[^\s{}]*", address):
        raise ValueError('must be an address with one {lead_id}, like "https://crm.example/deals/{lead_id}"')
    return address


class Header(str):
    """The name of a column in a file, or of several whose texts are one: "Date + Time"."""

    parts: tuple[str, ...]


def _header(value: Any) -> Header:
    parts = tuple(as_tuple(value)) if isinstance(value, str | list | tuple) else ()
    if not parts or not all(isinstance(part, str) for part in parts):
        raise ValueError("must be the header of a column, or a list of them")
    header = Header(" + ".join(parts))
    header.parts = parts
    return header


Zone = Annotated[str, AfterValidator(checked_zone)]
Name = Annotated[str, AfterValidator(_said)]
Day = Annotated[date, _unquoted(date)]
Clock = Annotated[time, _unquoted(time)]
Encoding = Annotated[str, AfterValidator(_text_encoding)]
LeadUrl = Annotated[str, AfterValidator(_lead_url)]
HeaderRows = Annotated[
    tuple[Annotated[int, Field(ge=1)], ...], BeforeValidator(as_tuple), Field(min_length=1), AfterValidator(_ascending)
]
HeaderName = Annotated[Header, PlainValidator(_header)]
Ids = Literal["number", "salesforce", "capitals", "phone"]
Unit = Literal["ms", "s", "min", "h", "hh:mm", "mm:ss", "micros", "cents", "thousands", "millions"]
Texts = Annotated[tuple[str, ...], BeforeValidator(as_tuple)]
Days = Annotated[int, Field(ge=1, le=36_500)]
RetryDays = Annotated[tuple[Days, Days], AfterValidator(_retry)]
Weekday = Literal["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
DateFormat = Annotated[str, AfterValidator(checked_format)]
DateFormats = Annotated[tuple[DateFormat, ...], BeforeValidator(as_tuple), AfterValidator(checked_formats)]


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


class Contact(Spec):
    """When a contact counts as effective, and when an attempt as a conversation."""

    follow_up_days: Days = 7
    conversation_s: Annotated[float, Field(gt=0)] = 60


class Work(Spec):
    """When the team works: the clock of speed, and the days of a plan."""

    days: Annotated[tuple[Weekday, ...], Field(min_length=1)] = ("Mon", "Tue", "Wed", "Thu", "Fri")
    start: Clock = time(9)
    end: Clock = time(18)
    holidays: tuple[Day, ...] = ()

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.start >= self.end:
            raise ValueError(f"start must lie before end, got {self.start:%H:%M} and {self.end:%H:%M}")
        return self


class Refusals(Spec):
    """What reasons of refusal mean: their category, which of them are listed for a second look, when to try again."""

    categories: dict[str, str] = {}
    excuses: Texts = ()
    gaps: dict[str, dict[str, Texts]] = {}
    retry_days: RetryDays = (60, 90)
    retry_days_of: dict[str, RetryDays] = {}
    final: Texts = ()


class Loop(Spec):
    """What marketing and sales agreed about a lead handed over."""

    handed_over: str = ""
    marketing: Texts = ()
    idle_days: Days = 14
    idle_days_at: dict[str, Days] = {}
    wrongly_qualified: Texts = ()
    needs: dict[str, Texts] = {}
    nurtured: str = ""


class LeadBase(Spec):
    """Which columns or attributes of leads say whose lead it is, whom not to call, how promising it looked."""

    company: str = ""
    blacklisted: str = ""
    score: str = ""


PRACTICE: dict[str, type[Spec]] = {
    "contact": Contact,
    "work": Work,
    "refusals": Refusals,
    "loop": Loop,
    "lead_base": LeadBase,
}
