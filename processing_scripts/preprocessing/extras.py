"""The extra columns of the encoded splits: what training and evaluation need of a row besides features and target."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from preprocessing.rows import Column

EXTRAS = WEIGHT, GROUP, TIME = "@weight", "@group", "@time"


@dataclass(frozen=True)
class Extra:
    """An extra column of the encoded splits.

    Attributes:
        name: Its name in the files.
        role: Its name in schema.json, which says there which column it comes from.
        source: The name of that column.
        sql: Its name in queries.
        expression: Its value in the view `placed`.
        type: Its type in the files.
    """

    name: str
    role: str
    source: str
    sql: str
    expression: str
    type: pa.DataType


def extra_columns(columns: Mapping[str, Column], options: argparse.Namespace) -> list[Extra]:
    """List the extra columns: the weights; of a split by group the number of the group; of one by time, its order."""
    extras = []
    if options.weight_column:
        weight = f"CAST({columns[options.weight_column].sql} AS DOUBLE)"
        extras.append(Extra(WEIGHT, "weight", options.weight_column, "extra_weight", weight, pa.float64()))
    if options.split_strategy == "group":
        extras.append(Extra(GROUP, "group", options.group_column, "extra_group", "place", pa.int64()))
    if options.split_strategy == "time":
        extras.append(Extra(TIME, "time", options.time_column, "extra_time", "CAST(place AS DOUBLE)", pa.float64()))
    return extras
