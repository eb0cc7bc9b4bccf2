"""Processing of records before and after inference: InputFilter, JoinSource, OutputFilter and GenerateInferenceId.

A CSV record is a list of its columns as text, and always one line. Sources: "Associate Prediction Results with Input
Records" and "Capture data from batch transform job" in the developer guide.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from typing import Any

from local_sagemaker.jobs.transform.json_path import JsonPath, JsonPathError
from local_sagemaker.storage.records import Record
from local_sagemaker.storage.transfers import ClientFault

CSV = "text/csv"
JSON = "application/json"
JSON_LINES = "application/jsonlines"


class DataProcessingError(ValueError):
    """An invalid DataProcessing configuration; the message says why."""


class DataProcessing:
    """The data processing of a CreateTransformJob request.

    Args:
        request: The request.
        new_id: Returns a new inference id.
        inference_time: SageMakerInferenceTime of all records.

    Raises:
        DataProcessingError: The configuration is invalid.
    """

    def __init__(self, request: Record, new_id: Callable[[], str], inference_time: str) -> None:
        options = request.get("DataProcessing", {})
        try:
            self._input_filter = JsonPath(options.get("InputFilter") or "$")
            self._output_filter = JsonPath(options.get("OutputFilter") or "$")
        except JsonPathError as error:
            raise DataProcessingError(str(error)) from error
        self._joins = options.get("JoinSource") == "Input"
        self._adds_ids = request.get("DataCaptureConfig", {}).get("GenerateInferenceId", False)
        self._new_id, self._time = new_id, inference_time
        self._filters = [self._input_filter, self._output_filter]
        self._is_off = not (self._joins or self._adds_ids) and all(path.selects_all for path in self._filters)
        if not self._is_off:
            self._check(request)

    def request_body(self, payload: bytes) -> bytes:
        """Return the part of a payload to send to the model.

        Raises:
            ClientFault: A record cannot be parsed or filtered.
        """
        if self._input_filter.selects_all:
            return payload
        return self._write(self._input_filter, self._read(self._lines(payload), "the input"))

    def output(self, payload: bytes, response: bytes) -> bytes:
        """Return the output for a payload and the model's response.

        Raises:
            ClientFault: A record cannot be parsed or filtered, or the response has another number of records.
        """
        if self._is_off:
            return response
        inputs = self._lines(payload)
        outputs = self._read(self._response_lines(response, len(inputs)), "the model's response")
        if self._joins:
            join = _joined_columns if self._is_csv else _joined_values
            outputs = map(join, self._read(inputs, "the input"), outputs)
        return self._write(self._output_filter, outputs, self._with_id if self._adds_ids else None)

    def _check(self, request: Record) -> None:
        content_type, accept = request["TransformInput"].get("ContentType"), request["TransformOutput"].get("Accept")
        kind = _media_type(content_type)
        if kind not in (CSV, JSON, JSON_LINES):
            raise DataProcessingError(
                f"DataProcessing and GenerateInferenceId require the ContentType {CSV}, {JSON} or {JSON_LINES}, "
                f"not {content_type!r}"
            )
        self._is_csv = kind == CSV
        if accept and (_media_type(accept) == CSV) != self._is_csv:
            raise DataProcessingError(f"ContentType {content_type!r} and Accept {accept!r} must have the same format")
        split_type = request["TransformInput"].get("SplitType", "None")
        assemble_with = request["TransformOutput"].get("AssembleWith", "None")
        if self._is_csv and (split_type, assemble_with) != ("Line", "Line"):
            raise DataProcessingError(f"DataProcessing of {CSV} requires SplitType Line and AssembleWith Line")
        if self._is_csv:
            for path in self._filters:
                if path.has_names:
                    raise DataProcessingError(
                        f"Invalid JsonPath: {path.text!r}: {CSV} has no names; use indexes such as $[0] or $[1:]"
                    )
        self._is_one_record = kind == JSON and split_type == "None"

    def _lines(self, payload: bytes) -> list[str]:
        """Split a payload into records."""
        return [_text(payload)] if self._is_one_record else _lines(payload)

    def _response_lines(self, response: bytes, count: int) -> list[str]:
        """Split a response to `count` records into records."""
        # a single JSON document may have several lines
        if count == 1 and not self._is_csv:
            return [_text(response)]
        lines = _lines(response)
        if len(lines) != count:
            raise ClientFault(
                f"mismatched line count between the input and the output: the model responded to {count} records with "
                f"{len(lines)} lines; return one line per record, or set BatchStrategy to SingleRecord"
            )
        return lines

    def _read(self, lines: list[str], name: str) -> Iterator[Any]:
        try:
            if not self._is_csv:
                yield from map(json.loads, lines)
                return
            reader = csv.reader(lines, strict=True)
            for number, columns in enumerate(reader, start=1):
                if reader.line_num != number:
                    raise ClientFault(
                        f"{name} has columns that contain a newline, which DataProcessing does not support"
                    )
                yield columns
        except (ValueError, csv.Error) as error:
            raise ClientFault(f"{name} is not {'CSV' if self._is_csv else 'JSON'}: {error}") from error

    def _write(self, path: JsonPath, records: Iterator[Any], finish: Callable[[Any], Any] | None = None) -> bytes:
        """Select a path of each record, apply `finish`, and write one line per record."""
        text = io.StringIO()
        try:
            selected = records if path.selects_all else map(path.select, records)
            if self._is_csv:
                # a path such as $[0] selects a single column, which is a row nevertheless
                selected = (record if isinstance(record, list) else [record] for record in selected)
            if finish is not None:
                selected = map(finish, selected)
            if self._is_csv:
                csv.writer(text, lineterminator="\n").writerows(selected)
            else:
                for record in selected:
                    text.write(json.dumps(record, ensure_ascii=False, separators=(",", ":")) + "\n")
        except JsonPathError as error:
            raise ClientFault(f"{error} in a record") from error
        return text.getvalue().removesuffix("\n").encode("utf-8", errors="surrogateescape")

    def _with_id(self, record: Any) -> Any:
        if self._is_csv:
            return [*record, self._new_id(), self._time]
        members = record if isinstance(record, dict) else {"SageMakerOutput": record}
        return {**members, "SageMakerInferenceId": self._new_id(), "SageMakerInferenceTime": self._time}


def _media_type(header: str | None) -> str:
    return (header or "").partition(";")[0].strip().lower()


def _text(data: bytes) -> str:
    # bytes that are not valid UTF-8 are preserved
    return data.decode("utf-8", errors="surrogateescape")


def _lines(data: bytes) -> list[str]:
    return [line.removesuffix("\r") for line in _text(data).removesuffix("\n").split("\n")]


def _joined_columns(record: list[str], output: list[str]) -> list[str]:
    return [*record, *output]


def _joined_values(record: Any, output: Any) -> dict[str, Any]:
    members = record if isinstance(record, dict) else {"SageMakerInput": record}
    return {**members, "SageMakerOutput": output}
