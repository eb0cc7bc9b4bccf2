"""Operations on queries of CloudWatch Logs Insights.

A query runs when it is started, and is complete when StartQuery returns. The last ones are kept in memory: another
server does not know them, as CloudWatch forgets a query after seven days.
"""

from __future__ import annotations

import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.services.logs.events import read_events
from local_sagemaker.services.logs.groups import find_group, group_name, streams_of
from local_sagemaker.services.logs.insights.fields import fields_of
from local_sagemaker.services.logs.insights.query import Query
from local_sagemaker.storage.records import Record, RecordStore

MAX_QUERIES = 100
# of all queries together
MAX_ROWS = 50_000


@dataclass(frozen=True)
class Queries:
    """The queries of one data directory.

    Attributes:
        store: The records of the data directory.
        results: What GetQueryResults returns, and the request, by query id, the oldest first.
    """

    store: RecordStore
    results: OrderedDict[str, tuple[Record, Record]] = field(default_factory=OrderedDict)

    def drop_oldest(self) -> None:
        """Keep as many of the last queries as do not take too much memory, and at least the last one."""
        rows = 0
        for number, (query_id, (results, _)) in enumerate(reversed(list(self.results.items()))):
            rows += len(results["results"])
            if number and (number >= MAX_QUERIES or rows > MAX_ROWS):
                self.results.pop(query_id, None)


def groups_of_query(request: Record) -> list[str]:
    """Return the names of the log groups that a StartQuery request names."""
    identifiers = request.get("logGroupIdentifiers", [])
    single = [request["logGroupName"]] if "logGroupName" in request else []
    return [*single, *request.get("logGroupNames", []), *map(group_name, identifiers)]


def start_query(queries: Queries, request: Record) -> Record:
    query = Query(request["queryString"])
    start, end = 1000 * request["startTime"], 1000 * request["endTime"]
    if start > end:
        raise ServiceError("InvalidParameterException", "startTime must not be after endTime")
    names = groups_of_query(request)
    if not names:
        raise ServiceError("InvalidParameterException", "Give logGroupName, logGroupNames or logGroupIdentifiers.")
    groups = [find_group(queries.store, {"logGroupName": name}) for name in names]
    statistics = {"recordsMatched": 0, "recordsScanned": 0, "bytesScanned": 0}

    def events() -> Iterator[Record]:
        for group in groups:
            for stream, file in streams_of(queries.store.data_dir, group):
                for position, event in enumerate(read_events(file, stream)):
                    if start <= event.timestamp < end + 1000:
                        statistics["recordsScanned"] += 1
                        statistics["bytesScanned"] += len(event.message)
                        yield fields_of(group, stream, position, event.timestamp, event.message)

    results = query.run(events(), request.get("limit"))
    statistics["recordsMatched"] = len(results)
    query_id = str(uuid.uuid4())
    created = {"queryId": query_id, "status": "Complete", "createTime": int(1000 * time.time())}
    described = {**created, "queryString": request["queryString"], "logGroupName": names[0]}
    queries.results[query_id] = ({"results": results, "statistics": statistics, "status": "Complete"}, described)
    queries.drop_oldest()
    return {"queryId": query_id}


def get_query_results(queries: Queries, request: Record) -> Record:
    return _find(queries, request)[0]


def stop_query(queries: Queries, request: Record) -> Record:
    _find(queries, request)
    raise ServiceError("InvalidParameterException", "The specified query is already complete.")


def describe_queries(queries: Queries, request: Record) -> Record:
    described = [
        query
        for _, query in reversed(list(queries.results.values()))
        if request.get("logGroupName") in (None, query["logGroupName"])
        and request.get("status") in (None, query["status"])
    ]
    return {"queries": described[: request.get("maxResults", 1000)]}


def _find(queries: Queries, request: Record) -> tuple[Record, Record]:
    found = queries.results.get(request["queryId"])
    if found is None:
        raise ServiceError("ResourceNotFoundException", f"The query {request['queryId']} does not exist.")
    return found


OPERATIONS: dict[str, Callable[[Queries, Record], Record]] = {
    "StartQuery": start_query,
    "GetQueryResults": get_query_results,
    "StopQuery": stop_query,
    "DescribeQueries": describe_queries,
}
