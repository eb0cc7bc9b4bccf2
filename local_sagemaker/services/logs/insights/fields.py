"""Fields of log events: those that every event has, and those that Insights discovers in its message."""

from __future__ import annotations

import json
import re
from typing import Any

from local_sagemaker.account import ACCOUNT
from local_sagemaker.services.logs.insights.values import Time

# CloudWatch's limit for an event in JSON
MAX_DISCOVERED = 200

_LAMBDA_TYPE = re.compile(r"(START|END|REPORT) RequestId: (\S+)")
_LAMBDA_FIGURES = {
    "@duration": re.compile(r"\tDuration: ([\d.]+) ms"),
    "@billedDuration": re.compile(r"Billed Duration: ([\d.]+) ms"),
    "@initDuration": re.compile(r"Init Duration: ([\d.]+) ms"),
    "@memorySize": re.compile(r"Memory Size: ([\d.]+) MB"),
    "@maxMemoryUsed": re.compile(r"Max Memory Used: ([\d.]+) MB"),
}


def fields_of(group: str, stream: str, position: int, timestamp: int, message: str) -> dict[str, Any]:
    """Return the fields of an event.

    Args:
        group: The log group.
        stream: The log stream.
        position: The number of the event in its stream.
        timestamp: Epoch milliseconds.
        message: What was logged. The members of JSON are fields, as are the figures in a REPORT of Lambda.
    """
    return {
        **_discovered(message),
        "@timestamp": Time(timestamp),
        "@ingestionTime": Time(timestamp),
        "@message": message,
        "@logStream": stream,
        "@log": f"{ACCOUNT}:{group}",
        "@ptr": f"{group}/{stream}/{position}",
    }


def _discovered(message: str) -> dict[str, Any]:
    if message.startswith("{"):
        try:
            return dict(list(_flattened(json.loads(message)).items())[:MAX_DISCOVERED])
        except (ValueError, RecursionError):
            return {}
    if match := _LAMBDA_TYPE.match(message):
        figures = {name: pattern.search(message) for name, pattern in _LAMBDA_FIGURES.items()}
        found: dict[str, Any] = {name: float(figure[1]) for name, figure in figures.items() if figure}
        return {"@type": match[1], "@requestId": match[2], **found}
    return {}


def _flattened(value: Any, path: str = "") -> dict[str, Any]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if items is None:
        return {path: value}
    return {
        inner_path: inner
        for key, item in items
        for inner_path, inner in _flattened(item, f"{path}.{key}" if path else str(key)).items()
    }
