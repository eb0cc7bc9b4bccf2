"""The types of columns, over the chunks of a file and over all files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

import pyarrow as pa

from preprocessing.columns import (
    MAX_WHOLE_NUMBER,
    WHOLE_NUMBER,
    all_whole,
    common_type,
    is_number,
    largest,
)
from preprocessing.reading.files import InputFile, is_parquet
from preprocessing.report import DataError, listed


class FileTypes:
    """The types of a file's columns: gathered chunk by chunk, and the same wherever a chunk ends.

    Attributes:
        name: The name of the file.
        rows: The number of rows.
    """

    def __init__(self, file: InputFile) -> None:
        self.name, self.rows = file.name, 0
        self._is_parquet, self._partitions = is_parquet(file), file.partitions
        self._types: dict[str, set[pa.DataType]] = {}
        # columns with whole numbers that a double may not hold
        self._large: set[str] = set()
        # columns with numbers that are not whole, or whose digits are lost
        self._fractional: set[str] = set()

    @property
    def columns(self) -> list[str]:
        return [*self._types]

    def add(self, table: pa.Table) -> None:
        """Take the types of a chunk into account."""
        self.rows += len(table)
        for column, values in zip(table.column_names, table.columns, strict=True):
            self._types.setdefault(column, set()).add(values.type)
            if values.type == pa.int64():
                if column not in self._large and largest(values) >= MAX_WHOLE_NUMBER:
                    self._large.add(column)
            elif values.type == WHOLE_NUMBER:
                self._large.add(column)
            elif values.type == pa.float64() and column not in self._fractional and not all_whole(values):
                self._fractional.add(column)

    def type(self, column: str) -> pa.DataType | None:
        """Return the type that holds all values of a column; null if it has none, None if there is no such type."""
        known = self._types[column] - {pa.null()}
        if pa.float64() in known and known <= {pa.int64(), pa.float64(), WHOLE_NUMBER}:
            if column not in self._large or column in self._fractional:
                return pa.float64()
            return WHOLE_NUMBER if WHOLE_NUMBER in known else pa.int64()
        return common_type(known) if known else pa.null()

    def is_inexact(self, column: str) -> bool:
        """Return whether doubles may not hold the numbers of a column."""
        return column in self._large and self.type(column) != pa.float64()

    def declares(self, column: str) -> bool:
        """Return whether the file itself says the type of a column, as Parquet does."""
        return self._is_parquet and column not in self._partitions

    def must_read_as_text(self, text_columns: Collection[str]) -> bool:
        """Return whether some values of these columns were read as numbers, so that the file must be read again."""
        return any(is_number(type_) for column in text_columns for type_ in self._types.get(column, ()))


class InputSchema:
    """The columns of all files.

    Attributes:
        types: The type of each column, in the order of the first file.
    """

    def __init__(self, files: Sequence[FileTypes], dropped: Collection[str] = ()) -> None:
        """Find the types that hold the values of all files.

        Args:
            files: The types of each file.
            dropped: Columns that may have any types: where no type holds all of them, they become text.

        Raises:
            DataError: A file lacks columns of another, or no type holds a column's values.
        """
        self._files: Mapping[str, FileTypes] = {file.name: file for file in files}
        refuse_other_columns(files)
        self.types: dict[str, pa.DataType] = {}
        for column in files[0].columns:
            types = [file.type(column) for file in files]
            type_ = None if None in types else common_type(types)
            if type_ == pa.float64() and any(file.is_inexact(column) for file in files):
                type_ = None
            if (type_ is None or self._is_declared_otherwise(column)) and column not in dropped:
                raise self._conflict(column)
            self.types[column] = type_ or pa.string()

    @property
    def text_columns(self) -> list[str]:
        """The columns of text: a file in which one of them has numbers must be read again, to keep their spelling."""
        return [column for column, type_ in self.types.items() if type_ == pa.string()]

    def _is_declared_otherwise(self, column: str) -> bool:
        """Return whether one file declares numbers and another declares text or times."""
        declared = {file.type(column) for file in self._files.values() if file.declares(column)} - {pa.null(), None}
        return len(set(map(is_number, declared))) > 1

    def _conflict(self, column: str) -> DataError:
        kinds = {str(file.type(column) or "several types"): file.name for file in reversed([*self._files.values()])}
        kinds.pop("null", None)
        names = listed(f"{name} ({kind})" for kind, name in reversed(kinds.items()))
        return DataError(
            f"column {column!r} has values of different types in {names} that no type holds without a change; write it "
            "with one type, or add it to drop_columns"
        )


def refuse_other_columns(files: Sequence[FileTypes]) -> None:
    first, *others = files
    for file in others:
        expected, found = dict.fromkeys(first.columns), dict.fromkeys(file.columns)
        lacking = [column for column in expected if column not in found]
        extra = [column for column in found if column not in expected]
        if lacking or extra:
            differences = [f"it lacks {listed(map(repr, lacking))}"] * bool(lacking)
            differences += [f"it has {listed(map(repr, extra))} in addition"] * bool(extra)
            raise DataError(
                f"{file.name} has different columns from {first.name}: {' and '.join(differences)}; use the same "
                "columns in all files"
            )


def check_names(columns: Sequence[str], name: str) -> None:
    """Raise DataError if a column of a file has no name, or the name of another."""
    if "" in columns:
        raise DataError(
            f"column {columns.index('') + 1} of {name} has no name; add one to the header, or, if it is the index of a "
            "pandas DataFrame, write the file with index=False"
        )
    if repeated := sorted(column for column, count in Counter(columns).items() if count > 1):
        raise DataError(
            f"{name} has several columns named {listed(map(repr, repeated))}; rename or remove the duplicates"
        )
