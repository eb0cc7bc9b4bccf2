"""Writes records of a feature group to Parquet files in the layout of Feature Store's offline store.

It runs as a program of its own, given a folder, and on its standard input a line of JSON with the columns and the
write time, then a line a record: `year=/month=/day=/hour=/<latest event time>_<random>.parquet`, by event time in UTC.
"""

from __future__ import annotations

import json
import secrets
import string
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

_TYPES = {"Integral": pa.int64(), "Fractional": pa.float64(), "String": pa.string()}
_PARSERS: dict[str, Any] = {"Integral": int, "Fractional": float, "String": str}
_TIME = pa.timestamp("ms")
_NAME_CHARACTERS = string.ascii_letters + string.digits


def main() -> None:
    folder = Path(sys.argv[1])
    header = json.loads(sys.stdin.readline())
    by_hour: dict[str, list[dict[str, Any]]] = {}
    for line in sys.stdin:
        record = json.loads(line)
        record["event"] = datetime.fromtimestamp(record["event_time"], UTC)
        by_hour.setdefault(f"{record['event']:year=%Y/month=%m/day=%d/hour=%H}", []).append(record)
    for hour, records in by_hour.items():
        latest = max(record["event"] for record in records)
        suffix = "".join(secrets.choice(_NAME_CHARACTERS) for _ in range(16))
        file = folder / hour / f"{latest:%Y%m%dT%H%M%SZ}_{suffix}.parquet"
        file.parent.mkdir(parents=True)
        pq.write_table(_table(header["columns"], records, header["write_time"]), file)


def _table(columns: list[tuple[str, str, bool]], records: list[dict[str, Any]], write_time: float) -> pa.Table:
    """Return records as a table: the features, then the columns that Feature Store adds."""
    arrays = {}
    for name, kind, is_collection in columns:
        parse = _PARSERS[kind]
        values = [record["values"].get(name) for record in records]
        if is_collection:
            parsed = [None if value is None else [parse(item) for item in value] for value in values]
            arrays[name] = pa.array(parsed, pa.list_(_TYPES[kind]))
        else:
            arrays[name] = pa.array([None if value is None else parse(value) for value in values], _TYPES[kind])
    arrays["write_time"] = _times([write_time] * len(records))
    arrays["api_invocation_time"] = _times([record["invoked"] for record in records])
    arrays["is_deleted"] = pa.array([record["is_deleted"] for record in records], pa.bool_())
    return pa.table(arrays)


def _times(seconds: list[float]) -> pa.Array:
    return pa.array([round(value * 1000) for value in seconds], pa.int64()).cast(_TIME)


if __name__ == "__main__":
    main()
