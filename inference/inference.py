"""Serve a model: the four functions that SageMaker's scikit-learn serving container calls, in this order.

Requests, with one record or many:
    text/csv               with or without a header; without one, all features in the model's order
    application/json       {"age": 31, "plan": "gold"}, a list of objects, {"instances": [...]}, or arrays in the
                           model's order
    application/jsonlines  an object or an array per line
With names, features may be in any order. A feature that is left out is missing, like null and an empty field; an
unknown name is refused. A category that is not in the training split counts as missing.

Responses:
    application/json       {"predictions": [{"label": "yes", "probability": 0.83, "confidence": 0.83,
                           "probabilities": {"no": 0.17, "yes": 0.83}}]}; for a regression
                           or a ranking {"predictions": [{"prediction": 152.3}]}
    application/jsonlines  one such prediction per line
    text/csv               lines `prediction,probability` as in predictions.csv of Evaluate. For two classes the
                           prediction is 0 or 1 (the positive class); for a regression or a ranking a line is the
                           prediction alone
The probability is that of the positive class of two, otherwise that of the predicted class; it is calibrated if the
model was trained with a calibration. The label of two classes is the positive one from the model's decision threshold
on, which is 0.5 unless the model was trained with another. The confidence, for two classes only, is the probability of
the predicted class. Without an Accept header, or with */*, the response is JSON.

With `explain=true` as a parameter of Accept (application/json;explain=true) or as a custom attribute, each JSON
prediction has the contributions of the features, largest first; see explanations.py.

An invalid request gets status 400, 406, 413 or 415 and a one-line message. The number of records and the length of the
response are limited in proportion to the body; see request_limits.py.

Settings, from the container's environment:
    UNKNOWN_FEATURES       refuse (default) or ignore names that are not features of the model
    DATA_CAPTURE_...       capture requests and responses where the endpoint does not; see capture.py
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from booster import Scores
from model import Model, load_model
from request_bodies import JSON, Request, read_request
from request_errors import InputError
from request_limits import NO_LIMITS, is_batch_transform
from response_bodies import accepted_type

if TYPE_CHECKING:
    from capture import Capture

INFERENCE_ID, CUSTOM_ATTRIBUTES = "X-Amzn-SageMaker-Inference-Id", "X-Amzn-SageMaker-Custom-Attributes"


class Predictions(NamedTuple):
    """The scores of a request."""

    model: Model
    request: Request
    scores: Scores


def model_fn(model_dir: str) -> Model:
    """Load the model and predict once.

    Raises:
        ValueError: The model's files do not match each other, it cannot predict, or a setting is invalid.
    """
    model = load_model(Path(model_dir), ignores_unknown_features(os.environ), not is_batch_transform(os.environ))
    disable_body_decoding()
    return replace(model, capture=make_capture(os.environ))


def input_fn(body: bytes | str, content_type: str | None) -> Request:
    """Parse a request body; predict_fn, which knows the features, reads the values.

    Raises:
        InputError: The content type is not supported, or the body is not of that type.
    """
    try:
        return read_request(body, content_type or JSON)
    except InputError as error:
        return refuse(error)


def predict_fn(request: Request, model: Model) -> Predictions:
    """Predict for each record.

    Raises:
        InputError: The request has no records, or a record does not match the model's features.
    """
    if not isinstance(request, Request):
        return request
    try:
        return Predictions(model, request, model.predict(request))
    except InputError as error:
        return refuse(error)


def output_fn(predictions: Predictions, accept: str | None, context: Any = None) -> tuple[str, str]:
    """Write the response in the first supported content type of ``accept``.

    Args:
        predictions: The result of predict_fn.
        accept: The Accept header.
        context: The request's context, which newer versions of SageMaker's inference toolkit pass.

    Returns:
        The body and its content type.

    Raises:
        InputError: None of the accepted content types is supported, the response is too long, or the predictions
            cannot be explained.
    """
    if not isinstance(predictions, Predictions):
        return predictions
    model, request, scores = predictions
    try:
        content_type = JSON if accept == JSON else accepted_type(accept)
        count = explained_features(accept, context)
        if count:
            explanations = model.explain(request, scores, count)
            body = model.response_format.explained_body(scores, explanations, content_type, model.limits(request))
        else:
            # A list has few scores.
            limits = NO_LIMITS if isinstance(scores, list) else model.limits(request)
            body = model.response_format.body(scores, content_type, limits)
    except InputError as error:
        return refuse(error)
    if model.capture is not None:
        add_capture(model.capture, request, body, content_type, context)
    return body, content_type


def explained_features(accept: str | None, context: Any) -> int:
    """Return the number of features to list in explanations, 0 without explanations."""
    attributes = request_header(CUSTOM_ATTRIBUTES, context) or ""
    # Most requests do not ask for explanations, and do not need the module.
    if "explain" not in attributes.lower() and (accept == JSON or "explain" not in (accept or "").lower()):
        return 0
    from explanations import requested_features

    return requested_features(accept, attributes)


def ignores_unknown_features(environment: Mapping[str, str]) -> bool:
    choice = environment.get("UNKNOWN_FEATURES", "refuse")
    if choice not in ("refuse", "ignore"):
        raise ValueError(f"UNKNOWN_FEATURES is {choice!r}; set it to refuse or ignore")
    return choice == "ignore"


def disable_body_decoding() -> None:
    """Keep SageMaker's inference toolkit from decoding bodies: one that is not UTF-8 would get a 500."""
    toolkit = sys.modules.get("sagemaker_inference.content_types")
    if toolkit is not None:
        toolkit.UTF8_TYPES.clear()


def refuse(error: InputError) -> Any:
    """Raise the error, or return it as a response where the serving stack hides exceptions.

    SageMaker's inference toolkit responds with the error's status. The scikit-learn container serves single models with
    sagemaker-containers, which responds "500 Internal Server Error" to every exception, but returns a Flask response
    unchanged.
    """
    flask = sys.modules.get("flask")
    if flask is None or not flask.has_request_context():
        # The toolkit's response contains the traceback, in which a cause may repeat the record.
        raise error from None
    return flask.Response(error.message, error.status_code, mimetype="text/plain")


def make_capture(environment: Mapping[str, str]) -> Capture | None:
    """Make the data capture that the environment asks for; None without a destination."""
    if not environment.get("DATA_CAPTURE_DESTINATION_S3_URI"):
        return None
    # Its imports take 0.1 s of the cold start of a serverless container.
    import capture

    return capture.Capture(capture.destination_from(environment))


def add_capture(capture: Capture, request: Request, body: str, content_type: str, context: Any) -> None:
    from capture import Payload

    capture.add(
        Payload(request.body, request.content_type),
        Payload(body, content_type),
        request_header(INFERENCE_ID, context),
        request_header(CUSTOM_ATTRIBUTES, context),
    )


def request_header(name: str, context: Any) -> str | None:
    """Read a header of the client's request; None where the serving stack does not give them."""
    flask = sys.modules.get("flask")
    if flask is not None and flask.has_request_context():
        return str(flask.request.headers.get(name, ""))
    header = getattr(context, "get_request_header", None)
    return header(0, name) if header is not None else None
