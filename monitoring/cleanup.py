"""Removal of all that watches an endpoint; the endpoint itself, captures and labels stay."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from botocore.exceptions import ClientError

from deployment.endpoints import is_missing
from monitoring import alarms, pipeline_schedules, s3_objects
from monitoring.schedules import delete_schedule, find_schedules
from pipelines import runner
from project.errors import UserError
from project.s3_uris import split_s3_uri
from project.settings import Settings
from project.target import Target

_MOST_KEYS = 1000  # that DeleteObjects takes at once
_STOP_TIMEOUT = 600


@dataclass(frozen=True)
class Removal:
    """Something to be removed, as a person knows it, and how."""

    kind: str
    name: str
    remove: Callable[[], object]


def removals(settings: Settings, target: Target, endpoint: str, with_reports: bool) -> list[Removal]:
    """What there is, in the order in which it can be removed.

    with_reports: also what the project's checks have written, and edited constraints.
    """
    found = [
        Removal("schedule", schedule.name, partial(delete_schedule, target, schedule))
        for schedule in find_schedules(settings, target, endpoint)
    ]
    found += [
        Removal("alarm", alarm["AlarmName"], partial(alarms.delete_alarms, target, [alarm]))
        for alarm in alarms.monitoring_alarms(target, endpoint)
    ]
    if topic := alarms.find_topic(target, endpoint):
        found.append(Removal("topic", topic, partial(target.sns.delete_topic, TopicArn=topic)))
    others = [one for one in pipeline_schedules.find_schedules(settings, target) if one.endpoint != endpoint]
    pipeline = runner.pipeline_name(settings, "monitoring")
    if not others and _exists(target, pipeline):
        found.append(Removal("pipeline", pipeline, partial(_delete_pipeline, target, pipeline)))
    if with_reports:
        uris = (f"{settings.uri(target.bucket)}/{folder}/" for folder in ("monitoring", "constraints"))
        found += [
            Removal("objects", uri, partial(_delete_objects, target, uri))
            for uri in uris
            if next(s3_objects.find(target, uri), None)
        ]
    return found


def _exists(target: Target, pipeline: str) -> bool:
    try:
        target.sagemaker.describe_pipeline(PipelineName=pipeline)
    except ClientError as error:
        if is_missing(error):
            return False
        raise
    return True


def _delete_pipeline(target: Target, pipeline: str) -> None:
    """SageMaker deletes no pipeline of which an execution runs."""
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
    keys = [{"Key": item["Key"]} for item in s3_objects.find(target, uri)]
    for start in range(0, len(keys), _MOST_KEYS):
        answer = target.s3.delete_objects(
            Bucket=split_s3_uri(uri)[0], Delete={"Objects": keys[start : start + _MOST_KEYS], "Quiet": True}
        )
        if errors := answer.get("Errors"):
            raise UserError(f"{errors[0]['Key']} can't be deleted: {errors[0]['Code']}; see the bucket's policy")
