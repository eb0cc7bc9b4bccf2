"""Parse CSV bodies.

Long bodies are parsed by Arrow, thirty times as fast as by Python. Short bodies, and whatever Arrow cannot parse or
accepts as a number although Python's reader would refuse it (an infinity, other spellings of NaN), are parsed by
Python's reader: it defines the rules, and its errors name row and feature.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from features import Feature, Features, as_code
from request_errors import InputError, shortened

from analyzer.values import MISSING, NUMBER, category_text

if TYPE_CHECKING:
    import numpy as np

# In characters. For a shorter body the import of Arrow costs more than it saves.
LONG_BODY = 32 << 10
MAX_FIELD_LENGTH = 1 << 20


def read_long(text: str, features: Features) -> np.ndarray | None:
    """Parse a long body with Arrow.

    Returns:
        float64, shape (features, n), NaN for a missing value; None where Python's reader has to parse the body.
    """
    if len(text) < LONG_BODY or '"' in text:
        return None
    try:
        import numpy as np
        import pyarrow as pa
        import pyarrow.csv as arrow_csv
    except ImportError:
        return None
    first_line = text.partition("\n")[0].rstrip("\r")
    cells = first_line.split(",")
    has_header = is_header(cells, features.all)
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
    columns, start = np.full((len(features), table.num_rows), math.nan), 0
    for batch in table.to_batches():
        arrays = dict(zip(batch.schema.names, batch.columns, strict=True))
        for values, feature in zip(columns[:, start : start + batch.num_rows], features.all, strict=True):
            if feature.name in given and not fill(values, arrays[feature.name], feature):
                return None
        start += batch.num_rows
    return columns


def fill(values: np.ndarray, array: Any, feature: Feature) -> bool:
    """Write an Arrow array into ``values``, NaN for null; returns whether all numbers are finite."""
    import numpy as np

    place = slice(array.offset, array.offset + len(array))
    # Not to_numpy(), which imports pandas.
    if feature.codes is None:
        validity, data = array.buffers()
        values[:] = np.frombuffer(data, np.float64)[place]
    else:
        validity, data = array.indices.buffers()
        codes = np.array([as_code(text, feature, row=1) for text in array.dictionary.to_pylist()] or [math.nan])
        # The index of a null is undefined, hence "clip".
        values[:] = codes.take(np.frombuffer(data, np.int32)[place], mode="clip")
    if array.null_count:
        is_valid = np.unpackbits(np.frombuffer(validity, np.uint8), bitorder="little")[place]
        values[is_valid == 0] = math.nan
    return feature.codes is not None or np.count_nonzero(np.isfinite(values)) == len(array) - array.null_count


def read_records(text: str, features: Features) -> list[Any]:
    """Parse a body with Python's reader.

    Returns:
        Records for ``Features.encode``: mappings if the first row is a header, otherwise lists.

    Raises:
        InputError: The body is not CSV, a row and the header differ in length, or the header has duplicate names.
    """
    csv.field_size_limit(MAX_FIELD_LENGTH)
    rows: list[list[str]] = []
    try:
        rows.extend(row for row in csv.reader(io.StringIO(text, newline="")) if row)
    except csv.Error as error:
        raise InputError(f"row {len(rows) + 1} is not CSV: {error}") from None
    if not rows or not is_header(rows[0], features.all):
        return rows
    header, *records = [cell.strip() for cell in rows[0]], *rows[1:]
    if len(set(header)) < len(header):
        duplicate = next(name for name in header if header.count(name) > 1)
        raise InputError(f"the header has the duplicate column {shortened(duplicate)}; send each column once")
    for number, row in enumerate(records, start=1):
        if len(row) != len(header):
            raise InputError(f"row {number} has {len(row)} fields, but the header has {len(header)}")
    return [dict(zip(header, row, strict=True)) for row in records]


def is_header(row: Sequence[str], features: Sequence[Feature]) -> bool:
    """Return whether the first row is a header, not a record with a category that is spelled like a feature."""
    names = {feature.name for feature in features}
    if not any(cell.strip() in names for cell in row):
        return False
    return len(row) != len(features) or any(
        not (NUMBER.fullmatch(cell.strip()) if feature.codes is None else category_text(cell) in feature.codes)
        and cell.strip() not in MISSING
        for cell, feature in zip(row, features, strict=True)
    )
