"""Query executions: each is a record, and while it runs a process with DuckDB, so that the server does not grow."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path

from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.protocol.service import Call
from local_sagemaker.services.athena import ddl
from local_sagemaker.services.athena.tables import UnsupportedTable, tables_of_query
from local_sagemaker.services.feature_store.store import FeatureStore
from local_sagemaker.storage.database import DatabaseClosed
from local_sagemaker.storage.objects import ObjectStore
from local_sagemaker.storage.record_kinds import ATHENA_QUERY
from local_sagemaker.storage.record_query import Query
from local_sagemaker.storage.records import Record, RecordStore
from local_sagemaker.storage.transfers import ClientFault, put_file

log = logging.getLogger(__name__)

PROGRAM = Path(__file__).with_name("query_program.py")
# how many queries run at once; the others are QUEUED
WORKERS = 2
QUERY_TIMEOUT = 30 * 60


class Queries:
    """The query executions of one data directory."""

    def __init__(self, store: RecordStore, objects: ObjectStore, feature_store: FeatureStore, glue: Call) -> None:
        self.store = store
        self.objects = objects
        self._feature_store = feature_store
        self._glue = glue
        self._lock = threading.Lock()
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._running: dict[str, Future[None]] = {}
        self._workers = ThreadPoolExecutor(WORKERS, thread_name_prefix="athena")

    def recover(self) -> None:
        """Fail the queries that an earlier server did not finish."""
        for record in self.store.find(Query(ATHENA_QUERY, equal={"status": ("QUEUED", "RUNNING")})):
            self._end(record["QueryExecutionId"], "FAILED", "the server ended while the query ran; start it again")

    def close(self) -> None:
        """End the queries that run."""
        self._workers.shutdown(wait=False, cancel_futures=True)
        with self._lock:
            for process in self._processes.values():
                process.kill()

    def start(self, request: Record, location: str) -> str:
        """Start a query, and return the id of its execution.

        Args:
            request: A StartQueryExecution request.
            location: The S3 URI of the folder for its result.
        """
        query_id = str(uuid.uuid4())
        is_ddl = not ddl.is_query(request["QueryString"])
        record = {
            "QueryExecutionId": query_id,
            "Query": request["QueryString"],
            "StatementType": "DDL" if is_ddl else "DML",
            "QueryExecutionContext": request.get("QueryExecutionContext", {}),
            "ResultConfiguration": {
                **request.get("ResultConfiguration", {}),
                "OutputLocation": f"{location.rstrip('/')}/{query_id}.{'txt' if is_ddl else 'csv'}",
            },
            "WorkGroup": request.get("WorkGroup", "primary"),
            "Status": {"State": "QUEUED", "SubmissionDateTime": time.time()},
        }
        self.store.put(ATHENA_QUERY, query_id, record)
        running = self._running[query_id] = self._workers.submit(self._run, query_id)
        running.add_done_callback(lambda _: self._running.pop(query_id, None))
        return query_id

    def wait(self, query_id: str, seconds: float) -> None:
        """Wait for the end of a query, but not longer than some seconds."""
        if (running := self._running.get(query_id)) is not None:
            wait([running], seconds)

    def get(self, query_id: str) -> Record:
        """Return the record of a query. Raises ServiceError if there is none."""
        record = self.store.get(ATHENA_QUERY, query_id)
        if record is None:
            raise ServiceError("InvalidRequestException", f"QueryExecution {query_id} was not found")
        return record

    def stop(self, query_id: str) -> None:
        """Cancel a query unless it has ended."""
        self._end(query_id, "CANCELLED", "Query cancelled by user")
        with self._lock:
            if (process := self._processes.get(query_id)) is not None:
                process.kill()

    def _run(self, query_id: str) -> None:
        try:
            self._set_state(query_id, "RUNNING")
            record = self.get(query_id)
            if record["Status"]["State"] == "CANCELLED":
                return
            columns = self._execute(record)
        except DatabaseClosed:
            return
        except (UnsupportedTable, ClientFault, ServiceError, OSError, subprocess.SubprocessError) as error:
            self._end(query_id, "FAILED", str(error))
        except Exception as error:
            log.exception("internal error in query %s", query_id)
            self._end(query_id, "FAILED", f"internal error: {error!r}")
        else:
            self._end(query_id, "SUCCEEDED", columns=columns)

    def _execute(self, record: Record) -> list[Record]:
        """Run a query to its end, write its result to S3, and return the columns."""
        query, database = record["Query"], record["QueryExecutionContext"].get("Database", "default")
        location = record["ResultConfiguration"]["OutputLocation"]
        with tempfile.TemporaryDirectory() as folder:
            result = Path(folder) / "result"
            if record["StatementType"] == "DDL":
                ddl.execute(self._glue, query, database)
                result.touch()
                columns: list[Record] = []
            else:
                # what AWS may take minutes for: records are in their tables as soon as they are put
                self._feature_store.offline.flush()
                task = {
                    "query": query,
                    "database": database,
                    "tables": list(tables_of_query(self._glue, self.objects, query)),
                    "folder": str(self.store.data_dir.objects.resolve()),
                    "result": str(result),
                }
                columns = self._run_program(record["QueryExecutionId"], Path(folder), task)
            put_file(self.objects, result, location)
        return columns

    def _run_program(self, query_id: str, folder: Path, task: Record) -> list[Record]:
        """Run a query in its process, and return the columns. Raises UnsupportedTable with DuckDB's error."""
        file = folder / "task.json"
        file.write_text(json.dumps(task), encoding="utf-8")
        process = subprocess.Popen(
            [sys.executable, "-I", str(PROGRAM), str(file)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=folder
        )
        with self._lock:
            self._processes[query_id] = process
        try:
            output, errors = process.communicate(timeout=QUERY_TIMEOUT)
        finally:
            process.kill()
            with self._lock:
                del self._processes[query_id]
        if process.returncode:
            raise OSError(f"{PROGRAM.name} ended with {process.returncode}: {errors.decode(errors='replace')[-1000:]}")
        answer = json.loads(output)
        if "error" in answer:
            raise UnsupportedTable(answer["error"])
        return list(answer["columns"])

    def _set_state(self, query_id: str, state: str, **more: object) -> None:
        with self.store.transaction():
            record = self.get(query_id)
            if record["Status"]["State"] in ("QUEUED", "RUNNING"):
                status = record["Status"] | {"State": state} | {key: value for key, value in more.items() if value}
                self.store.update(ATHENA_QUERY, query_id, Status=status)

    def _end(self, query_id: str, state: str, reason: str = "", columns: list[Record] | None = None) -> None:
        if columns is not None:
            self.store.update(ATHENA_QUERY, query_id, Columns=columns)
        self._set_state(query_id, state, StateChangeReason=reason, CompletionDateTime=time.time())
