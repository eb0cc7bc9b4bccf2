"""Operations on published versions of functions, and on aliases, which point to versions."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.protocol.paging import page
from local_sagemaker.services.lambda_.manager import (
    KIND,
    LATEST,
    FunctionManager,
    name_and_qualifier,
    paging,
    qualified_arn,
)
from local_sagemaker.services.lambda_.revisions import check_revision, revision_members
from local_sagemaker.storage.records import Record

# what a version has of its own; with all else equal, there is nothing new to publish
_OWN_MEMBERS = ("Version", "FunctionArn", "RevisionId", "LastModified", "Description")


def publish_version(functions: FunctionManager, request: Record) -> Record:
    with functions.lock:
        record = functions.function(request["FunctionName"])
        latest = record["Configuration"]
        check_revision(latest, request)
        if request.get("CodeSha256", latest["CodeSha256"]) != latest["CodeSha256"]:
            raise _invalid(f"CodeSHA256 ({request['CodeSha256']}) is different from current CodeSHA256 in $LATEST")
        return publish(functions, record, request.get("Description"))


def publish(functions: FunctionManager, record: Record, description: str | None = None) -> Record:
    """Publish a version of a function as it is now, unless the last version is the same; return its configuration."""
    latest, last = record["Configuration"], record.get("LastVersion", 0)
    previous = record.get("Versions", {}).get(str(last))
    if previous is not None and _content(previous) == _content(latest):
        return dict(previous)
    number, name = str(last + 1), latest["FunctionName"]
    version = {
        **latest,
        "Version": number,
        "FunctionArn": qualified_arn(name, number),
        "Description": latest["Description"] if description is None else description,
        **revision_members(),
    }
    functions.store.update(
        KIND, name, Versions={**record.get("Versions", {}), number: version}, LastVersion=int(number)
    )
    return version


def delete_version(functions: FunctionManager, record: Record, number: str) -> None:
    """Delete a version that no alias points to.

    Raises:
        ServiceError: An alias does, or the number is an alias.
    """
    versions = dict(record["Versions"])
    if number not in versions:
        raise _invalid(f"{number!r} is an alias; delete it with DeleteAlias")
    pointing = [name for name, alias in record.get("Aliases", {}).items() if number in _targets(alias)]
    if pointing:
        raise ServiceError(
            "ResourceConflictException",
            f"Unable to delete version because the following aliases reference it: [{', '.join(pointing)}]",
        )
    functions.discard_process(versions.pop(number))
    _update_without_policy(functions, record, number, Versions=versions)


def versions_of(record: Record) -> list[Record]:
    """Return the configurations of all versions of a function, $LATEST first."""
    latest = record["Configuration"]
    return [
        {**latest, "FunctionArn": qualified_arn(latest["FunctionName"], LATEST)},
        *record.get("Versions", {}).values(),
    ]


def list_versions(functions: FunctionManager, request: Record) -> Record:
    versions = versions_of(functions.function(request["FunctionName"]))
    found, following = page(
        versions,
        paging(request),
        key=lambda version: 0 if version["Version"] == LATEST else int(version["Version"]),
        name=lambda version: version["Version"],
        order="Ascending",
    )
    return {"Versions": found, "NextMarker": following.get("NextToken")}


def create_alias(functions: FunctionManager, request: Record) -> Record:
    alias = request["Name"]
    with functions.lock:
        record = functions.function(request["FunctionName"])
        arn = qualified_arn(record["Configuration"]["FunctionName"], alias)
        if alias in record.get("Aliases", {}):
            raise ServiceError("ResourceConflictException", f"Alias already exists: {arn}")
        return _put_alias(functions, record, {"AliasArn": arn, "Name": alias, "Description": ""}, request)


def update_alias(functions: FunctionManager, request: Record) -> Record:
    with functions.lock:
        record, alias = _alias(functions, request)
        check_revision(alias, request)
        return _put_alias(functions, record, alias, request)


def get_alias(functions: FunctionManager, request: Record) -> Record:
    return _alias(functions, request)[1]


def delete_alias(functions: FunctionManager, request: Record) -> Record:
    with functions.lock:
        record = functions.function(request["FunctionName"])
        remaining = {name: alias for name, alias in record.get("Aliases", {}).items() if name != request["Name"]}
        _update_without_policy(functions, record, request["Name"], Aliases=remaining)
    return {}


def list_aliases(functions: FunctionManager, request: Record) -> Record:
    aliases = functions.function(request["FunctionName"]).get("Aliases", {}).values()
    wanted = request.get("FunctionVersion")
    matching = [alias for alias in aliases if wanted is None or wanted in _targets(alias)]
    found, following = page(
        matching,
        paging(request),
        key=lambda alias: alias["Name"],
        name=lambda alias: alias["Name"],
        order="Ascending",
    )
    return {"Aliases": found, "NextMarker": following.get("NextToken")}


def _put_alias(functions: FunctionManager, record: Record, alias: Record, request: Record) -> Record:
    members = ("FunctionVersion", "Description", "RoutingConfig")
    changed = {**alias, **{member: request[member] for member in members if member in request}}
    if not changed.get("RoutingConfig", {}).get("AdditionalVersionWeights"):
        changed.pop("RoutingConfig", None)
    _check_targets(functions, record, changed)
    changed["RevisionId"] = str(uuid.uuid4())
    aliases = {**record.get("Aliases", {}), alias["Name"]: changed}
    functions.store.update(KIND, record["Configuration"]["FunctionName"], Aliases=aliases)
    return changed


def _update_without_policy(functions: FunctionManager, record: Record, qualifier: str, **changes: Record) -> None:
    """Write a function whose version or alias is deleted, with the statements of its resource policy."""
    name = record["Configuration"]["FunctionName"]
    arn = qualified_arn(name, qualifier)
    kept = [statement for statement in record["Policy"] if statement["Resource"] != arn]
    functions.store.update(KIND, name, Policy=kept, **changes)


def _check_targets(functions: FunctionManager, record: Record, alias: Record) -> None:
    name, targets = record["Configuration"]["FunctionName"], _targets(alias)
    for version in targets:
        if version != LATEST and version not in record.get("Versions", {}):
            raise ServiceError("ResourceNotFoundException", f"Function not found: {qualified_arn(name, version)}")
    if len(targets) > 1 and LATEST in targets:
        raise _invalid("$LATEST is not supported for an alias pointing to more than 1 version.")
    if len(targets) > 2 or len(set(targets)) != len(targets):
        raise _invalid(f"An alias points to at most two different versions, got {', '.join(targets)}")


def _alias(functions: FunctionManager, request: Record) -> tuple[Record, Record]:
    name, _ = name_and_qualifier(request["FunctionName"])
    record = functions.function(name)
    alias = record.get("Aliases", {}).get(request["Name"])
    if alias is None:
        arn = qualified_arn(name, request["Name"])
        raise ServiceError("ResourceNotFoundException", f"Cannot find alias arn: {arn}")
    return record, alias


def _targets(alias: Record) -> list[str]:
    return [alias["FunctionVersion"], *alias.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})]


def _content(configuration: Record) -> Record:
    return {member: value for member, value in configuration.items() if member not in _OWN_MEMBERS}


def _invalid(message: str) -> ServiceError:
    return ServiceError("InvalidParameterValueException", message)


OPERATIONS: dict[str, Callable[[FunctionManager, Record], Record]] = {
    "PublishVersion": publish_version,
    "ListVersionsByFunction": list_versions,
    "CreateAlias": create_alias,
    "GetAlias": get_alias,
    "UpdateAlias": update_alias,
    "DeleteAlias": delete_alias,
    "ListAliases": list_aliases,
}
