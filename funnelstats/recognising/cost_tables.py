"""Costs whose headers are channels or months: as people write them in a spreadsheet."""

from __future__ import annotations

from collections.abc import Collection

from funnelstats.importing.cells import plain_date
from funnelstats.importing.closing import TOTAL
from funnelstats.importing.hints import reads, toml_value
from funnelstats.recognising.months import MONTHS, with_months
from funnelstats.recognising.roles import Guess, Table
from funnelstats.recognising.sheets import Sheet


def costs_by_headers(sheet: Sheet, channels: Collection[str]) -> list[Table]:
    """A table of costs for each column that is named by one of the channels, or by a month; none where none is so."""
    known = {channel.casefold() for channel in channels}
    numbers = [name for name, field in sheet.fields.items() if field.kind == "number"]
    of_channels = [name for name in numbers if name.casefold() in known]
    dated, parts = with_months(sheet) if of_channels else (sheet, {})
    if of_channels and dated.dates:
        headers = {"time": dated.dates[0]}
        return [
            _costs(dated, {**headers, "amount": name}, f"constants.channel = {toml_value(name)}")._replace(parts=parts)
            for name in of_channels
        ]
    named = {
        name: [value for value in sheet.values(name) if value.casefold() in known]
        for name, field in sheet.fields.items()
        if field.kind == "text"
    }
    channel = max(named, key=lambda name: len(named[name]), default="")
    months = {name: fmt for name in numbers for fmt in MONTHS if not name.isdigit() and reads(plain_date(name), fmt)}
    if not channel or not named[channel] or len(months) < 2:
        return []
    spent = sheet.cells[channel].dropna()
    rows = {channel: spent[~spent.str.match(TOTAL)].unique().tolist()}
    return [
        _costs(
            sheet,
            {"channel": channel, "amount": name},
            f"constants.date = {toml_value(name)}",
            f"date_format = {toml_value(fmt)}",
            f"only = {toml_value(rows)}",
        )
        for name, fmt in months.items()
    ]


def _costs(sheet: Sheet, headers: dict[str, str], *lines: str) -> Table:
    roles = {role: Guess(header, known=True) for role, header in headers.items()}
    amount = headers["amount"]
    without = [f"without = {toml_value({amount: ''})}"] if sheet.cells[amount].isna().any() else []
    return Table(sheet, "costs", roles, {}, lines=[*lines, *without])
