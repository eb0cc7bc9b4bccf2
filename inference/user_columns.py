"""The columns that the user's features.py makes: the same call as in Preprocess.

A failure of the user's function for a record is answered with status 400: it has worked for all rows of the training
data, and for a record without values, so the values of the record are what it cannot use. Only models with a
features.py import this module, and pandas with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from request_errors import InputError

from analyzer.user_features import (
    CATEGORY,
    DATETIME,
    NUMBER,
    TEXT,
    FeaturesError,
    UserFeatures,
    as_arrays,
)

FILE = "user_features.py"


class UserColumns:
    """Makes columns by the function in code/user_features.py.

    Attributes:
        names: The columns that it returns.

    Raises:
        ValueError: The file does not exist, or cannot be used.
    """

    def __init__(self, schema: Mapping[str, Any], folder: Path) -> None:
        self._types = {feature["name"]: feature["type"] for feature in schema["features"]}
        self._kinds: dict[str, str] = {}
        for column in schema["columns"]:
            name = column["source"] if "part" in column or "encoding" in column else column["name"]
            is_text = "encoding" in column or column["type"] == CATEGORY
            self._kinds[name] = DATETIME if "part" in column else TEXT if is_text else NUMBER
        self.names = tuple(self._kinds)
        path = folder / "code" / FILE
        try:
            self._function = UserFeatures(path.read_text(encoding="utf-8"), schema["code"], self._types)
        except (OSError, FeaturesError) as error:
            raise ValueError(f"{path} cannot be used ({error}); train the model again") from error

    def make(self, values: Sequence[Sequence[Any]], first_row: int) -> list[list[Any]]:
        """Make columns of the features: numbers, texts or microseconds since 1970; NaN or None for a missing value.

        Args:
            values: The values of each feature: numbers, texts or microseconds since 1970.
            first_row: The number of the first record in the request, for messages.

        Raises:
            InputError: The function fails, or returns an infinite number.
        """
        arrays = as_arrays(dict(zip(self._types, values, strict=True)), self._types)
        try:
            made = self._function.apply(arrays, self._kinds)
        except FeaturesError as error:
            place = "the request" if error.row is None else f"row {first_row + error.row}"
            raise InputError(f"{place}: {error}") from None
        columns: list[list[Any]] = []
        for name, array in made.items():
            if self._kinds[name] == NUMBER and np.isinf(array).any():
                row = first_row + int(np.flatnonzero(np.isinf(array))[0])
                raise InputError(
                    f"row {row}: column {name!r} of {self._function.name} is infinite; a division by zero?"
                )
            if self._kinds[name] == DATETIME:
                numbers = array.astype(np.int64).tolist()
                columns.append([None if no else n for n, no in zip(numbers, np.isnat(array).tolist(), strict=True)])
            else:
                columns.append(array.tolist())
        return columns
