"""Captured inferences, with or without ground truth, as record batches.

A line of a capture file is one event: the request payload of an endpoint, the response payload, or both, with one or
more records each. A line of a merged file also has the ground truth.

With a schema, requests are read as the endpoint reads them (`analyzer.datasets.requests`).

Otherwise columns are named as follows. Named values (JSON objects) keep their names. Unnamed values (CSV, JSON lists)
get the baseline's names by position if their number matches: with the output before the input (output_columns_position
START, Model Monitor's default) or after it, else the input alone, and else _c0, _c1 ... In merged events every column
name is prefixed with its origin, as in Model Monitor: groundTruthData_0, endpointOutput_label. So are output columns
that the baseline does not contain.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from analyzer.datasets.blocks import blocks
from analyzer.datasets.conversion import to_supported_types
from analyzer.datasets.csv_files import positional_names
from analyzer.datasets.flattening import columns_of, without_columns
from analyzer.datasets.json_lines import parse_line
from analyzer.datasets.malformed_records import MalformedRecords
from analyzer.datasets.payloads import Payload, decode
from analyzer.datasets.requests import read_request
from analyzer.datasets.selection import Selection
from analyzer.datasets.text_columns import parse_texts
from analyzer.schema import Schema
from analyzer.window import Window

INPUT, OUTPUT, GROUND_TRUTH = "endpointInput", "endpointOutput", "groundTruthData"
BATCH_ROWS = 16_384
# The value of X-Amzn-SageMaker-Custom-Attributes that marks a request as a test.
TEST_REQUEST = "test-request"

Event = dict[str, Any]


@dataclass(frozen=True)
class Captures:
    """How to read captured events.

    Attributes:
        sides: Payloads to read: INPUT, OUTPUT or both.
        merged: Whether the events have ground truth.
        output_first: Whether output columns come before input columns in the baseline.
        known_names: Columns of the baseline; empty without a baseline.
        window: Events outside of it are ignored.
        preprocess: Makes flat records of an event, replacing all rules on payloads and names.
        schema: Schema of the model that answered the requests, if known.
    """

    sides: tuple[str, ...] = (INPUT, OUTPUT)
    merged: bool = False
    output_first: bool = True
    known_names: tuple[str, ...] = ()
    window: Window = field(default_factory=Window)
    preprocess: Callable[[Event], list[dict[str, Any]]] | None = None
    schema: Schema | None = None

    @cached_property
    def known(self) -> frozenset[str]:
        """The known names, as a set."""
        return frozenset(self.known_names)


@dataclass(frozen=True)
class OriginRecords:
    """An event's records of one origin (input, output or ground truth): rows of named columns, or flat objects."""

    names: tuple[str, ...]
    rows: Sequence[Sequence[Any]] = ()
    objects: Sequence[Mapping[str, Any]] = ()
    is_text: bool = False

    def __len__(self) -> int:
        return len(self.rows) or len(self.objects)


def read(
    files: Sequence[Path], captures: Captures, selection: Selection, malformed: MalformedRecords
) -> Iterator[pa.RecordBatch]:
    """Read record batches from all files. Raises QualityError like `Dataset.batches`."""
    batcher = _Batcher(selection)
    for path in files:
        for number, text in lines(path):
            try:
                event = parse_line(text)
                if is_in_window(event, captures.window):
                    if is_left_out(event, captures.window):
                        malformed.test_requests += 1
                    else:
                        batcher.add(_columns(event, captures), path)
            except ValueError as error:
                malformed.add(path, "line", number, str(error), text.decode("utf-8", "replace"))
            yield from batcher.full_batches()
    yield from batcher.flush()


def lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield the nonempty lines of a file with their line numbers."""
    number = 1
    for block in blocks(path, quoted=False):
        for text in bytes(block).split(b"\n"):
            if text.strip():
                yield number, text
            number += 1
        # The split of a block that ends with a newline has one part too many.
        number -= block.endswith(b"\n")


def is_in_window(event: Event, window: Window) -> bool:
    """Whether the inference was made in the window, and not by a shadow variant.

    Raises:
        ValueError: The window is bounded, and the event has no timestamp.
    """
    metadata = event.get("eventMetadata") or {}
    # A shadow variant gets copies of requests that the production variant has already answered.
    if metadata.get("invocationSource") == "ShadowExperiment":
        return False
    if window.start is None and window.end is None:
        return True
    time = inference_time(event)
    return (window.start is None or time >= window.start) and (window.end is None or time < window.end)


def is_left_out(event: Event, window: Window) -> bool:
    """Whether the request was a test, marked by its custom attributes, and tests are not analyzed."""
    if window.with_test_requests:
        return False
    attributes = (event.get("eventMetadata") or {}).get("customAttributes") or ()
    return any(TEST_REQUEST in re.split(r"[\s,;]+", str(text)) for text in attributes)


def inference_time(event: Event) -> datetime:
    """Return when the inference was made. Raises ValueError if the event has no valid timestamp."""
    text = (event.get("eventMetadata") or {}).get("inferenceTime")
    try:
        time = datetime.fromisoformat(str(text))
    except ValueError as error:
        raise ValueError(f"has no valid time in eventMetadata.inferenceTime ({text!r})") from error
    if time.tzinfo is None:
        raise ValueError(f"has a time without a time zone in eventMetadata.inferenceTime ({text!r})")
    return time


def _columns(event: Event, captures: Captures) -> list[OriginRecords]:
    """Return the event's records by origin; all have equal length."""
    if captures.preprocess is not None:
        return [OriginRecords((), objects=captures.preprocess(event))]
    data = event.get("captureData")
    if not isinstance(data, dict):
        raise ValueError("is not a captured inference: it has no 'captureData'")
    sides = [side for side in captures.sides if isinstance(data.get(side), dict)]
    if not sides:
        raise ValueError(f"has no {' or '.join(captures.sides)}")
    payloads, header = {}, None
    for side in sides:
        if side != INPUT:
            payloads[side] = decode(data[side])
        elif captures.schema is not None:
            payloads[side], header = read_request(data[side], captures.schema)
        else:
            payloads[side], header = _split_header(decode(data[side]), captures.known)
    if captures.merged:
        if not isinstance(event.get(GROUND_TRUTH), dict):
            raise ValueError("has no 'groundTruthData'; merge captures and ground truth first")
        payloads[GROUND_TRUTH] = decode(event[GROUND_TRUTH])
    payloads = _of_equal_length(payloads)
    if captures.merged:
        records = [_with_prefix(side, payload) for side, payload in payloads.items()]
    else:
        records = _named(payloads, header, captures)
    return [side for side in records if side.names or side.objects]


def _split_header(payload: Payload, known: Collection[str]) -> tuple[Payload, tuple[str, ...] | None]:
    # A CSV request may start with a header. In a record, not every value is the name of a feature.
    if payload.is_text and payload.rows and all(name.strip() in known for name in payload.rows[0]):
        header = tuple(name.strip() for name in payload.rows[0])
        if len(set(header)) < len(header):
            raise ValueError("has a header with duplicate names")
        return Payload(payload.rows[1:], [], is_text=True), header
    return payload, None


def _of_equal_length(payloads: dict[str, Payload]) -> dict[str, Payload]:
    longest = max(len(payload) for payload in payloads.values())
    if longest == 1 == min(len(payload) for payload in payloads.values()):
        return payloads
    result = {}
    for side, payload in payloads.items():
        if payload.is_vector and len(payload.rows[0]) == longest > 1:
            payload = Payload([[value] for value in payload.rows[0]], [])
        result[side] = payload
    lengths = {side: len(payload) for side, payload in result.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError("has " + " and ".join(f"{count} records in {side}" for side, count in lengths.items()))
    if longest == 0:
        raise ValueError("has an empty payload")
    return result


def _named(payloads: dict[str, Payload], header: tuple[str, ...] | None, captures: Captures) -> list[OriginRecords]:
    known = captures.known_names
    order = [side for side in ((OUTPUT, INPUT) if captures.output_first else (INPUT, OUTPUT)) if side in payloads]
    widths = [_width(payloads[side]) for side in order]
    if header is None and known and all(widths) and sum(widths) == len(known):
        cut = widths[0]
        by_side = dict(zip(order, (known[:cut], known[cut:]), strict=False))
        return [_by_position(payloads[side], by_side[side]) for side in order]
    sides = []
    if INPUT in payloads:
        payload = payloads[INPUT]
        names = header or positional_names(_width(payload), known)
        sides.append(_by_position(payload, names))
    if OUTPUT in payloads:
        output = _with_prefix(OUTPUT, payloads[OUTPUT], unprefixed=captures.known)
        sides.append(_select(captures.known, output) if known else output)
    return sides


def _width(payload: Payload) -> int:
    """Return the number of columns; 0 for records with names."""
    if not payload.rows:
        return 0
    if len(payload.rows) == 1:
        return len(payload.rows[0])
    widths = {len(row) for row in payload.rows}
    if len(widths) > 1:
        raise ValueError(f"has records with {min(widths)} to {max(widths)} values in one payload")
    return widths.pop()


def _by_position(payload: Payload, names: tuple[str, ...]) -> OriginRecords:
    if payload.objects:
        return OriginRecords((), objects=payload.objects)
    if _width(payload) != len(names):
        raise ValueError(f"has {_width(payload)} values for {len(names)} columns")
    if payload.is_text:
        return OriginRecords(names, payload.rows, is_text=True)
    if any(isinstance(value, dict | list) for row in payload.rows for value in row):
        raise ValueError("has nested lists in a payload of records without names")
    return OriginRecords((), objects=[dict(zip(names, row, strict=True)) for row in payload.rows])


def _with_prefix(side: str, payload: Payload, unprefixed: Collection[str] = ()) -> OriginRecords:
    """Prefix every name with the origin, except the given ones."""
    if payload.objects:
        renamed = [
            {(name if name in unprefixed else f"{side}_{name}"): value for name, value in record.items()}
            for record in payload.objects
        ]
        return OriginRecords((), objects=renamed)
    return _by_position(payload, tuple(f"{side}_{index}" for index in range(_width(payload))))


def _select(names: Collection[str], columns: OriginRecords) -> OriginRecords:
    if columns.is_text:
        kept = [index for index, name in enumerate(columns.names) if name in names]
        rows = [[row[index] for index in kept] for row in columns.rows]
        return OriginRecords(tuple(columns.names[index] for index in kept), rows, is_text=True)
    objects = [{name: value for name, value in record.items() if name in names} for record in columns.objects]
    return OriginRecords((), objects=objects if any(objects) else [])


@dataclass
class _Batcher:
    """Collects records into batches, separately for each layout."""

    selection: Selection
    count: int = 0
    path: Path = Path()
    pools: dict[tuple[tuple[str, ...], ...], list[list[OriginRecords]]] = field(default_factory=dict)

    def add(self, sides: list[OriginRecords], path: Path) -> None:
        if sides and len(sides[0]):
            layout = tuple(side.names if side.is_text else () for side in sides)
            self.pools.setdefault(layout, []).append(sides)
            self.count += len(sides[0])
            self.path = path

    def full_batches(self) -> Iterator[pa.RecordBatch]:
        if self.count >= BATCH_ROWS:
            yield from self.flush()

    def flush(self) -> Iterator[pa.RecordBatch]:
        for pool in self.pools.values():
            yield self._batch(pool)
        self.pools, self.count = {}, 0

    def _batch(self, pool: list[list[OriginRecords]]) -> pa.RecordBatch:
        columns: dict[str, pa.Array] = {}
        for pieces in zip(*pool, strict=True):
            if pieces[0].is_text:
                texts = zip(*(row for piece in pieces for row in piece.rows), strict=True)
                for name, values in zip(pieces[0].names, texts, strict=True):
                    columns[name] = parse_texts(values, name in self.selection.as_text)
            else:
                records = [record for piece in pieces for record in piece.objects]
                columns |= columns_of(records, self.selection.as_text)
        if not columns:
            return without_columns(sum(len(sides[0]) for sides in pool))
        wanted = self.selection.resolve([*columns], self.path)
        batch = pa.RecordBatch.from_arrays([columns[name] for name in wanted], names=wanted)
        return to_supported_types(batch, self.selection.as_text, self.path)
