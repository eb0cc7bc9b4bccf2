"""The definition with `tracking`: two steps more, and not a byte of another step."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from pipelines.training.track import mlflow_config
from project.settings import Settings
from tests.pipelines.test_definition import all_steps, compile_definition, steps_by_name
from tests.project.conftest import MINIMAL

APP = "arn:aws:sagemaker:us-east-1:123456789012:mlflow-app/app-ABCDEF123456"


def settings(**sections: Any) -> Settings:
    return Settings.model_validate(MINIMAL | {"tuning": {}} | sections)


@pytest.fixture(scope="module")
def untracked() -> dict[str, Any]:
    return compile_definition(settings())


@pytest.fixture(scope="module")
def tracked() -> dict[str, Any]:
    return compile_definition(settings(tracking={"mlflow": APP}))


def arguments(definition: dict[str, Any], step: str) -> list[Any]:
    return list(steps_by_name(definition)[step]["Arguments"]["AppSpecification"]["ContainerArguments"])


def test_without_the_section_the_definition_does_not_know_of_mlflow(untracked: dict[str, Any]) -> None:
    assert untracked["MlflowConfig"] is None
    assert "track" not in json.dumps(untracked).lower()


def test_no_other_step_changes_except_that_a_failure_waits_for_the_run(
    untracked: dict[str, Any], tracked: dict[str, Any]
) -> None:
    tracked = copy.deepcopy(tracked)
    steps = steps_by_name(tracked)
    added = [steps.pop(name) for name in ("Track", "TrackModelPackage")]
    assert steps["QualityTooLow"].pop("DependsOn") == ["Track"]
    for step in all_steps(tracked["Steps"]):
        for branch in ("IfSteps", "ElseSteps"):
            if own := step["Arguments"].get(branch):
                step["Arguments"][branch] = [item for item in own if item not in added]
    assert steps == steps_by_name(untracked)


def test_the_steps_that_track_are_not_cached(tracked: dict[str, Any]) -> None:
    steps = steps_by_name(tracked)
    assert "CacheConfig" in steps["Evaluate"]
    assert "CacheConfig" not in steps["Track"] and "CacheConfig" not in steps["TrackModelPackage"]


def test_the_version_is_added_after_its_registration_and_after_the_run(tracked: dict[str, Any]) -> None:
    assert {"Get": "Steps.RegisterModel.ModelPackageArn"} in arguments(tracked, "TrackModelPackage")
    assert steps_by_name(tracked)["TrackModelPackage"]["DependsOn"] == ["Track"]


def test_the_trials_of_a_tuning_job_are_found_below_its_outputs(tracked: dict[str, Any]) -> None:
    of_track = arguments(tracked, "Track")
    assert of_track[of_track.index("--trials-uri") + 1] == "s3://bucket/demo/tuning"
    assert {"Get": "Steps.Tune.HyperParameterTuningJobName"} in of_track


def test_the_definition_links_an_app_to_the_pipeline(tracked: dict[str, Any]) -> None:
    assert tracked["MlflowConfig"] == {"MlflowResourceArn": APP, "MlflowExperimentName": "demo"}


@pytest.mark.parametrize("mlflow", ["default", "https://mlflow.example.com"])
def test_only_an_arn_can_be_linked(mlflow: str) -> None:
    assert mlflow_config(settings(tracking={"mlflow": mlflow})) is None
