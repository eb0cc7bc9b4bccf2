"""From an approved package to an endpoint: the exact requests, and what happens when things go wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from deployment.deploy import DeploymentFailed, DeploymentResult, choose_variants, deploy_endpoint
from deployment.plan import Plan, plan_endpoint
from project.errors import UserError
from project.settings import Settings
from tests.deployment.aws import ROLE, Account, Refused, package_arn
from tests.deployment.conftest import MakeSettings

TAGS = [
    {"Key": "lightgbm-pipelines:endpoint", "Value": "demo"},
    {"Key": "lightgbm-pipelines:project", "Value": "demo"},
]
SECURE = {"kms_key": "key-1", "subnets": ["subnet-1"], "security_group_ids": ["sg-1"], "network_isolation": True}


def plan(settings: Settings, account: Account, version: int | None = None, **choice: Any) -> Plan:
    mode, endpoint = choice.pop("mode", "real-time"), choice.pop("endpoint", "demo")
    challenger, weight = choice.pop("challenger", None), choice.pop("weight", 0.1)
    variants = choose_variants(settings, account.target, version, challenger, weight)
    return plan_endpoint(settings, account.target, endpoint, mode, variants)


def deploy(settings: Settings, account: Account, version: int | None = None, **choice: Any) -> DeploymentResult:
    lines: list[str] = choice.pop("lines", [])
    return deploy_endpoint(settings, account.target, plan(settings, account, version, **choice), 5, lines.append)


# which package


def test_the_latest_approved_version_is_deployed(settings: Settings, account: Account) -> None:
    deploy(settings, account)
    (model,) = account.sent("CreateModel")
    assert model["PrimaryContainer"]["ModelPackageName"] == package_arn(2)


def test_an_endpoint_has_a_role_of_its_own_where_one_is_given(settings: Settings, account: Account) -> None:
    assert plan(settings, account).models[0]["ExecutionRoleArn"] == ROLE
    other = replace(account.target, endpoint_role_arn="arn:aws:iam::111122223333:role/Endpoints")
    variants = choose_variants(settings, account.target, None, None, 0)
    (model,) = plan_endpoint(settings, other, "demo", "real-time", variants).models
    assert model["ExecutionRoleArn"].endswith("role/Endpoints")


def test_a_version_that_is_not_approved_is_refused_with_the_command_that_approves_it(
    settings: Settings, account: Account
) -> None:
    with pytest.raises(UserError, match=r"version 3 of 'demo' is PendingManualApproval.*approve it with .* approve 3"):
        deploy(settings, account, 3)
    with pytest.raises(UserError, match="approve 3"):
        deploy(settings, account, 2, challenger=3)


def test_without_an_approved_version_nothing_is_made(settings: Settings, account: Account) -> None:
    account.packages = {1: "Rejected"}
    with pytest.raises(UserError, match="no version of 'demo' is approved"):
        deploy(settings, account)
    assert not account.models


# what is asked of SageMaker


def test_a_real_time_endpoint_captures_and_is_scaled(settings: Settings, account: Account) -> None:
    outcome = deploy(settings, account)
    assert outcome.change == "created"
    (model,) = account.sent("CreateModel")
    assert model == {
        "ModelName": model["ModelName"],
        "PrimaryContainer": {"ModelPackageName": package_arn(2), "Environment": {"UNKNOWN_FEATURES": "refuse"}},
        "ExecutionRoleArn": ROLE,
        "EnableNetworkIsolation": False,
        "Tags": TAGS,
    }
    (config,) = account.sent("CreateEndpointConfig")
    assert config == {
        "EndpointConfigName": config["EndpointConfigName"],
        "ProductionVariants": [
            {
                "VariantName": "champion",
                "ModelName": model["ModelName"],
                "InitialVariantWeight": 1.0,
                "InstanceType": "ml.m5.large",
                "InitialInstanceCount": 1,
            }
        ],
        "DataCaptureConfig": {
            "EnableCapture": True,
            "InitialSamplingPercentage": 100,
            "DestinationS3Uri": "s3://bucket/demo/captures",
            "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
            "CaptureContentTypeHeader": {
                "CsvContentTypes": ["text/csv"],
                "JsonContentTypes": ["application/json", "application/jsonlines"],
            },
        },
        "Tags": TAGS,
    }
    assert account.sent("CreateEndpoint") == [
        {"EndpointName": "demo", "EndpointConfigName": config["EndpointConfigName"], "Tags": TAGS}
    ]
    scaled = {
        "ServiceNamespace": "sagemaker",
        "ResourceId": "endpoint/demo/variant/champion",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
    }
    assert account.sent("RegisterScalableTarget") == [{**scaled, "MinCapacity": 1, "MaxCapacity": 2}]
    assert account.sent("PutScalingPolicy") == [
        {
            **scaled,
            "PolicyName": "demo-champion-invocations",
            "PolicyType": "TargetTrackingScaling",
            "TargetTrackingScalingPolicyConfiguration": {
                "TargetValue": 1000.0,
                "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"},
            },
        }
    ]


def test_the_two_alarms_stand_before_the_endpoint(settings: Settings, account: Account) -> None:
    deploy(settings, account)
    operations = [operation for operation, _ in account.requests]
    assert operations.index("PutMetricAlarm") < operations.index("CreateEndpoint")
    common = {
        "Namespace": "AWS/SageMaker",
        "Dimensions": [{"Name": "EndpointName", "Value": "demo"}, {"Name": "VariantName", "Value": "champion"}],
        "Period": 60,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
        "Tags": TAGS,
    }
    errors, latency = account.sent("PutMetricAlarm")
    del errors["AlarmDescription"], latency["AlarmDescription"]
    assert errors == {
        "AlarmName": "demo-champion-5xx-errors",
        "MetricName": "Invocation5XXErrors",
        "Statistic": "Sum",
        "EvaluationPeriods": 1,
        "Threshold": 0.0,
        **common,
    }
    assert latency == {
        "AlarmName": "demo-champion-latency",
        "MetricName": "ModelLatency",
        "Statistic": "Average",
        "EvaluationPeriods": 2,
        "Threshold": 1_000_000.0,  # microseconds
        **common,
    }


def test_key_and_network_are_on_everything(make_settings: MakeSettings, account: Account) -> None:
    deploy(make_settings(security=SECURE), account)
    (model,), (config,) = account.sent("CreateModel"), account.sent("CreateEndpointConfig")
    assert model["VpcConfig"] == {"Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}
    assert model["EnableNetworkIsolation"] is True
    assert config["KmsKeyId"] == config["DataCaptureConfig"]["KmsKeyId"] == "key-1"


def test_capture_is_sampled_or_switched_off(make_settings: MakeSettings, account: Account) -> None:
    deploy(make_settings(deployment={"capture_percentage": 20}), account)
    deploy(make_settings(deployment={"capture_percentage": 0}), account)
    sampled, none = account.sent("CreateEndpointConfig")
    assert sampled["DataCaptureConfig"]["InitialSamplingPercentage"] == 20
    assert "DataCaptureConfig" not in none


def test_a_challenger_gets_its_share_and_alarms_of_its_own(settings: Settings, account: Account) -> None:
    deploy(settings, account, 1, challenger=2, weight=0.25)
    (config,) = account.sent("CreateEndpointConfig")
    weights = {item["VariantName"]: item["InitialVariantWeight"] for item in config["ProductionVariants"]}
    assert weights == {"champion": 0.75, "challenger": 0.25}
    assert len({item["ModelName"] for item in config["ProductionVariants"]}) == 2
    assert len(account.alarms) == 4
    assert len(account.scaled) == 2


def test_on_a_serverless_endpoint_the_model_s_code_captures(make_settings: MakeSettings, account: Account) -> None:
    settings = make_settings(deployment={"capture_percentage": 30, "unknown_features": "ignore"})
    deploy(settings, account, mode="serverless")
    (model,) = account.sent("CreateModel")
    assert model["PrimaryContainer"]["Environment"] == {
        "UNKNOWN_FEATURES": "ignore",
        "DATA_CAPTURE_DESTINATION_S3_URI": "s3://bucket/demo/captures",
        "DATA_CAPTURE_SAMPLING_PERCENTAGE": "30",
        "DATA_CAPTURE_ENDPOINT_NAME": "demo",
        "DATA_CAPTURE_VARIANT_NAME": "champion",
    }


def test_a_serverless_endpoint_has_memory_and_concurrency_and_no_scaling(
    make_settings: MakeSettings, account: Account
) -> None:
    settings = make_settings(deployment={"serverless": {"memory_in_mb": 4096, "max_concurrency": 7}})
    deploy(settings, account, mode="serverless")
    (config,) = account.sent("CreateEndpointConfig")
    (variant,) = config["ProductionVariants"]
    assert variant["ServerlessConfig"] == {"MemorySizeInMB": 4096, "MaxConcurrency": 7}
    assert "InstanceType" not in variant
    assert "DataCaptureConfig" not in config
    assert not account.scaled
    assert not account.alarms


@pytest.mark.parametrize("security", [{"network_isolation": True}, {"subnets": ["s"], "security_group_ids": ["g"]}])
def test_serverless_is_refused_where_it_can_not_keep_to_the_network(
    make_settings: MakeSettings, account: Account, security: dict[str, Any]
) -> None:
    with pytest.raises(UserError, match="serverless endpoints have neither a VPC nor network isolation"):
        deploy(make_settings(security=security), account, mode="serverless")
    assert not account.models


def test_names_fit_however_long_the_endpoint_s_is(settings: Settings, account: Account) -> None:
    account.packages = {123456789: "Approved"}
    deploy(settings, account, endpoint="e" * 63)
    assert all(len(name) <= 63 for name in (*account.models, *account.configs))


# again, and anew


def test_the_same_deployment_again_changes_nothing(settings: Settings, account: Account) -> None:
    deploy(settings, account)
    state = (dict(account.models), dict(account.configs), dict(account.endpoints), dict(account.scaled))
    assert deploy(settings, account).change == "unchanged"
    assert (account.models, account.configs, account.endpoints, account.scaled) == state
    assert not account.sent("UpdateEndpoint")


def test_an_update_moves_a_canary_first_watched_by_the_alarms(make_settings: MakeSettings, account: Account) -> None:
    settings = make_settings(deployment={"instance_count": 4, "max_instance_count": 8})
    deploy(settings, account, 1)
    assert deploy(settings, account, 2).change == "updated"
    (update,) = account.sent("UpdateEndpoint")
    assert update == {
        "EndpointName": "demo",
        "EndpointConfigName": next(iter(account.configs)),
        "RetainAllVariantProperties": True,
        "ExcludeRetainedVariantProperties": [
            {"VariantPropertyType": "DesiredWeight"},
            {"VariantPropertyType": "DataCaptureConfig"},
        ],
        "DeploymentConfig": {
            "BlueGreenUpdatePolicy": {
                "TrafficRoutingConfiguration": {
                    "Type": "CANARY",
                    "WaitIntervalInSeconds": 300,
                    "CanarySize": {"Type": "INSTANCE_COUNT", "Value": 1},
                },
                "MaximumExecutionTimeoutInSeconds": 2400,
            },
            "AutoRollbackConfiguration": {
                "Alarms": [{"AlarmName": "demo-champion-5xx-errors"}, {"AlarmName": "demo-champion-latency"}]
            },
        },
    }


def test_what_the_endpoint_no_longer_serves_is_removed_after_the_update(settings: Settings, account: Account) -> None:
    deploy(settings, account, 1, challenger=2)
    deploy(settings, account, 2)
    assert len(account.models) == len(account.configs) == 1
    assert account.endpoints["demo"]["EndpointConfigName"] in account.configs
    assert sorted(account.alarms) == ["demo-champion-5xx-errors", "demo-champion-latency"]
    assert list(account.scaled) == ["endpoint/demo/variant/champion"]


def test_variants_that_change_are_no_longer_scaled_when_the_update_begins(
    make_settings: MakeSettings, account: Account
) -> None:
    deploy(make_settings(), account)
    deploy(make_settings(deployment={"instance_type": "ml.c5.large"}), account)
    operations = [operation for operation, _ in account.requests]
    assert operations.index("DeregisterScalableTarget") < operations.index("UpdateEndpoint")
    assert "RetainAllVariantProperties" not in account.sent("UpdateEndpoint")[0]
    assert list(account.scaled) == ["endpoint/demo/variant/champion"]


def test_switching_autoscaling_off_ends_it(make_settings: MakeSettings, account: Account) -> None:
    deploy(make_settings(), account)
    deploy(make_settings(deployment={"max_instance_count": 1}), account)
    assert not account.scaled


def test_a_changed_set_of_variants_can_not_be_guarded_and_that_is_said(settings: Settings, account: Account) -> None:
    lines: list[str] = []
    deploy(settings, account, 1)
    deploy(settings, account, 1, challenger=2, lines=lines)
    assert "DeploymentConfig" not in account.sent("UpdateEndpoint")[0]
    assert any("moves all traffic at once, not guarded" in line for line in lines)


def test_an_alarm_that_rings_already_does_not_take_back_the_cure(settings: Settings, account: Account) -> None:
    lines: list[str] = []
    deploy(settings, account, 1)
    account.answers["PutMetricAlarm"] = lambda request: {}  # an alarm that is put again keeps its state
    account.alarms["demo-champion-latency"]["StateValue"] = "ALARM"
    deploy(settings, account, 2, lines=lines)
    (update,) = account.sent("UpdateEndpoint")
    guards = update["DeploymentConfig"]["AutoRollbackConfiguration"]["Alarms"]
    assert guards == [{"AlarmName": "demo-champion-5xx-errors"}]
    assert "demo-champion-latency is in ALARM already and so can't guard this update" in lines


# things go wrong


def test_an_endpoint_that_does_not_come_up_leaves_nothing(settings: Settings, account: Account) -> None:
    account.ending = {"EndpointStatus": "Failed", "FailureReason": "The container did not pass the ping health check."}
    account.answers["DescribeLogStreams"] = lambda _: {"logStreams": [{"logStreamName": "champion/i-1"}]}
    account.answers["GetLogEvents"] = lambda _: {
        "events": [{"timestamp": 1, "message": "No module named 'lightgbm'\n"}]
    }
    with pytest.raises(DeploymentFailed, match="could not be created, and is removed: The container did") as failed:
        deploy(settings, account)
    assert failed.value.log == ["No module named 'lightgbm'"]
    assert not (account.endpoints or account.configs or account.models or account.alarms or account.scaled)


def test_an_update_that_is_taken_back_leaves_the_old_endpoint_and_nothing_of_the_new(
    settings: Settings, account: Account
) -> None:
    deploy(settings, account, 1)
    state = (dict(account.models), dict(account.configs), dict(account.scaled))
    account.ending = {"FailureReason": "Alarms in ALARM"}
    with pytest.raises(DeploymentFailed, match="was taken back, and the endpoint serves what it did before: Alarms"):
        deploy(settings, account, 2)
    assert (account.models, account.configs, account.scaled) == state


def test_an_update_that_fails_keeps_a_model_that_both_configurations_use(
    make_settings: MakeSettings, account: Account
) -> None:
    deploy(make_settings(), account, 1)
    models = dict(account.models)
    account.ending = {"FailureReason": "No capacity"}
    with pytest.raises(DeploymentFailed):
        deploy(make_settings(deployment={"instance_type": "ml.c5.large"}), account, 1)
    assert account.models == models
    assert len(account.configs) == 1


def test_a_refused_request_leaves_no_half_made_resources(settings: Settings, account: Account) -> None:
    def refuse(request: dict[str, Any]) -> dict[str, Any]:
        raise Refused("ResourceLimitExceeded", "no more endpoints")

    account.answers["CreateEndpoint"] = refuse
    with pytest.raises(ClientError, match="no more endpoints"):
        deploy(settings, account)
    assert not (account.models or account.configs or account.alarms)


def test_a_refused_update_leaves_the_old_endpoint_scaled_and_nothing_of_the_new(
    make_settings: MakeSettings, account: Account
) -> None:
    deploy(make_settings(), account, 1)
    state = (dict(account.models), dict(account.configs), dict(account.scaled), set(account.alarms))

    def refuse(request: dict[str, Any]) -> dict[str, Any]:
        raise Refused("ResourceLimitExceeded", "no more instances")

    account.answers["UpdateEndpoint"] = refuse
    with pytest.raises(ClientError, match="no more instances"):
        deploy(make_settings(deployment={"instance_type": "ml.c5.large"}), account, 1, challenger=2)
    assert (account.models, account.configs, account.scaled, set(account.alarms)) == state


def test_a_creation_whose_answer_was_lost_is_gone_on_with(settings: Settings, account: Account) -> None:
    create = account.answers["CreateEndpoint"]

    def lose(request: dict[str, Any]) -> dict[str, Any]:
        create(request)
        raise Refused("ValidationException", "Cannot create already existing endpoint")

    account.answers["CreateEndpoint"] = lose
    with pytest.raises(ClientError, match="already existing"):
        deploy(settings, account)
    assert deploy(settings, account).change == "unchanged"
    assert account.scaled


def test_an_interrupted_deployment_is_gone_on_with(settings: Settings, account: Account) -> None:
    config = plan(settings, account).config_name
    deploy(settings, account)
    account.endpoints["demo"] |= {"EndpointStatus": "Creating"}
    states = iter(["Creating", "Creating", "InService", "InService"])
    describe = account.answers["DescribeEndpoint"]
    account.answers["DescribeEndpoint"] = lambda request: describe(request) | {"EndpointStatus": next(states)}
    assert deploy(settings, account).change == "created"
    assert account.endpoints["demo"]["EndpointConfigName"] == config
    assert len(account.sent("CreateEndpoint")) == 1


def test_another_deployment_waits_for_the_one_under_way(settings: Settings, account: Account) -> None:
    deploy(settings, account, 1)
    account.endpoints["demo"] |= {"EndpointStatus": "Updating"}
    with pytest.raises(UserError, match="endpoint 'demo' is Updating now; wait"):
        deploy(settings, account, 2)


def test_a_failed_endpoint_has_to_be_deleted_first(settings: Settings, account: Account) -> None:
    deploy(settings, account, 1)
    account.endpoints["demo"] |= {"EndpointStatus": "Failed", "FailureReason": "gone"}
    with pytest.raises(UserError, match=r"is Failed \(gone\).*deployment delete --endpoint demo"):
        deploy(settings, account, 2)


def test_an_endpoint_of_another_project_is_left_alone(settings: Settings, account: Account) -> None:
    deploy(settings, account, 1)
    account.tags = {}
    with pytest.raises(UserError, match=r"does not belong to project 'demo'.*choose another name with --endpoint"):
        deploy(settings, account, 2)
    assert not account.sent("UpdateEndpoint")


@pytest.mark.parametrize(("first", "second"), [("real-time", "serverless"), ("serverless", "real-time")])
def test_an_endpoint_stays_of_its_mode(settings: Settings, account: Account, first: str, second: str) -> None:
    deploy(settings, account, mode=first)
    with pytest.raises(UserError, match=f"is {first}, and an update can't make it {second}"):
        deploy(settings, account, mode=second)


def test_what_takes_too_long_is_left_to_go_on(settings: Settings, account: Account) -> None:
    account.ending = {"EndpointStatus": "Creating"}
    with pytest.raises(UserError, match="is still Creating after 0 s and goes on"):
        deploy_endpoint(settings, account.target, plan(settings, account), 0, print)
    assert account.endpoints
