"""The steps of fairness and attribution: configurations as the SDK makes them, files that the package names."""

from __future__ import annotations

import itertools
import json
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator

from pipelines.bundles import clarify_configs_bundle
from pipelines.clarify_configs import clarify_configs
from pipelines.sdk import offline_defaults
from project.settings import Settings
from tests.pipelines.test_definition import compile_definition, steps_by_name

FAIRNESS: dict[str, Any] = {
    "facets": [{"column": "sex", "values": ["female"]}, {"column": "age", "threshold": 25}, {"column": "region"}],
    "favourable": ["yes"],
}
CHECKS = {"DataBias": "DATA_BIAS", "ModelBias": "MODEL_BIAS", "Explainability": "MODEL_EXPLAINABILITY"}
KINDS = {"DataBias": "data-bias", "ModelBias": "model-bias", "Explainability": "explainability"}
PROBLEMS = {
    "BinaryClassification": {"metric": "auc", "threshold": 0.7},
    "MulticlassClassification": {"metric": "accuracy", "threshold": 0.7},
    "Regression": {"metric": "rmse", "threshold": 3},
}


def make_settings(**sections: Any) -> Settings:
    minimal: dict[str, Any] = {
        "name": "demo",
        "problem_type": "BinaryClassification",
        "data": {"input": "s3://bucket/data.csv", "target_column": "y", "drop_columns": ["sex", "id"]},
        "quality": {"metric": "auc", "threshold": 0.7},
    }
    return Settings.model_validate(minimal | sections)


def fair(**sections: Any) -> Settings:
    return make_settings(**({"fairness": FAIRNESS, "attribution": {}} | sections))


def steps_of(settings: Settings) -> dict[str, dict[str, Any]]:
    return steps_by_name(compile_definition(settings))


@pytest.fixture(scope="module")
def checks() -> dict[str, dict[str, Any]]:
    return steps_of(fair())


@pytest.fixture(scope="module")
def own_analyzer() -> dict[str, dict[str, Any]]:
    return steps_of(fair(quality_checks="processing"))


def inputs_of(step: dict[str, Any]) -> dict[str, tuple[Any, str]]:
    return {
        item["InputName"]: (item["S3Input"]["S3Uri"], item["S3Input"]["LocalPath"])
        for item in step["Arguments"]["ProcessingInputs"]
    }


def test_without_the_sections_there_is_none_of_it() -> None:
    plain = make_settings()
    steps = steps_of(plain)
    assert not {*CHECKS, "CreateModel"} & steps.keys()
    assert not clarify_configs_bundle(plain).files
    definition = json.dumps(steps)
    assert not [word for word in ("facets", "fairness", "data-bias", "explainability") if word in definition]


def test_each_section_has_steps_of_its_own() -> None:
    assert {*CHECKS} & steps_of(make_settings(fairness=FAIRNESS)).keys() == {"DataBias", "ModelBias"}
    assert {*CHECKS} & steps_of(make_settings(attribution={})).keys() == {"Explainability"}


def test_clarify_analyses_the_registered_model_and_is_never_cached(checks: dict[str, dict[str, Any]]) -> None:
    model = checks["CreateModel"]
    assert model["DependsOn"] == ["RegisterModel"]
    container = checks["RegisterModel"]["Arguments"]["InferenceSpecification"]["Containers"][0]
    assert {name: model["Arguments"]["PrimaryContainer"][name] for name in container} == container
    for name, type_ in CHECKS.items():
        step = checks[name]
        assert (step["Type"], step["CheckType"]) == ("ClarifyCheck", type_)
        assert "CacheConfig" not in step
        assert step["DependsOn"] == [{"DataBias": "RegisterModel"}.get(name, "CreateModel")]
        assert step.get("ModelName") == (None if name == "DataBias" else {"Get": "Steps.CreateModel.ModelName"})


def test_without_clarify_the_steps_keep_names_configurations_data_and_outputs(
    checks: dict[str, dict[str, Any]], own_analyzer: dict[str, dict[str, Any]]
) -> None:
    assert "CreateModel" not in own_analyzer
    for name, kind in KINDS.items():
        check, own = checks[name], own_analyzer[name]
        assert own["Type"] == "Processing" and own["DependsOn"] == ["RegisterModel"] and "CacheConfig" not in own
        assert own["Arguments"]["ProcessingOutputConfig"] == check["Arguments"]["ProcessingOutputConfig"]
        inputs, own_inputs = inputs_of(check), inputs_of(own)
        for uri, path in (inputs["analysis_config"], own_inputs["config"]):
            assert uri.endswith(f"/{kind}/analysis_config.json")
            assert path == "/opt/ml/processing/input/config"
        assert inputs["dataset"][1] == own_inputs["data"][1] == "/opt/ml/processing/input/data"
        assert ("model" in own_inputs) == (name != "DataBias")
        arguments = dict(itertools.pairwise(map(str, own["Arguments"]["AppSpecification"]["ContainerArguments"])))
        assert arguments["--analysis"] == kind
        assert arguments["--model-package-group"] == "demo"


def test_data_are_those_of_the_training_split_and_predictions_those_of_the_test_split(
    checks: dict[str, dict[str, Any]], own_analyzer: dict[str, dict[str, Any]]
) -> None:
    for name, output in (("DataBias", "facets"), ("ModelBias", "records")):
        assert f"Outputs['{output}']" in inputs_of(checks[name])["dataset"][0]["Get"]
        assert inputs_of(checks[name])["dataset"] == inputs_of(own_analyzer[name])["data"]
    assert "Outputs['facets']" in inputs_of(checks["Evaluate"])["facets"][0]["Get"]
    outputs = checks["Preprocess"]["Arguments"]["ProcessingOutputConfig"]["Outputs"]
    assert "facets" in [output["OutputName"] for output in outputs]


def test_clarify_which_is_slow_explains_a_sample_and_this_project_all_records(
    checks: dict[str, dict[str, Any]], own_analyzer: dict[str, dict[str, Any]]
) -> None:
    folder, file = inputs_of(checks["Explainability"])["dataset"][0]["Std:Join"]["Values"]
    assert "Outputs['schema']" in folder["Get"] and file == "test_sample.parquet"
    assert "Outputs['records']" in inputs_of(own_analyzer["Explainability"])["data"][0]["Get"]
    # the sample has features alone
    assert not {"label", "excluded_columns"} & clarify_configs(fair())["explainability"].keys()


def test_the_configurations_are_content_of_a_bundle(checks: dict[str, dict[str, Any]]) -> None:
    bundle = clarify_configs_bundle(fair())
    objects = dict(bundle.objects("s3://bucket/demo/code"))
    for name, kind in KINDS.items():
        uri, path = inputs_of(checks[name])["analysis_config"]
        assert path == "/opt/ml/processing/input/config"
        assert json.loads(objects[uri]) == clarify_configs(fair())[kind]


def test_the_package_refers_to_the_files_that_the_steps_write(checks: dict[str, dict[str, Any]]) -> None:
    package = checks["RegisterModel"]["Arguments"]
    reports, baselines = package["ModelMetrics"], package["DriftCheckBaselines"]
    registered = {
        "DataBias": (reports["Bias"]["PreTrainingReport"], baselines["Bias"]["PreTrainingConstraints"]),
        "ModelBias": (reports["Bias"]["PostTrainingReport"], baselines["Bias"]["PostTrainingConstraints"]),
        "Explainability": (reports["Explainability"]["Report"], baselines["Explainability"]["Constraints"]),
    }
    for name, files in registered.items():
        (output,) = checks[name]["Arguments"]["ProcessingOutputConfig"]["Outputs"]
        folder = output["S3Output"]["S3Uri"]["Std:Join"]["Values"]
        for file in files:
            assert file["S3Uri"]["Std:Join"]["Values"] == [*folder, "analysis.json"]
    objects = dict(clarify_configs_bundle(fair()).objects("s3://bucket/demo/code"))
    for section, kind in (("Bias", "bias-monitoring"), ("Explainability", "explainability-monitoring")):
        uri = baselines[section]["ConfigFile"]["S3Uri"]
        assert json.loads(objects[uri]) == clarify_configs(fair())[kind]


@pytest.mark.parametrize("problem", PROBLEMS)
def test_the_configurations_are_those_that_the_sdk_makes_of_its_classes(problem: str) -> None:
    # imported here, because pipelines.sdk must prepare the SDK
    from sagemaker.core.model_monitor import BiasAnalysisConfig, ExplainabilityAnalysisConfig

    from pipelines.training.clarify import check_config

    favourable = [7.5] if problem == "Regression" else ["yes"]
    settings = fair(
        problem_type=problem,
        quality=PROBLEMS[problem],
        fairness=FAIRNESS | {"favourable": favourable, "group_column": "id"},
    )
    configs = clarify_configs(settings)
    with offline_defaults():
        for kind in KINDS.values():
            config = configs[kind]
            made = _sdk_config(check_config(kind, config, "s3://data", "s3://output", "model"))  # type: ignore[arg-type]
            assert made | {"methods": made["methods"] | {"report": config["methods"]["report"]}} == config
        bias = check_config("model-bias", configs["model-bias"], "s3://data", "s3://output", "model")  # type: ignore[arg-type]
        assert BiasAnalysisConfig(bias.data_bias_config, label="y")._to_dict() == configs["bias-monitoring"]
        shap = check_config("explainability", configs["explainability"], "s3://data", "s3://output", "model")  # type: ignore[arg-type]
        monitoring = ExplainabilityAnalysisConfig(shap.explainability_config, shap.model_config)._to_dict()
        assert monitoring["predictor"].pop("model_name") == "model"
        assert monitoring == configs["explainability-monitoring"]


def _sdk_config(config: object) -> dict[str, Any]:
    """Return the content of analysis_config.json by the SDK, which makes it without a session."""
    from sagemaker.mlops.workflow.clarify_check_step import ClarifyCheckStep

    step = object.__new__(ClarifyCheckStep)
    step.clarify_check_config = config
    made: dict[str, Any] = step._generate_processing_job_analysis_config()
    return made


def test_one_number_is_listed_twice_where_it_is_a_value() -> None:
    facets = [
        {"column": "sex", "values": [0]},
        {"column": "region", "values": ["1"]},
        {"column": "age", "values": [1, 2]},
    ]
    config = clarify_configs(fair(fairness={"facets": facets, "favourable": [0]}))["bias-monitoring"]
    assert config["label_values_or_threshold"] == [0, 0]
    assert [facet["value_or_threshold"] for facet in config["facet"]] == [[0, 0], ["1", "1"], [1, 2]]
    # a threshold stays alone, and is a double as the data are
    threshold = {"facets": [{"column": "age", "threshold": 25}], "favourable": [7]}
    settings = fair(problem_type="Regression", quality=PROBLEMS["Regression"], fairness=threshold)
    config = clarify_configs(settings)["bias-monitoring"]
    values = [config["label_values_or_threshold"], config["facet"][0]["value_or_threshold"]]
    assert json.dumps(values) == "[[7.0], [25.0]]"


def test_the_endpoint_gets_the_features_alone() -> None:
    data = {"input": "s3://bucket/data.csv", "target_column": "y", "drop_columns": ["sex", "id"], "weight_column": "w"}
    quality = {"metric": "auc", "threshold": 0.7, "segments": ["id", "plan", "w"]}
    settings = fair(data=data, quality=quality, quality_checks="processing")
    for kind in ("model-bias", "explainability"):
        config = clarify_configs(settings)[kind]
        # age, region and plan are features; Clarify leaves the label out itself
        assert config["excluded_columns"] == ["id", "w", "sex"]
        assert config["label"] == "y"


def test_without_fairness_the_records_have_no_label() -> None:
    config = clarify_configs(make_settings(attribution={}, quality_checks="processing"))["explainability"]
    assert not {"label", "excluded_columns"} & config.keys()


def test_only_metrics_that_can_be_computed_are_asked_for() -> None:
    def metrics(**fairness: Any) -> set[str]:
        configs = clarify_configs(fair(fairness=FAIRNESS | fairness))
        return {
            *configs["data-bias"]["methods"]["pre_training_bias"]["methods"],
            *configs["model-bias"]["methods"]["post_training_bias"]["methods"],
        }

    plain = metrics()
    assert not {"CDDL", "CDDPL", "FT"} & plain
    assert metrics(group_column="id") - plain == {"CDDL", "CDDPL"}
    assert metrics(max={"FT": 0.1}) - plain == {"FT"}


def test_facets_are_arguments_of_preprocess_those_with_a_threshold_as_numbers(
    checks: dict[str, dict[str, Any]],
) -> None:
    arguments = " ".join(checks["Preprocess"]["Arguments"]["AppSpecification"]["ContainerArguments"])
    assert "--facet-columns sex region --numeric-facet-columns age --" in arguments


def test_limits_are_a_condition_of_registration() -> None:
    limited = steps_of(fair(fairness=FAIRNESS | {"max": {"DPL": 0.1}}))
    for step in ("CheckQuality", "CheckModelIsNew"):
        conditions = [
            condition
            for condition in limited[step]["Arguments"]["Conditions"]
            if condition.get("LeftValue", {}).get("Std:JsonGet", {}).get("Path") == "fairness.passes"
        ]
        assert [(condition["Type"], condition["RightValue"]) for condition in conditions] == [("Equals", 1)]
    (name,) = [name for name in limited if name.startswith("RegisterModel")]
    bias = limited[name]["Arguments"]["CustomerMetadataProperties"]["bias"]["Std:JsonGet"]["Path"]
    assert bias == "fairness.limited_text"
    assert not [path for path in ("fairness.passes", "limited_text") if path in json.dumps(steps_of(fair()))]


def test_every_request_is_valid_by_the_api_model(
    checks: dict[str, dict[str, Any]], own_analyzer: dict[str, dict[str, Any]]
) -> None:
    service = botocore.session.get_session().get_service_model("sagemaker")
    shapes = dict.fromkeys(CHECKS, "CreateProcessingJobRequest") | {"CreateModel": "CreateModelInput"}
    for steps, name in itertools.product((checks, own_analyzer), shapes):
        if name not in steps:
            continue
        request = _resolved(steps[name]["Arguments"])
        request |= {"ModelName": "m"} if name == "CreateModel" else {"ProcessingJobName": "p"}
        report = ParamValidator().validate(request, service.shape_for(shapes[name]))
        assert not report.has_errors(), report.generate_report()


def _resolved(value: Any) -> Any:
    """Replace references and functions, which the service evaluates, by texts."""
    if isinstance(value, list):
        return [_resolved(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.keys() & {"Get", "Std:Join"}:
        return "s3://x"
    return {key: _resolved(item) for key, item in value.items()}


def test_a_network_reaches_the_jobs_and_the_model() -> None:
    security = {"subnets": ["subnet-1"], "security_group_ids": ["sg-1"], "kms_key": "arn:aws:kms:us-east-1:1:key/1"}
    steps = steps_of(fair(security=security))
    vpc = {"Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}
    assert steps["CreateModel"]["Arguments"]["VpcConfig"] == vpc
    for name in CHECKS:
        arguments = steps[name]["Arguments"]
        assert arguments["NetworkConfig"]["VpcConfig"] == vpc
        assert arguments["ProcessingOutputConfig"]["KmsKeyId"] == security["kms_key"]
