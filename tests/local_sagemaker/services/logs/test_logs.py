import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_sagemaker.data_dir import DataDir
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.services.logs.service import LogsService
from local_sagemaker.storage.database import Database
from local_sagemaker.storage.log_files import PROCESSING_JOBS, TRAINING_JOBS, TRANSFORM_JOBS, log_file
from local_sagemaker.storage.records import RecordStore

START = 1_763_720_000  # 2025-11-21T10:13:20Z
STREAM = f"job/algo-1-{START}"


def write(data_dir: Path, group: str, stream: str, lines: list[str]) -> None:
    file = log_file(DataDir(data_dir), group, stream)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def stamped(second: int, message: str) -> str:
    return datetime.fromtimestamp(START + second, UTC).strftime("%Y-%m-%dT%H:%M:%S.250Z ") + message


def service(data_dir: Path) -> LogsService:
    folder = DataDir(data_dir)
    return LogsService(RecordStore(folder, Database(folder.database)))


@pytest.fixture
def logs(tmp_path: Path) -> LogsService:
    write(tmp_path, TRAINING_JOBS, STREAM, [stamped(number, f"round {number}") for number in range(10)])
    return service(tmp_path)


def events(logs: LogsService, **more: Any) -> dict[str, Any]:
    request = {"logGroupName": TRAINING_JOBS, "logStreamName": STREAM, **more}
    return logs.call("GetLogEvents", request)


def rounds(answer: dict[str, Any]) -> list[int]:
    return [int(event["message"].removeprefix("round ")) for event in answer["events"]]


def error_code(logs: LogsService, operation: str, **request: Any) -> str:
    with pytest.raises(ServiceError) as raised:
        logs.call(operation, request)
    return raised.value.code


def test_an_event_is_a_line_with_its_time_in_milliseconds(logs: LogsService) -> None:
    first = events(logs, startFromHead=True)["events"][0]
    assert (first["timestamp"], first["message"]) == (START * 1000 + 250, "round 0")


def test_a_line_without_a_time_has_the_time_of_the_previous_line(tmp_path: Path) -> None:
    lines = ["at the start", stamped(5, "Traceback:"), "  File x", "", "naïve ünïcödé"]
    write(tmp_path, PROCESSING_JOBS, STREAM, lines)
    answer = service(tmp_path).call("GetLogEvents", {"logGroupName": PROCESSING_JOBS, "logStreamName": STREAM})
    assert [(event["timestamp"] - START * 1000, event["message"]) for event in answer["events"]] == [
        (0, "at the start"),
        (5250, "Traceback:"),
        (5250, "  File x"),
        (5250, ""),
        (5250, "naïve ünïcödé"),
    ]


def test_events_are_read_forward_and_backward_in_pages(logs: LogsService) -> None:
    first = events(logs, startFromHead=True, limit=4)
    second = events(logs, nextToken=first["nextForwardToken"], limit=4)
    third = events(logs, nextToken=second["nextForwardToken"], limit=4)
    assert [rounds(page) for page in (first, second, third)] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    end = events(logs, nextToken=third["nextForwardToken"], limit=4)
    # CloudWatch returns the same token at the end of a stream
    assert (end["events"], end["nextForwardToken"]) == ([], third["nextForwardToken"])
    latest = events(logs, limit=3)
    assert rounds(latest) == [7, 8, 9]
    assert rounds(events(logs, nextToken=latest["nextBackwardToken"], limit=3)) == [4, 5, 6]


def test_events_written_later_follow_the_token(logs: LogsService, tmp_path: Path) -> None:
    token = events(logs, startFromHead=True)["nextForwardToken"]
    with log_file(DataDir(tmp_path), TRAINING_JOBS, STREAM).open("a") as file:
        file.write(stamped(11, "round 11") + "\n")
    assert rounds(events(logs, nextToken=token)) == [11]


def test_a_page_holds_at_most_one_megabyte(tmp_path: Path) -> None:
    write(tmp_path, TRAINING_JOBS, STREAM, [stamped(number, "x" * 300_000) for number in range(5)])
    first = events(service(tmp_path), startFromHead=True)
    assert len(first["events"]) == 3
    assert len(events(service(tmp_path), nextToken=first["nextForwardToken"])["events"]) == 2


def test_a_time_range_includes_its_start_and_excludes_its_end(logs: LogsService) -> None:
    window = {"startTime": START * 1000 + 3250, "endTime": START * 1000 + 6250, "startFromHead": True}
    assert rounds(events(logs, **window)) == [3, 4, 5]
    first = events(logs, **window, limit=2)
    assert rounds(events(logs, **{**window, "nextToken": first["nextForwardToken"]})) == [5]


def test_streams_are_listed_by_prefix_in_order_and_in_pages(logs: LogsService, tmp_path: Path) -> None:
    for number, job in enumerate(["other", "job-2"]):
        write(tmp_path, TRAINING_JOBS, f"{job}/algo-1-{START}", [stamped(0, "x")])
        os.utime(log_file(DataDir(tmp_path), TRAINING_JOBS, f"{job}/algo-1-{START}"), (START + number, START + number))

    def listed(**more: Any) -> list[str]:
        answer = logs.call("DescribeLogStreams", {"logGroupName": TRAINING_JOBS, **more})
        return [stream["logStreamName"] for stream in answer["logStreams"]]

    assert listed(logStreamNamePrefix="job/") == [STREAM]
    assert listed(limit=2) == [f"job-2/algo-1-{START}", STREAM]
    assert listed(descending=True)[0] == f"other/algo-1-{START}"
    by_time = [STREAM, f"job-2/algo-1-{START}", f"other/algo-1-{START}"]
    assert listed(orderBy="LastEventTime", descending=True) == by_time
    page = logs.call("DescribeLogStreams", {"logGroupName": TRAINING_JOBS, "limit": 2})
    assert listed(nextToken=page["nextToken"]) == [f"other/algo-1-{START}"]


def test_filter_patterns_match_events_across_streams(logs: LogsService, tmp_path: Path) -> None:
    write(tmp_path, TRAINING_JOBS, f"other/algo-1-{START}", [stamped(2, "auc: 0.9 valid"), stamped(4, 'auc: 0.8 "x"')])

    def found(**more: Any) -> list[str]:
        answer = logs.call("FilterLogEvents", {"logGroupName": TRAINING_JOBS, **more})
        return [event["message"] for event in answer["events"]]

    assert found(filterPattern="auc:") == ["auc: 0.9 valid", 'auc: 0.8 "x"']
    assert found(filterPattern="auc: -valid") == ['auc: 0.8 "x"']
    assert found(filterPattern='"0.9 valid"') == ["auc: 0.9 valid"]
    assert found(filterPattern="?0.9 ?1") == ["round 1", "auc: 0.9 valid"]
    assert found(logStreamNamePrefix="job/", filterPattern="round 7") == ["round 7"]
    assert found(logStreamNames=[STREAM], limit=2) == ["round 0", "round 1"]
    assert found(startTime=START * 1000 + 9000) == ["round 9"]
    page = logs.call("FilterLogEvents", {"logGroupName": TRAINING_JOBS, "limit": 11})
    assert found(nextToken=page["nextToken"]) == ["round 9"]
    assert error_code(logs, "FilterLogEvents", logGroupName=TRAINING_JOBS, filterPattern="{ $.a = 1 }") == (
        "InvalidParameterException"
    )


def test_missing_groups_and_streams_and_invalid_requests_are_rejected(logs: LogsService) -> None:
    missing = {"logGroupName": TRAINING_JOBS, "logStreamName": f"../../records/algo-1-{START}"}
    assert error_code(logs, "GetLogEvents", **missing) == "ResourceNotFoundException"
    assert error_code(logs, "DescribeLogStreams", logGroupName="/aws/sagemaker/Nope") == "ResourceNotFoundException"
    assert error_code(logs, "GetLogEvents", logGroupName=TRAINING_JOBS, logStreamName=STREAM, nextToken="x") == (
        "InvalidParameterException"
    )
    assert error_code(logs, "PutLogEvents", logGroupName=TRAINING_JOBS, logStreamName=STREAM, logEvents=[]) == (
        "InvalidParameterException"
    )


def test_groups_are_listed_by_prefix_and_in_pages(logs: LogsService) -> None:
    first = logs.call("DescribeLogGroups", {"logGroupNamePrefix": "/aws/sagemaker/", "limit": 2})
    assert [group["logGroupName"] for group in first["logGroups"]] == [PROCESSING_JOBS, TRAINING_JOBS]
    second = logs.call("DescribeLogGroups", {"nextToken": first["nextToken"]})
    assert [group["logGroupName"] for group in second["logGroups"]] == [TRANSFORM_JOBS]
    assert "nextToken" not in second


def test_the_end_of_a_filters_time_range_is_included(logs: LogsService) -> None:
    window = {"startTime": START * 1000 + 3250, "endTime": START * 1000 + 4250}
    assert rounds(logs.call("FilterLogEvents", {"logGroupName": TRAINING_JOBS, **window})) == [3, 4]


def test_a_null_member_is_an_absent_one(logs: LogsService) -> None:
    nulls = dict.fromkeys(("endTime", "startTime", "limit", "filterPattern", "logStreamNames", "logGroupIdentifier"))
    found = logs.call("FilterLogEvents", {"logGroupName": TRAINING_JOBS, **nulls, "logStreamNamePrefix": "job"})
    assert rounds(found) == list(range(10))


@pytest.mark.parametrize(
    ("operation", "options", "words"),
    [
        ("FilterLogEvents", {"startFromHead": False}, "does not implement startFromHead False; use True"),
        ("DescribeLogGroups", {"logGroupNamePattern": "Jobs"}, "does not implement logGroupNamePattern; remove it"),
        ("FilterLogEvents", {"logStreamNames": [STREAM], "logStreamNamePrefix": "job"}, "mutually exclusive"),
        ("DescribeLogStreams", {"orderBy": "LastEventTime", "logStreamNamePrefix": "job"}, "Cannot order by"),
        ("GetLogEvents", {"logStreamName": STREAM, "logGroupIdentifier": TRAINING_JOBS}, "and not both"),
    ],
)
def test_options_that_are_not_implemented_or_contradictory_are_refused(
    logs: LogsService, operation: str, options: dict[str, Any], words: str
) -> None:
    group = {} if operation == "DescribeLogGroups" else {"logGroupName": TRAINING_JOBS}
    with pytest.raises(ServiceError, match=f"InvalidParameterException: .*{words}"):
        logs.call(operation, {**group, **options})


def test_boto3_reads_log_groups_of_jobs_and_moto_keeps_all_others(client: Callable[..., Any], data_dir: Path) -> None:
    write(data_dir, PROCESSING_JOBS, f"boto/algo-1-{START}", [stamped(1, "hello")])
    logs = client("logs")
    [stream] = logs.describe_log_streams(logGroupName=PROCESSING_JOBS, logStreamNamePrefix="boto/")["logStreams"]
    pages = logs.get_paginator("filter_log_events").paginate(
        logGroupName=PROCESSING_JOBS, logStreamNames=[stream["logStreamName"]]
    )
    assert [event["message"] for page in pages for event in page["events"]] == ["hello"]
    groups = [group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]]
    assert {PROCESSING_JOBS, TRAINING_JOBS} <= set(groups)
    logs.create_log_group(logGroupName="/my/own")
    logs.create_log_stream(logGroupName="/my/own", logStreamName="a")
    assert logs.describe_log_streams(logGroupName="/my/own")["logStreams"][0]["logStreamName"] == "a"
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        logs.get_log_events(logGroupName=PROCESSING_JOBS, logStreamName="nope")
    # moto ignores it
    with pytest.raises(ClientError, match="does not implement logGroupNamePattern"):
        logs.describe_log_groups(logGroupNamePattern="own")


def test_the_retention_of_a_group_is_shown_until_it_is_deleted(logs: LogsService) -> None:
    group = {"logGroupName": TRAINING_JOBS}
    logs.call("PutRetentionPolicy", {**group, "retentionInDays": 14})
    described = logs.call("DescribeLogGroups", {"logGroupNamePrefix": TRAINING_JOBS})["logGroups"]
    assert [group["retentionInDays"] for group in described] == [14]
    logs.call("DeleteRetentionPolicy", group)
    assert (
        "retentionInDays" not in logs.call("DescribeLogGroups", {"logGroupNamePrefix": TRAINING_JOBS})["logGroups"][0]
    )
    assert error_code(logs, "PutRetentionPolicy", **group, retentionInDays=2) == "InvalidParameterException"


def test_a_group_of_an_endpoint_may_be_created_before_the_endpoint_and_is_deleted_with_its_streams(
    logs: LogsService, tmp_path: Path
) -> None:
    group = "/aws/sagemaker/Endpoints/churn"
    logs.call("CreateLogGroup", {"logGroupName": group})
    assert error_code(logs, "CreateLogGroup", logGroupName=group) == "ResourceAlreadyExistsException"
    assert error_code(logs, "CreateLogGroup", logGroupName=TRAINING_JOBS) == "ResourceAlreadyExistsException"
    outside = "/aws/sagemaker/Endpoints/../../outside"
    assert error_code(logs, "CreateLogGroup", logGroupName=outside) == "InvalidParameterException"
    write(tmp_path, group, "AllTraffic/i-1", [stamped(0, "ready")])
    logs.call("DeleteLogGroup", {"logGroupName": group})
    assert error_code(logs, "DescribeLogStreams", logGroupName=group) == "ResourceNotFoundException"


def test_a_stream_is_deleted(logs: LogsService) -> None:
    logs.call("DeleteLogStream", {"logGroupName": TRAINING_JOBS, "logStreamName": STREAM})
    assert logs.call("DescribeLogStreams", {"logGroupName": TRAINING_JOBS})["logStreams"] == []
