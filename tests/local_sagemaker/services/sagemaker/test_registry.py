from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.services.sagemaker.service import SageMakerService
from tests.local_sagemaker.machine import Machine

ARN = "arn:aws:sagemaker:us-east-1:123456789012"
CONTAINER = {"Image": "image:1", "ModelDataUrl": "s3://bucket/model.tar.gz"}
INFERENCE = {"Containers": [CONTAINER], "SupportedContentTypes": ["text/csv"]}


@pytest.fixture
def sagemaker(tmp_path: Path) -> SageMakerService:
    return Machine(tmp_path).service


@pytest.fixture
def group(sagemaker: SageMakerService) -> str:
    sagemaker.call("CreateModelPackageGroup", {"ModelPackageGroupName": "Churn"})
    return "Churn"


def create(sagemaker: SageMakerService, group: str, **more: Any) -> str:
    request = {"ModelPackageGroupName": group, "InferenceSpecification": INFERENCE, **more}
    return sagemaker.call("CreateModelPackage", request)["ModelPackageArn"]


def describe(sagemaker: SageMakerService, name: str) -> dict[str, Any]:
    return sagemaker.call("DescribeModelPackage", {"ModelPackageName": name})


def versions(sagemaker: SageMakerService, **request: Any) -> list[int]:
    found = sagemaker.call("ListModelPackages", {"ModelPackageGroupName": "Churn", **request})
    return [one["ModelPackageVersion"] for one in found["ModelPackageSummaryList"]]


def refused(sagemaker: SageMakerService, operation: str, **request: Any) -> tuple[str, str]:
    with pytest.raises(ServiceError) as raised:
        sagemaker.call(operation, request)
    return raised.value.code, raised.value.message


def test_a_version_is_described_as_it_was_registered(sagemaker: SageMakerService, group: str) -> None:
    file = {"ContentType": "application/json", "S3Uri": "s3://bucket/s.json"}
    bias = {"PreTrainingConstraints": file, "PostTrainingConstraints": file, "ConfigFile": file}
    more = {
        "ModelMetrics": {"ModelQuality": {"Statistics": file}, "Bias": {"Report": file, "PreTrainingReport": file}},
        "DriftCheckBaselines": {"Bias": bias, "Explainability": {"Constraints": file, "ConfigFile": file}},
        "CustomerMetadataProperties": {"commit": "abc"},
        "ModelPackageDescription": "new",
    }
    arn = create(sagemaker, group, ModelApprovalStatus="Approved", **more)
    assert arn == f"{ARN}:model-package/churn/1"
    described = describe(sagemaker, arn)
    assert described == describe(sagemaker, "Churn/1") == {**described, **more, "InferenceSpecification": INFERENCE}
    assert (described["ModelPackageGroupName"], described["ModelPackageVersion"]) == ("Churn", 1)
    assert (described["ModelPackageStatus"], described["ModelApprovalStatus"]) == ("Completed", "Approved")
    assert not {"ClientToken", "LastVersion"} & described.keys()


def test_a_version_is_pending_manual_approval_by_default(sagemaker: SageMakerService, group: str) -> None:
    assert describe(sagemaker, create(sagemaker, group))["ModelApprovalStatus"] == "PendingManualApproval"


def test_version_numbers_increase_and_are_never_reused(sagemaker: SageMakerService, group: str, tmp_path: Path) -> None:
    for _ in range(3):
        create(sagemaker, group)
    sagemaker.call("DeleteModelPackage", {"ModelPackageName": f"{ARN}:model-package/churn/3"})
    assert create(sagemaker, group).endswith("/4")
    again = Machine(tmp_path).service
    again.call("DeleteModelPackage", {"ModelPackageName": "churn/4"})
    assert create(again, group).endswith("/5")
    assert versions(again) == [1, 2, 5]


def test_versions_created_concurrently_do_not_collide(sagemaker: SageMakerService, group: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        arns = list(pool.map(lambda _: create(sagemaker, group), range(40)))
    assert sorted(int(arn.rpartition("/")[2]) for arn in arns) == list(range(1, 41))
    assert sorted(versions(sagemaker, MaxResults=100)) == list(range(1, 41))


def test_a_request_sent_twice_registers_once(sagemaker: SageMakerService, group: str) -> None:
    assert create(sagemaker, group, ClientToken="same") == create(sagemaker, group, ClientToken="same")
    assert create(sagemaker, group, ClientToken="other").endswith("/2")


def test_metadata_may_have_letters_of_all_languages_but_no_commas(sagemaker: SageMakerService, group: str) -> None:
    create(sagemaker, group, CustomerMetadataProperties={"bias": "DI 0.9 for Stadt Köln / age above 25"})
    for value in ("DI 0.9, DPPL 0.1", "DI (0.9)"):
        with pytest.raises(ServiceError, match="failed to satisfy constraint: Member must satisfy regular expression"):
            create(sagemaker, group, CustomerMetadataProperties={"bias": value})


def test_approval_description_and_metadata_can_be_changed(sagemaker: SageMakerService, group: str) -> None:
    arn = create(sagemaker, group, CustomerMetadataProperties={"a": "1", "b": "2"})
    sagemaker.call(
        "UpdateModelPackage",
        {
            "ModelPackageArn": arn,
            "ModelApprovalStatus": "Approved",
            "ApprovalDescription": "looks good",
            "CustomerMetadataProperties": {"b": "3", "c": "4"},
            "CustomerMetadataPropertiesToRemove": ["a"],
        },
    )
    described = describe(sagemaker, arn)
    assert (described["ModelApprovalStatus"], described["ApprovalDescription"]) == ("Approved", "looks good")
    assert described["CustomerMetadataProperties"] == {"b": "3", "c": "4"}
    assert described["LastModifiedTime"] > described["CreationTime"]
    assert versions(sagemaker, ModelApprovalStatus="Approved") == [1]
    assert versions(sagemaker, ModelApprovalStatus="Rejected") == []
    code, message = refused(sagemaker, "UpdateModelPackage", ModelPackageArn=arn, ModelApprovalStatus="Maybe")
    assert (code, "[Approved, Rejected, PendingManualApproval]" in message) == ("ValidationException", True)
    many = {f"key{number}": "x" for number in range(50)}
    assert refused(sagemaker, "UpdateModelPackage", ModelPackageArn=arn, CustomerMetadataProperties=many)[0] == (
        "ValidationException"
    )
    assert describe(sagemaker, arn) == described


def test_an_added_inference_specification_replaces_that_of_its_name(sagemaker: SageMakerService, group: str) -> None:
    arn = create(sagemaker, group)
    for image in ("old", "new", "new"):
        added = [{"Name": "gpu", "Containers": [{"Image": image}]}]
        sagemaker.call("UpdateModelPackage", {"ModelPackageArn": arn, "AdditionalInferenceSpecificationsToAdd": added})
    assert describe(sagemaker, arn)["AdditionalInferenceSpecifications"] == added


def test_versions_are_listed_in_pages_oldest_first(sagemaker: SageMakerService, group: str) -> None:
    for number in range(12):
        create(sagemaker, group, ModelApprovalStatus="Approved" if number % 3 == 0 else "Rejected")
    assert versions(sagemaker) == list(range(1, 11)), "ten to a page"
    assert versions(sagemaker, SortOrder="Descending", MaxResults=2) == [12, 11]
    latest = {"ModelApprovalStatus": "Approved", "SortBy": "CreationTime", "SortOrder": "Descending", "MaxResults": 1}
    assert versions(sagemaker, **latest) == [10]
    request = {"ModelPackageGroupName": group, "SortOrder": "Descending", "MaxResults": 5}
    seen = []
    while True:
        page = sagemaker.call("ListModelPackages", request)
        seen += [one["ModelPackageVersion"] for one in page["ModelPackageSummaryList"]]
        if "NextToken" not in page:
            break
        request["NextToken"] = page["NextToken"]
    assert seen == list(range(12, 0, -1))


def test_packages_without_a_group_are_listed_separately(sagemaker: SageMakerService, group: str) -> None:
    create(sagemaker, group)
    arn = sagemaker.call("CreateModelPackage", {"ModelPackageName": "Alone"})["ModelPackageArn"]
    assert arn == f"{ARN}:model-package/alone"
    assert "ModelPackageVersion" not in describe(sagemaker, "Alone")

    def listed(**request: str) -> list[str]:
        found = sagemaker.call("ListModelPackages", {"SortOrder": "Ascending", **request})
        return [one["ModelPackageArn"].rpartition("package/")[2] for one in found["ModelPackageSummaryList"]]

    assert listed() == ["alone"]
    assert listed(ModelPackageType="Versioned") == ["churn/1"]
    assert listed(ModelPackageType="Both") == ["churn/1", "alone"]
    code, message = refused(sagemaker, "CreateModelPackage", ModelPackageName="Alone")
    assert (code, "ModelPackage already exists" in message) == ("ValidationException", True)
    assert refused(sagemaker, "CreateModelPackage", ModelPackageName="B", ModelPackageGroupName=group) == (
        "ValidationException",
        "Both ModelPackageName and ModelPackageGroupName are provided in the input. Cannot determine which one to use.",
    )
    assert refused(sagemaker, "CreateModelPackage") == ("ValidationException", "Missing ARN.")


def test_an_empty_group_can_be_deleted(sagemaker: SageMakerService, group: str) -> None:
    create(sagemaker, group)
    code, message = refused(sagemaker, "CreateModelPackageGroup", ModelPackageGroupName=group)
    existing = f"{ARN}:model-package-group/churn"
    assert (code, message) == ("ValidationException", f"Model Package Group already exists: {existing}")
    assert refused(sagemaker, "DeleteModelPackageGroup", ModelPackageGroupName=group) == (
        "ConflictException",
        f"Model Package Group {existing} cannot be deleted because it still contains Model Packages",
    )
    sagemaker.call("DeleteModelPackage", {"ModelPackageName": "Churn/1"})
    sagemaker.call("DeleteModelPackageGroup", {"ModelPackageGroupName": f"{ARN}:model-package-group/churn"})
    assert refused(sagemaker, "DescribeModelPackageGroup", ModelPackageGroupName=group) == (
        "ValidationException",
        f"ModelPackageGroup {existing} does not exist.",
    )
    assert refused(sagemaker, "DescribeModelPackage", ModelPackageName="Churn/1") == (
        "ValidationException",
        f"ModelPackage {ARN}:model-package/churn/1 does not exist.",
    )
    assert refused(sagemaker, "CreateModelPackage", ModelPackageGroupName=group)[0] == "ValidationException"


def test_groups_are_listed_by_name_and_time(sagemaker: SageMakerService) -> None:
    for name in ("b-model", "a-model", "other"):
        sagemaker.call("CreateModelPackageGroup", {"ModelPackageGroupName": name})

    def listed(**request: str) -> list[str]:
        found = sagemaker.call("ListModelPackageGroups", request)["ModelPackageGroupSummaryList"]
        return [one["ModelPackageGroupName"] for one in found]

    assert listed() == ["b-model", "a-model", "other"]
    assert listed(NameContains="model", SortBy="Name", SortOrder="Ascending") == ["a-model", "b-model"]


# tags


def test_tags_are_added_replaced_and_removed(sagemaker: SageMakerService) -> None:
    tags = [{"Key": "team", "Value": "a"}, {"Key": "cost", "Value": "1"}]
    arn = sagemaker.call("CreateModelPackageGroup", {"ModelPackageGroupName": "Churn", "Tags": tags})[
        "ModelPackageGroupArn"
    ]
    more = [{"Key": "cost", "Value": "2"}, {"Key": "new", "Value": ""}]
    merged = [tags[0], more[0], more[1]]
    assert sagemaker.call("AddTags", {"ResourceArn": arn, "Tags": more}) == {"Tags": merged}
    sagemaker.call("DeleteTags", {"ResourceArn": arn, "TagKeys": ["team", "absent"]})
    assert sagemaker.call("ListTags", {"ResourceArn": arn}) == {"Tags": more}
    many = [{"Key": str(number), "Value": ""} for number in range(49)]
    assert refused(sagemaker, "AddTags", ResourceArn=arn, Tags=many)[0] == "ResourceLimitExceeded"
    assert sagemaker.call("ListTags", {"ResourceArn": arn}) == {"Tags": more}


def test_tags_of_a_missing_resource_are_refused(sagemaker: SageMakerService) -> None:
    for arn in (f"{ARN}:model-package-group/nope", f"{ARN}:pipeline/nope", f"{ARN}:endpoint/nope"):
        assert refused(sagemaker, "ListTags", ResourceArn=arn)[0] == "ResourceNotFound"


def test_tags_are_deleted_with_their_resource(sagemaker: SageMakerService, group: str) -> None:
    tags = [{"Key": "a", "Value": "b"}]
    arn = create(sagemaker, group, Tags=tags)
    assert sagemaker.call("ListTags", {"ResourceArn": arn})["Tags"] == tags
    sagemaker.call("DeleteModelPackage", {"ModelPackageName": arn})
    assert refused(sagemaker, "ListTags", ResourceArn=arn)[0] == "ResourceNotFound"


def test_packages_are_described_together_and_those_that_do_not_exist_are_named(
    sagemaker: SageMakerService, group: str
) -> None:
    arn, missing = create(sagemaker, group), f"{ARN}:model-package/churn/9"
    answer = sagemaker.call("BatchDescribeModelPackage", {"ModelPackageArnList": [arn, missing]})
    assert answer["ModelPackageSummaries"][arn]["ModelApprovalStatus"] == "PendingManualApproval"
    assert answer["BatchDescribeModelPackageErrorMap"][missing]["ErrorCode"] == "ValidationException"
    assert len(answer["ModelPackageSummaries"]) == 1
