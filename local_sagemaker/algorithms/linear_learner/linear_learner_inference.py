"""Inference for models of the built-in Linear Learner, loaded by `serve.py` like a user's inference module.

A model archive has one file, `model_algo-1`: a zip of MXNet's symbol and parameters, and of the algorithm's settings.
Only its three documented predictor types are read: one layer of weights with a logistic, softmax or identity output.
Nothing in the file is code.

Requests are CSV, JSON or JSON Lines without labels, responses JSON or JSON Lines, see "Linear Learner Response Formats"
in SageMaker's developer guide. The order of keys and the number of digits are those of the image's responses.
"""

from __future__ import annotations

import json
import struct
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from pathlib import Path
from typing import Any

import numpy as np

JSON, JSON_LINES, CSV = "application/json", "application/jsonlines", "text/csv"
SETTINGS, SYMBOL, PARAMETERS = "additional-params.json", "mx-mod-symbol.json", "mx-mod-0000.params"
OUTPUTS = {
    "LogisticRegressionOutput": "binary_classifier",
    "SoftmaxOutput": "multiclass_classifier",
    "LinearRegressionOutput": "regressor",
}
# of MXNet's NDArray files: the list's magic number, an array's, and the code of 32-bit floats
LIST_MAGIC, ARRAY_MAGIC, FLOAT32 = 0x112, 0xF993FAC9, 0
# digits after the decimal point in JSON Lines; the image cuts off the others
DECIMALS = Decimal(1).scaleb(-15)


class RequestError(ValueError):
    """An invalid request, with the HTTP status of its response."""

    def __init__(self, status_code: int, message: str) -> None:
        super().__init__(message)
        self.status_code = status_code


@dataclass(frozen=True)
class LinearModel:
    """A model: scores are the output function of features @ weights + bias.

    Attributes:
        predictor_type: `binary_classifier`, `multiclass_classifier` or `regressor`.
        weights: A row for each feature, a column for each score.
        bias: A value for each score.
        threshold: Scores above it predict the label 1 of a binary classifier.
    """

    predictor_type: str
    weights: np.ndarray
    bias: np.ndarray
    threshold: float


def model_fn(model_dir: str) -> LinearModel:
    """Load the model from the file `model_algo-1`.

    Raises:
        ValueError: The file does not exist or is not a model of the algorithm.
    """
    path = Path(model_dir) / "model_algo-1"
    try:
        with zipfile.ZipFile(path) as archive:
            settings, symbol = (json.loads(archive.read(name)) for name in (SETTINGS, SYMBOL))
            arrays = _arrays(archive.read(PARAMETERS))
        weights, bias = arrays["arg:fc0_weight"], arrays["arg:fc0_bias"].ravel()
        outputs = [node["op"] for node in symbol["nodes"] if node["op"].endswith("Output")]
        predictor_type = settings["predictor_type"]
    except (OSError, KeyError, ValueError, struct.error, zipfile.BadZipFile) as error:
        raise ValueError(f"{path.name} is not a model of Linear Learner: {error}") from error
    if [OUTPUTS.get(output) for output in outputs] != [predictor_type]:
        raise ValueError(
            f"{path.name} is a {predictor_type} with the output {', '.join(outputs)}, which is not supported on this "
            f"machine; supported: {', '.join(OUTPUTS)}"
        )
    return LinearModel(predictor_type, weights, bias, settings.get("threshold") or 0.5)


def input_fn(body: str | bytes, content_type: str | None) -> np.ndarray:
    """Return the features of the request's records.

    Raises:
        RequestError: The content type is not supported, or the body does not have it.
    """
    kind = (content_type or "").partition(";")[0].strip().lower()
    text = body if isinstance(body, str) else body.decode("utf-8", errors="replace")
    if kind not in (CSV, JSON, JSON_LINES):
        raise RequestError(
            415, f"Content-type {content_type} is not supported; supported: {CSV}, {JSON}, {JSON_LINES}."
        )
    try:
        if kind == CSV:
            rows: Sequence[Any] = [line.split(",") for line in text.strip().splitlines()]
        elif kind == JSON:
            rows = [_features(instance) for instance in json.loads(text)["instances"]]
        else:
            rows = [_features(json.loads(line)) for line in text.strip().splitlines()]
        features = np.array(rows, dtype=np.float32)
        if features.ndim != 2:
            raise ValueError("the records have different numbers of features, or there are none")
    except (ValueError, KeyError, TypeError) as error:
        raise RequestError(400, f"Unable to read the payload as {kind}: {error}") from error
    return features


def predict_fn(features: np.ndarray, model: LinearModel) -> list[dict[str, Any]]:
    """Return score and predicted label for each record.

    Raises:
        RequestError: The number of features is not that of the model.
    """
    expected = len(model.weights)
    if features.shape[1] != expected:
        raise RequestError(400, f"The model expects {expected} features for each record, got {features.shape[1]}.")
    # the image computes in 32 bits
    raw = features @ model.weights + model.bias
    if model.predictor_type == "regressor":
        return [{"score": score} for score in raw[:, 0].tolist()]
    if model.predictor_type == "binary_classifier":
        with np.errstate(over="ignore"):
            scores = (1 / (1 + np.exp(-raw[:, 0]))).astype(np.float32).tolist()
        return [{"score": score, "predicted_label": int(score > model.threshold)} for score in scores]
    exponentials = np.exp(raw - raw.max(axis=1, keepdims=True))
    shares = exponentials / exponentials.sum(axis=1, keepdims=True)
    return [{"score": row.tolist(), "predicted_label": int(row.argmax())} for row in shares]


def output_fn(predictions: list[dict[str, Any]], accept: str) -> tuple[str, str]:
    """Format a response; return its body and content type.

    Raises:
        RequestError: The accept type is not supported.
    """
    kind = accept.partition(";")[0].strip().lower()
    if kind == JSON:
        return json.dumps({"predictions": predictions}), kind
    if kind != JSON_LINES:
        raise RequestError(406, f"Accept type {accept} is not supported; supported: {JSON}, {JSON_LINES}.")
    lines = [{name: _cut(value) for name, value in sorted(prediction.items())} for prediction in predictions]
    return "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines), kind


def _features(record: Any) -> list[float]:
    """Return the features of a JSON record in either of the dense formats."""
    if "features" in record:
        return list(record["features"])
    return list(record["data"]["features"]["values"])


def _cut(value: Any) -> Any:
    if isinstance(value, list):
        return [_cut(item) for item in value]
    return float(Decimal(value).quantize(DECIMALS, ROUND_DOWN)) if isinstance(value, float) else value


def _arrays(content: bytes) -> dict[str, np.ndarray]:
    """Return the dense 32-bit arrays of a file of MXNet's `ndarray.save` by name. Raises ValueError, struct.error."""
    magic, _, count = struct.unpack_from("<QQQ", content)
    if magic != LIST_MAGIC:
        raise ValueError(f"{PARAMETERS} is not a list of arrays")
    position, arrays = 24, []
    for _ in range(count):
        magic, storage, dimensions = struct.unpack_from("<IiI", content, position)
        shape = struct.unpack_from(f"<{dimensions}q", content, position + 12)
        position += 12 + 8 * dimensions
        # after the shape: type and number of the device, and the code of the values' type
        _, _, kind = struct.unpack_from("<iii", content, position)
        if (magic, storage, kind) != (ARRAY_MAGIC, 0, FLOAT32):
            raise ValueError(f"{PARAMETERS} has an array that is not dense with 32-bit floats")
        size = int(np.prod(shape))
        arrays.append(np.frombuffer(content, "<f4", size, position + 12).reshape(shape))
        position += 12 + 4 * size
    names = []
    (count,) = struct.unpack_from("<Q", content, position)
    position += 8
    for _ in range(count):
        (length,) = struct.unpack_from("<Q", content, position)
        names.append(content[position + 8 : position + 8 + length].decode())
        position += 8 + length
    return dict(zip(names, arrays, strict=True))
