"""Captured inferences, with or without ground truth, as records of features, predicted label and label.

Unlike data quality, bias and attribution need to know which value of a request is which feature. Requests are read

- by the schema of a model archive, as its endpoint reads them. Facets and group variable may be further fields of JSON
  objects and further columns of CSV with a header, which the model ignores;
- by a JMESPath (``features_attribute``) that finds a list of values for each record;
- otherwise as CSV, or as objects with named values.

Values without names get those of ``headers`` without the label. Predictions and labels are found by a JMESPath or an
index, or are the only value of their record. Without ``inference_attribute``, a prediction from 0 to 1 for labels that
are 0 and 1 is a score, which is compared with the threshold.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from analyzer import NoRecords
from analyzer.clarify.attributes import PREDICTIONS, Attributes, ValuePlace, json_documents, typed
from analyzer.clarify.columns import Columns, placeholders
from analyzer.clarify.config import AnalysisConfig
from analyzer.clarify.datasets import BATCH_ROWS
from analyzer.clarify.jmes import Expression
from analyzer.clarify.tables import names_of, to_batch
from analyzer.datasets.captures import GROUND_TRUTH, INPUT, OUTPUT, is_in_window, is_left_out, lines
from analyzer.datasets.dataset import list_files
from analyzer.datasets.json_lines import parse_line
from analyzer.datasets.malformed_records import MalformedRecords
from analyzer.datasets.payloads import CSV, cells, decode, text_of
from analyzer.datasets.requests import read_request
from analyzer.performance.batch_outputs import OUTPUT as JOINED
from analyzer.schema import Schema
from analyzer.window import Window

Record = dict[str, Any]


@dataclass
class CapturedRecords:
    """Records of captured events.

    Attributes:
        source: File or folder of the captures.
        config: The configuration; its ``label`` locates the label in ground truth.
        attributes: Where the events have features and predictions.
        merged: Whether the events have ground truth.
        window: Events outside of it are ignored.
        schema: Schema of the model that answered, if known.
        malformed: The malformed records of the last pass.
    """

    source: Path
    config: AnalysisConfig
    attributes: Attributes
    merged: bool
    window: Window
    schema: Schema | None
    malformed: MalformedRecords
    columns: Columns = field(init=False)

    def __post_init__(self) -> None:
        self._label = self._label_name()
        self._predicted = "predicted_label" if self._label != "predicted_label" else "predicted"
        attributes = self.attributes
        self._features = _expression(attributes.features or self.config.features, "features_attribute")
        where = attributes.inference or attributes.probability
        self._inference = ValuePlace(
            where, "inference_attribute" if attributes.inference else "probability_attribute", PREDICTIONS
        )
        label = None if isinstance(self.config.label, int) or self.config.label == self._label else self.config.label
        self._truth = ValuePlace(label, "label", ("label",))
        # not of the first record alone: JSON may leave out what is missing
        found = names_of(islice(self._records(), BATCH_ROWS))
        if not found:
            raise NoRecords(f"{self.source} has no captured records{self._why_empty()}")
        names = [name for name in found if name not in (self._label, self._predicted)]
        self.columns = Columns(
            (*names, self._predicted, *((self._label,) if self.merged else ())),
            self._label if self.merged else None,
            self._predicted,
            is_open=True,
        )
        self._doubles = {
            self.columns.find(facet.column, "facet") for facet in self.config.facets if _is_double(facet.values)
        }
        if _is_double(self.config.favourable):
            self._doubles |= {self._label, self._predicted}

    @property
    def label(self) -> str:
        """The name of the label, which the records of plain captures do not have."""
        return self._label

    def batches(self, names: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Read columns of all records. Raises QualityError like `Records.batches`."""
        self.malformed = MalformedRecords(self.malformed.limit)
        records: list[Record] = []
        for record in self._records():
            records.append(record)
            if len(records) == BATCH_ROWS:
                yield self._batch(records, names)
                records = []
        if records:
            yield self._batch(records, names)

    def _batch(self, records: list[Record], names: Sequence[str] | None) -> pa.RecordBatch:
        wanted = [*(self.columns.names if names is None else names)]
        batch = to_batch(records, wanted)
        if self.schema is not None:
            batch = self.schema.conform(batch, set(wanted), is_part=True).select(wanted)
        columns = [self._as_in_training(name, batch.column(name)) for name in wanted]
        return pa.RecordBatch.from_arrays(columns, names=wanted)

    def _as_in_training(self, name: str, values: pa.Array) -> pa.Array:
        """Convert whole numbers to doubles where a threshold such as 40.0 says that the training data have doubles.

        Clarify takes a column of few distinct whole numbers for categories, and so the threshold for one of them.
        """
        return values.cast(pa.float64()) if name in self._doubles and pa.types.is_integer(values.type) else values

    def _label_name(self) -> str:
        headers, label = self.config.headers, self.config.label
        if isinstance(label, int):
            return headers[label] if label < len(headers) else "label"
        if label is None or label in headers or not (headers or "[" in label):
            return label or "label"
        # A JMESPath: the headers are the features and then the label.
        return headers[-1] if headers else "label"

    def _records(self) -> Iterator[Record]:
        for path in list_files(self.source):
            for number, text in lines(path):
                try:
                    event = parse_line(text)
                    if not is_in_window(event, self.window):
                        continue
                    if is_left_out(event, self.window):
                        self.malformed.test_requests += 1
                        continue
                    records = self._of_event(event)
                except ValueError as error:
                    self.malformed.add(path, "line", number, str(error), text.decode("utf-8", "replace"))
                else:
                    yield from records

    def _of_event(self, event: dict[str, Any]) -> list[Record]:
        data = event.get("captureData")
        if not isinstance(data, dict) or not (isinstance(data.get(INPUT), dict) or isinstance(data.get(OUTPUT), dict)):
            raise ValueError("is not a captured inference: it has no captureData with endpointInput or endpointOutput")
        request, response = self._joined(data[OUTPUT]) if INPUT not in data else (data[INPUT], data.get(OUTPUT))
        records = self._requests(request)
        if isinstance(response, dict):
            values = self._inference.values(response, len(records))
            _add(records, self._predicted, [self._decided(value) for value in values], "predictions")
        if self.merged:
            if not isinstance(event.get(GROUND_TRUTH), dict):
                raise ValueError("has no 'groundTruthData'; merge captures and ground truth first")
            _add(records, self._label, self._truth.values(event[GROUND_TRUTH], len(records)), "labels")
        return records

    def _joined(self, output: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the request and the response in the output of a batch transform that was joined with its input.

        In JSON, the model's response is in SageMakerOutput, beside the members of the input; without it, attributes
        locate both. In CSV, the columns of the output follow those of the input.
        """
        text, encoding = text_of(output)
        if encoding != CSV:
            documents = json_documents(output)
            if not all(isinstance(document, dict) and JOINED in document for document in documents):
                return output, output
            responses = "\n".join(json.dumps(document[JOINED]) for document in documents)
            return output, {"data": responses, "encoding": encoding}
        features = [name for name in self.config.headers if name != self._label]
        rows = cells(text)
        if not features or any(len(row) <= len(features) for row in rows):
            raise ValueError(
                f"has an output without the {len(features)} features of headers before it; set JoinSource of the "
                "transform job to Input"
            )
        parts = (slice(len(features)), slice(len(features), None))
        request, response = ({"data": _csv([row[part] for row in rows]), "encoding": CSV} for part in parts)
        return request, response

    def _decided(self, value: Any) -> Any:
        """Return the label of a score; other predictions as they are."""
        attributes, favourable = self.attributes, self.config.favourable
        is_score = attributes.inference is None and isinstance(value, float | int) and 0 <= value <= 1
        if not is_score or not all(str(item) in ("0", "1", "0.0", "1.0") for item in favourable):
            return value
        threshold = 0.5 if self.config.probability_threshold is None else self.config.probability_threshold
        return int(value > threshold)

    def _why_empty(self) -> str:
        if self.malformed.samples:
            first = self.malformed.samples[0]
            place = f"{first.file}:{first.line}"
            return f" that can be read; the first of {self.malformed.count} malformed ones, {place}, {first.reason}"
        window = self.window
        if window.start or window.end:
            return f" from {window.start or 'the beginning'} to {window.end or 'now'}; check the window and the path"
        return "; check the path and whether the endpoint captures its data"

    def _requests(self, side: dict[str, Any]) -> list[Record]:
        if self.schema is not None:
            return self._as_served(side, self.schema)
        if self._features is not None:
            documents = json_documents(side)
            found = [self._features.search(document) for document in documents]
            rows = found[0] if len(documents) == 1 and _is_matrix(found[0]) else found
            return [self._named(row) for row in rows]
        payload = decode(side)
        if payload.objects:
            return [dict(item) for item in payload.objects]
        rows = [*payload.rows]
        if payload.is_text and rows and tuple(cell.strip() for cell in rows[0]) in self._headers(len(rows[0])):
            rows = rows[1:]
        return [self._named([typed(cell) for cell in row] if payload.is_text else row) for row in rows]

    def _as_served(self, side: dict[str, Any], schema: Schema) -> list[Record]:
        payload, names = read_request(side, schema)
        if payload.rows:
            records: list[Record] = [dict(zip(names, row, strict=True)) for row in payload.rows]
            return [
                {name: None if text in schema.missing else text for name, text in record.items()} for record in records
            ]
        records = [dict(item) for item in payload.objects]
        for record, whole in zip(records, decode(side).objects, strict=False):
            record |= {name: value for name, value in whole.items() if name not in schema.features}
        return records

    def _named(self, row: Any) -> Record:
        if not isinstance(row, list | tuple) or any(isinstance(value, dict | list) for value in row):
            raise ValueError("has a record whose features are not a list of values")
        for names in self._headers(len(row)):
            return dict(zip(names, row, strict=True))
        raise ValueError(f"has {len(row)} values for the {len(self.config.headers)} headers")

    def _headers(self, width: int) -> list[tuple[str, ...]]:
        """Return the names that values of a request may have: the headers without the label, or all of them."""
        headers = self.config.headers
        if not headers:
            return [placeholders(width)]
        features = tuple(name for name in headers if name != self._label)
        return [names for names in (features, headers) if len(names) == width]


def _expression(text: str | None, member: str) -> Expression | None:
    return None if text is None else Expression(text, member)


def _add(records: list[Record], name: str, values: Sequence[Any], what: str) -> None:
    if len(values) != len(records):
        raise ValueError(f"has {len(records)} records, but {len(values)} {what}")
    for record, value in zip(records, values, strict=True):
        if isinstance(value, dict | list):
            raise ValueError(f"has {what} that are lists or objects; set the attribute to a single value of each")
        record[name] = value


def _csv(rows: list[Sequence[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


def _is_double(values: Sequence[Any]) -> bool:
    return len(values) == 1 and isinstance(values[0], float)


def _is_matrix(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(row, list) for row in value)
