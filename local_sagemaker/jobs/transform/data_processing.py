"""What happens to records around the model: InputFilter, JoinSource, OutputFilter and GenerateInferenceId.

As "Associate Prediction Results with Input Records" and "Capture data from batch transform job" in the developer guide
have it. A CSV record is a list of its columns, as text; records end with their line.
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
    """A transform job whose records can't be processed as it asks for; the message says why."""


class DataProcessing:
    """The processing that a CreateTransformJob request asks for. Raises DataProcessingError.

    new_id: gives an inference id. inference_time: what every record of the output has as SageMakerInferenceTime.
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

    def body(self, payload: bytes) -> bytes:
        """What of a payload the model is sent. Raises ClientFault for records that can't be read or filtered."""
        if self._input_filter.selects_all:
            return payload
        return self._write(self._input_filter, self._read(self._lines(payload), "the input"))

    def result(self, payload: bytes, response: bytes) -> bytes:
        """What the output has for a payload that the model has answered. Raises ClientFault as `body` does, and where
        the response has more or fewer records than the payload.
        """
        if self._is_off:
            return response
        inputs = self._lines(payload)
        outputs = self._read(self._answers(response, len(inputs)), "the model's response")
        if self._joins:
            join = _joined_columns if self._is_csv else _joined_values
            outputs = map(join, self._read(inputs, "the input"), outputs)
        return self._write(self._output_filter, outputs, self._with_id if self._adds_ids else None)

    def _check(self, request: Record) -> None:
        content_type, accept = request["TransformInput"].get("ContentType"), request["TransformOutput"].get("Accept")
        kind = _media_type(content_type)
        if kind not in (CSV, JSON, JSON_LINES):
            raise DataProcessingError(
                f"DataProcessing and GenerateInferenceId need a ContentType of {CSV}, {JSON} or {JSON_LINES}, "
                f"not {content_type!r}"
            )
        self._is_csv = kind == CSV
        if accept and (_media_type(accept) == CSV) != self._is_csv:
            raise DataProcessingError(f"the ContentType {content_type!r} and Accept {accept!r} must be of one format")
        split_type = request["TransformInput"].get("SplitType", "None")
        assemble_with = request["TransformOutput"].get("AssembleWith", "None")
        if self._is_csv and (split_type, assemble_with) != ("Line", "Line"):
            raise DataProcessingError(f"DataProcessing of {CSV} needs SplitType and AssembleWith to be Line")
        if self._is_csv:
            for path in self._filters:
                if path.has_names:
                    raise DataProcessingError(
                        f"Invalid JsonPath: {path.text!r}: {CSV} has no names; use indexes, such as $[0] or $[1:]"
                    )
        self._is_one_record = kind == JSON and split_type == "None"

    def _lines(self, payload: bytes) -> list[str]:
        """The records of a payload as text."""
        return [_text(payload)] if self._is_one_record else _lines(payload)

    def _answers(self, response: bytes, count: int) -> list[str]:
        """The records of a response to so many. Raises ClientFault where they are not as many."""
        if count == 1 and not self._is_csv:  # it may as well have several lines
            return [_text(response)]
        lines = _lines(response)
        if len(lines) != count:
            raise ClientFault(
                f"mismatched line count between the input and the output: the model answered {count} records with "
                f"{len(lines)} lines; have it answer with a line a record, or set BatchStrategy to SingleRecord"
            )
        return lines

    def _read(self, lines: list[str], what: str) -> Iterator[Any]:
        try:
            if not self._is_csv:
                yield from map(json.loads, lines)
                return
            reader = csv.reader(lines, strict=True)
            for number, columns in enumerate(reader, start=1):
                if reader.line_num != number:
                    raise ClientFault(
                        f"{what} has columns with an end of line in them, which DataProcessing does not take"
                    )
                yield columns
        except (ValueError, csv.Error) as error:
            raise ClientFault(f"{what} is not {'CSV' if self._is_csv else 'JSON'}: {error}") from error

    def _write(self, path: JsonPath, records: Iterator[Any], finish: Callable[[Any], Any] | None = None) -> bytes:
        """What a path selects of each record, a line each. finish: changes it once more."""
        text = io.StringIO()
        try:
            chosen = records if path.selects_all else map(path.select, records)
            if self._is_csv:  # one column is still a row
                chosen = (record if isinstance(record, list) else [record] for record in chosen)
            if finish is not None:
                chosen = map(finish, chosen)
            if self._is_csv:
                csv.writer(text, lineterminator="\n").writerows(chosen)
            else:
                for record in chosen:
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
    # what is not UTF-8 passes through as it is
    return data.decode("utf-8", errors="surrogateescape")


def _lines(data: bytes) -> list[str]:
    return [line.removesuffix("\r") for line in _text(data).removesuffix("\n").split("\n")]


def _joined_columns(record: list[str], output: list[str]) -> list[str]:
    return [*record, *output]


def _joined_values(record: Any, output: Any) -> dict[str, Any]:
    members = record if isinstance(record, dict) else {"SageMakerInput": record}
    return {**members, "SageMakerOutput": output}
