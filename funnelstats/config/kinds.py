"""The kinds of values that a funnel.toml may hold, and what makes one of them wrong."""

import re
from collections.abc import Mapping
from datetime import date, time
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator

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
