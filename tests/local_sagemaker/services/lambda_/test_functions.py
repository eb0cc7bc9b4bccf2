import base64
import io
import json
import os
import time
import urllib.request
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from local_sagemaker.client_environment import client_environment
from local_sagemaker.http.background import RunningServer
from local_sagemaker.protocol.errors import ServiceError
from tests.local_sagemaker.conftest import Client, MakeClient
from tests.local_sagemaker.machine import ROLE, Machine, Record
from tests.local_sagemaker.steps import fail, run, until

ECHO = "def handler(event, context):\n    return event\n"


def archive(files: dict[str, str], **more: Any) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as zipped:
        for name, content in files.items():
            zipped.writestr(name, content, **more)
    return buffer.getvalue()


def request(code: str, name: str = "f", **more: Any) -> Record:
    return {
        "FunctionName": name,
        "Runtime": "python3.12",
        "Role": ROLE,
        "Handler": "app.handler",
        "Code": {"ZipFile": archive({"app.py": code})},
        **more,
    }


def create(machine: Machine, code: str, **more: Any) -> Record:
    return machine.functions.call("CreateFunction", request(code, **more))


def invoke(machine: Machine, event: Any = None, **more: Any) -> Record:
    answer = machine.functions.call(
        "Invoke", {"FunctionName": "f", "Payload": json.dumps(event).encode(), "LogType": "Tail", **more}
    )
    return {
        **answer,
        "Payload": json.loads(answer["Payload"]) if "Payload" in answer else None,
        "LogResult": base64.b64decode(answer.get("LogResult", "")).decode(),
    }


def refused(machine: Machine, operation: str, **members: Any) -> tuple[str, str]:
    with pytest.raises(ServiceError) as raised:
        machine.functions.call(operation, {"FunctionName": "f", **members})
    return raised.value.code, raised.value.message


def test_a_function_returns_a_response_to_its_event(machine: Machine) -> None:
    create(machine, ECHO)
    answer = invoke(machine, {"a": [1, "ü"]})
    assert answer["Payload"] == {"a": [1, "ü"]}
    assert "FunctionError" not in answer
    assert (answer["StatusCode"], answer["ExecutedVersion"]) == (200, "$LATEST")


def test_the_context_describes_the_invocation(machine: Machine) -> None:
    code = """
import os
def handler(event, context):
    return [context.function_name, context.invoked_function_arn, context.memory_limit_in_mb,
            0 < context.get_remaining_time_in_millis() <= 7000, os.environ["STAGE"], os.environ["AWS_REGION"],
            os.path.basename(os.getcwd()), context.client_context]
"""
    arn = create(machine, code, Timeout=7, MemorySize=256, Environment={"Variables": {"STAGE": "test"}})["FunctionArn"]
    client = base64.b64encode(b'{"app": 1}').decode()
    assert invoke(machine, ClientContext=client)["Payload"] == (
        ["f", arn, "256", True, "test", "us-east-1", "task", {"app": 1}]
    )


def test_a_process_is_reused_until_the_function_changes(machine: Machine) -> None:
    create(machine, "import os\ncalls = []\ndef handler(event, context):\n    calls.append(1)\n    return len(calls)")
    assert [invoke(machine)["Payload"] for _ in range(3)] == [1, 2, 3]
    machine.functions.call("UpdateFunctionConfiguration", {"FunctionName": "f", "Timeout": 9})
    assert invoke(machine)["Payload"] == 1
    code = archive({"app.py": "def handler(event, context):\n    return 'new'"})
    machine.functions.call("UpdateFunctionCode", {"FunctionName": "f", "ZipFile": code})
    assert invoke(machine)["Payload"] == "new"
    # the previous code, which an invocation may still be using, and the current one
    assert len(list(machine.functions.manager.folder("f").iterdir())) == 2


def test_an_exception_in_the_handler_is_the_response(machine: Machine) -> None:
    create(
        machine,
        "def handler(event, context):\n    return help()[0]\ndef help():\n    raise ValueError('no such thing')",
    )
    answer = invoke(machine)
    assert answer["FunctionError"] == "Unhandled"
    payload = answer["Payload"]
    assert (payload["errorType"], payload["errorMessage"]) == ("ValueError", "no such thing")
    assert [line.split(", in ")[1].split("\n")[0] for line in payload["stackTrace"]] == ["handler", "help"]
    assert "[ERROR] ValueError: no such thing" in answer["LogResult"]


@pytest.mark.parametrize(
    ("code", "handler", "kind", "message"),
    [
        ("import nothing_such", "app.handler", "Runtime.ImportModuleError", "Unable to import module 'app'"),
        ("def handler(:", "app.handler", "Runtime.UserCodeSyntaxError", "Syntax error in module 'app'"),
        ("1 / 0", "app.handler", "ZeroDivisionError", "division by zero"),
        (ECHO, "app.other", "Runtime.HandlerNotFound", "Handler 'other' missing on module 'app'"),
        (ECHO, "handler", "Runtime.MalformedHandlerName", "Bad handler 'handler'"),
        ("def handler(e, c):\n    return {1, 2}", "app.handler", "Runtime.MarshalError", "not JSON serializable"),
        ("import os\ndef handler(e, c):\n    os._exit(3)", "app.handler", "Runtime.ExitError", "exit status 3"),
        ("import os\nos._exit(3)", "app.handler", "Runtime.ExitError", "exit status 3"),
    ],
)
def test_a_broken_function_responds_with_the_error_type_and_message(
    machine: Machine, code: str, handler: str, kind: str, message: str
) -> None:
    create(machine, code, Handler=handler)
    # the second invocation fails as the first one does
    for _ in range(2):
        answer = invoke(machine)
        assert (answer["FunctionError"], answer["Payload"]["errorType"]) == ("Unhandled", kind)
        assert message in answer["Payload"]["errorMessage"]


def test_a_function_that_exceeds_its_timeout_is_killed(machine: Machine) -> None:
    create(machine, "import time\ndef handler(event, context):\n    time.sleep(event)\n    return 'done'", Timeout=1)
    begun = time.monotonic()
    answer = invoke(machine, 30)
    assert time.monotonic() - begun < 5
    assert answer["FunctionError"] == "Unhandled"
    assert answer["Payload"]["errorType"] == "Sandbox.Timedout"
    assert answer["Payload"]["errorMessage"].endswith("Error: Task timed out after 1.00 seconds")
    assert invoke(machine, 0)["Payload"] == "done"


@pytest.mark.parametrize("end", ["\\n", ""])
def test_a_function_that_prints_endlessly_is_killed_at_its_timeout(machine: Machine, end: str) -> None:
    create(machine, f"def handler(event, context):\n    while True:\n        print('x' * 999, end='{end}')", Timeout=1)
    begun = time.monotonic()
    answer = invoke(machine)
    assert time.monotonic() - begun < 5
    assert answer["Payload"]["errorType"] == "Sandbox.Timedout"
    assert len(answer["LogResult"]) <= 4096


def test_a_function_that_does_not_read_its_event_is_killed_at_its_timeout(machine: Machine) -> None:
    stop = "subprocess.Popen(['sh', '-c', f'sleep 0.2; kill -STOP {os.getpid()}'])"
    create(machine, f"import os, subprocess\ndef handler(event, context):\n    {stop}", Timeout=1)
    assert "FunctionError" not in invoke(machine)
    time.sleep(0.5)
    answer = invoke(machine, "more than a pipe holds" * 10_000)
    assert answer["Payload"]["errorType"] == "Sandbox.Timedout"


def test_output_of_a_function_is_in_cloudwatch_logs(machine: Machine) -> None:
    code = """
import logging
logging.getLogger().setLevel("INFO")
def handler(event, context):
    print("printed")
    logging.info("logged %d", 3)
    print("without an end of line", end="")
"""
    create(machine, code)
    tail = invoke(machine)["LogResult"].splitlines()
    assert tail[0].startswith("START RequestId: ")
    assert tail[1] == "printed"
    assert tail[2].startswith("[INFO]\t20")
    assert tail[2].endswith("\tlogged 3")
    assert tail[3].startswith("END RequestId: ")
    assert [part.partition(":")[0] for part in tail[4].split("\t")] == [
        "REPORT RequestId",
        "Duration",
        "Billed Duration",
        "Memory Size",
        "Max Memory Used",
        "Init Duration",
    ]
    assert not tail[4].endswith("Used: 0 MB")
    assert machine.function_log("f") == tail


def test_asynchronous_invocations_run_in_order_and_are_retried_on_failure(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("local_sagemaker.services.lambda_.async_invocations.RETRY_SECONDS", (0.01, 0.01))
    trace = machine.data_dir / "trace"
    create(machine, f"def handler(e, c):\n    print(e, file=open({str(trace)!r}, 'a'))\n    assert e != 'bad'")
    for event in ("first", "bad", "last"):
        assert invoke(machine, event, InvocationType="Event")["StatusCode"] == 202
    until(lambda: trace.exists() and "last" in trace.read_text())
    assert trace.read_text().split() == ["first", "bad", "bad", "bad", "last"]
    assert invoke(machine, "x", InvocationType="DryRun")["StatusCode"] == 204


def test_concurrent_invocations_have_a_process_each(machine: Machine) -> None:
    code = "import os, time\ndef handler(event, context):\n    time.sleep(0.3)\n    return os.getpid()"
    create(machine, code)
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: invoke(machine)["Payload"], range(2))
    assert first != second
    until(lambda: sum(map(_is_running, (first, second))) == 1)


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_code_can_be_an_object_in_s3(machine: Machine) -> None:
    zipped = archive({"pack/app.py": ECHO})
    machine.put("s3://bucket/code.zip", zipped)
    code = {"S3Bucket": "bucket", "S3Key": "code.zip"}
    create(machine, "", Code=code, Handler="pack/app.handler")
    assert invoke(machine, 5)["Payload"] == 5
    location = machine.functions.call("GetFunction", {"FunctionName": "f"})["Code"]["Location"]
    with urllib.request.urlopen(location) as response:  # noqa: S310 - a file
        assert response.read() == zipped
    error, message = refused(machine, "UpdateFunctionCode", **{**code, "S3Key": "other.zip"})
    assert (error, "NoSuchKey" in message) == ("InvalidParameterValueException", True)


LINK = zipfile.ZipInfo("link")
LINK.external_attr = 0o120777 << 16


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no zip", "Could not unzip uploaded file"),
        (archive({"app.py": ECHO})[:-30], "Could not unzip uploaded file"),
        (archive({"app": ECHO, "app/app.py": ECHO}), "Could not unzip uploaded file"),
        (archive({"../app.py": ECHO}), "leads out"),
        (archive({"/etc/app.py": ECHO}), "leads out"),
        (archive({LINK: "/etc"}), "not a regular file"),  # type: ignore[dict-item]
    ],
)
def test_a_damaged_or_malicious_archive_is_rejected_and_leaves_no_files(
    machine: Machine, content: bytes, message: str
) -> None:
    error, text = refused(machine, "CreateFunction", **{**request(""), "Code": {"ZipFile": content}})
    assert error == "InvalidParameterValueException"
    assert message in text
    folder = machine.functions.manager.folder("f")
    assert not folder.exists() or not list(folder.iterdir())


def test_an_archive_that_unzips_beyond_the_quota_is_rejected(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("local_sagemaker.services.lambda_.code.MAX_UNZIPPED_BYTES", 1000)
    bomb = archive({"app.py": ECHO + " " * 2000}, compress_type=zipfile.ZIP_DEFLATED)
    assert refused(machine, "CreateFunction", **{**request(""), "Code": {"ZipFile": bomb}}) == (
        ("InvalidParameterValueException", "Unzipped size must be smaller than 1000 bytes")
    )


def test_unsupported_settings_are_rejected_by_name(machine: Machine) -> None:
    for change, words in (
        ({"Runtime": "nodejs22.x"}, "Runtime nodejs22.x"),
        ({"Layers": ["arn:aws:lambda:us-east-1:123456789012:layer:x:1"]}, "Layers"),
        ({"Environment": {"Variables": {"AWS_REGION": "x"}}}, "AWS_REGION"),
        ({"Code": {"ImageUri": "x"}, "PackageType": "Image"}, "Code.ImageUri"),
        ({"PackageType": "Image"}, "PackageType 'Image'; use Zip"),
        (
            {"PublishTo": "LATEST_PUBLISHED"},
            "CreateFunction: the local SageMaker does not implement PublishTo; remove it",
        ),
        ({"LoggingConfig": {"LogFormat": "JSON"}}, "LoggingConfig.LogFormat 'JSON'; use Text"),
    ):
        error, message = refused(machine, "CreateFunction", **{**request(ECHO), **change})
        assert error == "InvalidParameterValueException"
        assert words in message
    error, message = refused(machine, "ListLayers")
    assert message == "ListLayers is not supported by the local Lambda"
    assert refused(machine, "Invoke")[1] == "Function not found: arn:aws:lambda:us-east-1:123456789012:function:f"


def test_options_that_ask_for_nothing_are_accepted(machine: Machine) -> None:
    nothing = {"Publish": False, "Layers": [], "DeadLetterConfig": {"TargetArn": ""}, "SnapStart": {"ApplyOn": "None"}}
    create(machine, ECHO, LoggingConfig={"LogFormat": "Text", "LogGroup": "/aws/lambda/f"}, **nothing)


def test_a_null_member_is_an_absent_one(machine: Machine) -> None:
    create(machine, ECHO, Environment=None, Layers=None, Tags=None, LoggingConfig={"LogGroup": None})
    assert invoke(machine, 5, Qualifier=None)["Payload"] == 5


def test_an_option_of_an_update_that_is_not_implemented_is_refused_and_changes_nothing(machine: Machine) -> None:
    before = create(machine, ECHO)
    for operation, option in (
        ("UpdateFunctionCode", {"ZipFile": archive({"app.py": ""}), "PublishTo": "LATEST_PUBLISHED"}),
        ("UpdateFunctionConfiguration", {"Timeout": 9, "DeadLetterConfig": {"TargetArn": "arn:aws:sqs:x"}}),
        ("UpdateFunctionConfiguration", {"Timeout": 9, "LoggingConfig": {"LogGroup": "/other"}}),
    ):
        error, message = refused(machine, operation, **option)
        assert (error, list(option)[-1] in message) == ("InvalidParameterValueException", True)
    assert machine.functions.call("GetFunctionConfiguration", {"FunctionName": "f"}) == before


def test_a_qualifier_is_part_of_the_arn_in_responses(machine: Machine) -> None:
    arn = create(machine, ECHO)["FunctionArn"]
    for given in ({"FunctionName": "f", "Qualifier": "$LATEST"}, {"FunctionName": "f:$LATEST"}):
        assert machine.functions.call("GetFunctionConfiguration", given)["FunctionArn"] == f"{arn}:$LATEST"
        assert machine.functions.call("GetFunction", given)["Configuration"]["FunctionArn"] == f"{arn}:$LATEST"
    [listed] = machine.functions.call("ListFunctions", {"FunctionVersion": "ALL"})["Functions"]
    assert listed["FunctionArn"] == f"{arn}:$LATEST"
    assert refused(machine, "GetFunction", Qualifier="1")[1] == f"Function not found: {arn}:1"
    assert refused(machine, "GetFunction", FunctionName="f:1", Qualifier="$LATEST") == (
        "InvalidParameterValueException",
        "The derived qualifier from the function name does not match the specified qualifier.",
    )


def test_a_qualifier_neither_deletes_the_function_nor_gets_a_policy(machine: Machine) -> None:
    create(machine, ECHO)
    assert refused(machine, "DeleteFunction", Qualifier="$LATEST") == (
        "InvalidParameterValueException",
        "$LATEST version cannot be deleted without deleting the function.",
    )
    permission = {"StatementId": "s", "Action": "lambda:InvokeFunction", "Principal": "events.amazonaws.com"}
    assert refused(machine, "AddPermission", Qualifier="$LATEST", **permission) == (
        "InvalidParameterValueException",
        "We currently do not support adding policies for $LATEST.",
    )
    assert invoke(machine, 5)["Payload"] == 5


def test_all_conditions_of_a_permission_are_in_the_policy(machine: Machine) -> None:
    create(machine, ECHO)
    permission = {"StatementId": "s", "Action": "lambda:InvokeFunction", "Principal": "*"}
    given = {"SourceAccount": "123456789012", "EventSourceToken": "t", "PrincipalOrgID": "o-1234567890"}
    machine.functions.call("AddPermission", {"FunctionName": "f", **permission, **given})
    [statement] = json.loads(machine.functions.call("GetPolicy", {"FunctionName": "f"})["Policy"])["Statement"]
    assert statement["Condition"] == {
        "StringEquals": {
            "AWS:SourceAccount": "123456789012",
            "lambda:EventSourceToken": "t",
            "aws:PrincipalOrgID": "o-1234567890",
        }
    }


def test_an_update_of_the_code_changes_its_architectures(machine: Machine) -> None:
    create(machine, ECHO)
    code = {"ZipFile": archive({"app.py": ECHO}), "Architectures": ["arm64"]}
    assert machine.functions.call("UpdateFunctionCode", {"FunctionName": "f", **code})["Architectures"] == ["arm64"]


def test_code_has_one_source(machine: Machine) -> None:
    code = {"ZipFile": archive({}), "S3Bucket": "bucket", "S3Key": "k"}
    error, message = refused(machine, "CreateFunction", **{**request(ECHO), "Code": code})
    assert (error, message) == (
        "InvalidParameterValueException",
        "Please do not provide other FunctionCode parameters when providing a ZipFile.",
    )


def test_functions_can_be_listed_given_permissions_tagged_and_deleted(machine: Machine) -> None:
    arn = create(machine, ECHO, Tags={"team": "a"})["FunctionArn"]
    assert refused(machine, "CreateFunction", **request(ECHO))[0] == "ResourceConflictException"
    permission = {"StatementId": "s", "Action": "lambda:InvokeFunction", "Principal": "events.amazonaws.com"}
    machine.functions.call(
        "AddPermission",
        {"FunctionName": arn, "SourceArn": "arn:aws:events:us-east-1:123456789012:rule/r", **permission},
    )
    assert refused(machine, "AddPermission", **permission)[0] == "ResourceConflictException"
    policy = json.loads(machine.functions.call("GetPolicy", {"FunctionName": "f"})["Policy"])
    assert policy["Statement"] == [
        {
            "Sid": "s",
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "lambda:InvokeFunction",
            "Resource": arn,
            "Condition": {"ArnLike": {"AWS:SourceArn": "arn:aws:events:us-east-1:123456789012:rule/r"}},
        }
    ]
    machine.functions.call("RemovePermission", {"FunctionName": "f", "StatementId": "s"})
    assert refused(machine, "GetPolicy")[0] == "ResourceNotFoundException"
    machine.functions.call("TagResource", {"Resource": arn, "Tags": {"stage": "b"}})
    machine.functions.call("UntagResource", {"Resource": arn, "TagKeys": ["team"]})
    assert machine.functions.call("ListTags", {"Resource": arn}) == {"Tags": {"stage": "b"}}
    create(machine, ECHO, name="g")
    first = machine.functions.call("ListFunctions", {"MaxItems": 1})
    second = machine.functions.call("ListFunctions", {"Marker": first["NextMarker"]})
    assert [one["FunctionName"] for one in first["Functions"] + second["Functions"]] == ["f", "g"]
    invoke(machine)
    machine.functions.call("DeleteFunction", {"FunctionName": "f"})
    assert refused(machine, "GetFunction")[0] == "ResourceNotFoundException"
    assert not machine.functions.manager.folder("f").exists()


def test_functions_outlive_the_server(machine: Machine) -> None:
    before = create(machine, ECHO)
    later = Machine(machine.data_dir)
    assert later.functions.call("GetFunctionConfiguration", {"FunctionName": "f"}) == before
    assert invoke(later, "still there")["Payload"] == "still there"
    later.functions.close()


def test_an_accepted_asynchronous_invocation_outlives_the_server(machine: Machine) -> None:
    trace = machine.data_dir / "trace"
    wait_and_print = f"time.sleep(0.2)\n    print(e, file=open({str(trace)!r}, 'a'))"
    create(machine, f"import time\ndef handler(e, c):\n    {wait_and_print}")
    for event in ("first", "second"):
        invoke(machine, event, InvocationType="Event")
    machine.functions.close()
    assert not trace.exists()
    later = Machine(machine.data_dir)
    later.functions.recover()
    until(lambda: trace.exists() and trace.read_text().split() == ["first", "second"])
    until(lambda: not later.store.all("lambda-invocation"))
    later.functions.close()


# Lambda steps


def lambda_step(arn: str, outputs: dict[str, str], **more: Any) -> Record:
    return {
        "Name": "Ask",
        "Type": "Lambda",
        "FunctionArn": arn,
        "OutputParameters": [{"OutputName": name, "OutputType": kind} for name, kind in outputs.items()],
        "Arguments": {},
        **more,
    }


def test_a_lambda_step_invokes_its_function_and_passes_on_its_outputs(machine: Machine) -> None:
    arn = create(
        machine, "def handler(e, c):\n    return {'sum': e['a'] + e['b'], 'name': 'x', 'good': True, 'r': 0.5}"
    )["FunctionArn"]
    outputs = {"sum": "Integer", "name": "String", "good": "Boolean", "r": "Float"}
    asked = lambda_step(arn, outputs, Arguments={"a": 3, "b": {"Get": "Parameters.B"}})
    last = fail(
        "Say",
        {"Std:Join": {"On": "/", "Values": [{"Get": f"Steps.Ask.OutputParameters['{name}']"} for name in outputs]}},
    )
    parameters = [{"Name": "B", "Type": "Integer", "DefaultValue": 4}]
    _, steps = run(machine, [asked, last], parameters=parameters)
    assert steps["Say"]["FailureReason"] == "7/x/true/0.5"
    assert steps["Ask"]["Metadata"] == {
        "Lambda": {
            "Arn": arn,
            "OutputParameters": [
                {"Name": "sum", "Value": "7"},
                {"Name": "name", "Value": "x"},
                {"Name": "good", "Value": "true"},
                {"Name": "r", "Value": "0.5"},
            ],
        }
    }


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("def handler(e, c):\n    raise KeyError('k')", "f failed: KeyError: 'k'"),
        ("def handler(e, c):\n    return {'other': 1}", "f did not return output 'x' (outputs: other)"),
        ("def handler(e, c):\n    return 'text'", "f did not return output 'x' (outputs: none)"),
        ("def handler(e, c):\n    return {'x': 'text'}", 'must be of type Integer, not "text"'),
        ("import time\ndef handler(e, c):\n    time.sleep(9)", "Task timed out after 1.00 seconds"),
    ],
)
def test_a_lambda_step_fails_with_its_function(machine: Machine, code: str, reason: str) -> None:
    arn = create(machine, code, Timeout=1)["FunctionArn"]
    execution, steps = run(machine, [lambda_step(arn, {"x": "Integer"})])
    assert execution["PipelineExecutionStatus"] == "Failed"
    assert steps["Ask"]["FailureReason"].startswith("ClientError: ")
    assert reason in steps["Ask"]["FailureReason"]


def test_a_number_is_the_text_of_an_output_that_is_a_string(machine: Machine) -> None:
    arn = create(machine, "def handler(e, c):\n    return {'statusCode': 200, 'good': True}")["FunctionArn"]
    _, steps = run(machine, [lambda_step(arn, {"statusCode": "String", "good": "String"})])
    outputs = steps["Ask"]["Metadata"]["Lambda"]["OutputParameters"]
    assert outputs == [{"Name": "statusCode", "Value": "200"}, {"Name": "good", "Value": "true"}]


def test_a_lambda_step_whose_function_does_not_exist_fails(machine: Machine) -> None:
    _, steps = run(machine, [lambda_step("arn:aws:lambda:us-east-1:123456789012:function:none", {})])
    assert "Function not found" in steps["Ask"]["FailureReason"]


def test_a_lambda_step_is_cached_by_function_arguments_and_outputs(machine: Machine) -> None:
    calls = machine.data_dir / "calls"
    arn = create(machine, f"def handler(e, c):\n    open({str(calls)!r}, 'a').write('x')\n    return {{'n': e}}")[
        "FunctionArn"
    ]
    caching = {"CacheConfig": {"Enabled": True, "ExpireAfter": "P1D"}}
    for arguments, expected in (({"a": 1}, 1), ({"a": 1}, 1), ({"a": 2}, 2)):
        run(machine, [lambda_step(arn, {}, Arguments=arguments, **caching)])
        assert len(calls.read_text()) == expected


# over HTTP


@pytest.fixture
def functions(client: MakeClient) -> Client:
    return client("lambda")


def test_clients_create_and_invoke_a_function_that_calls_this_server(
    functions: Client, client: MakeClient, s3: Client, bucket: str
) -> None:
    code = """
import boto3
def handler(event, context):
    boto3.client("s3").put_object(Bucket=event["bucket"], Key="trace", Body=context.aws_request_id)
    print("done")
"""
    functions.create_function(**request(code, name="writer", Timeout=60))
    functions.get_waiter("function_active_v2").wait(FunctionName="writer")
    answer = functions.invoke(FunctionName="writer", Payload=json.dumps({"bucket": bucket}), LogType="Tail")
    assert answer["Payload"].read() == b"null"
    assert "FunctionError" not in answer
    trace = s3.get_object(Bucket=bucket, Key="trace")["Body"].read().decode()
    assert trace in base64.b64decode(answer["LogResult"]).decode()
    logs = client("logs")
    assert logs.describe_log_groups(logGroupNamePrefix="/aws/lambda/writer")["logGroups"]
    events = logs.filter_log_events(logGroupName="/aws/lambda/writer", filterPattern="done")["events"]
    assert [event["message"] for event in events] == ["done"]
    assert functions.delete_function(FunctionName="writer")["ResponseMetadata"]["HTTPStatusCode"] == 204


def test_clients_get_lambdas_errors(functions: Client) -> None:
    with pytest.raises(functions.exceptions.ResourceNotFoundException) as raised:
        functions.get_function(FunctionName="arn:aws:lambda:us-east-1:123456789012:function:none")
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404
    with pytest.raises(functions.exceptions.InvalidParameterValueException):
        functions.create_function(**request(ECHO, name="node", Runtime="nodejs22.x"))
    with pytest.raises(functions.exceptions.InvalidRequestContentException):
        functions.create_function(**request(ECHO, name="strict"))
        functions.invoke(FunctionName="strict", Payload=b"no json")
    with pytest.raises(ClientError, match="ListLayers is not supported"):
        functions.list_layers()


def test_the_sdk_creates_and_runs_the_function_of_a_lambda_step(
    data_dir: Path, server: RunningServer, client: MakeClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sagemaker = client("sagemaker")
    for name, value in client_environment(data_dir, server.port).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it may belong to another environment
    from sagemaker.core.lambda_helper import Lambda
    from sagemaker.mlops.workflow.fail_step import FailStep
    from sagemaker.mlops.workflow.lambda_step import LambdaOutput, LambdaOutputTypeEnum, LambdaStep
    from sagemaker.mlops.workflow.pipeline import Pipeline

    script = tmp_path / "double.py"
    script.write_text("def handler(event, context):\n    return {'twice': 2 * event['n']}\n")
    doubling = Lambda(
        function_name="double",
        execution_role_arn=ROLE,
        script=str(script),
        handler="double.handler",
        runtime="python3.12",
    )
    ask = LambdaStep("Ask", doubling, inputs={"n": 21}, outputs=[LambdaOutput("twice", LambdaOutputTypeEnum.Integer)])
    say = FailStep("Say", error_message=ask.properties.Outputs["twice"])
    pipeline = Pipeline("sdk-lambda", steps=[ask, say])
    # the second time, the function exists already
    for _ in range(2):
        pipeline.upsert(role_arn=ROLE)
    arn = sagemaker.start_pipeline_execution(PipelineName="sdk-lambda")["PipelineExecutionArn"]
    until(
        lambda: sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)["PipelineExecutionStatus"] == "Failed"
    )
    steps = sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn)["PipelineExecutionSteps"]
    assert {step["StepName"]: step.get("FailureReason") for step in steps} == {"Ask": None, "Say": "42"}
