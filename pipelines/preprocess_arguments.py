"""The arguments of preprocess.py, for the step of the pipeline and for `check-data`, which does not import the SDK."""

from __future__ import annotations

from project.errors import UserError
from project.settings import Settings

MAX_ARGUMENTS = 100


def preprocess_arguments(settings: Settings) -> list[str]:
    """Return the arguments of preprocess.py."""
    data, split, validation = settings.data, settings.data.split, settings.data.validation
    options: dict[str, object] = {
        "problem-type": settings.problem_type,
        "target-column": data.target_column,
        "positive-class": data.positive_class,
        "weight-column": data.weight_column,
        "drop-columns": data.not_features,
        "categorical-columns": data.categorical_columns,
        **{f"csv-{name}": value for name, value in data.csv.model_dump(exclude_defaults=True).items()},
        "segment-columns": settings.quality.segments,
        **_facet_columns(settings),
        "duplicates": data.duplicates,
        "split-strategy": split.strategy,
        "time-column": split.time_column,
        "group-column": split.group_column,
        "train-share": split.train,
        "validation-share": split.validation,
        "test-share": split.test,
        "seed": settings.training.seed,
        "min-rows": validation.min_rows,
        "max-missing-share": validation.max_missing_share,
        "outlier-z-score": validation.outlier_z_score,
        **_feature_group(settings),
        "baseline-format": "parquet" if reads_parquet(settings) else None,
    }
    arguments: list[str] = []
    for name, value in options.items():
        values = value if isinstance(value, tuple) else (value,)
        if value is not None and values:
            arguments += [f"--{name}", *(str(item) for item in values)]
    if len(arguments) > MAX_ARGUMENTS:
        raise UserError(
            f"data.drop_columns, data.categorical_columns, quality.segments and fairness.facets need {len(arguments)} "
            f"container arguments, SageMaker accepts {MAX_ARGUMENTS}; remove columns from the data instead of listing "
            "them in drop_columns"
        )
    return arguments


def _facet_columns(settings: Settings) -> dict[str, tuple[str, ...]]:
    """Return the columns of fairness; those that a threshold divides must be numbers."""
    if settings.fairness is None:
        return {}
    numeric = tuple(facet.column for facet in settings.fairness.facets if facet.threshold is not None)
    others = tuple(column for column in settings.fairness.columns if column not in numeric)
    return {"facet-columns": others, "numeric-facet-columns": numeric}


def _feature_group(settings: Settings) -> dict[str, str | None]:
    group = settings.data.feature_group
    if group is None:
        return {}
    return {"record-identifier": group.record_identifier, "event-time": group.event_time, "as-of": group.as_of}


def reads_parquet(settings: Settings) -> bool:
    """Return whether this project's analyzer profiles the data: Model Monitor's has no Spark, and reads CSV."""
    return settings.quality_checks == "processing" or settings.resources.engine == "spark"
