"""Inference for models of the built-in XGBoost algorithm, loaded by `serve.py` like a user's inference module.

Requests are CSV or libsvm without labels, responses CSV, JSON or JSON lines. In the XGBoost image this module also
provides the default input_fn and predict_fn of users' modules.

Source: https://github.com/aws/sagemaker-xgboost-container (algorithm_mode/serve.py, encoder.py).
"""

from __future__ import annotations

import csv
import json
import os
import pickle
from pathlib import Path

import numpy as np
import xgboost as xgb
from scipy.sparse import csr_matrix

MODEL_NAME = "xgboost-model"
LIBSVM = ("text/libsvm", "text/x-libsvm", "libsvm")
ACCEPTED = ("application/json", "application/jsonlines", "text/csv")


class RequestError(ValueError):
    """An invalid request, with the HTTP status of its response."""

    def __init__(self, status_code: int, message: str) -> None:
        super().__init__(message)
        self.status_code = status_code


class UnloadableModel:
    """A model that this XGBoost cannot load. As in the image, requests fail, not the container's start.

    Endpoints roll such a model back by an alarm on their 5XX errors.
    """

    def __init__(self, reason: str) -> None:
        self.reason = f"Unable to load model: {reason}"
        print(self.reason, flush=True)


def model_fn(model_dir: str) -> xgb.Booster | UnloadableModel:
    """Load a model from the file `xgboost-model` or the only file.

    It is a pickle, as images up to 1.2 save it, or in XGBoost's own format. Images of every version try both.

    Raises:
        ValueError: The model's environment has a variable that is not supported.
    """
    if "SAGEMAKER_INFERENCE_OUTPUT" in os.environ:
        raise ValueError("SAGEMAKER_INFERENCE_OUTPUT is not supported on this machine; remove it from Environment")
    files = [path for path in Path(model_dir).iterdir() if path.is_file() and not path.name.startswith(".")]
    path = next((path for path in files if path.name == MODEL_NAME or len(files) == 1), None)
    if path is None:
        names = ", ".join(path.name for path in files)
        return UnloadableModel(f"{MODEL_NAME} is not among the model's files ({names or 'none'})")
    try:
        booster = _unpickled(path) or _loaded(path)
    except Exception as error:
        reason = str(error).partition("\n")[0]
        return UnloadableModel(f"XGBoost {xgb.__version__} cannot load {path.name}: {reason}")
    booster.set_param({"nthread": 1})
    return booster


def _unpickled(path: Path) -> xgb.Booster | None:
    """Load a pickle, which executes what is in it, as the image does; None if the file is not a pickle."""
    if not path.read_bytes().startswith(b"\x80"):
        return None
    with path.open("rb") as file:
        booster = pickle.load(file)  # noqa: S301
    if not isinstance(booster, xgb.Booster):
        raise TypeError(f"the pickle contains a {type(booster).__name__}, not a Booster")
    return booster


def _loaded(path: Path) -> xgb.Booster:
    booster = xgb.Booster()
    booster.load_model(bytearray(path.read_bytes()))
    return booster


def input_fn(body: str | bytes, content_type: str | None) -> xgb.DMatrix:
    """Parse the rows of a request, which are assumed to be CSV if it has no content type.

    Raises:
        RequestError: The content type is not supported, or the body does not have it.
    """
    kind = (content_type or "text/csv").partition(";")[0].strip().lower()
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


def predict_fn(rows: xgb.DMatrix, model: xgb.Booster | UnloadableModel) -> np.ndarray:
    """Return a prediction for each row.

    Raises:
        RequestError: The model cannot be loaded, or the rows do not fit it.
    """
    if isinstance(model, UnloadableModel):
        raise RequestError(500, model.reason)
    try:
        return model.predict(rows, validate_features=False)
    except xgb.core.XGBoostError as error:
        raise RequestError(400, f"Unable to evaluate payload provided: {error}") from error


def output_fn(predictions: np.ndarray, accept: str) -> tuple[str, str]:
    """Format a response; return its body and content type.

    Raises:
        RequestError: The accept type is not supported.
    """
    accept = accept.partition(";")[0].strip().lower()
    if accept not in ACCEPTED:
        supported = ", ".join(ACCEPTED)
        raise RequestError(
            406, f"Accept type {accept} is not supported. Please use supported accept types: {supported}."
        )
    if accept == "text/csv":
        # images up to 1.2; in a batch transform they write lines, too
        if "XGBOOST_BEFORE_1_3" in os.environ and "SAGEMAKER_BATCH" not in os.environ:
            return ",".join(map(str, predictions.tolist())), accept
        return "".join(",".join(map(str, np.atleast_1d(row).tolist())) + "\n" for row in predictions), accept
    scores = [{"score": score} for score in predictions.tolist()]
    if accept == "application/json":
        return json.dumps({"predictions": scores}), accept
    return "".join(json.dumps(score) + "\n" for score in scores), accept


def _csv(text: str) -> xgb.DMatrix:
    lines = text.strip().splitlines()
    if not lines:
        raise ValueError("the body has no rows")
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
        raise ValueError("the body has no rows")
    rows, indices, values = (np.array(column) for column in zip(*pairs, strict=True))
    # not shifted if they are one-based, as in the image and in training
    return xgb.DMatrix(csr_matrix((values, (rows, indices)), shape=(len(lines), indices.max() + 1)))
