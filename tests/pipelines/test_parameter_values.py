"""Values of pipeline parameters that are refused before an execution starts."""

import pytest

from pipelines.parameter_values import check_input_data_type, check_ranges
from project.errors import UserError


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("NumLeaves", "-5", "parameter NumLeaves is '-5'; it must be greater than or equal to 2"),
        ("LearningRate", "2", "parameter LearningRate is '2'; it must be less than or equal to 1"),
        ("TrainingInstanceCount", "0", "parameter TrainingInstanceCount is '0'; it must be greater than or equal to 1"),
        ("MaxTuningJobs", "0", "parameter MaxTuningJobs is '0'; it must be greater than or equal to 1"),
        (
            "MaxParallelTuningJobs",
            "101",
            "parameter MaxParallelTuningJobs is '101'; it must be less than or equal to 100",
        ),
        ("MetricThreshold", "2", "parameter MetricThreshold is '2'; for auc it must be between 0 and 1"),
        ("TrainingInstanceType", "big", "parameter TrainingInstanceType is 'big'; it must match pattern"),
    ],
)
def test_a_value_that_the_settings_would_refuse_is_refused(name: str, value: str, message: str) -> None:
    with pytest.raises(UserError) as refused:
        check_ranges({name: value}, "auc")
    assert str(refused.value).startswith(message)


def test_values_in_range_and_parameters_without_a_setting_are_accepted() -> None:
    values = {"NumLeaves": "63", "LearningRate": "0.1", "MetricThreshold": "0.5", "SkipQualityCheck": "true"}
    check_ranges(values, "auc")
    check_ranges({"MetricThreshold": "2"}, "rmse")


@pytest.mark.parametrize(("uri", "definition"), [("s3://b/x.csv", "S3Prefix"), ("s3://b/x.manifest", "ManifestFile")])
def test_data_and_manifests_are_not_mixed_up(uri: str, definition: str) -> None:
    check_input_data_type(uri, f'{{"S3DataType": "{definition}"}}')
    other = "S3Prefix" if definition == "ManifestFile" else "ManifestFile"
    with pytest.raises(UserError, match=r"set data\.input to it in the settings instead of --input"):
        check_input_data_type(uri, f'{{"S3DataType": "{other}"}}')
