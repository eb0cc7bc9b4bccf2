"""Athena: queries of tables in Glue on DuckDB. Work groups, named queries and catalogs are moto's."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from werkzeug.wrappers import Request, Response

from local_sagemaker.protocol import aws_json
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.protocol.options import Members, Options
from local_sagemaker.protocol.paging import page_of_query
from local_sagemaker.protocol.service import NotImplementedHere
from local_sagemaker.protocol.shapes import operation_model, shaped
from local_sagemaker.services.athena.queries import Queries
from local_sagemaker.storage.objects import BadName, NoSuchBucket
from local_sagemaker.storage.record_kinds import ATHENA_QUERY
from local_sagemaker.storage.record_query import Query
from local_sagemaker.storage.records import Record
from local_sagemaker.storage.transfers import ClientFault, split_uri

OPTIONS = Options(
    "athena",
    {
        "StartQueryExecutionInput": Members(
            "QueryExecutionContext ResultConfiguration WorkGroup", refused="ExecutionParameters EngineConfiguration"
        ),
        "QueryExecutionContext": Members("Database", only={"Catalog": ("AwsDataCatalog", "awsdatacatalog")}),
        "ResultConfiguration": Members("OutputLocation"),
        "GetQueryResultsInput": Members("NextToken MaxResults", only={"QueryResultType": ("DATA_ROWS",)}),
        "ListQueryExecutionsInput": Members("NextToken MaxResults WorkGroup"),
    },
    {
        "the caller owns the bucket": "ExpectedBucketOwner AclConfiguration",
        "files are not encrypted": "EncryptionConfiguration",
        "a query runs each time": "ResultReuseConfiguration ClientRequestToken",
        "there are no managed results": "QueryResultsS3AccessGrantsConfiguration",
    },
)
MAX_ROWS = 1000
WAIT_SECONDS = 2
# operations on executions that moto would answer without knowing them
REFUSED = ("BatchGetQueryExecution", "GetQueryRuntimeStatistics")
_FIELD = re.compile(r'(?:"((?:[^"]|"")*)")?([,\n])')
_TYPES = {"VARCHAR": "varchar", "INTEGER": "integer", "TIMESTAMP WITH TIME ZONE": "timestamp with time zone"}


class AthenaService:
    """The Athena of one data directory."""

    def __init__(self, queries: Queries) -> None:
        self._queries = queries

    def respond(self, request: Request) -> Response:
        """Answer an HTTP request; raises NotImplementedHere for what is moto's."""
        operation, members = aws_json.read_request(request)
        if operation in REFUSED:
            raise ServiceError("InvalidRequestException", f"{operation} is not supported by the local Athena")
        if operation not in OPERATIONS:
            raise NotImplementedHere(operation)
        return aws_json.write_response(self.call(operation, members))

    def call(self, operation: str, request: Record) -> Record:
        """Answer an operation, e.g. `call("StartQueryExecution", {...})`.

        Raises:
            ServiceError: Athena's error.
        """
        members = OPTIONS.checked(operation, request, "InvalidRequestException")
        return shaped(operation_model("athena", operation).output_shape, OPERATIONS[operation](self._queries, members))


def start_query_execution(queries: Queries, request: Record) -> Record:
    location = request.get("ResultConfiguration", {}).get("OutputLocation")
    if location is None:
        raise ServiceError(
            "InvalidRequestException",
            "No output location provided. An output location is required as an API input (ResultConfiguration); the "
            "local Athena does not read those of work groups.",
        )
    try:
        bucket, _ = split_uri(location)
        if not queries.objects.has_bucket(bucket):
            raise ClientFault(f"the output bucket {bucket} does not exist")
    except ClientFault as fault:
        raise ServiceError("InvalidRequestException", str(fault)) from fault
    return {"QueryExecutionId": queries.start(request, location)}


def get_query_execution(queries: Queries, request: Record) -> Record:
    # most queries end meanwhile, and clients that poll every few seconds need not
    queries.wait(request["QueryExecutionId"], WAIT_SECONDS)
    return {"QueryExecution": queries.get(request["QueryExecutionId"])}


def stop_query_execution(queries: Queries, request: Record) -> Record:
    queries.get(request["QueryExecutionId"])
    queries.stop(request["QueryExecutionId"])
    return {}


def list_query_executions(queries: Queries, request: Record) -> Record:
    query = Query(ATHENA_QUERY, sort="created")
    found, next_token = page_of_query(queries.store, query, request, size=50)
    group = request.get("WorkGroup", "primary")
    return {
        "QueryExecutionIds": [record["QueryExecutionId"] for record in found if record["WorkGroup"] == group],
        **next_token,
    }


def get_query_results(queries: Queries, request: Record) -> Record:
    record = queries.get(request["QueryExecutionId"])
    state = record["Status"]["State"]
    if state != "SUCCEEDED":
        raise ServiceError("InvalidRequestException", f"Query did not finish successfully. Final query state: {state}")
    columns = record.get("Columns", [])
    try:
        content = queries.objects.read(*split_uri(record["ResultConfiguration"]["OutputLocation"])).decode()
    except (KeyError, NoSuchBucket, BadName) as error:
        raise ServiceError("InvalidRequestException", f"the result of the query has been deleted: {error}") from error
    token, size = request.get("NextToken", "0"), request.get("MaxResults", MAX_ROWS)
    if not re.fullmatch("[0-9]{1,12}", token):
        raise ServiceError("InvalidRequestException", f"the NextToken {token[:100]!r} is not from an earlier response")
    start = int(token)
    rows = list(_rows(content))
    next_token = {"NextToken": str(start + size)} if start + size < len(rows) else {}
    return {
        "ResultSet": {
            "Rows": rows[start : start + size],
            "ResultSetMetadata": {"ColumnInfo": [_column_info(column) for column in columns]},
        },
        **next_token,
    }


OPERATIONS: dict[str, Callable[[Queries, Record], Record]] = {
    "StartQueryExecution": start_query_execution,
    "GetQueryExecution": get_query_execution,
    "GetQueryResults": get_query_results,
    "StopQueryExecution": stop_query_execution,
    "ListQueryExecutions": list_query_executions,
}


def _rows(content: str) -> Iterator[Record]:
    """Yield the rows of a result, the names of the columns first; null is a datum without a value."""
    data: list[Record] = []
    for match in _FIELD.finditer(content):
        text, end = match.groups()
        data.append({} if text is None else {"VarCharValue": text.replace('""', '"')})
        if end == "\n":
            yield {"Data": data}
            data = []


def _column_info(column: Record) -> Record:
    name, kind = column["name"], column["type"]
    return {
        "CatalogName": "hive",
        "SchemaName": "",
        "TableName": "",
        "Name": name,
        "Label": name,
        "Type": _TYPES.get(kind, kind.lower()),
        "Nullable": "UNKNOWN",
        "CaseSensitive": kind == "VARCHAR",
    }
