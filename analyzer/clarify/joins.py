"""Columns from elsewhere: predictions, facets or predicted labels, joined to records by position or by id."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from analyzer import QualityError
from analyzer.clarify.columns import Columns
from analyzer.clarify.datasets import Records
from analyzer.clarify.tables import concatenate
from analyzer.datasets.malformed_records import MalformedRecords


def join(
    records: Records, others: Records, names: Sequence[str], ids: tuple[str, str] | None, is_predicted: bool, what: str
) -> JoinedRecords:
    """Join columns of other records, which are kept in memory.

    Args:
        records: The records.
        others: Those that have the other columns.
        names: The columns of the others.
        ids: The columns of the record ids in both; None to join by position.
        is_predicted: Whether the only name is that of the predicted label, which mostly has the name of the label.
        what: What messages call the others.

    Raises:
        QualityError: The others cannot be read, or their ids are not unique.
    """
    table = concatenate([*others.batches([*dict.fromkeys([*names, *([ids[1]] if ids else [])])])])
    keys = None
    if ids is not None:
        keys = table.column(ids[1]).cast(pa.string()).combine_chunks()
        if pc.count_distinct(keys).as_py() < len(keys):
            raise QualityError(f"{what} has several records with the same {ids[1]}; keep one of each")
    return JoinedRecords(records, table.select([*names]), is_predicted, what, ids[0] if ids else None, keys)


class JoinedRecords:
    """Records with more columns.

    Args:
        records: The records.
        table: The other columns; one that the records have, too, replaces it.
        is_predicted: Whether the table's only column is the predicted label.
        what: What messages call the table.
        own_id: The column of the record ids; None to join by position.
        keys: The ids of the table's rows.
    """

    def __init__(
        self,
        records: Records,
        table: pa.Table,
        is_predicted: bool,
        what: str,
        own_id: str | None = None,
        keys: pa.Array | None = None,
    ) -> None:
        base = records.columns
        if is_predicted:
            name = table.column_names[0]
            while name in base.names:
                name = f"predicted_{name}"
            table = table.rename_columns([name])
        self._records, self._what = records, what
        self._table, self._own_id, self._keys = table.combine_chunks(), own_id, keys
        self.columns = Columns(
            (*base.names, *(name for name in table.column_names if name not in base.names)),
            base.label,
            table.column_names[0] if is_predicted else base.predicted_label,
            base.is_open,
        )

    @property
    def malformed(self) -> MalformedRecords:
        """The malformed records of the last pass."""
        return self._records.malformed

    def batches(self, names: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Read columns of all records, from both. Raises QualityError like `Records.batches`."""
        wanted = [*(self.columns.names if names is None else names)]
        joined = [name for name in wanted if name in self._table.column_names]
        own = [name for name in wanted if name not in joined]
        read = [*dict.fromkeys([*own, *([self._own_id] if self._own_id else [])])]
        start = 0
        # Some column is needed for the number of records.
        for batch in self._records.batches(read or [self._records.columns.names[0]]):
            rows = self._rows(batch, start)
            columns = {name: batch.column(name) for name in own}
            columns |= {name: _only_chunk(rows.column(name)) for name in joined}
            yield pa.RecordBatch.from_arrays([columns[name] for name in wanted], names=wanted)
            start += batch.num_rows
        if self._own_id is None and start != self._table.num_rows:
            raise self._unequal(str(start))

    def _rows(self, batch: pa.RecordBatch, start: int) -> pa.Table:
        if self._own_id is None:
            if start + batch.num_rows > self._table.num_rows:
                raise self._unequal(f"at least {start + batch.num_rows}")
            return self._table.slice(start, batch.num_rows)
        ids = batch.column(self._own_id)
        found = pc.index_in(ids.cast(pa.string()), value_set=self._keys)
        if found.null_count:
            row = pc.index(found.is_null(), True).as_py()
            raise QualityError(
                f"{self._what} has no record with the {self._own_id} {ids[row].as_py()!r} of record {start + row + 1}; "
                "add it"
            )
        return self._table.take(found)

    def _unequal(self, rows: str) -> QualityError:
        return QualityError(
            f"{self._what} has {self._table.num_rows} records, but the dataset has {rows}; give as many, or set "
            "joinsource_name_or_index to join them by id"
        )


def _only_chunk(column: pa.ChunkedArray) -> pa.Array:
    # Concatenating one chunk would copy it.
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
