"""Models that predict the records of a job: an archive of this project, or whatever answers behind an endpoint."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from analyzer import QualityError
from analyzer.attribution.local_shap import LocalShap
from analyzer.attribution.tree_shap import ModelArchive
from analyzer.clarify.config import CSV, PARQUET, AnalysisConfig, PredictorConfig, Scalar
from analyzer.clarify.payloads import Requests, Responses
from analyzer.clients import client

DEFAULT_THRESHOLD = 0.5


@dataclass(frozen=True)
class LabelKind:
    """What the labels of the dataset are, which says what a score means.

    Attributes:
        values: Up to three distinct values, in order of appearance.
    """

    values: tuple[Any, ...] = ()

    @property
    def is_binary(self) -> bool:
        """Whether a score is the probability of one of two labels. Without labels, that is assumed."""
        return len(self.values) < 3


@dataclass(frozen=True)
class PredictedBatch:
    """Predictions for a batch of records.

    Attributes:
        labels: The predicted labels.
        shap: SHAP values; None where they were not asked for, or where Kernel SHAP must compute them.
    """

    labels: pa.Array
    shap: LocalShap | None = None


class Model(Protocol):
    """A model that predicts records.

    Attributes:
        outputs: The names of its scores.
        explains_itself: Whether `batches` can explain; else Kernel SHAP must.
    """

    outputs: Sequence[str]
    explains_itself: bool

    def predict(self, records: pa.Table) -> np.ndarray:
        """Return the scores of records, of shape (records,) or (records, outputs)."""

    def batches(self, records: Iterable[pa.RecordBatch], explain: bool) -> Iterator[PredictedBatch]:
        """Predict the labels of records in their order and, if the model can, explain them."""


class ArchiveModel:
    """A model archive of this project, run by its own code and explained exactly."""

    explains_itself = True

    def __init__(self, archive: ModelArchive, config: AnalysisConfig) -> None:
        self._archive, self._threshold = archive, config.probability_threshold
        headers = config.predictor.label_headers if config.predictor else ()
        fits = len(headers) == len(archive.outputs)
        self.outputs: Sequence[str] = [*map(str, headers)] if fits else archive.outputs

    @property
    def features(self) -> Sequence[str]:
        """The features that it reads."""
        return self._archive.features

    def predict(self, records: pa.Table) -> np.ndarray:
        """Return the probability of the positive class, those of all classes, or numbers."""
        return self._archive.predict(records)

    def batches(self, records: Iterable[pa.RecordBatch], explain: bool) -> Iterator[PredictedBatch]:
        """Predict the labels of records in their order, and explain them if asked for."""
        for scored in self._archive.score(records, explain):
            shap = scored.shap
            if shap is not None:
                shap = LocalShap(shap.features, self.outputs, shap.values, shap.expected)
            yield PredictedBatch(self._labels(scored.predictions), shap)

    def _labels(self, predictions: pa.RecordBatch) -> pa.Array:
        labels = predictions.column("prediction")
        # The archive has a decision threshold of its own.
        if self._threshold is None or "probability" not in predictions.schema.names or len(self._archive.classes) != 2:
            return labels
        above = predictions.column("probability").to_numpy() > self._threshold
        return pa.array([self._archive.classes[int(is_above)] for is_above in above], labels.type)


class EndpointModel:
    """A model behind an endpoint.

    Args:
        name: The endpoint.
        predictor: The section of the configuration.
        config: The configuration.
        features: The columns to send, in this order.
        kind: What the labels of the dataset are.
    """

    explains_itself = False

    def __init__(
        self, name: str, predictor: PredictorConfig, config: AnalysisConfig, features: Sequence[str], kind: LabelKind
    ) -> None:
        content_type = predictor.content_type or (
            CSV if config.dataset_type in (None, PARQUET) else config.dataset_type
        )
        self._name, self._predictor, self._features = name, predictor, [*features]
        self._requests = Requests(predictor, content_type, features)
        self._responses = Responses(predictor, predictor.accept_type or content_type)
        self._runtime = client("sagemaker-runtime")
        self._threshold, self._kind = config.probability_threshold, kind
        self.outputs: Sequence[str] = []

    def predict(self, records: pa.Table) -> np.ndarray:
        """Return the scores of records: what is at ``probability``, else at ``label``, else the whole response."""
        labels, scores = self._invoke(records)
        values = scores if scores is not None else labels
        try:
            found = np.asarray(values, dtype=float)
        except (TypeError, ValueError) as error:
            raise QualityError(
                f"endpoint {self._name!r} answers with labels that are not numbers, which cannot be explained; set "
                "predictor.probability to the place of the scores"
            ) from error
        if found.ndim == 2 and found.shape[1] == 1:
            found = found[:, 0]
        self._set_outputs(1 if found.ndim == 1 else found.shape[1])
        return found

    def batches(self, records: Iterable[pa.RecordBatch], explain: bool) -> Iterator[PredictedBatch]:
        """Predict the labels of records in their order; Kernel SHAP must explain them."""
        for batch in records:
            labels, scores = self._invoke(pa.Table.from_batches([batch]))
            yield PredictedBatch(pa.array(self._labels(labels, scores)))

    def _invoke(self, records: pa.Table) -> tuple[list[Any] | None, list[Any] | None]:
        import botocore.exceptions

        columns = [records.column(name).to_pylist() for name in self._features]
        options = {
            option: value
            for option, value in (
                ("CustomAttributes", self._predictor.custom_attributes),
                ("TargetModel", self._predictor.target_model),
            )
            if value
        }
        labels: list[Any] = []
        scores: list[Any] = []
        for body, count in self._requests.bodies([*zip(*columns, strict=True)]):
            try:
                response = self._runtime.invoke_endpoint(
                    EndpointName=self._name,
                    ContentType=self._requests.content_type,
                    Accept=self._responses.accept_type,
                    Body=body.encode("utf-8"),
                    **options,
                )
                text = response["Body"].read().decode("utf-8")
            except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
                raise QualityError(
                    f"endpoint {self._name!r} does not answer a request of {count} records ({error}); check "
                    "predictor.content_type, the templates and the features"
                ) from error
            try:
                some_labels, some_scores = self._responses.read(text, count)
            except ValueError as error:
                raise QualityError(
                    f"a response of endpoint {self._name!r} does not fit the predictor: {error}; check "
                    "predictor.accept_type, label and probability"
                ) from error
            labels += some_labels or []
            scores += some_scores or []
        return labels or None, scores or None

    def _set_outputs(self, count: int) -> None:
        headers = self._predictor.label_headers
        self.outputs = [*map(str, headers)] if len(headers) == count else [f"label{output}" for output in range(count)]

    def _labels(self, labels: list[Any] | None, scores: list[Any] | None) -> list[Any]:
        if labels is not None and not _are_scores(labels, self._kind):
            if scores is not None and isinstance(labels[0], list):
                return [of_record[_highest(of_scores)] for of_record, of_scores in zip(labels, scores, strict=True)]
            if not isinstance(labels[0], list):
                return labels
        values = scores if scores is not None else labels or []
        rows = [value if isinstance(value, list) else [value] for value in values]
        if len(rows[0]) > 1:
            headers: Sequence[Scalar] = self._predictor.label_headers or range(len(rows[0]))
            if len(headers) != len(rows[0]):
                raise QualityError(
                    f"endpoint {self._name!r} answers with {len(rows[0])} scores, but predictor.label_headers has "
                    f"{len(headers)} labels; name one for each score"
                )
            return [headers[_highest(row)] for row in rows]
        if self._threshold is None and not self._kind.is_binary:
            return [row[0] for row in rows]
        return self._decided([_score(row[0], self._name) for row in rows])

    def _decided(self, scores: list[float]) -> list[Any]:
        """Return the label of each score: that of the score if it is above the threshold, else the other one."""
        threshold = DEFAULT_THRESHOLD if self._threshold is None else self._threshold
        headers, known = self._predictor.label_headers, self._kind.values
        if not headers and any(not _is_zero_or_one(value) for value in known):
            raise QualityError(
                f"endpoint {self._name!r} answers with scores, but the labels are {', '.join(map(repr, known))}; set "
                "predictor.label_headers to the label that the score is the probability of"
            )
        positive = headers[-1] if headers else 1
        negative = headers[0] if len(headers) > 1 else next((item for item in known if str(item) != str(positive)), 0)
        return [positive if score > threshold else negative for score in scores]


def _are_scores(labels: list[Any], kind: LabelKind) -> bool:
    """Whether what is at ``label`` are probabilities: fractions, while the labels are two."""
    return kind.is_binary and any(isinstance(value, float) and not value.is_integer() for value in labels)


def _is_zero_or_one(value: Any) -> bool:
    return str(value) in ("0", "1", "0.0", "1.0")


def _highest(scores: Any) -> int:
    if not isinstance(scores, list) or not scores:
        raise QualityError("predictor.label is a list of labels, but predictor.probability is not a list of scores")
    return max(range(len(scores)), key=lambda index: scores[index])


def _score(value: Any, endpoint: str) -> float:
    try:
        score = float(value)
    except (TypeError, ValueError):
        score = math.nan
    if math.isnan(score):
        raise QualityError(
            f"endpoint {endpoint!r} answers with {value!r} instead of a score; set predictor.label to the place of the "
            "predicted labels"
        )
    return score
