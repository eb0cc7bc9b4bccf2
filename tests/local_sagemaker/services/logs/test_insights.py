"""Queries of CloudWatch Logs Insights, on the log of a training job."""

import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.services.logs import queries
from local_sagemaker.services.logs.insights.fields import fields_of
from local_sagemaker.services.logs.insights.query import Query
from local_sagemaker.services.logs.service import LogsService
from local_sagemaker.storage.log_files import TRAINING_JOBS
from tests.local_sagemaker.conftest import MakeClient
from tests.local_sagemaker.services.logs.test_logs import START, STREAM, service, stamped, write

LINES = [
    "[10] train auc: 0.71, valid auc: 0.70",
    "[20] train auc: 0.81, valid auc: 0.79",
    "WARNING no further splits",
    '{"level": "error", "job": {"rows": 12, "name": "churn"}}',
    '{"level": "info", "job": {"rows": 30, "name": "churn"}}',
    "REPORT RequestId: r-1\tDuration: 12.50 ms\tBilled Duration: 13 ms\tMemory Size: 128 MB\tMax Memory Used: 40 MB",
]


def rows(query: str, lines: list[str] = LINES) -> list[dict[str, str]]:
    events = [fields_of("group", "stream", n, 1000 * (START + 60 * n), line) for n, line in enumerate(lines)]
    return [
        {item["field"]: item["value"] for item in row if item["field"] != "@ptr"} for row in Query(query).run(events)
    ]


def test_events_are_newest_first_with_their_time_and_message() -> None:
    assert rows("fields @timestamp, @message | limit 1") == [
        {"@timestamp": "2025-11-21 10:18:20.000", "@message": LINES[-1]}
    ]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("@message like /warning/i", [2]),
        ("@message like 'auc'", [1, 0]),
        ("@message not like 'auc' and not (ispresent(level) or @type = 'REPORT')", [2]),
        ("level = 'error'", [3]),
        ("level in ['info', \"debug\"]", [4]),
        ("job.rows > 12", [4]),
        ("job.rows >= 12 and job.name = 'churn'", [4, 3]),
        ("job.rows * 2 - 4 = 20", [3]),
        ("@duration < 13", [5]),
        ("strlen(@message) < 30", [2]),
        ("tolower(@message) =~ /^warning/", [2]),
        ("@message like /(?i)(ERROR|warning)/", [3, 2]),
        ("@message like 'REPORT' and @duration / 2 < 7 and @duration / 2 > 6", [5]),
        ("missing != 'x' and strcontains(@message, 'splits')", [2]),
    ],
)
def test_filter_keeps_the_events_of_a_condition(condition: str, expected: list[int]) -> None:
    found = rows(f"fields @message | filter {condition}")
    assert [LINES.index(row["@message"]) for row in found] == expected


def test_parse_extracts_fields_with_wildcards_and_with_named_groups() -> None:
    wildcards = "parse @message '[*] train auc: *, valid' as round, auc | filter ispresent(auc) | sort round"
    assert rows(f"{wildcards} | display round, auc") == [{"round": "10", "auc": "0.71"}, {"round": "20", "auc": "0.81"}]
    groups = "parse @message /valid auc: (?<valid>[0-9.]+)/ | filter valid > 0.75 | display valid"
    assert rows(groups) == [{"valid": "0.79"}]


def test_parse_takes_the_named_groups_of_a_regular_expression_only() -> None:
    query = "parse @message /(train|valid) auc: (?<train>[0-9.]+), (valid) auc: (?<valid>[0-9.]+)/"
    found = rows(f"{query} | filter ispresent(train) | sort train | display train, valid | limit 1")
    assert found == [{"train": "0.71", "valid": "0.70"}]


def test_commands_may_begin_on_lines_of_their_own() -> None:
    query = """# of the warnings
        fields @message
        | filter
            @message like "WARNING"
        | limit 1"""
    assert rows(query) == [{"@message": LINES[2]}]


def test_times_are_shown_as_such_by_any_name() -> None:
    expected = {"hour": "2025-11-21 10:00:00.000", "first": "2025-11-21 10:13:20.000"}
    assert rows("stats earliest(@timestamp) as first by bin(1h) as hour") == [expected]


def test_values_that_are_not_numbers_are_shown_as_they_are() -> None:
    shown = rows("fields loss, gain | sort loss", ['{"loss": NaN, "gain": 1e400}', '{"loss": 1}'])
    assert shown == [{"loss": "1"}, {"loss": "nan", "gain": "inf"}]


def test_stats_aggregates_by_group() -> None:
    query = (
        "stats count(*) as events, sum(job.rows) as total, max(job.rows), pct(job.rows, 50) by job.name | sort events"
    )
    assert rows(query) == [
        {"job.name": "churn", "events": "2", "total": "42", "max(job.rows)": "30", "pct(job.rows, 50)": "12"},
        {"events": "4"},
    ]
    by_time = "stats count(*) by bin(5m) as period | sort period"
    assert [row["count(*)"] for row in rows(by_time)] == ["2", "4"]
    assert rows("stats count() by bin(1h)") == [{"bin(1h)": "2025-11-21 10:00:00.000", "count()": "6"}]
    assert rows("filter @message like 'nothing' | stats count(*) as events") == [{"events": "0"}]


def test_dedup_keeps_the_first_row_of_each_value() -> None:
    assert [row["job.rows"] for row in rows("filter ispresent(level) | fields job.rows | dedup job.name")] == ["30"]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("", "the query is empty"),
        ("unmask @message", "does not implement the command unmask; use fields"),
        ("fields md5(@message)", "does not implement the function md5"),
        ("stats mode(x)", "does not implement the function mode of stats"),
        ("filter @message like /(/", "is not a regular expression"),
        ("filter level =", "unexpected 'end'"),
        ("limit ten", "limit must be from 1 to 10000"),
        ("fields strlen()", "function strlen: missing a required argument"),
        ("stats pct(job.rows, 101)", "a percentile is from 0 to 100"),
        ("parse @message /auc: ([0-9.]+)/", "has no named groups"),
        (f"fields {'(' * 2000}1{')' * 2000}", "too many nested expressions"),
        (f"fields 1{' + 1' * 2000}", "too many nested expressions"),
        ("parse @message 'a * b *' as one", "2 wildcard(s) and 1 name(s)"),
    ],
)
def test_what_is_malformed_or_not_implemented_is_refused_by_name(query: str, words: str) -> None:
    with pytest.raises(ServiceError) as raised:
        rows(query)
    assert raised.value.code == "MalformedQueryException"
    assert words in raised.value.message


@given(st.lists(st.integers(0, 3), max_size=20), st.integers(1, 5))
def test_counts_by_group_add_up_to_all_events(values: list[int], limit: int) -> None:
    lines = [f'{{"value": {value}}}' for value in values]
    counts = {row["value"]: int(row["n"]) for row in rows("stats count(*) as n by value", lines)}
    assert counts == {str(value): values.count(value) for value in values}
    assert len(rows(f"fields @message | limit {limit}", lines)) == min(limit, len(values))


def start(logs: LogsService, query: str, **more: Any) -> str:
    request = {"logGroupName": TRAINING_JOBS, "startTime": START, "endTime": START + 60, "queryString": query, **more}
    return str(logs.call("StartQuery", request)["queryId"])


def test_a_query_reads_the_events_of_its_groups_and_times(tmp_path: Path) -> None:
    write(tmp_path, TRAINING_JOBS, STREAM, [stamped(second, f"round {second}") for second in (0, 30, 60, 61)])
    logs = service(tmp_path)
    query_id = start(logs, "fields @message, @log, @logStream | sort @timestamp")
    answer = logs.call("GetQueryResults", {"queryId": query_id})
    assert (answer["status"], answer["statistics"]["recordsMatched"]) == ("Complete", 3)
    assert {"field": "@log", "value": f"123456789012:{TRAINING_JOBS}"} in answer["results"][0]
    assert [row[0]["value"] for row in answer["results"]] == ["round 0", "round 30", "round 60"]
    assert [query["queryId"] for query in logs.call("DescribeQueries", {})["queries"]] == [query_id]
    with pytest.raises(ServiceError, match="does not exist"):
        logs.call("GetQueryResults", {"queryId": "none"})


def test_only_the_last_queries_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "MAX_ROWS", 5)
    write(tmp_path, TRAINING_JOBS, STREAM, [stamped(second, "round") for second in range(4)])
    logs = service(tmp_path)
    ids = [start(logs, query) for query in ("fields @message", "limit 1", "limit 3")]
    assert [query["queryId"] for query in logs.call("DescribeQueries", {})["queries"]] == ids[:0:-1]


def test_the_same_language_queries_log_groups_of_clients(client: MakeClient) -> None:
    logs = client("logs")
    logs.create_log_group(logGroupName="/own/insights")
    logs.create_log_stream(logGroupName="/own/insights", logStreamName="s")
    now = int(time.time())
    events = [{"timestamp": 1000 * now, "message": message} for message in ("keep 1", "drop", "keep 2")]
    logs.put_log_events(logGroupName="/own/insights", logStreamName="s", logEvents=events)
    query = logs.start_query(
        logGroupName="/own/insights",
        startTime=now - 60,
        endTime=now + 60,
        queryString="filter @message like /keep/ | stats count(*) as n",
    )
    assert logs.get_query_results(queryId=query["queryId"])["results"] == [[{"field": "n", "value": "2"}]]
