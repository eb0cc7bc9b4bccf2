"""CloudFormation's types of resources that are made here: how each is made, referred to and deleted."""

from __future__ import annotations

import io
import logging
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from local_sagemaker.account import ACCOUNT, REGION, lambda_arn
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.services.lambda_.operations import KEPT_MEMBERS
from local_sagemaker.services.lambda_.service import LambdaService
from local_sagemaker.storage.objects import BadName, NoSuchBucket, ObjectStore
from local_sagemaker.storage.records import Record

log = logging.getLogger(__name__)


class Backends(NamedTuple):
    """Services of this machine that make resources."""

    functions: LambdaService
    objects: ObjectStore


@dataclass(frozen=True)
class ResourceType:
    """A type of resource; its functions are given a resource's name and Properties.

    name_property: the property with the name, where a template gives one. make: new, or anew where it is there.
    attributes: what `Ref` and Fn::GetAtt find. kept_here: its state is in the data directory, not in moto.
    """

    type: str
    name_property: str
    make: Callable[[Backends, str, Record], None]
    attributes: Callable[[str, Record], Record]
    delete: Callable[[Backends, str, Record], None]
    kept_here: bool = False


def _put_function(backends: Backends, name: str, properties: Record) -> None:
    call = backends.functions.call
    code = dict(properties["Code"])
    if "ZipFile" in code:  # in a template, the text of the one module
        code = {"ZipFile": _zipped(code["ZipFile"])}
    tags = {tag["Key"]: tag["Value"] for tag in properties.get("Tags", [])}
    others = {member: value for member, value in properties.items() if member not in ("Code", "Tags", "FunctionName")}
    # numbers in templates may be written as texts
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
    except ServiceError as error:  # gone already
        log.info("%s", error)


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
    except ServiceError as error:  # gone already
        log.info("%s", error)


def _put_bucket(backends: Backends, name: str, properties: Record) -> None:
    try:
        backends.objects.create_bucket(name)
    except BadName as error:
        raise ServiceError("ValidationError", str(error)) from error


def _delete_bucket(backends: Backends, name: str, properties: Record) -> None:
    try:
        if not backends.objects.delete_bucket(name):
            raise ServiceError("ValidationError", f"The bucket {name} you tried to delete is not empty")
    except NoSuchBucket:  # gone already
        log.info("there is no bucket %s", name)


def _bucket_attributes(name: str, properties: Record) -> Record:
    domain = f"{name}.s3.amazonaws.com"
    regional = f"{name}.s3.{REGION}.amazonaws.com"
    return {"Ref": name, "Arn": f"arn:aws:s3:::{name}", "DomainName": domain, "RegionalDomainName": regional}


def _put_alarm(backends: Backends, name: str, properties: Record) -> None:
    from moto.cloudwatch.models import cloudwatch_backends

    if "Metrics" in properties:
        raise ServiceError("ValidationError", f"{name}: alarms on Metrics cannot be made by a template here")
    whole = {
        key: int(properties[key]) for key in ("Period", "EvaluationPeriods", "DatapointsToAlarm") if key in properties
    }
    cloudwatch_backends[ACCOUNT][REGION].put_metric_alarm(
        name=name,
        namespace=properties["Namespace"],
        metric_name=properties["MetricName"],
        comparison_operator=properties["ComparisonOperator"],
        evaluation_periods=whole["EvaluationPeriods"],
        datapoints_to_alarm=whole.get("DatapointsToAlarm"),
        period=whole["Period"],
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
    from moto.cloudwatch.models import cloudwatch_backends

    cloudwatch_backends[ACCOUNT][REGION].delete_alarms([name])


def _subscription(properties: Record) -> Any:
    from moto.sns.models import sns_backends

    wanted = (properties["TopicArn"], properties["Endpoint"], properties["Protocol"])
    for subscription in sns_backends[ACCOUNT][REGION].subscriptions.values():
        if (subscription.topic.arn, subscription.endpoint, subscription.protocol) == wanted:
            return subscription
    return None


def _put_subscription(backends: Backends, name: str, properties: Record) -> None:
    from moto.sns.models import sns_backends

    sns_backends[ACCOUNT][REGION].subscribe(properties["TopicArn"], properties["Endpoint"], properties["Protocol"])


def _subscription_attributes(name: str, properties: Record) -> Record:
    subscription = _subscription(properties)
    arn = subscription.arn if subscription is not None else name
    return {"Ref": arn, "Arn": arn}


def _delete_subscription(backends: Backends, name: str, properties: Record) -> None:
    from moto.sns.models import sns_backends

    if (subscription := _subscription(properties)) is not None:
        sns_backends[ACCOUNT][REGION].unsubscribe(subscription.arn)


def _put_schedule(backends: Backends, name: str, properties: Record) -> None:
    from moto.scheduler.models import scheduler_backends

    backend = scheduler_backends[ACCOUNT][REGION]
    given = {
        "description": properties.get("Description", ""),
        "end_date": properties.get("EndDate"),
        "flexible_time_window": properties["FlexibleTimeWindow"],
        "group_name": properties.get("GroupName", "default"),
        "kms_key_arn": properties.get("KmsKeyArn", ""),
        "name": name,
        "schedule_expression": properties["ScheduleExpression"],
        "schedule_expression_timezone": properties.get("ScheduleExpressionTimezone", "UTC"),
        "start_date": properties.get("StartDate"),
        "state": properties.get("State", "ENABLED"),
        "target": properties["Target"],
    }
    if name in backend.get_schedule_group(given["group_name"]).schedules:
        backend.update_schedule(**given)
    else:
        backend.create_schedule(**given, action_after_completion=None)


def _delete_schedule(backends: Backends, name: str, properties: Record) -> None:
    from moto.scheduler.models import scheduler_backends

    group = scheduler_backends[ACCOUNT][REGION].get_schedule_group(properties.get("GroupName", "default"))
    group.schedules.pop(name, None)


def _arn(service: str, kind: str) -> Callable[[str, Record], Record]:
    return lambda name, _: {"Ref": name, "Arn": f"arn:aws:{service}:{REGION}:{ACCOUNT}:{kind}{name}"}


TYPES = (
    ResourceType(
        "AWS::Lambda::Function",
        "FunctionName",
        _put_function,
        lambda name, _: {"Ref": name, "Arn": lambda_arn(name)},
        _delete_function,
        kept_here=True,
    ),
    ResourceType(
        "AWS::Lambda::Permission", "Id", _put_permission, lambda name, _: {"Ref": name}, _delete_permission, True
    ),
    ResourceType("AWS::S3::Bucket", "BucketName", _put_bucket, _bucket_attributes, _delete_bucket, kept_here=True),
    ResourceType("AWS::CloudWatch::Alarm", "AlarmName", _put_alarm, _arn("cloudwatch", "alarm:"), _delete_alarm),
    ResourceType("AWS::SNS::Subscription", "Id", _put_subscription, _subscription_attributes, _delete_subscription),
    ResourceType(
        "AWS::Scheduler::Schedule", "Name", _put_schedule, _arn("scheduler", "schedule/default/"), _delete_schedule
    ),
)
