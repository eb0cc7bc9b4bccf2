"""The online store: the latest record of each identifier, as rows of the database."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass

from local_sagemaker.services.feature_store.feature_values import Values
from local_sagemaker.storage.database import Database

# a record takes the place of an older one, and of an expired one
_IS_LATER = "(excluded.event_time > event_time OR expires <= :now)"
_IS_VISIBLE = "(expires IS NULL OR expires > :now)"
_UPSERT = (
    "INSERT INTO feature_records VALUES (:group, :record_id, :event_time, :is_deleted, :expires, :record) "
    "ON CONFLICT DO UPDATE SET event_time = excluded.event_time, is_deleted = excluded.is_deleted, "
    "expires = excluded.expires, record = excluded.record"
)


@dataclass(frozen=True)
class OnlineRecord:
    """A record of the online store.

    Attributes:
        event_time: In epoch seconds.
        values: By feature name; empty for a deleted record.
        expires: When it expires, in epoch seconds; None for never.
        is_deleted: Whether it marks the deletion of a record (SoftDelete).
    """

    event_time: float
    values: Values
    expires: float | None
    is_deleted: bool = False


class OnlineStore:
    """The online store of all feature groups. A group is named by its record's name."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, group: str, record_id: str, record: OnlineRecord) -> None:
        """Write a record unless there is one of the same or a later event time; on disk when this returns."""
        self._write(group, record_id, record, f" WHERE {_IS_LATER}")

    def replace(self, group: str, record_id: str, record: OnlineRecord) -> None:
        """Write a record, whatever there is."""
        self._write(group, record_id, record, "")

    def get(self, group: str, record_id: str) -> OnlineRecord | None:
        """Return a record, also one that marks a deletion; None if there is none or it has expired."""
        rows = self._database.read(
            "SELECT event_time, record, expires, is_deleted FROM feature_records "  # noqa: S608 - constants
            f"WHERE feature_group = :group AND record_id = :record_id AND {_IS_VISIBLE}",
            {"group": group, "record_id": record_id, "now": time.time()},
        )
        if not rows:
            return None
        event_time, text, expires, is_deleted = rows[0]
        return OnlineRecord(event_time, json.loads(text), expires, bool(is_deleted))

    def remove(self, group: str, record_id: str) -> None:
        """Remove a record."""
        with self._database.transaction() as connection:
            connection.execute(
                "DELETE FROM feature_records WHERE feature_group = ? AND record_id = ?", (group, record_id)
            )

    def remove_group(self, group: str) -> None:
        """Remove all records of a group."""
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM feature_records WHERE feature_group = ?", (group,))

    def remove_expired(self) -> None:
        """Remove the records that have expired, which nobody can see."""
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM feature_records WHERE expires <= ?", (time.time(),))

    def identifiers(self, group: str, after: str, limit: int, include_deleted: bool) -> list[str]:
        """Return identifiers in their order, beginning with the first one after `after`."""
        rows = self._database.read(
            "SELECT record_id FROM feature_records WHERE feature_group = :group AND record_id > :after "  # noqa: S608
            f"AND {_IS_VISIBLE} AND (:include_deleted OR NOT is_deleted) ORDER BY record_id LIMIT :limit",
            {
                "group": group,
                "after": after,
                "now": time.time(),
                "include_deleted": include_deleted,
                "limit": limit,
            },
        )
        return [record_id for (record_id,) in rows]

    def size(self, group: str) -> int:
        """Return the bytes that the records of a group take."""
        query = (
            "SELECT coalesce(sum(length(record_id) + length(record)), 0) FROM feature_records WHERE feature_group = ?"
        )
        return int(self._database.read(query, (group,))[0][0])

    def _write(self, group: str, record_id: str, record: OnlineRecord, condition: str) -> None:
        values = {
            "group": group,
            "record_id": record_id,
            "event_time": record.event_time,
            "is_deleted": record.is_deleted,
            "expires": record.expires,
            "record": json.dumps(record.values, separators=(",", ":")),
            "now": time.time(),
        }
        with self._database.transaction() as connection:
            connection.execute(_UPSERT + condition, values)
