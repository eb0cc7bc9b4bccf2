"""Functions, and permissions to invoke them, as resources of stacks."""

from __future__ import annotations

import io
import zipfile
from contextlib import suppress

from local_sagemaker.account import lambda_arn
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.services.cloudformation.resource_type import Backends, ResourceType, request_of
from local_sagemaker.services.lambda_.operations import DEFAULTS
from local_sagemaker.storage.records import Record

_CONFIGURATION = (
    "Runtime",
    "Role",
    "Handler",
    "Description",
    "Timeout",
    "MemorySize",
    "Environment",
    "EphemeralStorage",
    "LoggingConfig",
)
# what an update resets properties to that the template no longer has
_DEFAULTS = {**DEFAULTS, "Environment": {"Variables": {}}}


def _function_exists(backends: Backends, name: str, properties: Record) -> bool:
    try:
        backends.functions.function(name)
    except ServiceError:
        return False
    return True


def _create_function(backends: Backends, name: str, properties: Record) -> None:
    others = {member: value for member, value in properties.items() if member not in ("Code", "Tags", "FunctionName")}
    request = request_of("lambda", "CreateFunction", {**others, "FunctionName": name, "Tags": _tags(properties)})
    backends.functions.call("CreateFunction", {**request, "Code": _code(properties)})


def _update_function(backends: Backends, name: str, properties: Record, previous: Record) -> None:
    call = backends.functions.call
    # Layers are refused by the operation; the architecture makes no difference on this machine
    given = {member: properties[member] for member in (*_CONFIGURATION, "Layers") if member in properties}
    configuration = request_of("lambda", "UpdateFunctionConfiguration", {**_DEFAULTS, **given, "FunctionName": name})
    call("UpdateFunctionCode", {"FunctionName": name, **_code(properties)})
    call("UpdateFunctionConfiguration", configuration)
    tags, arn = _tags(properties), lambda_arn(name)
    if removed := sorted(_tags(previous).keys() - tags.keys()):
        call("UntagResource", {"Resource": arn, "TagKeys": removed})
    if tags:
        call("TagResource", {"Resource": arn, "Tags": tags})


def _delete_function(backends: Backends, name: str, properties: Record) -> None:
    backends.functions.call("DeleteFunction", {"FunctionName": name})


def _code(properties: Record) -> Record:
    code = dict(properties["Code"])
    # in a template, the source of a single module
    if "ZipFile" in code:
        code["ZipFile"] = _zipped(code["ZipFile"])
    return code


def _zipped(text: str) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as members:
        members.writestr("index.py", text)
    return archive.getvalue()


def _tags(properties: Record) -> Record:
    return {tag["Key"]: str(tag["Value"]) for tag in properties.get("Tags", [])}


def _permission_exists(backends: Backends, name: str, properties: Record) -> bool:
    with suppress(ServiceError):
        policy = backends.functions.policy(properties["FunctionName"])
        return any(statement["Sid"] == name for statement in policy)
    return False


def _create_permission(backends: Backends, name: str, properties: Record) -> None:
    backends.functions.call("AddPermission", {**properties, "StatementId": name})


def _update_permission(backends: Backends, name: str, properties: Record, previous: Record) -> None:
    """Do nothing: a changed permission is a new one."""


def _delete_permission(backends: Backends, name: str, properties: Record) -> None:
    backends.functions.call("RemovePermission", {"FunctionName": properties["FunctionName"], "StatementId": name})


_PERMISSION = frozenset(("FunctionName", "Action", "Principal", "SourceArn", "SourceAccount"))

LAMBDA_TYPES = (
    ResourceType(
        name="AWS::Lambda::Function",
        name_property="FunctionName",
        properties=frozenset(
            ("FunctionName", "Code", "Tags", "Architectures", "PackageType", "Layers", *_CONFIGURATION)
        ),
        required=("Code", "Role"),
        replacing=frozenset(("PackageType",)),
        exists=_function_exists,
        create=_create_function,
        update=_update_function,
        delete=_delete_function,
        attributes=lambda name, _: {"Ref": name, "Arn": lambda_arn(name)},
        persistent=True,
    ),
    ResourceType(
        name="AWS::Lambda::Permission",
        name_property="Id",
        properties=_PERMISSION,
        required=("FunctionName", "Action", "Principal"),
        replacing=_PERMISSION,
        exists=_permission_exists,
        create=_create_permission,
        update=_update_permission,
        delete=_delete_permission,
        attributes=lambda name, _: {"Ref": name, "Id": name},
        persistent=True,
    ),
)
