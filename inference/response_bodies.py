"""Format predictions as JSON, JSON Lines and CSV."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from booster import Scores
from request_bodies import CSV, JSON, JSON_LINES
from request_errors import InputError, shortened
from request_limits import Limits

if TYPE_CHECKING:
    import numpy as np

# Predictions that are formatted before the length of the response is checked.
BATCH_ROWS = 1000

BINARY, MULTICLASS = "BinaryClassification", "MulticlassClassification"
REGRESSION, RANKING = "Regression", "Ranking"


@dataclass(frozen=True)
class ResponseFormat:
    """How the predictions of one model are written. Labels are encoded once, when the model is loaded.

    Attributes:
        problem_type: BINARY, MULTICLASS, REGRESSION or RANKING.
        labels: The classes as JSON values; empty for a regression and a ranking.
        csv_labels: The classes as CSV fields.
        keys: The classes as keys of a JSON object.
        decision_threshold: For two classes: the lowest probability that is labelled positive.
    """

    problem_type: str
    labels: tuple[str, ...]
    csv_labels: tuple[str, ...]
    keys: tuple[str, ...]
    decision_threshold: float = 0.5

    @classmethod
    def from_schema(cls, schema: Mapping[str, Any]) -> ResponseFormat:
        classes = schema["classes"] or []
        return cls(
            schema["problem_type"],
            labels=tuple(as_json(label) for label in classes),
            csv_labels=tuple(as_csv_field(str(label)) for label in classes),
            keys=tuple(as_json(str(label)) for label in classes),
            decision_threshold=schema.get("decision_threshold", 0.5),
        )

    def body(self, scores: Scores, content_type: str, limits: Limits) -> str:
        """Write the body of a response.

        Args:
            scores: The output of the model: n numbers, or n lists of a probability per class.
            content_type: CSV, JSON or JSON_LINES.
            limits: The limits of the request.

        Raises:
            InputError: The response is too long.
        """
        separator = ", " if content_type == JSON else ""
        if isinstance(scores, list):
            text = separator.join(self._texts(scores, content_type))
        else:
            parts: list[str] = []
            length = 0
            for start in range(0, len(scores), BATCH_ROWS):
                batch = scores[start : start + BATCH_ROWS]
                parts.append(separator.join(self._texts(batch, content_type)))
                length += len(parts[-1])
                limits.check_response(length, start + len(batch), "" if content_type == CSV else f" accept {CSV},")
            text = separator.join(parts)
        return f'{{"predictions": [{text}]}}' if content_type == JSON else text

    def explained_body(self, scores: Scores, explanations: Iterator[str], content_type: str, limits: Limits) -> str:
        """Write the body of a response with an explanation in each prediction; arguments and errors are those of body.

        Raises:
            InputError: The content type is CSV.
        """
        if content_type == CSV:
            raise InputError(
                f"{CSV} has no place for explanations; accept {JSON} or {JSON_LINES}, or send the request without "
                "explain",
                HTTPStatus.NOT_ACCEPTABLE,
            )
        texts: list[str] = []
        length = 0
        for prediction, explanation in zip(self._json_objects(as_list(scores)), explanations, strict=True):
            texts.append(f'{prediction[:-1]}, "explanation": {explanation}}}')
            length += len(texts[-1])
            limits.check_response(length, len(texts), " ask for fewer features,")
        if content_type == JSON_LINES:
            return "".join(f"{text}\n" for text in texts)
        return f'{{"predictions": [{", ".join(texts)}]}}'

    def _texts(self, scores: Scores, content_type: str) -> Iterator[str]:
        if content_type == CSV:
            return self._csv_lines(scores)
        predictions = self._json_objects(as_list(scores))
        return (f"{prediction}\n" for prediction in predictions) if content_type == JSON_LINES else predictions

    # Formatted by hand: json.dumps takes five times as long, which is as long as the prediction itself.
    def _json_objects(self, scores: Sequence[Any]) -> Iterator[str]:
        if self.problem_type in (REGRESSION, RANKING):
            return (f'{{"prediction": {score!r}}}' for score in scores)
        if self.problem_type == BINARY:
            return (self._binary_object(score) for score in scores)
        return (self._multiclass_object(score) for score in scores)

    def _binary_object(self, score: float) -> str:
        negative, positive = self.keys
        is_positive = score >= self.decision_threshold
        # Formatting a number takes half a microsecond.
        probability, complement = repr(score), repr(1 - score)
        return (
            f'{{"label": {self.labels[is_positive]}, "probability": {probability}, '
            f'"confidence": {probability if is_positive else complement}, '
            f'"probabilities": {{{negative}: {complement}, {positive}: {probability}}}}}'
        )

    def _multiclass_object(self, scores: Sequence[float]) -> str:
        probability = max(scores)
        by_key = ", ".join([f"{key}: {score!r}" for key, score in zip(self.keys, scores, strict=True)])
        label = self.labels[scores.index(probability)]
        return f'{{"label": {label}, "probability": {probability!r}, "probabilities": {{{by_key}}}}}'

    def _csv_lines(self, scores: Scores) -> Iterator[str]:
        values: list[Any] = as_list(scores)
        if self.problem_type == MULTICLASS:
            return (f"{self.csv_labels[value.index(max(value))]},{max(value)!r}\n" for value in values)
        texts = map(repr, values) if isinstance(scores, list) else number_texts(scores)
        if self.problem_type in (REGRESSION, RANKING):
            return (f"{text}\n" for text in texts)
        pairs = zip(values, texts, strict=True)
        threshold = self.decision_threshold
        return (f"1,{text}\n" if value >= threshold else f"0,{text}\n" for value, text in pairs)


def as_list(scores: Scores) -> list[Any]:
    return scores if isinstance(scores, list) else scores.tolist()


def number_texts(numbers: np.ndarray) -> list[str]:
    """Return the repr of each number of an array.

    Arrow takes a quarter of the time; it writes exponents and whole numbers in another way than Python.
    """
    import numpy as np

    try:
        import pyarrow as pa
    except ImportError:
        return list(map(repr, numbers.tolist()))
    # Not pa.array(), which imports pandas.
    array = pa.Array.from_buffers(pa.float64(), len(numbers), [None, pa.py_buffer(np.ascontiguousarray(numbers))])
    texts: list[str] = array.cast(pa.string()).to_pylist()
    size = np.abs(numbers)
    is_same = (size >= 1e-4) & (size < 1e10) & (numbers != np.trunc(numbers))
    for place in np.flatnonzero(~is_same).tolist():
        texts[place] = repr(float(numbers[place]))
    return texts


def accepted_type(accept: str | None) -> str:
    """Choose the first supported content type of an Accept header, JSON where there is no header.

    Raises:
        InputError: None of the accepted types is supported.
    """
    for media_type in (part.partition(";")[0].strip().lower() for part in (accept or "*/*").split(",")):
        if media_type in (JSON, "*/*", "application/*"):
            return JSON
        if media_type in (CSV, "text/*"):
            return CSV
        if media_type == JSON_LINES:
            return JSON_LINES
    raise InputError(
        f"accept {shortened(accept)} is not supported; accept {JSON}, {JSON_LINES} or {CSV}", HTTPStatus.NOT_ACCEPTABLE
    )


def as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def as_csv_field(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if any(character in text for character in ',"\r\n') else text
