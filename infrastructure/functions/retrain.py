"""Start the training pipeline on the newest data, after an alert of monitoring or on a schedule.

No execution is started while another one runs, or in the cool-down period after the start of another one. The result
is published to the topic.
"""

from __future__ import annotations

import hashlib
import os
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3

from infrastructure.functions.notifications import Result, ignore, notify
from project.s3_uris import split_s3_uri

ALARM, SCHEDULE = "CloudWatch Alarm State Change", "Scheduled Retraining"
# maximum runtime of a job: older executions cannot be running
_MAX_EXECUTION_AGE = timedelta(days=28)


def handler(event: Any, context: Any) -> Result:
    try:
        event_id, cause = _parse_event(event)
    except ValueError as error:
        return ignore(str(error))
    pipeline = os.environ["PIPELINE"]
    sagemaker = boto3.client("sagemaker")
    obstacle = _reason_not_to_start(sagemaker, pipeline, timedelta(hours=float(os.environ["COOL_DOWN_HOURS"])))
    if obstacle:
        return notify("not started", f"Retraining of {pipeline} was not started", f"{cause}\n{obstacle}")
    parameters = []
    location = os.environ["FRESH_DATA_URI"]
    if location:
        data = newest_data(boto3.client("s3"), location)
        if data is None:
            return notify(
                "not started", f"Retraining of {pipeline} was not started", f"{cause}\nNo data found at {location}."
            )
        parameters.append({"Name": "InputDataUri", "Value": data})
    execution = sagemaker.start_pipeline_execution(
        PipelineName=pipeline,
        PipelineParameters=parameters,
        PipelineExecutionDescription=cause[:3072],
        # EventBridge may deliver an event more than once
        ClientRequestToken=hashlib.sha256(event_id.encode()).hexdigest(),
    )["PipelineExecutionArn"]
    data_location = parameters[0]["Value"] if parameters else "the default input of the pipeline"
    return notify("started", f"Retraining of {pipeline} was started", f"{cause}\n{execution} reads {data_location}.")


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


def _parse_event(event: Any) -> tuple[str, str]:
    """Return the ID of an event, and the cause of retraining as text.

    Raises:
        ValueError: The event is neither an alarm in ALARM state nor the schedule's.
    """
    kind = event.get("detail-type") if isinstance(event, dict) else None
    if kind not in (ALARM, SCHEDULE) or not isinstance(event.get("id"), str):
        raise ValueError("the event is neither a state change of an alarm nor scheduled")
    if kind == SCHEDULE:
        return event["id"], "Retraining is scheduled."
    detail = event.get("detail")
    state = detail.get("state") if isinstance(detail, dict) else None
    if not isinstance(state, dict) or not isinstance(detail.get("alarmName"), str):
        raise ValueError("the alarm has no name or no state")
    if state.get("value") != "ALARM":
        raise ValueError(f"alarm {detail['alarmName']} is not in state ALARM")
    return event["id"], f"Alarm {detail['alarmName']} is in state ALARM: {state.get('reason') or 'no reason given'}"


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
        return (
            f"The latest execution started at {latest.astimezone(UTC):%Y-%m-%d %H:%M} UTC; the cool-down period is "
            f"{cool_down / timedelta(hours=1):g} hours."
        )
    return ""
