"""analysis_config.json: read into dataclasses, with messages that name the member, the value and the fix.

Members that this analyzer does not implement (time series, images, text, segments) are refused by name, and so are
members that Clarify does not know: a misspelled "methods" must not end in an empty report.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from analyzer import QualityError
from analyzer.clarify import config_members as members
from analyzer.clarify.config import (
    AGG_METHODS,
    DATASET_TYPES,
    JSON,
    JSON_LINES,
    PAYLOAD_TYPES,
    AnalysisConfig,
    FacetConfig,
    PdpConfig,
    PredictorConfig,
    ShapConfig,
)
from analyzer.clarify.config_members import Section
from analyzer.files import json_files

MEMBERS = {
    "version",
    "dataset_type",
    "dataset_uri",
    "headers",
    "label",
    "predicted_label",
    "features",
    "label_values_or_threshold",
    "probability_threshold",
    "facet",
    "facet_dataset_uri",
    "facet_headers",
    "predicted_label_dataset_uri",
    "predicted_label_headers",
    "excluded_columns",
    "joinsource_name_or_index",
    "group_variable",
    "methods",
    "predictor",
}
METHODS = {"pre_training_bias", "post_training_bias", "shap", "pdp", "report"}
FACET_MEMBERS = {"name_or_index", "value_or_threshold"}
SHAP_MEMBERS = {
    "baseline",
    "num_clusters",
    "use_logit",
    "num_samples",
    "agg_method",
    "save_local_shap_values",
    "seed",
    "features_to_explain",
}
PDP_MEMBERS = {"grid_resolution", "features", "top_k_features"}
PREDICTOR_MEMBERS = {
    "endpoint_name",
    "endpoint_name_prefix",
    "model_name",
    "target_model",
    "instance_type",
    "initial_instance_count",
    "content_type",
    "accept_type",
    "label",
    "probability",
    "label_headers",
    "content_template",
    "record_template",
    "custom_attributes",
}


def read_config(path: Path) -> AnalysisConfig:
    """Read a configuration; a folder stands for the analysis_config.json in it.

    Raises:
        QualityError: The file does not exist, or a member is unknown, missing or invalid.
    """
    path = path / "analysis_config.json" if path.is_dir() else path
    if not path.is_file():
        raise QualityError(f"{path} does not exist; use the path of an analysis_config.json")
    return parse_config(json_files.read(path), str(path))


def parse_config(document: Mapping[str, Any], name: str = "analysis_config.json") -> AnalysisConfig:
    """Parse and validate a configuration.

    Args:
        document: Content of the file.
        name: What messages call the file.

    Raises:
        QualityError: A member is unknown, missing or invalid.
    """
    root = Section(document, name, "", MEMBERS)
    version = root.take("version", members.text)
    if version not in (None, "1.0"):
        raise QualityError(f"{name}: version {version!r} is not supported; use 1.0")
    if "methods" not in root and "facet" in root:
        # the SDK's monitors of bias name no methods, because their jobs compute all metrics
        root.members = {**root.members, "methods": {"pre_training_bias": {}, "post_training_bias": {}}}
    methods = root.section("methods", METHODS)
    config = AnalysisConfig(
        dataset_type=root.take("dataset_type", members.choice(DATASET_TYPES)),
        dataset_uri=root.take("dataset_uri", members.text),
        headers=root.take("headers", members.texts, ()),
        features=root.take("features", members.text),
        label=root.take("label", members.place),
        favourable=root.take("label_values_or_threshold", members.scalars, ()),
        facets=tuple(_facet(item, name) for item in root.take("facet", members.objects, ())),
        group_variable=root.take("group_variable", members.place),
        predicted_label=root.take("predicted_label", members.place),
        predicted_label_dataset_uri=root.take("predicted_label_dataset_uri", members.text),
        predicted_label_headers=root.take("predicted_label_headers", members.texts, ()),
        facet_dataset_uri=root.take("facet_dataset_uri", members.text),
        facet_headers=root.take("facet_headers", members.texts, ()),
        join_source=root.take("joinsource_name_or_index", members.place),
        excluded_columns=root.take("excluded_columns", members.places, ()),
        probability_threshold=root.take("probability_threshold", members.number),
        pre_training=_bias_methods(methods, "pre_training_bias"),
        post_training=_bias_methods(methods, "post_training_bias"),
        shap=_shap(methods),
        pdp=_pdp(methods),
        report_title=methods.section("report", {"name", "title"}).take("title", members.text, "Analysis Report"),
        predictor=_predictor(root),
    )
    _check(config, name)
    return config


def _bias_methods(methods: Section, member: str) -> tuple[str, ...] | str | None:
    if member not in methods:
        return None
    chosen = methods.section(member, {"methods"}).take("methods", members.metric_names, "all")
    return chosen if isinstance(chosen, str) else tuple(chosen)


def _facet(item: Mapping[str, Any], file: str) -> FacetConfig:
    section = Section(item, file, "facet.", FACET_MEMBERS)
    column = section.take("name_or_index", members.place)
    if column is None:
        raise QualityError(f"{file}: a facet has no name_or_index; name its column")
    return FacetConfig(column, section.take("value_or_threshold", members.scalars, ()))


def _shap(methods: Section) -> ShapConfig | None:
    if "shap" not in methods:
        return None
    section = methods.section("shap", SHAP_MEMBERS)
    config = ShapConfig(
        baseline=section.take("baseline", members.baseline),
        num_clusters=section.take("num_clusters", members.count),
        num_samples=section.take("num_samples", members.count),
        agg_method=section.take("agg_method", members.choice(AGG_METHODS), "mean_abs"),
        use_logit=section.take("use_logit", members.flag, False),
        save_local=section.take("save_local_shap_values", members.flag, False),
        seed=section.take("seed", members.whole),
        features=section.take("features_to_explain", members.places, ()),
    )
    if config.baseline is not None and config.num_clusters is not None:
        raise QualityError(f"{methods.file}: methods.shap has baseline and num_clusters; remove one of them")
    return config


def _pdp(methods: Section) -> PdpConfig | None:
    if "pdp" not in methods:
        return None
    section = methods.section("pdp", PDP_MEMBERS)
    return PdpConfig(
        features=section.take("features", members.places, ()),
        grid_resolution=section.take("grid_resolution", members.count, 15),
        top_k_features=section.take("top_k_features", members.count, 10),
    )


def _predictor(root: Section) -> PredictorConfig | None:
    if "predictor" not in root:
        return None
    section = root.section("predictor", PREDICTOR_MEMBERS)
    return PredictorConfig(
        endpoint_name=section.take("endpoint_name", members.text),
        endpoint_name_prefix=section.take("endpoint_name_prefix", members.text),
        model_name=section.take("model_name", members.text),
        target_model=section.take("target_model", members.text),
        instance_type=section.take("instance_type", members.text),
        initial_instance_count=section.take("initial_instance_count", members.count, 1),
        content_type=section.take("content_type", members.choice(PAYLOAD_TYPES)),
        accept_type=section.take("accept_type", members.choice(PAYLOAD_TYPES)),
        label=section.take("label", members.place),
        probability=section.take("probability", members.place),
        label_headers=section.take("label_headers", members.label_headers, ()),
        content_template=section.take("content_template", members.text),
        record_template=section.take("record_template", members.text),
        custom_attributes=section.take("custom_attributes", members.text),
    )


def _check(config: AnalysisConfig, file: str) -> None:
    """Check what no member can say by itself."""
    if not config.has_bias and not config.explains:
        raise QualityError(
            f"{file}: methods has nothing to compute; add pre_training_bias, post_training_bias, shap or pdp"
        )
    if config.has_bias:
        if not config.facets:
            raise QualityError(f"{file}: bias metrics need facet, a list of sensitive attributes")
        if not config.favourable:
            raise QualityError(f"{file}: bias metrics need label_values_or_threshold, the favourable outcome")
    if config.dataset_type == JSON and config.features is None:
        raise QualityError(f'{file}: application/json needs features, a JMESPath such as "instances[*].features"')
    if config.pdp and not config.pdp.features and not config.shap:
        raise QualityError(f"{file}: methods.pdp needs features, or methods.shap to choose them")
    predictor = config.predictor
    if predictor and predictor.endpoint_name and predictor.model_name:
        raise QualityError(f"{file}: predictor has endpoint_name and model_name; remove one of them")
    if predictor and predictor.content_type in (JSON, JSON_LINES) and predictor.content_template is None:
        raise QualityError(f"{file}: predictor.content_type {predictor.content_type} needs content_template")
    if predictor and predictor.content_type == JSON and predictor.record_template is None:
        raise QualityError(f"{file}: predictor.content_type {JSON} needs record_template")
