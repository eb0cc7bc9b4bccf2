"""A compacted journal makes the same state as the whole one."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.test import Client

from local_sagemaker.services.moto.compaction import obsolete
from local_sagemaker.services.moto.journal import send, signature

Entry = dict[str, Any]

TARGETS = {
    "monitoring": "GraniteServiceVersion20100801",
    "events": "AWSEvents",
    "ssm": "AmazonSSM",
}
RESOURCES = {
    "Parameter": {"Type": "AWS::SSM::Parameter", "Properties": {"Name": "a", "Type": "String", "Value": "stack"}},
    "Rule": {"Type": "AWS::Events::Rule", "Properties": {"Name": "a", "EventPattern": {"source": ["stack"]}}},
}


def json_entry(service: str, operation: str, **members: Any) -> Entry:
    headers = {"X-Amz-Target": f"{TARGETS[service]}.{operation}", "Content-Type": "application/x-amz-json-1.1"}
    return entry(service, operation, "POST", "/", headers, json.dumps(members))


def entry(service: str, operation: str, method: str, path: str, headers: Entry, body: str, seed: int = 1) -> Entry:
    encoded = base64.b64encode(body.encode()).decode()
    common = {"seed": seed, "region": "us-east-1", "service": service, "operation": operation, "body": encoded}
    return {**common, "method": method, "path": path, "headers": headers}


def schedule(method: str, name: str, rate: int) -> Entry:
    target = {"Arn": "arn:aws:lambda:us-east-1:123456789012:function:f", "RoleArn": "arn:aws:iam::123456789012:role/r"}
    members = {
        "ScheduleExpression": f"rate({rate} days)",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": target,
        "GroupName": "default",
    }
    path, body = f"/schedules/{name}", "" if method == "DELETE" else json.dumps(members)
    return entry("scheduler", f"{method} {path}", method, path, {"Content-Type": "application/json"}, body)


def stack(action: str, name: str) -> Entry:
    members = {"Action": action, "StackName": name}
    if action == "CreateStack":
        members["TemplateBody"] = json.dumps({"Resources": RESOURCES})
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return entry("cloudformation", action, "POST", "/", headers, urlencode(members))


def alarm(name: str, threshold: int, **more: Any) -> Entry:
    return json_entry(
        "monitoring",
        "PutMetricAlarm",
        AlarmName=name,
        Namespace="n",
        MetricName="m",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=threshold,
        ComparisonOperator="GreaterThanThreshold",
        **more,
    )


def rule(name: str, source: int) -> Entry:
    return json_entry("events", "PutRule", Name=name, EventPattern=json.dumps({"source": [str(source)]}))


def targets(name: str, ids: list[str], path: int) -> Entry:
    items = [{"Id": each, "Arn": "arn:aws:sqs:us-east-1:123456789012:q", "InputPath": f"$.p{path}"} for each in ids]
    return json_entry("events", "PutTargets", Rule=name, Targets=items)


def parameter(name: str, value: int) -> Entry:
    return json_entry("ssm", "PutParameter", Name=name, Value=str(value), Type="String", Overwrite=True)


names, numbers = st.sampled_from("ab"), st.integers(1, 3)
ids = st.sampled_from([["1"], ["2"], ["1", "2"]])
entries = st.one_of(
    st.builds(alarm, names, numbers),
    st.builds(lambda given: json_entry("monitoring", "DeleteAlarms", AlarmNames=given), st.lists(names, min_size=1)),
    st.builds(lambda name: alarm(name, 1, Tags=[{"Key": "k", "Value": "v"}]), names),
    st.builds(lambda name: json_entry("monitoring", "DisableAlarmActions", AlarmNames=[name]), names),
    st.builds(rule, names, numbers),
    st.builds(targets, names, ids, numbers),
    st.builds(lambda name, given: json_entry("events", "RemoveTargets", Rule=name, Ids=given), names, ids),
    st.builds(lambda name: json_entry("events", "DisableRule", Name=name), names),
    st.builds(lambda name: json_entry("events", "DeleteRule", Name=name), names),
    st.builds(schedule, st.sampled_from(["POST", "PUT", "DELETE"]), names, numbers),
    st.builds(parameter, names, numbers),
    st.builds(lambda name: json_entry("ssm", "DeleteParameter", Name=name), names),
    st.builds(stack, st.sampled_from(["CreateStack", "DeleteStack"]), names),
)


@pytest.fixture(scope="module")
def moto() -> Client:
    return Client(DomainDispatcherApplication(create_backend_app))


def replayed(moto: Client, journal: list[tuple[int, Entry]]) -> list[int]:
    """Replay a journal on an empty moto; return the numbers of the entries that have succeeded."""
    moto.post("/moto-api/reset")
    return [number for number, item in journal if send(moto, item).status_code < 400]


def state(moto: Client) -> Any:
    def call(service: str, operation: str, **members: Any) -> Any:
        response = send(moto, json_entry(service, operation, **members))
        assert response.status_code == 200, response.get_data()
        return json.loads(response.get_data())

    found = call("events", "ListRules")["Rules"]
    parameters = call("ssm", "DescribeParameters")["Parameters"]
    schedules = json.loads(moto.get("/schedules", headers=signature("scheduler")).get_data())["Schedules"]
    return without_times(
        [
            call("monitoring", "DescribeAlarms")["MetricAlarms"],
            found,
            [call("events", "ListTargetsByRule", Rule=item["Name"])["Targets"] for item in sorted_by_name(found)],
            [
                call("ssm", "GetParameterHistory", Name=item["Name"])["Parameters"]
                for item in sorted_by_name(parameters)
            ],
            [
                json.loads(moto.get(f"/schedules/{item['Name']}", headers=signature("scheduler")).get_data())
                for item in schedules
            ],
        ]
    )


def sorted_by_name(items: list[Any]) -> list[Any]:
    return sorted(items, key=lambda item: item["Name"])


def without_times(value: Any) -> Any:
    """Leave out what depends on the time of the replay, and the order of lists."""
    if isinstance(value, dict):
        return {key: without_times(item) for key, item in value.items() if not key.endswith(("Timestamp", "Date"))}
    if isinstance(value, list):
        return sorted((without_times(item) for item in value), key=json.dumps)
    return value


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(entries, max_size=25))
def test_a_replay_without_obsolete_entries_makes_the_same_state(moto: Client, requests: list[Entry]) -> None:
    journal = [(number, {**item, "seed": number}) for number, item in enumerate(requests)]
    # the journal keeps requests that have succeeded
    succeeded = set(replayed(moto, journal))
    journal = [item for item in journal if item[0] in succeeded]
    assert replayed(moto, journal) == [number for number, _ in journal]
    expected = state(moto)
    removed = obsolete(journal)
    kept = [item for item in journal if item[0] not in removed]
    assert replayed(moto, kept) == [number for number, _ in kept]
    assert state(moto) == expected
    assert obsolete(kept) == set()


def test_repeated_and_deleted_resources_leave_as_few_entries_as_they_need() -> None:
    rounds = [
        *(alarm("a", number) for number in range(1, 100)),
        *(item for number in range(100) for item in (rule("a", number), targets("a", ["1"], number))),
        *(
            item
            for _ in range(100)
            for item in (schedule("POST", "a", 1), schedule("PUT", "a", 2), schedule("DELETE", "a", 1))
        ),
        *(
            schedule(method, "b", number)
            for number in range(1, 50)
            for method in (["POST"] if number == 1 else ["PUT"])
        ),
        *(item for _ in range(100) for item in (parameter("a", 1), json_entry("ssm", "DeleteParameter", Name="a"))),
    ]
    journal = list(enumerate(rounds))
    removed = obsolete(journal)
    kept = [item["operation"] for number, item in journal if number not in removed]
    assert kept == ["PutMetricAlarm", "PutRule", "PutTargets", "POST /schedules/b", "PUT /schedules/b"]


def test_nothing_is_left_out_across_an_entry_that_may_read_it() -> None:
    for barrier in (stack("CreateStack", "s"), json_entry("monitoring", "PutDashboard", DashboardName="d")):
        journal = list(enumerate([alarm("a", 1), barrier, alarm("a", 2)]))
        assert obsolete(journal) == set()
    # an entry whose body is not readable is one of those
    damaged = {**alarm("a", 1), "body": base64.b64encode(b"\xa1\xff").decode()}
    assert obsolete(list(enumerate([alarm("a", 1), damaged, alarm("a", 2)]))) == set()
