"""What happens to records around the model: InputFilter, JoinSource, OutputFilter and GenerateInferenceId.

As "Associate Prediction Results with Input Records" and "Capture data from batch transform job" in the developer guide
have it. A CSV record is a list of its columns, as text; records end with their line.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from typing import Any

from local_sagemaker.job_files import ClientFault
from local_sagemaker.transform.json_path import JsonPath, JsonPathError

Record = dict[str, Any]

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
        return self._write([_selected(self._input_filter, record) for record in self._records(payload)])

    def result(self, payload: bytes, response: bytes) -> bytes:
        """What the output has for a payload that the model has answered. Raises ClientFault as `body` does, and where
        the response has more or fewer records than the payload."""
        if self._is_off:
            return response
        inputs = self._records(payload)
        outputs = self._answers(response, len(inputs))
        if self._joins:
            join = _joined_columns if self._is_csv else _joined_values
            outputs = [join(record, output) for record, output in zip(inputs, outputs, strict=True)]
        return self._write([self._with_id(_selected(self._output_filter, record)) for record in outputs])

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

    def _records(self, text: bytes) -> list[Any]:
        lines = [text.decode("utf-8", errors="surrogateescape")] if self._is_one_record else _lines(text)
        return self._read(lines, "the input")

    def _answers(self, response: bytes, count: int) -> list[Any]:
        if count == 1 and not self._is_csv:  # which may as well have several lines
            lines = [response.decode("utf-8", errors="surrogateescape")]
        else:
            lines = _lines(response)
        if len(lines) != count:
            raise ClientFault(
                f"mismatched line count between the input and the output: the model answered {count} records with "
                f"{len(lines)} lines; have it answer with a line a record, or set BatchStrategy to SingleRecord"
            )
        return self._read(lines, "the model's response")

    def _read(self, lines: list[str], what: str) -> list[Any]:
        try:
            if not self._is_csv:
                return [json.loads(line) for line in lines]
            rows = list(csv.reader(lines, strict=True))
        except (ValueError, csv.Error) as error:
            raise ClientFault(f"{what} is not {'CSV' if self._is_csv else 'JSON'}: {error}") from error
        if len(rows) != len(lines):
            raise ClientFault(f"{what} has columns with an end of line in them, which DataProcessing does not take")
        return rows

    def _write(self, records: list[Any]) -> bytes:
        if self._is_csv:
            text = io.StringIO()
            rows = (record if isinstance(record, list) else [record] for record in records)
            csv.writer(text, lineterminator="\n").writerows(rows)
            written = text.getvalue().removesuffix("\n")
        else:
            written = "\n".join(json.dumps(record, ensure_ascii=False, separators=(",", ":")) for record in records)
        return written.encode("utf-8", errors="surrogateescape")

    def _with_id(self, record: Any) -> Any:
        if not self._adds_ids:
            return record
        if self._is_csv:
            return [*(record if isinstance(record, list) else [record]), self._new_id(), self._time]
        members = record if isinstance(record, dict) else {"SageMakerOutput": record}
        return {**members, "SageMakerInferenceId": self._new_id(), "SageMakerInferenceTime": self._time}


def _media_type(header: str | None) -> str:
    return (header or "").partition(";")[0].strip().lower()


def _lines(text: bytes) -> list[str]:
    lines = text.removesuffix(b"\n").split(b"\n")
    return [line.decode("utf-8", errors="surrogateescape").removesuffix("\r") for line in lines]


def _joined_columns(record: list[str], output: list[str]) -> list[str]:
    return [*record, *output]


def _joined_values(record: Any, output: Any) -> dict[str, Any]:
    members = record if isinstance(record, dict) else {"SageMakerInput": record}
    return {**members, "SageMakerOutput": output}


def _selected(path: JsonPath, record: Any) -> Any:
    try:
        return path.select(record)
    except JsonPathError as error:
        raise ClientFault(f"{error} in a record") from error
