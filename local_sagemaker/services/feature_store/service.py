"""The sagemaker-featurestore-runtime service: records of feature groups."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable

from werkzeug.wrappers import Request, Response

from local_sagemaker.protocol import rest_json
from local_sagemaker.protocol.bodies import read_body
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.protocol.options import Members, Options
from local_sagemaker.protocol.shapes import operation_model, shaped
from local_sagemaker.services.feature_store.feature_values import Values, feature_list, invalid, iso_expiration
from local_sagemaker.services.feature_store.online_store import OnlineRecord
from local_sagemaker.services.feature_store.store import ONLINE, FeatureGroup, FeatureStore
from local_sagemaker.storage.records import Record

SERVICE = "sagemaker-featurestore-runtime"
DEFAULT_PAGE = 100

OPTIONS = Options(
    SERVICE,
    {
        "PutRecordRequest": Members("TargetStores TtlDuration"),
        "FeatureValue": Members("ValueAsString ValueAsStringList"),
        "GetRecordRequest": Members("FeatureNames ExpirationTimeResponse"),
        "DeleteRecordRequest": Members("TargetStores DeletionMode"),
        "BatchGetRecordRequest": Members("ExpirationTimeResponse"),
        "BatchGetRecordIdentifier": Members("FeatureNames"),
        "BatchWriteRecordRequest": Members("TtlDuration"),
        "BatchWriteRecordEntry": Members("TargetStores TtlDuration"),
        "ListRecordsRequest": Members("MaxResults NextToken IncludeSoftDeletedRecords"),
        "UpdateRecordRequest": Members("TargetStores TtlDuration"),
    },
)


class FeatureStoreRuntime:
    """The runtime of one data directory's feature groups."""

    def __init__(self, feature_store: FeatureStore) -> None:
        self._feature_store = feature_store

    def respond(self, request: Request) -> Response:
        """Answer an HTTP request."""
        try:
            operation, members = rest_json.read_request(SERVICE, request, read_body(request))
            return rest_json.write_response(SERVICE, operation, self.call(operation, members))
        except ServiceError as error:
            # the service's own code for what the other services call ValidationException
            if error.code == "ValidationException":
                error = ServiceError("ValidationError", error.message)
            return rest_json.write_error(SERVICE, error)

    def call(self, operation: str, request: Record) -> Record:
        """Answer an operation, e.g. `call("GetRecord", {...})`.

        Raises:
            ServiceError: Feature Store's error.
        """
        model = operation_model(SERVICE, operation)
        response = OPERATIONS[operation](self._feature_store, OPTIONS.checked(operation, request))
        return shaped(model.output_shape, response) if model.output_shape else {}


def put_record(store: FeatureStore, request: Record) -> Record:
    store.put(store.group(request["FeatureGroupName"], missing="ValidationError"), request)
    return {}


def get_record(store: FeatureStore, request: Record) -> Record:
    group = store.group(request["FeatureGroupName"])
    names = _checked_names(group, request.get("FeatureNames"))
    found = store.get(group, request["RecordIdentifierValueAsString"])
    return {} if found is None else _response(found, names, request)


def delete_record(store: FeatureStore, request: Record) -> Record:
    store.delete(store.group(request["FeatureGroupName"], missing="ValidationError"), request)
    return {}


def update_record(store: FeatureStore, request: Record) -> Record:
    store.update(store.group(request["FeatureGroupName"]), request)
    return {}


def batch_get_record(store: FeatureStore, request: Record) -> Record:
    records: list[Record] = []
    errors: list[Record] = []
    for identifiers in request["Identifiers"]:
        for record_id in dict.fromkeys(identifiers["RecordIdentifiersValueAsString"]):
            key = {"FeatureGroupName": identifiers["FeatureGroupName"], "RecordIdentifierValueAsString": record_id}
            try:
                found = get_record(
                    store,
                    {
                        **key,
                        "FeatureNames": identifiers.get("FeatureNames"),
                        "ExpirationTimeResponse": request.get("ExpirationTimeResponse"),
                    },
                )
            except ServiceError as error:
                errors.append({**key, "ErrorCode": error.code, "ErrorMessage": error.message})
            else:
                # like GetRecord, without an error for a record that does not exist
                records += [{**key, **found}] if found else []
    return {"Records": records, "Errors": errors, "UnprocessedIdentifiers": []}


def batch_write_record(store: FeatureStore, request: Record) -> Record:
    errors: list[Record] = []
    for entry in request["Entries"]:
        try:
            put_record(store, {"TtlDuration": request.get("TtlDuration"), **entry})
        except ServiceError as error:
            errors.append({"Entry": entry, "ErrorCode": error.code, "ErrorMessage": error.message})
    return {"Errors": errors, "UnprocessedEntries": []}


def list_records(store: FeatureStore, request: Record) -> Record:
    group = store.group(request["FeatureGroupName"])
    group.require(ONLINE)
    limit = request.get("MaxResults", DEFAULT_PAGE)
    after = _decoded(request["NextToken"]) if "NextToken" in request else ""
    found = store.online.identifiers(group.key, after, limit + 1, request.get("IncludeSoftDeletedRecords", False))
    next_token = {"NextToken": _encoded(found[limit - 1])} if len(found) > limit else {}
    return {"RecordIdentifiers": found[:limit], **next_token}


OPERATIONS: dict[str, Callable[[FeatureStore, Record], Record]] = {
    "PutRecord": put_record,
    "GetRecord": get_record,
    "DeleteRecord": delete_record,
    "UpdateRecord": update_record,
    "BatchGetRecord": batch_get_record,
    "BatchWriteRecord": batch_write_record,
    "ListRecords": list_records,
}


def _checked_names(group: FeatureGroup, names: list[str] | None) -> list[str] | None:
    known = {definition["FeatureName"] for definition in group.description["FeatureDefinitions"]}
    if unknown := [name for name in names or () if name not in known]:
        name = group.description["FeatureGroupName"]
        raise invalid(f"FeatureNames {', '.join(unknown)} are not defined in FeatureGroup [{name}]")
    return names


def _response(record: OnlineRecord, names: list[str] | None, request: Record) -> Record:
    values: Values = record.values
    if names is not None:
        values = {name: values[name] for name in names if name in values}
    response: Record = {"Record": feature_list(values)}
    if request.get("ExpirationTimeResponse") == "Enabled" and record.expires is not None:
        response["ExpiresAt"] = iso_expiration(record.expires)
    return response


def _encoded(record_id: str) -> str:
    return base64.urlsafe_b64encode(record_id.encode()).decode()


def _decoded(token: str) -> str:
    try:
        return base64.urlsafe_b64decode(token.encode()).decode()
    except (binascii.Error, ValueError):
        raise invalid("NextToken is not from an earlier response") from None
