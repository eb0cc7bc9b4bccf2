"""Preprocess takes the latest record of each identifier of a feature group's offline store, without deleted ones."""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from preprocessing.feature_group import latest_records

Record = dict[str, Any]
RECORDS = st.lists(
    st.fixed_dictionaries(
        {
            "id": st.sampled_from("abc"),
            "event": st.integers(1, 4),
            "api_invocation_time": st.integers(1, 1000),
            "is_deleted": st.booleans(),
        }
    ),
    min_size=1,
    max_size=20,
    unique_by=lambda record: record["api_invocation_time"],
)


def as_parquet(records: list[Record], event_type: str = "float64") -> bytes:
    """A file of an offline store; each record is written a second after its invocation."""
    columns = {
        "id": pa.array([record["id"] for record in records]),
        "event": pa.array([record["event"] for record in records], pa.type_for_alias(event_type)),
        "value": pa.array([record.get("value", 0) for record in records], pa.int64()),
        "target": pa.array([record.get("target", "no") for record in records]),
    }
    invoked = [record["api_invocation_time"] for record in records]
    columns["write_time"] = pa.array([1000 * (time + 1) for time in invoked], pa.timestamp("ms"))
    columns["api_invocation_time"] = pa.array([1000 * time for time in invoked], pa.timestamp("ms"))
    columns["is_deleted"] = pa.array([record["is_deleted"] for record in records])
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer)
    return buffer.getvalue()


def read_latest(folder: Path, files: list[bytes], as_of: str | None = None) -> list[Record]:
    for number, content in enumerate(files):
        # the parts of the event time
        path = folder / "input" / f"year=2026/month=01/day=0{number + 1}/hour=00" / "part.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    options = argparse.Namespace(input_dir=folder / "input", record_identifier="id", event_time="event", as_of=as_of)
    found: list[Record] = pq.read_table(latest_records(duckdb.connect(), options, folder)).to_pylist()
    return found


@settings(deadline=None, max_examples=30)
@given(records=RECORDS, cut=st.integers(0, 20))
def test_the_latest_event_of_each_identifier_is_kept_unless_it_is_a_deletion(
    records: list[Record], cut: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    files = [as_parquet(part) for part in (records[:cut], records[cut:]) if part]
    found = read_latest(tmp_path_factory.mktemp("store"), files)
    latest: dict[str, Record] = {}
    for record in sorted(records, key=lambda record: (record["event"], record["api_invocation_time"])):
        latest[record["id"]] = record
    expected = {name: record["event"] for name, record in latest.items() if not record["is_deleted"]}
    assert {record["id"]: record["event"] for record in found} == expected
    assert all(list(record) == ["id", "event", "value", "target"] for record in found)


def test_texts_of_event_times_are_ordered_as_times(tmp_path: Path) -> None:
    times = ["2026-01-01T10:00:00Z", "2026-01-01T10:00:00.500Z", "2026-01-01T11:00:00+0200"]
    records = [
        {"id": "a", "event": time, "value": number, "api_invocation_time": number, "is_deleted": False}
        for number, time in enumerate(times)
    ]
    assert [record["value"] for record in read_latest(tmp_path, [as_parquet(records, "string")])] == [1]


def test_what_was_written_after_a_time_is_ignored(tmp_path: Path) -> None:
    records = [
        {"id": "a", "event": event, "value": event, "api_invocation_time": event, "is_deleted": False}
        for event in (1, 2, 3)
    ]
    # the second record was written at 3 seconds
    found = read_latest(tmp_path, [as_parquet(records)], as_of="1970-01-01T02:00:03+02:00")
    assert [record["value"] for record in found] == [2]


def test_a_model_is_not_trained_on_the_columns_of_feature_store(run_preprocess: Callable[..., Any]) -> None:
    records = [
        {
            "id": f"C{number % 40}",
            "event": number,
            "value": number % 7,
            "target": "yes" if number % 3 else "no",
            "api_invocation_time": number,
            "is_deleted": False,
        }
        for number in range(80)
    ]
    arguments = ("--record-identifier", "id", "--event-time", "event", "--drop-columns", "id", "event")
    result = run_preprocess({"year=1970/part.parquet": as_parquet(records)}, *arguments)
    assert result.error is None
    assert [feature["name"] for feature in result.schema["features"]] == ["value"]
    assert sum(len(result.rows(split)) for split in ("train", "validation", "test")) == 40


def test_data_that_is_not_an_offline_store_is_refused(run_preprocess: Callable[..., Any]) -> None:
    buffer = io.BytesIO()
    pq.write_table(pa.table({"id": ["a"], "event": [1.0], "target": ["no"]}), buffer)
    arguments = ("--record-identifier", "id", "--event-time", "event")
    result = run_preprocess({"data.parquet": buffer.getvalue()}, *arguments)
    assert "the data has no column 'write_time'; with data.feature_group" in result.error
