"""The engine on a cluster: Spark, whose tasks read the input files and write the splits on their instances.

Every instance has a copy of the input files, and SageMaker uploads the splits of every instance.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from functools import partial

import pyarrow as pa
from preprocessing.engine import AddedColumns, WritePart
from preprocessing.reading import InputFile, InputSchema, list_files
from preprocessing.report import DataError
from preprocessing.rows import KEYS, FileReader, Rows, as_rows, as_stored, text_columns
from pyspark import StorageLevel, TaskContext
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import from_arrow_schema, to_arrow_schema

# The number of parts depends on the rows alone, and so do the rows of each. It is a multiple of the usual numbers of
# training instances, which share the parts among them.
PARTS = 20
ROWS_PER_PART = 500_000
# Rows of a batch that is given to Python, and of a row group.
BATCH_ROWS = 65_536


class Spark:
    """The engine on a cluster."""

    def __init__(self, session: SparkSession) -> None:
        self._session = session
        self._slots = session.sparkContext.defaultParallelism
        settings: dict[str, str | int] = {
            "spark.sql.execution.arrow.maxRecordsPerBatch": BATCH_ROWS,
            # a constant to group by is a value
            "spark.sql.groupByOrdinal": "false",
            "spark.sql.shuffle.partitions": 2 * self._slots,
        }
        for name, value in settings.items():
            session.conf.set(name, value)

    def read_rows(self, options: argparse.Namespace) -> Rows:
        """Read all files, each by one task, and create the view `stored` of their rows; see `rows.read_rows`.

        A first pass finds the types of the columns, which Spark must know before the rows.
        """
        if options.record_identifier:
            raise DataError("data.feature_group needs resources.engine: single")
        files = list_files(options.input_dir)
        texts = text_columns(options)
        while True:
            readers = self._describe(files, texts, options)
            input_schema = InputSchema([reader.types for reader in readers], options.drop_columns)
            if not any(reader.types.must_read_as_text(input_schema.text_columns) for reader in readers):
                break
            texts |= {*input_schema.text_columns}
        rows = as_rows(readers, input_schema, options)
        schema = pa.schema(
            [
                *(pa.field(column.sql, column.stored_type) for column in rows.columns.values()),
                *(pa.field(key, pa.int64(), nullable=False) for key in KEYS),
            ]
        )
        sql_names = {name: f"c{index}" for index, name in enumerate(rows.types)}
        stored = self._tasks(len(files)).mapInArrow(
            partial(stored_rows, files, texts, sql_names, schema, options), from_arrow_schema(schema)
        )
        if len(files) < self._slots:
            stored = stored.repartition(self._slots, "row_key")
        stored.persist(StorageLevel.DISK_ONLY).createOrReplaceTempView("stored")
        return rows

    def add_columns(self, name: str, table: str, added: AddedColumns) -> None:
        """Create a table of the rows of another, with more columns: each task adds them to its rows."""
        stored = self._session.table(table)
        schema = pa.schema([*to_arrow_schema(stored.schema), *added.schema, ("failure", pa.string())])
        extended = stored.mapInArrow(partial(added_rows, added), from_arrow_schema(schema))
        extended.persist(StorageLevel.DISK_ONLY).createOrReplaceTempView(name)
        (found,) = self.query(f"SELECT min(failure) AS failure FROM {name}").to_pylist()
        if found["failure"]:
            raise DataError(found["failure"])
        extended.drop("failure").createOrReplaceTempView(name)

    def register(self, name: str, table: pa.Table) -> None:
        """Create a table of rows in memory."""
        self._store(name, self._tasks(1).mapInArrow(partial(given, table), from_arrow_schema(table.schema)))

    def create_table(self, name: str, query: str) -> None:
        """Create a table, which is computed once."""
        self._store(name, self._session.sql(query))

    def store_rows(self, name: str, query: str, values: int) -> None:
        """Create a table, which is computed once."""
        self.create_table(name, query)

    def create_view(self, name: str, query: str) -> None:
        """Create a view, which is computed whenever it is used."""
        self._session.sql(query).createOrReplaceTempView(name)

    def query(self, query: str) -> pa.Table:
        """Return a result that fits into the driver's memory."""
        frame = self._session.sql(query)
        return pa.Table.from_batches(frame._collect_as_arrow(), to_arrow_schema(frame.schema))

    def write_splits(self, columns: str, write: WritePart, unit: str) -> None:
        """Write columns of the view `placed`: each task a part, which is the same whenever it is written."""
        placed = self._session.sql(f"SELECT place, row_key, {columns} FROM placed")
        parts = PARTS * -(-placed.count() // (PARTS * ROWS_PER_PART))
        ordered = placed.repartition(parts, unit).sortWithinPartitions("split", "place", "row_key")
        written = ordered.drop("place", "row_key").mapInArrow(partial(write_part, write), "part int")
        written.collect()

    def _store(self, name: str, rows: DataFrame) -> None:
        rows.persist(StorageLevel.DISK_ONLY).createOrReplaceTempView(name)
        # stored at once, so that Spark knows its size: joined with a small table, the rows need not be exchanged
        rows.count()

    def _describe(self, files: list[InputFile], texts: set[str], options: argparse.Namespace) -> list[FileReader]:
        """Read all files, and return what is known of them.

        Raises:
            DataError: A file cannot be read.
        """
        readers = [FileReader(file, number, options) for number, file in enumerate(files)]
        tasks = self._session.sparkContext.parallelize(readers, len(readers))
        described = tasks.map(partial(describe, texts)).collect()
        for _, error in described:
            if error:
                raise DataError(error)
        return [reader for reader, _ in described]

    def _tasks(self, count: int) -> DataFrame:
        """Return a row for each task: its number."""
        return self._session.range(0, count, 1, count)


def describe(texts: set[str], reader: FileReader) -> tuple[FileReader, str]:
    """Read a file; an error is returned, because Spark would hide it in a stack trace."""
    try:
        for _ in reader.read(texts):
            pass
    except DataError as error:
        return reader, str(error)
    return reader, ""


def stored_rows(
    files: list[InputFile],
    texts: set[str],
    sql_names: dict[str, str],
    schema: pa.Schema,
    options: argparse.Namespace,
    tasks: Iterable[pa.RecordBatch],
) -> Iterator[pa.RecordBatch]:
    """Read the file of a task."""
    for task in tasks:
        for number in task.column(0).to_pylist():
            for position, table in FileReader(files[number], number, options).read(texts):
                stored = as_stored(table, position, sql_names, options)
                columns = [
                    stored[field.name].cast(field.type, safe=False)
                    if field.name in stored.column_names
                    else pa.chunked_array([pa.nulls(len(stored), field.type)])
                    for field in schema
                ]
                yield from pa.Table.from_arrays(columns, schema=schema).to_batches(BATCH_ROWS)


def added_rows(added: AddedColumns, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Add the columns to the rows of a task; an error is a row, because Spark would hide it in a stack trace."""
    function = added.load()
    for batch in batches:
        names = [*batch.schema.names, *added.schema.names, "failure"]
        try:
            made = added.make(function, batch)
        except DataError as error:
            first = batch.slice(0, 1)
            nothing = [pa.nulls(1, field.type) for field in added.schema]
            yield pa.RecordBatch.from_arrays([*first.columns, *nothing, pa.array([str(error)])], names=names)
            return
        yield pa.RecordBatch.from_arrays(
            [*batch.columns, *made.columns, pa.nulls(len(batch), pa.string())], names=names
        )


def given(table: pa.Table, tasks: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Return the rows of a table in the one task that there is."""
    for _ in tasks:
        yield from table.to_batches()


def write_part(write: WritePart, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Write the rows of a task; returns the number of the part."""
    context = TaskContext.get()
    assert context is not None
    part = context.partitionId()
    write(batches, f"part-{part:05}")
    yield pa.RecordBatch.from_pydict({"part": pa.array([part], pa.int32())})
