"""The violations that made a check of a pipeline fail, named with their numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from botocore.exceptions import ClientError

from analyzer.violations import group_violations, named_violations
from pipelines.runner import Step, check_metadata, describe_job
from project.s3_uris import split_s3_uri
from project.target import Target

# what Model Monitor's container and the analyzer begin their exit message with
_EXIT_MESSAGE = "CompletedWithViolations"


def with_violations(target: Target, step: Step) -> Step:
    """Add the violations to the reason of a step that failed because of them; other steps are returned unchanged."""
    report = check_metadata(step.metadata or {}).get("ViolationReport")
    try:
        if report:
            return replace(step, reason=_named(target, step.reason, report))
        if ":processing-job/" in step.job:
            message = describe_job(target, step).get("ExitMessage", "")
            if message.startswith(_EXIT_MESSAGE):
                return replace(step, reason=f"{step.reason}\n{message.strip()}")
    except (ClientError, ValueError, KeyError):
        # the reason itself is worth more than an error of its details
        return step
    return step


def _named(target: Target, reason: str, report: str) -> str:
    bucket, key = split_s3_uri(report)
    document = json.loads(target.s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    groups = group_violations(
        (_subject(item), item["constraint_check_type"], item["description"]) for item in document["violations"]
    )
    return named_violations(f"{reason}\n", groups, report, limit=4096)


def _subject(violation: Mapping[str, Any]) -> str:
    """Name what a violation is about: a feature, a metric, or for bias the metric of a group."""
    metric = violation.get("metric_name")
    if "facet" in violation:
        # imported late: it takes a while
        from analyzer.clarify.drift import group_text

        return f"{metric} of {group_text(violation['facet'], violation['facet_value'])}"
    return violation.get("feature_name") or metric or "dataset"
