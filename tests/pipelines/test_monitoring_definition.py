"""The definition of the monitoring pipeline."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from pipelines.monitoring.pipeline import get_pipeline
from project.settings import Settings

ROLE = "arn:aws:iam::123456789012:role/SageMakerExecutionRole"
MakeSettings = Callable[..., Settings]
# the sections that bias and attribution need
FAIR: dict[str, Any] = {"fairness": {"facets": [{"column": "sex"}], "favourable": ["yes"]}, "attribution": {}}


def compiled(settings: Settings) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(get_pipeline(settings, ROLE, "bucket", "us-east-1").definition())
    return content


def test_one_job_runs_all_analyses_and_writes_below_its_execution(make_settings: MakeSettings) -> None:
    (step,) = compiled(make_settings())["Steps"]
    assert (step["Name"], step["Type"]) == ("Monitor", "Processing")
    inputs = [item["InputName"] for item in step["Arguments"]["ProcessingInputs"]]
    kinds = ("data-quality-statistics", "data-quality-constraints", "model-quality-statistics")
    assert inputs == [*kinds, "model-quality-constraints", "code"]
    outputs = {
        item["OutputName"]: item["S3Output"]["S3Uri"]["Std:Join"]["Values"]
        for item in step["Arguments"]["ProcessingOutputConfig"]["Outputs"]
    }
    assert set(outputs) == {"data-quality", "model-quality", "summary"}
    root = "s3://bucket/demo/monitoring/executions"
    assert outputs["summary"] == [root, {"Get": "Execution.PipelineExecutionId"}, "summary"]


def test_bias_and_attribution_have_a_baseline_and_its_configuration(make_settings: MakeSettings) -> None:
    (step,) = compiled(make_settings(monitoring={"analyses": ["bias", "attribution"]}, **FAIR))["Steps"]
    inputs = [item["InputName"] for item in step["Arguments"]["ProcessingInputs"]]
    assert inputs == ["bias-constraints", "bias-config", "attribution-constraints", "attribution-config", "code"]
    outputs = [item["OutputName"] for item in step["Arguments"]["ProcessingOutputConfig"]["Outputs"]]
    assert outputs == ["bias", "attribution", "summary"]
    arguments = step["Arguments"]["AppSpecification"]["ContainerArguments"]
    assert arguments[arguments.index("--analyses") + 1] == "bias,attribution"
    # what tolerates chance in the metrics of model quality does so in those of bias
    assert arguments[arguments.index("--metric-tolerance") + 1] == "2.5"


def test_later_steps_can_read_the_summary(make_settings: MakeSettings) -> None:
    (step,) = compiled(make_settings())["Steps"]
    (file,) = step["PropertyFiles"]
    assert file == {
        "PropertyFileName": "MonitoringSummary",
        "OutputName": "summary",
        "FilePath": "monitoring_summary.json",
    }


@pytest.mark.parametrize(
    ("analysis", "unused"),
    [
        ("data-quality", ("GroundTruth", "Label", "ModelQuality", "Metric", "Bias", "Attribution")),
        ("model-quality", ("DataQuality", "Drift", "Bias", "Attribution")),
        ("bias", ("Quality", "Drift", "PositiveLabel", "MetricThreshold", "MissingLabel", "Attribution")),
        ("attribution", ("GroundTruth", "Label", "Quality", "Metric", "Drift", "Bias")),
    ],
)
def test_the_pipeline_has_only_parameters_with_an_effect(
    make_settings: MakeSettings, analysis: str, unused: tuple[str, ...]
) -> None:
    definition = compiled(make_settings(monitoring={"analyses": [analysis]}, **FAIR))
    names = [parameter["Name"] for parameter in definition["Parameters"]]
    assert not [name for name in names if any(word in name for word in unused)]
    text = json.dumps(definition["Steps"])
    assert all(f'"Parameters.{name}"' in text for name in names)


def test_the_metric_threshold_defaults_to_the_one_of_registration(make_settings: MakeSettings) -> None:
    def default(settings: Settings) -> Any:
        parameters = {item["Name"]: item for item in compiled(settings)["Parameters"]}
        return parameters["MetricThreshold"]["DefaultValue"]

    assert default(make_settings()) == 0.9
    assert default(make_settings(monitoring={"metric_threshold": 0.7})) == 0.7


def test_the_job_stays_in_the_vpc_but_is_not_isolated_from_cloudwatch(make_settings: MakeSettings) -> None:
    security = {"subnets": ["subnet-1"], "security_group_ids": ["sg-1"], "network_isolation": True}
    (step,) = compiled(make_settings(security=security))["Steps"]
    network = step["Arguments"]["NetworkConfig"]
    assert not network["EnableNetworkIsolation"]
    assert network["VpcConfig"] == {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]}
