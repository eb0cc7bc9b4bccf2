"""Removal of an endpoint's monitoring; the endpoint itself, its captures and its labels are kept."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from botocore.exceptions import ClientError

from monitoring import alarms, pipeline_schedules, s3_objects
from monitoring.schedules import delete_schedule, find_schedules
from pipelines import runner
from project.errors import UserError, is_not_found
from project.s3_uris import split_s3_uri
from project.settings import Settings
from project.target import Target

# DeleteObjects accepts no more
_MAX_KEYS_PER_CALL = 1000
_STOP_TIMEOUT = 600


@dataclass(frozen=True)
class Removal:
    """A resource to delete, and the function that deletes it."""

    kind: str
    name: str
    remove: Callable[[], object]


def find_removals(settings: Settings, target: Target, endpoint: str, with_reports: bool) -> list[Removal]:
    """Find the resources of an endpoint's monitoring, in the order in which they can be deleted.

    Args:
        settings: The project's settings.
        target: Where the endpoint is.
        endpoint: Name of the endpoint.
        with_reports: Whether to include the outputs of the project's executions and edited constraints.
    """
    removals = [
        Removal("schedule", schedule.name, partial(delete_schedule, target, schedule))
        for schedule in find_schedules(settings, target, endpoint)
    ]
    removals += [
        Removal("alarm", alarm["AlarmName"], partial(alarms.delete_alarms, target, [alarm]))
        for alarm in alarms.monitoring_alarms(target, endpoint)
    ]
    if topic := alarms.find_topic(target, endpoint):
        removals.append(Removal("topic", topic, partial(target.sns.delete_topic, TopicArn=topic)))
    schedules = pipeline_schedules.find_schedules(settings, target)
    pipeline = runner.pipeline_name(settings, "monitoring")
    # all endpoints of a project share the pipeline
    if all(schedule.endpoint == endpoint for schedule in schedules) and _exists(target, pipeline):
        removals.append(Removal("pipeline", pipeline, partial(_delete_pipeline, target, pipeline)))
    if with_reports:
        uris = (f"{settings.uri(target.bucket)}/{folder}/" for folder in ("monitoring", "constraints"))
        removals += [
            Removal("objects", uri, partial(_delete_objects, target, uri))
            for uri in uris
            if next(s3_objects.list_objects(target, uri), None)
        ]
    return removals


def _exists(target: Target, pipeline: str) -> bool:
    try:
        target.sagemaker.describe_pipeline(PipelineName=pipeline)
    except ClientError as error:
        if is_not_found(error):
            return False
        raise
    return True


def _delete_pipeline(target: Target, pipeline: str) -> None:
    """Delete a pipeline after stopping its executions, because SageMaker refuses while one is running."""
    pages = target.sagemaker.get_paginator("list_pipeline_executions").paginate(PipelineName=pipeline)
    running = [
        item["PipelineExecutionArn"]
        for page in pages
        for item in page["PipelineExecutionSummaries"]
        if item["PipelineExecutionStatus"] in ("Executing", "Stopping")
    ]
    for arn in running:
        if runner.describe(target, arn).status == "Executing":
            runner.stop(target, arn)
    for arn in running:
        for _ in runner.follow(target, arn, _STOP_TIMEOUT):
            pass
    target.sagemaker.delete_pipeline(PipelineName=pipeline, ClientRequestToken=str(uuid.uuid4()))


def _delete_objects(target: Target, uri: str) -> None:
    keys = [{"Key": item["Key"]} for item in s3_objects.list_objects(target, uri)]
    for start in range(0, len(keys), _MAX_KEYS_PER_CALL):
        response = target.s3.delete_objects(
            Bucket=split_s3_uri(uri)[0], Delete={"Objects": keys[start : start + _MAX_KEYS_PER_CALL], "Quiet": True}
        )
        if errors := response.get("Errors"):
            raise UserError(f"cannot delete {errors[0]['Key']}: {errors[0]['Code']}; check the bucket's policy")
