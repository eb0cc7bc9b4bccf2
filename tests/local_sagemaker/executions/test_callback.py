import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local_sagemaker.account import ACCOUNT, REGION
from local_sagemaker.executions.steps import callback
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.services.moto.backend import MotoBackend
from tests.local_sagemaker.machine import ROLE, Machine, Record
from tests.local_sagemaker.steps import condition, fail, statuses, until

QUEUE = "approvals"
URL = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{QUEUE}"
ONCE, AGAIN = "1" * 32, "2" * 32


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    made = Machine(tmp_path.resolve(), workers=1)
    yield made
    made.close()


@pytest.fixture(autouse=True)
def queue() -> Iterator[Any]:
    from moto.sqs.models import sqs_backends

    backend = sqs_backends[ACCOUNT][REGION]
    yield backend.create_queue(QUEUE, {})
    backend.delete_queue(QUEUE)


def ask(name: str = "Ask", outputs: dict[str, str] | None = None, **more: Any) -> Record:
    parameters = [{"OutputName": output, "OutputType": kind} for output, kind in (outputs or {}).items()]
    arguments = {"rows": 5, "model": {"Std:Join": {"On": "-", "Values": ["churn", 1]}}}
    return {"Name": name, "Type": "Callback", "SqsQueueUrl": URL, "Arguments": arguments, **more} | {
        "OutputParameters": parameters
    }


def start(machine: Machine, steps: list[Record]) -> str:
    text = json.dumps({"Version": "2020-12-01", "Steps": steps})
    name = "p"
    machine.service.call(
        "CreatePipeline",
        {"PipelineName": name, "PipelineDefinition": text, "RoleArn": ROLE, "ClientRequestToken": "t" * 32},
    )
    request = {"PipelineName": name, "ClientRequestToken": "s" * 32}
    return str(machine.service.call("StartPipelineExecution", request)["PipelineExecutionArn"])


def messages(queue: Any, count: int) -> list[Record]:
    until(lambda: len(queue.messages) >= count)
    return [json.loads(message.body) for message in queue.messages]


def succeed(machine: Machine, token: str, request_token: str = ONCE, **outputs: str) -> Record:
    parameters = [{"Name": name, "Value": value} for name, value in outputs.items()]
    request = {"CallbackToken": token, "OutputParameters": parameters, "ClientRequestToken": request_token}
    return machine.service.call("SendPipelineExecutionStepSuccess", request)


def status(machine: Machine, arn: str) -> str:
    description = machine.service.call("DescribePipelineExecution", {"PipelineExecutionArn": arn})
    return str(description["PipelineExecutionStatus"])


def test_a_step_sends_a_message_and_waits_for_its_token(machine: Machine, queue: Any) -> None:
    enough = {"Type": "GreaterThan", "LeftValue": {"Get": "Steps.Ask.OutputParameters['score']"}, "RightValue": 9.5}
    steps = [ask(outputs={"score": "Float", "who": "String"}), condition("Check", enough, [fail("High")], [])]
    arn = start(machine, steps)
    (message,) = messages(queue, 1)
    token = message["token"]
    assert message == {
        "token": token,
        "pipelineExecutionArn": arn,
        "arguments": {"rows": 5, "model": "churn-1"},
        "status": "Executing",
    }
    until(lambda: machine.steps(arn).get("Ask", {}).get("StepStatus") == "Executing")
    assert machine.steps(arn)["Ask"]["Metadata"] == {"Callback": {"CallbackToken": token, "SqsQueueUrl": URL}}
    assert succeed(machine, token, score="10", who="me") == {"PipelineExecutionArn": arn}
    assert machine.executor.wait(arn, 30)
    assert statuses(machine.steps(arn)) == {"Ask": "Succeeded", "Check": "Succeeded", "High": "Failed"}
    assert machine.steps(arn)["Ask"]["Metadata"]["Callback"]["OutputParameters"] == [
        {"Name": "score", "Value": "10"},
        {"Name": "who", "Value": "me"},
    ]


def test_queues_of_an_earlier_server_are_restored_before_a_message_is_sent(
    machine: Machine, queue: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from moto.sqs.models import sqs_backends

    backend = sqs_backends[ACCOUNT][REGION]
    monkeypatch.setattr(MotoBackend, "restore", lambda moto: backend.create_queue("restored", {}))
    arn = start(machine, [ask(SqsQueueUrl=URL.replace(QUEUE, "restored"))])
    until(lambda: "restored" in backend.queues and backend.queues["restored"].messages)
    succeed(machine, json.loads(backend.queues["restored"].messages[0].body)["token"])
    assert machine.executor.wait(arn, 30) and status(machine, arn) == "Succeeded"
    backend.delete_queue("restored")


def test_waiting_steps_do_not_keep_others_from_running(machine: Machine, queue: Any) -> None:
    arn = start(machine, [ask("A"), ask("B"), ask("C")])
    tokens = [message["token"] for message in messages(queue, 3)]
    for token in tokens:
        succeed(machine, token)
    assert machine.executor.wait(arn, 30) and status(machine, arn) == "Succeeded"


def test_a_client_fails_the_step_with_a_reason(machine: Machine, queue: Any) -> None:
    arn = start(machine, [ask()])
    (message,) = messages(queue, 1)
    request = {"CallbackToken": message["token"], "FailureReason": "not approved", "ClientRequestToken": ONCE}
    machine.service.call("SendPipelineExecutionStepFailure", request)
    assert machine.executor.wait(arn, 30) and status(machine, arn) == "Failed"
    assert machine.steps(arn)["Ask"]["FailureReason"] == "not approved"


@pytest.mark.parametrize(
    ("outputs", "words"),
    [
        ({}, "did not return output 'n' (outputs: none)"),
        ({"n": "many"}, "output 'n' of the callback must be of type Integer, not 'many'"),
    ],
)
def test_outputs_must_be_as_declared(machine: Machine, queue: Any, outputs: dict[str, str], words: str) -> None:
    arn = start(machine, [ask(outputs={"n": "Integer"})])
    (message,) = messages(queue, 1)
    succeed(machine, message["token"], **outputs)
    assert machine.executor.wait(arn, 30)
    assert words in machine.steps(arn)["Ask"]["FailureReason"]


def test_a_token_ends_one_step_once(machine: Machine, queue: Any) -> None:
    arn = start(machine, [ask()])
    (message,) = messages(queue, 1)
    with pytest.raises(ServiceError, match="Callback token 'aaaaaaaaaa' does not exist") as unknown:
        succeed(machine, "a" * 10)
    assert unknown.value.code == "ResourceNotFound"
    assert succeed(machine, message["token"]) == succeed(machine, message["token"]) == {"PipelineExecutionArn": arn}
    with pytest.raises(ServiceError, match="step 'Ask' has Succeeded") as ended:
        succeed(machine, message["token"], AGAIN)
    # the API requires no ClientRequestToken
    with pytest.raises(ServiceError, match="has Succeeded"):
        machine.service.call("SendPipelineExecutionStepFailure", {"CallbackToken": message["token"]})
    assert ended.value.code == "ConflictException"


def test_an_execution_stops_when_the_client_has_answered(machine: Machine, queue: Any) -> None:
    arn = start(machine, [ask(), ask("Next", DependsOn=["Ask"])])
    messages(queue, 1)
    until(lambda: machine.steps(arn).get("Ask", {}).get("StepStatus") == "Executing")
    machine.service.call("StopPipelineExecution", {"PipelineExecutionArn": arn, "ClientRequestToken": ONCE})
    executing, stopping = messages(queue, 2)
    assert stopping == {**executing, "status": "Stopping"} and status(machine, arn) == "Stopping"
    succeed(machine, stopping["token"])
    assert machine.executor.wait(arn, 30) and status(machine, arn) == "Stopped"
    assert list(machine.steps(arn)) == ["Ask"]


def test_a_step_waits_on_after_a_restart(machine: Machine, queue: Any) -> None:
    arn = start(machine, [ask(outputs={"ok": "Boolean"})])
    (message,) = messages(queue, 1)
    until(lambda: machine.steps(arn).get("Ask", {}).get("StepStatus") == "Executing")
    machine.rebuild()
    machine.app.start()
    until(lambda: machine.steps(arn).get("Ask", {}).get("StepStatus") == "Executing")
    assert status(machine, arn) == "Executing" and len(queue.messages) == 1
    succeed(machine, message["token"], ok="true")
    assert machine.executor.wait(arn, 30) and status(machine, arn) == "Succeeded"


def test_a_step_fails_if_nobody_answers(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callback, "TIMEOUT_SECONDS", 0)
    arn = start(machine, [ask()])
    assert machine.executor.wait(arn, 30)
    reason = machine.steps(arn)["Ask"]["FailureReason"]
    assert reason == "ClientError: No client returned the callback token within 0 seconds"


def test_a_step_fails_without_its_queue(machine: Machine) -> None:
    arn = start(machine, [{**ask(), "SqsQueueUrl": f"{URL}-2"}])
    assert machine.executor.wait(arn, 30)
    reason = machine.steps(arn)["Ask"]["FailureReason"]
    assert reason.startswith(f"ClientError: Failed to invoke sqs:SendMessage for {URL}-2. Error Details: ")
    assert machine.store.all("callback") == []


def test_tokens_are_deleted_with_their_pipeline(machine: Machine, queue: Any) -> None:
    arn = start(machine, [ask()])
    (message,) = messages(queue, 1)
    succeed(machine, message["token"])
    assert machine.executor.wait(arn, 30)
    machine.service.call("DeletePipeline", {"PipelineName": "p", "ClientRequestToken": ONCE})
    assert machine.store.get("callback", message["token"]) is None
