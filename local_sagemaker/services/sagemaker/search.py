"""Search: the resources of one type that satisfy an expression.

AWS does not document the default of MaxResults; 10 is assumed, as of List operations. Of resource types that cannot
exist here, there are no resources.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from botocore.model import StructureShape

from local_sagemaker.jobs.tuning.results import described
from local_sagemaker.protocol.paging import page
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
    if "Tags" in shape.members and not needs_tags:
        chosen = [{**item, "Resource": _with_tags(context, item["Identity"], item["Resource"])} for item in chosen]
    return {
        "Results": [{resource_type: item["Resource"]} for item in chosen],
        "TotalHits": {"Value": len(found), "Relation": "EqualTo"},
        **next_token,
    }


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


SOURCES: dict[str, Source] = {
    "TrainingJob": _records(TRAINING_JOB),
    "HyperParameterTuningJob": _tuning_jobs,
    "Model": _models,
    "Endpoint": _records(ENDPOINT),
    "ModelPackage": _records(MODEL_PACKAGE),
    "ModelPackageGroup": _records(MODEL_PACKAGE_GROUP),
    "Pipeline": _records(PIPELINE),
    "PipelineExecution": _records(PIPELINE_EXECUTION),
    "PipelineVersion": _pipeline_versions,
    "FeatureGroup": _records(FEATURE_GROUP),
    "FeatureMetadata": _features,
}

OPERATIONS = {"Search": search}
