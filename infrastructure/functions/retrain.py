"""Monitoring has found drift, or it is time: start the training pipeline on the newest data.

Nothing is started while an execution runs, nor within the cool-down after the start of another. Either way people are
told what was done and why.
"""

from __future__ import annotations

import hashlib
import os
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3

from infrastructure.functions.messages import Answer, drop, tell
from project.s3_uris import split_s3_uri

ALARM, SCHEDULE = "CloudWatch Alarm State Change", "Scheduled Retraining"
# the longest that a job may run, and so beyond which no execution is still running
_LOOK_BACK = timedelta(days=28)


def handler(event: Any, context: Any) -> Answer:
    try:
        event_id, why = _occasion(event)
    except ValueError as error:
        return drop(str(error))
    pipeline = os.environ["PIPELINE"]
    sagemaker = boto3.client("sagemaker")
    hindrance = _hindrance(sagemaker, pipeline, timedelta(hours=float(os.environ["COOL_DOWN_HOURS"])))
    if hindrance:
        return tell("not started", f"{pipeline} is not retrained", f"{why}\n{hindrance}")
    parameters = []
    location = os.environ["FRESH_DATA_URI"]
    if location:
        data = newest_data(boto3.client("s3"), location)
        if data is None:
            return tell("not started", f"{pipeline} is not retrained", f"{why}\nThere is no data below {location}.")
        parameters.append({"Name": "InputDataUri", "Value": data})
    execution = sagemaker.start_pipeline_execution(
        PipelineName=pipeline,
        PipelineParameters=parameters,
        PipelineExecutionDescription=why[:3072],
        # EventBridge delivers at least once; an event starts no second execution
        ClientRequestToken=hashlib.sha256(event_id.encode()).hexdigest(),
    )["PipelineExecutionArn"]
    read = parameters[0]["Value"] if parameters else "the pipeline's own input"
    return tell("started", f"{pipeline} is retrained", f"{why}\n{execution} reads {read}.")


def newest_data(s3: Any, location: str) -> str | None:
    """The URI of the data set below an s3:// prefix that has changed last: a file, or a folder with all that is in it.

    None where there is none.
    """
    bucket, prefix = split_s3_uri(location)
    prefix = prefix and prefix.rstrip("/") + "/"
    newest: tuple[datetime, str] | None = None
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for item in page.get("Contents", []):
            name = item["Key"].removeprefix(prefix).split("/", 1)[0]
            # empty objects stand for folders, as the console makes them
            if name and item["Size"]:
                newest = max(newest or (item["LastModified"], name), (item["LastModified"], name))
    return f"s3://{bucket}/{prefix}{newest[1]}" if newest else None


def _occasion(event: Any) -> tuple[str, str]:
    """The event's id, and what it tells, in words.

    Raises:
        ValueError: it is neither an alarm's nor the schedule's.
    """
    kind = event.get("detail-type") if isinstance(event, dict) else None
    if kind not in (ALARM, SCHEDULE) or not isinstance(event.get("id"), str):
        raise ValueError("this is neither the state change of an alarm nor a schedule")
    if kind == SCHEDULE:
        return event["id"], "It is time by the schedule."
    detail = event.get("detail")
    state = detail.get("state") if isinstance(detail, dict) else None
    if not isinstance(state, dict) or not isinstance(detail.get("alarmName"), str):
        raise ValueError("the alarm has no name or no state")
    if state.get("value") != "ALARM":
        raise ValueError(f"{detail['alarmName']} does not ring")
    return event["id"], f"{detail['alarmName']} rings: {state.get('reason') or 'no reason given'}"


def _hindrance(sagemaker: Any, pipeline: str, cool_down: timedelta) -> str:
    """Why no execution may be started now, empty where one may."""
    now = datetime.now(UTC)
    pages = sagemaker.get_paginator("list_pipeline_executions").paginate(
        PipelineName=pipeline,
        CreatedAfter=now - max(_LOOK_BACK, cool_down),
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
            f"The last execution was started at {latest.astimezone(UTC):%Y-%m-%d %H:%M} UTC, and the cool-down is "
            f"{cool_down / timedelta(hours=1):g} hours."
        )
    return ""
