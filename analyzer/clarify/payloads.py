"""Requests to endpoints and their responses, by the templates and places of the section ``predictor``."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from analyzer import QualityError
from analyzer.clarify.config import CSV, JSON, JSON_LINES, PredictorConfig
from analyzer.clarify.jmes import Expression

# An endpoint accepts 6 MB. Fewer records are a shorter wait for each response.
MAX_BYTES = 5_000_000
MAX_RECORDS = 2_000
PLACEHOLDER = re.compile(r'"\$\{([^}"]+)\}"|\$(features_kvp|feature_names|features|records|record)\b')

Row = Sequence[Any]


class Requests:
    """Writes requests.

    Args:
        predictor: The section of the configuration.
        content_type: Media type of the requests.
        names: The features, in the order of the values of a record.

    Raises:
        QualityError: A template has no placeholder for what it must contain, or is not JSON once it is filled.
    """

    def __init__(self, predictor: PredictorConfig, content_type: str, names: Sequence[str]) -> None:
        self.content_type = content_type
        self._names = names
        self._content, self._record = predictor.content_template or "", predictor.record_template or ""
        self._single = False
        if content_type == JSON_LINES:
            _require(self._content, {"features", "features_kvp"}, "content_template", "$features")
        elif content_type == JSON:
            found = _require(self._content, {"record", "records"}, "content_template", "$records")
            self._single = "record" in found
            for match in PLACEHOLDER.finditer(self._record):
                if match[1] and match[1] not in names:
                    raise QualityError(f"predictor.record_template has ${{{match[1]}}}, which is not a feature")

    def bodies(self, rows: Sequence[Row]) -> Iterator[tuple[str, int]]:
        """Yield the bodies of requests for records, with the number of records of each."""
        records: list[str] = []
        size = 0
        for row in rows:
            text = self._text(row)
            if records and (self._single or len(records) == MAX_RECORDS or size + len(text) > MAX_BYTES):
                yield self._body(records), len(records)
                records, size = [], 0
            records.append(text)
            size += len(text)
        if records:
            yield self._body(records), len(records)

    def _text(self, row: Row) -> str:
        if self.content_type == CSV:
            line = io.StringIO()
            csv.writer(line, lineterminator="").writerow(["" if value is None else value for value in row])
            return line.getvalue()
        template = self._content if self.content_type == JSON_LINES else self._record
        return _filled(template, self._values(row))

    def _values(self, row: Row) -> dict[str, str]:
        by_name = dict(zip(self._names, row, strict=True))
        values = {f"${{{name}}}": json.dumps(value, ensure_ascii=False) for name, value in by_name.items()}
        return values | {
            "features": json.dumps([*row], ensure_ascii=False),
            "feature_names": json.dumps([*self._names], ensure_ascii=False),
            "features_kvp": json.dumps(by_name, ensure_ascii=False),
        }

    def _body(self, records: list[str]) -> str:
        if self.content_type != JSON:
            return "\n".join(records)
        return _filled(self._content, {"record": records[0], "records": f"[{', '.join(records)}]"})


class Responses:
    """Reads responses.

    Args:
        predictor: The section of the configuration.
        accept_type: Media type of the responses.
    """

    def __init__(self, predictor: PredictorConfig, accept_type: str) -> None:
        self.accept_type = accept_type
        self._find = {
            member: None if place is None else self._finder(place, f"predictor.{member}")
            for member, place in (("label", predictor.label), ("probability", predictor.probability))
        }

    def read(self, body: str, count: int) -> tuple[list[Any] | None, list[Any] | None]:
        """Read the labels and the probabilities (or scores) of so many records.

        Returns:
            What is at ``label`` and at ``probability`` for each record, None without the member. Without both, the
            whole record is its scores.

        Raises:
            ValueError: The response does not have them; the message does not contain it.
        """
        records = self._records(body, count)
        label, probability = (None if find is None else find(records) for find in self._find.values())
        if label is None and probability is None:
            probability = [_unwrapped(record) for record in records]
        for values in (label, probability):
            if values is not None and len(values) != count:
                raise ValueError(f"{len(values)} predictions for {count} records")
        return label, probability

    def _records(self, body: str, count: int) -> list[Any]:
        if self.accept_type == CSV:
            rows = [[_cell(text) for text in row] for row in csv.reader(io.StringIO(body, newline="")) if row]
            # Old images of XGBoost answer with one line, which has a value for each record.
            return [[value] for value in rows[0]] if len(rows) == 1 < count == len(rows[0]) else rows
        if self.accept_type == JSON_LINES:
            return [json.loads(line) for line in body.split("\n") if line.strip()]
        return [json.loads(body)]

    def _finder(self, place: str | int, member: str) -> Callable[[list[Any]], list[Any]]:
        if self.accept_type == CSV:
            if not str(place).isdecimal():
                raise QualityError(f"{member} is {place!r}, but responses are CSV; use a zero-based index")
            return lambda rows: [_item(row, int(place), member) for row in rows]
        expression = Expression(str(place), member)
        if self.accept_type == JSON_LINES:
            return lambda records: [expression.search(record) for record in records]

        def of_document(documents: list[Any]) -> list[Any]:
            found = expression.search(documents[0])
            return found if isinstance(found, list) else [found]

        return of_document


def _unwrapped(record: Any) -> Any:
    """Return the only value of a record, which may be a list of scores."""
    return record[0] if isinstance(record, list) and len(record) == 1 else record


def _item(row: Row, index: int, member: str) -> Any:
    if index >= len(row):
        raise ValueError(f"{len(row)} values in a record, but {member} is {index}")
    return row[index]


def _cell(text: str) -> Any:
    """Read a cell of CSV: a number, a list of numbers, or a text."""
    try:
        return json.loads(text)
    except ValueError:
        return text.strip()


def _require(template: str, names: set[str], member: str, example: str) -> set[str]:
    found = {match[2] for match in PLACEHOLDER.finditer(template) if match[2]}
    if not found & names:
        raise QualityError(f"predictor.{member} {template!r} has no placeholder {example}; add it")
    return found


def _filled(template: str, values: Mapping[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        return values[f"${{{match[1]}}}" if match[1] else match[2]]

    return PLACEHOLDER.sub(value, template)
