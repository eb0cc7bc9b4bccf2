"""How the XGBoost image serves a model of its built-in algorithm, as a program for `serve.py`.

CSV or libsvm without labels in; CSV, JSON or JSON lines out. A program of the user's own that has no input_fn or
predict_fn gets those of this one.

Source: https://github.com/aws/sagemaker-xgboost-container (algorithm_mode/serve.py, encoder.py).
"""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import numpy as np
import xgboost as xgb
from scipy.sparse import csr_matrix

MODEL_NAME = "xgboost-model"
LIBSVM = ("text/libsvm", "text/x-libsvm", "libsvm")
ACCEPTED = ("application/json", "application/jsonlines", "text/csv")


class RequestError(ValueError):
    """A request that cannot be answered. status_code: what it is answered with."""

    def __init__(self, status_code: int, message: str) -> None:
        super().__init__(message)
        self.status_code = status_code


def model_fn(model_dir: str) -> xgb.Booster:
    """The model in XGBoost's own format: the file `xgboost-model`, or the only one there is. Raises ValueError."""
    if "SAGEMAKER_INFERENCE_OUTPUT" in os.environ:
        raise ValueError("SAGEMAKER_INFERENCE_OUTPUT is not supported on this machine; leave it out of Environment")
    files = [path for path in Path(model_dir).iterdir() if path.is_file() and not path.name.startswith(".")]
    path = next((path for path in files if path.name == MODEL_NAME or len(files) == 1), None)
    if path is None:
        names = ", ".join(path.name for path in files)
        raise ValueError(f"there is no {MODEL_NAME} among the model's files ({names or 'none'})")
    booster = xgb.Booster(params={"nthread": 1})
    try:
        booster.load_model(bytearray(path.read_bytes()))
    except xgb.core.XGBoostError as error:
        raise ValueError(
            f"{path.name} is not in XGBoost's own format, in which Booster.save_model saves; a pickle, as old images "
            "left it, is not loaded on this machine"
        ) from error
    return booster


def input_fn(body: str | bytes, content_type: str | None) -> xgb.DMatrix:
    """The rows of a request. Raises RequestError."""
    kind = (content_type or "").partition(";")[0].strip().lower()
    text = body if isinstance(body, str) else body.decode("utf-8", errors="replace")
    if kind not in ("text/csv", "csv", *LIBSVM):
        raise RequestError(415, f"Content-type {content_type} is not supported.")
    try:
        return _libsvm(text) if kind in LIBSVM else _csv(text)
    except ValueError as error:
        name = "libsvm" if kind in LIBSVM else "csv"
        raise RequestError(
            415, f"Loading {name} data failed with Exception, please ensure data is in {name} format: {error}"
        ) from error


def predict_fn(rows: xgb.DMatrix, model: xgb.Booster) -> np.ndarray:
    """A prediction a row. Raises RequestError for rows that are not the model's."""
    try:
        return model.predict(rows, validate_features=False)
    except xgb.core.XGBoostError as error:
        raise RequestError(400, f"Unable to evaluate payload provided: {error}") from error


def output_fn(predictions: np.ndarray, accept: str) -> tuple[str, str]:
    """The response and its content type. Raises RequestError."""
    accept = accept.partition(";")[0].strip().lower()
    if accept not in ACCEPTED:
        supported = ", ".join(ACCEPTED)
        raise RequestError(
            406, f"Accept type {accept} is not supported. Please use supported accept types: {supported}."
        )
    if accept == "text/csv":
        return "".join(",".join(map(str, np.atleast_1d(row).tolist())) + "\n" for row in predictions), accept
    scores = [{"score": score} for score in predictions.tolist()]
    if accept == "application/json":
        return json.dumps({"predictions": scores}), accept
    return "".join(json.dumps(score) + "\n" for score in scores), accept


def _csv(text: str) -> xgb.DMatrix:
    lines = text.strip().splitlines()
    if not lines:
        raise ValueError("there are no rows")
    try:
        delimiter = csv.Sniffer().sniff(lines[0][:512]).delimiter
    except csv.Error:
        delimiter = ","
    delimiter = "," if delimiter.isalnum() or delimiter in ".-+" else delimiter
    return xgb.DMatrix(np.array([[float(field or "nan") for field in line.split(delimiter)] for line in lines]))


def _libsvm(text: str) -> xgb.DMatrix:
    lines = text.strip().splitlines()
    pairs = [
        (row, int(index), float(value))
        for row, line in enumerate(lines)
        for index, _, value in (item.partition(":") for item in line.split() if ":" in item)
    ]
    if not pairs:
        raise ValueError("there are no rows")
    rows, indices, values = (np.array(column) for column in zip(*pairs, strict=True))
    # indices that begin at 1 are moved to begin at 0, as the image does
    indices = indices - (indices.min() >= 1)
    return xgb.DMatrix(csr_matrix((values, (rows, indices)), shape=(len(lines), indices.max() + 1)))
