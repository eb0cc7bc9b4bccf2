"""A record preprocessor for Model Monitor: it extracts the features of a captured request, by name.

Without it, Model Monitor would also read the columns of the response, which no baseline has. It runs in Model Monitor's
own container, with the standard library only.
"""

from __future__ import annotations

import csv
import io
import json
from typing import Any

# Fields of requests that are not features; `python -m monitoring schedule create` fills in those of the settings.
NOT_FEATURES: tuple[str, ...] = ()


def preprocess_handler(inference_record: Any) -> list[dict[str, Any]]:
    """Extract the records of a request as dictionaries; the keys of CSV without a header are positions."""
    request = inference_record.endpoint_input
    data = request.data[1:] if request.data.startswith("\ufeff") else request.data
    return [
        {name: value for name, value in record.items() if name not in NOT_FEATURES}
        for record in records(request.encoding, data)
    ]


def records(encoding: str, data: str) -> list[dict[str, Any]]:
    """Read the records of a request."""
    if encoding == "CSV":
        return csv_records(data)
    try:
        content = json.loads(data)
    except ValueError:
        # Not splitlines(), which also splits at characters that JSON allows inside strings.
        content = [json.loads(line) for line in data.split("\n") if line.strip()]
    if isinstance(content, dict):
        content = content.get("instances", content)
    rows = content if isinstance(content, list) and content and isinstance(content[0], (dict, list)) else [content]
    return [row if isinstance(row, dict) else positional(row) for row in rows]


def csv_records(text: str) -> list[dict[str, Any]]:
    """Parse CSV. The first row is a header if none of its fields is a number."""
    rows = [row for row in csv.reader(io.StringIO(text, newline="")) if row]
    if len(rows) > 1 and not any(is_number(field) for field in rows[0]):
        names = [name.strip() for name in rows[0]]
        # Without `strict`, which needs Python 3.10; the container's version is not documented.
        return [dict(zip(names, row)) for row in rows[1:]]  # noqa: B905
    return [positional(row) for row in rows]


def positional(row: list[Any]) -> dict[str, Any]:
    """Name the values by position, padded with zeros because Model Monitor sorts columns by name."""
    return {str(index).zfill(5): value for index, value in enumerate(row)}


def is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True
