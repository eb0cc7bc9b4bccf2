"""The offline store of a feature group as input: it has every record ever put, and the data is the latest of each.

A record may be there several times: with earlier values, with earlier event times that arrived later, twice because
Feature Store delivers at least once, and with a mark that it has been deleted.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import duckdb

from preprocessing.literals import sql_name, sql_text, sql_texts
from preprocessing.reading import list_files
from preprocessing.report import DataError

# the columns that Feature Store adds to the features
ADDED = ("write_time", "api_invocation_time", "is_deleted")


def latest_records(connection: duckdb.DuckDBPyConnection, options: argparse.Namespace, folder: Path) -> Path:
    """Write the latest record of each identifier, without deleted ones, to a new folder.

    Args:
        connection: The database.
        options: `input_dir`, `record_identifier`, `event_time`, and `as_of`: later writes are ignored.
        folder: Where to make it.

    Returns:
        The new folder, with one Parquet file.

    Raises:
        DataError: The files are not those of an offline store, or lack the columns.
    """
    files = sql_texts(file.path for file in list_files(options.input_dir))
    # the names of the folders are parts of the event time, not features
    source = f"read_parquet({files}, union_by_name = true, hive_partitioning = false)"
    records = folder / "latest-records"
    records.mkdir()
    try:
        columns = {name: kind for name, kind, *_ in connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()}
        for name in (*ADDED, options.record_identifier, options.event_time):
            if name not in columns:
                raise DataError(
                    f"the data has no column {name!r}; with data.feature_group, it must be the offline store of a "
                    "feature group, the ResolvedOutputS3Uri of DescribeFeatureGroup"
                )
        record, event = sql_name(options.record_identifier), sql_name(options.event_time)
        # texts in ISO 8601 may have different digits and offsets
        time = f"epoch_us(CAST({event} AS TIMESTAMPTZ))" if columns[options.event_time] == "VARCHAR" else event
        until = f"WHERE epoch_us(write_time) <= epoch_us(CAST({sql_text(options.as_of or '')} AS TIMESTAMPTZ))"
        target = sql_text(records / "records.parquet")
        connection.execute(
            f"COPY (SELECT * EXCLUDE ({', '.join(ADDED)}) FROM {source} {until if options.as_of else ''} "
            f"QUALIFY row_number() OVER (PARTITION BY {record} ORDER BY {time} DESC, api_invocation_time DESC, "
            f"write_time DESC) = 1 AND NOT is_deleted ORDER BY {time}, {record}) TO {target} (FORMAT parquet)"
        )
    except duckdb.Error as error:
        raise DataError(f"the offline store of the feature group cannot be read: {error}") from error
    return records
