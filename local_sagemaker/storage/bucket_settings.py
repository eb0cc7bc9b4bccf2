"""Settings of buckets, such as their tags and whether they keep versions, in a table of the database.

All of them are in memory, so that a write of an object can look at its bucket's settings at no cost.
"""

from __future__ import annotations

import json
import threading
from typing import Any

from local_sagemaker.storage.database import Database

# the members of a setting's document, or the text of a policy
Document = Any


class BucketSettings:
    """The settings of the buckets of one data directory, by bucket and name; thread-safe."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._documents: dict[str, dict[str, str]] = {}
        for bucket, name, document in database.read("SELECT bucket, name, document FROM bucket_settings"):
            self._documents.setdefault(bucket, {})[name] = document

    def get(self, bucket: str, name: str, default: Document = None) -> Document:
        """Return a setting, the default if it has never been put; None if it has been removed."""
        text = self._documents.get(bucket, {}).get(name)
        return default if text is None else json.loads(text)

    def put(self, bucket: str, name: str, document: Document) -> None:
        """Write a setting, or remove it with None; it is on disk when this returns."""
        text = json.dumps(document)
        with self._lock:
            with self._database.transaction() as connection:
                connection.execute("INSERT OR REPLACE INTO bucket_settings VALUES (?, ?, ?)", (bucket, name, text))
            self._documents[bucket] = {**self._documents.get(bucket, {}), name: text}

    def delete_bucket(self, bucket: str) -> None:
        """Remove all settings of a bucket."""
        with self._lock:
            if bucket in self._documents:
                with self._database.transaction() as connection:
                    connection.execute("DELETE FROM bucket_settings WHERE bucket = ?", (bucket,))
                del self._documents[bucket]
