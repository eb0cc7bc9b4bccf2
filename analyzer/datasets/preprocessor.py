"""The user's preprocessing script, which makes the records of an analysis.

As in Model Monitor ("Preprocessing and Postprocessing" in SageMaker's developer guide),
``preprocess_handler(inference_record)`` or ``preprocess_handler(inference_record, logger)`` gets a captured event (with
``endpoint_input.data`` and the like), an object of JSON lines, or a line of CSV. It returns a flat record, a list of
them, or nothing to leave the record out.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analyzer.datasets.flattening import flatten
from analyzer.scripts import load_handler

logger = logging.getLogger("Preprocessing")


@dataclass(frozen=True)
class CapturedPayload:
    """One payload of an event, as the script gets it."""

    data: Any = None
    encoding: str | None = None
    mode: str | None = None
    observed_content_type: str | None = None


@dataclass(frozen=True)
class CapturedEvent:
    """A captured inference as the script gets it, with the attributes that Model Monitor documents.

    Attributes:
        endpoint_input: Request payload.
        endpoint_output: Response payload.
        ground_truth: Label, in merged events only.
        event_metadata: The event's eventMetadata object.
        event_version: The event's eventVersion.
    """

    endpoint_input: CapturedPayload
    endpoint_output: CapturedPayload
    ground_truth: CapturedPayload
    event_metadata: Mapping[str, Any]
    event_version: str | None


@dataclass(frozen=True)
class Preprocessor:
    """A script's preprocess_handler. Its exceptions become ValueErrors, the reason why a record is malformed."""

    handler: Callable[..., Any]
    wants_logger: bool

    @classmethod
    def load(cls, script: Path) -> Preprocessor:
        """Load the handler of a script.

        Raises:
            QualityError: The script cannot be loaded or has no preprocess_handler.
        """
        handler = load_handler(script, "preprocess_handler", "record_preprocessor_script")
        return cls(handler, "logger" in inspect.signature(handler).parameters)

    def records_from_event(self, event: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return the flat records that the script makes of a captured event."""
        data = event.get("captureData") or {}
        return self.records_from(
            CapturedEvent(
                endpoint_input=_payload(data.get("endpointInput")),
                endpoint_output=_payload(data.get("endpointOutput")),
                ground_truth=_payload(event.get("groundTruthData")),
                event_metadata=event.get("eventMetadata") or {},
                event_version=event.get("eventVersion"),
            )
        )

    def records_from(self, value: Any) -> list[dict[str, Any]]:
        """Return the flat records that the script makes of an event, a JSON object or a line of CSV."""
        try:
            made = self.handler(value, logger) if self.wants_logger else self.handler(value)
        except Exception as error:
            # The exception's message may contain a value of the record, so only its type and line are reported.
            raise ValueError(f"made preprocess_handler raise {type(error).__name__}{_line_of(error)}") from error
        records = made if isinstance(made, list) else [made]
        if any(record is not None and not isinstance(record, dict) for record in records):
            raise ValueError("made preprocess_handler return something other than a record, a list of records or None")
        return [flatten(record) for record in records if record]


def _payload(side: Any) -> CapturedPayload:
    if not isinstance(side, dict):
        return CapturedPayload()
    return CapturedPayload(side.get("data"), side.get("encoding"), side.get("mode"), side.get("observedContentType"))


def _line_of(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f" at line {trace.tb_lineno}" if trace else ""
