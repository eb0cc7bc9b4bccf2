"""Hash rows by their content, so that what depends on the hash is a function of the data.

Neither the order of rows and columns, nor their division among files, nor the type that holds a number changes a key.
Two different rows have the same key with a probability of 2^-63: among 100,000,000 rows, two of them do with a
probability below 0.06 %.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from hashlib import blake2b

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from preprocessing.columns import MAX_WHOLE_NUMBER, as_comparable, decimal_texts

# The first double beyond int64
END_OF_INT64 = 2.0**63


def sum_of_hashes(columns: Mapping[str, pa.ChunkedArray], rows: int) -> np.ndarray:
    """Add up the hashes of the values of each row; a column's name is part of its hashes, and missing values have none.

    Sums of different columns can be added up in turn.

    Returns:
        Shape (rows,), uint64.
    """
    total = np.zeros(rows, np.uint64)
    for name, column in columns.items():
        if pa.types.is_null(column.type):
            continue
        hashes = mix(value_bits(column) + np.uint64(text_hash(name)))
        if column.null_count:
            hashes[column.is_null().to_numpy()] = 0
        total += hashes
    return total


def as_keys(sums: np.ndarray, seed: int) -> np.ndarray:
    """Make the keys of rows, shape (n,), int64 from 0, of the sums of their hashes."""
    return (mix(sums + np.uint64(text_hash(str(seed)))) >> np.uint64(1)).view(np.int64)


def mix(bits: np.ndarray) -> np.ndarray:
    """Let each bit influence all bits, as SplitMix64 does (G. Steele et al., Fast Splittable Generators, 2014)."""
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))


def value_bits(column: pa.ChunkedArray) -> np.ndarray:
    """Map the values of a column to 64 bits each, shape (n,), uint64; the bits of a missing value mean nothing.

    A number is mapped to the bits of its double if that is exact, and else by its digits.
    """
    type_ = column.type
    if pa.types.is_floating(type_):
        # Adding zero turns a negative zero into a positive one.
        return (pc.fill_null(column, 0.0).to_numpy() + 0.0).view(np.uint64)
    if pa.types.is_integer(type_):
        return integer_bits(pc.fill_null(column, 0).to_numpy())
    if pa.types.is_decimal(type_):
        return bits_of_distinct(decimal_texts(column), number_hash)
    return bits_of_distinct(as_comparable(column), text_hash)


def integer_bits(numbers: np.ndarray) -> np.ndarray:
    doubles = numbers.astype(np.float64)
    bits = doubles.view(np.uint64)
    if len(numbers) and max(doubles.max(), -doubles.min()) > MAX_WHOLE_NUMBER:
        is_exact = doubles < END_OF_INT64
        is_exact[is_exact] = doubles[is_exact].astype(np.int64) == numbers[is_exact]
        digits = pa.chunked_array([pa.array(numbers[~is_exact]).cast(pa.string())])
        bits[~is_exact] = bits_of_distinct(digits, number_hash)
    return bits


def bits_of_distinct(texts: pa.ChunkedArray, hash_one: Callable[[str], int]) -> np.ndarray:
    codes = texts.combine_chunks().dictionary_encode()
    hashes = np.array([*map(hash_one, codes.dictionary.to_pylist()), 0], np.uint64)
    return hashes[pc.fill_null(codes.indices, 0).to_numpy()]


def text_hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")


def number_hash(digits: str) -> int:
    double = float(digits)
    if Decimal(digits) in (Decimal(repr(double)), Decimal(double)):
        return int(np.float64(double + 0.0).view(np.uint64))
    return text_hash(digits)
