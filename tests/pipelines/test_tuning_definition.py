"""The definition with `tuning`: a Tuning step instead of Train, whose best model the later steps take."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator

from project.settings import Settings, TrainingSettings, TuningSettings
from tests.pipelines.test_definition import all_steps, compile_definition, steps_by_name
from tests.project.conftest import MINIMAL

BEST = "Steps.Tune.TrainingJobSummaries[0]"
SECURITY = {
    "kms_key": "arn:aws:kms:us-east-1:123456789012:key/1234",
    "subnets": ["subnet-1"],
    "security_group_ids": ["sg-1"],
    "network_isolation": True,
    "encrypt_inter_container_traffic": True,
}


@cache
def compiled(sections: str) -> dict[str, Any]:
    """Compile the definition for sections of the settings in JSON, once for all tests."""
    return compile_definition(Settings.model_validate(MINIMAL | json.loads(sections)))


def definition(**sections: Any) -> dict[str, Any]:
    return compiled(json.dumps(sections))


def tune(tuning: dict[str, Any], **sections: Any) -> dict[str, Any]:
    """Return the request of the Tuning step."""
    return dict(steps_by_name(definition(tuning=tuning, **sections))["Tune"]["Arguments"])


@pytest.mark.parametrize(
    ("tuning", "sections"),
    [
        ({}, {}),
        ({"strategy": "Hyperband", "ranges": {"num_leaves": {"min": 8, "max": 64}}, "random_seed": 0}, {}),
        ({"strategy": "Grid", "ranges": {"num_leaves": [7, 31], "class_weight": ["none", "balanced"]}}, {}),
        (
            {"warm_start_from": ["earlier"], "early_stopping": "Auto"},
            {"resources": {"use_spot": True}, "security": SECURITY, "tags": {"team": "risk"}},
        ),
    ],
)
def test_the_request_is_valid_by_the_api_model(tuning: dict[str, Any], sections: dict[str, Any]) -> None:
    request = {"HyperParameterTuningJobName": "j", **resolve(tune(tuning, **sections))}
    shape = botocore.session.Session().get_service_model("sagemaker").shape_for("CreateHyperParameterTuningJobRequest")
    report = ParamValidator().validate(request, shape)
    assert not report.has_errors(), report.generate_report()
    assert "null" not in json.dumps(request)


def test_with_folds_the_objective_is_the_mean_over_them() -> None:
    job = tune({}, training={"folds": 5})["HyperParameterTuningJobConfig"]
    assert job["HyperParameterTuningJobObjective"]["MetricName"] == "folds:auc"
    definitions = tune({}, training={"folds": 5})["TrainingJobDefinition"]["AlgorithmSpecification"][
        "MetricDefinitions"
    ]
    (pattern,) = [item["Regex"] for item in definitions if item["Name"] == "folds:auc"]
    line = "folds_auc_mean=0.98125 folds_auc_deviation=0.01"
    found = re.search(pattern, line)
    assert found is not None and float(found[1]) == 0.98125


def resolve(value: Any) -> Any:
    """Replace references and functions of the definition language by values of their types."""
    if isinstance(value, dict):
        if "Get" in value:
            return 1 if value["Get"].endswith(("Count", "Jobs")) else "s3://bucket/resolved"
        if any(key.startswith("Std:") for key in value):
            return "s3://bucket/resolved"
        return {key: resolve(item) for key, item in value.items()}
    return [resolve(item) for item in value] if isinstance(value, list) else value


def test_tune_takes_the_place_of_train() -> None:
    plain, tuned = (definition(**sections) for sections in ({}, {"tuning": {}}))
    names = [step["Name"] for step in all_steps(plain["Steps"])]
    assert [step["Name"] for step in all_steps(tuned["Steps"])] == [
        "Tune" if name == "Train" else name for name in names
    ]
    train, tune = steps_by_name(plain)["Train"], steps_by_name(tuned)["Tune"]
    assert tune["Type"] == "Tuning"
    assert (tune["CacheConfig"], tune["RetryPolicies"]) == (train["CacheConfig"], train["RetryPolicies"])
    trained, trial = train["Arguments"], tune["Arguments"]["TrainingJobDefinition"]
    assert trial["InputDataConfig"] == trained["InputDataConfig"]
    assert (
        trial["AlgorithmSpecification"]["MetricDefinitions"] == trained["AlgorithmSpecification"]["MetricDefinitions"]
    )
    tuned_names = {
        item["Name"]
        for items in tune["Arguments"]["HyperParameterTuningJobConfig"]["ParameterRanges"].values()
        for item in items
    }
    assert trial["StaticHyperParameters"] == {
        name: value for name, value in trained["HyperParameters"].items() if name not in tuned_names
    }
    assert trained["HyperParameters"].keys() == trial["StaticHyperParameters"].keys() | tuned_names


def test_the_definition_is_deterministic() -> None:
    assert compile_definition(Settings.model_validate(MINIMAL | {"tuning": {}})) == definition(tuning={})


def test_later_steps_take_the_best_model_also_of_a_cached_tuning_job() -> None:
    steps = steps_by_name(definition(tuning={}))
    (model,) = (item for item in steps["Evaluate"]["Arguments"]["ProcessingInputs"] if item["InputName"] == "model")
    uri = model["S3Input"]["S3Uri"]
    prefix = steps["Tune"]["Arguments"]["TrainingJobDefinition"]["OutputDataConfig"]["S3OutputPath"]
    assert prefix == "s3://bucket/demo/tuning", "an execution that takes the job from the cache has another id"
    on, values = uri["Std:Join"]["On"], uri["Std:Join"]["Values"]
    assert on.join(value if isinstance(value, str) else value["Get"] for value in values) == (
        f"{prefix}/{BEST}.TrainingJobName/output/model.tar.gz"
    )
    found = steps["FindModelPackage"]["Arguments"]["AppSpecification"]["ContainerArguments"]
    registered = steps["RegisterModel"]["Arguments"]["InferenceSpecification"]["Containers"][0]["ModelDataUrl"]
    assert uri in found and uri == registered


def test_the_package_names_the_tuning_job_and_the_winning_values() -> None:
    steps = steps_by_name(definition(tuning={}))
    metadata = steps["RegisterModel"]["Arguments"]["CustomerMetadataProperties"]
    assert metadata["tuning_job"] == {"Get": "Steps.Tune.HyperParameterTuningJobName"}
    assert metadata["training_job"] == {"Get": f"{BEST}.TrainingJobName"}
    tuned = {name: value for name, value in metadata.items() if name.startswith("tuned_")}
    assert tuned == {
        f"tuned_{name}": {"Get": f"{BEST}.TunedHyperParameters['{name}']"}
        for name in TuningSettings().search_space(TrainingSettings())
    }


def test_evaluate_reads_the_trials_where_the_network_lets_it() -> None:
    def arguments(**sections: Any) -> list[Any]:
        evaluate = steps_by_name(definition(tuning={}, **sections))["Evaluate"]
        return list(evaluate["Arguments"]["AppSpecification"]["ContainerArguments"])

    assert arguments()[-2:] == ["--tuning-job", {"Get": "Steps.Tune.HyperParameterTuningJobName"}]
    assert "--tuning-job" not in arguments(security={"network_isolation": True})


def test_what_is_tuned_is_no_parameter_of_the_pipeline_and_the_limits_are() -> None:
    def parameters(**sections: Any) -> dict[str, Any]:
        return {item["Name"]: item.get("DefaultValue") for item in definition(**sections)["Parameters"]}

    plain, tuned = parameters(), parameters(tuning={"max_jobs": 30, "max_parallel_jobs": 3})
    assert plain.keys() - tuned.keys() == {"NumLeaves", "LearningRate"}
    assert {name: tuned[name] for name in tuned.keys() - plain.keys()} == {
        "MaxTuningJobs": 30,
        "MaxParallelTuningJobs": 3,
    }
    grid = parameters(tuning={"strategy": "Grid", "ranges": {"early_stopping_rounds": [20, 50]}})
    assert plain.keys() - grid.keys() == {"EarlyStoppingRounds"}
    assert grid.keys() - plain.keys() == {"MaxParallelTuningJobs"}, "SageMaker counts the combinations itself"


def test_strategy_objective_and_seed_reach_the_request() -> None:
    config = tune({"strategy": "Random", "objective": "binary_logloss", "early_stopping": "Auto"})[
        "HyperParameterTuningJobConfig"
    ]
    assert config["HyperParameterTuningJobObjective"] == {
        "Type": "Minimize",
        "MetricName": "validation:binary_logloss",
    }
    assert (config["Strategy"], config["TrainingJobEarlyStoppingType"], config["RandomSeed"]) == ("Random", "Auto", 42)
    hyperband = tune({"strategy": "Hyperband", "random_seed": 0})["HyperParameterTuningJobConfig"]
    assert hyperband["StrategyConfig"] == {"HyperbandStrategyConfig": {"MinResource": 5, "MaxResource": 60}}
    assert hyperband["RandomSeed"] == 0
    assert hyperband["HyperParameterTuningJobObjective"]["Type"] == "Maximize"


def test_a_warm_start_names_its_parents() -> None:
    assert tune({"warm_start_from": ["a", "b"]})["WarmStartConfig"] == {
        "ParentHyperParameterTuningJobs": [
            {"HyperParameterTuningJobName": "a"},
            {"HyperParameterTuningJobName": "b"},
        ],
        "WarmStartType": "TransferLearning",
    }


def test_categories_are_texts_as_hyperparameters_are() -> None:
    ranges = tune({"ranges": {"num_leaves": [7, 31], "feature_fraction": [0.5, 1]}})["HyperParameterTuningJobConfig"][
        "ParameterRanges"
    ]
    assert ranges["CategoricalParameterRanges"] == [
        {"Name": "num_leaves", "Values": ["7", "31"]},
        {"Name": "feature_fraction", "Values": ["0.5", "1.0"]},
    ]


def test_security_spot_and_tags_reach_every_trial() -> None:
    request = tune({}, security=SECURITY, resources={"use_spot": True}, tags={"team": "risk"})
    trial = request["TrainingJobDefinition"]
    assert trial["ResourceConfig"]["VolumeKmsKeyId"] == trial["OutputDataConfig"]["KmsKeyId"] == SECURITY["kms_key"]
    assert trial["VpcConfig"] == {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]}
    assert trial["EnableNetworkIsolation"] is trial["EnableInterContainerTrafficEncryption"] is True
    assert trial["EnableManagedSpotTraining"] is True
    assert trial["StoppingCondition"] == {"MaxRuntimeInSeconds": 10800, "MaxWaitTimeInSeconds": 21600}
    assert trial["CheckpointConfig"]["S3Uri"] == "s3://bucket/demo/checkpoints"
    assert request["Tags"] == [{"Key": "team", "Value": "risk"}]
