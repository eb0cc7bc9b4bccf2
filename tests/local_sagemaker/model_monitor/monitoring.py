"""Captured data, labels, baselines and requests for the tests of Model Monitor."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from tests.local_sagemaker.machine import ANALYZER, CLARIFY, ROLE, Machine, Record

NINE = datetime(2026, 11, 21, 9, tzinfo=UTC)
RESOURCES = {"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.xlarge", "VolumeSizeInGB": 20}}
CAPTURES, REPORTS, LABELS, BASELINE = (f"s3://bucket/{name}" for name in ("captures", "reports", "labels", "baseline"))
INPUT = "/opt/ml/processing/input/endpoint"

# two columns; `plan` has a domain of two values
CONSTRAINTS = {
    "version": 0,
    "features": [
        {"name": "age", "inferred_type": "Integral", "completeness": 1.0, "num_constraints": {"is_non_negative": True}},
        {"name": "plan", "inferred_type": "String", "completeness": 1.0, "string_constraints": {"domains": ["a", "b"]}},
    ],
    "monitoring_config": {"evaluate_constraints": "Enabled", "emit_metrics": "Enabled"},
}


def endpoint(machine: Machine, name: str = "Churn", captures: bool = True) -> None:
    """Put the records of an endpoint."""
    capture = {
        "EnableCapture": captures,
        "InitialSamplingPercentage": 100,
        "DestinationS3Uri": CAPTURES,
        "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
    }
    config = {
        "EndpointConfigName": f"{name}-config",
        "EndpointConfigArn": "arn",
        "CreationTime": 0.0,
        "ProductionVariants": [],
        "DataCaptureConfig": capture,
    }
    machine.store.put("endpoint-config", f"{name}-config".lower(), config)
    record = {
        "EndpointName": name,
        "EndpointArn": "arn",
        "EndpointConfigName": f"{name}-config",
        "EndpointStatus": "InService",
        "CreationTime": 0.0,
    }
    machine.store.put("endpoint", name.lower(), record)


def capture(
    machine: Machine,
    payloads: list[tuple[str, str]],
    time: datetime = NINE,
    variant: str = "AllTraffic",
    endpoint: str = "Churn",
) -> None:
    """Put a capture file of requests and responses; the event ids are 0, 1, ..."""
    events = [
        {
            "captureData": {
                "endpointInput": {
                    "observedContentType": "text/csv",
                    "mode": "INPUT",
                    "data": request,
                    "encoding": "CSV",
                },
                "endpointOutput": {
                    "observedContentType": "application/json",
                    "mode": "OUTPUT",
                    "data": response,
                    "encoding": "JSON",
                },
            },
            "eventMetadata": {"eventId": str(number), "inferenceTime": f"{time:%Y-%m-%dT%H:%M:%SZ}"},
            "eventVersion": "0",
        }
        for number, (request, response) in enumerate(payloads)
    ]
    name = f"{endpoint}/{variant}/{time:%Y/%m/%d/%H}/{time:%M-%S}-000-{variant}.jsonl"
    machine.put(f"{CAPTURES}/{name}", lines(events))


def labels(machine: Machine, values: list[str], time: datetime = NINE, uri: str = LABELS) -> None:
    """Put labels of the events 0, 1, ... into the folder of the hour of their upload."""
    events = [
        {"groundTruthData": {"data": value, "encoding": "CSV"}, "eventMetadata": {"eventId": str(number)}}
        for number, value in enumerate(values)
    ]
    machine.put(f"{uri}/{time:%Y/%m/%d/%H}/labels.jsonl", lines(events))


def lines(events: list[Record]) -> str:
    return "".join(json.dumps(event) + "\n" for event in events)


def data_quality(machine: Machine, name: str = "columns", **more: Any) -> str:
    """Create a data quality job definition for the endpoint or a `BatchTransformInput`, with constraints on columns."""
    constraints = machine.put(f"{BASELINE}/constraints.json", json.dumps(CONSTRAINTS))
    environment = more.pop("Environment", {"publish_cloudwatch_metrics": "Enabled"})
    batch = more.pop("BatchTransformInput", None)
    source = (
        {"BatchTransformInput": batch} if batch else {"EndpointInput": {"EndpointName": "Churn", "LocalPath": INPUT}}
    )
    request = {
        "JobDefinitionName": name,
        "DataQualityBaselineConfig": {"ConstraintsResource": {"S3Uri": constraints}},
        "DataQualityAppSpecification": {"ImageUri": ANALYZER, "Environment": environment},
        "DataQualityJobInput": source,
        "DataQualityJobOutputConfig": _output(),
        "JobResources": RESOURCES,
        "RoleArn": ROLE,
        **more,
    }
    return str(machine.service.call("CreateDataQualityJobDefinition", request)["JobDefinitionArn"])


def model_quality(machine: Machine, name: str = "answers", constraints: Record | None = None, **source: Any) -> str:
    """Create a model quality job definition; the endpoint's responses are `{"predictions": [{"label": ...}]}`."""
    baseline = machine.put(f"{BASELINE}/model/constraints.json", json.dumps(constraints or {}))
    job_input = source or {
        "EndpointInput": {
            "EndpointName": "Churn",
            "LocalPath": "/opt/ml/processing/input_data",
            "InferenceAttribute": "predictions[0].label",
        }
    }
    request = {
        "JobDefinitionName": name,
        **({"ModelQualityBaselineConfig": {"ConstraintsResource": {"S3Uri": baseline}}} if constraints else {}),
        "ModelQualityAppSpecification": {"ImageUri": ANALYZER, "ProblemType": "MulticlassClassification"},
        "ModelQualityJobInput": {**job_input, "GroundTruthS3Input": {"S3Uri": LABELS}},
        "ModelQualityJobOutputConfig": _output(),
        "JobResources": RESOURCES,
        "RoleArn": ROLE,
    }
    return str(machine.service.call("CreateModelQualityJobDefinition", request)["JobDefinitionArn"])


def clarify(
    machine: Machine,
    type_: str,
    name: str = "groups",
    config: Record | None = None,
    batch: Record | None = None,
    **attributes: str,
) -> str:
    """Create a model bias or model explainability job definition for the endpoint or a `BatchTransformInput`."""
    source = (
        {"BatchTransformInput": batch}
        if batch
        else {"EndpointInput": {"EndpointName": "Churn", "LocalPath": INPUT, **attributes}}
    )
    labels = {"GroundTruthS3Input": {"S3Uri": LABELS}} if type_ == "ModelBias" else {}
    uri = machine.put(f"{BASELINE}/clarify/analysis_config.json", json.dumps(config or {}))
    baseline = {"ConstraintsResource": {"S3Uri": f"{BASELINE}/clarify/analysis.json"}}
    request = {
        "JobDefinitionName": name,
        f"{type_}BaselineConfig": baseline,
        f"{type_}AppSpecification": {
            "ImageUri": CLARIFY,
            "ConfigUri": uri,
            "Environment": {"publish_cloudwatch_metrics": "Enabled"},
        },
        f"{type_}JobInput": {**source, **labels},
        f"{type_}JobOutputConfig": _output(),
        "JobResources": RESOURCES,
        "RoleArn": ROLE,
    }
    return str(machine.service.call(f"Create{type_}JobDefinition", request)["JobDefinitionArn"])


def schedule(
    machine: Machine, name: str = "hourly", definition: str = "columns", type_: str = "DataQuality", **config: Any
) -> str:
    """Create a schedule of a job definition, by default hourly, and return its ARN."""
    given = {"ScheduleConfig": {"ScheduleExpression": "cron(0 * ? * * *)"}, **config}
    named = {"MonitoringJobDefinitionName": definition, "MonitoringType": type_}
    request = {
        "MonitoringScheduleName": name,
        "MonitoringScheduleConfig": given if "MonitoringJobDefinition" in config else {**named, **given},
    }
    return str(machine.service.call("CreateMonitoringSchedule", request)["MonitoringScheduleArn"])


def describe(machine: Machine, name: str = "hourly") -> Record:
    return machine.service.call("DescribeMonitoringSchedule", {"MonitoringScheduleName": name})


def executions(machine: Machine, **query: Any) -> list[Record]:
    found = machine.service.call("ListMonitoringExecutions", {"MaxResults": 100, **query})
    return list(found["MonitoringExecutionSummaries"])


def processing_job(machine: Machine, execution: Record) -> Record:
    name = execution["ProcessingJobArn"].rpartition("/")[2]
    return machine.service.call("DescribeProcessingJob", {"ProcessingJobName": name})


def _output() -> Record:
    target = {"S3Uri": REPORTS, "LocalPath": "/opt/ml/processing/output", "S3UploadMode": "EndOfJob"}
    return {"MonitoringOutputs": [{"S3Output": target}]}
