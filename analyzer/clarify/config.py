"""Clarify's analysis_config.json: parsed into dataclasses, with messages that name the member, the value and the fix.

Members that this analyzer does not implement (time series, images, text, segments) are refused by name, and so are
members that Clarify does not know: a misspelled "methods" must not end in an empty report.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analyzer import QualityError
from analyzer.files import json_files

CSV, JSON_LINES, JSON, PARQUET = "text/csv", "application/jsonlines", "application/json", "application/x-parquet"
DATASET_TYPES = (CSV, JSON_LINES, JSON, PARQUET)
PAYLOAD_TYPES = (CSV, JSON_LINES, JSON)
AGG_METHODS = ("mean_abs", "median", "mean_sq")

Scalar = str | int | float
# A column by its name or its zero-based index, or a JMESPath expression.
Place = str | int

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
# Members of Clarify's schema that are for other data than tables, or for hardware that no longer exists.
UNSUPPORTED = {
    "segment_config",
    "time_series_data_config",
    "time_series_predictor_config",
    "asymmetric_shapley_value",
    "text_config",
    "image_config",
    "accelerator_type",
}


@dataclass(frozen=True)
class FacetConfig:
    """A sensitive attribute: its column, and values or a threshold of the sensitive group (each value if empty)."""

    column: Place
    values: tuple[Scalar, ...] = ()


@dataclass(frozen=True)
class ShapConfig:
    """The section ``methods.shap``.

    Attributes:
        baseline: Rows in the layout of the dataset, a path or an S3 URI; None to cluster the dataset.
        num_clusters: Number of clusters without a baseline.
        num_samples: Model evaluations of Kernel SHAP for a record.
        agg_method: How local values become global ones: mean_abs, median or mean_sq.
        use_logit: Whether predictions are explained as log-odds.
        save_local: Whether local values are written to explanations_shap/out.csv.
        seed: Seed of the sampling.
        features: Features to explain; all if empty.
    """

    baseline: str | Sequence[Any] | Mapping[str, Any] | None = None
    num_clusters: int | None = None
    num_samples: int | None = None
    agg_method: str = "mean_abs"
    use_logit: bool = False
    save_local: bool = False
    seed: int | None = None
    features: tuple[Place, ...] = ()


@dataclass(frozen=True)
class PdpConfig:
    """The section ``methods.pdp``: features to plot (the ``top_k_features`` by SHAP if empty), buckets of numbers."""

    features: tuple[Place, ...] = ()
    grid_resolution: int = 15
    top_k_features: int = 10


@dataclass(frozen=True)
class PredictorConfig:
    """The section ``predictor``: the endpoint or the model that predicts, its payloads and what is where in them."""

    endpoint_name: str | None = None
    endpoint_name_prefix: str | None = None
    model_name: str | None = None
    target_model: str | None = None
    instance_type: str | None = None
    initial_instance_count: int = 1
    content_type: str | None = None
    accept_type: str | None = None
    label: Place | None = None
    probability: Place | None = None
    label_headers: tuple[Scalar, ...] = ()
    content_template: str | None = None
    record_template: str | None = None
    custom_attributes: str | None = None


@dataclass(frozen=True)
class AnalysisConfig:
    """An analysis configuration.

    Attributes:
        dataset_type: Media type of the dataset; None in the configurations of monitors, whose data are captures.
        dataset_uri: Where the dataset is if it is not an input of the job.
        headers: Column names in the order of the dataset; of JSON, features first and then the label.
        features: JMESPath of the features.
        label: Column or JMESPath of the label.
        favourable: Label values of the favourable outcome, or the threshold above which numbers are favourable.
        facets: Sensitive attributes.
        group_variable: Column of the groups of CDDL and CDDPL.
        predicted_label: Column or JMESPath of the predicted label in the dataset.
        predicted_label_dataset_uri: Another dataset that has the predicted labels.
        predicted_label_headers: Its column names.
        facet_dataset_uri: Another dataset that has the facets.
        facet_headers: Its column names.
        join_source: Column of the record ids, by which the datasets are joined.
        excluded_columns: Columns that are not features.
        probability_threshold: The score above which a prediction is positive; None for 0.5.
        pre_training: Metrics to compute before training: names, "all", or None without the section.
        post_training: Likewise, with predictions.
        shap: Section shap, or None.
        pdp: Section pdp, or None.
        report_title: Title of the report.
        predictor: Section predictor, or None.
    """

    dataset_type: str | None = None
    dataset_uri: str | None = None
    headers: tuple[str, ...] = ()
    features: str | None = None
    label: Place | None = None
    favourable: tuple[Scalar, ...] = ()
    facets: tuple[FacetConfig, ...] = ()
    group_variable: Place | None = None
    predicted_label: Place | None = None
    predicted_label_dataset_uri: str | None = None
    predicted_label_headers: tuple[str, ...] = ()
    facet_dataset_uri: str | None = None
    facet_headers: tuple[str, ...] = ()
    join_source: Place | None = None
    excluded_columns: tuple[Place, ...] = ()
    probability_threshold: float | None = None
    pre_training: tuple[str, ...] | str | None = None
    post_training: tuple[str, ...] | str | None = None
    shap: ShapConfig | None = None
    pdp: PdpConfig | None = None
    report_title: str = "Analysis Report"
    predictor: PredictorConfig | None = None

    @property
    def has_bias(self) -> bool:
        """Whether bias metrics are asked for."""
        return self.pre_training is not None or self.post_training is not None

    @property
    def explains(self) -> bool:
        """Whether explanations are asked for."""
        return self.shap is not None or self.pdp is not None


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
    root = _Section(document, name, "", MEMBERS)
    version = root.take("version", _text)
    if version not in (None, "1.0"):
        raise QualityError(f"{name}: version {version!r} is not supported; use 1.0")
    if "methods" not in root and "facet" in root:
        # the SDK's monitors of bias name no methods, because their jobs compute all metrics
        root.members = {**root.members, "methods": {"pre_training_bias": {}, "post_training_bias": {}}}
    methods = root.section("methods", METHODS)
    config = AnalysisConfig(
        dataset_type=root.take("dataset_type", _choice(DATASET_TYPES)),
        dataset_uri=root.take("dataset_uri", _text),
        headers=root.take("headers", _texts, ()),
        features=root.take("features", _text),
        label=root.take("label", _place),
        favourable=root.take("label_values_or_threshold", _scalars, ()),
        facets=tuple(_facet(item, name) for item in root.take("facet", _objects, ())),
        group_variable=root.take("group_variable", _place),
        predicted_label=root.take("predicted_label", _place),
        predicted_label_dataset_uri=root.take("predicted_label_dataset_uri", _text),
        predicted_label_headers=root.take("predicted_label_headers", _texts, ()),
        facet_dataset_uri=root.take("facet_dataset_uri", _text),
        facet_headers=root.take("facet_headers", _texts, ()),
        join_source=root.take("joinsource_name_or_index", _place),
        excluded_columns=root.take("excluded_columns", _places, ()),
        probability_threshold=root.take("probability_threshold", _number),
        pre_training=_bias_methods(methods, "pre_training_bias"),
        post_training=_bias_methods(methods, "post_training_bias"),
        shap=_shap(methods),
        pdp=_pdp(methods),
        report_title=methods.section("report", {"name", "title"}).take("title", _text, "Analysis Report"),
        predictor=_predictor(root),
    )
    _check(config, name)
    return config


class _Section:
    """An object of the configuration, whose members are read once and validated."""

    def __init__(self, members: Mapping[str, Any], file: str, path: str, known: set[str]) -> None:
        self.members, self.file, self.path = members, file, path
        for member in members:
            if member in UNSUPPORTED:
                raise QualityError(f"{file}: {path}{member} is not supported; this analyzer reads tables")
            if member not in known:
                close = difflib.get_close_matches(member, known, 1)
                advice = f"did you mean {close[0]!r}?" if close else f"use {', '.join(sorted(known))}"
                raise QualityError(f"{file}: unknown member {path}{member}; {advice}")

    def __contains__(self, member: str) -> bool:
        return member in self.members

    def take(self, member: str, parse: Callable[[Any], Any], default: Any = None) -> Any:
        """Return a parsed member; the default if it is absent or null."""
        if self.members.get(member) is None:
            return default
        try:
            return parse(self.members[member])
        except ValueError as error:
            raise QualityError(f"{self.file}: {self.path}{member} {self.members[member]!r} {error}") from None

    def section(self, member: str, known: set[str]) -> _Section:
        """Return an object; an empty one if it is absent."""
        value = self.take(member, _object, {})
        return _Section(value, self.file, f"{self.path}{member}.", known)


def _bias_methods(methods: _Section, member: str) -> tuple[str, ...] | str | None:
    if member not in methods:
        return None
    chosen = methods.section(member, {"methods"}).take("methods", _metric_names, "all")
    return chosen if isinstance(chosen, str) else tuple(chosen)


def _facet(item: Mapping[str, Any], file: str) -> FacetConfig:
    section = _Section(item, file, "facet.", FACET_MEMBERS)
    column = section.take("name_or_index", _place)
    if column is None:
        raise QualityError(f"{file}: a facet has no name_or_index; name its column")
    return FacetConfig(column, section.take("value_or_threshold", _scalars, ()))


def _shap(methods: _Section) -> ShapConfig | None:
    if "shap" not in methods:
        return None
    section = methods.section("shap", SHAP_MEMBERS)
    config = ShapConfig(
        baseline=section.take("baseline", _baseline),
        num_clusters=section.take("num_clusters", _count),
        num_samples=section.take("num_samples", _count),
        agg_method=section.take("agg_method", _choice(AGG_METHODS), "mean_abs"),
        use_logit=section.take("use_logit", _flag, False),
        save_local=section.take("save_local_shap_values", _flag, False),
        seed=section.take("seed", _whole),
        features=section.take("features_to_explain", _places, ()),
    )
    if config.baseline is not None and config.num_clusters is not None:
        raise QualityError(f"{methods.file}: methods.shap has baseline and num_clusters; remove one of them")
    return config


def _pdp(methods: _Section) -> PdpConfig | None:
    if "pdp" not in methods:
        return None
    section = methods.section("pdp", PDP_MEMBERS)
    return PdpConfig(
        features=section.take("features", _places, ()),
        grid_resolution=section.take("grid_resolution", _count, 15),
        top_k_features=section.take("top_k_features", _count, 10),
    )


def _predictor(root: _Section) -> PredictorConfig | None:
    if "predictor" not in root:
        return None
    section = root.section("predictor", PREDICTOR_MEMBERS)
    return PredictorConfig(
        endpoint_name=section.take("endpoint_name", _text),
        endpoint_name_prefix=section.take("endpoint_name_prefix", _text),
        model_name=section.take("model_name", _text),
        target_model=section.take("target_model", _text),
        instance_type=section.take("instance_type", _text),
        initial_instance_count=section.take("initial_instance_count", _count, 1),
        content_type=section.take("content_type", _choice(PAYLOAD_TYPES)),
        accept_type=section.take("accept_type", _choice(PAYLOAD_TYPES)),
        label=section.take("label", _place),
        probability=section.take("probability", _place),
        label_headers=section.take("label_headers", _label_headers, ()),
        content_template=section.take("content_template", _text),
        record_template=section.take("record_template", _text),
        custom_attributes=section.take("custom_attributes", _text),
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


# Each of these returns the value or raises ValueError, whose message follows the member and its value.


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("is not a text")
    return value


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError("is not a list of texts")
    repeated = sorted({item for item in value if value.count(item) > 1})
    if repeated:
        raise ValueError(f"has {repeated[0]!r} twice")
    return tuple(value)


def _place(value: Any) -> Place:
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise ValueError("is neither a name nor a zero-based index")
    if isinstance(value, int) and value < 0:
        raise ValueError("is negative; use a zero-based index")
    return value


def _places(value: Any) -> tuple[Place, ...]:
    if not isinstance(value, list):
        raise ValueError("is not a list of names or indices")
    return tuple(_place(item) for item in value)


def _scalars(value: Any) -> tuple[Scalar, ...]:
    items = value if isinstance(value, list) else [value]
    if not items or not all(isinstance(item, str | int | float) for item in items):
        raise ValueError("is not a list of values or of one threshold")
    return tuple(items)


def _label_headers(value: Any) -> tuple[Scalar, ...]:
    # The SDK's documentation has both the text and the list.
    return _scalars(value)


def _object(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("is not an object")
    return value


def _objects(value: Any) -> tuple[Mapping[str, Any], ...]:
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise ValueError("is not a list of objects")
    return tuple(value)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("is not a number")
    return float(value)


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("is not a whole number")
    return value


def _count(value: Any) -> int:
    if _whole(value) < 1:
        raise ValueError("is less than 1")
    return int(value)


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("is neither true nor false")
    return value


def _baseline(value: Any) -> str | list[Any] | dict[str, Any]:
    if not isinstance(value, str | list | dict) or not value:
        raise ValueError("is neither rows nor the path of a file; each row has the features without the label")
    return value


def _metric_names(value: Any) -> str | tuple[str, ...]:
    if value == "all":
        return "all"
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError('is neither "all" nor a list of metrics')
    return "all" if "all" in value else tuple(value)


def _choice(choices: Sequence[str]) -> Callable[[Any], str]:
    def parse(value: Any) -> str:
        if not isinstance(value, str) or value.lower() not in choices:
            raise ValueError(f"is not supported; use one of {', '.join(choices)}")
        return value.lower()

    return parse
