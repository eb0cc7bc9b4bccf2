"""The scripts that a user gives an analysis: one that makes its records, and one that runs when it is done.

As Model Monitor has them ("Preprocessing and Postprocessing"): ``preprocess_handler(inference_record)`` or
``preprocess_handler(inference_record, logger)`` gets a captured event (its ``endpoint_input.data`` and the like), an
object of JSON lines, or a line of CSV, and returns a flat record, a list of them, or nothing for leaving it out;
``postprocess_handler()`` gets nothing.
"""

from __future__ import annotations

import importlib.util
import inspect
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analyzer import QualityError
from analyzer.datasets.flattening import flat

logger = logging.getLogger("Preprocessing")


@dataclass(frozen=True)
class CapturedPayload:
    """One payload of an event, as a script sees it."""

    data: Any = None
    encoding: str | None = None
    mode: str | None = None
    observed_content_type: str | None = None


@dataclass(frozen=True)
class CapturedEvent:
    """A captured inference as a script sees it, by the attributes that Model Monitor's own have.

    ``ground_truth`` is there in merged events; ``event_metadata`` is the event's object of that name.
    """

    endpoint_input: CapturedPayload
    endpoint_output: CapturedPayload
    ground_truth: CapturedPayload
    event_metadata: Mapping[str, Any]
    event_version: str | None


@dataclass(frozen=True)
class Preprocessor:
    """A script's preprocess_handler; what it raises is the malformed record's reason, as a ValueError."""

    handler: Callable[..., Any]
    wants_logger: bool

    @classmethod
    def load(cls, script: Path) -> Preprocessor:
        """The handler of a script; QualityError where there is none."""
        handler = _handler(script, "preprocess_handler", "record_preprocessor_script")
        return cls(handler, "logger" in inspect.signature(handler).parameters)

    def of_event(self, event: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The flat records that the script makes of a captured event."""
        data = event.get("captureData") or {}
        return self.of_value(
            CapturedEvent(
                endpoint_input=_payload(data.get("endpointInput")),
                endpoint_output=_payload(data.get("endpointOutput")),
                ground_truth=_payload(event.get("groundTruthData")),
                event_metadata=event.get("eventMetadata") or {},
                event_version=event.get("eventVersion"),
            )
        )

    def of_value(self, value: Any) -> list[dict[str, Any]]:
        """The flat records that the script makes of a value."""
        try:
            made = self.handler(value, logger) if self.wants_logger else self.handler(value)
        except Exception as error:
            # A message of Python may show a value; its type and place say enough.
            raise ValueError(f"makes preprocess_handler raise {type(error).__name__}{_place(error)}") from error
        records = made if isinstance(made, list) else [made]
        if any(record is not None and not isinstance(record, dict) for record in records):
            raise ValueError("makes preprocess_handler return neither a record, a list of records, nor nothing")
        return [flat(record) for record in records if record]


def postprocess(script: Path) -> Callable[[], Any]:
    """The postprocess_handler of a script, to be called when the analysis is done; QualityError where there is none."""
    handler: Callable[[], Any] = _handler(script, "postprocess_handler", "post_analytics_processor_script")
    return handler


def _handler(script: Path, name: str, setting: str) -> Callable[..., Any]:
    spec = importlib.util.spec_from_file_location(name, script)
    if not script.is_file() or spec is None or spec.loader is None:
        raise QualityError(f"{script} is no Python file; set {setting} to a script with a function {name}")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise QualityError(f"{script} cannot be loaded ({type(error).__name__}: {error}); see {setting}") from error
    handler = getattr(module, name, None)
    if not callable(handler):
        raise QualityError(f"{script} has no function {name}; define it, or leave {setting} out")
    result: Callable[..., Any] = handler
    return result


def _payload(side: Any) -> CapturedPayload:
    if not isinstance(side, dict):
        return CapturedPayload()
    return CapturedPayload(side.get("data"), side.get("encoding"), side.get("mode"), side.get("observedContentType"))


def _place(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f" in line {trace.tb_lineno}" if trace else ""
