"""Outputs of batch transforms as captured events, so that ground truth can be merged with them.

With GenerateInferenceId a transform job appends an id and a time to every record of its output: two columns in CSV,
SageMakerInferenceId and SageMakerInferenceTime in JSON ("Capture data from batch transform job" in SageMaker's
developer guide).
"""

from __future__ import annotations

import json
from typing import Any

from analyzer.datasets.json_lines import parse_line
from analyzer.datasets.payloads import CSV, JSON

ID, TIME = "SageMakerInferenceId", "SageMakerInferenceTime"
# Key of an output that is not an object.
OUTPUT = "SageMakerOutput"

ADVICE = "run the transform job with data capture and GenerateInferenceId"


def captured_event(line: bytes) -> tuple[dict[str, Any], bytes]:
    """Convert a line of a capture file or of a batch transform's output to a captured event.

    Returns:
        The event, and the event as a line of a capture file.

    Raises:
        ValueError: The line is neither.
    """
    if not line.lstrip().startswith(b"{"):
        return _captured(*_split_csv(line))
    event = parse_line(line)
    if isinstance(event.get("captureData"), dict):
        return event, line
    if ID not in event:
        raise ValueError(f"is not a captured inference: it has neither 'captureData' nor {ID!r}; {ADVICE}")
    identity, time = event.pop(ID), event.pop(TIME, None)
    output = event[OUTPUT] if [*event] == [OUTPUT] else event
    return _captured(json.dumps(output, ensure_ascii=False), JSON, identity, time)


def _split_csv(line: bytes) -> tuple[str, str, str, str]:
    try:
        columns = line.decode("utf-8").strip().rsplit(",", 2)
    except UnicodeDecodeError as error:
        raise ValueError(f"is not UTF-8 (at byte {error.start})") from error
    if len(columns) != 3:
        raise ValueError(f"is neither JSON nor a record that ends with an inference id and a time; {ADVICE}")
    return columns[0], CSV, columns[1], columns[2]


def _captured(data: str, encoding: str, identity: Any, time: Any) -> tuple[dict[str, Any], bytes]:
    event = {
        "captureData": {"endpointOutput": {"data": data, "encoding": encoding, "mode": "OUTPUT"}},
        "eventMetadata": {"eventId": identity, "inferenceTime": time},
        "eventVersion": "0",
    }
    return event, json.dumps(event, ensure_ascii=False).encode()
