"""MLflow Apps and MLflow tracking servers, which `local_sagemaker.services.mlflow` runs once they are used.

A record has the members of the Describe response. An app's is named by the id in its ARN, as apps of one name may exist
more than once; a tracking server's by its name.
"""

import secrets
import string
import time
from importlib import metadata

from local_sagemaker.account import ACCOUNT
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.protocol.paging import page, within
from local_sagemaker.services.mlflow.servers import MlflowServerError, MlflowServerStarting
from local_sagemaker.services.sagemaker.context import Context
from local_sagemaker.services.sagemaker.resource import USER_CONTEXT, Resource, without_tags
from local_sagemaker.storage import record_kinds
from local_sagemaker.storage.record_kinds import RecordKind
from local_sagemaker.storage.records import Record
from local_sagemaker.storage.transfers import ClientFault, split_uri

APPS = Resource(
    record_kinds.MLFLOW_APP,
    missing=("ResourceNotFound", "MLflow App {arn} does not exist."),
    exists=("ConflictException", "MLflow App {arn} already exists."),
)
TRACKING_SERVERS = Resource(
    record_kinds.MLFLOW_TRACKING_SERVER,
    missing=("ResourceNotFound", "MLflow tracking server {arn} does not exist."),
    exists=("ConflictException", "MLflow tracking server {arn} already exists."),
)


def create_app(context: Context, request: Record) -> Record:
    _installed_version()
    app_id = "app-" + "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(12))
    record = {
        "ModelRegistrationMode": "AutoModelRegistrationDisabled",
        "AccountDefaultStatus": "DISABLED",
        **without_tags(request),
        "Arn": APPS.arn(app_id),
        "ArtifactStoreUri": _artifact_store(context, request),
        "Status": "Created",
        **_created(),
    }
    with context.store.transaction():
        _check_default(context, record)
        return APPS.create(context, record, request.get("Tags", []))


def describe_app(context: Context, request: Record) -> Record:
    return {**_app(context, request), "MlflowVersion": _installed_version()}


def list_apps(context: Context, request: Record) -> Record:
    equal: Record = {member: request[member] for member in ("Status", "AccountDefaultStatus") if member in request}
    summaries, next_token = _page(context, APPS.kind, request, equal)
    return {"Summaries": summaries, **next_token}


def update_app(context: Context, request: Record) -> Record:
    with context.store.transaction():
        record = _app(context, request)
        changes = _changes(context, request, "Arn")
        _check_default(context, {**record, **changes})
        APPS.update(context, record, **changes, Status="Updated", **_modified())
    _restart(context, record, changes)
    return {"Arn": record["Arn"]}


def delete_app(context: Context, request: Record) -> Record:
    """Delete an app and its runs; as on AWS, their artifacts remain in S3."""
    record = _app(context, request)
    APPS.delete(context, record)
    context.mlflow_servers.delete(_server_name(record["Arn"]))
    return {"Arn": record["Arn"]}


def create_presigned_app_url(context: Context, request: Record) -> Record:
    return {"AuthorizedUrl": _started(context, _app(context, request), APPS.kind)}


def create_tracking_server(context: Context, request: Record) -> Record:
    installed = _installed_version()
    if _numbers(request.get("MlflowVersion", installed)) > _numbers(installed):
        raise ServiceError(
            "ValidationException",
            f"MlflowVersion {request['MlflowVersion']} is newer than the installed MLflow {installed}; use that "
            "version or an older one, whose clients it serves.",
        )
    record = {
        "TrackingServerSize": "Small",
        "AutomaticModelRegistration": False,
        **without_tags(request),
        "TrackingServerArn": TRACKING_SERVERS.arn(request["TrackingServerName"]),
        "ArtifactStoreUri": _artifact_store(context, request),
        "TrackingServerStatus": "Created",
        **_created(),
    }
    return TRACKING_SERVERS.create(context, record, request.get("Tags", []))


def describe_tracking_server(context: Context, request: Record) -> Record:
    record = _tracking_server(context, request)
    return {
        **_shown(record),
        "TrackingServerUrl": context.mlflow_servers.url(_server_name(record["TrackingServerArn"])),
    }


def list_tracking_servers(context: Context, request: Record) -> Record:
    equal: Record = {member: request[member] for member in ("TrackingServerStatus",) if member in request}
    records, next_token = _page(context, TRACKING_SERVERS.kind, request, equal)
    return {"TrackingServerSummaries": [_shown(record) for record in records], **next_token}


def update_tracking_server(context: Context, request: Record) -> Record:
    with context.store.transaction():
        record = _tracking_server(context, request)
        changes = _changes(context, request, "TrackingServerName")
        status = {} if _is_stopped(record) else {"TrackingServerStatus": "Updated"}
        TRACKING_SERVERS.update(context, record, **changes, **status, **_modified())
    _restart(context, record, changes)
    return {"TrackingServerArn": record["TrackingServerArn"]}


def start_tracking_server(context: Context, request: Record) -> Record:
    return _change_status(context, request, "Started", is_stopped=True)


def stop_tracking_server(context: Context, request: Record) -> Record:
    response = _change_status(context, request, "Stopped", is_stopped=False)
    context.mlflow_servers.stop(_server_name(response["TrackingServerArn"]))
    return response


def delete_tracking_server(context: Context, request: Record) -> Record:
    """Delete a tracking server and its runs; as on AWS, their artifacts remain in S3."""
    record = _tracking_server(context, request)
    TRACKING_SERVERS.delete(context, record)
    context.mlflow_servers.delete(_server_name(record["TrackingServerArn"]))
    return {"TrackingServerArn": record["TrackingServerArn"]}


def create_presigned_tracking_server_url(context: Context, request: Record) -> Record:
    record = _tracking_server(context, request)
    if _is_stopped(record):
        raise _wrong_status(record)
    return {"AuthorizedUrl": _started(context, record, TRACKING_SERVERS.kind)}


def _app(context: Context, request: Record) -> Record:
    return APPS.find(context, request["Arn"].rpartition("/")[2])


def _tracking_server(context: Context, request: Record) -> Record:
    return TRACKING_SERVERS.find(context, request["TrackingServerName"])


def _created() -> Record:
    now = time.time()
    return {"CreationTime": now, "LastModifiedTime": now, "CreatedBy": USER_CONTEXT, "LastModifiedBy": USER_CONTEXT}


def _modified() -> Record:
    return {"LastModifiedTime": time.time(), "LastModifiedBy": USER_CONTEXT}


def _changes(context: Context, request: Record, key: str) -> Record:
    changes = {member: value for member, value in request.items() if member != key}
    return changes | ({"ArtifactStoreUri": _artifact_store(context, request)} if "ArtifactStoreUri" in request else {})


def _artifact_store(context: Context, request: Record) -> str:
    """Return the s3:// URI of the artifact store. Raises ServiceError if its bucket does not exist."""
    if request.get("S3BucketOwnerAccountId", ACCOUNT) != ACCOUNT:
        raise ServiceError("ValidationException", f"All buckets on this machine belong to the account {ACCOUNT}.")
    try:
        bucket, key = split_uri(request["ArtifactStoreUri"])
    except ClientFault as fault:
        raise ServiceError("ValidationException", f"ArtifactStoreUri: {fault}") from fault
    if not context.objects.has_bucket(bucket):
        raise ServiceError("ValidationException", f"ArtifactStoreUri: the bucket {bucket!r} does not exist; create it.")
    return f"s3://{bucket}/{key}".rstrip("/")


def _check_default(context: Context, record: Record) -> None:
    """Raise ServiceError for a second default app of the account."""
    if record["AccountDefaultStatus"] != "ENABLED":
        return
    for other in context.store.all(APPS.kind.kind):
        if other["AccountDefaultStatus"] == "ENABLED" and other["Arn"] != record["Arn"]:
            raise ServiceError(
                "ConflictException",
                f"{other['Arn']} is the default MLflow App of the account; set its AccountDefaultStatus to DISABLED "
                "first.",
            )


def _page(context: Context, kind: RecordKind, request: Record, equal: Record) -> tuple[list[Record], Record]:
    version = {"MlflowVersion": _installed_version()}
    equal = equal | {member: request[member] for member in version if member in request}
    found = [
        record | version
        for record in context.store.all(kind.kind)
        if equal.items() <= {**record, **version}.items()
        and within(record["CreationTime"], request.get("CreatedAfter"), request.get("CreatedBefore"))
    ]
    by = {"Name": kind.name_member, "Status": kind.status_member}.get(request.get("SortBy", ""), "CreationTime")
    return page(found, request, key=lambda record: record[by], name=lambda record: record[kind.arn_member])


def _shown(record: Record) -> Record:
    is_active = "Inactive" if _is_stopped(record) else "Active"
    return {**record, "IsActive": is_active, "MlflowVersion": _installed_version()}


def _is_stopped(record: Record) -> bool:
    return record["TrackingServerStatus"] == "Stopped"


def _change_status(context: Context, request: Record, status: str, *, is_stopped: bool) -> Record:
    """Change the status of a tracking server that is stopped, or is not. Raises ServiceError if it is otherwise."""
    with context.store.transaction():
        record = _tracking_server(context, request)
        if _is_stopped(record) != is_stopped:
            raise _wrong_status(record)
        TRACKING_SERVERS.update(context, record, TrackingServerStatus=status, **_modified())
    return {"TrackingServerArn": record["TrackingServerArn"]}


def _wrong_status(record: Record) -> ServiceError:
    arn, status = record["TrackingServerArn"], record["TrackingServerStatus"]
    return ServiceError("ConflictException", f"MLflow tracking server {arn} is {status}.")


def _started(context: Context, record: Record, kind: RecordKind) -> str:
    """Return the address of the MLflow server of a record, started if it is not running."""
    name = _server_name(record[kind.arn_member])
    try:
        return context.mlflow_servers.start(name, record["ArtifactStoreUri"])
    except MlflowServerStarting as starting:
        # it accepts connections already; a browser waits for the page
        return starting.url
    except MlflowServerError as error:
        raise ServiceError("ConflictException", f"{record[kind.arn_member]}: {error}") from error


def _restart(context: Context, record: Record, changes: Record) -> None:
    """Stop the MLflow server if its artifact store has changed; its next use starts it with the new one."""
    if changes.get("ArtifactStoreUri", record["ArtifactStoreUri"]) != record["ArtifactStoreUri"]:
        context.mlflow_servers.stop(_server_name(record.get("Arn") or record["TrackingServerArn"]))


def _server_name(arn: str) -> str:
    return arn.rpartition(":")[2]


def _installed_version() -> str:
    """Return the version of MLflow, which is not imported. Raises ServiceError if it is not installed."""
    try:
        return metadata.version("mlflow")
    except metadata.PackageNotFoundError:
        raise ServiceError(
            "ValidationException",
            "MLflow is not installed where the local SageMaker runs; install it with `pip install mlflow "
            "sagemaker-mlflow`, and restart the local SageMaker.",
        ) from None


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".") if part.isdecimal()]


OPERATIONS = {
    "CreateMlflowApp": create_app,
    "DescribeMlflowApp": describe_app,
    "ListMlflowApps": list_apps,
    "UpdateMlflowApp": update_app,
    "DeleteMlflowApp": delete_app,
    "CreatePresignedMlflowAppUrl": create_presigned_app_url,
    "CreateMlflowTrackingServer": create_tracking_server,
    "DescribeMlflowTrackingServer": describe_tracking_server,
    "ListMlflowTrackingServers": list_tracking_servers,
    "UpdateMlflowTrackingServer": update_tracking_server,
    "StartMlflowTrackingServer": start_tracking_server,
    "StopMlflowTrackingServer": stop_tracking_server,
    "DeleteMlflowTrackingServer": delete_tracking_server,
    "CreatePresignedMlflowTrackingServerUrl": create_presigned_tracking_server_url,
}
