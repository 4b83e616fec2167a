"""Rows of JSON: an object in each line, a list of objects, or a list within an object."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

from funnelstats.config.errors import FunnelError, suggestion
from funnelstats.importing.cells import Read, chosen_columns, composed, text_rows
from funnelstats.importing.facts import reason, reason_in_file
from funnelstats.importing.sql import Into


def read_json(file: TextIO, path: Path, wanted: Sequence[str] | None, way: str, into: Into | None) -> Read:
    """JSON lines, a list of objects, or one object that holds one list of them."""
    broken: list[tuple[int, str, str]] = []
    whole = _json_whole(file, path)
    if whole is None:
        file.seek(0)
        records = list(_json_lines(file, broken))
    else:
        values = list(enumerate(_rows_within(whole, path, wanted, way), start=1))
        records = [(number, value) for number, value in values if isinstance(value, dict)]
        wrong = [(number, value) for number, value in values if not isinstance(value, dict)]
        broken += [(number, _json_text(value), reason("json_object")) for number, value in wrong]
    if broken and not records:
        row, line, why = broken[0]
        raise FunnelError(
            f'{path.name}: JSON, but not one object per line (JSON lines): line {row} is "{line[:40]}", '
            f"which {reason_in_file(why)}"
        )
    if way:
        elements = [element for _number, record in records for element in _unfolded(record, way)]
        if not elements:
            raise FunnelError(f'{path.name}: rows: no list "{way}"; {suggestion(way, _lists(records))}')
        records = list(enumerate(elements, start=1))
    flat = [(number, _flat(record)) for number, record in records]
    header = list(dict.fromkeys(name for _, record in flat for name in record))
    chosen = chosen_columns(path, header, wanted)
    rows = ([number, *(_json_text(record.get(name)) for name in chosen)] for number, record in flat)
    kind = "JSON lines" if whole is None else "JSON"
    return Read(text_rows(rows, chosen, chosen, into), broken, kind, header)


def _json_whole(file: TextIO, path: Path) -> Any:
    """What the file holds where it is one value of JSON; None where each line is one."""
    first = next((line for line in file if line.strip(" \t\r\n\ufeff")), "")
    file_begins_list = first.lstrip("\ufeff \t").startswith("[")
    if not file_begins_list and _is_json(first) and any(line.strip() for line in file):
        return None
    file.seek(0)
    try:
        return _value(file.read())
    except json.JSONDecodeError as error:
        if file_begins_list:
            raise FunnelError(
                f"{path.name}: a JSON list that is not whole: {error.msg} in line {error.lineno}; export it again"
            ) from error
        return None


def _value(text: str) -> Any:
    """A value of JSON, numbers as they are written, half letters as the sign for one that is not known."""
    try:
        value = json.loads(text.lstrip("\ufeff"), parse_int=str, parse_float=str)
        if "\\ud" in text.casefold():
            value = json.loads(
                json.dumps(value, ensure_ascii=False).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
            )
    except RecursionError as error:
        raise json.JSONDecodeError("nested too deep", "", 0) from error
    return value


def _is_json(text: str) -> bool:
    try:
        _value(text)
    except json.JSONDecodeError:
        return False
    return True


def _json_lines(file: TextIO, broken: list[tuple[int, str, str]]) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(file, start=1):
        if not line.strip():
            continue
        try:
            record = _value(line)
        except json.JSONDecodeError as error:
            broken.append((number, line.strip(), reason("json", error.msg)))
            continue
        if isinstance(record, dict):
            yield number, record
        else:
            broken.append((number, line.strip(), reason("json_object")))


def _rows_within(whole: Any, path: Path, wanted: Sequence[str] | None, way: str) -> list[Any]:
    """The rows of a list, or of the one list of objects that an object holds; an object that is a row itself."""
    if isinstance(whole, list):
        return whole
    lists = _lists_within(whole)
    if not lists or way.partition(".")[0] in whole or (wanted and {*wanted} <= _flat(whole).keys()):
        return [whole]
    if len(lists) > 1 and wanted == []:
        return [whole]
    if len(lists) > 1:
        named = " or ".join(f'rows = "{name}"' for name in lists)
        raise FunnelError(f"{path.name}: one object with several lists of objects; state which are the rows: {named}")
    return next(iter(lists.values()))


def _lists_within(record: dict[str, Any]) -> dict[str, list[Any]]:
    """The lists of objects within a record, by the way to each."""
    return {
        name: value
        for name, value in _flat(record).items()
        if isinstance(value, list) and any(isinstance(one, dict) for one in value)
    }


def _lists(records: list[tuple[int, dict[str, Any]]]) -> list[str]:
    return list(dict.fromkeys(name for _number, record in records for name in _lists_within(record)))


def _unfolded(record: dict[str, Any], way: str) -> Iterator[dict[str, Any]]:
    """The record once for each element of the list at this way, in place of the list."""
    name, _point, rest = way.partition(".")
    value = record.get(name)
    # What other lists hold is said by their own rows.
    record = {key: held for key, held in record.items() if key not in _lists_within({key: held})}
    for one in value if isinstance(value, list) else [value] if rest and value is not None else []:
        if not rest:
            yield {**record, name: one}
        elif isinstance(one, dict):
            yield from ({**record, name: inner} for inner in _unfolded(one, rest))


def _flat(record: dict[str, Any]) -> dict[str, Any]:
    """The record with what lies in objects named by the way to it: "user.name"."""
    flat: dict[str, Any] = {}
    for name, value in record.items():
        if isinstance(value, dict):
            flat |= {composed(f"{name}.{inner}"): held for inner, held in _flat(value).items()}
        else:
            flat[composed(name)] = value
    return flat


def _json_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list) and not any(isinstance(one, list | dict) for one in value):
        return "; ".join(map(_json_text, value))
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
