"""A set-up script and a look around: a role with AWS's policies, and Search over what an account has."""

import json
import time

import boto3

NAME = "search-and-policies"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
POLICIES = [
    "arn:aws:iam::aws:policy/AmazonSageMakerFullAccess",
    "arn:aws:iam::aws:policy/AmazonS3FullAccess",
    "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole",
]

iam, sagemaker = boto3.client("iam"), boto3.client("sagemaker")

role = iam.create_role(RoleName=NAME, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
for arn in POLICIES:
    iam.attach_role_policy(RoleName=NAME, PolicyArn=arn)
attached = [policy["PolicyArn"] for policy in iam.list_attached_role_policies(RoleName=NAME)["AttachedPolicies"]]
assert sorted(attached) == sorted(POLICIES), attached
policy = iam.get_policy(PolicyArn=POLICIES[0])["Policy"]
version = iam.get_policy_version(PolicyArn=POLICIES[0], VersionId=policy["DefaultVersionId"])["PolicyVersion"]
assert "sagemaker:*" in json.dumps(version["Document"])

# a registry in which teams find the versions of others
for team in ("growth", "risk"):
    group = f"{NAME}-{team}"
    sagemaker.create_model_package_group(ModelPackageGroupName=group, Tags=[{"Key": "team", "Value": team}])
    for status in ("Rejected", "Approved", "Approved"):
        sagemaker.create_model_package(
            ModelPackageGroupName=group, ModelApprovalStatus=status, CustomerMetadataProperties={"team": team}
        )
        time.sleep(0.01)


def search(resource: str, **request: object) -> list[dict]:
    pages = sagemaker.get_paginator("search").paginate(Resource=resource, MaxResults=2, **request)
    return [result[resource] for page in pages for result in page["Results"]]


groups = search(
    "ModelPackageGroup",
    SearchExpression={"Filters": [{"Name": "Tags.team", "Operator": "Equals", "Value": "risk"}]},
)
assert [group["ModelPackageGroupName"] for group in groups] == [f"{NAME}-risk"]
expression = {
    "Filters": [
        {"Name": "ModelApprovalStatus", "Operator": "Equals", "Value": "Approved"},
        {"Name": "ModelPackageGroupName", "Operator": "Contains", "Value": NAME},
    ],
    "SubExpressions": [
        {
            "Filters": [
                {"Name": "CustomerMetadataProperties.team", "Operator": "Equals", "Value": "growth"},
                {"Name": "ModelPackageVersion", "Operator": "LessThan", "Value": "3"},
            ],
            "Operator": "Or",
        }
    ],
}
found = search("ModelPackage", SearchExpression=expression, SortBy="CreationTime", SortOrder="Ascending")
versions = [(package["ModelPackageGroupName"].rpartition("-")[2], package["ModelPackageVersion"]) for package in found]
assert versions == [("growth", 2), ("growth", 3), ("risk", 2)], versions

# what cannot exist is not there: clean-up scripts list it and find nothing
assert search("ExperimentTrialComponent", SortBy="CreationTime") == []
assert sagemaker.list_experiments()["ExperimentSummaries"] == []
assert sagemaker.list_domains()["Domains"] == []
assert sagemaker.list_inference_components()["InferenceComponents"] == []
try:
    sagemaker.describe_experiment(ExperimentName=NAME)
except sagemaker.exceptions.ResourceNotFound as error:
    assert "MLflow" in str(error)
else:
    raise AssertionError("an experiment exists")

for team in ("growth", "risk"):
    for package in search("ModelPackage", SearchExpression={"Filters": expression["Filters"][1:]}):
        if package["ModelPackageGroupName"] == f"{NAME}-{team}":
            sagemaker.delete_model_package(ModelPackageName=package["ModelPackageArn"])
    sagemaker.delete_model_package_group(ModelPackageGroupName=f"{NAME}-{team}")
for arn in POLICIES:
    iam.detach_role_policy(RoleName=NAME, PolicyArn=arn)
iam.delete_role(RoleName=NAME)
