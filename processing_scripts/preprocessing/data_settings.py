"""The settings of the section `data` that are not arguments: those with a structure, which come in data.json."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from preprocessing.report import listed

FREQUENCY, TARGET = "frequency", "target"


@dataclass(frozen=True)
class DataSettings:
    """The content of data.json, by the names of the settings; a setting that is left out has its default.

    Attributes:
        columns: How the values of columns are written.
        missing_values: Texts that count as missing.
        datetime_columns: Of each date or time, the parts that the model gets, and those that it gets as sine and
            cosine, under "parts" and "cyclic".
        encodings: How a text column becomes a number, FREQUENCY or TARGET.
        lags: The columns that are the "key" of a series, the "columns" of which earlier values become features, and by
            how many rows, "steps"; None without lags.
    """

    columns: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    missing_values: Sequence[str] = ()
    datetime_columns: Mapping[str, Mapping[str, Sequence[str]]] = field(default_factory=dict)
    encodings: Mapping[str, str] = field(default_factory=dict)
    lags: Mapping[str, Any] | None = None


def read_data_settings(path: Path) -> DataSettings:
    """Read data.json.

    Raises:
        ValueError: It cannot be read, or has a setting that does not exist.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be read ({error}); expected a JSON object of settings") from None
    known = [setting.name for setting in fields(DataSettings)]
    if not isinstance(content, dict) or not content.keys() <= set(known):
        given = listed(map(repr, content)) if isinstance(content, dict) else type(content).__name__
        raise ValueError(f"{path} has {given}; expected a JSON object with the settings {listed(known)}")
    return DataSettings(**content)
