"""Container logs in CloudWatch Logs."""

from __future__ import annotations

from botocore.exceptions import ClientError

from project.errors import is_not_found
from project.target import Target


def last_lines(target: Target, group: str, stream_prefix: str, last: int) -> list[str]:
    """Return the last lines of the log streams whose names start with a prefix; empty if there are none."""
    pages = target.logs.get_paginator("describe_log_streams").paginate(
        logGroupName=group, **({"logStreamNamePrefix": stream_prefix} if stream_prefix else {})
    )
    try:
        events = [
            event
            for page in pages
            for stream in page["logStreams"]
            for event in target.logs.get_log_events(
                logGroupName=group, logStreamName=stream["logStreamName"], limit=last, startFromHead=False
            )["events"]
        ]
    except ClientError as error:
        if is_not_found(error):
            return []
        raise
    events.sort(key=lambda event: event["timestamp"])
    return [event["message"].rstrip("\n") for event in events[-last:]]
