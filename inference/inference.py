"""Serve a model: the four functions that SageMaker's scikit-learn serving container calls, in this order.

In, one record or many:
    text/csv               with or without a header; without one, all features in the model's order
    application/json       {"age": 31, "plan": "gold"}, a list of such, {"instances": [...]}, or arrays in the model's
                           order
    application/jsonlines  an object or an array on each line
With names, features may come in any order and be left out (they are then missing, as are null and an empty field); an
unknown name is refused. A category that training did not see counts as missing.

Out:
    application/json       {"predictions": [{"label": "yes", "probability": 0.83, "confidence": 0.83,
                           "probabilities": {"no": 0.17, "yes": 0.83}}]}, of a regression
                           {"predictions": [{"prediction": 152.3}]}
    application/jsonlines  one such prediction on each line
    text/csv               lines `prediction,probability` as in Evaluate's predictions.csv, where the prediction of two
                           classes is 0 or 1 (the positive class); of a regression `prediction` alone
The probability is that of the positive class of two, else that of the predicted class. The confidence, of two classes
alone, is the probability of the predicted class. Without a wish in Accept, or with */*, the answer is JSON.

A request that cannot be answered gets 400, 406 or 415 and one line that says why.

Settings, from the container's environment:
    UNKNOWN_FEATURES       refuse (default) or ignore names that the model does not know
    DATA_CAPTURE_...       capture requests and answers where the endpoint does not, see capture.py
"""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import csv_records
from booster import Booster, Scores
from features import Features, Record, read_features
from request_errors import InputError, shortened

if TYPE_CHECKING:
    from capture import Capture

BINARY, MULTICLASS, REGRESSION = "BinaryClassification", "MulticlassClassification", "Regression"
CSV, JSON, JSON_LINES = "text/csv", "application/json", "application/jsonlines"
INFERENCE_ID = "X-Amzn-SageMaker-Inference-Id"


@dataclass(frozen=True)
class Model:
    """labels: the classes as JSON; csv_labels: as a field of CSV; names: as keys of a JSON object."""

    booster: Booster
    problem_type: str
    features: Features
    labels: tuple[str, ...]
    csv_labels: tuple[str, ...]
    names: tuple[str, ...]
    capture: Capture | None


class Request(NamedTuple):
    """records: those of a JSON body. text: a CSV body, which only a model's features can tell the meaning of."""

    body: bytes | str
    content_type: str
    records: Sequence[Record]
    text: str | None


class Predictions(NamedTuple):
    """scores: the model's output, n numbers, or n lists of a probability for each of more than two classes."""

    model: Model
    request: Request
    scores: Scores


def model_fn(model_dir: str) -> Model:
    """Load model.txt and schema.json, in which nothing can run code, and answer one request.

    Raises:
        ValueError: they do not fit each other, or the model cannot predict, or a setting cannot be.
    """
    folder = Path(model_dir)
    schema = json.loads((folder / "schema.json").read_text(encoding="utf-8"))
    features = Features(read_features(schema), ignore_unknown=ignores_unknown_features(os.environ))
    booster = Booster(folder / "model.txt")
    classes = schema["classes"] or []
    if booster.num_features != len(features):
        raise ValueError(f"model.txt has {booster.num_features} features and schema.json {len(features)}; train again")
    if booster.num_scores != (len(classes) if schema["problem_type"] == MULTICLASS else 1):
        raise ValueError(f"model.txt has {booster.num_scores} outputs, schema.json {len(classes)} classes; train again")
    model = Model(
        booster,
        schema["problem_type"],
        features,
        labels=tuple(as_json(label) for label in classes),
        csv_labels=tuple(as_csv_field(str(label)) for label in classes),
        names=tuple(as_json(str(label)) for label in classes),
        capture=capture_of(os.environ),
    )
    check_health(model)
    take_bodies_as_they_come()
    return model


def input_fn(body: bytes | str, content_type: str | None) -> Request:
    """Read a request body; what its values mean is for predict_fn, which knows the model.

    Raises:
        InputError: the body is not what the content type says, or the content type is none of the three.
    """
    try:
        return read_request(body, content_type or JSON)
    except InputError as error:
        return refused(error)


def predict_fn(request: Request, model: Model) -> Predictions:
    """Encode the records as training did, and predict.

    Raises:
        InputError: there is no record, or one does not fit the model's features.
    """
    if not isinstance(request, Request):
        return request
    try:
        return Predictions(model, request, predict(request, model))
    except InputError as error:
        return refused(error)


def output_fn(predictions: Predictions, accept: str | None, context: Any = None) -> tuple[str, str]:
    """The response and its content type: the first of ``accept`` that there is.

    context: newer versions of SageMaker's inference toolkit hand over the request's headers with it.

    Raises:
        InputError: none of the accepted content types can be given.
    """
    if not isinstance(predictions, Predictions):
        return predictions
    try:
        content_type = JSON if accept == JSON else first_supported(accept)
    except InputError as error:
        return refused(error)
    answer = written(predictions, content_type)
    if predictions.model.capture is not None:
        keep(predictions.model.capture, predictions.request, answer, content_type, context)
    return answer, content_type


# --- loading ---


def ignores_unknown_features(environment: Mapping[str, str]) -> bool:
    choice = environment.get("UNKNOWN_FEATURES", "refuse")
    if choice not in ("refuse", "ignore"):
        raise ValueError(f"UNKNOWN_FEATURES is {choice!r}; give refuse or ignore")
    return choice == "ignore"


def capture_of(environment: Mapping[str, str]) -> Capture | None:
    if not environment.get("DATA_CAPTURE_DESTINATION_S3_URI"):
        return None
    # its imports are a tenth of a second at the first start of a serverless container
    import capture

    return capture.Capture(capture.destination_of(environment))


def check_health(model: Model) -> None:
    """Answer a record of which all is missing: a container whose model cannot must never be told healthy."""
    request = read_request("{}", JSON)
    scores = predict(request, model)
    (score,) = scores
    if not all(map(math.isfinite, score if isinstance(score, list) else [score])):
        raise ValueError(f"the model predicts {scores}; train again")
    written(Predictions(model, request, scores), JSON)


def take_bodies_as_they_come() -> None:
    """Keep SageMaker's inference toolkit from decoding bodies, which makes a 500 of one that is not UTF-8."""
    toolkit = sys.modules.get("sagemaker_inference.content_types")
    if toolkit is not None:
        toolkit.UTF8_TYPES.clear()


# --- refusing ---


def refused(error: InputError) -> Any:
    """Raise the error, or where that would be in vain, give the response that stands for it.

    SageMaker's inference toolkit answers with the error's status. The scikit-learn container serves single models with
    an older program, which makes "500 Internal Server Error" of every exception, but passes on a Flask response.
    """
    flask = sys.modules.get("flask")
    if flask is None or not flask.has_request_context():
        # the trace is part of the toolkit's answer, and what the error came from may repeat the record
        raise error from None
    return flask.Response(error.message, error.status_code, mimetype="text/plain")


# --- in ---


def read_request(body: bytes | str | None, content_type: str) -> Request:
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type not in (CSV, JSON, JSON_LINES):
        raise InputError(
            f"content type {shortened(content_type)} is not supported; send {CSV}, {JSON} or {JSON_LINES}",
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        )
    body = body or b""
    try:
        text = body if isinstance(body, str) else body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"the body is not UTF-8: {error}") from None
    if text is body and "\ufffd" in text:  # the container has decoded it, and put this for what it could not
        raise InputError("the body is not UTF-8: it holds U+FFFD, which stands for bytes that are not")
    text = text.removeprefix("\ufeff")
    if media_type == CSV:
        return Request(body, content_type, (), text)
    if media_type == JSON_LINES:
        # a line ends as JSON lines say, and not at every character that Python takes for an end
        lines = (line for line in text.split("\n") if line.strip())
        return Request(body, content_type, [parse_json(line, f"row {row}") for row, line in enumerate(lines, 1)], None)
    content = parse_json(text, "the body")
    if isinstance(content, dict):
        instances = content.get("instances")
        return Request(body, content_type, instances if isinstance(instances, list) else [content], None)
    if isinstance(content, list) and (not content or any(isinstance(item, dict | list) for item in content)):
        return Request(body, content_type, content, None)
    return Request(body, content_type, [content], None)


def predict(request: Request, model: Model) -> Scores:
    records = request.records
    if request.text is not None:
        columns = csv_records.read_long(request.text, model.features)
        if columns is not None and columns.shape[1]:
            return model.booster.predict_columns(columns)
        records = csv_records.read_records(request.text, model.features)
    if not records:
        raise InputError("the request holds no record; send at least one")
    encode = model.features.encode
    if len(records) == 1:
        return model.booster.predict_row(encode(records[0], 1))
    return model.booster.predict_rows([encode(record, row) for row, record in enumerate(records, start=1)])


def parse_json(text: str, place: str) -> Any:
    try:
        return DECODER.decode(text)
    except ValueError as error:
        raise InputError(f"{place} is not JSON: {error}") from None
    except RecursionError:
        raise InputError(f"{place} is nested too deeply") from None
    except TwiceNamedError as error:
        raise InputError(f"{place} names {shortened(error.args[0])} twice in one object") from None


class TwiceNamedError(Exception):
    """A JSON object has two values of the name."""


def without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        names: set[str] = set()
        raise TwiceNamedError(next(name for name, _ in pairs if name in names or names.add(name)))  # type: ignore[func-returns-value]
    return record


def refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON value; send null for what is missing")


# json.loads would make one a call
DECODER = json.JSONDecoder(object_pairs_hook=without_duplicates, parse_constant=refuse_constant)


# --- out ---


def first_supported(accept: str | None) -> str:
    for wanted in (part.partition(";")[0].strip().lower() for part in (accept or "*/*").split(",")):
        if wanted in (JSON, "*/*", "application/*"):
            return JSON
        if wanted in (CSV, "text/*"):
            return CSV
        if wanted == JSON_LINES:
            return JSON_LINES
    raise InputError(
        f"accept {shortened(accept)} is not supported; ask for {JSON}, {JSON_LINES} or {CSV}", HTTPStatus.NOT_ACCEPTABLE
    )


def written(predictions: Predictions, content_type: str) -> str:
    if content_type == CSV:
        return "".join(csv_lines(predictions.model, predictions.scores))
    described = json_objects(predictions.model, predictions.scores)
    if content_type == JSON_LINES:
        return "".join(f"{item}\n" for item in described)
    return f'{{"predictions": [{", ".join(described)}]}}'


def json_objects(model: Model, scores: Sequence[Any]) -> Iterator[str]:
    # put together by hand: json.dumps takes five times as long, and as much as the prediction
    if model.problem_type == REGRESSION:
        return (f'{{"prediction": {score!r}}}' for score in scores)
    if model.problem_type == BINARY:
        return (binary_object(model, score) for score in scores)
    return (multiclass_object(model, score) for score in scores)


def binary_object(model: Model, score: float) -> str:
    (negative, positive), other = model.names, 1 - score
    is_positive = score >= 0.5
    return (
        f'{{"label": {model.labels[is_positive]}, "probability": {score!r}, '
        f'"confidence": {score if is_positive else other!r}, '
        f'"probabilities": {{{negative}: {other!r}, {positive}: {score!r}}}}}'
    )


def multiclass_object(model: Model, scores: Sequence[float]) -> str:
    probability = max(scores)
    by_name = ", ".join([f"{name}: {score!r}" for name, score in zip(model.names, scores, strict=True)])
    label = model.labels[scores.index(probability)]
    return f'{{"label": {label}, "probability": {probability!r}, "probabilities": {{{by_name}}}}}'


def csv_lines(model: Model, scores: Sequence[Any]) -> Iterator[str]:
    if model.problem_type == REGRESSION:
        return (f"{score!r}\n" for score in scores)
    if model.problem_type == BINARY:
        return (f"1,{score!r}\n" if score >= 0.5 else f"0,{score!r}\n" for score in scores)
    return (f"{model.csv_labels[score.index(max(score))]},{max(score)!r}\n" for score in scores)


def as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def as_csv_field(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if any(character in text for character in ',"\r\n') else text


# --- capturing ---


def keep(capture: Capture, request: Request, answer: str, content_type: str, context: Any) -> None:
    from capture import Payload

    capture.add(Payload(request.body, request.content_type), Payload(answer, content_type), inference_id(context))


def inference_id(context: Any) -> str | None:
    """The id that the client gave, where the serving stack tells of the request's headers."""
    flask = sys.modules.get("flask")
    if flask is not None and flask.has_request_context():
        return str(flask.request.headers.get(INFERENCE_ID, ""))
    header = getattr(context, "get_request_header", None)
    return header(0, INFERENCE_ID) if header is not None else None
