"""Executions of model bias and model explainability schedules: what Clarify's jobs are given, and what they find."""

import json
from datetime import timedelta

import pytest

from local_sagemaker.model_monitor.dataset_sources import DatasetSource
from local_sagemaker.model_monitor.monitoring_job import job_of_definition
from local_sagemaker.model_monitor.monitoring_type import MODEL_EXPLAINABILITY
from local_sagemaker.model_monitor.processing_requests import MonitoringExecution, analysis_request
from local_sagemaker.model_monitor.schedule_times import Window
from tests.local_sagemaker.machine import Machine
from tests.local_sagemaker.model_monitor.monitoring import (
    BASELINE,
    NINE,
    REPORTS,
    capture,
    clarify,
    endpoint,
    executions,
    labels,
    processing_job,
    schedule,
)

pytestmark = pytest.mark.slow

TEN = NINE + timedelta(hours=1)
BIAS = {
    "headers": ["approved", "sex", "age"],
    "label": "approved",
    "label_values_or_threshold": ["yes"],
    "facet": [{"name_or_index": "sex", "value_or_threshold": ["f"]}],
}


def baseline(machine: Machine, imbalance: float) -> None:
    """Put an analysis.json whose only metric is the class imbalance (CI) of women."""
    metric = {"name": "CI", "description": "Class Imbalance (CI)", "value": imbalance}
    facet = {"value_or_threshold": "f", "metrics": [metric]}
    stage = {"label": "approved", "label_value_or_threshold": "yes", "facets": {"sex": [facet]}}
    machine.put(f"{BASELINE}/clarify/analysis.json", json.dumps({"version": "1.0", "pre_training_bias_metrics": stage}))


def test_bias_of_merged_inferences_is_compared_with_the_baseline(machine: Machine) -> None:
    endpoint(machine)
    clarify(machine, "ModelBias", config=BIAS, InferenceAttribute="predictions[0].label")
    schedule(machine, "bias", "groups", "ModelBias")
    requests = [("m,30", "yes"), ("m,40", "yes"), ("m,50", "no"), ("f,60", "no")]
    capture(machine, [(row, json.dumps({"predictions": [{"label": label}]})) for row, label in requests])
    labels(machine, ["yes", "no", "yes", "no"])

    # three men and one woman: CI is 0.5
    for imbalance, status in ((0.5, "Completed"), (0.4, "CompletedWithViolations")):
        baseline(machine, imbalance)
        execution = machine.scheduler.run_now("bias", end=TEN)
        assert execution["MonitoringExecutionStatus"] == status, execution
        assert execution["MonitoringType"] == "ModelBias"
    folder = f"{REPORTS}/Churn/bias/2026/11/21/10"
    [violation] = json.loads(machine.read(f"{folder}/constraint_violations.json"))["violations"]
    assert (violation["facet"], violation["facet_value"], violation["metric_name"]) == ("sex", "f", "CI")
    assert violation["constraint_check_type"] == "bias_drift_check"
    analysis = json.loads(machine.read(f"{folder}/analysis.json"))
    [facet] = analysis["post_training_bias_metrics"]["facets"]["sex"]
    found = {metric["name"]: metric["value"] for metric in facet["metrics"]}
    # two of three men are predicted to be approved, and no woman
    assert abs(found["DPPL"] - 2 / 3) < 1e-12

    job = processing_job(machine, execution)
    assert job["ProcessingJobName"].startswith("model-bias-monitoring-202611211000-")
    sources = {item["InputName"]: item["S3Input"] for item in job["ProcessingInputs"]}
    assert sources["analysis_config"]["LocalPath"] == "/opt/ml/processing/input/config"
    assert sources["endpoint_input_1"]["S3Uri"] == f"{REPORTS}/merge/Churn/AllTraffic/2026/11/21/09"
    assert job["Environment"] == {
        "analysis_type": "MODEL_BIAS",
        "baseline_constraints": "/opt/ml/processing/baseline/constraints/analysis.json",
        "dataset_format": '{"sagemakerMergeJson":{"captureIndexNames":["endpointInput","endpointOutput"]}}',
        "dataset_source": "/opt/ml/processing/input/endpoint",
        "end_time": "2026-11-21T10:00:00Z",
        "inference_attribute": "predictions[0].label",
        "metric_time": "2026-11-21T09:00:00Z",
        "monitoring_input_type": "ENDPOINT_INPUT",
        "output_path": "/opt/ml/processing/output",
        "publish_cloudwatch_metrics": "Enabled",
        "sagemaker_endpoint_name": "Churn",
        "sagemaker_monitoring_schedule_name": "bias",
        "start_time": "2026-11-21T09:00:00Z",
    }
    metrics = {datum["MetricName"]: datum["Value"] for datum in machine.metrics["aws/sagemaker/Endpoints/bias-metrics"]}
    assert metrics["bias_metric_CI"] == 0.5


def test_bias_of_batch_transforms_is_that_of_their_output_joined_with_their_input(machine: Machine) -> None:
    batch = {
        "DataCapturedDestinationS3Uri": "s3://bucket/batch",
        "DatasetFormat": {"Csv": {"Header": False}},
        "LocalPath": "/opt/ml/processing/transform",
        # the index within the output of the model
        "InferenceAttribute": "0",
    }
    clarify(machine, "ModelBias", config=BIAS, batch=batch)
    schedule(machine, "bias", "groups", "ModelBias")
    time = f"{NINE:%Y-%m-%dT%H:%M:%SZ}"
    rows = ["m,30,yes", "m,40,no", "f,60,no"]
    machine.put("s3://bucket/out/one.csv.out", "".join(f"{row},{i},{time}\n" for i, row in enumerate(rows)))
    manifest = [{"prefix": "s3://bucket/out/"}, "one.csv.out"]
    machine.put("s3://bucket/batch/output/2026/11/21/09/x.json", json.dumps(manifest))
    labels(machine, ["yes", "yes", "no"])
    baseline(machine, 1.0)
    execution = machine.scheduler.run_now("bias", end=TEN)
    assert execution["MonitoringExecutionStatus"] == "Completed", execution
    analysis = json.loads(machine.read(f"{REPORTS}/bias/2026/11/21/10/analysis.json"))
    [facet] = analysis["post_training_bias_metrics"]["facets"]["sex"]
    assert {metric["name"]: metric["value"] for metric in facet["metrics"]}["DPPL"] == 0.5
    assert machine.metrics.keys() == {"aws/sagemaker/ModelMonitoring/bias-metrics"}


def test_labels_are_not_needed_to_explain_what_an_endpoint_was_asked(machine: Machine) -> None:
    endpoint(machine)
    attributes = {"FeaturesAttribute": "instances[*].features", "InferenceAttribute": "score"}
    clarify(machine, "ModelExplainability", **attributes, ExcludeFeaturesAttribute="id")
    definition = machine.service.call("DescribeModelExplainabilityJobDefinition", {"JobDefinitionName": "groups"})
    job = job_of_definition(MODEL_EXPLAINABILITY, definition, machine.service.call)
    execution = MonitoringExecution("hourly", "arn", job, TEN, Window(NINE, TEN), f"202611211000-{'a' * 24}")
    request = analysis_request(execution, [DatasetSource("s3://bucket/captures", "Churn/09")])
    assert len(request["ProcessingJobName"]) <= 63
    assert [item["InputName"] for item in request["ProcessingInputs"]] == [
        "constraints",
        "endpoint_input_1",
        "analysis_config",
    ]
    environment = request["Environment"]
    assert environment["dataset_format"] == '{"sagemakerCaptureJson":{"captureIndexNames":["endpointInput"]}}'
    assert environment["analysis_type"] == "MODEL_EXPLAINABILITY"
    assert (environment["features_attribute"], environment["inference_attribute"]) == tuple(attributes.values())
    assert environment["exclude_features_attribute"] == "id"


def test_a_bias_execution_without_labels_has_no_data(machine: Machine) -> None:
    endpoint(machine)
    clarify(machine, "ModelBias", config=BIAS)
    schedule(machine, "bias", "groups", "ModelBias")
    capture(machine, [("m,30", "yes")])
    machine.scheduler.run_now("bias", end=TEN)
    [execution] = executions(machine)
    assert (execution["MonitoringExecutionStatus"], execution["FailureReason"]) == ("Failed", "Job inputs had no data")
