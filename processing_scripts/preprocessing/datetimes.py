"""The columns of dates and times: every value must be one."""

from __future__ import annotations

import json
from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

from analyzer.datetimes import microseconds
from preprocessing.engine import Engine
from preprocessing.profile import position_of_value, value_counts
from preprocessing.report import ERROR, Report, counted, shortened
from preprocessing.rows import Rows


def check_datetimes(engine: Engine, rows: Rows, columns: Iterable[str], report: Report) -> None:
    """Check that all values of columns, in all rows, are dates or times."""
    problems = {}
    for name in columns:
        values = value_counts(engine, rows.columns[name], rows.table)
        odd = values.filter(pa.array([not is_datetime(value) for value in values["value"].to_pylist()], pa.bool_()))
        if len(odd):
            example = odd["value"][0].as_py()
            place = rows.place(position_of_value(engine, rows.columns[name], example, rows.table))
            number, total = (pc.sum(table["count"]).as_py() for table in (odd, values))
            column = json.dumps(name, ensure_ascii=False)
            problems[name] = (
                f"column {name!r} is in datetime_columns, but {counted(number, 'value', total)} neither ISO 8601, a "
                f"date such as 29.02.2024 nor an epoch, for example {shortened(example)} in {place}; fix them, leave "
                "them empty, or remove the column from datetime_columns and convert it in features.py "
                f'(docs/how-to/features.md): rows[{column}] = pd.to_datetime(rows[{column}], format="%m/%d/%Y")'
            )
    report.add("datetimes", ERROR, problems)


def is_datetime(value: object) -> bool:
    try:
        microseconds(value)
    except ValueError:
        return False
    return True
