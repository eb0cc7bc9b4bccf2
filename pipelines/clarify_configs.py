"""The analysis configurations of Clarify: of the steps DataBias, ModelBias and Explainability, and of monitoring.

Code bundles have them (`clarify_configs_bundle`), so that a definition refers to them by their content. They are those
that the SDK makes of its own classes; a test holds both equal.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from analyzer.values import NUMBER

if TYPE_CHECKING:
    # in the environment of the Spark tests, there is no pydantic
    from project.settings import FairnessSettings, Settings

CONFIG = "analysis_config.json"
# the folders of the configurations in their bundle
DATA_BIAS, MODEL_BIAS, EXPLAINABILITY = "data-bias", "model-bias", "explainability"
BIAS_MONITORING, EXPLAINABILITY_MONITORING = "bias-monitoring", "explainability-monitoring"

PARQUET = "application/x-parquet"
REPORT = {"name": "report", "title": "Analysis Report"}
# what the predictions of the endpoint in application/jsonlines have; see inference/inference.py
LABEL = {"BinaryClassification": "label", "MulticlassClassification": "label"}
SCORES = {"BinaryClassification": "probability", "MulticlassClassification": "values(probabilities)"}
PREDICTION = "prediction"


def clarify_configs(settings: Settings) -> dict[str, dict[str, Any]]:
    """Return all configurations that the settings need, by their folder in the bundle."""
    configs = {}
    if (fairness := settings.fairness) is not None:
        configs[DATA_BIAS] = _data_bias(settings, fairness)
        configs[MODEL_BIAS] = _model_bias(settings, fairness)
        configs[BIAS_MONITORING] = bias(settings, fairness) | {"label": settings.data.target_column}
    if settings.attribution is not None:
        configs[EXPLAINABILITY] = _explainability(settings)
        configs[EXPLAINABILITY_MONITORING] = {"methods": {"shap": shap(settings)}, "predictor": predictor(settings)}
    return configs


def bias(settings: Settings, fairness: FairnessSettings) -> dict[str, Any]:
    """Return the groups and the favourable outcome."""
    facets: list[dict[str, Any]] = []
    for facet in fairness.facets:
        values = _values(facet.values or ()) if facet.threshold is None else [facet.threshold]
        facets.append({"name_or_index": facet.column} | ({"value_or_threshold": values} if values else {}))
    outcome = fairness.favourable_outcome(settings.data)
    favourable = [float(outcome[0])] if settings.problem_type == "Regression" else _values(outcome)
    group = {"group_variable": fairness.group_column} if fairness.group_column else {}
    return {"label_values_or_threshold": favourable, "facet": facets} | group


def _values(values: Sequence[Any]) -> list[Any]:
    """Return values in a form that Clarify reads as values.

    It takes one number for a threshold where the data have many distinct numbers, or few records: 0 would then stand
    for 1. Two numbers are always values.
    """
    is_number = len(values) == 1 and NUMBER.fullmatch(str(values[0]).strip())
    return [*values, *values] if is_number else [*values]


def excluded_columns(settings: Settings) -> list[str]:
    """Return the columns of the records that are not features, but the target."""
    data, split = settings.data, settings.data.split
    others = {data.weight_column, data.group_column, split.time_column, split.group_column, *data.not_features}
    columns = [*settings.quality.segments, *(settings.fairness.columns if settings.fairness else ())]
    return [column for column in dict.fromkeys(columns) if column in others]


def predictor(settings: Settings) -> dict[str, Any]:
    """Return the temporary endpoint of the model, whose name a ClarifyCheck step adds."""
    return {
        "instance_type": settings.registration.inference_instances[0],
        "initial_instance_count": 1,
        "accept_type": "application/jsonlines",
        "content_type": "text/csv",
    }


def shap(settings: Settings) -> dict[str, Any]:
    """Return how features are attributed: in log-odds for two classes, the raw score of LightGBM."""
    return {
        "use_logit": settings.problem_type == "BinaryClassification",
        "save_local_shap_values": False,
        "agg_method": "mean_abs",
        "seed": settings.training.seed,
    }


def _records(settings: Settings) -> dict[str, Any]:
    excluded = excluded_columns(settings)
    label = {"label": settings.data.target_column} if settings.fairness else {}
    return {"dataset_type": PARQUET} | label | ({"excluded_columns": excluded} if excluded else {})


def _data_bias(settings: Settings, fairness: FairnessSettings) -> dict[str, Any]:
    methods = {"pre_training_bias": {"methods": fairness.pre_training_metrics}, "report": REPORT}
    label = {"label": settings.data.target_column}
    return {"dataset_type": PARQUET} | label | bias(settings, fairness) | {"methods": methods}


def _model_bias(settings: Settings, fairness: FairnessSettings) -> dict[str, Any]:
    methods = {"post_training_bias": {"methods": fairness.post_training_metrics}, "report": REPORT}
    label = {"label": LABEL.get(settings.problem_type, PREDICTION)}
    return (
        _records(settings) | bias(settings, fairness) | {"methods": methods, "predictor": label | predictor(settings)}
    )


def _explainability(settings: Settings) -> dict[str, Any]:
    """Return the configuration for all records, or for the sample that Clarify explains, which has features alone."""
    label = {"label": SCORES.get(settings.problem_type, PREDICTION)}
    dataset = _records(settings) if settings.quality_checks == "processing" else {"dataset_type": PARQUET}
    return dataset | {
        "methods": {"shap": shap(settings), "report": REPORT},
        "predictor": predictor(settings) | label,
    }
