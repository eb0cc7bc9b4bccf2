"""How resources of CloudFormation stacks are created, referred to and deleted, by resource type."""

from __future__ import annotations

import io
import logging
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from local_sagemaker.account import ACCOUNT, REGION, lambda_arn
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.services.lambda_.operations import KEPT_MEMBERS
from local_sagemaker.services.lambda_.service import LambdaService
from local_sagemaker.services.moto import state
from local_sagemaker.storage.objects import BadName, NoSuchBucket, ObjectStore
from local_sagemaker.storage.records import Record

log = logging.getLogger(__name__)


class Backends(NamedTuple):
    """The services in which persistent resources are created."""

    functions: LambdaService
    objects: ObjectStore


@dataclass(frozen=True)
class ResourceType:
    """A resource type; its functions take a resource's name and Properties.

    Attributes:
        name: The type's name, e.g. `AWS::S3::Bucket`.
        name_property: The property with which a template names the resource.
        put: Creates the resource, or updates it if it exists.
        attributes: The values of `Ref` and of each attribute of Fn::GetAtt.
        delete: Deletes the resource if it exists.
        persistent: Whether the resource is stored in the data directory, not in moto's memory.
    """

    name: str
    name_property: str
    put: Callable[[Backends, str, Record], None]
    attributes: Callable[[str, Record], Record]
    delete: Callable[[Backends, str, Record], None]
    persistent: bool = False


def _put_function(backends: Backends, name: str, properties: Record) -> None:
    call = backends.functions.call
    code = dict(properties["Code"])
    # in a template, the source of a single module
    if "ZipFile" in code:
        code = {"ZipFile": _zipped(code["ZipFile"])}
    tags = {tag["Key"]: tag["Value"] for tag in properties.get("Tags", [])}
    others = {member: value for member, value in properties.items() if member not in ("Code", "Tags", "FunctionName")}
    # templates may give numbers as strings
    others |= {member: int(others[member]) for member in ("Timeout", "MemorySize") if member in others}
    try:
        call("CreateFunction", {"FunctionName": name, "Code": code, "Tags": tags, **others})
    except ServiceError as error:
        if error.code != "ResourceConflictException":
            raise
        call("UpdateFunctionCode", {"FunctionName": name, **code})
        configuration = {member: value for member, value in others.items() if member in KEPT_MEMBERS}
        call("UpdateFunctionConfiguration", {"FunctionName": name, **configuration})


def _delete_function(backends: Backends, name: str, properties: Record) -> None:
    try:
        backends.functions.call("DeleteFunction", {"FunctionName": name})
    except ServiceError as error:
        log.info("not deleted: %s", error)


def _zipped(text: str) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as members:
        members.writestr("index.py", text)
    return archive.getvalue()


def _put_permission(backends: Backends, name: str, properties: Record) -> None:
    _delete_permission(backends, name, properties)
    members = ("FunctionName", "Action", "Principal", "SourceArn", "SourceAccount")
    given: Record = {member: properties[member] for member in members if member in properties}
    backends.functions.call("AddPermission", {**given, "StatementId": name})


def _delete_permission(backends: Backends, name: str, properties: Record) -> None:
    try:
        request = {"FunctionName": properties["FunctionName"], "StatementId": name}
        backends.functions.call("RemovePermission", request)
    except ServiceError as error:
        log.info("not deleted: %s", error)


def _put_bucket(backends: Backends, name: str, properties: Record) -> None:
    try:
        backends.objects.create_bucket(name)
    except BadName as error:
        raise ServiceError("ValidationError", str(error)) from error


def _delete_bucket(backends: Backends, name: str, properties: Record) -> None:
    try:
        if not backends.objects.delete_bucket(name):
            raise ServiceError("ValidationError", f"The bucket {name} you tried to delete is not empty")
    except NoSuchBucket:
        log.info("not deleted: there is no bucket %s", name)


def _bucket_attributes(name: str, properties: Record) -> Record:
    domain = f"{name}.s3.amazonaws.com"
    regional = f"{name}.s3.{REGION}.amazonaws.com"
    return {"Ref": name, "Arn": f"arn:aws:s3:::{name}", "DomainName": domain, "RegionalDomainName": regional}


def _put_alarm(backends: Backends, name: str, properties: Record) -> None:
    if "Metrics" in properties:
        raise ServiceError(
            "ValidationError",
            f"{name}: the local SageMaker does not support Metrics of AWS::CloudWatch::Alarm; use MetricName, or "
            "create the alarm with PutMetricAlarm",
        )
    integers = {
        key: int(properties[key]) for key in ("Period", "EvaluationPeriods", "DatapointsToAlarm") if key in properties
    }
    state.put_metric_alarm(
        name=name,
        namespace=properties["Namespace"],
        metric_name=properties["MetricName"],
        comparison_operator=properties["ComparisonOperator"],
        evaluation_periods=integers["EvaluationPeriods"],
        datapoints_to_alarm=integers.get("DatapointsToAlarm"),
        period=integers["Period"],
        threshold=float(properties["Threshold"]),
        statistic=properties.get("Statistic", ""),
        extended_statistic=properties.get("ExtendedStatistic"),
        description=properties.get("AlarmDescription", ""),
        dimensions=properties.get("Dimensions", []),
        alarm_actions=properties.get("AlarmActions", []),
        ok_actions=properties.get("OKActions", []),
        insufficient_data_actions=properties.get("InsufficientDataActions", []),
        unit=properties.get("Unit"),
        actions_enabled=str(properties.get("ActionsEnabled", True)).lower() == "true",
        treat_missing_data=properties.get("TreatMissingData"),
    )


def _delete_alarm(backends: Backends, name: str, properties: Record) -> None:
    state.delete_alarm(name)


def _put_subscription(backends: Backends, name: str, properties: Record) -> None:
    state.subscribe(*_subscription_key(properties))


def _subscription_attributes(name: str, properties: Record) -> Record:
    subscription = state.subscription(*_subscription_key(properties))
    arn = subscription.arn if subscription is not None else name
    return {"Ref": arn, "Arn": arn}


def _delete_subscription(backends: Backends, name: str, properties: Record) -> None:
    if (subscription := state.subscription(*_subscription_key(properties))) is not None:
        state.unsubscribe(subscription.arn)


def _subscription_key(properties: Record) -> tuple[str, str, str]:
    return properties["TopicArn"], properties["Endpoint"], properties["Protocol"]


def _put_schedule(backends: Backends, name: str, properties: Record) -> None:
    state.put_schedule(
        description=properties.get("Description", ""),
        end_date=properties.get("EndDate"),
        flexible_time_window=properties["FlexibleTimeWindow"],
        group_name=properties.get("GroupName", "default"),
        kms_key_arn=properties.get("KmsKeyArn", ""),
        name=name,
        schedule_expression=properties["ScheduleExpression"],
        schedule_expression_timezone=properties.get("ScheduleExpressionTimezone", "UTC"),
        start_date=properties.get("StartDate"),
        state=properties.get("State", "ENABLED"),
        target=properties["Target"],
    )


def _delete_schedule(backends: Backends, name: str, properties: Record) -> None:
    state.delete_schedule(properties.get("GroupName", "default"), name)


def _arn(service: str, kind: str) -> Callable[[str, Record], Record]:
    return lambda name, _: {"Ref": name, "Arn": f"arn:aws:{service}:{REGION}:{ACCOUNT}:{kind}{name}"}


RESOURCE_TYPES = (
    ResourceType(
        "AWS::Lambda::Function",
        "FunctionName",
        _put_function,
        lambda name, _: {"Ref": name, "Arn": lambda_arn(name)},
        _delete_function,
        persistent=True,
    ),
    ResourceType(
        "AWS::Lambda::Permission", "Id", _put_permission, lambda name, _: {"Ref": name}, _delete_permission, True
    ),
    ResourceType("AWS::S3::Bucket", "BucketName", _put_bucket, _bucket_attributes, _delete_bucket, persistent=True),
    ResourceType("AWS::CloudWatch::Alarm", "AlarmName", _put_alarm, _arn("cloudwatch", "alarm:"), _delete_alarm),
    ResourceType("AWS::SNS::Subscription", "Id", _put_subscription, _subscription_attributes, _delete_subscription),
    ResourceType(
        "AWS::Scheduler::Schedule", "Name", _put_schedule, _arn("scheduler", "schedule/default/"), _delete_schedule
    ),
)
