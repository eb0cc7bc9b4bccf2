"""Start the training pipeline on the newest data, after a check of monitoring that raised an alert, or on a schedule.

Every check that raises an alert asks for retraining. No execution is started while another one runs, or in the
cool-down period after the start of another one; the next check asks again. The decision is written beside the summary
of the check, where `python -m monitoring check` and `health` read it. What was started is published to the topic.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from botocore.exceptions import ClientError

from infrastructure.functions.notifications import Result, ignore, log, notify
from project.s3_uris import split_s3_uri

CHECK, SCHEDULE = "SageMaker Model Building Pipeline Execution Status Change", "Scheduled Retraining"
DECISION_NAME = "retraining.json"
# maximum runtime of a job: older executions cannot be running
_MAX_EXECUTION_AGE = timedelta(days=28)


@dataclass(frozen=True)
class Request:
    """A request for retraining.

    Attributes:
        id: The same for a repeated delivery of the same event.
        cause: Why retraining is requested.
        results_uri: Where the check that requests it has written its summary; empty for a schedule.
    """

    id: str
    cause: str
    results_uri: str = ""


def handler(event: Any, context: Any) -> Result:
    try:
        request = _parse_event(event)
    except ValueError as error:
        return ignore(str(error))
    pipeline = os.environ["PIPELINE"]
    sagemaker, s3 = boto3.client("sagemaker"), boto3.client("s3")
    obstacle = _reason_not_to_start(sagemaker, pipeline, timedelta(hours=float(os.environ["COOL_DOWN_HOURS"])))
    if obstacle:
        # the same for every check until the obstacle is gone: nobody wants a message about each
        log.info("not started: %s %s", request.cause, obstacle)
        _write_decision(s3, request, "not started", obstacle)
        return {"outcome": "not started", "message": f"Retraining of {pipeline} was not started: {obstacle}"}
    parameters = []
    location = os.environ["FRESH_DATA_URI"]
    if location:
        data = newest_data(s3, location)
        if data is None:
            _write_decision(s3, request, "not started", f"No data found at {location}.")
            return notify(
                "not started", f"Retraining of {pipeline} was not started", f"{request.cause}\nNo data at {location}."
            )
        parameters.append({"Name": "InputDataUri", "Value": data})
    execution = sagemaker.start_pipeline_execution(
        PipelineName=pipeline,
        PipelineParameters=parameters,
        PipelineExecutionDescription=request.cause[:3072],
        # EventBridge may deliver an event more than once
        ClientRequestToken=hashlib.sha256(request.id.encode()).hexdigest(),
    )["PipelineExecutionArn"]
    data_location = parameters[0]["Value"] if parameters else "the default input of the pipeline"
    started = f"{execution} reads {data_location}."
    _write_decision(s3, request, "started", started)
    return notify("started", f"Retraining of {pipeline} was started", f"{request.cause}\n{started}")


def newest_data(s3: Any, location: str) -> str | None:
    """Return the URI of the most recently changed file or folder below an S3 prefix, or None."""
    bucket, prefix = split_s3_uri(location)
    prefix = prefix and prefix.rstrip("/") + "/"
    newest: tuple[datetime, str] | None = None
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for item in page.get("Contents", []):
            name = item["Key"].removeprefix(prefix).split("/", 1)[0]
            # the S3 console creates empty objects for folders
            if name and item["Size"]:
                newest = max(newest or (item["LastModified"], name), (item["LastModified"], name))
    return f"s3://{bucket}/{prefix}{newest[1]}" if newest else None


def _parse_event(event: Any) -> Request:
    """Return the request for retraining that an event is.

    Raises:
        ValueError: The event is neither the schedule's nor a check of one of the endpoints that raised an alert.
    """
    kind = event.get("detail-type") if isinstance(event, dict) else None
    if kind not in (CHECK, SCHEDULE) or not isinstance(event.get("id"), str):
        raise ValueError("the event is neither a check of monitoring nor scheduled")
    if kind == SCHEDULE:
        return Request(event["id"], "Retraining is scheduled.")
    detail = event.get("detail")
    arn = detail.get("pipelineExecutionArn") if isinstance(detail, dict) else None
    if not isinstance(arn, str) or f":pipeline/{os.environ['MONITORING_PIPELINE']}/execution/" not in arn:
        raise ValueError("the event is not an execution of the project's monitoring pipeline")
    if detail["currentPipelineExecutionStatus"] != "Succeeded":
        raise ValueError(f"{arn} has not succeeded")
    results_uri = _results_uri(boto3.client("sagemaker"), arn)
    bucket, key = split_s3_uri(f"{results_uri}/monitoring_summary.json")
    summary = json.loads(boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read())
    if summary["endpoint"] not in os.environ["ENDPOINTS"].split(","):
        raise ValueError(f"the check is of endpoint {summary['endpoint']}")
    if not summary["alert"]:
        raise ValueError("the check raised no alert")
    return Request(
        arn, f"Monitoring of {summary['endpoint']} raised an alert: {'; '.join(summary['reasons'])}", results_uri
    )


def _results_uri(sagemaker: Any, execution: str) -> str:
    """Return where a check has written its summary, which need not be in the stage's bucket.

    Raises:
        ValueError: No job of the execution has an output of this name.
    """
    pages = sagemaker.get_paginator("list_pipeline_execution_steps").paginate(PipelineExecutionArn=execution)
    for step in (step for page in pages for step in page["PipelineExecutionSteps"]):
        job = step.get("Metadata", {}).get("ProcessingJob", {}).get("Arn")
        if job:
            described = sagemaker.describe_processing_job(ProcessingJobName=job.rpartition("/")[2])
            for output in described["ProcessingOutputConfig"]["Outputs"]:
                if output["OutputName"] == "summary":
                    return str(output["S3Output"]["S3Uri"])
    raise ValueError(f"{execution} has no summary")


def _write_decision(s3: Any, request: Request, decision: str, reason: str) -> None:
    """Write the decision on a check's request beside its summary; a repeated event leaves the first decision."""
    if not request.results_uri:
        return
    bucket, key = split_s3_uri(f"{request.results_uri}/{DECISION_NAME}")
    body = json.dumps({"version": 1, "decision": decision, "reason": reason}).encode()
    try:
        s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType="application/json", IfNoneMatch="*")
    except ClientError as error:
        if error.response["Error"]["Code"] != "PreconditionFailed":
            raise


def _reason_not_to_start(sagemaker: Any, pipeline: str, cool_down: timedelta) -> str:
    """Return why no execution may start now; empty if one may."""
    now = datetime.now(UTC)
    pages = sagemaker.get_paginator("list_pipeline_executions").paginate(
        PipelineName=pipeline,
        CreatedAfter=now - max(_MAX_EXECUTION_AGE, cool_down),
        SortBy="CreationTime",
        SortOrder="Descending",
    )
    executions = [item for page in pages for item in page["PipelineExecutionSummaries"]]
    for execution in executions:
        if execution["PipelineExecutionStatus"] in ("Executing", "Stopping"):
            return f"{execution['PipelineExecutionArn']} is running."
    latest = max((execution["StartTime"] for execution in executions), default=None)
    if latest is not None and now - latest < cool_down:
        end = (latest + cool_down).astimezone(UTC)
        return (
            f"The latest execution started at {latest.astimezone(UTC):%Y-%m-%d %H:%M} UTC, and the cool-down period of "
            f"{cool_down / timedelta(hours=1):g} hours ends at {end:%Y-%m-%d %H:%M} UTC."
        )
    return ""
