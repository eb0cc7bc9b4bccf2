"""Outputs of batch transforms as captured events, for their ground truth to be merged with them.

With GenerateInferenceId a transform job ends every record of its output with an id and a time: two columns more in CSV,
SageMakerInferenceId and SageMakerInferenceTime in JSON ("Capture data from batch transform job" in SageMaker's
developer guide).
"""

from __future__ import annotations

import json
from typing import Any

from analyzer.datasets.json_lines import parse_line
from analyzer.datasets.payloads import CSV, JSON

ID, TIME = "SageMakerInferenceId", "SageMakerInferenceTime"
# what an answer that is no object stands under
OUTPUT = "SageMakerOutput"

ADVICE = "transform with data capture and GenerateInferenceId"


def captured_event(line: bytes) -> tuple[dict[str, Any], bytes]:
    """The event on a line of captures or of a batch transform's output, and the line of captures that says it.

    Raises:
        ValueError: the line is neither.
    """
    if not line.lstrip().startswith(b"{"):
        return _written(*_of_csv(line))
    event = parse_line(line)
    if isinstance(event.get("captureData"), dict):
        return event, line
    if ID not in event:
        raise ValueError(f"is no captured inference: it has neither 'captureData' nor {ID!r}; {ADVICE}")
    identity, time = event.pop(ID), event.pop(TIME, None)
    answer = event[OUTPUT] if [*event] == [OUTPUT] else event
    return _written(json.dumps(answer, ensure_ascii=False), JSON, identity, time)


def _of_csv(line: bytes) -> tuple[str, str, str, str]:
    try:
        columns = line.decode("utf-8").strip().rsplit(",", 2)
    except UnicodeDecodeError as error:
        raise ValueError(f"is not UTF-8 (at byte {error.start})") from error
    if len(columns) != 3:
        raise ValueError(f"is neither JSON nor a record that ends with an inference id and a time; {ADVICE}")
    return columns[0], CSV, columns[1], columns[2]


def _written(data: str, encoding: str, identity: Any, time: Any) -> tuple[dict[str, Any], bytes]:
    event = {
        "captureData": {"endpointOutput": {"data": data, "encoding": encoding, "mode": "OUTPUT"}},
        "eventMetadata": {"eventId": identity, "inferenceTime": time},
        "eventVersion": "0",
    }
    return event, json.dumps(event, ensure_ascii=False).encode()
