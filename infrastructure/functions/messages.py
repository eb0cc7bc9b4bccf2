"""What functions say: to their log, and to people by the topic."""

from __future__ import annotations

import logging
import os

import boto3

log = logging.getLogger("infrastructure")
# Lambda's root logger shows warnings only
log.setLevel(logging.INFO)

_LONGEST_SUBJECT = 99

Answer = dict[str, str]


def tell(outcome: str, subject: str, message: str) -> Answer:
    """Log a message and publish it to the topic. Returns the function's answer."""
    log.info("%s: %s %s", outcome, subject, message)
    topic = boto3.client("sns")
    topic.publish(
        TopicArn=os.environ["TOPIC_ARN"], Subject=subject[:_LONGEST_SUBJECT], Message=f"{subject}\n\n{message}"
    )
    return {"outcome": outcome, "message": f"{subject}: {message}"}


def drop(why: str) -> Answer:
    """Log why an event is not acted on. Returns the function's answer."""
    log.warning("dropped: %s", why)
    return {"outcome": "dropped", "message": why}
