import contextlib
import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local_sagemaker.executions.definition import DefinitionError
from local_sagemaker.executions.expressions import EXECUTION_VARIABLES, ExpressionError, evaluate, look_up, resolve
from local_sagemaker.executions.step_policies import DEFAULT_POLICY, Retries, RetryPolicy
from local_sagemaker.executions.steps import STEP_TYPES
from tests.local_sagemaker.steps import parse


def definition(*steps: dict[str, Any], parameters: list[dict[str, Any]] | None = None) -> str:
    return json.dumps({"Version": "2020-12-01", "Metadata": {}, "Parameters": parameters or [], "Steps": steps})


def fail(name: str, message: Any = "no", **more: Any) -> dict[str, Any]:
    return {"Name": name, "Type": "Fail", "Arguments": {"ErrorMessage": message}, **more}


def processing(name: str, arguments: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    outputs = {"Outputs": [{"OutputName": "metrics", "S3Output": {"S3Uri": f"s3://bucket/{name}"}}]}
    return {
        "Name": name,
        "Type": "Processing",
        "Arguments": {"ProcessingOutputConfig": outputs, **(arguments or {})},
        **more,
    }


def condition(name: str, if_steps: list[Any], else_steps: list[Any], left: Any = 1, **more: Any) -> dict[str, Any]:
    test = {"Type": "Equals", "LeftValue": left, "RightValue": 1}
    arguments = {"Conditions": [test], "IfSteps": if_steps, "ElseSteps": else_steps}
    return {"Name": name, "Type": "Condition", "Arguments": arguments, **more}


def output_of(step: str) -> dict[str, str]:
    return {"Get": f"Steps.{step}.ProcessingOutputConfig.Outputs['metrics'].S3Output.S3Uri"}


class Values:
    """A scope with fixed values."""

    def __init__(self, **parameters: Any) -> None:
        self.parameters = parameters

    def parameter(self, name: str) -> Any:
        return self.parameters[name]

    def execution_variable(self, name: str) -> str:
        return f"<{name}>"

    def step_properties(self, step: str) -> Any:
        return {
            "Outcome": False,
            "ModelArtifacts": {"S3ModelArtifacts": f"s3://bucket/{step}/model.tar.gz"},
            "ProcessingOutputConfig": {"Outputs": [{"OutputName": "metrics", "S3Output": {"S3Uri": "s3://bucket/m"}}]},
            "FinalMetricDataList": [{"MetricName": "validation:auc", "Value": 0.75}],
        }

    def property_file(self, step: str, name: str) -> Any:
        return {"metrics": {"auc": {"value": 0.9}}, "rows": [1, 2, 3]}

    def json_object(self, uri: str) -> Any:
        return {"uri": uri}


# dependencies


def test_a_step_depends_on_steps_in_depends_on_and_on_steps_it_refers_to() -> None:
    steps = parse(
        definition(
            processing("First"),
            processing("Second", {"Environment": {"URI": output_of("First")}}),
            processing("Third", DependsOn=["First"]),
            processing("Fourth"),
        )
    ).steps
    assert {name: set(step.dependencies) for name, step in steps.items()} == {
        "First": set(),
        "Second": {"First"},
        "Third": {"First"},
        "Fourth": set(),
    }


def test_references_within_join_json_get_and_top_level_fields_are_dependencies() -> None:
    join = {"Std:Join": {"On": "/", "Values": ["s3:/", output_of("First")]}}
    get = {"Std:JsonGet": {"PropertyFile": {"Get": "Steps.Second.PropertyFiles.File"}, "Path": "a"}}
    file = {"PropertyFileName": "File", "OutputName": "metrics", "FilePath": "metrics.json"}
    steps = parse(
        definition(
            processing("First"),
            processing("Second", PropertyFiles=[file]),
            {"Name": "Check", "Type": "QualityCheck", "Arguments": {"Environment": {"x": get}}, "SkipCheck": join},
        )
    ).steps
    assert steps["Check"].dependencies == {"First", "Second"}


def test_branch_steps_depend_on_their_condition_which_does_not_depend_on_their_references() -> None:
    steps = parse(
        definition(
            processing("First"),
            processing("Second"),
            condition("Check", [processing("Third", {"Environment": {"a": output_of("Second")}})], [fail("Fourth")]),
        )
    ).steps
    assert steps["Check"].dependencies == set()
    assert (steps["Third"].dependencies, steps["Third"].branch) == ({"Check", "Second"}, ("Check", True))
    assert (steps["Fourth"].dependencies, steps["Fourth"].branch) == ({"Check"}, ("Check", False))
    assert list(steps) == ["First", "Second", "Check", "Third", "Fourth"]


# invalid definitions


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{", ["not JSON"]),
        ("[]", ["Version"]),
        (json.dumps({"Version": "2019-01-01", "Steps": [fail("A")]}), ["2020-12-01", "2019-01-01"]),
        (json.dumps({"Version": "2020-12-01", "Steps": []}), ["no Steps"]),
        (definition({"Name": "Own", "Type": "Own"}), ["'Own'", "type 'Own'", *STEP_TYPES]),
        (definition({"Name": "Train", "Type": "AutoML"}), ["'Train'", "'AutoML'", "Tuning step"]),
        (definition(fail("A"), fail("A")), ["two steps", "'A'"]),
        (definition(condition("A", [fail("B")], [fail("B")])), ["two steps", "'B'"]),
        (
            json.dumps({"Version": "2020-12-01", "Steps": [fail("A")], "MlflowConfig": {"MlflowExperimentName": "x"}}),
            ["MlflowConfig", "MlflowResourceArn"],
        ),
        (definition(fail("A B")), ["'A B'", "64"]),
        (definition(processing("A", DependsOn=["B"])), ["'A'", "'B'", "not defined"]),
        (definition(fail("A", output_of("B"))), ["'A'", "'B'", "not defined"]),
        (definition(fail("A", {"Get": "Parameters.P"})), ["'A'", "'P'", "not defined"]),
        (definition(fail("A", {"Get": "Execution.Colour"})), ["'A'", "Colour", *EXECUTION_VARIABLES]),
        (definition(fail("A", {"Get": "Steps.B.a[x"})), ["'A'", "malformed"]),
        (definition(fail("A", {"Std:Join": {"On": "/"}})), ["'A'", "Std:Join", "Values"]),
        (definition(fail("A", {"Std:JsonGet": {"Path": "a"}})), ["'A'", "Std:JsonGet", "PropertyFile", "S3Uri"]),
        (definition(fail("A"), processing("B", DependsOn=["A"])), ["'B'", "'A'", "Fail step"]),
        (definition(processing("A", DependsOn=["B"]), processing("B", DependsOn=["A"])), ["cycle", "A", "B"]),
        (definition(processing("A", DependsOn=["A"])), ["cycle", "A"]),
        (definition(processing("A", DependsOn=[{"Step": "B", "Trigger": "Failed"}])), ["'A'", "Failed"]),
        (definition(processing("B", DependsOn=["C"]), condition("C", [], [], left=output_of("B"))), ["cycle"]),
        (definition({"Name": "A", "Type": "Condition", "Arguments": {"Conditions": [{"Type": "Near"}]}}), ["'Near'"]),
        (definition(processing("A", CacheConfig={"Enabled": True, "ExpireAfter": "soon"})), ["'A'", "'soon'", "P30D"]),
        (definition(processing("A", CacheConfig={"Enabled": True})), ["'A'", "ExpireAfter"]),
        (definition(processing("A", RetryPolicies=[{"ExceptionType": ["Step.SLOW"]}])), ["'A'", "Step.SLOW"]),
        (
            definition(
                processing("A", RetryPolicies=[{"ExceptionType": ["Step.THROTTLING"], "MaxAttempts": 21}]),
            ),
            ["MaxAttempts", "20", "21"],
        ),
        (
            definition(
                processing("A", RetryPolicies=[
                    {"ExceptionType": ["Step.THROTTLING"], "MaxAttempts": 2, "ExpireAfterMin": 2}
                ]),
            ),
            ["mutually exclusive"],
        ),
        (
            definition(fail("F", {"Std:JsonGet": {"PropertyFile": {"Get": "Steps.A.PropertyFiles.X"}, "Path": "a"}}),
                       processing("A")),
            ["'F'", "'X'", "'A'", "does not define"],
        ),
        (
            definition(
                processing("A", PropertyFiles=[{"PropertyFileName": "X", "OutputName": "lost", "FilePath": "x.json"}]),
                fail("F", {"Std:JsonGet": {"PropertyFile": {"Get": "Steps.A.PropertyFiles.X"}, "Path": "a"}}),
            ),
            ["'lost'", "metrics"],
        ),
    ],
)  # fmt: skip
def test_an_invalid_definition_is_rejected_with_the_step_and_the_reason(text: str, expected: list[str]) -> None:
    with pytest.raises(DefinitionError) as error:
        parse(text)
    assert all(word in str(error.value) for word in expected), str(error.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=8), children, max_size=3),
    max_leaves=5,
)


@given(data=st.data())
@settings(max_examples=300, deadline=None)
def test_parsing_a_corrupted_definition_raises_only_definition_errors(data: st.DataObject) -> None:
    get = {"Std:JsonGet": {"PropertyFile": {"Get": "Steps.A.PropertyFiles.X"}, "Path": "a.b"}}
    file = {"PropertyFileName": "X", "OutputName": "metrics", "FilePath": "x.json"}
    policy = {"ExceptionType": ["Step.THROTTLING"], "MaxAttempts": 2, "IntervalSeconds": 1, "BackoffRate": 2.0}
    cache = {"Enabled": True, "ExpireAfter": "P1D"}
    document = json.loads(
        definition(
            processing("A", PropertyFiles=[file], RetryPolicies=[policy], CacheConfig=cache),
            condition("B", [fail("C", {"Std:Join": {"On": "", "Values": [get]}})], [], left=get, DependsOn=["A"]),
            parameters=[{"Name": "P", "Type": "Integer", "DefaultValue": 1, "EnumValues": [1, 2]}],
        )
    )
    place: Any = document
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(place[key], dict | list) or not place[key] or data.draw(st.booleans()):
            place[key] = data.draw(JSON)
            break
        place = place[key]
    with contextlib.suppress(DefinitionError):
        parse(json.dumps(document))


def test_a_definition_that_is_nested_too_deeply_is_rejected() -> None:
    with pytest.raises(DefinitionError):
        parse('{"Version": "2020-12-01", "Steps": ' + "[" * 100_000)


# parameters


def parameter(type_: str, **more: Any) -> dict[str, Any]:
    return {"Name": "P", "Type": type_, **more}


@pytest.mark.parametrize(
    ("type_", "text", "value"),
    [
        ("String", "a", "a"),
        ("Integer", "-3", -3),
        ("Float", "0.05", 0.05),
        ("Float", "1e-3", 0.001),
        ("Boolean", "true", True),
        ("Boolean", "False", False),
    ],
)
def test_a_value_is_converted_to_the_parameters_type(type_: str, text: str, value: Any) -> None:
    read = parse(definition(fail("A"), parameters=[parameter(type_)])).values({"P": text})["P"]
    assert read == value and type(read) is type(value)


@pytest.mark.parametrize(
    ("parameters", "given_values", "expected"),
    [
        ([parameter("Integer")], {"P": "1.5"}, ["'P'", "an integer", "'1.5'"]),
        ([parameter("Integer")], {"P": "1_000"}, ["'P'"]),
        ([parameter("Float")], {"P": "nan"}, ["'P'", "a number"]),
        ([parameter("Boolean")], {"P": "yes"}, ["'P'", "true or false", "'yes'"]),
        ([parameter("String", EnumValues=["a", "b"])], {"P": "c"}, ["'P'", "'c'", "a, b"]),
        ([parameter("String")], {}, ["'P'", "no default value"]),
        ([parameter("String", DefaultValue="a")], {"Q": "1"}, ["'Q'", "P"]),
    ],
)
def test_an_invalid_parameter_value_is_rejected(parameters: Any, given_values: Any, expected: list[str]) -> None:
    with pytest.raises(DefinitionError) as error:
        parse(definition(fail("A"), parameters=parameters)).values(given_values)
    assert all(word in str(error.value) for word in expected), str(error.value)


@pytest.mark.parametrize(
    "bad",
    [
        parameter("Integer", DefaultValue=True),
        parameter("Float", DefaultValue="0.5"),
        parameter("String", DefaultValue="c", EnumValues=["a"]),
        parameter("Date"),
    ],
)
def test_an_invalid_default_value_is_rejected(bad: dict[str, Any]) -> None:
    with pytest.raises(DefinitionError, match="'P'"):
        parse(definition(fail("A"), parameters=[bad]))


def test_parameters_without_a_value_have_their_default() -> None:
    parameters = [parameter("Float", DefaultValue=1), {"Name": "Q", "Type": "Boolean", "DefaultValue": False}]
    assert parse(definition(fail("A"), parameters=parameters)).values({}) == {"P": 1, "Q": False}


# expressions


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ({"Get": "Parameters.P"}, 0.05),
        ({"Get": "Execution.PipelineExecutionId"}, "<PipelineExecutionId>"),
        ({"Get": "Steps.Train.ModelArtifacts.S3ModelArtifacts"}, "s3://bucket/Train/model.tar.gz"),
        (output_of("A"), "s3://bucket/m"),
        ({"Get": "Steps.A.ProcessingOutputConfig.Outputs[0].S3Output.S3Uri"}, "s3://bucket/m"),
        ({"Get": "Steps.A.FinalMetricDataList['validation:auc'].Value"}, 0.75),
        ({"Std:Join": {"On": "-", "Values": ["a", {"Get": "Parameters.P"}, 3, True]}}, "a-0.05-3-true"),
        ({"Std:Join": {"On": ": ", "Values": ["it is", {"Get": "Steps.C.Outcome"}]}}, "it is: false"),
        (
            {"Std:JsonGet": {"PropertyFile": {"Get": "Steps.A.PropertyFiles.F"}, "Path": "metrics.auc.value"}},
            0.9,
        ),
        ({"Std:JsonGet": {"PropertyFile": {"Get": "Steps.A.PropertyFiles.F"}, "Path": "$.rows[2]"}}, 3),
        (
            {"Std:JsonGet": {"S3Uri": {"Std:Join": {"On": "/", "Values": ["s3://b", "k"]}}, "Path": "['uri']"}},
            "s3://b/k",
        ),
        ({"list": [{"Get": "Parameters.P"}, {"Get": 1, "other": 2}]}, {"list": [0.05, {"Get": 1, "other": 2}]}),
    ],
)
def test_expressions_resolve_to_values(expression: Any, value: Any) -> None:
    assert resolve(expression, Values(P=0.05)) == value


def test_the_error_for_a_path_without_a_value_lists_the_available_keys() -> None:
    with pytest.raises(ExpressionError, match=r"step 'A' has no value at 'x\.y': 'y' not found \(keys: a, b\)"):
        look_up({"x": {"b": 1, "a": 2}}, "x.y", "step 'A'")


def test_every_value_of_a_document_is_found_by_keys_in_brackets() -> None:
    document = {"a.b": {"c": [0, {"d e": "found"}]}}
    assert look_up(document, "['a.b'].c[1]['d e']", "it") == "found"


@pytest.mark.parametrize(
    ("test", "outcome"),
    [
        ({"Type": "Equals", "LeftValue": {"Get": "Parameters.P"}, "RightValue": 1.0}, True),
        ({"Type": "Equals", "LeftValue": True, "RightValue": 1}, False),
        ({"Type": "GreaterThan", "LeftValue": 2, "RightValue": 1.5}, True),
        ({"Type": "GreaterThanOrEqualTo", "LeftValue": 1, "RightValue": 1}, True),
        ({"Type": "LessThan", "LeftValue": 1, "RightValue": 1}, False),
        ({"Type": "LessThanOrEqualTo", "LeftValue": "a", "RightValue": "b"}, True),
        ({"Type": "In", "QueryValue": "a", "Values": ["b", "a"]}, True),
        ({"Type": "In", "QueryValue": "a", "Values": []}, False),
        ({"Type": "Not", "Condition": {"Type": "Equals", "LeftValue": 1, "RightValue": 2}}, True),
        ({"Type": "Not", "Expression": {"Type": "Equals", "LeftValue": 1, "RightValue": 1}}, False),
        ({"Type": "And", "Conditions": [{"Type": "In", "QueryValue": 1, "Values": [1]}]}, True),
        (
            {
                "Type": "Or",
                "Conditions": [
                    {"Type": "In", "QueryValue": 1, "Values": [2]},
                    {"Type": "Equals", "LeftValue": 1, "RightValue": 1},
                ],
            },
            True,
        ),
    ],
)
def test_conditions_are_evaluated(test: dict[str, Any], outcome: bool) -> None:
    assert evaluate(test, Values(P=1)) is outcome


def test_a_string_and_a_number_cannot_be_ordered() -> None:
    with pytest.raises(ExpressionError, match=r'cannot compare "high" with 0\.5'):
        evaluate({"Type": "GreaterThan", "LeftValue": "high", "RightValue": 0.5}, Values())


# cache and retry policies


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("P30D", timedelta(days=30)),
        ("p30d", timedelta(days=30)),
        ("30d", timedelta(days=30)),
        ("5y", timedelta(days=5 * 365)),
        ("T16m", timedelta(minutes=16)),
        ("PT1H", timedelta(hours=1)),
        ("30dT5h", timedelta(days=30, hours=5)),
        ("P1M", timedelta(days=30)),
    ],
)
def test_cache_durations_are_parsed_in_every_documented_format(text: str, duration: timedelta) -> None:
    step = processing("A", CacheConfig={"Enabled": True, "ExpireAfter": text})
    assert parse(definition(step)).steps["A"].cache_expires_after == duration


def test_a_disabled_cache_has_no_expiration() -> None:
    step = processing("A", CacheConfig={"Enabled": False, "ExpireAfter": "P1D"})
    assert parse(definition(step)).steps["A"].cache_expires_after is None


def test_retries_back_off_until_max_attempts() -> None:
    retries = Retries([RetryPolicy(("SageMaker.RESOURCE_LIMIT",), 10, 3, max_attempts=3)])
    assert [retries.delay("SageMaker.RESOURCE_LIMIT") for _ in range(5)] == [10, 30, 90, None, None]
    assert retries.delay("SageMaker.CAPACITY_ERROR") is None
    assert retries.delay(None) is None


def test_retries_end_after_expire_after_min() -> None:
    policy = RetryPolicy(("Step.THROTTLING",), 10, 1, max_attempts=None, expire_after_minutes=2)
    assert policy.delay(50, elapsed=100) == 10
    assert policy.delay(0, elapsed=111) is None


def test_throttling_and_service_faults_are_retried_by_default_unless_the_step_has_a_policy() -> None:
    assert Retries([]).delay("Step.THROTTLING") == DEFAULT_POLICY.interval_seconds
    own = Retries([RetryPolicy(("Step.THROTTLING",), max_attempts=0)])
    assert own.delay("Step.THROTTLING") is None
    assert own.delay("Step.SERVICE_FAULT") == DEFAULT_POLICY.interval_seconds


# definitions of the SDK


def test_definitions_of_the_sdk_are_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    from sagemaker.core.workflow.conditions import ConditionGreaterThan, ConditionIn, ConditionNot, ConditionOr
    from sagemaker.core.workflow.execution_variables import ExecutionVariables
    from sagemaker.core.workflow.functions import Join
    from sagemaker.core.workflow.parameters import ParameterFloat, ParameterString
    from sagemaker.mlops.workflow.condition_step import ConditionStep
    from sagemaker.mlops.workflow.fail_step import FailStep
    from sagemaker.mlops.workflow.pipeline import Pipeline

    threshold, colour = ParameterFloat("Threshold", 0.5), ParameterString("Colour", "red", enum_values=["red", "blue"])
    message = Join(on=" ", values=[ExecutionVariables.PIPELINE_NAME, colour, threshold.to_string()])
    low = ConditionNot(ConditionOr([ConditionGreaterThan(threshold, 0.1), ConditionIn(colour, ["blue"])]))
    check = ConditionStep("Check", conditions=[low], if_steps=[FailStep("Low", message)], else_steps=[])
    after = ConditionStep("After", conditions=[ConditionIn(check.properties.Outcome, [False])], depends_on=["Check"])
    text = Pipeline("p", parameters=[threshold, colour], steps=[check, after]).definition()

    parsed = parse(text)
    scope = Values(**parsed.values({"Threshold": "0.05"}))
    assert list(parsed.steps) == ["Check", "Low", "After"]
    assert resolve(parsed.steps["Low"].arguments["ErrorMessage"], scope) == "<PipelineName> red 0.05"
    assert evaluate(parsed.steps["Check"].arguments["Conditions"][0], scope)
    assert evaluate(parsed.steps["After"].arguments["Conditions"][0], scope)
    assert parsed.steps["After"].dependencies == {"Check"}
