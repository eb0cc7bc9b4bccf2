"""Data quality and model quality of a window, through Model Monitor's container contract."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from analyzer import NoRecords, QualityError
from analyzer.analysis import DATA_QUALITY, MODEL_QUALITY, Analysis, ModelQuality
from analyzer.container import run
from analyzer.drift.importance import read_importance
from analyzer.files import analysis_file
from analyzer.window import Window
from window.inputs import REQUESTS, RESPONSES_WITH_LABELS, WindowInputs, window_variables


def data_quality(inputs: WindowInputs) -> Analysis | None:
    """Analyze the requests; None without requests."""
    if inputs.captures is None:
        return None
    variables = {
        "analysis_type": DATA_QUALITY,
        "dataset_source": str(inputs.captures),
        "dataset_format": json.dumps(REQUESTS),
    }
    return analyze(inputs, "data-quality", variables, inputs.window)


def model_quality(inputs: WindowInputs) -> tuple[Analysis | None, float | None]:
    """Analyze the predictions that have labels.

    Returns:
        The analysis, None without merged records; and the share of the inferences without a label that is a class,
        None without inferences.
    """
    if inputs.merged is None:
        return None, None
    (folder, counts), options = inputs.merged, inputs.options
    if not counts.merged:
        return None, 1.0 if counts.inferences else None
    binary, regression = (options.problem_type == kind for kind in ("BinaryClassification", "Regression"))
    variables = {
        "analysis_type": MODEL_QUALITY,
        "dataset_source": str(folder),
        "dataset_format": json.dumps(RESPONSES_WITH_LABELS),
        "problem_type": options.problem_type,
        "inference_attribute": "predictions[0].prediction" if regression else "predictions[0].label",
        **({"probability_attribute": "predictions[0].probability"} if binary else {}),
        **({"positive_label": options.positive_label} if binary and options.positive_label else {}),
    }
    analysis = analyze(inputs, "model-quality", variables, inputs.labelled)
    # A label that is no class is as good as none.
    unusable = analysis.result.unknown if analysis and isinstance(analysis.result, ModelQuality) else None
    missing = counts.unlabelled + (unusable.labels if unusable else 0)
    return analysis, missing / counts.inferences


def analyze(inputs: WindowInputs, kind: str, variables: Mapping[str, str], window: Window) -> Analysis | None:
    """Run one analysis through the container contract, with its own output folder; None without records."""
    options = inputs.options
    output = options.output_dir / kind
    files = {f"baseline_{name}": inputs.file(f"{kind}-{name}") for name in ("statistics", "constraints")}
    baselines = {name: str(path) for name, path in files.items() if path is not None}
    metric_settings = {
        "publish_cloudwatch_metrics": "Enabled",
        "metric_time": inputs.metric_time.isoformat(),
        "sagemaker_endpoint_name": options.endpoint,
        "sagemaker_monitoring_schedule_name": options.schedule,
    }
    window_settings = window_variables(window)
    schema_settings = schema(inputs.model) if inputs.model else {}
    try:
        run(
            {
                **variables,
                **baselines,
                **schema_settings,
                **window_settings,
                **metric_settings,
                "output_path": str(output),
            }
        )
    except NoRecords as error:
        print(error)
        return None
    return analysis_file.read(output)


def schema(archive: Path) -> dict[str, str]:
    """Return the analyzer's variables for the schema in a model archive and the importance of its features.

    A model that is not LightGBM's has no importance.
    """
    try:
        read_importance(archive)
    except QualityError as error:
        print(f"features are ranked by their drift alone: {error}")
        return {"model_schema": str(archive)}
    return {"model_schema": str(archive), "feature_importance": str(archive)}
