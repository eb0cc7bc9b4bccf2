"""The Linear Learner image: endpoints of models that the algorithm has trained on SageMaker."""

from __future__ import annotations

import io
import json
import math
import struct
import tarfile
import zipfile
from typing import Any

import numpy as np
import pytest

from tests.local_sagemaker.machine import ROLE, Machine
from tests.local_sagemaker.models import Answer, create_config, create_endpoint, invoke, variant

IMAGE = "174872318107.dkr.ecr.us-west-2.amazonaws.com/linear-learner:1"
WEIGHTS, BIAS = np.array([[0.5], [-0.25]], "<f4"), np.array([0.125], "<f4")
LOGISTIC = ("LogisticRegressionOutput", {"predictor_type": "binary_classifier", "threshold": 0.6})


def parameters(arrays: dict[str, np.ndarray]) -> bytes:
    """A file of MXNet's ndarray.save."""
    content = struct.pack("<QQQ", 0x112, 0, len(arrays))
    for array in arrays.values():
        shape = struct.pack(f"<{array.ndim}q", *array.shape)
        content += struct.pack("<IiI", 0xF993FAC9, 0, array.ndim) + shape + struct.pack("<iii", 1, 0, 0)
        content += array.astype("<f4").tobytes()
    content += struct.pack("<Q", len(arrays))
    return content + b"".join(struct.pack("<Q", len(name)) + name.encode() for name in arrays)


def model(output: str, settings: dict[str, Any], weights: np.ndarray = WEIGHTS, bias: np.ndarray = BIAS) -> bytes:
    """A model archive as the algorithm writes it."""
    inner, outer = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        nodes = [{"op": "null", "name": "data"}, {"op": "dot", "name": "dot"}, {"op": output, "name": "out"}]
        archive.writestr("mx-mod-symbol.json", json.dumps({"nodes": nodes}))
        archive.writestr("additional-params.json", json.dumps(settings))
        arrays = {"arg:fc0_weight": weights, "arg:fc0_bias": bias.reshape(1, -1)}
        archive.writestr("mx-mod-0000.params", parameters(arrays))
    with tarfile.open(fileobj=outer, mode="w:gz") as tar:
        member = tarfile.TarInfo("model_algo-1")
        member.size = len(inner.getvalue())
        tar.addfile(member, io.BytesIO(inner.getvalue()))
    return outer.getvalue()


def up(machine: Machine, content: bytes) -> dict[str, Any]:
    data = machine.put("s3://bucket/model.tar.gz", content)
    container = {"Image": IMAGE, "ModelDataUrl": data}
    machine.service.call(
        "CreateModel", {"ModelName": "linear", "ExecutionRoleArn": ROLE, "PrimaryContainer": container}
    )
    create_config(machine, "linear", variant("linear"))
    return create_endpoint(machine, "linear")


def ask(machine: Machine, body: str, content_type: str, accept: str) -> Answer:
    return invoke(machine, body, ContentType=content_type, Accept=accept)


def test_a_binary_classifier_answers_score_and_label_in_each_format_that_the_image_has(machine: Machine) -> None:
    assert up(machine, model(*LOGISTIC))["EndpointStatus"] == "InService"
    # 0.5 * 3 - 0.25 * 1 + 0.125 and 0.5 * 1 - 0.25 * 2 + 0.125
    expected = [1 / (1 + math.exp(-raw)) for raw in (1.375, 0.125)]
    json_body = json.dumps({"instances": [{"features": [3, 1]}, {"data": {"features": {"values": [1, 2]}}}]})
    for body, content_type in (
        (json_body, "application/json"),
        ('{"features": [3, 1]}\n{"features": [1, 2]}\n', "application/jsonlines"),
        ("3,1\n1,2", "text/csv"),
    ):
        answer = ask(machine, body, content_type, "application/json").json["predictions"]
        assert [row["score"] for row in answer] == pytest.approx(expected, abs=1e-7)
        assert [row["predicted_label"] for row in answer] == [1, 0]
    lines = ask(machine, "3,1\n1,2", "text/csv", "application/jsonlines").body.decode()
    assert lines.startswith('{"predicted_label":1,"score":0.79')
    assert lines.count("\n") == 2


def test_a_regressor_answers_scores(machine: Machine) -> None:
    up(machine, model("LinearRegressionOutput", {"predictor_type": "regressor", "threshold": None}))
    answer = ask(machine, "3,1", "text/csv", "application/json")
    assert answer.json == {"predictions": [{"score": 1.375}]}


def test_a_multiclass_classifier_answers_a_share_for_each_class(machine: Machine) -> None:
    weights, bias = np.array([[1, 0, 0], [0, 1, 0]], "<f4"), np.array([0, 0, 0], "<f4")
    up(machine, model("SoftmaxOutput", {"predictor_type": "multiclass_classifier"}, weights, bias))
    (prediction,) = ask(machine, "1,2", "text/csv", "application/json").json["predictions"]
    shares = [math.exp(raw) / (math.e + math.e**2 + 1) for raw in (1, 2, 0)]
    assert prediction == {"score": pytest.approx(shares, abs=1e-6), "predicted_label": 1}


def test_requests_that_the_model_cannot_answer_say_why(machine: Machine) -> None:
    up(machine, model(*LOGISTIC))
    for body, content_type, accept, words in (
        ("1,2,3", "text/csv", "application/json", "expects 2 features for each record, got 3"),
        ("a,b", "text/csv", "application/json", "Unable to read the payload as text/csv"),
        ('{"rows": []}', "application/json", "application/json", "Unable to read the payload as application/json"),
        ("1,2", "text/plain", "application/json", "text/plain is not supported"),
        ("1,2", "text/csv", "image/png", "image/png is not supported"),
    ):
        answer = ask(machine, body, content_type, accept)
        assert (answer.status, answer.json["ErrorCode"]) == (424, "CLIENT_ERROR_FROM_MODEL")
        assert words in answer.json["Message"]


def test_an_endpoint_of_another_model_fails_with_the_reason(machine: Machine) -> None:
    hinge = ("SVMOutput", {"predictor_type": "binary_classifier", "threshold": 0.5})
    description = up(machine, model(*hinge))
    assert description["EndpointStatus"] == "Failed"
    assert "the output SVMOutput, which is not supported on this machine" in description["FailureReason"]
