"""Lambda's operations, each a function of the service and the request."""

from __future__ import annotations

import base64
import json
import time
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from local_sagemaker.account import lambda_arn
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.protocol.paging import page
from local_sagemaker.protocol.times import iso_milliseconds
from local_sagemaker.services.lambda_.code import LARGEST_UNPACKED, LARGEST_ZIP, code_folder, forget_code, keep_code
from local_sagemaker.storage.objects import BadName
from local_sagemaker.storage.record_kinds import LAMBDA_FUNCTION
from local_sagemaker.storage.records import Record

if TYPE_CHECKING:
    from local_sagemaker.services.lambda_.service import LambdaService


KIND = LAMBDA_FUNCTION

# members that CreateFunction, UpdateFunctionConfiguration and GetFunctionConfiguration have in common
KEPT_MEMBERS = (
    "Runtime",
    "Role",
    "Handler",
    "Description",
    "Timeout",
    "MemorySize",
    "VpcConfig",
    "DeadLetterConfig",
    "Environment",
    "KMSKeyArn",
    "TracingConfig",
    "EphemeralStorage",
    "LoggingConfig",
)
DEFAULTS: Record = {"Description": "", "Timeout": 3, "MemorySize": 128, "EphemeralStorage": {"Size": 512}}
STATES = {"State": "Active", "LastUpdateStatus": "Successful"}

# the most that an invocation may be given: at once, and later
LARGEST_PAYLOADS = {"RequestResponse": 6_291_556, "Event": 1 << 20}

NO_HANDLER = "Runtime and Handler are mandatory parameters for functions created with deployment packages."


def create_function(functions: LambdaService, request: Record) -> Record:
    name = _name(request["FunctionName"])
    if not request.get("Runtime") or not request.get("Handler"):
        raise _invalid(NO_HANDLER)
    _check(request)
    archive = _archive(functions, request["Code"])
    with functions.lock:
        if functions.store.get(KIND, name) is not None:
            raise ServiceError("ResourceConflictException", f"Function already exist: {name}")
        digest, size = keep_code(functions.folder(name), archive)
        configuration = {
            "FunctionName": name,
            "FunctionArn": lambda_arn(name),
            **DEFAULTS,
            **{member: request[member] for member in KEPT_MEMBERS if member in request},
            "CodeSha256": digest,
            "CodeSize": size,
            "Version": "$LATEST",
            "PackageType": "Zip",
            "Architectures": request.get("Architectures", ["x86_64"]),
            **_stamps(),
        }
        tags = request.get("Tags", {})
        functions.store.put(KIND, name, {"Configuration": configuration, "Policy": [], "Tags": tags})
    return {**configuration, **STATES}


def get_function(functions: LambdaService, request: Record) -> Record:
    record = functions.function(request["FunctionName"], request.get("Qualifier"))
    configuration = record["Configuration"]
    folder = code_folder(functions.folder(configuration["FunctionName"]), configuration["CodeSha256"])
    return {
        "Configuration": {**configuration, **STATES},
        # a URL from which whoever is on this machine can read the archive, as the service gives one for ten minutes
        "Code": {"RepositoryType": "S3", "Location": (folder / "code.zip").as_uri()},
        "Tags": record["Tags"] or None,
    }


def get_configuration(functions: LambdaService, request: Record) -> Record:
    return {**functions.function(request["FunctionName"], request.get("Qualifier"))["Configuration"], **STATES}


def list_functions(functions: LambdaService, request: Record) -> Record:
    given = {"MaxResults": request.get("MaxItems", 50), "NextToken": request.get("Marker")}
    chosen, following = page(
        [record["Configuration"] for record in functions.store.all(KIND)],
        given,
        key=lambda configuration: configuration["FunctionName"],
        name=lambda configuration: configuration["FunctionName"],
        order="Ascending",
    )
    return {"Functions": chosen, "NextMarker": following.get("NextToken")}


def update_code(functions: LambdaService, request: Record) -> Record:
    archive = _archive(functions, request)
    with functions.lock:
        record = functions.function(request["FunctionName"])
        name = record["Configuration"]["FunctionName"]
        _check_revision(record, request)
        digest, size = keep_code(functions.folder(name), archive)
        if request.get("DryRun"):
            return {**record["Configuration"], "CodeSha256": digest, "CodeSize": size, **STATES}
        changes = {"CodeSha256": digest, "CodeSize": size}
        return _changed(functions, record, changes)


def update_configuration(functions: LambdaService, request: Record) -> Record:
    _check(request)
    with functions.lock:
        record = functions.function(request["FunctionName"])
        _check_revision(record, request)
        return _changed(functions, record, {member: request[member] for member in KEPT_MEMBERS if member in request})


def delete_function(functions: LambdaService, request: Record) -> Record:
    with functions.lock:
        name = functions.function(request["FunctionName"], request.get("Qualifier"))["Configuration"]["FunctionName"]
        functions.store.delete(KIND, name)
        functions.forget_processes(name)
        forget_code(functions.folder(name))
    return {"StatusCode": 204}


def invoke(functions: LambdaService, request: Record) -> Record:
    name, kind = request["FunctionName"], request.get("InvocationType", "RequestResponse")
    payload = request.get("Payload", b"")
    functions.function(name, request.get("Qualifier"))
    if len(payload) > LARGEST_PAYLOADS.get(kind, len(payload)):
        raise ServiceError(
            "RequestTooLargeException",
            f"Request must be smaller than {LARGEST_PAYLOADS[kind]} bytes for the InvokeFunction operation",
        )
    if kind == "DryRun":
        return {"StatusCode": 204, "ExecutedVersion": "$LATEST"}
    if kind == "Event":
        functions.invoke_later(name, payload)
        return {"StatusCode": 202}
    invocation = functions.invoke(name, payload, _client_context(request.get("ClientContext")))
    tail = base64.b64encode(invocation.log.encode()).decode() if request.get("LogType") == "Tail" else None
    return {
        "StatusCode": 200,
        "FunctionError": invocation.error,
        "LogResult": tail,
        "ExecutedVersion": "$LATEST",
        "Payload": invocation.payload,
    }


def add_permission(functions: LambdaService, request: Record) -> Record:
    statement = _statement(request)
    with functions.lock:
        record = functions.function(request["FunctionName"], request.get("Qualifier"))
        _check_revision(record, request)
        if any(held["Sid"] == statement["Sid"] for held in record["Policy"]):
            raise ServiceError(
                "ResourceConflictException",
                f"The statement id ({statement['Sid']}) provided already exists. Please provide a new statement id, "
                "or remove the existing statement.",
            )
        statement["Resource"] = record["Configuration"]["FunctionArn"]
        _put_policy(functions, record, [*record["Policy"], statement])
    return {"Statement": json.dumps(statement)}


def remove_permission(functions: LambdaService, request: Record) -> Record:
    with functions.lock:
        record = functions.function(request["FunctionName"], request.get("Qualifier"))
        _check_revision(record, request)
        kept = [statement for statement in record["Policy"] if statement["Sid"] != request["StatementId"]]
        if len(kept) == len(record["Policy"]):
            raise _no_policy(f"Statement {request['StatementId']} is not found in resource policy.")
        _put_policy(functions, record, kept)
    return {}


def get_policy(functions: LambdaService, request: Record) -> Record:
    record = functions.function(request["FunctionName"], request.get("Qualifier"))
    if not record["Policy"]:
        raise _no_policy("The resource you requested does not exist.")
    policy = {"Version": "2012-10-17", "Id": "default", "Statement": record["Policy"]}
    return {"Policy": json.dumps(policy), "RevisionId": record["Configuration"]["RevisionId"]}


def tag_resource(functions: LambdaService, request: Record) -> Record:
    return _put_tags(functions, request, lambda tags: {**tags, **request["Tags"]})


def untag_resource(functions: LambdaService, request: Record) -> Record:
    removed = request["TagKeys"]
    return _put_tags(functions, request, lambda tags: {key: tags[key] for key in tags if key not in removed})


def list_tags(functions: LambdaService, request: Record) -> Record:
    return {"Tags": functions.function(request["Resource"])["Tags"]}


def _changed(functions: LambdaService, record: Record, changes: Record) -> Record:
    configuration = {**record["Configuration"], **changes, **_stamps()}
    name = configuration["FunctionName"]
    functions.store.update(KIND, name, Configuration=configuration)
    functions.forget_processes(name)
    # an invocation may be at work with what was there before
    forget_code(functions.folder(name), but=(configuration["CodeSha256"], record["Configuration"]["CodeSha256"]))
    return {**configuration, **STATES}


def _put_policy(functions: LambdaService, record: Record, policy: list[Record]) -> None:
    functions.store.update(KIND, record["Configuration"]["FunctionName"], Policy=policy)


def _put_tags(functions: LambdaService, request: Record, change: Callable[[Record], Record]) -> Record:
    with functions.lock:
        record = functions.function(request["Resource"])
        functions.store.update(KIND, record["Configuration"]["FunctionName"], Tags=change(record["Tags"]))
    return {}


def _check(request: Record) -> None:
    """Raise ServiceError for what cannot be had on this machine, or not on Lambda either."""
    runtime = request.get("Runtime", "python")
    if request.get("PackageType", "Zip") != "Zip" or not runtime.startswith("python"):
        what = f"Runtime {runtime}" if request.get("PackageType", "Zip") == "Zip" else "PackageType Image"
        raise _invalid(f"{what} cannot run on this machine; Python functions from a zip archive can")
    if request.get("Layers"):
        raise _invalid("Layers cannot be had on this machine; put what the function needs into its archive")
    variables = request.get("Environment", {}).get("Variables", {})
    reserved = [name for name in variables if name.startswith(("AWS_LAMBDA_", "LAMBDA_")) or name in RESERVED]
    if reserved:
        raise _invalid(
            "Lambda was unable to configure your environment variables because the environment variables you have "
            "provided contains reserved keys that are currently not supported for modification. Reserved keys used in "
            f"this request: {', '.join(reserved)}"
        )


RESERVED = (
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


def _archive(functions: LambdaService, code: Record) -> bytes:
    """The zip archive that a request gives, itself or as an object in S3."""
    if "ZipFile" in code:
        archive = code["ZipFile"]
    elif "S3Bucket" in code and "S3Key" in code:
        try:
            if functions.objects.info(code["S3Bucket"], code["S3Key"]).size > LARGEST_UNPACKED:
                raise _invalid(f"s3://{code['S3Bucket']}/{code['S3Key']} exceeds {LARGEST_UNPACKED} bytes")
            archive = functions.objects.read(code["S3Bucket"], code["S3Key"])
        except (KeyError, BadName) as error:
            raise _invalid(
                "Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: The specified key does "
                f"not exist. ({error})"
            ) from error
    else:
        raise _invalid("Please provide a source for function code: ZipFile, or S3Bucket and S3Key.")
    if len(archive) > LARGEST_ZIP and "ZipFile" in code:
        raise ServiceError("RequestTooLargeException", f"ZipFile must be smaller than {LARGEST_ZIP} bytes; use S3")
    return archive


def _statement(request: Record) -> Record:
    principal = request["Principal"]
    condition: Record = {}
    if source := request.get("SourceArn"):
        condition["ArnLike"] = {"AWS:SourceArn": source}
    if account := request.get("SourceAccount"):
        condition["StringEquals"] = {"AWS:SourceAccount": account}
    if principal.isdecimal():
        principal = f"arn:aws:iam::{principal}:root"
    kind = "AWS" if principal.startswith("arn:") else "Service"
    return {
        "Sid": request["StatementId"],
        "Effect": "Allow",
        "Principal": principal if principal == "*" else {kind: principal},
        "Action": request["Action"],
        **({"Condition": condition} if condition else {}),
    }


def _check_revision(record: Record, request: Record) -> None:
    if request.get("RevisionId", record["Configuration"]["RevisionId"]) != record["Configuration"]["RevisionId"]:
        raise ServiceError(
            "PreconditionFailedException",
            "The RevisionId provided does not match the latest RevisionId. Call the GetFunction or the GetAlias API to "
            "retrieve the latest RevisionId for your resource.",
        )


def _client_context(text: str | None) -> Any:
    try:
        return json.loads(base64.b64decode(text)) if text else None
    except ValueError as error:
        raise ServiceError("InvalidRequestContentException", f"Client context must be a valid JSON: {error}") from error


def _stamps() -> Record:
    return {"LastModified": iso_milliseconds(time.time(), "+0000"), "RevisionId": str(uuid.uuid4())}


def _name(name_or_arn: str) -> str:
    name = name_or_arn.rpartition("function:")[2]
    if ":" in name or len(name) > 64:
        raise _invalid(f"{name_or_arn!r} is not a name for a function: up to 64 letters, digits, '-' and '_'")
    return name


def _invalid(message: str) -> ServiceError:
    return ServiceError("InvalidParameterValueException", message)


def _no_policy(message: str) -> ServiceError:
    return ServiceError("ResourceNotFoundException", message)


OPERATIONS: dict[str, Callable[[LambdaService, Record], Record]] = {
    "CreateFunction": create_function,
    "GetFunction": get_function,
    "GetFunctionConfiguration": get_configuration,
    "ListFunctions": list_functions,
    "UpdateFunctionCode": update_code,
    "UpdateFunctionConfiguration": update_configuration,
    "DeleteFunction": delete_function,
    "Invoke": invoke,
    "AddPermission": add_permission,
    "RemovePermission": remove_permission,
    "GetPolicy": get_policy,
    "TagResource": tag_resource,
    "UntagResource": untag_resource,
    "ListTags": list_tags,
}
