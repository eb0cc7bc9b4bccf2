"""A record preprocessor of Model Monitor's: of a captured event the features that were asked about, by name.

Without it Model Monitor would take the endpoint's answer for columns of the data too, which no baseline has. It runs in
Model Monitor's own container, on the standard library alone.
"""

from __future__ import annotations

import csv
import io
import json
from typing import Any


def preprocess_handler(inference_record: Any) -> list[dict[str, Any]]:
    """The records of a request, each a dict; those of CSV without a header by their position."""
    request = inference_record.endpoint_input
    if request.encoding == "CSV":
        return csv_records(request.data)
    try:
        content = json.loads(request.data)
    except ValueError:
        content = [json.loads(line) for line in request.data.splitlines() if line.strip()]
    if isinstance(content, dict):
        content = content.get("instances", content)
    rows = content if isinstance(content, list) and content and isinstance(content[0], (dict, list)) else [content]
    return [row if isinstance(row, dict) else positional(row) for row in rows]


def csv_records(text: str) -> list[dict[str, Any]]:
    """A first row in which nothing is a number is a header."""
    rows = [row for row in csv.reader(io.StringIO(text)) if row]
    if len(rows) > 1 and not any(is_number(field) for field in rows[0]):
        # no `strict`, which that container's Python may not have
        return [dict(zip(rows[0], row)) for row in rows[1:]]  # noqa: B905
    return [positional(row) for row in rows]


def positional(row: list[Any]) -> dict[str, Any]:
    """Model Monitor puts the columns into the order of their names."""
    return {str(place).zfill(5): value for place, value in enumerate(row)}


def is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True
