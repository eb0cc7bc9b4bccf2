"""The definition: a pure function of repository and settings, valid by the service's API models."""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator

from pipelines import bundles
from pipelines.batch_inference import parameters as batch_inference_parameters
from pipelines.monitoring import parameters as monitoring_parameters
from pipelines.training import parameters as training_parameters
from pipelines.training.pipeline import get_pipeline
from project.errors import UserError
from project.paths import REPOSITORY
from project.settings import Settings

ROLE = "arn:aws:iam::123456789012:role/SageMakerExecutionRole"
API_SHAPES = {
    "Processing": "CreateProcessingJobRequest",
    "QualityCheck": "CreateProcessingJobRequest",
    "Training": "CreateTrainingJobRequest",
    "RegisterModel": "CreateModelPackageInput",
}


def compile_definition(settings: Settings) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(get_pipeline(settings, ROLE, "bucket", "us-east-1").definition())
    return content


def all_steps(steps: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for step in steps:
        yield step
        for branch in ("IfSteps", "ElseSteps"):
            yield from all_steps(step["Arguments"].get(branch, []))


def steps_by_name(definition: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {step["Name"]: step for step in all_steps(definition["Steps"])}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    settings = Settings.model_validate(
        {
            "name": "demo",
            "problem_type": "BinaryClassification",
            "data": {"input": "s3://bucket/data.csv", "target_column": "y"},
            "quality": {"metric": "auc", "threshold": 0.9},
        }
    )
    return compile_definition(settings)


@pytest.fixture(scope="module")
def guarded() -> dict[str, Any]:
    settings = Settings.model_validate(
        {
            "name": "guarded",
            "problem_type": "Regression",
            "data": {"input": "s3://bucket/data.csv", "target_column": "y", "drop_columns": ["a", "b"]},
            "quality": {"metric": "rmse", "threshold": 3},
            "security": {
                "kms_key": "arn:aws:kms:us-east-1:123456789012:key/1234",
                "subnets": ["subnet-1"],
                "security_group_ids": ["sg-1"],
                "network_isolation": True,
            },
            "resources": {"training_max_runtime_in_seconds": 600, "processing_max_runtime_in_seconds": 300},
            "cache": {"expire_after": "P7D"},
            "retry": {"max_attempts": 5},
            "tags": {"team": "risk"},
        }
    )
    return compile_definition(settings)


@pytest.fixture(scope="module")
def own_analyzer() -> dict[str, Any]:
    settings = Settings.model_validate(
        {
            "name": "own-analyzer",
            "problem_type": "MulticlassClassification",
            "data": {"input": "s3://bucket/data.csv", "target_column": "y"},
            "quality": {"metric": "accuracy", "threshold": 0.9},
            "quality_checks": "processing",
        }
    )
    return compile_definition(settings)


@pytest.fixture(scope="module")
def ranking() -> dict[str, Any]:
    settings = {
        "name": "demo",
        "problem_type": "Ranking",
        "data": {"input": "s3://bucket/data.csv", "target_column": "y", "group_column": "query"},
        "quality": {"metric": "ndcg_at_10", "threshold": 0.6},
    }
    return compile_definition(Settings.model_validate(settings))


def test_without_model_monitor_the_baseline_steps_keep_their_names_and_outputs(
    plain: dict[str, Any], own_analyzer: dict[str, Any]
) -> None:
    for name in ("DataQualityBaseline", "ModelQualityBaseline"):
        step, usual = steps_by_name(own_analyzer)[name], steps_by_name(plain)[name]
        assert step["Type"] == "Processing"
        assert step["DependsOn"] == ["RegisterModel"]
        (output,) = step["Arguments"]["ProcessingOutputConfig"]["Outputs"]
        (usual_output,) = usual["Arguments"]["ProcessingOutputConfig"]["Outputs"]
        here = json.dumps(output).replace("own-analyzer", "demo")
        assert json.loads(here) == usual_output
        settings, usual_settings = step["Arguments"]["Environment"], usual["Arguments"]["Environment"]
        assert set(settings) >= set(usual_settings) - {"probability_attribute"}


def test_preprocess_writes_the_baseline_in_the_format_that_its_step_reads(
    plain: dict[str, Any], own_analyzer: dict[str, Any]
) -> None:
    for definition, expected in ((plain, "csv"), (own_analyzer, "parquet")):
        steps = steps_by_name(definition)
        arguments = steps["Preprocess"]["Arguments"]["AppSpecification"]["ContainerArguments"]
        given = arguments.index("--baseline-format") + 1 if "--baseline-format" in arguments else None
        assert (arguments[given] if given else "csv") == expected
        dataset_format = json.loads(steps["DataQualityBaseline"]["Arguments"]["Environment"]["dataset_format"])
        assert [*dataset_format] == [expected]


@pytest.fixture(scope="module")
def on_spark() -> dict[str, Any]:
    settings = Settings.model_validate(
        {
            "name": "spark",
            "problem_type": "Regression",
            "data": {"input": "s3://bucket/data/", "target_column": "y"},
            "quality": {"metric": "rmse", "threshold": 3},
            "resources": {"engine": "spark", "spark_instance_count": 5},
        }
    )
    return compile_definition(settings)


def test_with_the_spark_engine_the_size_of_the_cluster_is_a_parameter(
    on_spark: dict[str, Any], plain: dict[str, Any]
) -> None:
    usual, parameters = ({item["Name"]: item for item in definition["Parameters"]} for definition in (plain, on_spark))
    assert parameters.keys() - usual.keys() == {"SparkInstanceType", "SparkInstanceCount"}
    assert parameters["SparkInstanceCount"]["DefaultValue"] == 5


@pytest.mark.parametrize("name", ["Preprocess", "DataQualityBaseline"])
def test_with_the_spark_engine_a_step_runs_in_the_spark_image_on_all_instances(
    name: str, on_spark: dict[str, Any]
) -> None:
    request = steps_by_name(on_spark)[name]["Arguments"]
    specification = request["AppSpecification"]
    assert specification["ImageUri"] == (
        "173754725891.dkr.ecr.us-east-1.amazonaws.com/sagemaker-spark-processing:3.5-cpu-py312-v1.3"
    )
    assert specification["ContainerEntrypoint"][:2] == ["/bin/bash", "/opt/ml/processing/input/code/run_spark.sh"]
    cluster = request["ProcessingResources"]["ClusterConfig"]
    assert cluster["InstanceCount"] == {"Get": "Parameters.SparkInstanceCount"}
    assert cluster["InstanceType"] == {"Get": "Parameters.SparkInstanceType"}
    distributions = {item["S3Input"]["S3DataDistributionType"] for item in request["ProcessingInputs"]}
    assert distributions == {"FullyReplicated"}, "tasks read local files"


def test_the_data_quality_baseline_is_read_by_the_training_schema(own_analyzer: dict[str, Any]) -> None:
    step = steps_by_name(own_analyzer)["DataQualityBaseline"]
    (schema,) = (item for item in step["Arguments"]["ProcessingInputs"] if item["InputName"] == "schema")
    assert schema["S3Input"]["LocalPath"] == step["Arguments"]["Environment"]["model_schema"]
    assert "model_schema" not in steps_by_name(own_analyzer)["ModelQualityBaseline"]["Arguments"]["Environment"]


def test_the_steps_come_in_order(plain: dict[str, Any]) -> None:
    assert [(step["Name"], step["Type"]) for step in all_steps(plain["Steps"])] == [
        ("Preprocess", "Processing"),
        ("Train", "Training"),
        ("Evaluate", "Processing"),
        ("FindModelPackage", "Processing"),
        ("CheckQuality", "Condition"),
        ("QualityTooLow", "Fail"),
        ("CheckModelIsNew", "Condition"),
        ("RegisterModel", "RegisterModel"),
        ("DataQualityBaseline", "QualityCheck"),
        ("ModelQualityBaseline", "QualityCheck"),
    ]


def test_condition_steps_are_not_nested_which_sagemaker_does_not_support(plain: dict[str, Any]) -> None:
    assert all(step in plain["Steps"] for step in all_steps(plain["Steps"]) if step["Type"] == "Condition")


def test_a_model_is_registered_if_it_is_good_and_no_version_has_its_artifact(plain: dict[str, Any]) -> None:
    steps = steps_by_name(plain)
    is_good, is_new = steps["CheckModelIsNew"]["Arguments"]["Conditions"]
    assert [is_good] == steps["CheckQuality"]["Arguments"]["Conditions"]
    found = {"Get": "Steps.FindModelPackage.PropertyFiles.ModelPackage"}
    assert is_new["LeftValue"]["Std:JsonGet"] == {"PropertyFile": found, "Path": "version"}
    assert (is_new["Type"], is_new["RightValue"]) == ("Equals", 0)
    assert "CacheConfig" not in steps["FindModelPackage"]


def test_in_an_isolated_network_a_good_model_is_registered_without_a_call_of_the_registry(
    guarded: dict[str, Any],
) -> None:
    names = [step["Name"] for step in steps_by_name(guarded)["CheckQuality"]["Arguments"]["IfSteps"]]
    assert names == ["RegisterModel", "DataQualityBaseline", "ModelQualityBaseline"]
    assert not {"FindModelPackage", "CheckModelIsNew"} & steps_by_name(guarded).keys()


def test_every_request_is_valid_by_the_api_model(
    plain: dict[str, Any],
    guarded: dict[str, Any],
    own_analyzer: dict[str, Any],
    on_spark: dict[str, Any],
    ranking: dict[str, Any],
) -> None:
    for definition in (plain, guarded, own_analyzer, on_spark, ranking):
        assert_valid(definition)


def assert_valid(definition: dict[str, Any]) -> None:
    model = botocore.session.Session().get_service_model("sagemaker")
    for step in all_steps(definition["Steps"]):
        if step["Type"] not in API_SHAPES:
            continue
        shape = model.shape_for(API_SHAPES[step["Type"]])
        request = {"ProcessingJobName": "j", "TrainingJobName": "j"} | resolve(step["Arguments"])
        request = {key: value for key, value in request.items() if key in shape.members}
        assert set(step["Arguments"]) <= set(shape.members), step["Name"]
        report = ParamValidator().validate(request, shape)
        assert not report.has_errors(), f"{step['Name']}: {report.generate_report()}"


def resolve(value: Any) -> Any:
    """Replace references and functions of the definition language by values of their types."""
    if isinstance(value, dict):
        if "Get" in value:
            return 1 if value["Get"].endswith("Count") else "s3://bucket/resolved"
        if any(key.startswith("Std:") for key in value):
            return "s3://bucket/resolved"
        return {key: resolve(item) for key, item in value.items()}
    return [resolve(item) for item in value] if isinstance(value, list) else value


def test_a_package_refers_to_the_files_that_its_baseline_steps_write(plain: dict[str, Any]) -> None:
    steps = steps_by_name(plain)
    arguments = steps["RegisterModel"]["Arguments"]
    assert arguments["ModelMetrics"]["ModelDataQuality"] == arguments["DriftCheckBaselines"]["ModelDataQuality"]
    for step, section in (("DataQualityBaseline", "ModelDataQuality"), ("ModelQualityBaseline", "ModelQuality")):
        output = steps[step]["Arguments"]["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"]
        for kind in ("Statistics", "Constraints"):
            named = arguments["DriftCheckBaselines"][section][kind]["S3Uri"]["Std:Join"]
            assert named["Values"] == [*output["Std:Join"]["Values"], f"{kind.lower()}.json"]


def test_baselines_run_after_registration_and_are_never_cached(plain: dict[str, Any]) -> None:
    steps = steps_by_name(plain)
    for name in ("DataQualityBaseline", "ModelQualityBaseline"):
        assert steps[name]["DependsOn"] == ["RegisterModel"]
        assert "CacheConfig" not in steps[name]
        assert steps[name]["SkipCheck"] == {"Get": "Parameters.SkipQualityCheck"}
        assert steps[name]["FailOnViolation"] == {"Get": "Parameters.FailOnViolation"}
        assert steps[name]["RegisterNewBaseline"] == {"Get": "Parameters.RegisterNewBaseline"}


def test_parameters_have_defaults_and_the_approval_status_its_enumeration(plain: dict[str, Any]) -> None:
    parameters = {item["Name"]: item for item in plain["Parameters"]}
    assert set(parameters) == {
        "InputDataUri",
        "MetricThreshold",
        "ModelApprovalStatus",
        "ProcessingInstanceType",
        "ProcessingInstanceCount",
        "TrainingInstanceType",
        "TrainingInstanceCount",
        "NumLeaves",
        "LearningRate",
        "NumBoostRound",
        "EarlyStoppingRounds",
        "SkipQualityCheck",
        "FailOnViolation",
        "RegisterNewBaseline",
    }
    assert all("DefaultValue" in item for item in parameters.values())
    assert parameters["ModelApprovalStatus"]["DefaultValue"] == "PendingManualApproval"
    assert parameters["ModelApprovalStatus"]["EnumValues"] == ["PendingManualApproval", "Approved", "Rejected"]


def test_metrics_must_reach_the_threshold_and_errors_must_not_exceed_it(
    plain: dict[str, Any], guarded: dict[str, Any]
) -> None:
    (at_least,) = steps_by_name(plain)["CheckQuality"]["Arguments"]["Conditions"]
    (at_most,) = steps_by_name(guarded)["CheckQuality"]["Arguments"]["Conditions"]
    assert at_least["Type"] == "GreaterThanOrEqualTo"
    assert at_least["LeftValue"]["Std:JsonGet"]["Path"] == "metrics.test.auc.value"
    assert at_most["Type"] == "LessThanOrEqualTo"
    assert at_most["LeftValue"]["Std:JsonGet"]["Path"] == "metrics.test.rmse.value"


def test_the_failure_message_is_the_sentence_of_evaluate_which_knows_the_threshold(plain: dict[str, Any]) -> None:
    steps = steps_by_name(plain)
    _, sentence = steps["QualityTooLow"]["Arguments"]["ErrorMessage"]["Std:Join"]["Values"]
    assert sentence["Std:JsonGet"]["Path"] == "verdict.sentence"
    arguments = steps["Evaluate"]["Arguments"]["AppSpecification"]["ContainerArguments"]
    assert "Parameters.MetricThreshold" in json.dumps(arguments[arguments.index("--metric-threshold") + 1])


def test_each_gate_is_a_condition_on_the_metric_or_on_the_pessimistic_end_of_its_interval(
    make_settings: Callable[..., Settings],
) -> None:
    gates = [
        {"metric": "log_loss", "threshold": 0.4, "on": "lower_bound"},
        {"metric": "mcc", "threshold": 0.5, "on": "lower_bound"},
        {"metric": "recall", "threshold": 0.8},
    ]
    quality = {"metric": "auc", "threshold": 0.9, "on": "lower_bound", "gates": gates, "segments": ["plan"]}
    quality |= {"segment_gate": {"metric": "recall", "threshold": 0.6}}
    steps = steps_by_name(compile_definition(make_settings(quality=quality)))
    conditions = [
        (item["LeftValue"]["Std:JsonGet"]["Path"], item["Type"], item["RightValue"])
        for item in steps["CheckQuality"]["Arguments"]["Conditions"]
    ]
    assert conditions == [
        ("metrics.test.auc.lower", "GreaterThanOrEqualTo", {"Get": "Parameters.MetricThreshold"}),
        ("metrics.test.log_loss.upper", "LessThanOrEqualTo", 0.4),
        ("metrics.test.mcc.lower", "GreaterThanOrEqualTo", 0.5),
        ("metrics.test.recall.value", "GreaterThanOrEqualTo", 0.8),
        ("segment_gate.passes", "Equals", 1),
    ]
    assert steps["CheckModelIsNew"]["Arguments"]["Conditions"][:-1] == steps["CheckQuality"]["Arguments"]["Conditions"]


def test_a_champion_is_looked_up_by_a_step_that_is_not_cached_and_whose_result_is_in_evaluates_cache_key(
    make_settings: Callable[..., Settings],
) -> None:
    champion = {"metric": "auc", "min_gain": 0.01, "on": "lower_bound"}
    definition = compile_definition(make_settings(quality={"metric": "auc", "threshold": 0.9, "champion": champion}))
    steps = steps_by_name(definition)
    assert "CacheConfig" not in steps["FindChampion"]
    arguments = steps["Evaluate"]["Arguments"]["AppSpecification"]["ContainerArguments"]
    found = {"Get": "Steps.FindChampion.PropertyFiles.Champion"}
    for option, path in (("--champion-version", "version"), ("--champion-uri", "model_uri")):
        value = arguments[arguments.index(option) + 1]
        assert value == {"Std:Join": {"On": "", "Values": [{"Std:JsonGet": {"PropertyFile": found, "Path": path}}]}}
    assert steps["CheckQuality"]["Arguments"]["Conditions"][-1]["LeftValue"]["Std:JsonGet"]["Path"] == "champion.passes"
    assert_valid(definition)


def test_security_time_limits_and_tags_reach_every_job(guarded: dict[str, Any]) -> None:
    for step in all_steps(guarded["Steps"]):
        arguments = step["Arguments"]
        if step["Type"] in ("Processing", "QualityCheck"):
            cluster = arguments["ProcessingResources"]["ClusterConfig"]
            assert cluster["VolumeKmsKeyId"].endswith("key/1234")
            assert arguments["ProcessingOutputConfig"]["KmsKeyId"].endswith("key/1234")
            assert arguments["NetworkConfig"]["EnableNetworkIsolation"] is True
            assert arguments["NetworkConfig"]["VpcConfig"] == {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]}
            assert arguments["StoppingCondition"] == {"MaxRuntimeInSeconds": 300}
        elif step["Type"] == "Training":
            assert arguments["ResourceConfig"]["VolumeKmsKeyId"].endswith("key/1234")
            assert arguments["OutputDataConfig"]["KmsKeyId"].endswith("key/1234")
            assert arguments["EnableNetworkIsolation"] is True
            assert arguments["VpcConfig"] == {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]}
            assert arguments["StoppingCondition"] == {"MaxRuntimeInSeconds": 600}
        else:
            continue
        assert arguments["Tags"] == [{"Key": "team", "Value": "risk"}], step["Name"]


def test_spot_training_has_checkpoints_that_all_executions_share(make_settings: Callable[..., Settings]) -> None:
    resources = {"use_spot": True, "training_max_runtime_in_seconds": 600}
    arguments = steps_by_name(compile_definition(make_settings(resources=resources)))["Train"]["Arguments"]
    assert arguments["EnableManagedSpotTraining"] is True
    assert arguments["StoppingCondition"] == {"MaxRuntimeInSeconds": 600, "MaxWaitTimeInSeconds": 1200}
    assert re.fullmatch("s3://bucket/[^/]+/checkpoints", arguments["CheckpointConfig"]["S3Uri"])


def test_training_instances_read_whole_splits_and_with_the_spark_engine_shares_of_their_files(
    plain: dict[str, Any], on_spark: dict[str, Any]
) -> None:
    def distributions(definition: dict[str, Any]) -> dict[str, str]:
        return {
            channel["ChannelName"]: channel["DataSource"]["S3DataSource"]["S3DataDistributionType"]
            for channel in steps_by_name(definition)["Train"]["Arguments"]["InputDataConfig"]
        }

    assert set(distributions(plain).values()) == {"FullyReplicated"}
    shares = {"train": "ShardedByS3Key", "validation": "ShardedByS3Key", "schema": "FullyReplicated"}
    assert distributions(on_spark) == shares


def test_instances_are_kept_for_the_next_training(
    plain: dict[str, Any], make_settings: Callable[..., Settings]
) -> None:
    definition = compile_definition(make_settings(resources={"keep_alive_seconds": 900}))
    assert steps_by_name(definition)["Train"]["Arguments"]["ResourceConfig"]["KeepAlivePeriodInSeconds"] == 900
    usual = steps_by_name(plain)["Train"]["Arguments"]
    assert "KeepAlivePeriodInSeconds" not in usual["ResourceConfig"]
    assert not usual.keys() & {"CheckpointConfig", "EnableManagedSpotTraining"}


def test_cache_and_retries_come_from_the_settings(guarded: dict[str, Any]) -> None:
    steps = steps_by_name(guarded)
    for name in ("Preprocess", "Train", "Evaluate"):
        assert steps[name]["CacheConfig"] == {"Enabled": True, "ExpireAfter": "P7D"}
        types = [kind for policy in steps[name]["RetryPolicies"] for kind in policy["ExceptionType"]]
        assert {"Step.THROTTLING", "Step.SERVICE_FAULT", "SageMaker.JOB_INTERNAL_ERROR"} <= set(types)
        assert all(policy["MaxAttempts"] == 5 for policy in steps[name]["RetryPolicies"])
    assert steps["RegisterModel"]["RetryPolicies"]


def test_what_happens_to_duplicates_comes_from_the_settings(make_settings: Callable[..., Settings]) -> None:
    data = {"input": "s3://bucket/data.csv", "target_column": "y"}
    for settings, expected in ((data, "keep"), ({**data, "duplicates": "error"}, "error")):
        step = steps_by_name(compile_definition(make_settings(data=settings)))["Preprocess"]
        arguments = step["Arguments"]["AppSpecification"]["ContainerArguments"]
        assert arguments[arguments.index("--duplicates") + 1] == expected


def test_weights_and_segments_are_arguments_of_preprocess_only_if_they_are_set(
    make_settings: Callable[..., Settings],
) -> None:
    data = {"input": "s3://bucket/data.csv", "target_column": "y"}
    settings = make_settings(
        data={**data, "weight_column": "w"}, quality={"metric": "auc", "threshold": 0.9, "segments": ["plan", "region"]}
    )
    for given, expected in ((settings, ["w", "plan region"]), (make_settings(data=data), [])):
        step = steps_by_name(compile_definition(given))["Preprocess"]
        arguments = " ".join(step["Arguments"]["AppSpecification"]["ContainerArguments"])
        assert re.findall(r"--(?:weight-column|segment-columns) ((?:[a-z]+ ?)+)(?: |$)", arguments) == expected
        outputs = [output["OutputName"] for output in step["Arguments"]["ProcessingOutputConfig"]["Outputs"]]
        assert "records" in outputs


def test_a_ranking_is_split_by_its_queries_and_has_no_model_quality_baseline(ranking: dict[str, Any]) -> None:
    steps = steps_by_name(ranking)
    assert "DataQualityBaseline" in steps and "ModelQualityBaseline" not in steps
    arguments = steps["Preprocess"]["Arguments"]["AppSpecification"]["ContainerArguments"]
    given = dict(itertools.pairwise(arguments))
    assert {
        "--problem-type": "Ranking",
        "--split-strategy": "group",
        "--group-column": "query",
    }.items() <= given.items()
    package = steps["RegisterModel"]["Arguments"]
    for baselines in (package["ModelMetrics"], package["DriftCheckBaselines"]):
        assert [name for name, files in baselines.items() if files] == ["ModelDataQuality"]
    assert package["CustomerMetadataProperties"]["quality_metric"] == "ndcg_at_10"


def test_more_columns_to_drop_than_sagemaker_accepts_arguments_are_refused(
    make_settings: Callable[..., Settings],
) -> None:
    data = {"input": "s3://bucket/data.csv", "target_column": "y", "drop_columns": [f"c{i}" for i in range(90)]}
    with pytest.raises(UserError, match="need 113 container arguments, SageMaker accepts 100"):
        compile_definition(make_settings(data=data))


def test_a_changed_script_changes_only_the_steps_that_run_it(
    monkeypatch: pytest.MonkeyPatch, plain: dict[str, Any], make_settings: Callable[..., Settings]
) -> None:
    changed = bundles.Bundle(
        "evaluate", {**bundles.evaluate_bundle(make_settings()).files, "evaluate.py": b"# changed\n"}
    )
    monkeypatch.setattr("pipelines.training.evaluate.evaluate_bundle", lambda settings: changed)
    after = steps_by_name(compile_definition(make_settings()))
    before = steps_by_name(plain)
    assert [name for name in before if before[name] != after[name]] == ["Evaluate"]


@pytest.mark.slow
def test_two_clones_of_a_commit_compile_to_the_same_bytes_offline_and_without_credentials(tmp_path: Path) -> None:
    if not (REPOSITORY / ".git").exists():
        pytest.skip("not a git checkout")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "CODEBUILD_"))}
    environment |= {"HOME": str(tmp_path), "HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}
    outputs = []
    for name in ("one", "two"):
        clone = tmp_path / name
        subprocess.run(["git", "clone", "-q", str(REPOSITORY), str(clone)], check=True, timeout=60)  # noqa: S607
        command = [sys.executable, "-m", "pipelines", "definition"]
        environment["PYTHONPATH"] = str(clone)
        result = subprocess.run(command, cwd=clone, env=environment, capture_output=True, timeout=120, check=False)
        assert result.returncode == 0, result.stderr.decode()
        outputs.append(result.stdout)
    assert outputs[0] == outputs[1]
    assert json.loads(outputs[0])["Steps"]


def test_every_parameter_has_a_description(make_settings: Callable[..., Settings]) -> None:
    settings = make_settings()
    for parameters in (
        training_parameters.Parameters.of(settings, None),
        monitoring_parameters.Parameters.of(settings),
        batch_inference_parameters.Parameters.of(settings),
    ):
        assert all(parameter.name and text.endswith(".") for parameter, text in parameters.descriptions())


def with_data(**data: Any) -> dict[str, dict[str, Any]]:
    """Return the steps of the pipeline with these settings of the data."""
    content = {
        "name": "demo",
        "problem_type": "BinaryClassification",
        "data": {"input": "s3://bucket/data.csv", "target_column": "y", **data},
        "quality": {"metric": "auc", "threshold": 0.9},
    }
    return steps_by_name(compile_definition(Settings.model_validate(content)))


def test_the_format_of_csv_files_is_an_argument_of_preprocess_only_if_it_is_set(plain: dict[str, Any]) -> None:
    usual = steps_by_name(plain)["Preprocess"]["Arguments"]["AppSpecification"]["ContainerArguments"]
    assert not any(argument.startswith("--csv") for argument in usual)
    preprocess = with_data(csv={"separator": ";", "decimal": ","})["Preprocess"]
    arguments = preprocess["Arguments"]["AppSpecification"]["ContainerArguments"]
    start = arguments.index("--csv-separator")
    assert arguments[start : start + 4] == ["--csv-separator", ";", "--csv-decimal", ","]
    assert arguments[:start] + arguments[start + 4 :] == usual


@pytest.mark.parametrize(
    ("location", "data_type"), [("s3://bucket/data.csv", "S3Prefix"), ("s3://bucket/files.manifest", "ManifestFile")]
)
def test_a_manifest_is_an_input_of_its_own_type(location: str, data_type: str) -> None:
    steps = with_data(input=location)
    types = {
        item["InputName"]: item["S3Input"]["S3DataType"]
        for item in steps["Preprocess"]["Arguments"]["ProcessingInputs"]
    }
    assert types == {"data": data_type, "code": "S3Prefix"}
