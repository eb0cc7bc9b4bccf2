"""Results of the functions: written to the log and published to the SNS topic."""

from __future__ import annotations

import logging
import os

import boto3

log = logging.getLogger("infrastructure")
# Lambda's root logger only shows warnings
log.setLevel(logging.INFO)

# SNS accepts fewer than 100 characters
_MAX_SUBJECT_LENGTH = 99

Result = dict[str, str]


def notify(outcome: str, subject: str, message: str) -> Result:
    """Log a message, publish it to the topic, and return the function's result."""
    log.info("%s: %s %s", outcome, subject, message)
    topic = boto3.client("sns")
    topic.publish(
        TopicArn=os.environ["TOPIC_ARN"], Subject=subject[:_MAX_SUBJECT_LENGTH], Message=f"{subject}\n\n{message}"
    )
    return {"outcome": outcome, "message": f"{subject}: {message}"}


def ignore(reason: str) -> Result:
    """Log why an event is ignored, and return the function's result."""
    log.warning("ignored: %s", reason)
    return {"outcome": "ignored", "message": reason}
