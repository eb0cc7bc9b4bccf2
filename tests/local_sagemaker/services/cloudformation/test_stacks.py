"""Stacks that fail, are rolled back, are refused, and are restored; and the resource types of SageMaker."""

import contextlib
import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.local_sagemaker.conftest import Client, MakeClient
from tests.local_sagemaker.machine import ROLE, SCIKIT_LEARN

DEFINITION = {"Version": "2020-12-01", "Parameters": [], "Steps": [{"Name": "End", "Type": "Fail", "Arguments": {}}]}
MISSING_MODEL = {"PrimaryContainer": {"Image": SCIKIT_LEARN, "ModelDataUrl": "s3://none/none.tar.gz"}}


@pytest.fixture
def cloudformation(client: MakeClient) -> Client:
    return client("cloudformation")


@pytest.fixture
def name() -> str:
    return f"stack-{uuid.uuid4().hex[:8]}"


def body(**resources: Any) -> str:
    """Make a template of resources, each a type and its properties."""
    items = {key: {"Type": f"AWS::{kind}", "Properties": properties} for key, (kind, properties) in resources.items()}
    outputs = {key: {"Value": {"Ref": key}} for key in items}
    return json.dumps({"Resources": items, "Outputs": outputs})


def status(cloudformation: Client, name: str) -> str:
    found: str = cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
    return found


def outputs(cloudformation: Client, name: str) -> dict[str, str]:
    found = cloudformation.describe_stacks(StackName=name)["Stacks"][0].get("Outputs", [])
    return {output["OutputKey"]: output["OutputValue"] for output in found}


def reasons(cloudformation: Client, name: str, event_status: str) -> dict[str, str]:
    events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
    return {
        event["LogicalResourceId"]: event.get("ResourceStatusReason", "")
        for event in events
        if event["ResourceStatus"] == event_status
    }


def pipeline(name: str, **more: Any) -> tuple[str, dict[str, Any]]:
    definition = {"PipelineDefinitionBody": json.dumps(DEFINITION)}
    return "SageMaker::Pipeline", {"PipelineName": name, "RoleArn": ROLE, "PipelineDefinition": definition, **more}


def model(name: str | None = None, **variables: Any) -> tuple[str, dict[str, Any]]:
    container = {"Image": SCIKIT_LEARN, "Environment": variables}
    given = {"ModelName": name} if name else {}
    return "SageMaker::Model", {**given, "ExecutionRoleArn": ROLE, "PrimaryContainer": container}


def test_pipelines_models_and_groups_are_created_updated_and_deleted(
    client: MakeClient, cloudformation: Client, s3: Client, bucket: str, name: str
) -> None:
    sagemaker = client("sagemaker")
    group = ("SageMaker::ModelPackageGroup", {"ModelPackageGroupName": name, "Tags": [{"Key": "team", "Value": "a"}]})
    cloudformation.create_stack(
        StackName=name,
        TemplateBody=body(P=pipeline(name, Tags=[{"Key": "a", "Value": "b"}]), M=model(WORKERS=2), G=group),
    )
    assert status(cloudformation, name) == "CREATE_COMPLETE"
    first = outputs(cloudformation, name)
    described = sagemaker.describe_model(ModelName=first["M"].rpartition("/")[2])
    assert first["P"] == name
    assert first["M"] == described["ModelArn"]
    # templates may give strings as numbers
    assert described["PrimaryContainer"]["Environment"] == {"WORKERS": "2"}
    assert first["G"] == sagemaker.describe_model_package_group(ModelPackageGroupName=name)["ModelPackageGroupArn"]
    assert json.loads(sagemaker.describe_pipeline(PipelineName=name)["PipelineDefinition"]) == DEFINITION

    s3.put_object(Bucket=bucket, Key="definition.json", Body=json.dumps({**DEFINITION, "Metadata": {}}))
    location = {"PipelineDefinitionS3Location": {"Bucket": bucket, "Key": "definition.json"}}
    changed = pipeline(name, PipelineDefinition=location, PipelineDescription="changed")
    group[1]["Tags"] = [{"Key": "stage", "Value": "prod"}]
    cloudformation.update_stack(StackName=name, TemplateBody=body(P=changed, M=model(WORKERS=3), G=group))
    assert status(cloudformation, name) == "UPDATE_COMPLETE"
    second = outputs(cloudformation, name)
    found = sagemaker.describe_pipeline(PipelineName=name)
    assert ("Metadata" in json.loads(found["PipelineDefinition"]), found["PipelineDescription"]) == (True, "changed")
    assert sagemaker.list_tags(ResourceArn=found["PipelineArn"])["Tags"] == []
    assert sagemaker.list_tags(ResourceArn=second["G"])["Tags"] == group[1]["Tags"]
    # a changed model is another one
    assert second["M"] != first["M"]
    with pytest.raises(ClientError, match="Could not find model"):
        sagemaker.describe_model(ModelName=first["M"].rpartition("/")[2])

    cloudformation.delete_stack(StackName=name)
    for operation, request in (
        (sagemaker.describe_model, {"ModelName": second["M"].rpartition("/")[2]}),
        (sagemaker.describe_pipeline, {"PipelineName": name}),
        (sagemaker.describe_model_package_group, {"ModelPackageGroupName": name}),
    ):
        with pytest.raises(ClientError):
            operation(**request)


def test_resource_types_that_are_not_created_are_refused_like_unknown_ones(cloudformation: Client, name: str) -> None:
    template = body(T=("SNS::Topic", {}), B=("CodeBuild::Project", {}), E=("SageMaker::Endpoint", {}))
    words = r"Template format error: Unrecognized resource types: \[AWS::CodeBuild::Project, AWS::SageMaker::Endpoint\]"
    change_set = {"ChangeSetName": "first", "ChangeSetType": "CREATE"}
    for operation, request in (
        (cloudformation.create_stack, {"StackName": name}),
        (cloudformation.create_change_set, {"StackName": name, **change_set}),
        (cloudformation.validate_template, {}),
    ):
        with pytest.raises(ClientError, match=words):
            operation(TemplateBody=template, **request)
    with pytest.raises(ClientError, match="does not exist"):
        status(cloudformation, name)


def test_a_transform_is_refused_as_it_would_be_ignored(cloudformation: Client, name: str) -> None:
    template = json.dumps({"Transform": "AWS::Serverless-2016-10-31", "Resources": {"T": {"Type": "AWS::SNS::Topic"}}})
    with pytest.raises(ClientError, match="runs no transforms"):
        cloudformation.create_stack(StackName=name, TemplateBody=template)


def test_a_change_set_without_a_type_updates_a_stack(cloudformation: Client, name: str) -> None:
    request = {"StackName": name, "ChangeSetName": "second"}
    with pytest.raises(ClientError, match="does not exist"):
        cloudformation.create_change_set(**request, TemplateBody=body(T=("SNS::Topic", {"TopicName": name})))
    cloudformation.create_stack(StackName=name, TemplateBody=body(T=("SNS::Topic", {"TopicName": name})))
    both = body(T=("SNS::Topic", {"TopicName": name}), U=("SNS::Topic", {"TopicName": f"{name}-2"}))
    cloudformation.create_change_set(**request, TemplateBody=both)
    cloudformation.execute_change_set(**request)
    assert status(cloudformation, name) == "UPDATE_COMPLETE"
    assert outputs(cloudformation, name).keys() == {"T", "U"}


def test_a_type_is_not_refused_where_its_condition_does_not_hold(cloudformation: Client, name: str) -> None:
    resources = {
        "Topic": {"Type": "AWS::SNS::Topic"},
        "Layer": {"Type": "AWS::Lambda::LayerVersion", "Condition": "Never"},
        "Metadata": {"Type": "AWS::CDK::Metadata", "Properties": {"Analytics": "v2"}},
    }
    template = {"Conditions": {"Never": {"Fn::Equals": ["a", "b"]}}, "Resources": resources}
    cloudformation.create_stack(StackName=name, TemplateBody=json.dumps(template))
    assert status(cloudformation, name) == "CREATE_COMPLETE"
    described = cloudformation.describe_stack_resources(StackName=name)["StackResources"]
    assert [resource["LogicalResourceId"] for resource in described] == ["Topic"]


@pytest.mark.parametrize("by_change_set", [False, True])
def test_a_stack_that_fails_is_rolled_back_and_says_why(
    client: MakeClient, cloudformation: Client, name: str, by_change_set: bool
) -> None:
    group = ("SageMaker::ModelPackageGroup", {"ModelPackageGroupName": name})
    template = body(G=group, M=("SageMaker::Model", {"ExecutionRoleArn": ROLE, **MISSING_MODEL}))
    if by_change_set:
        request = {"StackName": name, "ChangeSetName": "first"}
        cloudformation.create_change_set(**request, ChangeSetType="CREATE", TemplateBody=template)
        cloudformation.execute_change_set(**request)
    else:
        cloudformation.create_stack(StackName=name, TemplateBody=template)
    assert status(cloudformation, name) == "ROLLBACK_COMPLETE"
    assert reasons(cloudformation, name, "CREATE_FAILED") == {
        "M": "Could not find model data at s3://none/none.tar.gz."
    }
    assert "[M]" in reasons(cloudformation, name, "ROLLBACK_IN_PROGRESS")[name]
    assert cloudformation.describe_stack_resources(StackName=name)["StackResources"] == []
    with pytest.raises(ClientError):
        client("sagemaker").describe_model_package_group(ModelPackageGroupName=name)
    with pytest.raises(ClientError, match="is in ROLLBACK_COMPLETE state and can not be updated"):
        cloudformation.update_stack(StackName=name, TemplateBody=body(G=group))
    with pytest.raises(ClientError, match="already exists and cannot be created again with the changeSet"):
        cloudformation.create_change_set(
            StackName=name, ChangeSetName="second", ChangeSetType="CREATE", TemplateBody=body(G=group)
        )
    cloudformation.delete_stack(StackName=name)
    cloudformation.create_stack(StackName=name, TemplateBody=body(G=group))
    assert status(cloudformation, name) == "CREATE_COMPLETE"


def test_an_update_that_fails_restores_what_it_has_changed(
    client: MakeClient, cloudformation: Client, name: str
) -> None:
    sagemaker = client("sagemaker")
    cloudformation.create_stack(StackName=name, TemplateBody=body(P=pipeline(name), M=model(A="1")))
    before = outputs(cloudformation, name)
    broken = ("SageMaker::Model", {"ExecutionRoleArn": ROLE, **MISSING_MODEL})
    added = ("SNS::Topic", {"TopicName": name})
    changed = pipeline(name, PipelineDescription="changed", PipelineDisplayName="changed")
    cloudformation.update_stack(StackName=name, TemplateBody=body(T=added, P=changed, M=model(A="2"), N=broken))
    assert status(cloudformation, name) == "UPDATE_ROLLBACK_COMPLETE"
    assert "Could not find model data" in reasons(cloudformation, name, "CREATE_FAILED")["N"]
    assert outputs(cloudformation, name) == before
    assert sagemaker.describe_model(ModelName=before["M"].rpartition("/")[2])
    assert sagemaker.describe_pipeline(PipelineName=name)["PipelineDescription"] == ""
    assert not [item for item in client("sns").list_topics()["Topics"] if item["TopicArn"].endswith(f":{name}")]
    cloudformation.update_stack(StackName=name, TemplateBody=body(P=changed, M=model(A="2")))
    assert status(cloudformation, name) == "UPDATE_COMPLETE"


def test_what_exists_already_is_neither_taken_over_nor_deleted(
    client: MakeClient, cloudformation: Client, name: str
) -> None:
    sagemaker = client("sagemaker")
    sagemaker.create_model_package_group(ModelPackageGroupName=name)
    cloudformation.create_stack(
        StackName=name, TemplateBody=body(G=("SageMaker::ModelPackageGroup", {"ModelPackageGroupName": name}))
    )
    assert status(cloudformation, name) == "ROLLBACK_COMPLETE"
    assert "already exists" in reasons(cloudformation, name, "CREATE_FAILED")["G"]
    cloudformation.delete_stack(StackName=name)
    assert sagemaker.describe_model_package_group(ModelPackageGroupName=name)


@pytest.mark.parametrize(
    ("kind", "properties", "refused"),
    [
        ("S3::Bucket", {"NotificationConfiguration": {}}, "NotificationConfiguration"),
        ("SageMaker::ModelPackageGroup", {"ModelPackageGroupName": "g", "ModelPackageGroupPolicy": {}}, "Policy"),
        ("Lambda::Function", {"Code": {"ZipFile": ""}, "Role": ROLE, "ReservedConcurrentExecutions": 1}, "Reserved"),
        ("CloudWatch::Alarm", {"EvaluateLowSampleCountPercentile": "ignore"}, "EvaluateLowSampleCountPercentile"),
        ("SNS::Subscription", {"TopicArn": "t", "Protocol": "sqs", "RedrivePolicy": {}}, "RedrivePolicy"),
    ],
)
def test_properties_that_would_be_ignored_are_refused_by_name(
    cloudformation: Client, name: str, kind: str, properties: dict[str, Any], refused: str
) -> None:
    cloudformation.create_stack(StackName=name, TemplateBody=body(R=(kind, properties)))
    assert status(cloudformation, name) == "ROLLBACK_COMPLETE"
    reason = reasons(cloudformation, name, "CREATE_FAILED")["R"]
    assert f"Encountered unsupported property {next(key for key in properties if refused in key)}" in reason


def test_properties_without_effect_on_this_machine_are_named_in_the_event(cloudformation: Client, name: str) -> None:
    bucket = ("S3::Bucket", {"BucketName": name, "BucketEncryption": {"ServerSideEncryptionConfiguration": []}})
    cloudformation.create_stack(StackName=name, TemplateBody=body(B=bucket))
    assert reasons(cloudformation, name, "CREATE_COMPLETE")["B"] == "without effect on this machine: BucketEncryption"


def test_a_bucket_has_the_settings_of_its_template(cloudformation: Client, s3: Client, name: str) -> None:
    settings = {"VersioningConfiguration": {"Status": "Enabled"}, "Tags": [{"Key": "team", "Value": "risk"}]}
    cloudformation.create_stack(StackName=name, TemplateBody=body(B=("S3::Bucket", {"BucketName": name, **settings})))
    assert s3.get_bucket_versioning(Bucket=name)["Status"] == "Enabled"
    assert s3.get_bucket_tagging(Bucket=name)["TagSet"] == settings["Tags"]
    cloudformation.update_stack(StackName=name, TemplateBody=body(B=("S3::Bucket", {"BucketName": name})))
    assert s3.get_bucket_versioning(Bucket=name)["Status"] == "Suspended"


def test_a_stack_whose_resource_cannot_be_deleted_stays_and_says_why(
    cloudformation: Client, s3: Client, name: str
) -> None:
    topic = ("SNS::Topic", {"TopicName": name})
    cloudformation.create_stack(StackName=name, TemplateBody=body(B=("S3::Bucket", {"BucketName": name}), T=topic))
    s3.put_object(Bucket=name, Key="key", Body=b"")
    cloudformation.delete_stack(StackName=name)
    assert status(cloudformation, name) == "DELETE_FAILED"
    assert "not empty" in reasons(cloudformation, name, "DELETE_FAILED")["B"]
    s3.delete_object(Bucket=name, Key="key")
    cloudformation.delete_stack(StackName=name)
    with pytest.raises(ClientError, match="does not exist"):
        status(cloudformation, name)


def test_a_stack_with_termination_protection_is_not_deleted(cloudformation: Client, name: str) -> None:
    cloudformation.create_stack(
        StackName=name, TemplateBody=body(T=("SNS::Topic", {})), EnableTerminationProtection=True
    )
    with pytest.raises(ClientError, match="cannot be deleted while TerminationProtection is enabled"):
        cloudformation.delete_stack(StackName=name)


def test_change_sets_of_a_stack_that_does_not_exist_yet_share_one_stack(cloudformation: Client, name: str) -> None:
    template = body(T=("SNS::Topic", {}))
    for change_set in ("first", "second"):
        cloudformation.create_change_set(
            StackName=name, ChangeSetName=f"{name}-{change_set}", ChangeSetType="CREATE", TemplateBody=template
        )
    cloudformation.execute_change_set(StackName=name, ChangeSetName=f"{name}-second")
    assert status(cloudformation, name) == "CREATE_COMPLETE"
    with pytest.raises(cloudformation.exceptions.ClientError, match="cannot be executed in its current status"):
        cloudformation.execute_change_set(StackName=name, ChangeSetName=f"{name}-second")


def test_a_change_set_is_found_by_its_stack_and_its_name(cloudformation: Client, name: str) -> None:
    template = body(T=("SNS::Topic", {}))
    for stack in (name, f"{name}-other"):
        cloudformation.create_change_set(
            StackName=stack, ChangeSetName="initial", ChangeSetType="CREATE", TemplateBody=template
        )
    assert len(cloudformation.list_change_sets(StackName=name)["Summaries"]) == 1
    cloudformation.execute_change_set(StackName=name, ChangeSetName="initial")
    assert [status(cloudformation, stack) for stack in (name, f"{name}-other")] == [
        "CREATE_COMPLETE",
        "REVIEW_IN_PROGRESS",
    ]
    with pytest.raises(cloudformation.exceptions.ChangeSetNotFoundException):
        cloudformation.describe_change_set(StackName=name, ChangeSetName="none")


def test_a_resource_is_updated_when_one_that_it_refers_to_is_replaced(
    client: MakeClient, cloudformation: Client, name: str
) -> None:
    def template(value: str) -> str:
        function = {
            "FunctionName": name,
            "Runtime": "python3.12",
            "Role": ROLE,
            "Handler": "index.handler",
            "Code": {"ZipFile": "def handler(event, context): pass"},
            "Environment": {"Variables": {"MODEL": {"Ref": "M"}}},
        }
        return body(F=("Lambda::Function", function), M=model(A=value))

    cloudformation.create_stack(StackName=name, TemplateBody=template("1"))
    cloudformation.update_stack(StackName=name, TemplateBody=template("2"))
    variables = client("lambda").get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    assert variables["MODEL"] == outputs(cloudformation, name)["M"]


def test_a_template_executes_no_code(cloudformation: Client, tmp_path: Path) -> None:
    for number, operation in enumerate(("validate_template", "get_template_summary", "create_stack")):
        file = tmp_path / str(number)
        template = (
            f"Description: !!python/object/apply:os.mkdir ['{file}']\nResources: {{T: {{Type: 'AWS::SNS::Topic'}}}}"
        )
        more = {"StackName": f"code-{uuid.uuid4().hex[:8]}"} if operation == "create_stack" else {}
        with contextlib.suppress(ClientError):
            getattr(cloudformation, operation)(TemplateBody=template, **more)
        assert not file.exists()
