"""An endpoint answers what the evaluation of its model predicted."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployment.checks import EndpointTest
from deployment.endpoints import ServedVariant, find_endpoint
from deployment.records import Records
from deployment.samples import EvaluationSamples, difference, find_samples
from project.errors import UserError
from project.settings import Settings
from tests.deployment.local_account import PROGRAM, LocalAccount, deploy, package_arn

RECORDS = Records(({"age": 31},))
SAMPLES = EvaluationSamples("champion", "1", [{"age": 31}, {"age": 40}], [{"prediction": 1.5}, {"prediction": 1.5}])


def check(account: LocalAccount, *samples: EvaluationSamples) -> dict[str, tuple[bool, str]]:
    endpoint = find_endpoint(account.target, "demo")
    assert endpoint is not None
    checks = EndpointTest(account.target, endpoint, RECORDS, 1, 1, None, samples).run()
    return {check.name: (check.passed, check.detail) for check in checks if check.name.startswith("predictions")}


def test_equal_predictions_pass_and_others_name_record_and_values(settings: Settings, account: LocalAccount) -> None:
    deploy(settings, account)
    assert check(account, SAMPLES) == {
        "predictions of the evaluation": (True, "2 records of version 1: equal to 1e-12")
    }
    other = EvaluationSamples("champion", "1", SAMPLES.records, [{"prediction": 1.5}, {"prediction": 1.25}])
    assert check(account, other) == {
        "predictions of the evaluation": (
            False,
            "1 of 2 records of version 1 differ; in record 2, prediction is 1.5, the evaluation has 1.25",
        )
    }


def test_without_samples_it_is_told_that_nothing_was_compared(settings: Settings, account: LocalAccount) -> None:
    deploy(settings, account)
    older = EvaluationSamples("champion", "1", reason="the evaluation of version 1 has no samples")
    assert check(account, older) == {
        "predictions of the evaluation": (True, "not compared: the evaluation of version 1 has no samples")
    }


def test_each_variant_is_compared_with_the_evaluation_of_its_own_model(
    settings: Settings, account: LocalAccount
) -> None:
    with account.registered(PROGRAM.replace("1.5", "2.5")) as version:
        deploy(settings, account, 1, challenger=version, weight=0.5)
        challenger = EvaluationSamples("challenger", str(version), SAMPLES.records, [{"prediction": 2.5}] * 2)
        results = check(account, SAMPLES, challenger)
    assert {name: passed for name, (passed, _) in results.items()} == {
        "predictions of champion": True,
        "predictions of challenger": True,
    }


def test_samples_are_found_through_the_execution_that_registered_the_version(
    account: LocalAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = "s3://bucket/execution/evaluation"
    monkeypatch.setattr("pipelines.results.describe", lambda target, arn: SimpleNamespace(step=lambda name: name))
    monkeypatch.setattr("pipelines.results.processing_outputs", lambda step, target: {"evaluation": uri})
    version = account.register("demo", CustomerMetadataProperties={"pipeline_execution_arn": "arn"})
    variant = ServedVariant("champion", package_arn(version), "", {}, 1.0, "ml.m5.large", 1, {})
    try:
        (empty,) = find_samples(account.target, [variant])
        assert empty.reason == f"the evaluation of version {version} has no samples"
        line = json.dumps({"record": {"age": 31}, "prediction": {"prediction": 1.5}})
        account.put(f"{uri}/samples.jsonl", f"{line}\n{line}\n".encode())
        (found,) = find_samples(account.target, [variant])
        assert (found.records, found.predictions) == ([{"age": 31}] * 2, [{"prediction": 1.5}] * 2)
        account.put(f"{uri}/samples.jsonl", b"[1]\n")
        with pytest.raises(UserError, match=r"samples\.jsonl is not a file of samples"):
            find_samples(account.target, [variant])
    finally:
        account.target.sagemaker.delete_model_package(ModelPackageName=package_arn(version))


def test_a_version_of_another_pipeline_has_no_samples(account: LocalAccount) -> None:
    variant = ServedVariant("champion", package_arn(1), "", {}, 1.0, "ml.m5.large", 1, {})
    (found,) = find_samples(account.target, [variant])
    assert found.reason == "the execution that registered version 1 was not found"


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.floats(-1e6, 1e6) | st.text(),
    lambda inner: st.dictionaries(st.text(max_size=3), inner, max_size=3),
)


@given(JSON_VALUES)
def test_a_value_does_not_differ_from_itself_after_rounding(value: Any) -> None:
    def rounded(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: rounded(inner) for name, inner in value.items()}
        return value * (1 + 1e-13) if isinstance(value, float) else value

    assert difference(value, rounded(value)) == ""


@pytest.mark.parametrize(
    ("expected", "found", "text"),
    [
        ({"label": "yes"}, {"label": "no"}, 'label is "no", the evaluation has "yes"'),
        ({"a": {"b": 1.0}}, {"a": {"b": 1.00001}}, "a.b is 1.00001, the evaluation has 1.0"),
        ({"a": 1.0}, {}, "a is null, the evaluation has 1.0"),
        ({}, {"a": 1.0}, "a is 1.0, the evaluation has null"),
        (True, 1, "it is 1, the evaluation has true"),
    ],
)
def test_the_first_difference_is_described(expected: Any, found: Any, text: str) -> None:
    assert difference(expected, found) == text
