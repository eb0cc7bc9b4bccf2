"""Search: the resources of one type that satisfy an expression.

AWS does not document the default of MaxResults; 10 is assumed, as of List operations. Of resource types that cannot
exist here, there are no resources.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from botocore.model import StructureShape

from local_sagemaker.jobs.tuning.results import described
from local_sagemaker.protocol.paging import page, page_of_query
from local_sagemaker.protocol.shapes import service_model
from local_sagemaker.services.sagemaker.context import Context
from local_sagemaker.services.sagemaker.feature_groups import feature_metadata
from local_sagemaker.services.sagemaker.search_expression import Property, all_filters, condition, find_property
from local_sagemaker.services.sagemaker.tags import get_tags
from local_sagemaker.storage.record_kinds import (
    ENDPOINT,
    FEATURE_GROUP,
    MODEL,
    MODEL_PACKAGE,
    MODEL_PACKAGE_GROUP,
    PIPELINE,
    PIPELINE_EXECUTION,
    TRAINING_JOB,
    TUNING_JOB,
    RecordKind,
)
from local_sagemaker.storage.record_query import Query
from local_sagemaker.storage.records import Record

# yields resources as SearchRecord has them, without tags, each with an identity that sorts resources of equal
# properties; that of resources with tags is their ARN
Source = Callable[[Context], Iterator[tuple[str, Record]]]


def search(context: Context, request: Record) -> Record:
    resource_type = request["Resource"]
    if resource_type not in SOURCES:
        return {"Results": [], "TotalHits": {"Value": 0, "Relation": "EqualTo"}}
    shape: Any = service_model("sagemaker").shape_for("SearchRecord")
    shape = shape.members[resource_type]
    expression = request.get("SearchExpression")
    holds = condition(shape, expression) if expression is not None else None
    sort_key = _sort_key(shape, request.get("SortBy"))
    if (query := _indexed_query(resource_type, request)) is not None:
        records, next_token = page_of_query(context.store, query, request)
        if "Tags" in shape.members:
            records = [_with_tags(context, record[KINDS[resource_type].arn_member], record) for record in records]
        return _response(resource_type, records, context.store.count(query), next_token)
    resources = SOURCES[resource_type](context)
    # tags take a read for each resource: without a need, only the page's are read
    needs_tags = "Tags" in shape.members and _names_tags(expression or {}, request.get("SortBy", ""))
    if needs_tags:
        resources = ((identity, _with_tags(context, identity, resource)) for identity, resource in resources)
    found = [item for item in resources if holds is None or holds(item[1])]
    chosen, next_token = page(
        [{"Identity": identity, "Resource": resource} for identity, resource in found],
        request,
        key=lambda item: sort_key(item["Resource"]),
        name=lambda item: item["Identity"],
    )
    records = [item["Resource"] for item in chosen]
    if "Tags" in shape.members and not needs_tags:
        records = [_with_tags(context, item["Identity"], item["Resource"]) for item in chosen]
    return _response(resource_type, records, len(found), next_token)


def _response(resource_type: str, records: list[Record], hits: int, next_token: Record) -> Record:
    return {
        "Results": [{resource_type: record} for record in records],
        "TotalHits": {"Value": hits, "Relation": "EqualTo"},
        **next_token,
    }


def _indexed_query(resource_type: str, request: Record) -> Query | None:
    """Return the query of columns that answers a request without reading all records; None if there is none.

    There is one for filters that compare members in columns for equality, sorted by the time of creation.
    """
    kind, expression = KINDS.get(resource_type), request.get("SearchExpression") or {}
    if kind is None or request.get("SortBy") != "CreationTime" or expression.keys() - {"Filters"}:
        return None
    columns = {path: column for column, path in kind.column_paths.items() if column not in ("created", "modified")}
    equal: dict[str, str] = {}
    for item in expression.get("Filters", ()):
        column = columns.get(item["Name"])
        if column is None or column in equal or item.get("Operator", "Equals") != "Equals" or "Value" not in item:
            return None
        equal[column] = item["Value"]
    return Query(kind.kind, equal=equal, sort="created")


def _sort_key(shape: StructureShape, sort_by: str | None) -> Callable[[Record], Any]:
    """Return what resources are sorted by: a property, by default the time of their last change."""
    if sort_by is not None:
        return find_property(shape, sort_by).first
    # what has not been changed has no LastModifiedTime
    times: list[Property] = [
        find_property(shape, name)
        for name in ("LastModifiedTime", "CreationTime", "Model.CreationTime")
        if name.partition(".")[0] in shape.members
    ]
    return lambda resource: max(time.first(resource) for time in times)


def _names_tags(expression: Record, sort_by: str) -> bool:
    """Return whether an expression or an order depends on tags."""
    names = [sort_by, *(item["Name"] for item in all_filters(expression))]
    return any(name.partition(".")[0] == "Tags" for name in names)


def _with_tags(context: Context, arn: str, resource: Record) -> Record:
    return {**resource, "Tags": get_tags(context, arn)}


def _records(kind: RecordKind) -> Source:
    """Return the source of a kind's records, each with its ARN."""

    def source(context: Context) -> Iterator[tuple[str, Record]]:
        for record in context.store.all(kind.kind):
            yield record[kind.arn_member], record

    return source


def _tuning_jobs(context: Context) -> Iterator[tuple[str, Record]]:
    for arn, record in _records(TUNING_JOB)(context):
        yield arn, described(context.store, record)


def _models(context: Context) -> Iterator[tuple[str, Record]]:
    for arn, record in _records(MODEL)(context):
        yield arn, {"Model": record}


def _pipeline_versions(context: Context) -> Iterator[tuple[str, Record]]:
    for pipeline in context.store.all(PIPELINE.kind):
        for version in pipeline["Versions"]:
            identity = f"{pipeline['PipelineArn']}/version/{version['PipelineVersionId']:09}"
            yield identity, {"PipelineArn": pipeline["PipelineArn"], **version}


def _features(context: Context) -> Iterator[tuple[str, Record]]:
    for arn, group in _records(FEATURE_GROUP)(context):
        for feature in group["FeatureDefinitions"]:
            yield f"{arn}/{feature['FeatureName']}", feature_metadata(group, feature["FeatureName"])


# resources that are records as they stand
KINDS = {
    "TrainingJob": TRAINING_JOB,
    "Endpoint": ENDPOINT,
    "ModelPackage": MODEL_PACKAGE,
    "ModelPackageGroup": MODEL_PACKAGE_GROUP,
    "Pipeline": PIPELINE,
    "PipelineExecution": PIPELINE_EXECUTION,
    "FeatureGroup": FEATURE_GROUP,
}
SOURCES: dict[str, Source] = {
    **{resource_type: _records(kind) for resource_type, kind in KINDS.items()},
    "HyperParameterTuningJob": _tuning_jobs,
    "Model": _models,
    "PipelineVersion": _pipeline_versions,
    "FeatureMetadata": _features,
}

OPERATIONS = {"Search": search}
