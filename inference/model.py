"""A model: model.txt and schema.json, which are data and contain no code that loading could execute."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import csv_records
from booster import MANY_ROWS, Booster, Scores
from calibration import Calibration, IsotonicCalibration, read_calibration
from features import Features, Record, read_features
from request_bodies import JSON, Request, read_request
from request_errors import InputError
from request_limits import NO_LIMITS, Limits, request_limits
from response_bodies import MULTICLASS, ResponseFormat

if TYPE_CHECKING:
    import numpy as np
    from capture import Capture
    from derivation import Derivation
    from explanations import Explainer

# Records whose columns are derived at once.
BATCH_ROWS = 2048


@dataclass(frozen=True)
class Model:
    """A loaded model.

    Attributes:
        booster: The trees.
        features: The features, in the order of the trees.
        response_format: How its predictions are written.
        schema: The content of schema.json.
        calibration: What turns the output of the trees into probabilities; None where they are probabilities.
        is_limited: Whether requests have limits; not in batch transform jobs.
        derivation: How the model's columns are derived from the features; None where they are the features.
        capture: Where requests and responses are captured; None where they are not.
    """

    booster: Booster
    features: Features
    response_format: ResponseFormat
    schema: Mapping[str, Any]
    calibration: Calibration | None = None
    is_limited: bool = True
    derivation: Derivation | None = None
    capture: Capture | None = None

    def predict(self, request: Request) -> Scores:
        """Encode the records as training did, and predict.

        Returns:
            n numbers, or n lists of a probability per class for more than two classes; an array for many records.

        Raises:
            InputError: The request has no records or too many, or a record does not match the features.
        """
        return self._calibrated(self._output_of_trees(request))

    def predict_encoded(self, batches: Sequence[np.ndarray]) -> np.ndarray:
        """Predict what `encoded_batches` yields."""
        import numpy as np

        return np.asarray(self._calibrated(self._predict_batches(iter(batches), NO_LIMITS)))

    def _calibrated(self, scores: Scores) -> Scores:
        return scores if self.calibration is None else self.calibration.apply(scores)

    def _output_of_trees(self, request: Request) -> Scores:
        if self.derivation is not None:
            return self._predict_derived(request, self.derivation)
        # The common case, which must be fast.
        if len(request.records) == 1:
            return self.booster.predict_row(self.features.encode(request.records[0], 1))
        limits = self.limits(request)
        if request.text is not None:
            batches = csv_records.read_long(request.text, self.features)
            if batches is not None:
                return self._predict_batches(batches, limits)
        first, records = self._first_records(request, limits)
        if len(first) == MANY_ROWS:
            from batches import encode_batches

            return self._predict_batches(encode_batches(chain(first, records), self.features), limits)
        encode = self.features.encode
        if len(first) == 1:
            return self.booster.predict_row(encode(first[0], 1))
        return self.booster.predict_rows([encode(record, row) for row, record in enumerate(first, start=1)])

    def _predict_derived(self, request: Request, derivation: Derivation) -> Scores:
        limits = self.limits(request)
        first, records = self._first_records(request, limits)
        if len(first) == MANY_ROWS:
            return self._predict_batches(derived_batches(chain(first, records), derivation), limits)
        rows = [*zip(*derivation.encode(first, 1), strict=True)]
        return self.booster.predict_row(rows[0]) if len(rows) == 1 else self.booster.predict_rows(rows)

    def _first_records(self, request: Request, limits: Limits) -> tuple[list[Record], Iterator[Record]]:
        """Read MANY_ROWS records, or as many as there are; returns them and the others."""
        limits.check_records(len(request.records))
        records = self._records(request)
        first = list(islice(records, MANY_ROWS))
        if not first:
            raise InputError("the request contains no records; send at least one")
        limits.check_records(len(first))
        return first, records

    def _records(self, request: Request) -> Iterator[Record]:
        return iter(request.records) if request.text is None else csv_records.read_records(request.text, self.features)

    def _predict_batches(self, batches: Iterator[np.ndarray], limits: Limits) -> np.ndarray:
        import numpy as np

        scores, number = [], 0
        for columns in batches:
            number += columns.shape[1]
            limits.check_records(number)
            scores.append(self.booster.predict_columns(columns))
        return np.concatenate(scores)

    def explain(self, request: Request, scores: Scores, count: int) -> Iterator[str]:
        """Explain the predictions of a request by the ``count`` columns that contribute most to each.

        Returns:
            A JSON object for each record.

        Raises:
            InputError: The model cannot be explained, or the request has too many records.
        """
        return self._explainer.explain(request, scores, count)

    @cached_property
    def _explainer(self) -> Explainer:
        """Made on first use, because most processes never explain."""
        from explanations import Explainer

        return Explainer(self)

    def encoded_records(self, request: Request) -> Iterator[tuple[Sequence[Any], Sequence[float]]]:
        """Yield the values of each record's features as they were sent, and those of the model's columns."""
        for row, record in enumerate(self._records(request), start=1):
            sent = [*map(record.get, self.features.names)] if isinstance(record, dict) else record
            if self.derivation is None:
                yield sent, self.features.encode(record, row)
            else:
                yield sent, [number for (number,) in self.derivation.encode([record], row)]

    def encoded_batches(self, request: Request) -> Iterator[np.ndarray]:
        """Yield the model's columns of many records in batches, float64, shape (columns, rows of the batch)."""
        if self.derivation is not None:
            return derived_batches(self._records(request), self.derivation)
        batches = None if request.text is None else csv_records.read_long(request.text, self.features)
        if batches is not None:
            return batches
        from batches import encode_batches

        return encode_batches(self._records(request), self.features)

    def limits(self, request: Request) -> Limits:
        """Return the limits of a request."""
        if not self.is_limited:
            return NO_LIMITS
        return request_limits(len(request.body), self.booster.num_features + self.booster.num_scores)

    def check_health(self) -> None:
        """Answer an empty record, so that a container whose model cannot predict never becomes healthy.

        Raises:
            ValueError: The prediction is not finite.
        """
        scores = self.predict(read_request("{}", JSON))
        (score,) = scores
        if not all(map(math.isfinite, score if isinstance(score, list) else [score])):
            raise ValueError(f"the model predicts {scores} for an empty record; train it again")
        self.response_format.body(scores, JSON, NO_LIMITS)


def derived_batches(records: Iterator[Record], derivation: Derivation) -> Iterator[np.ndarray]:
    """Derive columns in batches, float64, shape (columns, rows of the batch)."""
    import numpy as np

    row = 1
    while batch := list(islice(records, BATCH_ROWS)):
        yield np.array(derivation.encode(batch, row), np.float64)
        row += len(batch)


def load_model(folder: Path, ignore_unknown: bool, is_limited: bool = True) -> Model:
    """Load model.txt and schema.json.

    Args:
        folder: The unpacked model.tar.gz.
        ignore_unknown: Whether names that are not features are ignored instead of refused.
        is_limited: Whether requests have limits.

    Raises:
        ValueError: The files do not match each other, or the model cannot predict.
    """
    schema = json.loads((folder / "schema.json").read_text(encoding="utf-8"))
    features = Features(read_features(schema), ignore_unknown)
    calibration = read_calibration(schema)
    booster = Booster(
        folder / "model.txt",
        raw_scores=calibration is not None and calibration.of_raw_scores,
        # Between two points that are close together, rounding errors would grow.
        exact=isinstance(calibration, IsotonicCalibration),
    )
    classes = schema["classes"] or []
    derivation = None
    if "columns" in schema:
        # Most models have no derived columns, and start sooner without the module.
        from derivation import Derivation

        derivation = Derivation(schema, features, folder)
    columns = len(features) if derivation is None else len(derivation)
    if booster.num_features != columns:
        raise ValueError(
            f"model.txt has {booster.num_features} features, but schema.json has {columns}; train the model again"
        )
    if booster.num_scores != (len(classes) if schema["problem_type"] == MULTICLASS else 1):
        raise ValueError(
            f"model.txt has {booster.num_scores} outputs, but schema.json has {len(classes)} classes; "
            "train the model again"
        )
    response_format = ResponseFormat.from_schema(schema)
    model = Model(booster, features, response_format, schema, calibration, is_limited, derivation)
    model.check_health()
    return model
