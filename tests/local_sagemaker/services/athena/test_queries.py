"""Query executions: their states, results and refusals, with a Glue of one database in memory."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.services.athena.queries import WORKERS, Queries
from local_sagemaker.services.athena.service import AthenaService
from local_sagemaker.storage.record_kinds import ATHENA_QUERY
from local_sagemaker.storage.records import Record
from tests.local_sagemaker.machine import Machine

CREATE = """CREATE EXTERNAL TABLE people (name STRING, age INT, paid DECIMAL(10, 2))
    ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.OpenCSVSerde'
    WITH SERDEPROPERTIES ("separatorChar" = ",", "quoteChar" = "`", "escapeChar" = "\\\\")
    LOCATION 's3://bucket/people';"""


class Athena:
    """Athena of a machine, whose tables are in the database `shop`."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.tables: dict[str, Record] = {}
        self.queries = Queries(machine.store, machine.objects, machine.app.feature_store, self._glue)
        self.service = AthenaService(self.queries)

    def _glue(self, operation: str, request: Record) -> Record:
        if operation == "GetDatabases":
            return {"DatabaseList": [{"Name": "shop"}]}
        if operation == "GetTables":
            return {"TableList": list(self.tables.values())}
        if operation == "CreateTable":
            self.tables[request["TableInput"]["Name"]] = request["TableInput"]
            return {}
        raise ServiceError("EntityNotFoundException", f"Table {request['Name']} not found.")

    def start(self, query: str, **more: Any) -> str:
        request = {
            "QueryString": query,
            "QueryExecutionContext": {"Database": "shop"},
            "ResultConfiguration": {"OutputLocation": "s3://bucket/results/"},
            **more,
        }
        return str(self.service.call("StartQueryExecution", request)["QueryExecutionId"])

    def run(self, query: str) -> Record:
        """Run a query to its end; its execution."""
        query_id = self.start(query)
        self.queries.wait(query_id, 30)
        execution: Record = self.service.call("GetQueryExecution", {"QueryExecutionId": query_id})["QueryExecution"]
        return execution


@pytest.fixture
def athena(machine: Machine) -> Iterator[Athena]:
    made = Athena(machine)
    yield made
    made.queries.close()


def test_a_table_of_csv_is_created_and_queried_and_its_result_is_read_in_pages(athena: Athena) -> None:
    athena.machine.put("s3://bucket/people/a.csv", "Ann,31,1.50\nBo,,2.25\n")
    assert athena.run(CREATE)["Status"]["State"] == "SUCCEEDED"
    execution = athena.run("SELECT name, age FROM people ORDER BY paid")
    assert execution["Status"]["State"] == "SUCCEEDED", execution["Status"]
    query_id = execution["QueryExecutionId"]
    assert execution["ResultConfiguration"]["OutputLocation"] == f"s3://bucket/results/{query_id}.csv"
    assert athena.machine.read(f"s3://bucket/results/{query_id}.csv") == '"name","age"\n"Ann","31"\n"Bo",\n'
    first = athena.service.call("GetQueryResults", {"QueryExecutionId": query_id, "MaxResults": 2})
    second = athena.service.call("GetQueryResults", {"QueryExecutionId": query_id, "NextToken": first["NextToken"]})
    rows = [row["Data"] for page in (first, second) for row in page["ResultSet"]["Rows"]]
    assert rows == [
        [{"VarCharValue": "name"}, {"VarCharValue": "age"}],
        [{"VarCharValue": "Ann"}, {"VarCharValue": "31"}],
        [{"VarCharValue": "Bo"}, {}],
    ]
    columns = first["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]
    assert [(column["Name"], column["Type"]) for column in columns] == [("name", "varchar"), ("age", "integer")]
    assert query_id in athena.service.call("ListQueryExecutions", {})["QueryExecutionIds"]


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("INSERT INTO people VALUES ('x')", "does not implement INSERT INTO; it has SELECT, CREATE EXTERNAL TABLE"),
        ("SHOW TABLES", "does not implement SHOW TABLES"),
        ("CREATE EXTERNAL TABLE t (a STRING) STORED AS ORC LOCATION 's3://bucket/t'", "not of ORC"),
        ("CREATE EXTERNAL TABLE t (a MAP<INT,INT>) STORED AS PARQUET LOCATION 's3://bucket/t'", "the type MAP"),
        ("DROP TABLE absent", "Table absent not found"),
    ],
)
def test_statements_that_are_not_implemented_fail_with_their_names(athena: Athena, query: str, reason: str) -> None:
    status = athena.run(query)["Status"]
    assert status["State"] == "FAILED"
    assert reason in status["StateChangeReason"]


def test_dropping_an_absent_table_may_be_tolerated(athena: Athena) -> None:
    assert athena.run("DROP TABLE IF EXISTS shop.absent")["Status"]["State"] == "SUCCEEDED"


def test_a_query_needs_a_place_for_its_result(athena: Athena) -> None:
    with pytest.raises(ServiceError, match="No output location provided"):
        athena.start("SELECT 1", ResultConfiguration={})
    with pytest.raises(ServiceError, match="the output bucket absent does not exist"):
        athena.start("SELECT 1", ResultConfiguration={"OutputLocation": "s3://absent/x"})


def test_a_query_needs_no_table_and_reads_only_those_that_it_names(athena: Athena) -> None:
    athena.tables["e"] = {"Name": "e", "StorageDescriptor": {"SerdeInfo": {"SerializationLibrary": "orc"}}}
    execution = athena.run("SELECT 1 AS one")
    assert execution["Status"]["State"] == "SUCCEEDED", execution["Status"]
    with pytest.raises(ServiceError, match="is not from an earlier response"):
        request = {"QueryExecutionId": execution["QueryExecutionId"], "NextToken": "-1"}
        athena.service.call("GetQueryResults", request)


def test_a_query_that_is_cancelled_in_the_queue_does_not_run(athena: Athena, monkeypatch: pytest.MonkeyPatch) -> None:
    executed: list[str] = []
    go_on = threading.Event()

    def execute(queries: Queries, record: Record) -> list[Record]:
        executed.append(record["QueryExecutionId"])
        go_on.wait(30)
        return []

    monkeypatch.setattr(Queries, "_execute", execute)
    *running, queued = (athena.start("SELECT 1") for _ in range(WORKERS + 1))
    athena.service.call("StopQueryExecution", {"QueryExecutionId": queued})
    go_on.set()
    for query_id in (*running, queued):
        athena.queries.wait(query_id, 30)
    assert sorted(executed) == sorted(running)
    assert athena.queries.get(queued)["Status"]["State"] == "CANCELLED"


def test_queries_of_an_earlier_server_have_failed(athena: Athena) -> None:
    status = {"State": "RUNNING", "SubmissionDateTime": 1.0}
    record = {"QueryExecutionId": "q", "Query": "SELECT 1", "Status": status, "WorkGroup": "primary"}
    athena.machine.store.put(ATHENA_QUERY, "q", record)
    athena.queries.recover()
    execution = athena.service.call("GetQueryExecution", {"QueryExecutionId": "q"})["QueryExecution"]
    assert (execution["Status"]["State"], execution["Query"]) == ("FAILED", "SELECT 1")
    athena.service.call("StopQueryExecution", {"QueryExecutionId": "q"})
    with pytest.raises(ServiceError, match="Final query state: FAILED"):
        athena.service.call("GetQueryResults", {"QueryExecutionId": "q"})
