"""What the checks need to know of the columns, measured by the engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from preprocessing.columns import MAX_WHOLE_NUMBER, are_numbers
from preprocessing.engine import Engine
from preprocessing.report import counted, shortened
from preprocessing.rows import Column, Rows

# Engines compile a query as a whole, and medians hold the sample of each of its columns in memory.
COLUMNS_PER_QUERY = 200
SAMPLE_ROWS = 100_000

DOUBLE = "CAST({column} AS DOUBLE)"
INFINITE = f"abs({DOUBLE}) = CAST('Infinity' AS DOUBLE)"
FINITE = f"CASE WHEN abs({DOUBLE}) < CAST('Infinity' AS DOUBLE) THEN {DOUBLE} END"
Z_SCORE = f"0.6745 * abs({FINITE} - {{median}})"


def count_where(condition: str) -> str:
    return f"count(CASE WHEN {condition} THEN 1 END)"


SUMMARY = {
    "present": "count({column})",
    "minimum": "min({column})",
    "maximum": "max({column})",
    "infinite": count_where(INFINITE),
    "fractions": count_where(f"{DOUBLE} <> floor({DOUBLE}) OR abs({DOUBLE}) >= {MAX_WHOLE_NUMBER:.0f}"),
    "doubles": count_where(
        f"{{column}} IS NOT NULL AND coalesce(CAST(TRY_CAST({{column}} AS FLOAT) AS DOUBLE) <> {DOUBLE}, TRUE)"
    ),
}


@dataclass
class NumberProfile:
    """A column of numbers.

    Attributes:
        present: How many values there are.
        minimum: The smallest value, None without values.
        maximum: The largest value, None without values.
        infinite: How many values are infinite.
        fractions: How many values are not whole numbers below 2^53.
        doubles: How many values do not fit into a float of 32 bits.
        outliers: How many values have a large robust z-score; None if it is not defined.
    """

    present: int
    minimum: float | None
    maximum: float | None
    infinite: int
    fractions: int
    doubles: int
    outliers: int | None = None

    @property
    def range(self) -> float:
        """The largest value minus the smallest, 0 without values."""
        return (self.maximum or 0) - (self.minimum or 0)


def profile_numbers(
    engine: Engine, columns: Sequence[Column], rows: int, outlier_z_score: float
) -> dict[str, NumberProfile]:
    """Profile columns of numbers in the view `rows`, by their names in the data.

    The robust z-score is 0.6745 |x - median| / MAD, where MAD is the median absolute deviation; for normal data it is
    close to the ordinary z-score (B. Iglewicz and D. Hoaglin, How to Detect and Handle Outliers, 1993). If more than
    half of the values are equal, MAD is 0 and the score is not defined. Median and MAD are those of the SAMPLE_ROWS
    rows with the smallest keys: a random sample, but a function of the data.
    """
    sample = "rows"
    if rows > SAMPLE_ROWS:
        sample = f"(SELECT * FROM rows WHERE row_key < {2**63 * SAMPLE_ROWS // rows}) AS sample"
    profiles: dict[str, NumberProfile] = {}
    for start in range(0, len(columns), COLUMNS_PER_QUERY):
        some: dict[Column, dict[str, str]] = {column: {} for column in columns[start : start + COLUMNS_PER_QUERY]}
        for column, values in measure(engine, "rows", some, SUMMARY).items():
            profiles[column.name] = NumberProfile(**values)
        medians = measure(engine, sample, some, {"median": f"median({FINITE})"})
        some = {column: as_literals(values) for column, values in medians.items() if values["median"] is not None}
        deviations = measure(engine, sample, some, {"mad": f"median(abs({FINITE} - {{median}}))"})
        some = {column: some[column] | as_literals(values) for column, values in deviations.items() if values["mad"]}
        limit = f"CAST('{outlier_z_score}' AS DOUBLE) * {{mad}}"
        for column, values in measure(engine, "rows", some, {"outliers": count_where(f"{Z_SCORE} > {limit}")}).items():
            profiles[column.name].outliers = values["outliers"]
    return profiles


def measure(
    engine: Engine, source: str, columns: Mapping[Column, Mapping[str, str]], expressions: Mapping[str, str]
) -> dict[Column, dict[str, Any]]:
    """Evaluate aggregates of several columns by one query.

    Args:
        engine: The engine.
        source: The rows to aggregate.
        columns: The columns, with what expressions refer to by name in addition to {column}.
        expressions: The aggregates, by name.

    Returns:
        The value of each expression, by column and name.
    """
    if not columns:
        return {}
    selected = ", ".join(
        f"{expression.format(column=column.sql, **values)} AS {name}_{column.sql}"
        for column, values in columns.items()
        for name, expression in expressions.items()
    )
    (found,) = engine.query(f"SELECT {selected} FROM {source}").to_pylist()
    return {column: {name: found[f"{name}_{column.sql}"] for name in expressions} for column in columns}


def as_literals(values: Mapping[str, float]) -> dict[str, str]:
    return {name: f"CAST('{value!r}' AS DOUBLE)" for name, value in values.items()}


def position_of_infinity(engine: Engine, column: Column) -> int:
    """Return the position of the first row with an infinity in a column that has one."""
    return first_position(engine, INFINITE.format(column=column.sql))


def position_of_value(engine: Engine, column: Column, value: str | float, view: str = "rows") -> int:
    """Return the position of the first row with a value in a column that has it."""
    engine.register("wanted", pa.table({"value": pa.array([value], column.stored_type)}))
    return first_position(engine, f"{column.sql} IN (SELECT value FROM wanted)", view)


def describe_texts(engine: Engine, rows: Rows, column: Column, count: int) -> str:
    """Say how many of the values in the view `rows` are not numbers, and where the first such text is."""
    values = value_counts(engine, column)
    odd = values.filter(pc.invert(are_numbers(values["value"])))
    example = ""
    if len(odd):
        text = odd["value"][0].as_py()
        place = rows.place(position_of_value(engine, column, text))
        example = f", for example {shortened(text)} in {place}"
    return f"{counted(pc.sum(odd['count']).as_py() or 0, 'value', count)} not numeric{example}"


def first_position(engine: Engine, condition: str, view: str = "rows") -> int:
    found = engine.query(f"SELECT min(position) AS position FROM {view} WHERE {condition}")
    position: int = found["position"][0].as_py()
    return position


def value_counts(engine: Engine, column: Column, view: str = "rows") -> pa.Table:
    """Return the distinct values of a column and how many rows have each: the columns value and count, by value."""
    return engine.query(
        f"SELECT {column.sql} AS value, count(*) AS count FROM {view} WHERE {column.sql} IS NOT NULL "
        f"GROUP BY {column.sql} ORDER BY {column.sql}"
    )
