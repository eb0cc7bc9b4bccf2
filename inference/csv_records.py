"""Parse CSV bodies.

Long bodies are parsed by NumPy and Arrow, fifty times as fast as by Python: NumPy finds the cells, and Arrow converts
them. (Its CSV reader takes twice the time, because it moves the work to threads.) Short bodies, and whatever Arrow
cannot convert or accepts as a number although Python's reader would refuse it (an infinity, other spellings of NaN),
are parsed by Python's reader: it defines the rules, and its errors name row and feature.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from features import Feature, Features, as_code
from request_errors import InputError, shortened

if TYPE_CHECKING:
    import numpy as np

# In characters. For a shorter body the import of Arrow costs more than it saves.
LONG_BODY = 32 << 10
# Parsed at once, which bounds the memory.
PIECE_BYTES = 1 << 20
MAX_FIELD_LENGTH = 1 << 20
COMMA, LINE_END = b",\n"


def read_long(text: str, features: Features) -> Iterator[np.ndarray] | None:
    """Parse a long body with NumPy and Arrow.

    Returns:
        Batches of float64 columns, shape (features, rows of the batch), NaN for a missing value; None where Python's
        reader has to parse the body.
    """
    if len(text) < LONG_BODY or '"' in text:
        return None
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        return None
    if "\r" in text:
        text = text.replace("\r\n", "\n")
    first_line = text.partition("\n")[0]
    cells = first_line.split(",")
    has_header = is_header(cells, features)
    names = [cell.strip() for cell in cells] if has_header else list(features.names)
    is_regular = len(names) == len(cells) == len(set(names)) and "\r" not in text
    if not is_regular or (not features.ignore_unknown and not features.name_set.issuperset(names)):
        return None
    body = (text[len(first_line) + 1 :] if has_header else text).rstrip("\n").encode() + b"\n"
    pieces = []
    for lines in pieces_of(body):
        columns = read_columns(lines, names, features)
        if columns is None:
            return None
        pieces.append(columns)
    return chain.from_iterable(batches_of(columns, features) for columns in pieces)


def pieces_of(body: bytes) -> Iterator[bytes]:
    """Cut a body after ends of lines."""
    start = 0
    while start < len(body):
        stop = body.find(b"\n", start + PIECE_BYTES) + 1 or len(body)
        yield body[start:stop]
        start = stop


def read_columns(lines: bytes, names: Sequence[str], features: Features) -> dict[str, np.ndarray] | None:
    """Parse lines without quotes and carriage returns.

    Returns:
        The columns of features, float64 with NaN for a missing value; None where a line does not have a cell for each
        of the names, or a number cannot be converted.
    """
    bounds = cell_bounds(lines, len(names))
    if bounds is None:
        return None
    place = {name: index for index, name in enumerate(names)}
    columns: dict[str, np.ndarray] = {}
    # In the order of the columns, which as_texts() relies on.
    given = sorted(
        (feature for feature in features.all if feature.name in place), key=lambda feature: place[feature.name]
    )
    numeric = [feature.name for feature in given if feature.is_plain_number]
    if numeric:
        # All at once, because each call of Arrow has a price.
        texts = as_texts(lines, bounds.take([place[name] for name in numeric], axis=1))
        numbers = as_numbers(texts, features.missing)
        if numbers is None:
            return None
        columns |= zip(numeric, numbers.reshape(len(bounds), len(numeric)).T, strict=True)
    for feature in given:
        if feature.is_plain_number:
            continue
        texts = as_texts(lines, bounds[:, place[feature.name]])
        values = as_formatted_numbers(texts, feature) if feature.codes is None else as_codes(texts, feature)
        if values is None:
            return None
        columns[feature.name] = values
    return columns


def cell_bounds(lines: bytes, width: int) -> np.ndarray | None:
    """Find the cells of lines.

    Returns:
        The first byte of each cell and the byte after its last one, int32, shape (rows, width, 2); None for lines with
        more or fewer cells.
    """
    import numpy as np

    characters = np.frombuffer(lines, np.uint8)
    is_line_end = characters == LINE_END
    ends = np.flatnonzero(is_line_end | (characters == COMMA))
    if len(ends) != width * np.count_nonzero(is_line_end) or not is_line_end[ends[width - 1 :: width]].all():
        return None
    bounds = np.empty((len(ends), 2), np.int32)
    bounds[0, 0] = 0
    bounds[1:, 0] = ends[:-1] + 1
    bounds[:, 1] = ends
    # With one column, an empty line is not a cell.
    return bounds.reshape(-1, width, 2) if width > 1 or np.diff(bounds).all() else None


def as_texts(lines: bytes, bounds: np.ndarray) -> Any:
    """Return cells as an Arrow array of strings: a cell, a null, a cell, ..., with a null for an empty cell.

    Strings of Arrow adjoin each other, so that every other one is what lies between two cells. The cells have to be in
    the order of the text: Arrow does not check it, and would read and write other memory.
    """
    import numpy as np
    import pyarrow as pa

    offsets = np.ascontiguousarray(bounds).reshape(-1, 2)
    is_valid = np.zeros(offsets.shape, bool)
    is_valid[:, 0] = offsets[:, 0] < offsets[:, 1]
    validity = np.packbits(is_valid, bitorder="little")
    return pa.StringArray.from_buffers(offsets.size - 1, *map(pa.py_buffer, (offsets, lines, validity)))


def as_numbers(texts: Any, missing: Iterable[str]) -> np.ndarray | None:
    """Convert the cells to float64, NaN for a missing value; None if one of them is not a finite number."""
    import pyarrow as pa
    import pyarrow.compute as pc

    numbers = as_finite(texts)
    if numbers is None:
        trimmed = pc.ascii_trim_whitespace(texts)
        numbers = as_finite(pc.if_else(pc.is_in(trimmed, strings(missing)), pa.NULL, trimmed))
    return numbers


def as_formatted_numbers(texts: Any, feature: Feature) -> np.ndarray | None:
    """Convert cells in the format of a feature, as `as_numbers` does."""
    from analyzer.arrow_values import plain_numbers, present

    assert feature.value_format is not None
    values = present(texts, feature.value_format)
    plain = plain_numbers(values, feature.value_format)
    return as_finite(plain) if plain.null_count == values.null_count else None


def strings(texts: Iterable[str]) -> Any:
    import numpy as np
    import pyarrow as pa

    # Not pa.array(), which imports pandas.
    encoded = [text.encode() for text in texts]
    offsets = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    return pa.StringArray.from_buffers(len(encoded), pa.py_buffer(offsets), pa.py_buffer(b"".join(encoded)))


def as_finite(texts: Any) -> np.ndarray | None:
    import numpy as np
    import pyarrow as pa

    try:
        array = texts.cast(pa.float64())
    except pa.ArrowInvalid:
        return None
    is_valid, values = cells_of(array, np.float64)
    numbers = np.where(is_valid, values, math.nan)
    return numbers if np.count_nonzero(np.isfinite(numbers)) == np.count_nonzero(is_valid) else None


def as_codes(texts: Any, feature: Feature) -> np.ndarray | None:
    """Look up the codes of the cells' categories, each of which is encoded once; None if one of them is invalid."""
    import numpy as np

    array = texts.dictionary_encode()
    try:
        codes = np.array([as_code(text, feature, row=1) for text in array.dictionary.to_pylist()] or [math.nan])
    except InputError:
        return None
    is_valid, indices = cells_of(array.indices, np.int32)
    # The index of a null is undefined, hence "clip".
    return np.where(is_valid, codes.take(indices, mode="clip"), math.nan)


def cells_of(array: Any, dtype: type[np.generic]) -> tuple[np.ndarray, np.ndarray]:
    """Return validity and values of an Arrow array's cells, which are every other item."""
    import numpy as np

    # Not to_numpy(), which imports pandas.
    validity, data = array.buffers()
    bits = np.frombuffer(validity or b"\x01", np.uint8)
    place = slice(array.offset, array.offset + len(array), 2)
    return np.unpackbits(bits, bitorder="little")[place], np.frombuffer(data, dtype)[place]


def batches_of(columns: Mapping[str, np.ndarray], features: Features) -> Iterator[np.ndarray]:
    import numpy as np
    from batches import batch_rows

    rows, size = len(next(iter(columns.values()))), batch_rows(features)
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
    return len(row) != len(features) or not all(
        feature.accepts(cell) for cell, feature in zip(row, features.all, strict=True)
    )
