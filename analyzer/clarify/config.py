"""Clarify's analysis configuration, as dataclasses; `analyzer.clarify.config_file` reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

CSV, JSON_LINES, JSON, PARQUET = "text/csv", "application/jsonlines", "application/json", "application/x-parquet"
DATASET_TYPES = (CSV, JSON_LINES, JSON, PARQUET)
PAYLOAD_TYPES = (CSV, JSON_LINES, JSON)
AGG_METHODS = ("mean_abs", "median", "mean_sq")

Scalar = str | int | float
# A column by its name or its zero-based index, or a JMESPath expression.
Place = str | int


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
