"""An account to deploy to, in memory: boto3's real clients, which validate every request, with answers made here.

It keeps what SageMaker, Application Auto Scaling, CloudWatch and EventBridge Scheduler are asked to keep, and an
endpoint becomes what a test says it becomes. Every request is recorded.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import boto3

from project.target import Target

Record = dict[str, Any]

ROLE = "arn:aws:iam::111122223333:role/SageMakerRole"
_ARN = "arn:aws:sagemaker:eu-west-1:111122223333"
_NOW = datetime(2026, 1, 2, tzinfo=UTC)
_CLIENTS = {
    "sagemaker": "sagemaker",
    "autoscaling": "application-autoscaling",
    "cloudwatch": "cloudwatch",
    "scheduler": "scheduler",
    "sns": "sns",
    "logs": "logs",
    "feature_store": "sagemaker-featurestore-runtime",
    "s3": "s3",
}


class Refused(Exception):
    """What an operation answers with an error."""

    def __init__(self, code: str, message: str, status: int = 400, **more: Any) -> None:
        super().__init__(code, message)
        self.code, self.message, self.status, self.more = code, message, status, more


class Account:
    def __init__(self) -> None:
        self.target = Target(ROLE, "bucket", "eu-west-1")
        self.requests: list[tuple[str, Record]] = []
        self.answers: dict[str, Callable[[Record], Record]] = {
            operation: getattr(self, f"_{operation}")
            for operation in (name[1:] for name in dir(type(self)) if name[:1] == "_" and name[1:2].isupper())
        }
        self.packages: dict[int, str] = {}  # approval status by version
        self.models: dict[str, Record] = {}
        self.configs: dict[str, Record] = {}
        self.endpoints: dict[str, Record] = {}
        self.tags: dict[str, list[Record]] = {}
        self.scaled: dict[str, Record] = {}
        self.alarms: dict[str, Record] = {}
        self.schedules: dict[str, Record] = {}
        self.monitoring_schedules: list[Record] = []
        # how a creation or an update ends: the changes to DescribeEndpoint's answer, by default that it succeeds
        self.ending: Record = {}
        for name, service in _CLIENTS.items():
            self.target.__dict__[name] = client(service)
        _current[:] = [self]

    def sent(self, operation: str) -> list[Record]:
        """The requests of an operation, in order."""
        return [request for name, request in self.requests if name == operation]

    def record(self, params: Record, model: Any, context: Record, **_: Any) -> None:
        context["asked"] = dict(params)
        self.requests.append((model.name, context["asked"]))

    def answer(self, model: Any, context: Record, **_: Any) -> tuple[Any, Record]:
        try:
            answer = self.answers.get(model.name, lambda _: {})(context["asked"])
        except Refused as refused:
            error = {"Code": refused.code, "Message": refused.message}
            answer = {"Error": error, **refused.more, "ResponseMetadata": {"HTTPStatusCode": refused.status}}
            return SimpleNamespace(status_code=refused.status), answer
        return SimpleNamespace(status_code=200), {**answer, "ResponseMetadata": {"HTTPStatusCode": 200}}

    # the model registry

    def _ListModelPackages(self, request: Record) -> Record:
        wanted = request.get("ModelApprovalStatus")
        return {
            "ModelPackageSummaryList": [
                {"ModelPackageVersion": version, "ModelPackageArn": package_arn(version)}
                for version, status in sorted(self.packages.items(), reverse=True)
                if wanted in (None, status)
            ]
        }

    def _DescribeModelPackage(self, request: Record) -> Record:
        version = int(request["ModelPackageName"].rsplit("/", 1)[1])
        return {
            "ModelPackageVersion": version,
            "ModelApprovalStatus": self.packages[version],
            "CreationTime": _NOW,
        }

    # SageMaker

    def _CreateModel(self, request: Record) -> Record:
        return self._made(self.models, "model", request["ModelName"], request)

    def _CreateEndpointConfig(self, request: Record) -> Record:
        for variant in request["ProductionVariants"]:
            assert variant["ModelName"] in self.models
        return self._made(self.configs, "endpoint-config", request["EndpointConfigName"], request)

    def _CreateEndpoint(self, request: Record) -> Record:
        self._made(self.endpoints, "endpoint", request["EndpointName"], {"EndpointStatus": "Creating"})
        self._run(request)
        return {}

    def _UpdateEndpoint(self, request: Record) -> Record:
        self._run(request)
        return {}

    def _DescribeEndpoint(self, request: Record) -> Record:
        name = request["EndpointName"]
        return {
            "EndpointName": name,
            "EndpointArn": f"{_ARN}:endpoint/{name}",
            "CreationTime": _NOW,
            "LastModifiedTime": _NOW,
            **_found(self.endpoints, name, "endpoint"),
        }

    def _DescribeEndpointConfig(self, request: Record) -> Record:
        return _found(self.configs, request["EndpointConfigName"], "endpoint configuration")

    def _DescribeModel(self, request: Record) -> Record:
        return _found(self.models, request["ModelName"], "model")

    def _ListEndpoints(self, request: Record) -> Record:
        return {"Endpoints": [_summary("Endpoint", "endpoint", name) for name in self.endpoints]}

    def _ListEndpointConfigs(self, request: Record) -> Record:
        return {"EndpointConfigs": [_summary("EndpointConfig", "endpoint-config", name) for name in self.configs]}

    def _ListModels(self, request: Record) -> Record:
        return {"Models": [_summary("Model", "model", name) for name in self.models]}

    def _ListTags(self, request: Record) -> Record:
        return {"Tags": self.tags.get(request["ResourceArn"], [])}

    def _DeleteEndpoint(self, request: Record) -> Record:
        del self.endpoints[request["EndpointName"]]
        return {}

    def _DeleteEndpointConfig(self, request: Record) -> Record:
        del self.configs[request["EndpointConfigName"]]
        return {}

    def _DeleteModel(self, request: Record) -> Record:
        del self.models[request["ModelName"]]
        return {}

    def _ListMonitoringSchedules(self, request: Record) -> Record:
        return {"MonitoringScheduleSummaries": self.monitoring_schedules}

    def _DescribeMonitoringSchedule(self, request: Record) -> Record:
        return _found({}, request["MonitoringScheduleName"], "monitoring schedule")

    def _DeleteMonitoringSchedule(self, request: Record) -> Record:
        self.monitoring_schedules.clear()
        return {}

    def _DescribeLogStreams(self, request: Record) -> Record:
        raise Refused("ResourceNotFoundException", "The specified log group does not exist.")

    # scaling

    def _RegisterScalableTarget(self, request: Record) -> Record:
        self.scaled[request["ResourceId"]] = request
        return {}

    def _DescribeScalableTargets(self, request: Record) -> Record:
        return {"ScalableTargets": list(self.scaled.values())}

    def _DeregisterScalableTarget(self, request: Record) -> Record:
        del self.scaled[request["ResourceId"]]
        return {}

    # alarms and schedules

    def _PutMetricAlarm(self, request: Record) -> Record:
        self.alarms[request["AlarmName"]] = {"StateValue": "OK", **request}
        return {}

    def _DescribeAlarms(self, request: Record) -> Record:
        return {
            "MetricAlarms": [
                alarm
                for name, alarm in self.alarms.items()
                if name.startswith(request.get("AlarmNamePrefix", ""))
                and name in request.get("AlarmNames", [name])
                and alarm["StateValue"] == request.get("StateValue", alarm["StateValue"])
            ]
        }

    def _DeleteAlarms(self, request: Record) -> Record:
        for name in request["AlarmNames"]:
            del self.alarms[name]
        return {}

    def _ListSchedules(self, request: Record) -> Record:
        prefix = request["NamePrefix"]
        return {
            "Schedules": [{"Name": name, "GroupName": "default"} for name in self.schedules if name.startswith(prefix)]
        }

    def _GetSchedule(self, request: Record) -> Record:
        return self.schedules[request["Name"]]

    def _DeleteSchedule(self, request: Record) -> Record:
        del self.schedules[request["Name"]]
        return {}

    def _made(self, records: dict[str, Record], kind: str, name: str, request: Record) -> Record:
        if name in records:
            raise Refused("ValidationException", f"Cannot create already existing {kind} {name}.")
        records[name] = request
        self.tags[f"{_ARN}:{kind}/{name}"] = request.get("Tags", [])
        return {}

    def _run(self, request: Record) -> None:
        name = request["EndpointName"]
        if "Tags" in request:
            self.tags[f"{_ARN}:endpoint/{name}"] = request["Tags"]
        config = self.configs[request["EndpointConfigName"]]
        before = self.endpoints[name]
        served = {
            "EndpointStatus": "InService",
            "EndpointConfigName": request["EndpointConfigName"],
            "ProductionVariants": [
                {
                    "VariantName": variant["VariantName"],
                    "CurrentWeight": variant["InitialVariantWeight"],
                    "CurrentInstanceCount": variant.get("InitialInstanceCount", 0),
                }
                for variant in config["ProductionVariants"]
            ],
        }
        # an ending that is not in service with the new configuration leaves the old one
        self.endpoints[name] = {**served, **before, **self.ending} if self.ending else served


_current: list[Account] = []


@functools.cache
def client(service: str) -> Any:
    """A client of the account of the test that runs; making one for each test would take most of its time."""
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    made = boto3.client(service, region_name="eu-west-1", **keys)
    made.meta.events.register("before-parameter-build", lambda **event: _current[0].record(**event))
    made.meta.events.register("before-call", lambda **event: _current[0].answer(**event))
    return made


def package_arn(version: int) -> str:
    return f"{_ARN}:model-package/demo/{version}"


def _found(records: dict[str, Record], name: str, kind: str) -> Record:
    if name not in records:
        raise Refused("ValidationException", f'Could not find {kind} "{name}".')
    return records[name]


def _summary(prefix: str, kind: str, name: str) -> Record:
    return {f"{prefix}Name": name, f"{prefix}Arn": f"{_ARN}:{kind}/{name}"}
