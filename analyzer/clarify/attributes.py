"""Where payloads of captured events have a value for each of their records."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from analyzer.clarify.jmes import Expression
from analyzer.datasets.payloads import CSV, Payload, cells, decode, json_lines, text_of

# What serving containers call their predictions, as the endpoints of this project do.
PREDICTIONS = ("label", "predicted_label", "prediction", "score")
FIRST = re.compile(r"\[0\]")


@dataclass(frozen=True)
class Attributes:
    """Where captured events have what a bias or explainability analysis reads.

    Attributes:
        features: JMESPath of the features in requests; the whole request if None.
        inference: JMESPath or index of the predicted label in responses.
        probability: JMESPath or index of the probability in responses, used without ``inference``.
        probability_threshold: The probability above which a prediction is positive; 0.5 if None.
    """

    features: str | None = None
    inference: str | None = None
    probability: str | None = None
    probability_threshold: float | None = None


class ValuePlace:
    """Finds a value for each record in a payload."""

    def __init__(self, place: str | int | None, member: str, names: Sequence[str]) -> None:
        text = None if place is None else str(place)
        self._index = int(text) if text is not None and text.isdecimal() else None
        self._expressions = []
        if text is not None and self._index is None:
            self._expressions.append(Expression(text, member))
            # predictions[0].label is what one record of a request has; others have more.
            if FIRST.search(text):
                self._expressions.append(Expression(FIRST.sub("[*]", text), member))
        self._member, self._names = member, names

    def values(self, side: dict[str, Any], count: int) -> list[Any]:
        """Return the values of so many records. Raises ValueError if there are more or fewer."""
        text, encoding = text_of(side)
        if encoding == CSV:
            rows = cells(text)
            return [typed(row[min(self._index or 0, len(row) - 1)]) for row in rows]
        found: list[Any] = []
        for expression in self._expressions:
            documents = json_documents(side)
            found = [expression.search(document) for document in documents]
            if len(documents) == 1 and isinstance(found[0], list):
                found = found[0]
            if len(found) == count:
                return found
        return found or self._first_of(decode(side), count)

    def _first_of(self, payload: Payload, count: int) -> list[Any]:
        """Return the value of a known name or at the index, else the first one."""
        if payload.objects:
            return [
                next((record[name] for name in self._names if name in record), next(iter(record.values()), None))
                for record in payload.objects
            ]
        rows = payload.rows
        if payload.is_vector and len(rows[0]) == count:
            return [*rows[0]]
        return [row[min(self._index or 0, len(row) - 1)] for row in rows]


def json_documents(side: dict[str, Any]) -> list[Any]:
    """Return the JSON documents of a payload: one, or one for each line."""
    text, encoding = text_of(side)
    if encoding == CSV:
        raise ValueError("has a payload in CSV, where a JMESPath finds nothing; remove features_attribute")
    try:
        return [json.loads(text)]
    except json.JSONDecodeError:
        return json_lines(text)


def typed(text: str) -> Any:
    """Read a cell of CSV as a number if it is one; an empty one is missing."""
    text = text.strip()
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text or None
