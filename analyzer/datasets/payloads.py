"""Decoding of captured payloads: CSV, JSON, JSON lines, or any of them in BASE64."""

from __future__ import annotations

import base64
import binascii
import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from analyzer.datasets.flattening import flatten
from analyzer.datasets.selection import WRAPPERS

CSV, JSON, JSON_LINES = "CSV", "JSON", "JSONLINES"
# As long as the longest field that the endpoint accepts.
MAX_FIELD_LENGTH = 1 << 20
MEDIA_TYPES = {
    "text/csv": CSV,
    "application/json": JSON,
    "application/jsonlines": JSON_LINES,
    "application/x-jsonlines": JSON_LINES,
}

Row = Sequence[Any]


@dataclass(frozen=True)
class Payload:
    """The records of a payload: either ``rows`` without names, or flat ``objects``.

    Attributes:
        rows: Values of each record.
        objects: Values of each record by name.
        is_text: Whether the rows' values are texts that may represent numbers, as in CSV.
        is_vector: Whether the single row may also be one record per value: a flat JSON list is ambiguous.
    """

    rows: list[Row]
    objects: list[dict[str, Any]]
    is_text: bool = False
    is_vector: bool = False

    def __len__(self) -> int:
        return len(self.rows) or len(self.objects)


def decode(side: Mapping[str, Any]) -> Payload:
    """Decode ``endpointInput``, ``endpointOutput`` or ``groundTruthData`` of a captured event.

    Raises:
        ValueError: The payload is missing or does not match its encoding. The message does not contain the payload.
    """
    data, encoding = text_of(side)
    if encoding == CSV:
        return Payload(cells(data), [], is_text=True)
    if encoding == JSON:
        try:
            return _records(json.loads(data))
        except RecursionError as error:
            raise ValueError("has a payload that is nested too deeply") from error
        except json.JSONDecodeError:
            # JSON lines are captured with the encoding JSON, too.
            pass
    return _records(json_lines(data), is_list_of_records=True)


def text_of(side: Mapping[str, Any]) -> tuple[str, str]:
    """Return the text of a payload without a byte order mark, and its encoding: CSV, JSON or JSON_LINES.

    Raises:
        ValueError: There is none, or it is in another encoding.
    """
    data = side.get("data")
    if not isinstance(data, str):
        raise ValueError("has no payload in 'data'")
    encoding = str(side.get("encoding", CSV)).upper()
    if encoding == "BASE64":
        data, encoding = _decode_base64(data, media_type_of(side))
    if encoding not in (CSV, JSON, JSON_LINES):
        raise ValueError(f"has a payload with the encoding {encoding!r}; supported are CSV, JSON and BASE64")
    return data.removeprefix("\ufeff"), encoding


def media_type_of(side: Mapping[str, Any]) -> str:
    """Return the content type of a payload without its parameters; empty if it is unknown."""
    return str(side.get("observedContentType", "")).partition(";")[0].strip().lower()


def cells(data: str) -> list[Row]:
    """Return the fields of each row of CSV. Raises ValueError if it is not CSV."""
    if '"' not in data and "\r" not in data:
        # Most payloads have no quotes, and csv takes three times as long for one line.
        return [line.split(",") for line in data.split("\n") if line]
    csv.field_size_limit(MAX_FIELD_LENGTH)
    try:
        return [row for row in csv.reader(io.StringIO(data, newline="")) if row]
    except csv.Error as error:
        raise ValueError(f"has a payload that is not CSV ({error})") from error


def json_lines(data: str) -> list[Any]:
    """Return the value of each line. Raises ValueError if one is not JSON."""
    values = []
    # Not splitlines(), which also splits at characters that JSON allows inside strings.
    for line in data.split("\n"):
        if line.strip():
            try:
                values.append(json.loads(line))
            except RecursionError as error:
                raise ValueError("has a payload that is nested too deeply") from error
            except json.JSONDecodeError as error:
                raise ValueError(f"has a payload that is neither JSON nor JSON lines ({error})") from error
    return values


def _decode_base64(data: str, media_type: str) -> tuple[str, str]:
    if media_type not in MEDIA_TYPES:
        raise ValueError(f"has a BASE64 payload of content type {media_type!r}; supported are {', '.join(MEDIA_TYPES)}")
    try:
        return base64.b64decode(data, validate=True).decode("utf-8"), MEDIA_TYPES[media_type]
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ValueError(f"has a payload that is not UTF-8 text in BASE64 ({type(error).__name__})") from error


def _records(value: Any, is_list_of_records: bool = False) -> Payload:
    if isinstance(value, dict):
        for wrapper in WRAPPERS:
            if isinstance(value.get(wrapper), list):
                return _records(value[wrapper], is_list_of_records=True)
        return Payload([], [flatten(value)])
    if not isinstance(value, list):
        return Payload([[value]], [])
    if not is_list_of_records and value and not any(isinstance(item, dict | list) for item in value):
        return Payload([value], [], is_vector=True)
    if any(isinstance(item, dict) for item in value):
        if not all(isinstance(item, dict) for item in value):
            raise ValueError("mixes objects and other values in one payload")
        return Payload([], [flatten(item) for item in value])
    return Payload([item if isinstance(item, list) else [item] for item in value], [])
