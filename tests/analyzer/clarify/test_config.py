"""analysis_config.json: what the SDK writes is read, and what is wrong with one is said by its member."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from analyzer import QualityError
from analyzer.clarify.config_file import parse_config, read_config
from analyzer.clarify.inputs import configuration
from analyzer.clarify.job import Attributes, ClarifyJob
from tests.analyzer.clarify.conftest import CONFIG


def test_the_configuration_that_the_sdk_writes_is_read() -> None:
    clarify = pytest.importorskip("sagemaker.core.clarify")
    document = clarify.DataConfig(
        "s3://bucket/data.csv", "s3://bucket/output", label="credit", headers=["sex", "age", "credit"], joinsource="age"
    ).get_config()
    document |= clarify.BiasConfig(["yes"], ["sex", "age"], [["female"], [25]], "housing").get_config()
    threshold, predictor = clarify.ModelPredictedLabelConfig(
        "label", "probability", 0.7, ["yes"]
    ).get_predictor_config()
    predictor |= clarify.ModelConfig(
        "credit", 1, "ml.m5.large", "text/csv", "application/json", "$records", "$features_kvp"
    ).get_predictor_config()
    shap = clarify.SHAPConfig([[1, 2]], 50, "median", seed=7, features_to_explain=["sex"]).get_explainability_config()
    pdp = clarify.PDPConfig(["age"], 10).get_explainability_config()
    document |= {"predictor": predictor, "probability_threshold": threshold}
    document["methods"] = {"pre_training_bias": {"methods": "all"}, "report": {"name": "report", "title": "Loans"}}
    document["methods"] |= shap | pdp
    config = parse_config(document)
    assert config.headers == ("sex", "age", "credit")
    assert [(facet.column, facet.values) for facet in config.facets] == [("sex", ("female",)), ("age", (25,))]
    assert (config.group_variable, config.join_source, config.probability_threshold) == ("housing", "age", 0.7)
    assert (config.pre_training, config.post_training, config.report_title) == ("all", None, "Loans")
    assert config.shap is not None
    assert (config.shap.agg_method, config.shap.seed, config.shap.features) == ("median", 7, ("sex",))
    assert config.pdp is not None
    assert config.pdp.grid_resolution == 10
    assert config.predictor is not None
    assert (config.predictor.model_name, config.predictor.label_headers) == ("credit", ("yes",))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dataset_typ": "text/csv"}, "unknown member dataset_typ; did you mean 'dataset_type'?"),
        ({"dataset_type": "text/tsv"}, "dataset_type 'text/tsv' is not supported; use one of text/csv"),
        ({"version": "2.0"}, "version '2.0' is not supported; use 1.0"),
        ({"methods": {}}, "methods has nothing to compute; add pre_training_bias"),
        ({"methods": {"post_trainig_bias": {}}}, "unknown member methods.post_trainig_bias; did you mean"),
        ({"methods": {"shap": {"num_samples": 0}}}, "methods.shap.num_samples 0 is less than 1"),
        ({"methods": {"shap": {"agg_method": "mean"}}}, "methods.shap.agg_method 'mean' is not supported"),
        ({"methods": {"shap": {"baseline": [[1]], "num_clusters": 2}}}, "has baseline and num_clusters; remove one"),
        ({"methods": {"shap": {"text_config": {}}}}, "methods.shap.text_config is not supported"),
        ({"methods": {"pdp": {"grid_resolution": 5}}}, "methods.pdp needs features, or methods.shap to choose them"),
        ({"facet": []}, "bias metrics need facet"),
        ({"facet": [{"value_or_threshold": [1]}]}, "a facet has no name_or_index"),
        ({"facet": [{"name_or_index": -1}]}, "facet.name_or_index -1 is negative"),
        ({"label_values_or_threshold": None}, "bias metrics need label_values_or_threshold"),
        ({"label_values_or_threshold": [["yes"]]}, "is not a list of values or of one threshold"),
        ({"headers": ["a", "a"]}, "headers .* has 'a' twice"),
        ({"label": True}, "label True is neither a name nor a zero-based index"),
        ({"probability_threshold": "0.5"}, "probability_threshold '0.5' is not a number"),
        ({"dataset_type": "application/json"}, "application/json needs features, a JMESPath"),
        ({"segment_config": []}, "segment_config is not supported"),
        ({"predictor": {"model_name": "a", "endpoint_name": "b"}}, "predictor has endpoint_name and model_name"),
        ({"predictor": {"content_type": "application/json"}}, "content_type application/json needs content_template"),
        (
            {"predictor": {"content_type": "application/json", "content_template": "$records"}},
            "content_type application/json needs record_template",
        ),
    ],
)
def test_an_invalid_configuration_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(QualityError, match=message):
        parse_config(deepcopy(CONFIG) | change, "config.json")


def test_a_missing_or_broken_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(QualityError, match=r"analysis_config.json does not exist"):
        read_config(tmp_path)
    (tmp_path / "analysis_config.json").write_text("{")
    with pytest.raises(QualityError, match=r"analysis_config.json is not valid JSON"):
        read_config(tmp_path)


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        (Attributes(inference="predictions[*].score"), ("predictions[*].score", None)),
        (Attributes(inference="0"), (0, None)),
        (Attributes(probability="1"), (None, 1)),
        (Attributes(), (None, None)),
    ],
)
def test_attributes_of_the_monitored_endpoint_locate_the_scores_of_the_predictor(
    attributes: Attributes, expected: tuple[Any, Any], tmp_path: Path
) -> None:
    file = tmp_path / "analysis_config.json"
    predictor = {"model_name": "m", "instance_type": "ml.m5.xlarge", "initial_instance_count": 1}
    file.write_text(json.dumps({"methods": {"shap": {}}, "predictor": predictor}))
    job = ClarifyJob(file, tmp_path, tmp_path, attributes=attributes)
    found = configuration(job).predictor
    assert found is not None and (found.label, found.probability) == expected
    # those of the configuration take precedence
    file.write_text(json.dumps({"methods": {"shap": {}}, "predictor": {**predictor, "label": 2}}))
    found = configuration(job).predictor
    assert found is not None and (found.label, found.probability) == (2, None)
