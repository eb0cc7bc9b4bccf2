"""Which values of a column are sensitive or positive, as Clarify decides it, read batch by batch.

Clarify reads a list of one number as a threshold if the column is continuous, else as a category. A column is
continuous if it has fractions or missing values among its numbers, or whole numbers of which at least 5 % are distinct.
That is known only once all records are read, so both answers are counted until then.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from analyzer import QualityError
from analyzer.bias.config import Value, ValuesOrThreshold
from analyzer.values import NUMBER, category_text

UNIQUENESS = 0.05
MAX_VALUES = 10_000
EXAMPLES = 8
EXAMPLE_ROWS = 100

# What a record is counted by: EQUAL | GREATER if the column has a rule, else the value's text; None if it is missing.
Key = int | str | None
EQUAL, GREATER = 1, 2
MISSING = None
Codes = npt.NDArray[np.int64]

FLOAT, INTEGER, TEXT, INTEGER_TEXT = "float", "integer", "text", "integer as text"

_RULE_KEYS: tuple[Key, ...] = (0, EQUAL, GREATER, EQUAL | GREATER, MISSING)
# To pandas, which Clarify compares with, True is 1.
_SAME = {"true": "1", "1": "true", "false": "0", "0": "false"}


class ColumnValues:
    """The values of a column in the batches read so far.

    Args:
        column: Name of the column.
        rule: Which values are sensitive or positive; None to count the records of each value.
    """

    def __init__(self, column: str, rule: ValuesOrThreshold | None):
        self.column = column
        self.rule = rule
        self.in_data = False
        self.present = 0
        self.missing = 0
        # in order of appearance; with a rule, only some examples
        self.values: dict[str, None] = {}
        self._types: set[str] = set()
        self._distinct: set[Value] = set()
        self._largest = -np.inf
        self._found = 0
        self._not_a_number: str | None = None
        wanted = {_text(value) for value in rule.values} if rule else set()
        self._matched: set[str | float] = set()
        self._wanted = wanted | {_SAME[text] for text in wanted if text in _SAME}
        self._wanted_numbers = np.array([float(text) for text in self._wanted if NUMBER.fullmatch(text)])

    def read(self, values: pa.Array | None, rows: int) -> tuple[Codes, tuple[Key, ...]]:
        """Read the values of a batch.

        Args:
            values: int64, float64, string or null; None if the batch does not have the column.
            rows: The number of records of the batch.

        Returns:
            A code for each record, shape (rows,), and the keys that the codes stand for; the last key is MISSING.
        """
        self.in_data = self.in_data or values is not None
        if values is None or pa.types.is_null(values.type):
            self.missing += rows
            return np.zeros(rows, np.int64), (MISSING,)
        if self.rule is None:
            codes, keys = self._read_each(values)
        elif pa.types.is_string(values.type):
            codes, keys = self._read_texts(values, self.rule)
        else:
            codes, keys = self._read_numbers(values, self.rule)
        missing = int(np.count_nonzero(codes == len(keys) - 1))
        self.missing += missing
        self.present += rows - missing
        return codes, keys

    def add(self, other: ColumnValues) -> None:
        """Add what was read of the same column elsewhere."""
        self.in_data = self.in_data or other.in_data
        self.present += other.present
        self.missing += other.missing
        self._note_values(other.values)
        self._types |= other._types
        self._distinct |= other._distinct
        self._largest = max(self._largest, other._largest)
        self._found |= other._found
        self._matched |= other._matched
        self._not_a_number = self._not_a_number or other._not_a_number

    @property
    def is_complete(self) -> bool:
        """Whether every record has a value."""
        return self.in_data and not self.missing

    @property
    def is_continuous(self) -> bool:
        """Whether Clarify takes the column as continuous."""
        if TEXT in self._types:
            return False
        if FLOAT in self._types or (INTEGER in self._types and self.missing):
            return True
        distinct = len(self._distinct if self.rule else self.values)
        return bool(self.present) and distinct / self.present >= UNIQUENESS

    @property
    def is_threshold(self) -> bool:
        """Whether the rule is a threshold for this column."""
        if self.rule is None or self.rule.threshold is None:
            return False
        # If nothing is greater, a number that occurs is a category: such as 1 in a few records of 0 and 1.
        is_category = bool(self._found & EQUAL) and not self._found & GREATER
        return not self.rule.values or (self.is_continuous and not is_category)

    def selected(self, is_threshold: bool) -> frozenset[Key]:
        """Return the keys of the records that the rule selects.

        Raises:
            QualityError: The rule is a threshold, but the column has texts.
        """
        if is_threshold and self._not_a_number is not None:
            raise QualityError(
                f"column {self.column!r} has the value {self._not_a_number!r}, which cannot be compared with a "
                "threshold; give values instead"
            )
        wanted = GREATER if is_threshold else EQUAL
        return frozenset(key for key in _RULE_KEYS if isinstance(key, int) and key & wanted)

    def selection_text(self, is_threshold: bool) -> str:
        """Return Clarify's text for what the rule selects, such as "a,b" or "(40, 75]"."""
        rule = self.rule or ValuesOrThreshold()
        if not is_threshold or rule.threshold is None:
            return ",".join(map(str, rule.values))
        are_integers = self._types <= {INTEGER, INTEGER_TEXT} and not self.missing
        number = int if are_integers and isinstance(rule.threshold, int) else float
        limits = sorted((rule.threshold, self._largest if self.present else rule.threshold))
        return f"({number(limits[0])}, {number(limits[1])}]"

    @property
    def unmatched(self) -> tuple[Value, ...]:
        """The values of the rule that no record has, unless it is a threshold."""
        if self.rule is None or self.is_threshold:
            return ()
        return tuple(value for value in self.rule.values if not self._spellings(value) & self._matched)

    @property
    def largest(self) -> float:
        """The largest number; -inf without numbers."""
        return self._largest

    @property
    def examples(self) -> str:
        """Some values, for messages."""
        shown = [repr(value) for value in self.values][:EXAMPLES]
        return ", ".join([*shown, "..."] if len(shown) == EXAMPLES else shown) or "all missing"

    @staticmethod
    def _spellings(value: Value) -> set[str | float]:
        """Return the texts and numbers that count as a value."""
        texts = {_text(value)} | {_SAME[text] for text in [_text(value)] if text in _SAME}
        return texts | {float(text) for text in texts if NUMBER.fullmatch(text)}

    def _read_each(self, values: pa.Array) -> tuple[Codes, tuple[Key, ...]]:
        codes, found = _encode(values)
        texts = [_text(value) for value in found]
        if pa.types.is_string(values.type):
            self._types |= {_text_type(text) for text in texts}
        else:
            self._types.add(_number_type(values))
        self._note_values(texts)
        return codes, (*texts, MISSING)

    def _read_texts(self, values: pa.Array, rule: ValuesOrThreshold) -> tuple[Codes, tuple[Key, ...]]:
        codes, found = _encode(values)
        keys: list[Key] = []
        for text in map(_text, found):
            key = EQUAL if text in self._wanted else 0
            if key:
                self._matched.add(text)
            if NUMBER.fullmatch(text):
                number = float(text)
                self._largest = max(self._largest, number)
                key |= GREATER if rule.threshold is not None and number > rule.threshold else 0
            else:
                self._not_a_number = self._not_a_number or text
            self._found |= key
            self._types.add(_text_type(text))
            keys.append(key)
        self._note_values(map(_text, found))
        self._note_distinct(map(_text, found))
        return codes, (*keys, MISSING)

    def _read_numbers(self, values: pa.Array, rule: ValuesOrThreshold) -> tuple[Codes, tuple[Key, ...]]:
        self._types.add(_number_type(values))
        numbers = values.to_numpy(zero_copy_only=False)
        codes = EQUAL * np.isin(numbers, self._wanted_numbers).astype(np.int64)
        self._matched.update(np.unique(numbers[codes == EQUAL]).tolist())
        if rule.threshold is not None:
            codes += GREATER * (numbers > rule.threshold)
        if numbers.dtype.kind == "f":
            codes[np.isnan(numbers)] = len(_RULE_KEYS) - 1
            numbers = numbers[~np.isnan(numbers)]
        for code in np.unique(codes).tolist():
            self._found |= int(_RULE_KEYS[code] or 0)
        if len(numbers):
            self._largest = max(self._largest, numbers.max().item())
        self._note_values(map(_text, dict.fromkeys(numbers[:EXAMPLE_ROWS].tolist())))
        if FLOAT not in self._types:
            self._note_distinct(np.unique(numbers).tolist())
        return codes, _RULE_KEYS

    def _note_values(self, texts: Iterable[str]) -> None:
        if self.rule is None:
            self.values.update(dict.fromkeys(texts))
            if len(self.values) > MAX_VALUES:
                raise QualityError(
                    f"column {self.column!r} has more than {MAX_VALUES} values; give values or a threshold of a facet, "
                    "and a group variable with fewer values"
                )
            return
        for text in texts:
            if len(self.values) >= EXAMPLES:
                return
            self.values[text] = None

    def _note_distinct(self, values: Iterable[Value]) -> None:
        # only a rule that may be either depends on them
        if self.rule is not None and self.rule.values and self.rule.threshold is not None:
            self._distinct.update(values)


def _encode(values: pa.Array) -> tuple[Codes, list[Value]]:
    """Return the code of each value, and the values by code; the code of missing values is one more than the others."""
    if pa.types.is_floating(values.type):
        values = pc.if_else(pc.is_nan(values), pa.scalar(None, values.type), values)
    encoded = values.dictionary_encode()
    found: list[Value] = encoded.dictionary.to_pylist()
    codes = pc.fill_null(encoded.indices.cast(pa.int64()), len(found))
    return codes.to_numpy(zero_copy_only=False), found


def _text(value: Value) -> str:
    return category_text(str(value))


def _number_type(values: pa.Array) -> str:
    return INTEGER if pa.types.is_integer(values.type) else FLOAT


def _text_type(text: str) -> str:
    return INTEGER_TEXT if text.removeprefix("-").isdecimal() else TEXT
