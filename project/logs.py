"""What containers have logged."""

from __future__ import annotations

from botocore.exceptions import ClientError

from project.errors import is_not_found
from project.target import Target


def last_lines(target: Target, group: str, stream_prefix: str, last: int) -> list[str]:
    """The last lines of all the group's log streams whose names begin with the prefix; none where nothing is logged."""
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
