"""Explanations of a request's predictions, and the response that contains both."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from analyzer.attribution.kernel_shap import KernelShap
from analyzer.explainer.config import ExplainerConfig, Expression
from analyzer.explainer.records import (
    RecordsError,
    label_headers,
    read_features,
    read_predictions,
    scores,
    write_features,
)

VERSION = "1.0"


@dataclass(frozen=True)
class Payload:
    """A text and its MIME type."""

    content_type: str
    data: str


class ModelFailed(Exception):
    """The model did not respond with predictions; the message is its own."""


# sends records to the model
Invoke = Callable[[str], Payload]


class Explainer:
    """Explains predictions of a model.

    Args:
        config: The configuration.
        baseline: The text of the SHAP baseline, of the configured type.

    Raises:
        RecordsError: The baseline cannot be read.
    """

    def __init__(self, config: ExplainerConfig, baseline: str) -> None:
        self._config = config
        try:
            self._baseline = read_features(baseline, config.baseline_type, config)
        except RecordsError as error:
            raise RecordsError(f"ShapBaseline: {error}") from error
        # None until the model has failed to respond to more than one record
        self._max_records = config.max_records

    def respond(
        self, request: Payload, predictions: Payload, invoke: Invoke, enable: str | None = None
    ) -> dict[str, Any]:
        """Return an endpoint's response: the predictions, and the explanations of those that are enabled.

        Args:
            request: The records.
            predictions: What the model responded to them.
            invoke: Sends records of the request's type to the model.
            enable: Takes the place of the configured EnableExplanations.

        Raises:
            QualityError: Records or predictions cannot be read as configured, or explained, or `enable` is not a valid
                expression.
            ModelFailed: The model did not predict the synthetic records.
        """
        predicted = read_predictions(predictions.data, predictions.content_type)
        condition = self._config.enable if enable is None else Expression("EnableExplanations", enable)
        chosen = [number for number, prediction in enumerate(predicted) if _is_enabled(condition, prediction)]
        headers = label_headers(predicted[0], self._config) if predicted else []
        explanations = {}
        if chosen:
            explanations = {"kernel_shap": self._kernel_shap(request, len(predicted), chosen, invoke)}
        return {
            "version": VERSION,
            "predictions": {"content_type": predictions.content_type, "data": predictions.data},
            **({"label_headers": headers} if headers else {}),
            "explanations": explanations,
        }

    def _kernel_shap(
        self, request: Payload, predictions: int, chosen: Sequence[int], invoke: Invoke
    ) -> list[list[Mapping[str, Any]] | None]:
        """Return the attributions of the chosen records, None for the others."""
        rows = read_features(request.data, request.content_type, self._config)
        if len(rows) != predictions:
            raise RecordsError(f"the model responded to {len(rows)} records with {predictions} predictions")
        names = self._names(len(rows[0]))
        kernel = KernelShap(
            lambda table: self._predict(table, request.content_type, invoke),
            _table(self._baseline, names),
            num_samples=self._config.num_samples,
            use_logit=self._config.use_logit,
            seed=self._config.seed,
        )
        values = kernel.explain(_table([rows[number] for number in chosen], names)).values
        explained: list[list[Mapping[str, Any]] | None] = [None] * len(rows)
        for number, record in zip(chosen, values, strict=True):
            explained[number] = [self._attribution(feature, record[:, feature]) for feature in range(len(names))]
        return explained

    def _attribution(self, feature: int, values: np.ndarray) -> Mapping[str, Any]:
        headers = self._config.feature_headers
        header = {"feature_header": headers[feature]} if headers else {}
        return {**header, "attributions": [{"attribution": values.tolist()}]}

    def _names(self, features: int) -> list[str]:
        """Return a name for each feature. Raises RecordsError if baseline or headers have another number."""
        for what, count in (("ShapBaseline", len(self._baseline[0])), ("FeatureHeaders", self._headers or features)):
            if count != features:
                raise RecordsError(f"the records have {features} features, but {what} has {count}")
        return [str(number) for number in range(features)]

    @property
    def _headers(self) -> int:
        return len(self._config.feature_headers)

    def _predict(self, table: pa.Table, content_type: str, invoke: Invoke) -> np.ndarray:
        """Return the model's scores for synthetic records."""
        rows = list(zip(*(column.to_pylist() for column in table.columns), strict=True))
        records = write_features(rows, content_type, self._config)
        found: list[list[float]] = []
        for batch in self._batches(records):
            try:
                predicted = self._scores(batch, invoke)
            except (ModelFailed, RecordsError):
                if self._max_records is not None or len(batch) == 1:
                    raise
                # the model may take a single record only
                self._max_records = 1
                predicted = [score for record in batch for score in self._scores([record], invoke)]
            found += predicted
        return np.array(found)

    def _batches(self, records: Sequence[str]) -> Iterator[list[str]]:
        """Yield records in as few batches as the model's limits allow."""
        batch: list[str] = []
        size = 0
        for record in records:
            length = len(record.encode()) + 1
            if batch and (len(batch) == self._max_records or size + length > self._config.max_payload):
                yield batch
                batch, size = [], 0
            batch.append(record)
            size += length
        yield batch

    def _scores(self, batch: Sequence[str], invoke: Invoke) -> list[list[float]]:
        answer = invoke("\n".join(batch))
        predictions = read_predictions(answer.data, answer.content_type)
        if len(predictions) != len(batch):
            raise RecordsError(f"the model responded to {len(batch)} records with {len(predictions)} predictions")
        return [scores(prediction, self._config) for prediction in predictions]


def _is_enabled(condition: Expression, prediction: Any) -> bool:
    """Evaluate EnableExplanations. Raises RecordsError if the result is not a boolean."""
    result = condition.search(prediction)
    if not isinstance(result, bool):
        raise RecordsError(
            f"{condition} must be true or false for each prediction, got {str(result)[:100]!r} for "
            f"{str(prediction)[:100]!r}"
        )
    return result


def _table(rows: Sequence[Sequence[str]], names: Sequence[str]) -> pa.Table:
    columns = [pa.array(values, pa.string()) for values in zip(*rows, strict=True)]
    return pa.table(columns, names=list(names))
