"""Operations on functions and their tags, and Invoke; each takes the functions and a request."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

from local_sagemaker.account import lambda_arn
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.protocol.paging import page_of_query
from local_sagemaker.services.lambda_.code import (
    MAX_UNZIPPED_BYTES,
    MAX_ZIP_BYTES,
    code_folder,
    delete_code,
    store_code,
)
from local_sagemaker.services.lambda_.manager import (
    KIND,
    LATEST,
    FunctionManager,
    name_and_qualifier,
    paging,
    qualified_arn,
)
from local_sagemaker.services.lambda_.revisions import check_revision, revision_members
from local_sagemaker.services.lambda_.versions import delete_version, publish, versions_of
from local_sagemaker.storage.log_files import lambda_group
from local_sagemaker.storage.objects import BadName
from local_sagemaker.storage.record_query import Query
from local_sagemaker.storage.records import Record

# members that CreateFunction, UpdateFunctionConfiguration and GetFunctionConfiguration have in common
KEPT_MEMBERS = (
    "Runtime",
    "Role",
    "Handler",
    "Description",
    "Timeout",
    "MemorySize",
    "VpcConfig",
    "Environment",
    "KMSKeyArn",
    "TracingConfig",
    "EphemeralStorage",
    "LoggingConfig",
)
DEFAULTS: Record = {"Description": "", "Timeout": 3, "MemorySize": 128, "EphemeralStorage": {"Size": 512}}
STATES = {"State": "Active", "LastUpdateStatus": "Successful"}

# bytes of the payload of a synchronous and an asynchronous invocation
MAX_PAYLOADS = {"RequestResponse": 6_291_556, "Event": 1 << 20}

RESERVED_VARIABLES = (
    "_HANDLER",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SECRET_KEY",
    "AWS_SESSION_TOKEN",
)

NO_HANDLER = "Runtime and Handler are mandatory parameters for functions created with deployment packages."


def create_function(functions: FunctionManager, request: Record) -> Record:
    name = _name(request["FunctionName"])
    if not request.get("Runtime") or not request.get("Handler"):
        raise _invalid(NO_HANDLER)
    _check(name, request)
    archive = _archive(functions, request["Code"])
    with functions.lock:
        if functions.store.get(KIND, name) is not None:
            raise ServiceError("ResourceConflictException", f"Function already exist: {name}")
        digest, size = store_code(functions.folder(name), archive)
        configuration = {
            "FunctionName": name,
            "FunctionArn": lambda_arn(name),
            **DEFAULTS,
            **{member: request[member] for member in KEPT_MEMBERS if member in request},
            "CodeSha256": digest,
            "CodeSize": size,
            "Version": LATEST,
            "PackageType": "Zip",
            "Architectures": request.get("Architectures", ["x86_64"]),
            **revision_members(),
        }
        record = {"Configuration": configuration, "Policy": [], "Tags": request.get("Tags", {})}
        functions.store.put(KIND, name, record)
        published = publish(functions, record) if request.get("Publish") else configuration
    return {**published, **STATES}


def get_function(functions: FunctionManager, request: Record) -> Record:
    record = functions.function(request["FunctionName"], request.get("Qualifier"))
    configuration = functions.configuration(request["FunctionName"], request.get("Qualifier"))
    folder = code_folder(functions.folder(configuration["FunctionName"]), configuration["CodeSha256"])
    return {
        "Configuration": get_configuration(functions, request),
        # Lambda returns a presigned URL; processes on this machine can read the file itself
        "Code": {"RepositoryType": "S3", "Location": (folder / "code.zip").as_uri()},
        "Tags": record["Tags"] or None,
    }


def get_configuration(functions: FunctionManager, request: Record) -> Record:
    name_or_arn, qualifier = request["FunctionName"], request.get("Qualifier")
    configuration = functions.configuration(name_or_arn, qualifier)
    arn = qualified_arn(name_or_arn, qualifier)
    return {**configuration, "FunctionArn": arn, **STATES}


def list_functions(functions: FunctionManager, request: Record) -> Record:
    query = Query(KIND, sort="title")
    found, following = page_of_query(functions.store, query, paging(request), order="Ascending")
    configurations = [record["Configuration"] for record in found]
    if request.get("FunctionVersion") == "ALL":
        configurations = [version for record in found for version in versions_of(record)]
    return {"Functions": configurations, "NextMarker": following.get("NextToken")}


def update_code(functions: FunctionManager, request: Record) -> Record:
    archive = _archive(functions, request)
    with functions.lock:
        record = functions.function(request["FunctionName"])
        name = record["Configuration"]["FunctionName"]
        check_revision(record["Configuration"], request)
        digest, size = store_code(functions.folder(name), archive)
        changes = {"CodeSha256": digest, "CodeSize": size}
        if "Architectures" in request:
            changes["Architectures"] = request["Architectures"]
        if request.get("DryRun"):
            return {**record["Configuration"], **changes, **STATES}
        updated = _apply_changes(functions, record, changes)
        published = publish(functions, functions.function(name)) if request.get("Publish") else updated
    return {**published, **STATES}


def update_configuration(functions: FunctionManager, request: Record) -> Record:
    with functions.lock:
        record = functions.function(request["FunctionName"])
        _check(record["Configuration"]["FunctionName"], request)
        check_revision(record["Configuration"], request)
        changes = {member: request[member] for member in KEPT_MEMBERS if member in request}
        return _apply_changes(functions, record, changes)


def delete_function(functions: FunctionManager, request: Record) -> Record:
    name, version = name_and_qualifier(request["FunctionName"], request.get("Qualifier"))
    if version == LATEST:
        raise _invalid("$LATEST version cannot be deleted without deleting the function.")
    with functions.lock:
        record = functions.function(name, version)
        if version is not None:
            delete_version(functions, record, version)
            return {"StatusCode": 204}
        functions.store.delete(KIND, name)
        for configuration in (record["Configuration"], *record.get("Versions", {}).values()):
            functions.discard_process(configuration)
        delete_code(functions.folder(name))
    return {"StatusCode": 204}


def invoke(functions: FunctionManager, request: Record) -> Record:
    name, kind = request["FunctionName"], request.get("InvocationType", "RequestResponse")
    payload = request.get("Payload", b"")
    executed = functions.configuration(name, request.get("Qualifier"))["Version"]
    arn = qualified_arn(name, request.get("Qualifier"))
    if len(payload) > MAX_PAYLOADS.get(kind, len(payload)):
        raise ServiceError(
            "RequestTooLargeException",
            f"Request must be smaller than {MAX_PAYLOADS[kind]} bytes for the InvokeFunction operation",
        )
    if kind == "DryRun":
        return {"StatusCode": 204, "ExecutedVersion": executed}
    if kind == "Event":
        functions.invoke_later(arn, payload)
        return {"StatusCode": 202}
    invocation = functions.invoke(arn, payload, _client_context(request.get("ClientContext")))
    tail = base64.b64encode(invocation.log.encode()).decode() if request.get("LogType") == "Tail" else None
    return {
        "StatusCode": 200,
        "FunctionError": invocation.error,
        "LogResult": tail,
        "ExecutedVersion": invocation.version,
        "Payload": invocation.payload,
    }


def tag_resource(functions: FunctionManager, request: Record) -> Record:
    return _put_tags(functions, request, lambda tags: {**tags, **request["Tags"]})


def untag_resource(functions: FunctionManager, request: Record) -> Record:
    removed = request["TagKeys"]
    return _put_tags(functions, request, lambda tags: {key: tags[key] for key in tags if key not in removed})


def list_tags(functions: FunctionManager, request: Record) -> Record:
    return {"Tags": functions.function(request["Resource"])["Tags"]}


def _apply_changes(functions: FunctionManager, record: Record, changes: Record) -> Record:
    configuration = {**record["Configuration"], **changes, **revision_members()}
    name = configuration["FunctionName"]
    functions.store.update(KIND, name, Configuration=configuration)
    functions.discard_process(configuration)
    # an invocation may still be using the previous code
    kept = (configuration, record["Configuration"], *record.get("Versions", {}).values())
    delete_code(functions.folder(name), keep={version["CodeSha256"] for version in kept})
    return {**configuration, **STATES}


def _put_tags(functions: FunctionManager, request: Record, change: Callable[[Record], Record]) -> Record:
    with functions.lock:
        record = functions.function(request["Resource"])
        functions.store.update(KIND, record["Configuration"]["FunctionName"], Tags=change(record["Tags"]))
    return {}


def _check(name: str, request: Record) -> None:
    """Raise ServiceError for settings of a function that are not supported on this machine, or not by Lambda."""
    runtime = request.get("Runtime", "python")
    if not runtime.startswith("python"):
        raise _invalid(f"Runtime {runtime} cannot run on this machine; use a Python runtime")
    group = request.get("LoggingConfig", {}).get("LogGroup", lambda_group(name))
    if group != lambda_group(name):
        raise _invalid(
            f"LoggingConfig: the local SageMaker does not implement LogGroup {group!r}; use {lambda_group(name)}"
        )
    variables = request.get("Environment", {}).get("Variables", {})
    reserved = [name for name in variables if name.startswith(("AWS_LAMBDA_", "LAMBDA_")) or name in RESERVED_VARIABLES]
    if reserved:
        raise _invalid(
            "Lambda was unable to configure your environment variables because the environment variables you have "
            "provided contains reserved keys that are currently not supported for modification. Reserved keys used in "
            f"this request: {', '.join(reserved)}"
        )


def _archive(functions: FunctionManager, code: Record) -> bytes:
    """Return the zip archive of a request, given inline or as an object in S3."""
    if "ZipFile" in code:
        if "S3Bucket" in code or "S3Key" in code:
            raise _invalid("Please do not provide other FunctionCode parameters when providing a ZipFile.")
        archive = code["ZipFile"]
    elif "S3Bucket" in code and "S3Key" in code:
        try:
            if functions.objects.info(code["S3Bucket"], code["S3Key"]).size > MAX_UNZIPPED_BYTES:
                raise _invalid(f"s3://{code['S3Bucket']}/{code['S3Key']} exceeds {MAX_UNZIPPED_BYTES} bytes")
            archive = functions.objects.read(code["S3Bucket"], code["S3Key"])
        except (KeyError, BadName) as error:
            raise _invalid(
                "Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: The specified key does "
                f"not exist. ({error})"
            ) from error
    else:
        raise _invalid("Please provide a source for function code: ZipFile, or S3Bucket and S3Key.")
    if len(archive) > MAX_ZIP_BYTES and "ZipFile" in code:
        raise ServiceError("RequestTooLargeException", f"ZipFile must be smaller than {MAX_ZIP_BYTES} bytes; use S3")
    return archive


def _client_context(text: str | None) -> Any:
    try:
        return json.loads(base64.b64decode(text)) if text else None
    except ValueError as error:
        raise ServiceError("InvalidRequestContentException", f"Client context must be a valid JSON: {error}") from error


def _name(name_or_arn: str) -> str:
    name, qualifier = name_and_qualifier(name_or_arn)
    if qualifier is not None or len(name) > 64:
        raise _invalid(f"{name_or_arn!r} is not a function name; use up to 64 letters, digits, '-' and '_'")
    return name


def _invalid(message: str) -> ServiceError:
    return ServiceError("InvalidParameterValueException", message)


OPERATIONS: dict[str, Callable[[FunctionManager, Record], Record]] = {
    "CreateFunction": create_function,
    "GetFunction": get_function,
    "GetFunctionConfiguration": get_configuration,
    "ListFunctions": list_functions,
    "UpdateFunctionCode": update_code,
    "UpdateFunctionConfiguration": update_configuration,
    "DeleteFunction": delete_function,
    "Invoke": invoke,
    "TagResource": tag_resource,
    "UntagResource": untag_resource,
    "ListTags": list_tags,
}
