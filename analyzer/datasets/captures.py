"""Captured inferences, with or without their ground truth, as record batches.

A line of a capture file is one event: the payload that an endpoint received, the one it answered, or both, each with
one record or several. A line of a merged file has the ground truth besides.

Columns get their names like this. Values that come with names (JSON objects) keep them. Those that come without (CSV,
JSON lists) take the names of the baseline by their position where there are as many: with the output before the input
(output_columns_position START, Model Monitor's default) or after it, else those of the input alone, and else _c0, _c1
... Of merged events every column has its origin before its name, as Model Monitor has it: groundTruthData_0,
endpointOutput_label; so have the output's columns of which the baseline does not know the name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from analyzer.analysis import Window
from analyzer.datasets.blocks import blocks
from analyzer.datasets.conversion import four_types
from analyzer.datasets.csv_files import positional_names
from analyzer.datasets.flattening import columns_of
from analyzer.datasets.json_lines import parse_line
from analyzer.datasets.payloads import Payload, decode
from analyzer.datasets.selection import Selection
from analyzer.datasets.skips import Skips
from analyzer.datasets.text_columns import typed

INPUT, OUTPUT, GROUND_TRUTH = "endpointInput", "endpointOutput", "groundTruthData"
BATCH_ROWS = 16_384

Event = dict[str, Any]


@dataclass(frozen=True)
class Captures:
    """How to read events.

    Attributes:
        sides: which payloads to read, of INPUT and OUTPUT.
        merged: whether the ground truth is there, too.
        output_first: whether output columns stand before those of the input in the baseline.
        known_names: columns of the baseline; none where there is no baseline.
        window: events outside of it are passed over.
        preprocess: makes flat records of an event, in place of all rules on payloads and names.
    """

    sides: tuple[str, ...] = (INPUT, OUTPUT)
    merged: bool = False
    output_first: bool = True
    known_names: tuple[str, ...] = ()
    window: Window = field(default_factory=Window)
    preprocess: Callable[[Event], list[dict[str, Any]]] | None = None


@dataclass(frozen=True)
class Columns:
    """Records of one origin that share their columns: texts in rows with names, or flat objects."""

    names: tuple[str, ...]
    rows: Sequence[Sequence[Any]] = ()
    objects: Sequence[Mapping[str, Any]] = ()
    is_text: bool = False

    def __len__(self) -> int:
        return len(self.rows) or len(self.objects)


def read(files: Sequence[Path], captures: Captures, selection: Selection, skips: Skips) -> Iterator[pa.RecordBatch]:
    """Record batches of all files. Raises QualityError as `Dataset.batches` says."""
    waiting = _Waiting(selection)
    for path in files:
        for number, text in lines(path):
            try:
                event = parse_line(text)
                if is_in_window(event, captures.window):
                    waiting.add(_columns(event, captures), path)
            except ValueError as error:
                skips.add(path, "line", number, str(error), text.decode("utf-8", "replace"))
            yield from waiting.full()
    yield from waiting.rest()


def lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """The lines of a file that are not empty, with their numbers from 1."""
    number = 1
    for block in blocks(path, quoted=False):
        for text in bytes(block).split(b"\n"):
            if text.strip():
                yield number, text
            number += 1
        # A block ends with a line's end, after which nothing has begun.
        number -= block.endswith(b"\n")


def is_in_window(event: Event, window: Window) -> bool:
    """Whether the inference was made in the window, by an invocation that counts.

    Raises:
        ValueError: the window has an end and the event no time.
    """
    metadata = event.get("eventMetadata") or {}
    # A shadow variant answers a copy of a request that its production variant has answered already.
    if metadata.get("invocationSource") == "ShadowExperiment":
        return False
    if window.start is None and window.end is None:
        return True
    time = inference_time(event)
    return (window.start is None or time >= window.start) and (window.end is None or time < window.end)


def inference_time(event: Event) -> datetime:
    """When the inference was made; ValueError where the event does not tell."""
    text = (event.get("eventMetadata") or {}).get("inferenceTime")
    try:
        time = datetime.fromisoformat(str(text))
    except ValueError as error:
        raise ValueError(f"has no time in eventMetadata.inferenceTime (but {text!r})") from error
    if time.tzinfo is None:
        raise ValueError(f"has a time without a zone in eventMetadata.inferenceTime ({text!r})")
    return time


def _columns(event: Event, captures: Captures) -> list[Columns]:
    """The event's records, origin by origin, of equal length."""
    if captures.preprocess is not None:
        return [Columns((), objects=captures.preprocess(event))]
    data = event.get("captureData")
    if not isinstance(data, dict):
        raise ValueError("is no captured inference: it has no 'captureData'")
    payloads = {side: decode(data[side]) for side in captures.sides if isinstance(data.get(side), dict)}
    if not payloads:
        raise ValueError(f"has no {' or '.join(captures.sides)}")
    if INPUT in payloads:
        payloads[INPUT], header = _without_header(payloads[INPUT], captures.known_names)
    else:
        header = None
    if captures.merged:
        if not isinstance(event.get(GROUND_TRUTH), dict):
            raise ValueError("has no 'groundTruthData'; merge captures and ground truth first")
        payloads[GROUND_TRUTH] = decode(event[GROUND_TRUTH])
    payloads = _of_equal_length(payloads)
    if captures.merged:
        sides = [_prefixed(side, payload) for side, payload in payloads.items()]
    else:
        sides = _named(payloads, header, captures)
    return [side for side in sides if side.names or side.objects]


def _without_header(payload: Payload, known_names: Sequence[str]) -> tuple[Payload, tuple[str, ...] | None]:
    # A CSV request may begin with the features' names. A record has values, of which not all are features' names.
    if payload.is_text and payload.rows and all(name in known_names for name in payload.rows[0]):
        return Payload(payload.rows[1:], [], is_text=True), tuple(payload.rows[0])
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


def _named(payloads: dict[str, Payload], header: tuple[str, ...] | None, captures: Captures) -> list[Columns]:
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
        output = _prefixed(OUTPUT, payloads[OUTPUT], plain=known)
        sides.append(_only(known, output) if known else output)
    return sides


def _width(payload: Payload) -> int:
    """The number of columns; 0 for records that bring their names along."""
    if not payload.rows:
        return 0
    if len(payload.rows) == 1:
        return len(payload.rows[0])
    widths = {len(row) for row in payload.rows}
    if len(widths) > 1:
        raise ValueError(f"has records of {min(widths)} to {max(widths)} values in one payload")
    return widths.pop()


def _by_position(payload: Payload, names: tuple[str, ...]) -> Columns:
    if payload.objects:
        return Columns((), objects=payload.objects)
    if _width(payload) != len(names):
        raise ValueError(f"has {_width(payload)} values for {len(names)} columns")
    if payload.is_text:
        return Columns(names, payload.rows, is_text=True)
    return Columns((), objects=[dict(zip(names, row, strict=True)) for row in _plain(payload.rows)])


def _plain(rows: Sequence[Sequence[Any]]) -> Sequence[Sequence[Any]]:
    if any(isinstance(value, dict | list) for row in rows for value in row):
        raise ValueError("has nested lists in a payload of records without names")
    return rows


def _prefixed(side: str, payload: Payload, plain: Sequence[str] = ()) -> Columns:
    """With the origin in front of every name but the plain ones."""
    if payload.objects:
        renamed = [
            {(name if name in plain else f"{side}_{name}"): value for name, value in record.items()}
            for record in payload.objects
        ]
        return Columns((), objects=renamed)
    return _by_position(payload, tuple(f"{side}_{index}" for index in range(_width(payload))))


def _only(names: Sequence[str], columns: Columns) -> Columns:
    if columns.is_text:
        kept = [index for index, name in enumerate(columns.names) if name in names]
        rows = [[row[index] for index in kept] for row in columns.rows]
        return Columns(tuple(columns.names[index] for index in kept), rows, is_text=True)
    objects = [{name: value for name, value in record.items() if name in names} for record in columns.objects]
    return Columns((), objects=objects if any(objects) else [])


@dataclass
class _Waiting:
    """Records that wait to be enough for a batch, those of equal layout together."""

    selection: Selection
    count: int = 0
    path: Path = Path()
    pools: dict[tuple[tuple[str, ...], ...], list[list[Columns]]] = field(default_factory=dict)

    def add(self, sides: list[Columns], path: Path) -> None:
        if sides and len(sides[0]):
            layout = tuple(side.names if side.is_text else () for side in sides)
            self.pools.setdefault(layout, []).append(sides)
            self.count += len(sides[0])
            self.path = path

    def full(self) -> Iterator[pa.RecordBatch]:
        if self.count >= BATCH_ROWS:
            yield from self.rest()

    def rest(self) -> Iterator[pa.RecordBatch]:
        for pool in self.pools.values():
            yield self._batch(pool)
        self.pools, self.count = {}, 0

    def _batch(self, pool: list[list[Columns]]) -> pa.RecordBatch:
        columns: dict[str, pa.Array] = {}
        for pieces in zip(*pool, strict=True):
            if pieces[0].is_text:
                texts = zip(*(row for piece in pieces for row in piece.rows), strict=True)
                for name, values in zip(pieces[0].names, texts, strict=True):
                    columns[name] = typed(values, name in self.selection.as_text)
            else:
                columns |= columns_of([record for piece in pieces for record in piece.objects])
        wanted = self.selection.of([*columns], self.path)
        batch = pa.RecordBatch.from_arrays([columns[name] for name in wanted], names=wanted)
        return four_types(batch, self.selection.as_text, self.path)
