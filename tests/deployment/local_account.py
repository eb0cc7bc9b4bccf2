"""A local SageMaker that the tests of a room share, and a project `demo` of tiny models that need no training."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

import local_sagemaker
from deployment.deploy import DeploymentResult, choose_variants, deploy_endpoint
from deployment.plan import Plan, plan_endpoint
from local_sagemaker.account import ACCOUNT, REGION, ROLE_ARN
from local_sagemaker.http.background import stop_server
from project.settings import Settings
from project.target import Target
from tests.local_sagemaker.machine import SCIKIT_LEARN, tar_gz

Record = dict[str, Any]

BUCKET = "bucket"
TAGS = [
    {"Key": "lightgbm-pipelines:endpoint", "Value": "demo"},
    {"Key": "lightgbm-pipelines:project", "Value": "demo"},
]

# predicts 1.5 for each record, and answers 400 to what is not a record
PROGRAM = """
import json
class Refused(Exception):
    status_code, message, phrase = 400, "not a record", "Bad Request"
def model_fn(folder):
    return None
def transform_fn(model, body, content_type, accept):
    if content_type == "application/jsonlines":
        return "".join('{"prediction": 1.5}\\n' for _ in body.splitlines()), content_type
    try:
        records = json.loads(body)
        records = records if isinstance(records, list) else [records]
        [float(value or 0) for record in records for value in record.values()]
    except (ValueError, TypeError, AttributeError):
        raise Refused from None
    return json.dumps({"predictions": [{"prediction": 1.5} for _ in records]}), "application/json"
"""
# its container never becomes healthy
BROKEN_PROGRAM = "raise ModuleNotFoundError('No module named demo')"


class LocalAccount:
    """The local SageMaker as an AWS account, with clients that are made once."""

    _session: boto3.Session | None = None

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.environment = local_sagemaker.connect(data_dir)
        self.target = Target(ROLE_ARN, BUCKET, REGION)
        with pytest.MonkeyPatch.context() as patch:
            self.use(patch)
            for name in ("sagemaker", "s3", "logs", "cloudwatch", "autoscaling", "scheduler", "sns", "feature_store"):
                getattr(self.target, name)
        self.target.s3.create_bucket(Bucket=BUCKET)

    def use(self, patch: pytest.MonkeyPatch) -> None:
        """Send all clients that are made from now on to this account."""
        for name, value in self.environment.items():
            patch.setenv(name, value)
        # boto3's default session keeps the profiles that it has read once: those of another data directory, perhaps
        self._session = self._session or boto3.Session()
        patch.setattr(boto3, "DEFAULT_SESSION", self._session)

    def put(self, uri: str, content: bytes) -> str:
        self.target.s3.put_object(Bucket=BUCKET, Key=uri.removeprefix(f"s3://{BUCKET}/"), Body=content)
        return uri

    def read(self, uri: str) -> bytes:
        content: bytes = self.target.s3.get_object(Bucket=BUCKET, Key=uri.removeprefix(f"s3://{BUCKET}/"))[
            "Body"
        ].read()
        return content

    def keys(self, prefix: str = "") -> list[str]:
        pages = self.target.s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        return [item["Key"] for page in pages for item in page.get("Contents", [])]

    def register(
        self,
        group: str,
        status: str = "Approved",
        program: str = PROGRAM,
        files: Mapping[str, str] | None = None,
        **more: Any,
    ) -> int:
        """Register a model package of a program, with further files in its archive; return its version."""
        sagemaker = self.target.sagemaker
        with suppress(ClientError):
            sagemaker.create_model_package_group(ModelPackageGroupName=group)
        content = tar_gz({"code/inference.py": program, **(files or {})})
        archive = self.put(f"s3://{BUCKET}/models/{zlib.crc32(content)}/model.tar.gz", content)
        container = {
            "Image": SCIKIT_LEARN,
            "ModelDataUrl": archive,
            "Environment": {"SAGEMAKER_PROGRAM": "inference.py"},
        }
        arn: str = sagemaker.create_model_package(
            ModelPackageGroupName=group,
            ModelApprovalStatus=status,
            InferenceSpecification={
                "Containers": [container],
                "SupportedContentTypes": ["application/json"],
                "SupportedResponseMIMETypes": ["application/json"],
            },
            **more,
        )["ModelPackageArn"]
        return int(arn.rpartition("/")[2])

    @contextmanager
    def registered(self, program: str) -> Iterator[int]:
        """Register a version of `demo` for the duration of a test."""
        version = self.register("demo", program=program)
        try:
            yield version
        finally:
            self.target.sagemaker.delete_model_package(ModelPackageName=package_arn(version))

    def endpoints(self) -> list[str]:
        return _names(self.target.sagemaker.list_endpoints()["Endpoints"], "EndpointName")

    def configs(self) -> list[str]:
        return _names(self.target.sagemaker.list_endpoint_configs()["EndpointConfigs"], "EndpointConfigName")

    def models(self) -> list[str]:
        return _names(self.target.sagemaker.list_models()["Models"], "ModelName")

    def alarms(self) -> list[str]:
        return _names(self.target.cloudwatch.describe_alarms()["MetricAlarms"], "AlarmName")

    def scaled(self) -> list[str]:
        answer = self.target.autoscaling.describe_scalable_targets(ServiceNamespace="sagemaker")
        return _names(answer["ScalableTargets"], "ResourceId")

    def schedules(self) -> list[str]:
        return _names(self.target.scheduler.list_schedules()["Schedules"], "Name")

    def state(self) -> dict[str, list[str]]:
        """The names of all resources of deployments."""
        kinds = ("endpoints", "configs", "models", "alarms", "scaled", "schedules")
        return {kind: getattr(self, kind)() for kind in kinds}

    def describe_config(self, endpoint: str = "demo") -> Record:
        sagemaker = self.target.sagemaker
        config = sagemaker.describe_endpoint(EndpointName=endpoint)["EndpointConfigName"]
        description: Record = sagemaker.describe_endpoint_config(EndpointConfigName=config)
        return description

    def describe_model(self, endpoint: str = "demo", variant: int = 0) -> Record:
        name = self.describe_config(endpoint)["ProductionVariants"][variant]["ModelName"]
        description: Record = self.target.sagemaker.describe_model(ModelName=name)
        return description

    def remove_deployments(self) -> None:
        """Delete every endpoint, and everything that deployments create beside it."""
        target = self.target
        while names := self.endpoints():
            time.sleep(0.05)
            for name in names:
                # refused while the endpoint is being created, updated or deleted
                with suppress(ClientError):
                    target.sagemaker.delete_endpoint(EndpointName=name)
        for name in self.configs():
            target.sagemaker.delete_endpoint_config(EndpointConfigName=name)
        for name in self.models():
            target.sagemaker.delete_model(ModelName=name)
        if names := self.alarms():
            target.cloudwatch.delete_alarms(AlarmNames=names)
        for name in self.scaled():
            target.autoscaling.deregister_scalable_target(
                ServiceNamespace="sagemaker",
                ResourceId=name,
                ScalableDimension="sagemaker:variant:DesiredInstanceCount",
            )
        for name in self.schedules():
            target.scheduler.delete_schedule(Name=name)


class ClientEvents:
    """Records the requests that the account's clients send, and can answer some in the account's place.

    Requests are validated by botocore before they are answered.
    """

    def __init__(self, target: Target) -> None:
        self.requests: list[tuple[str, Record]] = []
        self._responses: dict[str, Callable[[Record], Record]] = {}
        self._changes: dict[str, Callable[[Record], object]] = {}
        self._clients = [value for value in vars(target).values() if hasattr(value, "meta")]
        self._handlers = (
            ("before-parameter-build", self._record),
            ("before-call", self._respond),
            ("after-call", self._change),
        )

    def __enter__(self) -> ClientEvents:
        for client in self._clients:
            self.listen(client)
        return self

    def __exit__(self, *_: object) -> None:
        for client in self._clients:
            for event, handler in self._handlers:
                client.meta.events.unregister(event, handler)

    def listen(self, client: Any) -> Any:
        for event, handler in self._handlers:
            client.meta.events.register(event, handler)
        return client

    def sent(self, operation: str) -> list[Record]:
        """The requests of an operation, in order."""
        return [request for name, request in self.requests if name == operation]

    def operations(self) -> list[str]:
        return [name for name, _ in self.requests]

    def respond(self, operation: str, response: Callable[[Record], Record] | Record) -> None:
        """Answer requests of an operation before they are sent; the function may raise a Fault."""
        self._responses[operation] = response if callable(response) else lambda _: response

    def fail(self, operation: str, code: str, message: str, status: int = 400, **more: Any) -> None:
        """Answer requests of an operation with an error."""

        def fail(_: Record) -> Record:
            raise Fault(code, message, status, **more)

        self.respond(operation, fail)

    def change(self, operation: str, change: Callable[[Record], object]) -> None:
        """Change the account's responses to an operation."""
        self._changes[operation] = change

    def _record(self, params: Record, model: Any, context: Record, **_: Any) -> None:
        context["request"] = dict(params)
        self.requests.append((model.name, context["request"]))

    def _respond(self, model: Any, context: Record, **_: Any) -> tuple[Any, Record] | None:
        if model.name not in self._responses:
            return None
        try:
            response = self._responses[model.name](context["request"])
        except Fault as fault:
            error = {"Code": fault.code, "Message": fault.message}
            response = {"Error": error, **fault.more, "ResponseMetadata": {"HTTPStatusCode": fault.status}}
            return SimpleNamespace(status_code=fault.status), response
        return SimpleNamespace(status_code=200), {**response, "ResponseMetadata": {"HTTPStatusCode": 200}}

    def _change(self, model: Any, parsed: Record, **_: Any) -> None:
        if model.name in self._changes and "Error" not in parsed:
            self._changes[model.name](parsed)


class Fault(Exception):
    """An error response."""

    def __init__(self, code: str, message: str, status: int = 400, **more: Any) -> None:
        super().__init__(code, message)
        self.code, self.message, self.status, self.more = code, message, status, more


@contextmanager
def local_account(data_dir: Path) -> Iterator[LocalAccount]:
    try:
        yield LocalAccount(data_dir)
    finally:
        stop_server(data_dir)


# Above what tests reach: alarms look at the last minute, which has the errors of tests that ran before.
QUIET_ALARMS = {"max_5xx_errors_per_minute": 1_000_000, "max_latency_in_milliseconds": 60_000}


def minimal_settings(**sections: Any) -> Settings:
    """Settings of a project `demo`, with further sections; updates wait for no alarms, and none goes into ALARM."""
    minimal = {
        "name": "demo",
        "problem_type": "BinaryClassification",
        "data": {"target_column": "y", "drop_columns": ["customer"]},
        "quality": {"metric": "auc", "threshold": 0.9},
        "deployment": {"update": {"wait_seconds": 0, **QUIET_ALARMS}},
    }
    return Settings.model_validate(minimal | sections)


def make_plan(settings: Settings, account: LocalAccount, version: int | None = None, **choice: Any) -> Plan:
    mode, endpoint = choice.pop("mode", "real-time"), choice.pop("endpoint", "demo")
    challenger, weight = choice.pop("challenger", None), choice.pop("weight", 0.1)
    variants = choose_variants(settings, account.target, version, challenger, weight)
    return plan_endpoint(settings, account.target, endpoint, mode, variants)


def deploy(settings: Settings, account: LocalAccount, version: int | None = None, **choice: Any) -> DeploymentResult:
    lines: list[str] = choice.pop("lines", [])
    plan = make_plan(settings, account, version, **choice)
    return deploy_endpoint(settings, account.target, plan, 30, lines.append)


def package_arn(version: int, group: str = "demo") -> str:
    return f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model-package/{group}/{version}"


def _names(items: list[Record], member: str) -> list[str]:
    return sorted(item[member] for item in items)
