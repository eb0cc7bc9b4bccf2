"""Endpoints in service: routing, updates, serverless endpoints, failures, data capture, metrics."""

from __future__ import annotations

import base64
import itertools
import json
import os
import re
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_sagemaker.endpoints.data_capture import CapturedInvocation, DataCaptureConfig, capture_line
from local_sagemaker.endpoints.metrics import InvocationMetrics, MetricSource
from local_sagemaker.endpoints.traffic_shifting import (
    DeploymentPlan,
    DeploymentRolledBack,
    TrafficShift,
    deployment_plan,
    shift_traffic,
)
from tests.local_sagemaker.machine import Machine, Record
from tests.local_sagemaker.models import (
    ECHO,
    Answer,
    create_config,
    create_endpoint,
    create_model,
    describe,
    invoke,
    post,
    settled,
    update_endpoint,
    variant,
)
from tests.local_sagemaker.steps import until

SERVERLESS = {"MemorySizeInMB": 2048, "MaxConcurrency": 2}
CAPTURE = {
    "InitialSamplingPercentage": 100,
    "DestinationS3Uri": "s3://bucket/captured",
    "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
    "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"], "JsonContentTypes": ["application/json"]},
}


def up(machine: Machine, program: str = ECHO, name: str = "echo", **more: Any) -> None:
    """Create an endpoint with one variant that runs a program."""
    create_model(machine, name, program)
    create_config(machine, name, variant(name, **more.pop("variant", {})), **more)
    description = create_endpoint(machine, name)
    assert description["EndpointStatus"] == "InService", description


@contextmanager
def load(machine: Machine, clients: int = 4) -> Iterator[list[Answer]]:
    """Run clients that send requests in sequence; the list holds all responses once the context ends."""
    stop, answers = threading.Event(), []

    def ask() -> None:
        while not stop.is_set():
            answers.append(invoke(machine))

    with ThreadPoolExecutor(clients) as pool:
        for _ in range(clients):
            pool.submit(ask)
        try:
            yield answers
        finally:
            stop.set()


def models_of(answers: list[Answer]) -> Counter[str]:
    return Counter(answer.json["model"] for answer in answers)


# invocations


def test_an_invocation_returns_the_models_response(machine: Machine) -> None:
    up(machine)
    answer = invoke(machine, "1,2", Accept="application/x-own")
    assert (answer.status, answer.variant, answer.headers["Content-Type"]) == (200, "AllTraffic", "application/x-own")
    assert answer.json["body"] == "1,2"


def test_custom_attributes_and_inference_id_are_passed_to_the_model_and_attributes_back(machine: Machine) -> None:
    program = """
def model_fn(model_dir): pass
def transform_fn(model, body, content_type, accept, context):
    headers = context.get_all_request_header(0)
    context.set_response_header(0, "X-Amzn-SageMaker-Custom-Attributes", "seen")
    names = ("X-Amzn-SageMaker-Custom-Attributes", "X-Amzn-SageMaker-Inference-Id", "Authorization")
    return ",".join(str(context.get_request_header(0, name)) for name in names)
"""
    up(machine, program)
    answer = invoke(machine, CustomAttributes="trace=7", InferenceId="id-1", Authorization="secret")
    assert answer.body == b"trace=7,id-1,None"
    assert answer.headers["X-Amzn-SageMaker-Custom-Attributes"] == "seen"


def test_an_error_of_the_model_is_a_model_error_with_its_status_and_message(machine: Machine) -> None:
    program = """
class Refused(Exception):
    status_code, message = 422, "row 1: too old"
def model_fn(model_dir): pass
def transform_fn(model, body, content_type, accept):
    raise Refused if body == "mine" else ValueError("broken")
"""
    up(machine, program)
    mine, other = invoke(machine, "mine"), invoke(machine, "yours")
    assert (mine.status, mine.error, mine.json["OriginalStatusCode"]) == (424, "ModelError", 422)
    assert mine.json["OriginalMessage"] == "row 1: too old"
    assert mine.json["Message"].startswith('Received client error (422) from primary with message "row 1: too old"')
    assert "/aws/sagemaker/Endpoints/endpoint" in mine.json["Message"]
    assert (other.error, other.json["OriginalStatusCode"]) == ("ModelError", 500)
    assert other.json["Message"].startswith("Received server error (500) from primary")


def test_invalid_invocations_are_rejected(machine: Machine) -> None:
    up(machine)
    for path, header, words in (
        ("other/invocations", "", "Endpoint other of account 123456789012 not found."),
        ("endpoint/invocations-response-stream", "", "ResponseStream is not supported"),
        ("endpoint/async-invocations", "", "InvokeEndpointAsync is not supported"),
        ("a.b/invocations", "", "endpointName"),
        ("endpoint/invocations", "Target-Model", "does not implement TargetModel; remove it"),
        ("endpoint/invocations", "Prefix-Aware-Id", "does not implement PrefixAwareId; remove it"),
        ("endpoint/invocations", "Target-Variant", "Variant a not found; the endpoint's variants: AllTraffic."),
    ):
        headers = {f"X-Amzn-SageMaker-{header}": "a"} if header else {}
        answer = post(machine, f"/endpoints/{path}", "x", headers)
        assert (answer.status, answer.error) == (400, "ValidationError"), path
        assert words in answer.json["Message"]
    assert invoke(machine, InferenceId="x" * 65).error == "ValidationError"
    assert post(machine, "/endpoints/endpoint/other").status == 404


def test_a_body_that_is_too_large_is_rejected(machine: Machine) -> None:
    up(machine, ECHO.replace('"body": text', '"body": text * (content_type == "echo")'))
    assert invoke(machine, b"x" * (6 << 20)).status == 200
    answered = invoke(machine, b"x" * (6 << 20), ContentType="echo")
    assert (answered.error, "bytes; the maximum is 6291456" in answered.json["Message"]) == ("ModelError", True)
    refused = invoke(machine, b"x" * ((6 << 20) + 1))
    assert (refused.status, refused.error) == (400, "ValidationError")
    assert "less than or equal to 6291456" in refused.json["Message"]


# variants


def test_variants_are_chosen_by_weight_or_by_target_variant(machine: Machine) -> None:
    variants = [variant(create_model(machine, name), name, weight) for name, weight in (("A", 3), ("B", 1), ("C", 0))]
    create_endpoint(machine, create_config(machine, "many", *variants))
    counts = Counter(invoke(machine).variant for _ in range(200))
    # within five standard deviations
    assert counts["C"] == 0 and 115 < counts["A"] < 185
    answer = invoke(machine, TargetVariant="C")
    assert (answer.variant, answer.json["model"]) == ("C", "C")


def test_changed_weights_survive_a_restart(machine: Machine) -> None:
    variants = [variant(create_model(machine, name), name) for name in ("A", "B")]
    create_endpoint(machine, create_config(machine, "two", *variants))
    desired = [{"VariantName": "A", "DesiredWeight": 0.0}, {"VariantName": "B", "DesiredInstanceCount": 3}]
    request = {"EndpointName": "endpoint", "DesiredWeightsAndCapacities": desired}
    machine.service.call("UpdateEndpointWeightsAndCapacities", request)
    shown = {variant["VariantName"]: variant for variant in settled(machine)["ProductionVariants"]}
    assert (shown["A"]["CurrentWeight"], shown["B"]["CurrentInstanceCount"]) == (0, 3)
    assert {invoke(machine).variant for _ in range(20)} == {"B"}
    again = reopened(machine)
    assert {invoke(again).variant for _ in range(20)} == {"B"}
    again.endpoint_manager.close()


# failures


def test_a_model_that_does_not_load_fails_the_endpoint_with_sagemakers_message(machine: Machine) -> None:
    create_model(machine, "broken", "def model_fn(model_dir): raise ValueError('no weights in it')")
    description = create_endpoint(machine, create_config(machine, "broken", variant("broken")))
    assert description["EndpointStatus"] == "Failed"
    assert description["FailureReason"].startswith(
        "The primary container for production variant AllTraffic did not pass the ping health check. "
    )
    assert "ValueError: no weights in it" in description["FailureReason"]
    assert invoke(machine).json["Message"] == "Endpoint endpoint of account 123456789012 not found."
    machine.service.call("DeleteEndpoint", {"EndpointName": "endpoint"})
    until(lambda: not machine.store.all("endpoint"))


def test_a_killed_model_fails_its_requests_and_is_restarted(machine: Machine) -> None:
    up(machine)
    before = invoke(machine).json["pid"]
    with load(machine) as answers:
        until(lambda: len(answers) > 20)
        os.kill(before, signal.SIGKILL)
        seen = len(answers)
        until(lambda: len(answers) > seen + 100)
    failed = [answer for answer in answers if answer.status != 200]
    # at most one per client
    assert len(failed) <= 4
    assert {answer.error for answer in failed} <= {"ModelError"}
    assert all("killed by SIGKILL" in answer.json["Message"] for answer in failed)
    assert invoke(machine).json["pid"] != before


def test_a_model_that_cannot_restart_is_unavailable_with_the_reason(machine: Machine) -> None:
    program = f"""
import os
flag = "{machine.data_dir}/flag"
if os.path.exists(flag):
    raise RuntimeError("only once")
open(flag, "w").close()
{ECHO}"""
    up(machine, program)
    os.kill(invoke(machine).json["pid"], signal.SIGKILL)
    until(lambda: invoke(machine).status == 503)
    answer = invoke(machine)
    assert (answer.status, answer.error) == (503, "ServiceUnavailable")
    assert "RuntimeError: only once" in answer.json["Message"]
    (machine.data_dir / "flag").unlink()
    until(lambda: invoke(machine).status == 200)


def test_a_model_that_times_out_is_reported_and_replaced(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    up(machine, ECHO.replace("text =", "import time; time.sleep(60 if body == 'slow' else 0); text ="))
    monkeypatch.setattr("local_sagemaker.endpoints.invocations.INVOCATION_TIMEOUT", 0.3)
    answer = invoke(machine, "slow")
    assert (answer.error, answer.json["OriginalStatusCode"]) == ("ModelError", 0)
    assert "Your invocation timed out while waiting for a response" in answer.json["Message"]
    monkeypatch.undo()
    assert invoke(machine).status == 200


# updates


def test_an_update_under_load_fails_no_request(machine: Machine) -> None:
    up(machine, name="old")
    create_config(machine, "new", variant(create_model(machine, "new")))
    with load(machine) as answers:
        until(lambda: len(answers) > 20)
        update_endpoint(machine, "new")
        assert settled(machine)["EndpointConfigName"] == "new"
        seen = len(answers)
        until(lambda: len(answers) > seen + 20)
    assert {answer.status for answer in answers} == {200}
    models = [answer.json["model"] for answer in answers]
    assert (models[0], models[-1]) == ("old", "new")
    until(lambda: not psutil.pid_exists(answers[0].json["pid"]))


def test_an_in_flight_request_is_answered_by_the_old_model(machine: Machine) -> None:
    up(machine, ECHO.replace("text =", "import time; time.sleep(1 if body == 'slow' else 0); text ="), "old")
    create_config(machine, "new", variant(create_model(machine, "new")))
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(invoke, machine, "slow")
        time.sleep(0.1)
        update_endpoint(machine, "new")
        settled(machine)
        assert invoke(machine).json["model"] == "new"
        assert slow.result().json["model"] == "old"


def test_a_failed_update_is_rolled_back(machine: Machine) -> None:
    up(machine, name="old")
    create_model(machine, "broken", "raise ValueError('no')")
    update_endpoint(machine, create_config(machine, "broken", variant("broken")))
    with pytest.raises(Exception, match="Cannot update in-progress endpoint"):
        update_endpoint(machine, "old")
    description = settled(machine)
    assert (description["EndpointStatus"], description["EndpointConfigName"]) == ("InService", "old")
    assert "ping health check" in description["FailureReason"]
    assert invoke(machine).json["model"] == "old"


def test_an_update_with_an_internal_error_is_rolled_back(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    up(machine, name="old")
    with_old = folders(machine)
    create_config(machine, "new", variant(create_model(machine, "new")))
    monkeypatch.delattr("local_sagemaker.endpoints.manager.deployment_plan")
    update_endpoint(machine, "new")
    description = settled(machine)
    assert (description["EndpointStatus"], description["EndpointConfigName"]) == ("InService", "old")
    assert description["FailureReason"].startswith("InternalServerError: NameError")
    assert models_of([invoke(machine) for _ in range(20)]) == {"old": 20}
    until(lambda: folders(machine) == with_old)


def guarded(type: str, wait: int, **sizes: Any) -> Record:
    routing = {"Type": type, "WaitIntervalInSeconds": wait, **sizes}
    return {
        "BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": routing},
        "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "errors"}]},
    }


CANARY = guarded("CANARY", 1, CanarySize={"Type": "CAPACITY_PERCENT", "Value": 30})


def test_a_canary_gets_its_share_of_the_traffic_and_then_all(machine: Machine) -> None:
    up(machine, name="old")
    create_config(machine, "new", variant(create_model(machine, "new")))
    update_endpoint(machine, "new", DeploymentConfig=CANARY)
    assert describe(machine)["PendingDeploymentSummary"]["EndpointConfigName"] == "new"
    until(lambda: invoke(machine).json["model"] == "new")
    models = models_of([invoke(machine) for _ in range(100)])
    assert models["old"] and models["new"]
    description = settled(machine)
    assert (description["EndpointConfigName"], description["LastDeploymentConfig"]) == ("new", CANARY)
    assert "PendingDeploymentSummary" not in description
    assert models_of([invoke(machine) for _ in range(20)]) == {"new": 20}


def test_an_alarm_during_the_canary_rolls_back(machine: Machine) -> None:
    machine.alarms = {"errors": "OK"}
    up(machine, name="old")
    create_config(machine, "new", variant(create_model(machine, "new")))
    update_endpoint(machine, "new", DeploymentConfig=CANARY)
    until(lambda: invoke(machine).json["model"] == "new")
    machine.alarms["errors"] = "ALARM"
    description = settled(machine)
    assert (description["EndpointStatus"], description["EndpointConfigName"]) == ("InService", "old")
    assert "errors" in description["FailureReason"]
    assert models_of([invoke(machine) for _ in range(20)]) == {"old": 20}


@pytest.mark.parametrize(
    ("config", "shifts"),
    [
        (None, [(1, 0)]),
        (guarded("ALL_AT_ONCE", 60), [(1, 60)]),
        (guarded("CANARY", 60, CanarySize={"Type": "INSTANCE_COUNT", "Value": 1}), [(0.25, 60), (1, 0)]),
        (
            guarded("LINEAR", 60, LinearStepSize={"Type": "CAPACITY_PERCENT", "Value": 40}),
            [(0.4, 60), (0.8, 60), (1, 0)],
        ),
        (
            {
                "RollingUpdatePolicy": {
                    "MaximumBatchSize": {"Type": "INSTANCE_COUNT", "Value": 2},
                    "WaitIntervalInSeconds": 5,
                }
            },
            [(0.5, 5), (1, 5)],
        ),
    ],
)
def test_a_deployment_config_becomes_a_plan_of_traffic_shifts(
    config: Record | None, shifts: list[tuple[float, float]]
) -> None:
    plan = deployment_plan(config, instances=4)
    assert [(shift.share, shift.wait) for shift in plan.shifts] == shifts
    assert plan.alarms == (("errors",) if config and "BlueGreenUpdatePolicy" in config else ())


def test_a_deployment_that_takes_too_long_is_rolled_back() -> None:
    shares: list[float] = []
    plan = DeploymentPlan((TrafficShift(0.1, 60), TrafficShift(1, 0)), timeout=0.1)
    with pytest.raises(DeploymentRolledBack, match=r"longer than 0\.1 seconds"):
        shift_traffic(plan, shares.append, lambda names: {}, threading.Event())
    assert shares == [0.1]


@given(st.integers(1, 100), st.integers(1, 20), st.sampled_from(["CAPACITY_PERCENT", "INSTANCE_COUNT"]))
def test_linear_shifts_are_even_and_end_with_all_traffic(value: int, instances: int, type: str) -> None:
    plan = deployment_plan(guarded("LINEAR", 1, LinearStepSize={"Type": type, "Value": value}), instances)
    shares = [0.0, *(shift.share for shift in plan.shifts)]
    step = min(1, value / (100 if type == "CAPACITY_PERCENT" else instances))
    assert shares[-1] == 1
    assert all(0 < after - before <= step + 1e-9 for before, after in itertools.pairwise(shares))


# serverless


def serverless(machine: Machine, program: str = ECHO, idle: float = 0.3, **more: int) -> None:
    machine.rebuild(idle_seconds=idle)
    up(machine, program, variant={"ServerlessConfig": {**SERVERLESS, **more}})


def folders(machine: Machine) -> int:
    return len(list((machine.data_dir / "endpoints").glob("*/*")))


def test_a_serverless_endpoint_starts_on_request_and_stops_when_idle(machine: Machine) -> None:
    serverless(machine)
    assert folders(machine) == 0
    first = invoke(machine)
    assert first.status == 200 and folders(machine) > 0
    until(lambda: folders(machine) == 0)
    assert not psutil.pid_exists(first.json["pid"])
    assert invoke(machine).json["pid"] != first.json["pid"]


def test_provisioned_concurrency_keeps_a_container_running(machine: Machine) -> None:
    serverless(machine, idle=0.1, ProvisionedConcurrency=1)
    pid = invoke(machine).json["pid"]
    time.sleep(0.4)
    assert invoke(machine).json["pid"] == pid


def test_requests_beyond_max_concurrency_are_throttled(machine: Machine) -> None:
    serverless(machine, ECHO.replace("text =", "import time; time.sleep(0.5); text ="))
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: invoke(machine), range(4)))
    assert sorted(answer.status for answer in answers) == [200, 200, 429, 429]
    assert {answer.error for answer in answers} == {"", "ThrottlingException"}


def test_serverless_endpoints_have_a_lower_body_limit(machine: Machine) -> None:
    serverless(machine)
    assert "less than or equal to 4194304" in invoke(machine, b"x" * ((4 << 20) + 1)).json["Message"]


# data capture


def events(machine: Machine) -> list[Record]:
    """Flush and return the captured events."""
    machine.endpoint_manager.data_capture.close()
    return [
        json.loads(line)
        for key in machine.keys("captured/")
        for line in machine.read(f"s3://bucket/{key}").split("\n")[:-1]
    ]


def test_captured_data_equals_request_and_response(machine: Machine) -> None:
    up(machine, DataCaptureConfig=CAPTURE)
    answers = [invoke(machine, f"{n},ü", InferenceId=f"id-{n}", CustomAttributes="a=1") for n in range(3)]
    invoke(machine, b"[1]", ContentType="application/json; charset=utf-8")
    invoke(machine, b"abc", ContentType="image/png", Accept="image/png")
    *csv, json_event, other = events(machine)
    for number, (event, answer) in enumerate(zip(csv, answers, strict=True)):
        assert event["captureData"] == {
            "endpointInput": {
                "observedContentType": "text/csv",
                "mode": "INPUT",
                "data": f"{number},ü",
                "encoding": "CSV",
            },
            "endpointOutput": {
                "observedContentType": "application/json",
                "mode": "OUTPUT",
                "data": answer.body.decode(),
                "encoding": "JSON",
            },
        }
        metadata = event["eventMetadata"]
        assert (metadata["inferenceId"], metadata["customAttributes"]) == (f"id-{number}", ["a=1"])
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", metadata["inferenceTime"])
        assert event["eventVersion"] == "0"
    assert len({event["eventMetadata"]["eventId"] for event in csv}) == 3
    assert json_event["captureData"]["endpointInput"]["encoding"] == "JSON"
    assert "inferenceId" not in json_event["eventMetadata"]
    image = other["captureData"]["endpointInput"]
    assert (image["encoding"], base64.b64decode(image["data"])) == ("BASE64", b"abc")


def test_captured_requests_are_written_promptly_by_variant_and_hour(machine: Machine) -> None:
    up(machine, DataCaptureConfig=CAPTURE)
    begun = time.monotonic()
    invoke(machine)
    until(lambda: machine.keys("captured/"))
    assert time.monotonic() - begun < 2
    hour = time.strftime("%Y/%m/%d/%H", time.gmtime())
    pattern = rf"captured/endpoint/AllTraffic/{hour}/\d\d-\d\d-\d\d\d-[0-9a-f-]{{36}}\.jsonl"
    assert re.fullmatch(pattern, machine.keys("captured/")[0])


def test_a_failed_write_of_captured_data_fails_no_request(machine: Machine) -> None:
    up(machine, DataCaptureConfig={**CAPTURE, "DestinationS3Uri": "s3://no-such-bucket/x"})
    assert invoke(machine).status == 200
    assert events(machine) == []


def test_requests_that_failed_are_not_captured(machine: Machine) -> None:
    up(machine, "def model_fn(d): pass\ndef transform_fn(m, b, c, a): raise ValueError", DataCaptureConfig=CAPTURE)
    assert invoke(machine).status == 424
    assert events(machine) == []


@pytest.mark.parametrize(
    ("modes", "shown"),
    [
        (["Input"], {"endpointInput"}),
        (["Output"], {"endpointOutput"}),
        (["InputAndOutput"], {"endpointInput", "endpointOutput"}),
        (["Output", "Input"], {"endpointInput", "endpointOutput"}),
    ],
)
def test_capture_options_select_what_is_captured(modes: list[str], shown: set[str]) -> None:
    config = DataCaptureConfig.from_endpoint_config(
        {**CAPTURE, "CaptureOptions": [{"CaptureMode": mode} for mode in modes]}
    )
    assert config is not None
    event = CapturedInvocation("e", "v", (b"1", "text/csv"), (b"2", "text/csv"), None, None, 0)
    assert json.loads(capture_line(config, event))["captureData"].keys() == shown


@given(st.binary(max_size=200), st.sampled_from(["text/csv", "application/json", "application/x-npy", ""]))
def test_a_captured_body_can_be_decoded(body: bytes, content_type: str) -> None:
    config = DataCaptureConfig.from_endpoint_config(CAPTURE)
    assert config is not None
    line = capture_line(config, CapturedInvocation("e", "v", (body, content_type), (b"", ""), None, None, 0))
    data = json.loads(line)["captureData"]["endpointInput"]
    assert (base64.b64decode(data["data"]) if data["encoding"] == "BASE64" else data["data"].encode()) == body
    assert "\n" not in line
    assert data["encoding"] in {"text/csv": ("CSV", "BASE64"), "application/json": ("JSON", "BASE64")}.get(
        content_type, ("BASE64",)
    )


@pytest.mark.parametrize(("percentage", "least", "most"), [(0, 0, 0), (100, 2000, 2000), (50, 880, 1120)])
def test_the_sampling_percentage_is_honoured(percentage: int, least: int, most: int) -> None:
    config = DataCaptureConfig.from_endpoint_config({**CAPTURE, "InitialSamplingPercentage": percentage})
    assert config is not None
    assert least <= sum(config.is_sampled() for _ in range(2000)) <= most


def test_nothing_is_captured_if_capture_is_disabled() -> None:
    assert DataCaptureConfig.from_endpoint_config(None) is None
    assert DataCaptureConfig.from_endpoint_config({**CAPTURE, "EnableCapture": False}) is None


# metrics

SOURCE = MetricSource("e", "v", "c")


def test_metrics_count_requests_by_status() -> None:
    put: list[tuple[str, list[Record]]] = []
    metrics = InvocationMetrics(lambda namespace, data: put.append((namespace, data)))
    for status in (200, 200, 422, 500):
        metrics.add(SOURCE, status, model_seconds=0.002, overhead_seconds=0.001)
    metrics.flush()
    metrics.close()
    [(namespace, data)] = put
    assert namespace == "AWS/SageMaker"
    by_name = {datum["MetricName"]: datum for datum in data if len(datum["Dimensions"]) == 2}
    assert by_name["Invocations"]["StatisticValues"] == {"Sum": 4, "SampleCount": 4, "Minimum": 1, "Maximum": 1}
    assert by_name["Invocation4XXErrors"]["StatisticValues"]["Sum"] == 1
    assert by_name["Invocation5XXErrors"]["StatisticValues"]["Sum"] == 1
    assert by_name["ModelLatency"]["Values"] == pytest.approx([2000] * 4)
    assert by_name["OverheadLatency"]["Unit"] == "Microseconds"
    assert by_name["Invocations"]["Dimensions"] == [
        {"Name": "EndpointName", "Value": "e"},
        {"Name": "VariantName", "Value": "v"},
    ]


def test_metrics_tell_the_configurations_of_an_endpoint_apart() -> None:
    put: list[Record] = []
    metrics = InvocationMetrics(lambda namespace, data: put.extend(data))
    for config_name in ("blue", "green", "green"):
        metrics.add(MetricSource("e", "v", config_name), 200, model_seconds=0.002, overhead_seconds=0.001)
    metrics.flush()
    metrics.close()
    counted = {
        datum["Dimensions"][2]["Value"]: datum["StatisticValues"]["Sum"]
        for datum in put
        if datum["MetricName"] == "Invocations" and len(datum["Dimensions"]) == 3
    }
    assert counted == {"blue": 1, "green": 2}


def test_metrics_have_a_bounded_number_of_values() -> None:
    put: list[Record] = []
    metrics = InvocationMetrics(lambda namespace, data: put.extend(data))
    for number in range(10_000):
        metrics.add(SOURCE, 200, number / 1e6, 0)
    metrics.flush()
    metrics.close()
    values = next(datum["Values"] for datum in put if datum["MetricName"] == "ModelLatency")
    assert len(values) == 30
    # a sample of all values, not the first ones
    assert max(values) > 5000


def test_cloudwatch_is_loaded_before_an_endpoint_is_in_service(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []

    def alarm_states(machine: Machine, names: list[str]) -> dict[str, str]:
        found.append(describe(machine)["EndpointStatus"])
        raise OSError("CloudWatch does not respond")

    monkeypatch.setattr(Machine, "alarm_states", alarm_states)
    machine.rebuild()
    up(machine)
    assert found == ["Creating"], "and an endpoint without metrics serves, too"


# restarts


def reopened(machine: Machine) -> Machine:
    """Stop the server and return the next one on the same data."""
    machine.endpoint_manager.close()
    again = Machine(machine.data_dir)
    again.endpoint_manager.recover()
    return again


def test_endpoints_are_restored_by_the_next_server(machine: Machine) -> None:
    up(machine)
    pid = invoke(machine).json["pid"]
    again = reopened(machine)
    assert not psutil.pid_exists(pid)
    assert invoke(again).json["body"] == "hello"
    again.endpoint_manager.close()


def test_an_endpoint_outlives_its_configuration_and_its_model(machine: Machine) -> None:
    up(machine)
    machine.service.call("DeleteEndpointConfig", {"EndpointConfigName": "echo"})
    machine.service.call("DeleteModel", {"ModelName": "echo"})
    again = reopened(machine)
    assert invoke(again).status == 200
    again.endpoint_manager.close()


@pytest.mark.parametrize(
    ("status", "becomes"), [("Updating", "InService"), ("Creating", "InService"), ("Deleting", None)]
)
def test_operations_in_progress_are_finished_by_the_next_server(
    machine: Machine, status: str, becomes: str | None
) -> None:
    up(machine)
    machine.endpoint_manager.close()
    plan = machine.store.get("endpoint", "endpoint")["Deployed"]  # type: ignore[index]
    machine.store.update("endpoint", "endpoint", EndpointStatus=status, Pending=plan)
    again = Machine(machine.data_dir)
    again.endpoint_manager.recover()
    if becomes is None:
        assert again.store.all("endpoint") == []
    else:
        assert settled(again)["EndpointStatus"] == becomes
        assert invoke(again).status == 200
    again.endpoint_manager.close()
