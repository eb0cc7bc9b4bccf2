"""Search finds the resources that satisfy an expression, sorted and paged."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.protocol.shapes import service_model
from local_sagemaker.protocol.times import iso_time
from local_sagemaker.services.sagemaker.search_expression import condition
from local_sagemaker.storage import record_kinds
from local_sagemaker.storage.records import Record
from tests.local_sagemaker.machine import Machine
from tests.local_sagemaker.services.sagemaker.test_lists import put

JOB_SHAPE: Any = service_model("sagemaker").shape_for("TrainingJob")
DAY = 86400.0
JOBS: dict[str, Record] = {
    "first": {
        "CreationTime": DAY,
        "TrainingJobStatus": "Completed",
        "HyperParameters": {"num.leaves": "31", "rate": "0.3", "kind": "gbdt"},
        "FinalMetricDataList": [{"MetricName": "validation:auc", "Value": 0.9}],
        "InputDataConfig": [
            {"ChannelName": "train", "DataSource": {"S3DataSource": {"S3Uri": "s3://bucket/a"}}},
            {"ChannelName": "validation", "DataSource": {"S3DataSource": {"S3Uri": "s3://bucket/b"}}},
        ],
        "EnableManagedSpotTraining": False,
        "TrainingTimeInSeconds": 10,
    },
    "second": {
        "CreationTime": 2 * DAY,
        "LastModifiedTime": 9 * DAY,
        "TrainingJobStatus": "Failed",
        "HyperParameters": {"rate": "5.7"},
        "EnableManagedSpotTraining": True,
    },
    "third": {
        "CreationTime": 3 * DAY,
        "TrainingJobStatus": "Completed",
        "InputDataConfig": [{"ChannelName": "train", "DataSource": {"S3DataSource": {"S3Uri": "s3://bucket/b"}}}],
        "FinalMetricDataList": [{"MetricName": "validation:auc", "Value": 0.7}],
        "TrainingTimeInSeconds": 20,
    },
}


@pytest.fixture
def jobs(machine: Machine) -> Machine:
    for name, members in JOBS.items():
        arn = f"arn:aws:sagemaker:us-east-1:123456789012:training-job/{name}"
        put(machine, record_kinds.TRAINING_JOB, name, **{"TrainingJobArn": arn, **members})
    for name, team in (("first", "growth"), ("second", "risk")):
        arn = f"arn:aws:sagemaker:us-east-1:123456789012:training-job/{name}"
        machine.service.call("AddTags", {"ResourceArn": arn, "Tags": [{"Key": "team.name", "Value": team}]})
    return machine


def where(name: str, operator: str | None = None, value: str | None = None) -> Record:
    members = {"Name": name, "Operator": operator, "Value": value}
    return {member: text for member, text in members.items() if text is not None}


def names(machine: Machine, *filters: Record, **more: Any) -> list[str]:
    expression = {"SearchExpression": {"Filters": list(filters)}} if filters else {}
    answer = machine.service.call("Search", {"Resource": "TrainingJob", **expression, **more})
    return [result["TrainingJob"]["TrainingJobName"] for result in answer["Results"]]


@pytest.mark.parametrize(
    ("name", "operator", "value", "found"),
    [
        ("TrainingJobName", "Equals", "first", ["first"]),
        ("TrainingJobName", None, "first", ["first"]),
        ("TrainingJobName", "NotEquals", "first", ["third", "second"]),
        ("TrainingJobName", "Contains", "ir", ["third", "first"]),
        ("TrainingJobName", "In", "first,third,fourth", ["third", "first"]),
        ("TrainingTimeInSeconds", "GreaterThan", "10", ["third"]),
        ("TrainingTimeInSeconds", "GreaterThanOrEqualTo", "10", ["third", "first"]),
        ("TrainingTimeInSeconds", "LessThan", "1e1", []),
        ("TrainingTimeInSeconds", "LessThanOrEqualTo", "10.5", ["first"]),
        ("TrainingTimeInSeconds", "NotExists", None, ["second"]),
        ("CreationTime", "GreaterThanOrEqualTo", "1970-01-03T00:00:00", ["third", "second"]),
        ("CreationTime", "LessThan", "1970-01-03T01:00:00+01:00", ["first"]),
        ("EnableManagedSpotTraining", "Equals", "True", ["second"]),
        ("EnableManagedSpotTraining", "NotEquals", "true", ["third", "first"]),
        ("Tags.team.name", "Equals", "growth", ["first"]),
        ("Tags.team.name", "Exists", None, ["second", "first"]),
        ("Metrics.validation:auc", "GreaterThan", "0.8", ["first"]),
        ("HyperParameters.num.leaves", "Equals", "31", ["first"]),
        ("HyperParameters.kind", "Contains", "gb", ["first"]),
        ("HyperParameters.kind", "GreaterThan", "1", []),
        ("HyperParameters.rate", "LessThan", "0.5", ["first"]),
        # compared as integers, and as decimals
        ("HyperParameters.rate", "Equals", "5", ["second"]),
        ("HyperParameters.rate", "Equals", "5.0", []),
        ("InputDataConfig.ChannelName", "Equals", "validation", ["first"]),
        ("InputDataConfig.ChannelName", "NotEquals", "validation", ["third", "second"]),
        ("InputDataConfig", "Exists", None, ["third", "first"]),
        ("FinalMetricDataList.Value", "LessThan", "0.8", ["third"]),
    ],
)
def test_a_filter_compares_a_property_by_its_type(
    jobs: Machine, name: str, operator: str | None, value: str | None, found: list[str]
) -> None:
    newest = {"SortBy": "CreationTime"}
    assert names(jobs, where(name, operator, value), **newest) == found


def test_a_nested_filter_is_satisfied_by_one_item_that_satisfies_all_of_it(jobs: Machine) -> None:
    filters = [
        where("InputDataConfig.ChannelName", "Equals", "train"),
        where("InputDataConfig.DataSource.S3DataSource.S3Uri", "Contains", "bucket/b"),
    ]
    nested = {"NestedFilters": [{"NestedPropertyName": "InputDataConfig", "Filters": filters}]}
    assert names(jobs, SearchExpression=nested) == ["third"]
    assert names(jobs, *filters) == ["third", "first"]


def test_subexpressions_are_combined_by_the_operator(jobs: Machine) -> None:
    completed, spot = where("TrainingJobStatus", "Equals", "Completed"), where("EnableManagedSpotTraining", "Exists")
    either: Record = {"SubExpressions": [{"Filters": [completed]}, {"Filters": [spot]}], "Operator": "Or"}
    assert names(jobs, SearchExpression=either) == ["second", "third", "first"]
    assert names(jobs, SearchExpression={**either, "Operator": "And"}) == ["first"]


def test_results_are_sorted_by_any_property_and_by_the_last_change_by_default(jobs: Machine) -> None:
    assert names(jobs) == ["second", "third", "first"]
    assert names(jobs, SortOrder="Ascending") == ["first", "third", "second"]
    assert names(jobs, SortBy="TrainingJobName", SortOrder="Ascending") == ["first", "second", "third"]
    assert names(jobs, SortBy="Metrics.validation:auc") == ["first", "third", "second"]
    assert names(jobs, SortBy="Tags.team.name") == ["second", "first", "third"]


def test_results_are_paged_and_counted(jobs: Machine) -> None:
    request = {"Resource": "TrainingJob", "MaxResults": 2, "SortBy": "TrainingTimeInSeconds"}
    first = jobs.service.call("Search", request)
    rest = jobs.service.call("Search", {**request, "NextToken": first["NextToken"]})
    found = [result["TrainingJob"]["TrainingJobName"] for page in (first, rest) for result in page["Results"]]
    assert found == ["third", "first", "second"]
    assert first["TotalHits"] == rest["TotalHits"] == {"Value": 3, "Relation": "EqualTo"}
    assert "NextToken" not in rest


@pytest.mark.parametrize(
    "filters",
    [
        [where("TrainingJobStatus", "Equals", "Completed")],
        [where("TrainingJobStatus", None, "Failed")],
        [where("TrainingJobName", "Equals", "third"), where("TrainingJobStatus", "Equals", "Completed")],
    ],
)
@pytest.mark.parametrize("order", ["Ascending", "Descending"])
def test_what_columns_answer_is_what_all_records_answer(jobs: Machine, filters: list[Record], order: str) -> None:
    request = {"Resource": "TrainingJob", "SortBy": "CreationTime", "SortOrder": order}
    indexed = jobs.service.call("Search", {**request, "SearchExpression": {"Filters": filters}})
    # a subexpression is evaluated on every record
    all_read = jobs.service.call("Search", {**request, "SearchExpression": {"SubExpressions": [{"Filters": filters}]}})
    assert indexed == all_read


def test_what_columns_answer_is_paged(jobs: Machine) -> None:
    request = {"Resource": "TrainingJob", "MaxResults": 2, "SortBy": "CreationTime"}
    first = jobs.service.call("Search", request)
    rest = jobs.service.call("Search", {**request, "NextToken": first["NextToken"]})
    assert len(first["Results"]) == 2
    assert len(rest["Results"]) == 1
    assert first["TotalHits"]["Value"] == rest["TotalHits"]["Value"] == 3
    assert "NextToken" not in rest


def test_every_resource_type_that_exists_here_is_found(machine: Machine) -> None:
    call = machine.service.call
    call("CreateModelPackageGroup", {"ModelPackageGroupName": "group", "Tags": [{"Key": "team", "Value": "risk"}]})
    call("CreateModelPackage", {"ModelPackageGroupName": "group"})
    call("CreateModel", {"ModelName": "churn", "PrimaryContainer": {"Image": "image"}})
    kinds = (record_kinds.TUNING_JOB, record_kinds.ENDPOINT, record_kinds.PIPELINE, record_kinds.PIPELINE_EXECUTION)
    for kind in kinds:
        put(machine, kind, "name", **{kind.arn_member: f"arn:{kind.kind}", "Versions": [{"PipelineVersionId": 1}]})
    features = [{"FeatureName": name, "FeatureType": "String"} for name in ("id", "time", "city")]
    members: Record = {"FeatureDefinitions": features, "FeatureGroupArn": "arn:group"}
    members["FeatureMetadata"] = {"id": {"Parameters": {"idType": "primaryKey"}}}
    put(machine, record_kinds.FEATURE_GROUP, "customers", **members)
    filters = {
        "FeatureGroup": where("FeatureGroupName", "Contains", "custom"),
        "FeatureMetadata": where("FeatureName", "Equals", "city"),
        "ModelPackageGroup": where("Tags.team", "Equals", "risk"),
        "ModelPackage": where("ModelApprovalStatus", "Equals", "PendingManualApproval"),
        "Model": where("ModelName", "Equals", "churn"),
        "HyperParameterTuningJob": where("TrainingJobStatusCounters.Completed", "Equals", "0"),
        "Endpoint": where("EndpointName", "Equals", "name"),
        "Pipeline": where("PipelineName", "Equals", "name"),
        "PipelineExecution": where("PipelineExecutionStatus", "Equals", "text"),
        "PipelineVersion": where("PipelineVersionId", "GreaterThan", "0"),
    }
    for resource, item in filters.items():
        answer = call("Search", {"Resource": resource, "SearchExpression": {"Filters": [item]}})
        assert [list(result) for result in answer["Results"]] == [[resource]], resource
    by_parameter = {"Filters": [where("Parameters.idType", "Equals", "primaryKey")]}
    [found] = call("Search", {"Resource": "FeatureMetadata", "SearchExpression": by_parameter})["Results"]
    assert found["FeatureMetadata"]["FeatureName"] == "id"
    by_path = {"Filters": [where("Model.PrimaryContainer.Image", "Equals", "image")]}
    assert call("Search", {"Resource": "Model", "SearchExpression": by_path})["TotalHits"]["Value"] == 1


@pytest.mark.parametrize("resource", ["ExperimentTrialComponent", "ModelCard", "Image", "HubContent"])
def test_of_what_cannot_exist_nothing_is_found(machine: Machine, resource: str) -> None:
    expression = {"Filters": [where("DisplayName", "Equals", "a")]}
    answer = machine.service.call("Search", {"Resource": resource, "SearchExpression": expression})
    assert answer == {"Results": [], "TotalHits": {"Value": 0, "Relation": "EqualTo"}}


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ({}, "needs at least one subexpression, filter, or nested filter"),
        ({"Filters": [where("Colour", "Exists")]}, "Unknown property 'Colour'"),
        ({"Filters": [where("Metrics", "Exists")]}, "Unknown property 'Metrics'"),
        ({"Filters": [where("TrainingJobName", "LessThan", "a")]}, "LessThan is not supported for 'TrainingJobName'"),
        ({"Filters": [where("CreationTime", "Contains", "1")]}, "Contains is not supported for 'CreationTime', a time"),
        ({"Filters": [where("InputDataConfig", "Equals", "1")]}, "'InputDataConfig', a structure property"),
        (
            {"Filters": [where("CreationTime", "Equals", "noon")]},
            "'noon' of the filter of 'CreationTime' is not a time",
        ),
        (
            {"Filters": [where("Metrics.auc", "Equals", "high")]},
            "'high' of the filter of 'Metrics.auc' is not a number",
        ),
        ({"Filters": [where("TrainingJobName")]}, "The filter of 'TrainingJobName' needs a Value"),
        ({"Filters": [where("RoleArn", "Contains", "a")] * 2}, "'CONTAINS' operator usage limit of 1 exceeded."),
        (
            {"NestedFilters": [{"NestedPropertyName": "InputDataConfig", "Filters": [where("ChannelName", "Exists")]}]},
            "must begin with 'InputDataConfig.'",
        ),
        (
            {"NestedFilters": [{"NestedPropertyName": "RoleArn", "Filters": [where("RoleArn.x", "Exists")]}]},
            "'RoleArn' is not a property with nested properties",
        ),
        ({"SubExpressions": [{"Filters": [where("RoleArn", "Exists")] * 20}] * 3}, "can have 50 filters"),
    ],
)
def test_an_invalid_expression_is_refused(machine: Machine, expression: Record, message: str) -> None:
    with pytest.raises(ServiceError, match=f"ValidationException: .*{re.escape(message)}"):
        machine.service.call("Search", {"Resource": "TrainingJob", "SearchExpression": expression})


# the law: an expression is as true as its parts, whose truth is taken from a plain mapping

TEXTS = st.sampled_from(["a", "b", "ab", "a,b", "-1"])
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "TrainingJobName": TEXTS,
    "Environment.K": TEXTS,
    "Tags.a.b": TEXTS,
    "TrainingTimeInSeconds": st.integers(-1, 1),
    "Metrics.m": st.sampled_from([-1.0, 0.5, 1.0]),
    "CreationTime": st.sampled_from([0.0, DAY]),
    "EnableNetworkIsolation": st.booleans(),
}
RESOURCES = st.fixed_dictionaries({}, optional=VALUES)


def as_text(value: Any, name: str) -> str:
    return iso_time(value) if name == "CreationTime" else str(value)


def operators(name: str) -> list[str]:
    ordered = ["GreaterThan", "GreaterThanOrEqualTo", "LessThan", "LessThanOrEqualTo"]
    more = ["In"] if VALUES[name] is TEXTS else [] if name == "EnableNetworkIsolation" else ordered
    return ["Equals", "NotEquals", "Exists", "NotExists", *more]


FILTERS = st.sampled_from(list(VALUES)).flatmap(
    lambda name: st.tuples(st.just(name), st.sampled_from(operators(name)), VALUES[name])
)
EXPRESSIONS = st.recursive(
    FILTERS,
    lambda part: st.tuples(st.sampled_from(["And", "Or"]), st.lists(part, min_size=1, max_size=3)),
    max_leaves=6,
)


def request_of(expression: Any) -> Record:
    if len(expression) == 3:
        name, operator, value = expression
        return {"Filters": [{"Name": name, "Operator": operator, "Value": as_text(value, name)}]}
    operator, parts = expression
    return {"Operator": operator, "SubExpressions": [request_of(part) for part in parts]}


def holds(expression: Any, values: Record) -> bool:
    if len(expression) == 2:
        operator, parts = expression
        return (all if operator == "And" else any)([holds(part, values) for part in parts])
    name, operator, value = expression
    actual = values.get(name)
    if actual is None:
        return operator in ("NotEquals", "NotExists")
    if operator == "In":
        return actual in value.split(",")
    return {
        "Exists": True,
        "NotExists": False,
        "Equals": actual == value,
        "NotEquals": actual != value,
        "GreaterThan": actual > value,
        "GreaterThanOrEqualTo": actual >= value,
        "LessThan": actual < value,
        "LessThanOrEqualTo": actual <= value,
    }[operator]


def resource_of(values: Record) -> Record:
    resource = {name: value for name, value in values.items() if "." not in name}
    if "Environment.K" in values:
        resource["Environment"] = {"K": values["Environment.K"], "other": "a"}
    if "Metrics.m" in values:
        resource["FinalMetricDataList"] = [{"MetricName": "m", "Value": values["Metrics.m"]}]
    tags = [{"Key": "a.b", "Value": values["Tags.a.b"]}] if "Tags.a.b" in values else []
    return resource | {"Tags": [{"Key": "a", "Value": "b"}, *tags]}


@settings(max_examples=50)
@given(EXPRESSIONS, RESOURCES)
def test_an_expression_holds_if_its_parts_do(expression: Any, values: Record) -> None:
    assert condition(JOB_SHAPE, request_of(expression))(resource_of(values)) == holds(expression, values)
