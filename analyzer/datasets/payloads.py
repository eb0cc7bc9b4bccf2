"""The records in a captured payload: CSV, JSON, JSON lines, or any of them in BASE64."""

from __future__ import annotations

import base64
import binascii
import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from analyzer.datasets.flattening import flat
from analyzer.datasets.selection import WRAPPERS

CSV, JSON, JSON_LINES = "CSV", "JSON", "JSONLINES"
MEDIA_TYPES = {
    "text/csv": CSV,
    "application/json": JSON,
    "application/jsonlines": JSON_LINES,
    "application/x-jsonlines": JSON_LINES,
}

Row = Sequence[Any]


@dataclass(frozen=True)
class Payload:
    """Records without names (``rows``), or flat ones with (``objects``); never both.

    ``is_text`` says that the values of the rows are texts that may stand for numbers, as CSV has them. ``is_vector``
    says that one row may as well be as many records of one value: a JSON list of plain values leaves that open.
    """

    rows: list[Row]
    objects: list[dict[str, Any]]
    is_text: bool = False
    is_vector: bool = False

    def __len__(self) -> int:
        return len(self.rows) or len(self.objects)


def decode(side: Mapping[str, Any]) -> Payload:
    """The records of ``endpointInput``, ``endpointOutput`` or ``groundTruthData`` of a captured event.

    Raises:
        ValueError: there is no payload, or it is not what its encoding says; the message does not show it.
    """
    data = side.get("data")
    if not isinstance(data, str):
        raise ValueError("has no payload in 'data'")
    encoding = str(side.get("encoding", CSV)).upper()
    if encoding == "BASE64":
        data, encoding = _unpack(data, str(side.get("observedContentType", "")))
    if encoding == CSV:
        return Payload(_cells(data), [], is_text=True)
    if encoding == JSON:
        try:
            return _records(json.loads(data))
        except RecursionError as error:
            raise ValueError("has a payload that is nested too deeply") from error
        except json.JSONDecodeError:
            # Content types of JSON lines are captured as JSON, too.
            return _lines(data)
    if encoding == JSON_LINES:
        return _lines(data)
    raise ValueError(f"has a payload in encoding {encoding!r}; CSV, JSON and BASE64 can be read")


def _cells(data: str) -> list[Row]:
    if '"' not in data and "\r" not in data:
        # Most payloads have nothing to unquote, and csv takes three times as long over one line.
        return [line.split(",") for line in data.split("\n") if line]
    try:
        return [row for row in csv.reader(io.StringIO(data, newline="")) if row]
    except csv.Error as error:
        raise ValueError(f"has a payload that is not CSV ({error})") from error


def _unpack(data: str, content_type: str) -> tuple[str, str]:
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type not in MEDIA_TYPES:
        raise ValueError(f"has a BASE64 payload of content type {content_type!r}; {', '.join(MEDIA_TYPES)} can be read")
    try:
        return base64.b64decode(data, validate=True).decode("utf-8"), MEDIA_TYPES[media_type]
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ValueError(f"has a payload that is not UTF-8 text in BASE64 ({type(error).__name__})") from error


def _lines(data: str) -> Payload:
    records = []
    for line in data.splitlines():
        if line.strip():
            try:
                records.append(json.loads(line))
            except json.JSONDecodeError as error:
                raise ValueError(f"has a payload that is neither JSON nor JSON lines ({error})") from error
    return _records(records, is_list_of_records=True)


def _records(value: Any, is_list_of_records: bool = False) -> Payload:
    if isinstance(value, dict):
        for wrapper in WRAPPERS:
            if isinstance(value.get(wrapper), list):
                return _records(value[wrapper], is_list_of_records=True)
        return Payload([], [flat(value)])
    if not isinstance(value, list):
        return Payload([[value]], [])
    if not is_list_of_records and value and not any(isinstance(item, dict | list) for item in value):
        return Payload([value], [], is_vector=True)
    if any(isinstance(item, dict) for item in value):
        if not all(isinstance(item, dict) for item in value):
            raise ValueError("has objects and other values side by side in one payload")
        return Payload([], [flat(item) for item in value])
    return Payload([item if isinstance(item, list) else [item] for item in value], [])
