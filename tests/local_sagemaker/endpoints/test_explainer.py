"""Endpoints with a ClarifyExplainerConfig: what they explain, and how they respond."""

from __future__ import annotations

import json
import os
import signal
from contextlib import suppress
from typing import Any

import psutil
import pytest

from local_sagemaker.endpoints.invocations import ENABLE_EXPLANATIONS
from local_sagemaker.protocol.errors import ServiceError
from tests.local_sagemaker.machine import Machine, Record
from tests.local_sagemaker.models import (
    ECHO,
    Answer,
    create_config,
    create_endpoint,
    create_model,
    describe,
    invoke,
    settled,
    update_endpoint,
    variant,
)

# a score of 1 + 2 a - b + 3 a c, in CSV or JSON Lines; c is in words
LINEAR = """
import json
WORDS = {"none": 0, "some": 1}
def model_fn(model_dir): pass
def score(row):
    a, b, c = row
    return 1 + 2 * float(a) - float(b) + 3 * float(a) * WORDS[c]
def transform_fn(model, body, content_type, accept):
    text = body if isinstance(body, str) else body.decode()
    lines = text.splitlines()
    if content_type == "text/csv":
        return "".join(f"{score(line.split(','))}\\n" for line in lines), "text/csv"
    rows = [json.loads(line)["values"] for line in lines]
    return "".join(json.dumps({"label": "x", "score": score(row)}) + "\\n" for row in rows), "application/jsonlines"
"""
BASELINE = {"ShapBaselineConfig": {"ShapBaseline": "0,0,none"}}
# Shapley values by hand of 2,5,some: 1 + 4 - 5 + 6; the interaction of a and c is shared between them
EXPECTED = [4 + 3, -5, 3]


def up(machine: Machine, program: str = LINEAR, shap: Record = BASELINE, **config: Any) -> Record:
    create_model(machine, "model", program)
    explainer = {"ClarifyExplainerConfig": {"ShapConfig": shap, **config}}
    create_config(machine, "config", variant("model"), ExplainerConfig=explainer)
    return create_endpoint(machine, "config")


def ask(machine: Machine, body: str, enable: str | None = None, **headers: str) -> Answer:
    enabled = {} if enable is None else {ENABLE_EXPLANATIONS: enable}
    return invoke(machine, body, **headers, **enabled)


def attributions(explanation: list[Record]) -> list[float]:
    """The attributions of a single output."""
    return [value for feature in explanation for unit in feature["attributions"] for value in unit["attribution"]]


def test_a_response_has_the_models_predictions_and_the_shapley_values_of_each_record(machine: Machine) -> None:
    assert up(machine)["EndpointStatus"] == "InService"
    answer = ask(machine, "2,5,some\n0,1,none")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
    assert set(answer.json) == {"version", "predictions", "explanations"}
    assert answer.json["version"] == "1.0"
    assert answer.json["predictions"] == {"content_type": "text/csv", "data": "6.0\n0.0\n"}
    first, second = answer.json["explanations"]["kernel_shap"]
    assert attributions(first) == pytest.approx(EXPECTED, abs=1e-9)
    assert attributions(second) == pytest.approx([0, -1, 0], abs=1e-9)


def test_headers_of_features_and_outputs_are_in_the_response(machine: Machine) -> None:
    inference = {"FeatureHeaders": ["a", "b", "c"], "LabelHeaders": ["amount"]}
    up(machine, InferenceConfig=inference)
    answer = ask(machine, "2,5,some").json
    assert answer["label_headers"] == ["amount"]
    assert [feature["feature_header"] for feature in answer["explanations"]["kernel_shap"][0]] == ["a", "b", "c"]


def test_enable_explanations_chooses_records_by_their_predictions(machine: Machine) -> None:
    up(machine, EnableExplanations="[0]>`5`")
    chosen = ask(machine, "0,1,none\n2,5,some").json["explanations"]["kernel_shap"]
    assert chosen[0] is None
    assert attributions(chosen[1]) == pytest.approx(EXPECTED, abs=1e-9)
    # the request's expression takes the place of the configuration's
    assert ask(machine, "2,5,some", "`false`").json["explanations"] == {}
    assert all(ask(machine, "0,1,none\n2,5,some", "`true`").json["explanations"]["kernel_shap"])


def test_records_in_json_lines_are_read_and_written_as_configured(machine: Machine) -> None:
    uri = machine.put("s3://bucket/baseline.jsonl", '{"values": [0, 0, "none"]}\n')
    inference = {
        "FeaturesAttribute": "values",
        "ContentTemplate": '{"values":$features}',
        "ProbabilityAttribute": "score",
        "LabelAttribute": "label",
    }
    shap = {"ShapBaselineConfig": {"ShapBaselineUri": uri, "MimeType": "application/jsonlines"}}
    assert up(machine, shap=shap, InferenceConfig=inference)["EndpointStatus"] == "InService"
    body = json.dumps({"id": 7, "values": [2, 5, "some"]})
    answer = ask(machine, body, "score>`5`", ContentType="application/jsonlines").json
    assert answer["label_headers"] == ["x"]
    assert answer["predictions"]["data"] == '{"label": "x", "score": 6.0}\n'
    assert attributions(answer["explanations"]["kernel_shap"][0]) == pytest.approx(EXPECTED, abs=1e-9)


def test_each_output_of_a_model_has_attributions_in_the_column_that_is_configured(machine: Machine) -> None:
    program = """
def model_fn(model_dir): pass
def transform_fn(model, body, content_type, accept):
    scores = [float(line) for line in body.splitlines()]
    return "".join(f'''"['no', 'yes']","[{1 - score}, {score}]"\\n''' for score in scores), "text/csv"
"""
    shap = {"ShapBaselineConfig": {"ShapBaseline": "0.5"}}
    up(machine, program, shap, InferenceConfig={"ProbabilityIndex": 1, "LabelIndex": 0})
    answer = ask(machine, "0.75").json
    assert answer["label_headers"] == ["no", "yes"]
    assert answer["explanations"]["kernel_shap"] == [[{"attributions": [{"attribution": [-0.25, 0.25]}]}]]


def test_a_model_that_takes_single_records_is_asked_for_one_at_a_time(machine: Machine) -> None:
    one_record = LINEAR.replace("    lines = text.splitlines()\n", "    lines = text.splitlines()\n    [_] = lines\n")
    up(machine, one_record)
    assert attributions(ask(machine, "2,5,some").json["explanations"]["kernel_shap"][0]) == pytest.approx(EXPECTED)


def test_requests_that_cannot_be_explained_say_why(machine: Machine) -> None:
    up(machine, InferenceConfig={"FeatureHeaders": ["a", "b"]})
    for body, enable, words in (
        ("2,5,some", "[0", "EnableExplanations '[0' is not a valid JMESPath expression"),
        ("2,5,some", "[0]>`'x'`", "does not fit '[6.0]'"),
        ("2,5,some", "[1]", "EnableExplanations '[1]' must be true or false for each prediction, got 'None'"),
        ("2,5,some", None, "the records have 3 features, but FeatureHeaders has 2"),
    ):
        answer = ask(machine, body, enable)
        assert (answer.status, answer.error) == (400, "ValidationError")
        assert words in answer.json["Message"]
    # a request that needs no explanation is still answered
    assert ask(machine, "2,5,some", "`false`").status == 200


def test_a_probability_attribute_that_finds_nothing_is_named(machine: Machine) -> None:
    shap = {"ShapBaselineConfig": {"ShapBaseline": '[0, 0, "none"]', "MimeType": "application/jsonlines"}}
    inference = {"FeaturesAttribute": "values", "ContentTemplate": '{"values":$features}', "ProbabilityAttribute": "p"}
    up(machine, shap=shap, InferenceConfig=inference)
    answer = ask(machine, json.dumps({"values": [2, 5, "some"]}), ContentType="application/jsonlines")
    assert answer.status == 400
    assert "ProbabilityAttribute 'p' finds nothing in the prediction {" in answer.json["Message"]


def test_an_error_of_the_model_is_a_model_error_as_without_an_explainer(machine: Machine) -> None:
    up(machine)
    answer = ask(machine, "2,5,many")
    assert (answer.status, answer.json["OriginalStatusCode"]) == (424, 500)
    assert "KeyError" in answer.json["OriginalMessage"]


def test_an_endpoint_whose_explainer_cannot_work_fails_with_the_reason(machine: Machine) -> None:
    description = up(machine, EnableExplanations="a[")
    assert description["EndpointStatus"] == "Failed"
    reason = "The SageMaker Clarify explainer failed to start: EnableExplanations 'a[' is not a valid JMESPath"
    assert description["FailureReason"].startswith(reason)


def test_a_missing_baseline_fails_the_endpoint(machine: Machine) -> None:
    description = up(machine, shap={"ShapBaselineConfig": {"ShapBaselineUri": "s3://bucket/none.csv"}})
    assert description["EndpointStatus"] == "Failed"
    assert "cannot read the SHAP baseline s3://bucket/none.csv" in description["FailureReason"]


def test_an_explainer_that_has_ended_is_started_again_for_the_next_request(machine: Machine) -> None:
    up(machine)
    (process,) = explainers()
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    assert attributions(ask(machine, "2,5,some").json["explanations"]["kernel_shap"][0]) == pytest.approx(EXPECTED)
    machine.endpoint_manager.close()
    assert not explainers()


def explainers() -> list[psutil.Process]:
    """The explainers that this process has started and that still run."""
    found = []
    for child in psutil.Process(os.getpid()).children(recursive=True):
        # another process may have ended, or be about to
        with suppress(psutil.NoSuchProcess):
            if "analyzer.explainer" in child.cmdline():
                found.append(child)
    return found


def test_the_configuration_is_described_and_an_update_replaces_it(machine: Machine) -> None:
    explainer = {"ClarifyExplainerConfig": {"ShapConfig": {**BASELINE, "Seed": 3}}}
    create_model(machine, "model", LINEAR)
    create_config(machine, "explained", variant("model"), ExplainerConfig=explainer)
    create_config(machine, "plain", variant("model"))
    assert create_endpoint(machine, "explained")["ExplainerConfig"] == explainer
    found = machine.service.call("DescribeEndpointConfig", {"EndpointConfigName": "explained"})
    assert found["ExplainerConfig"] == explainer
    update_endpoint(machine, "plain")
    assert settled(machine)["EndpointStatus"] == "InService"
    assert "ExplainerConfig" not in describe(machine)
    assert ask(machine, "2,5,some").body == b"6.0\n"
    answer = ask(machine, "2,5,some", "`true`")
    assert (answer.status, answer.error) == (400, "ValidationError")
    assert "has no ExplainerConfig" in answer.json["Message"]


def test_captured_data_has_the_models_response_which_monitors_can_read(machine: Machine) -> None:
    create_model(machine, "model", LINEAR)
    capture = {
        "InitialSamplingPercentage": 100,
        "DestinationS3Uri": "s3://bucket/captured",
        "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
        "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"]},
    }
    explainer = {"ClarifyExplainerConfig": {"ShapConfig": BASELINE}}
    create_config(machine, "config", variant("model"), ExplainerConfig=explainer, DataCaptureConfig=capture)
    create_endpoint(machine, "config")
    ask(machine, "2,5,some")
    machine.endpoint_manager.close()
    (key,) = machine.keys("captured/")
    (event,) = [json.loads(line) for line in machine.read(f"s3://bucket/{key}").splitlines()]
    assert event["captureData"]["endpointOutput"]["data"] == "6.0\n"


def test_configurations_that_clarify_would_refuse_or_that_are_not_implemented_are_refused(machine: Machine) -> None:
    create_model(machine, "model", ECHO)
    text = {"Language": "en", "Granularity": "token"}
    for explainer, words in (
        ({}, "ExplainerConfig needs a ClarifyExplainerConfig"),
        (_shap({}), "ShapBaselineConfig needs either ShapBaseline or ShapBaselineUri"),
        (_shap({"ShapBaseline": "0", "ShapBaselineUri": "s3://bucket/a"}), "and not both"),
        (_shap({"ShapBaseline": "0", "MimeType": "text/plain"}), "MimeType 'text/plain'; use text/csv or"),
        (_shap({"ShapBaseline": "0"}, TextConfig=text), "does not implement"),
    ):
        with pytest.raises(ServiceError, match=words) as error:
            create_config(machine, "config", variant("model"), ExplainerConfig=explainer)
        assert error.value.code == "ValidationException"


def _shap(baseline: Record, **more: Any) -> Record:
    return {"ClarifyExplainerConfig": {"ShapConfig": {"ShapBaselineConfig": baseline, **more}}}
