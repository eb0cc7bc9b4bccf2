"""Parse CSV bodies.

Long bodies are parsed by Arrow, thirty times as fast as by Python. Short bodies, and whatever Arrow cannot parse or
accepts as a number although Python's reader would refuse it (an infinity, other spellings of NaN), are parsed by
Python's reader: it defines the rules, and its errors name row and feature.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from features import Feature, Features, as_code
from request_errors import InputError, shortened

from analyzer.values import MISSING, NUMBER, category_text

if TYPE_CHECKING:
    import numpy as np

# In characters. For a shorter body the import of Arrow costs more than it saves.
LONG_BODY = 32 << 10
MAX_FIELD_LENGTH = 1 << 20


def read_long(text: str, features: Features) -> Iterator[np.ndarray] | None:
    """Parse a long body with Arrow.

    Returns:
        Batches of float64 columns, shape (features, rows of the batch), NaN for a missing value; None where Python's
        reader has to parse the body.
    """
    if len(text) < LONG_BODY or '"' in text:
        return None
    try:
        import pyarrow as pa
        import pyarrow.csv as arrow_csv
    except ImportError:
        return None
    first_line = text.partition("\n")[0].rstrip("\r")
    cells = first_line.split(",")
    has_header = is_header(cells, features)
    names = [cell.strip() for cell in cells] if has_header else list(features.names)
    is_regular = len(names) == len(cells) == len(set(names)) and "\r" not in first_line
    if not is_regular or (not features.ignore_unknown and not features.name_set.issuperset(names)):
        return None
    given = set(names)
    known = [feature for feature in features.all if feature.name in given]
    body = text.encode()
    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(body),
            arrow_csv.ReadOptions(column_names=names, skip_rows=int(has_header), block_size=len(body) + 1),
            arrow_csv.ParseOptions(quote_char=False),
            arrow_csv.ConvertOptions(
                include_columns=[feature.name for feature in known],
                column_types={
                    feature.name: pa.float64() if feature.codes is None else pa.dictionary(pa.int32(), pa.string())
                    for feature in known
                },
                null_values=sorted(MISSING),
                strings_can_be_null=True,
            ),
        )
    except pa.ArrowInvalid:
        return None
    columns: dict[str, np.ndarray] = {}
    for feature in known:
        column = encode_column(table.column(feature.name).combine_chunks(), feature)
        if column is None:
            return None
        columns[feature.name] = column
    return batches_of(columns, table.num_rows, features) if table.num_rows else None


def encode_column(array: Any, feature: Feature) -> np.ndarray | None:
    """Return an Arrow array as float64, NaN for null; None if a number is not finite."""
    import numpy as np

    place = slice(array.offset, array.offset + len(array))
    # Not to_numpy(), which imports pandas.
    if feature.codes is None:
        validity, data = array.buffers()
        values = np.frombuffer(data, np.float64)[place]
    else:
        validity, data = array.indices.buffers()
        codes = np.array([as_code(text, feature, row=1) for text in array.dictionary.to_pylist()] or [math.nan])
        # The index of a null is undefined, hence "clip".
        values = codes.take(np.frombuffer(data, np.int32)[place], mode="clip")
    if array.null_count:
        is_valid = np.unpackbits(np.frombuffer(validity, np.uint8), bitorder="little")[place]
        values = np.where(is_valid, values, math.nan)
    if feature.codes is None and np.count_nonzero(np.isfinite(values)) < len(array) - array.null_count:
        return None
    return values


def batches_of(columns: Mapping[str, np.ndarray], rows: int, features: Features) -> Iterator[np.ndarray]:
    import numpy as np
    from batches import batch_rows

    size = batch_rows(features)
    for start in range(0, rows, size):
        batch = np.full((len(features), min(size, rows - start)), math.nan)
        for values, name in zip(batch, features.names, strict=True):
            if name in columns:
                values[:] = columns[name][start : start + size]
        yield batch


def read_records(text: str, features: Features) -> Iterator[Sequence[str]]:
    """Parse a body with Python's reader.

    Returns:
        Records for ``Features.encode``, which have the values in the model's order where the header is complete.

    Raises:
        InputError: The body is not CSV, a row and the header differ in length, or the header has unknown or duplicate
            names.
    """
    rows = read_rows(text)
    first = next(rows, None)
    if first is None:
        return iter(())
    if not is_header(first, features):
        return chain([first], rows)
    header = [cell.strip() for cell in first]
    place = {name: index for index, name in enumerate(header)}
    if len(place) < len(header):
        duplicate = next(name for index, name in enumerate(header) if place[name] != index)
        raise InputError(f"the header has the duplicate column {shortened(duplicate)}; send each column once")
    features.check_names(header, row=1)
    return in_order(rows, len(header), [place.get(name, len(header)) for name in features.names])


def read_rows(text: str) -> Iterator[list[str]]:
    csv.field_size_limit(MAX_FIELD_LENGTH)
    number = 0
    try:
        for row in csv.reader(io.StringIO(text, newline="")):
            if row:
                number += 1
                yield row
    except csv.Error as error:
        raise InputError(f"row {number + 1} is not CSV: {error}") from None


def in_order(rows: Iterator[list[str]], length: int, places: Sequence[int]) -> Iterator[Sequence[str]]:
    """Bring the fields of each row into the order of the features; a place after the last field is missing."""
    # With one place, itemgetter would return no tuple.
    pick = itemgetter(*places) if len(places) > 1 else lambda row: (row[places[0]],)
    for number, row in enumerate(rows, start=1):
        if len(row) != length:
            raise InputError(f"row {number} has {len(row)} fields, but the header has {length}")
        row.append("")
        yield pick(row)


def is_header(row: Sequence[str], features: Features) -> bool:
    """Return whether the first row is a header, not a record with a category that is spelled like a feature."""
    if not any(cell.strip() in features.name_set for cell in row):
        return False
    return len(row) != len(features) or any(
        not (NUMBER.fullmatch(cell.strip()) if feature.codes is None else category_text(cell) in feature.codes)
        and cell.strip() not in MISSING
        for cell, feature in zip(row, features.all, strict=True)
    )
