"""Explain predictions: how much each of the model's columns adds to the raw score of a record (TreeSHAP).

The contributions and the base value, the mean of the raw score over the training rows, sum to the raw score: what the
trees add up to before a probability, an exponential or a calibration is made of it. For two classes it is that of the
positive one, for more that of the predicted one.

A request asks for explanations by a parameter of its Accept header, `application/json;explain=true`, or, where a client
cannot set one, by the custom attribute `explain=true`. A number in place of `true` is the number of features to list.
(InvokeEndpoint's own parameter EnableExplanations belongs to SageMaker Clarify's online explainability.)

An explanation takes as long as some ten to a hundred predictions, so the module is imported for them only, and the
number of records is limited.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import nlargest
from http import HTTPStatus
from itertools import islice
from typing import TYPE_CHECKING, Any

from request_errors import InputError, shortened
from response_bodies import MULTICLASS, as_json, as_list

if TYPE_CHECKING:
    from booster import Booster, Scores
    from model import Model
    from request_bodies import Request

DEFAULT_FEATURES, MAX_FEATURES = 5, 100
MAX_RECORDS = 1000
# Records whose contributions are in memory at once.
BATCH_ROWS = 64
# Of a value in a response, which may be a category of any length.
MAX_TEXT = 100
OPTION = re.compile(r"(?:^|[;,\s])explain\s*=\s*([^;,\s]*)", re.IGNORECASE)


def requested_features(*places: str | None) -> int:
    """Read the option `explain` of a request.

    Args:
        places: The texts that may contain it: the Accept header and the custom attributes.

    Returns:
        The number of features to list, 0 without explanations.

    Raises:
        InputError: It is neither a number in range nor true or false.
    """
    for text in places:
        for value in OPTION.findall(text or ""):
            choice = value.strip('"').lower()
            if choice in ("true", "false"):
                return DEFAULT_FEATURES if choice == "true" else 0
            if choice.isascii() and choice.isdecimal() and 1 <= int(choice[:4]) <= MAX_FEATURES and len(choice) < 4:
                return int(choice)
            raise InputError(
                f"explain is {shortened(value)}; send true, or the number of features to list, 1 to {MAX_FEATURES}"
            )
    return 0


@dataclass(frozen=True)
class Column:
    """A column of the model, as an explanation shows it.

    Attributes:
        name: Its name as JSON.
        place: The place of the feature whose value is shown; None to show the value of the column.
        is_number: Whether the feature or column is a number.
        categories: The categories of a column without a place; None for a number.
    """

    name: str
    place: int | None
    is_number: bool
    categories: Sequence[str] | None = None

    @classmethod
    def from_schema(cls, schema: Mapping[str, Any]) -> list[Column]:
        features = schema["features"]
        places = {feature["name"]: place for place, feature in enumerate(features)}

        def column(entry: Mapping[str, Any]) -> Column:
            # A part of a date is worth more than the date; an encoded text is worth more than its number.
            place = None if "part" in entry else places.get(entry["source"]) if "source" in entry else None
            shown = entry if place is None else features[place]
            return cls(as_json(entry["name"]), place, shown["type"] == "number", entry.get("categories"))

        return [
            column(entry) for entry in schema.get("columns") or [{**item, "source": item["name"]} for item in features]
        ]

    def value(self, record: Sequence[Any], number: float) -> str:
        """Return the value to show as JSON: as it was sent, but texts of numbers as numbers.

        Args:
            record: The values of the features, as sent.
            number: The value of the column.
        """
        sent = record[self.place] if self.place is not None else None
        if self.place is None and self.categories is not None:
            sent = None if math.isnan(number) else self.categories[int(number)]
        elif self.place is None or (self.is_number and isinstance(sent, str)):
            sent = None if math.isnan(number) else number
        if isinstance(sent, str):
            text = sent.strip()
            sent = text if len(text) <= MAX_TEXT else f"{text[: MAX_TEXT - 3]}..."
        # In ASCII, because a text may have lone surrogates, which cannot be encoded.
        return json.dumps(sent)


class Explainer:
    """Explains the predictions of a model.

    Raises:
        InputError: The model cannot be explained.
    """

    def __init__(self, model: Model):
        schema = model.schema
        if has_linear_trees(model.booster):
            raise InputError(
                "the model has linear trees, which LightGBM cannot explain; train it without linear_tree, or send the "
                "request without explain",
                HTTPStatus.NOT_ACCEPTABLE,
            )
        self._model = model
        self._columns = Column.from_schema(schema)
        classes = schema["classes"] or []
        self._classes = [f'"class": {as_json(label)}, ' for label in classes] or [""]
        self._is_multiclass = schema["problem_type"] == MULTICLASS

    def explain(self, request: Request, scores: Scores, count: int) -> Iterator[str]:
        """Explain the predictions of a request.

        Args:
            request: The request.
            scores: The predictions for its records.
            count: The number of features to list.

        Returns:
            A JSON object for each record.

        Raises:
            InputError: There are too many records.
        """
        if self._model.is_limited and len(scores) > MAX_RECORDS:
            raise InputError(
                f"the request contains {len(scores)} records, but at most {MAX_RECORDS} are explained; send fewer in "
                "each request, or use a batch transform job",
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            )
        return self._explanations(request, iter(as_list(scores)), count)

    def _explanations(self, request: Request, scores: Iterator[Any], count: int) -> Iterator[str]:
        records = self._model.encoded_records(request)
        width = len(self._columns) + 1
        while batch := list(islice(records, BATCH_ROWS)):
            contributions = self._model.booster.contributions([numbers for _, numbers in batch])
            for row, (record, numbers) in enumerate(batch):
                score = next(scores)
                output = score.index(max(score)) if self._is_multiclass else 0
                start = (row * self._model.booster.num_scores + output) * width
                label = self._classes[output if self._is_multiclass else -1]
                yield self._explanation(label, record, numbers, contributions[start : start + width], count)

    def _explanation(
        self, label: str, record: Sequence[Any], numbers: Sequence[float], contributions: Sequence[float], count: int
    ) -> str:
        *of_columns, base = contributions
        largest = nlargest(count, range(len(of_columns)), key=lambda place: abs(of_columns[place]))
        listed = ", ".join(
            f'{{"feature": {self._columns[place].name}, '
            f'"value": {self._columns[place].value(record, numbers[place])}, '
            f'"contribution": {of_columns[place]!r}}}'
            for place in largest
        )
        shown = set(largest)
        others = math.fsum(value for place, value in enumerate(of_columns) if place not in shown)
        return (
            f'{{{label}"raw_score": {math.fsum(contributions)!r}, "base_value": {base!r}, '
            f'"contributions": [{listed}], "other_features": {others!r}}}'
        )


def has_linear_trees(booster: Booster) -> bool:
    return re.search(r"^is_linear=1", booster.path.read_text(encoding="utf-8"), re.MULTILINE) is not None
