"""The user's own features: a function that makes columns of a model out of the features.

Preprocess and the endpoint call it by this module, so that it gets the same and its results are read alike:

    def add_features(rows: pandas.DataFrame) -> pandas.DataFrame

``rows`` has the features that clients send, in the order of schema.json, and a RangeIndex. A number is float64 with NaN
for a missing value; a category or text is an object column of str, with surrounding whitespace removed, and None; a
date or time is datetime64[us] in UTC without a time zone, with NaT. A call gets any number of rows, at an endpoint
often one, so a result must depend on its own row alone. What is returned are the columns of the model: numbers,
booleans (which become 0 and 1), texts and dates. The target is never among the rows, because endpoints do not have it.
"""

from __future__ import annotations

import linecache
import math
import traceback
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from analyzer.datetimes import microseconds
from analyzer.values import MISSING, category_text

FUNCTION = "add_features"
NUMBER, CATEGORY, TEXT, DATETIME = "number", "category", "text", "datetime"
DTYPES: Mapping[str, Any] = {NUMBER: np.float64, CATEGORY: object, TEXT: object, DATETIME: "datetime64[us]"}
WORDS = {NUMBER: "numbers", TEXT: "texts", DATETIME: "dates"}
# What to do about errors that no value causes.
ADVICE = {
    ImportError: "; use pandas, NumPy and what else SageMaker's scikit-learn image has",
    FileNotFoundError: "; no other file is part of the model, so write the values into this one",
}
NUMBERS = (bool, int, float, Decimal, np.number, np.bool_)

# Values by column: float64 with NaN, objects of str and None, or datetime64[us] with NaT.
Arrays = Mapping[str, np.ndarray]


class FeaturesError(Exception):
    """The function cannot be used, or has failed.

    Attributes:
        row: The place of the row that it fails for, from 0; None if it is not about a row.
    """

    def __init__(self, message: str, row: int | None = None) -> None:
        super().__init__(message)
        self.row = row


class UserFeatures:
    """A file with the function.

    Args:
        source: The content of the file.
        name: The name of the file, for messages.
        inputs: The types of the features, by name and in their order.
        unavailable: What columns are that the data has, but endpoints do not, such as "the target".

    Raises:
        FeaturesError: The file is not valid Python, fails when it is run, or has no such function.
    """

    def __init__(
        self, source: str, name: str, inputs: Mapping[str, str], unavailable: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self._inputs, self._unavailable = inputs, unavailable or {}
        # so that a traceback in a log has the lines
        linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
        namespace: dict[str, Any] = {"__name__": name.removesuffix(".py"), "__file__": name}
        try:
            exec(compile(source, name, "exec"), namespace)  # noqa: S102 # nosec: the user's own code, named as such
        except SyntaxError as error:
            raise FeaturesError(f"{name}, line {error.lineno}: {error.msg}") from None
        except Exception as error:
            raise FeaturesError(self._described(error)) from error
        function = namespace.get(FUNCTION)
        if not callable(function):
            raise FeaturesError(f"{name} has no function {FUNCTION}(rows); define it, as in the documentation")
        self._function: Callable[[pd.DataFrame], Any] = function

    def apply(self, columns: Arrays, kinds: Mapping[str, str]) -> dict[str, np.ndarray]:
        """Return the columns that the function makes.

        Args:
            columns: The features of n rows.
            kinds: NUMBER, TEXT or DATETIME of each column that it should return.

        Raises:
            FeaturesError: It fails, or returns other columns or kinds of values.
        """
        rows = len(next(iter(columns.values())))
        made = self.inspect(columns)
        if [*made] != [*kinds]:
            raise FeaturesError(
                f"{self.name} returns the columns {', '.join(made)}, but returned {', '.join(kinds)} for other rows; "
                "return the same columns for all rows"
            )
        for name, (kind, values) in made.items():
            if kind not in (None, kinds[name]):
                present = np.flatnonzero(~pd.isna(values))
                raise FeaturesError(
                    f"{self.name} returns {WORDS[kind or TEXT]} in column {name!r}, but returned {WORDS[kinds[name]]} "
                    "for other rows; return one kind of values",
                    int(present[0]),
                )
        return {
            name: values if kind is not None else missing_values(kinds[name], rows)
            for name, (kind, values) in made.items()
        }

    def inspect(self, columns: Arrays) -> dict[str, tuple[str | None, np.ndarray]]:
        """Call the function; returns kind and values of each column, None as the kind if all are missing.

        Raises:
            FeaturesError: It fails, or returns what cannot be used.
        """
        try:
            return self._call(columns)
        except FeaturesError:
            row = self._find_row(columns, len(next(iter(columns.values()))))
            if row is None:
                raise
            try:
                self._call({name: values[row : row + 1] for name, values in columns.items()})
            except FeaturesError as error:
                raise FeaturesError(str(error), row) from error.__cause__
            raise

    def _call(self, columns: Arrays) -> dict[str, tuple[str | None, np.ndarray]]:
        frame = pd.DataFrame(
            {name: pd.Series(columns[name], dtype=DTYPES[type_], copy=True) for name, type_ in self._inputs.items()}
        )
        rows = len(frame)
        try:
            result = self._function(frame)
        except (Exception, SystemExit) as error:
            raise FeaturesError(self._described(error)) from error
        if not isinstance(result, pd.DataFrame):
            raise FeaturesError(
                f"{FUNCTION} in {self.name} returns {type(result).__name__}, not a pandas DataFrame; end it with "
                "`return rows`"
            )
        if len(result) != rows or not result.index.equals(pd.RangeIndex(rows)):
            found = f"{len(result)} rows" if len(result) != rows else "another index or order of rows"
            raise FeaturesError(
                f"{FUNCTION} in {self.name} got {rows} rows and returns {found}; return a row for each, in their order "
                "and with their index (no dropna, sort_values or reset_index)"
            )
        names = [*result.columns]
        odd = [name for name in names if not isinstance(name, str) or not name or name.startswith("@")]
        if odd or len(set(names)) < len(names) or not names:
            problem = f"a column named {odd[0]!r}" if odd else "several columns of one name" if names else "no columns"
            raise FeaturesError(
                f"{FUNCTION} in {self.name} returns {problem}; return at least one, each with a name of its own, which "
                "is a text that does not begin with @"
            )
        return {name: self._read(result[name]) for name in names}

    def _read(self, series: pd.Series) -> tuple[str | None, np.ndarray]:
        """Return the kind and the values of a column."""
        dtype = series.dtype
        if pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_complex_dtype(dtype):
            numbers = series.to_numpy(np.float64, na_value=math.nan)
            return (None if np.isnan(numbers).all() else NUMBER), numbers
        if pd.api.types.is_datetime64_any_dtype(dtype):
            return self._datetimes(series)
        values, missing = series.to_numpy(object), series.isna().to_numpy()
        present = values[~missing]
        types = set(map(type, present))
        if not types:
            return None, values
        if all(issubclass(type_, str) for type_ in types):
            texts = {value: as_text(value) for value in set(present)}
            result = np.full(len(values), None, object)
            result[~missing] = [texts[value] for value in present]
            return TEXT, result
        if all(issubclass(type_, NUMBERS) for type_ in types):
            numbers = np.full(len(values), math.nan)
            numbers[~missing] = [float(value) for value in present]
            return NUMBER, numbers
        if all(issubclass(type_, date | np.datetime64) for type_ in types):
            moments = np.full(len(values), np.datetime64("NaT"), "datetime64[us]")
            moments[~missing] = [np.datetime64(microseconds(pd.Timestamp(v).isoformat()), "us") for v in present]
            return DATETIME, moments
        names = ", ".join(sorted(type_.__name__ for type_ in types))
        row = int(np.flatnonzero(~missing)[0])
        raise FeaturesError(
            f"{FUNCTION} in {self.name} returns values of type {names} in column {series.name!r}; return numbers, "
            "booleans, texts or dates, one kind in a column",
            row,
        )

    @staticmethod
    def _datetimes(series: pd.Series) -> tuple[str | None, np.ndarray]:
        if getattr(series.dtype, "tz", None) is not None:
            series = series.dt.tz_convert("UTC").dt.tz_localize(None)
        moments = series.to_numpy("datetime64[us]")
        return (None if np.isnat(moments).all() else DATETIME), moments

    def _find_row(self, columns: Arrays, rows: int) -> int | None:
        """Find a row that the function fails for, by halving; None if it fails only for several rows."""
        start, end = 0, rows
        while end - start > 1:
            middle = (start + end) // 2
            if self._fails(columns, start, middle):
                end = middle
            elif self._fails(columns, middle, end):
                start = middle
            else:
                return None
        return start

    def _fails(self, columns: Arrays, start: int, end: int) -> bool:
        try:
            self._call({name: values[start:end] for name, values in columns.items()})
        except FeaturesError:
            return True
        return False

    def _described(self, error: BaseException) -> str:
        """Say what has failed, and in which line of the user's file."""
        traceback_frames = traceback.extract_tb(error.__traceback__)
        frames = [frame for frame in traceback_frames if frame.filename == self.name]
        place = self.name
        if frames:
            place += f", line {frames[-1].lineno}"
            if frames[-1].name != "<module>":
                place += f", in {frames[-1].name}"
        text = " ".join(str(error).split())
        for name, what in self._unavailable.items():
            if isinstance(error, KeyError | AttributeError) and repr(name) in text:
                return f"{place}: it reads column {name!r}, {what}, which endpoints do not have; compute without it"
        kind = type(error).__name__
        if isinstance(error, KeyError):
            # pandas raises it for a column, the line itself for a key of a dictionary
            if frames and frames[-1] is traceback_frames[-1]:
                return f"{place}: {kind}: a dictionary has no key {text}; give a default with .get"
            known = ", ".join(self._inputs)
            return f"{place}: there is no column {text} (columns: {known}); correct the name"
        advice = next((advice for of_kind, advice in ADVICE.items() if isinstance(error, of_kind)), "")
        return f"{place}: {kind}: {text}{advice}"


def as_text(value: str) -> str | None:
    text = category_text(value)
    return None if text in MISSING else text


def missing_values(kind: str, rows: int) -> np.ndarray:
    if kind == NUMBER:
        return np.full(rows, math.nan)
    if kind == DATETIME:
        return np.full(rows, np.datetime64("NaT"), "datetime64[us]")
    return np.full(rows, None, object)


def kind_of_missing(values: np.ndarray) -> str:
    """Return the kind of a column that has no values."""
    return NUMBER if values.dtype.kind == "f" else DATETIME if values.dtype.kind == "M" else TEXT


def first_difference(one: np.ndarray, other: np.ndarray) -> int | None:
    """Return the place of the first difference between two columns; None if they are the same."""
    if one.dtype.kind == "f" and other.dtype.kind == "f":
        same = np.isclose(one, other, rtol=1e-9, atol=0, equal_nan=True)
    else:
        same = (one == other) | (pd.isna(one) & pd.isna(other))
    return None if same.all() else int(np.flatnonzero(~same)[0])


def as_arrays(values: Mapping[str, Sequence[Any]], types: Mapping[str, str]) -> dict[str, np.ndarray]:
    """Make arrays of values: numbers, texts and None, or microseconds since 1970 and None."""
    arrays = {}
    for name, column in values.items():
        if types[name] == NUMBER:
            arrays[name] = np.array(column, np.float64)
        elif types[name] == DATETIME:
            arrays[name] = np.array(
                [np.datetime64("NaT") if moment is None else np.datetime64(moment, "us") for moment in column],
                "datetime64[us]",
            )
        else:
            array = np.empty(len(column), object)
            array[:] = column
            arrays[name] = array
    return arrays
