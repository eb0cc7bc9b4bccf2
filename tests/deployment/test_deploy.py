"""From an approved package to an endpoint on the local SageMaker, and what is left when a deployment fails."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from deployment.deploy import DeploymentFailed, choose_variants, deploy_endpoint, start_deployment
from deployment.plan import Variant, plan_endpoint
from local_sagemaker.account import ROLE_ARN
from project.errors import UserError
from project.registry import ModelPackage
from project.settings import Settings
from project.target import Target
from tests.deployment.conftest import MakeSettings
from tests.deployment.local_account import (
    BROKEN_PROGRAM,
    PROGRAM,
    QUIET_ALARMS,
    TAGS,
    ClientEvents,
    Fault,
    LocalAccount,
    Record,
    deploy,
    make_plan,
    minimal_settings,
    package_arn,
)
from tests.golden import assert_golden

GOLDEN = Path(__file__).with_name("golden")
SECURE = {"kms_key": "key-1", "subnets": ["subnet-1"], "security_group_ids": ["sg-1"], "network_isolation": True}
NO_CAPTURE = {"capture_percentage": 0, "update": {"wait_seconds": 0}}


# which package


def test_the_latest_approved_version_is_deployed(settings: Settings, account: LocalAccount) -> None:
    deploy(settings, account)
    assert account.describe_model()["PrimaryContainer"]["ModelPackageName"] == package_arn(2)


def test_an_endpoint_uses_the_endpoint_role_if_one_is_given(settings: Settings, account: LocalAccount) -> None:
    assert make_plan(settings, account).models[0]["ExecutionRoleArn"] == ROLE_ARN
    other = replace(account.target, endpoint_role_arn="arn:aws:iam::111122223333:role/Endpoints")
    variants = choose_variants(settings, account.target, None, None, 0)
    (model,) = plan_endpoint(settings, other, "demo", "real-time", variants).models
    assert model["ExecutionRoleArn"].endswith("role/Endpoints")


def test_a_version_that_is_not_approved_is_refused_with_the_command_that_approves_it(
    settings: Settings, account: LocalAccount
) -> None:
    with pytest.raises(UserError, match=r"version 3 of 'demo' is PendingManualApproval.*approve it with .* approve 3"):
        deploy(settings, account, 3)
    with pytest.raises(UserError, match="approve 3"):
        deploy(settings, account, 2, challenger=3)


def test_without_an_approved_version_nothing_is_created(account: LocalAccount) -> None:
    account.register("rejected", "Rejected")
    with pytest.raises(UserError, match="no version of 'rejected' is approved"):
        deploy(minimal_settings(name="rejected"), account)
    assert not account.models()


# requests


def plan_of(settings: Settings, mode: Any = "real-time", endpoint: str = "demo", version: int = 2) -> Any:
    """A plan without an account."""
    package = ModelPackage(package_arn(version), version, "Approved", datetime(2026, 1, 2, tzinfo=UTC), {})
    target = Target(ROLE_ARN, "bucket", "us-east-1")
    return plan_endpoint(settings, target, endpoint, mode, (Variant("champion", package),))


def test_a_real_time_endpoint_captures_and_is_scaled(
    settings: Settings, account: LocalAccount, events: ClientEvents
) -> None:
    assert deploy(settings, account).change == "created"
    (model,), (config,) = events.sent("CreateModel"), events.sent("CreateEndpointConfig")
    assert model == {
        "ModelName": model["ModelName"],
        "PrimaryContainer": {"ModelPackageName": package_arn(2), "Environment": {"UNKNOWN_FEATURES": "refuse"}},
        "ExecutionRoleArn": ROLE_ARN,
        "EnableNetworkIsolation": False,
        "Tags": TAGS,
    }
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
    assert events.sent("CreateEndpoint") == [
        {"EndpointName": "demo", "EndpointConfigName": config["EndpointConfigName"], "Tags": TAGS}
    ]
    (scaled,) = account.target.autoscaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]
    assert (scaled["ResourceId"], scaled["MinCapacity"], scaled["MaxCapacity"]) == (
        "endpoint/demo/variant/champion",
        1,
        2,
    )
    (policy,) = events.sent("PutScalingPolicy")
    assert_golden(GOLDEN / "put_scaling_policy.json", policy)


def test_the_rollback_alarms_are_created_before_the_endpoint(
    make_settings: MakeSettings, account: LocalAccount, events: ClientEvents
) -> None:
    deploy(make_settings(deployment={}), account)
    operations = events.operations()
    assert operations.index("PutMetricAlarm") < operations.index("CreateEndpoint")
    errors, latency = events.sent("PutMetricAlarm")
    assert_golden(GOLDEN / "put_metric_alarm_5xx_errors.json", errors)
    assert (latency["AlarmName"], latency["MetricName"], latency["Statistic"]) == (
        "demo-champion-latency",
        "ModelLatency",
        "Average",
    )
    # microseconds
    assert (latency["Threshold"], latency["EvaluationPeriods"]) == (1_000_000.0, 2)
    assert latency.keys() == errors.keys()


def test_key_and_network_are_on_model_and_configuration(make_settings: MakeSettings) -> None:
    plan = plan_of(make_settings(security=SECURE))
    (model,) = plan.models
    assert model["VpcConfig"] == {"Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}
    assert model["EnableNetworkIsolation"] is True
    assert plan.config["KmsKeyId"] == plan.config["DataCaptureConfig"]["KmsKeyId"] == "key-1"


def test_capture_is_sampled_or_switched_off(make_settings: MakeSettings) -> None:
    sampled = plan_of(make_settings(deployment={"capture_percentage": 20})).config
    assert sampled["DataCaptureConfig"]["InitialSamplingPercentage"] == 20
    for mode in ("real-time", "serverless"):
        plan = plan_of(make_settings(deployment={"capture_percentage": 0}), mode)
        assert "DataCaptureConfig" not in plan.config
        assert plan.models[0]["PrimaryContainer"]["Environment"] == {"UNKNOWN_FEATURES": "refuse"}


def test_a_challenger_gets_its_share_and_its_own_model_alarms_and_scaling(
    settings: Settings, account: LocalAccount
) -> None:
    deploy(settings, account, 1, challenger=2, weight=0.25)
    variants = account.describe_config()["ProductionVariants"]
    assert {item["VariantName"]: item["InitialVariantWeight"] for item in variants} == {
        "champion": 0.75,
        "challenger": 0.25,
    }
    assert [account.describe_model(variant=number)["PrimaryContainer"]["ModelPackageName"] for number in (0, 1)] == [
        package_arn(1),
        package_arn(2),
    ]
    assert len(account.alarms()) == 4
    assert len(account.scaled()) == 2


def test_on_a_serverless_endpoint_the_inference_handler_captures(make_settings: MakeSettings) -> None:
    (model,) = plan_of(
        make_settings(deployment={"capture_percentage": 30, "unknown_features": "ignore"}), "serverless"
    ).models
    assert model["PrimaryContainer"]["Environment"] == {
        "UNKNOWN_FEATURES": "ignore",
        "DATA_CAPTURE_DESTINATION_S3_URI": "s3://bucket/demo/captures",
        "DATA_CAPTURE_SAMPLING_PERCENTAGE": "30",
        "DATA_CAPTURE_ENDPOINT_NAME": "demo",
        "DATA_CAPTURE_VARIANT_NAME": "champion",
    }


def test_a_serverless_endpoint_has_memory_and_concurrency_but_no_scaling_and_no_alarms(
    make_settings: MakeSettings, account: LocalAccount
) -> None:
    settings = make_settings(deployment={"serverless": {"memory_in_mb": 4096, "max_concurrency": 7}})
    deploy(settings, account, mode="serverless")
    config = account.describe_config()
    (variant,) = config["ProductionVariants"]
    assert variant["ServerlessConfig"] == {"MemorySizeInMB": 4096, "MaxConcurrency": 7}
    assert "InstanceType" not in variant
    assert "DataCaptureConfig" not in config
    assert not account.scaled()
    assert not account.alarms()


@pytest.mark.parametrize("security", [{"network_isolation": True}, {"subnets": ["s"], "security_group_ids": ["g"]}])
def test_a_serverless_endpoint_is_refused_if_the_settings_restrict_the_network(
    make_settings: MakeSettings, security: dict[str, Any]
) -> None:
    with pytest.raises(UserError, match="serverless endpoints support neither a VPC nor network isolation"):
        plan_of(make_settings(security=security), "serverless")


def test_names_fit_however_long_the_endpoint_s_name_is(settings: Settings) -> None:
    plan = plan_of(settings, endpoint="e" * 63, version=123456789)
    assert all(len(name) <= 63 for name in (plan.config_name, plan.models[0]["ModelName"]))


# updates


def test_the_same_deployment_again_changes_nothing(
    settings: Settings, account: LocalAccount, events: ClientEvents
) -> None:
    deploy(settings, account)
    state = account.state()
    assert deploy(settings, account).change == "unchanged"
    assert account.state() == state
    assert not events.sent("UpdateEndpoint")


def test_an_update_shifts_traffic_to_a_canary_first_guarded_by_the_alarms(
    make_settings: MakeSettings, account: LocalAccount, events: ClientEvents
) -> None:
    settings = make_settings(deployment={"instance_count": 4, "max_instance_count": 8, "update": QUIET_ALARMS})
    deploy(settings, account, 1)
    events.respond("UpdateEndpoint", {"EndpointArn": "arn"})
    lines: list[str] = []
    assert start_deployment(settings, account.target, make_plan(settings, account, 2), lines.append) == "updated"
    (update,) = events.sent("UpdateEndpoint")
    assert lines == ["Traffic shifts to 1 of 4 new instances first, and to all after 300 s without an alarm"]
    assert_golden(GOLDEN / "update_endpoint_canary.json", update)


def test_resources_that_the_endpoint_no_longer_uses_are_deleted_after_an_update(
    settings: Settings, account: LocalAccount
) -> None:
    deploy(settings, account, 1, challenger=2)
    deploy(settings, account, 2)
    assert len(account.models()) == len(account.configs()) == 1
    assert account.describe_model()["PrimaryContainer"]["ModelPackageName"] == package_arn(2)
    assert account.alarms() == ["demo-champion-5xx-errors", "demo-champion-latency"]
    assert account.scaled() == ["endpoint/demo/variant/champion"]


def test_variants_that_change_are_deregistered_from_scaling_before_the_update(
    make_settings: MakeSettings, account: LocalAccount, events: ClientEvents
) -> None:
    deploy(make_settings(), account)
    deploy(
        make_settings(deployment={"instance_type": "ml.c5.large", "update": {"wait_seconds": 0, **QUIET_ALARMS}}),
        account,
    )
    operations = events.operations()
    assert operations.index("DeregisterScalableTarget") < operations.index("UpdateEndpoint")
    assert "RetainAllVariantProperties" not in events.sent("UpdateEndpoint")[0]
    assert account.scaled() == ["endpoint/demo/variant/champion"]


def test_switching_autoscaling_off_ends_it(make_settings: MakeSettings, account: LocalAccount) -> None:
    deploy(make_settings(), account)
    deploy(make_settings(deployment={"max_instance_count": 1}), account)
    assert not account.scaled()


def test_a_changed_set_of_variants_is_updated_without_alarms_and_reported(
    settings: Settings, account: LocalAccount, events: ClientEvents
) -> None:
    lines: list[str] = []
    deploy(settings, account, 1)
    deploy(settings, account, 1, challenger=2, lines=lines)
    assert "DeploymentConfig" not in events.sent("UpdateEndpoint")[0]
    assert any("shifts all traffic at once, without rollback alarms" in line for line in lines)


def test_an_alarm_that_is_already_in_alarm_does_not_guard_the_update(
    settings: Settings, account: LocalAccount, events: ClientEvents
) -> None:
    lines: list[str] = []
    deploy(settings, account, 1)
    events.change("DescribeAlarms", lambda response: _put_in_alarm(response, "demo-champion-latency"))
    deploy(settings, account, 2, lines=lines)
    (update,) = events.sent("UpdateEndpoint")
    guards = update["DeploymentConfig"]["AutoRollbackConfiguration"]["Alarms"]
    assert guards == [{"AlarmName": "demo-champion-5xx-errors"}]
    assert "demo-champion-latency is already in ALARM and can't guard this update" in lines


def _put_in_alarm(response: Record, name: str) -> None:
    for alarm in response["MetricAlarms"]:
        if alarm["AlarmName"] == name:
            alarm["StateValue"] = "ALARM"


# failures


def test_an_endpoint_that_fails_to_start_leaves_nothing(settings: Settings, account: LocalAccount) -> None:
    with (
        account.registered(BROKEN_PROGRAM) as version,
        pytest.raises(DeploymentFailed, match="could not be created and was removed: The primary container") as failed,
    ):
        deploy(settings, account, version)
    assert any("No module named demo" in line for line in failed.value.log)
    assert not any(account.state().values())


def test_an_update_that_is_rolled_back_leaves_the_previous_endpoint_and_nothing_of_the_new_one(
    settings: Settings, account: LocalAccount
) -> None:
    deploy(settings, account, 1)
    state = account.state()
    with (
        account.registered(BROKEN_PROGRAM) as version,
        pytest.raises(DeploymentFailed, match="was rolled back; the endpoint serves its previous configuration: "),
    ):
        deploy(settings, account, version)
    assert account.state() == state
    assert account.describe_model()["PrimaryContainer"]["ModelPackageName"] == package_arn(1)


def test_an_update_that_fails_keeps_a_model_that_both_configurations_use(
    make_settings: MakeSettings, account: LocalAccount, events: ClientEvents
) -> None:
    deploy(make_settings(), account, 1)
    state = account.state()
    events.respond("UpdateEndpoint", {"EndpointArn": "arn"})
    events.change("DescribeEndpoint", lambda response: response.update(FailureReason="No capacity"))
    with pytest.raises(DeploymentFailed, match="No capacity"):
        deploy(make_settings(deployment={"instance_type": "ml.c5.large"}), account, 1)
    assert account.state() == state


def test_an_endpoint_that_is_out_of_service_after_an_update_is_left_for_inspection(
    settings: Settings, account: LocalAccount, events: ClientEvents
) -> None:
    deploy(settings, account, 1)
    plan = make_plan(settings, account, 2)
    events.respond("UpdateEndpoint", lambda _: _fail_update(events))
    with pytest.raises(DeploymentFailed, match="is UpdateRollbackFailed after the update: no instances"):
        deploy_endpoint(settings, account.target, plan, 5, lambda _: None)
    assert plan.config_name in account.configs()


def _fail_update(events: ClientEvents) -> Record:
    failed = {"EndpointStatus": "UpdateRollbackFailed", "FailureReason": "no instances"}
    events.change("DescribeEndpoint", lambda response: response.update(failed))
    return {"EndpointArn": "arn"}


def test_a_refused_creation_leaves_no_resources(
    settings: Settings, account: LocalAccount, events: ClientEvents
) -> None:
    events.fail("CreateEndpoint", "ResourceLimitExceeded", "no more endpoints")
    with pytest.raises(ClientError, match="no more endpoints"):
        deploy(settings, account)
    assert not any(account.state().values())


def test_a_refused_update_leaves_the_previous_endpoint_scaled_and_nothing_of_the_new_one(
    make_settings: MakeSettings, account: LocalAccount, events: ClientEvents
) -> None:
    deploy(make_settings(), account, 1)
    state = account.state()
    events.fail("UpdateEndpoint", "ResourceLimitExceeded", "no more instances")
    with pytest.raises(ClientError, match="no more instances"):
        deploy(make_settings(deployment={"instance_type": "ml.c5.large"}), account, 1, challenger=2)
    assert account.state() == state


def test_a_deployment_resumes_if_the_response_to_its_creation_was_lost(
    settings: Settings, account: LocalAccount, events: ClientEvents
) -> None:
    def lose(_: Record) -> None:
        raise Fault("ValidationException", "Cannot create already existing endpoint")

    events.change("CreateEndpoint", lose)
    with pytest.raises(Fault):
        deploy(settings, account)
    assert account.endpoints() == ["demo"]
    assert deploy(settings, account).change in ("created", "unchanged")
    assert account.scaled()


def test_an_interrupted_deployment_resumes(settings: Settings, account: LocalAccount, events: ClientEvents) -> None:
    plan = make_plan(settings, account)
    deploy(settings, account)
    states = iter(["Creating", "Creating", "InService", "InService"])
    events.change("DescribeEndpoint", lambda response: response.update(EndpointStatus=next(states)))
    lines: list[str] = []
    assert deploy_endpoint(settings, account.target, plan, 5, lines.append).change == "created"
    assert lines == ["demo is already being deployed", "demo: Creating"]
    assert len(events.sent("CreateEndpoint")) == 1


@pytest.mark.parametrize(
    ("described", "message"),
    [
        ({"EndpointStatus": "Updating"}, "endpoint 'demo' is Updating; wait"),
        (
            {"EndpointStatus": "Failed", "FailureReason": "no capacity"},
            r"is Failed \(no capacity\).*deployment delete --endpoint demo",
        ),
    ],
)
def test_an_endpoint_that_is_being_changed_or_has_failed_is_not_updated(
    settings: Settings, account: LocalAccount, events: ClientEvents, described: Record, message: str
) -> None:
    deploy(settings, account, 1)
    events.change("DescribeEndpoint", lambda response: response.update(described))
    with pytest.raises(UserError, match=message):
        deploy(settings, account, 2)


def test_an_endpoint_that_is_deleted_during_its_deployment_is_reported(
    settings: Settings, account: LocalAccount, events: ClientEvents
) -> None:
    events.respond("CreateEndpoint", {"EndpointArn": "arn"})
    with pytest.raises(UserError, match="endpoint 'demo' was deleted during its deployment"):
        deploy(settings, account)


def test_an_endpoint_of_another_project_is_not_updated(
    settings: Settings, account: LocalAccount, events: ClientEvents
) -> None:
    deploy(settings, account, 1)
    other = minimal_settings(name="other", registration={"model_package_group": "demo"})
    with pytest.raises(UserError, match=r"does not belong to project 'other'.*choose another name with --endpoint"):
        deploy(other, account, 2)
    assert not events.sent("UpdateEndpoint")


@pytest.mark.parametrize(("first", "second"), [("real-time", "serverless"), ("serverless", "real-time")])
def test_an_update_does_not_change_the_mode_of_an_endpoint(
    settings: Settings, account: LocalAccount, first: str, second: str
) -> None:
    deploy(settings, account, mode=first)
    with pytest.raises(UserError, match=f"is {first}, and an update can't make it {second}"):
        deploy(settings, account, mode=second)


def test_a_deployment_that_exceeds_the_timeout_continues(settings: Settings, account: LocalAccount) -> None:
    slow = f"import time\ntime.sleep(1)\n{PROGRAM}"
    with account.registered(slow) as version:
        plan = make_plan(settings, account, version)
        with pytest.raises(UserError, match="is still Creating after 0 s, and SageMaker continues"):
            deploy_endpoint(settings, account.target, plan, 0, print)
        assert account.endpoints() == ["demo"]
