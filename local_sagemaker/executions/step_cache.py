"""Step caching: results of steps that later executions of the same pipeline may reuse.

There is one record for each pipeline, step and set of cache key attributes. It holds the most recent successful result.
"""

from __future__ import annotations

import hashlib
import json
import time
from datetime import timedelta

from local_sagemaker.executions.steps.step_type import Outcome
from local_sagemaker.storage.objects import BadName, NoSuchBucket, ObjectStore
from local_sagemaker.storage.record_kinds import PIPELINE_EXECUTION, STEP_CACHE
from local_sagemaker.storage.records import DamagedRecord, Record, RecordStore
from local_sagemaker.storage.transfers import ClientFault, split_uri

KIND = STEP_CACHE


class StepCache:
    """The cached results in a record store."""

    def __init__(self, store: RecordStore, objects: ObjectStore) -> None:
        self._store = store
        self._objects = objects

    def key(self, pipeline: str, step: str, attributes: Record) -> str:
        """Return the cache key of a step.

        Args:
            pipeline: ARN of the pipeline.
            step: Name of the step.
            attributes: The resolved attributes from `StepType.cache_key`.
        """
        text = json.dumps([pipeline, step, attributes], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def find(self, key: str, expires_after: timedelta) -> Record | None:
        """Return the reusable result with its Metadata, Properties and CacheHitResult, or None on a cache miss."""
        try:
            found = self._store.get(KIND, key)
        except DamagedRecord:
            # the store has logged it; the new result replaces it
            return None
        if found is None or time.time() - found["EndTime"] > expires_after.total_seconds():
            return None
        # deleting a pipeline deletes its executions and invalidates their results
        source = found["CacheHitResult"]["SourcePipelineExecutionArn"].rpartition("/")[2]
        if self._store.get(PIPELINE_EXECUTION.kind, source) is None:
            return None
        # The service does not check whether the output objects of a hit still exist, so that later steps fail if they
        # have been deleted. On this machine, where users clean up the data directory by hand, the step runs again.
        return found if all(self._exists(bucket, key) for bucket, key in found["Objects"]) else None

    def save(self, key: str, execution_arn: str, metadata: Record, outcome: Outcome) -> None:
        """Save the result of a step that an execution has just run."""
        record = {
            "CacheHitResult": {"SourcePipelineExecutionArn": execution_arn},
            "EndTime": time.time(),
            "Metadata": metadata,
            "Properties": dict(outcome.properties),
            "Objects": [location for uri in outcome.outputs for location in self._objects_below(uri)],
        }
        self._store.put(KIND, key, record)

    def _objects_below(self, uri: str) -> list[tuple[str, str]]:
        try:
            bucket, prefix = split_uri(uri)
            return [(bucket, key) for key in self._objects.list(bucket, prefix)]
        except (ClientFault, NoSuchBucket, BadName):
            return []

    def _exists(self, bucket: str, key: str) -> bool:
        try:
            self._objects.path(bucket, key)
        except (KeyError, BadName):
            return False
        return True
