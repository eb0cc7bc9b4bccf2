"""SQL for records, which are found by columns of their table; see `record_kinds` for the members that these hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from local_sagemaker.storage.record_kinds import KINDS, RecordKind

# those with a member of the record
COLUMNS = (
    "title",
    "created",
    "modified",
    "scheduled",
    "status",
    "approval",
    "parent",
    "token",
    "endpoint",
    "job_definition",
    "monitoring_type",
)

Value = str | float
# the value of the column that records are sorted by, and the record's position in the order of creation
Place = tuple[Value, int]

# SQLite's largest integer
MOST = (1 << 63) - 1


@dataclass(frozen=True)
class Query:
    """Which records of a kind to find, and in which order.

    Attributes:
        kind: The kind.
        equal: Values of columns; a tuple stands for any of its values.
        given: Columns of members that records have.
        lacking: Columns of members that records do not have.
        between: Bounds of columns, inclusive; None for no bound.
        containing: Text that titles contain, in any case.
        prefix: Text that titles start with.
        sort: A column; records without a value are left out. By default the order of creation, which `position` is.
        descending: Whether the last comes first, also among those of equal values.
    """

    kind: str
    equal: Mapping[str, Value | tuple[Value, ...]] = field(default_factory=dict)
    given: Sequence[str] = ()
    lacking: Sequence[str] = ()
    between: Mapping[str, tuple[float | None, float | None]] = field(default_factory=dict)
    containing: str = ""
    prefix: str = ""
    sort: str = "position"
    descending: bool = False

    def select(self, after: Place | None = None, limit: int = MOST) -> tuple[str, list[Any]]:
        """Return the statement for position, sort value, name and JSON of the records after a place, and its values."""
        condition, values = self._condition()
        direction, beyond = ("DESC", "<") if self.descending else ("ASC", ">")
        if after is not None:
            condition += f" AND ({self.sort}, position) {beyond} (?, ?)"
            values += after
        order = f"{self.sort} {direction}, position {direction}"
        # the places first: sorting with the records would read and copy all of them
        return (
            f"SELECT position, value, name, record FROM (SELECT position, {self.sort} AS value FROM records "  # noqa: S608
            f"WHERE {condition} ORDER BY {order} LIMIT ?) JOIN records USING (position) "
            f"ORDER BY value {direction}, position {direction}",
            [*values, limit],
        )

    def count(self) -> tuple[str, list[Any]]:
        """Return the statement for the number of records, and its values."""
        condition, values = self._condition()
        return f"SELECT count(*) FROM records WHERE {condition}", values  # noqa: S608

    def _condition(self) -> tuple[str, list[Any]]:
        conditions = ["kind = ?"]
        values: list[Any] = [self.kind]
        for column, value in self.equal.items():
            if isinstance(value, tuple):
                conditions.append(f"{column} IN ({', '.join('?' * len(value))})")
                values += value
            else:
                conditions.append(f"{column} = ?")
                values.append(value)
        for column in (*self.given, *([] if self.sort == "position" else [self.sort])):
            conditions.append(f"{column} IS NOT NULL")
        conditions += [f"{column} IS NULL" for column in self.lacking]
        for column, (least, most) in self.between.items():
            if least is not None:
                conditions.append(f"{column} >= ?")
                values.append(_storable(least))
            if most is not None:
                conditions.append(f"{column} <= ?")
                values.append(_storable(most))
        if self.containing:
            conditions.append("instr(lower(title), ?)")
            values.append(self.containing.lower())
        if self.prefix:
            # titles compare without regard to case
            conditions.append("substr(title, 1, ?) = ? COLLATE BINARY")
            values += (len(self.prefix), self.prefix)
        return " AND ".join(conditions), values


def upsert(kind: str, name: str, record: Mapping[str, Any], text: str) -> tuple[str, list[Any]]:
    """Return the statement that writes a record, new or in the place of an old one, and its values."""
    return f"{_INSERT} ON CONFLICT (kind, name) DO UPDATE SET {_UPDATES}", row(kind, name, record, text)


def insert(kind: str, name: str, record: Mapping[str, Any], text: str) -> tuple[str, list[Any]]:
    """Return the statement that writes a record unless there is one of that name, and its values."""
    return f"{_INSERT} ON CONFLICT (kind, name) DO NOTHING", row(kind, name, record, text)


def row(kind: str, name: str, record: Mapping[str, Any], text: str) -> list[Any]:
    """Return the values of kind, name, `COLUMNS` and record."""
    values = KINDS.get(kind, RecordKind(kind)).column_values(record)
    return [kind, name, *(values.get(column) for column in COLUMNS), text]


def _storable(bound: float) -> float:
    """Return a bound within SQLite's integers, beyond which there are no times either."""
    return max(-MOST, min(bound, MOST))


_NAMES = ("kind", "name", *COLUMNS, "record")
_INSERT = f"INSERT INTO records ({', '.join(_NAMES)}) VALUES ({', '.join('?' * len(_NAMES))})"  # noqa: S608
_UPDATES = ", ".join(f"{column} = excluded.{column}" for column in (*COLUMNS, "record"))
