"""Fairness: bias of the training data and of the predictions, and whether its metrics are within their limits.

The metrics and their signs are Clarify's, which count each row once, whatever its weight.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from analyzer.bias.analysis import FacetResult, MetricValue, measure
from analyzer.bias.catalogue import BY_NAME, METRICS, POST_TRAINING, PRE_TRAINING
from analyzer.bias.config import BiasConfig, Facet, ValuesOrThreshold
from analyzer.bias.counts import BiasCounts
from analyzer.bias.flip_test import FlipTest, flip_tests
from evaluation.decision import readable
from evaluation.errors import EvaluationError
from evaluation.intervals import finite
from evaluation.outcome import Outcome
from evaluation.predicting import model_columns

# names that no column of the data has
PREDICTION, FACET = "@prediction", "@facet"
FLIP_TEST = "FT"
SPLITS = {PRE_TRAINING: "training", POST_TRAINING: "test"}
MOST_NAMED = 3


@dataclass(frozen=True)
class FairnessRules:
    """The settings `fairness`.

    Attributes:
        config: The label, its favourable values and the groups.
        limits: The lowest and the highest value of metrics, by Clarify's names.
    """

    config: BiasConfig
    limits: Mapping[str, tuple[float, float]]

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> FairnessRules:
        """Read the part `fairness` of quality.json."""
        favourable = settings["favourable"]
        config = BiasConfig(
            label=settings["label"],
            favourable=ValuesOrThreshold(tuple(favourable["values"]), favourable["threshold"]),
            facets=tuple(Facet(facet["column"], _sensitive(facet)) for facet in settings["facets"]),
            group_variable=settings["group_column"],
        )
        return cls(config, {name: (low, high) for name, (low, high) in settings["max"].items()})

    @property
    def columns(self) -> list[str]:
        """The columns of the facets, and the group column."""
        columns = [facet.column for facet in self.config.facets]
        return columns if self.config.group_variable is None else [*columns, self.config.group_variable]

    def metrics(self, stage: str) -> list[str]:
        """Return the metrics to measure: all that there are columns for, the flip test only if it has a limit."""
        by_group = self.config.group_variable is not None
        return [
            metric.name
            for metric in METRICS
            if metric.stage == stage
            and (by_group or not metric.needs_group_variable)
            and (metric.name in self.limits or not metric.needs_features)
        ]


def _sensitive(facet: Mapping[str, Any]) -> ValuesOrThreshold | None:
    if facet["values"] is None and facet["threshold"] is None:
        return None
    return ValuesOrThreshold(tuple(facet["values"] or ()), facet["threshold"])


@dataclass(frozen=True)
class Splits:
    """The folders that fairness is measured on.

    Attributes:
        facets: Facet columns, group column and target of the training rows.
        records: The raw test rows, in the order of the predictions.
        test: The encoded test split.
    """

    facets: Path
    records: Path
    test: Path


def measure_fairness(
    rules: FairnessRules, outcome: Outcome, schema: Mapping[str, Any], splits: Splits
) -> dict[str, Any]:
    """Return the part `fairness` of summary.json.

    Args:
        rules: The settings.
        outcome: The predictions for the test split.
        schema: The content of schema.json.
        splits: The data.

    Raises:
        EvaluationError: A split cannot be read, or is that of another execution.
        QualityError: The columns do not fit the settings.
    """
    config = rules.config
    predicted = replace(config, predicted_label=PREDICTION)
    labels = _labels(outcome, config.label)
    results = {
        PRE_TRAINING: measure(
            BiasCounts.of(_read(splits.facets, [*rules.columns, config.label]), config),
            config,
            pre_training=rules.metrics(PRE_TRAINING),
            intervals=True,
        ),
        POST_TRAINING: measure(
            BiasCounts.of(_beside(_read(splits.records, rules.columns), labels), predicted),
            predicted,
            pre_training=(),
            post_training=rules.metrics(POST_TRAINING),
            flip_tests=_flip_tests(rules, labels, schema, splits) if FLIP_TEST in rules.limits else None,
            intervals=True,
        ),
    }
    groups = _groups(rules, results)
    return {"favourable": _value_text(config.favourable), **decide(groups, rules.limits), "facets": groups}


def _labels(outcome: Outcome, label: str) -> pa.Table:
    """Return the observed and the predicted labels of the test rows, with the values of the target."""
    if not outcome.classes:
        return pa.table({label: outcome.truth, PREDICTION: outcome.scores})
    classes = pa.array(outcome.classes)
    return pa.table(
        {label: classes.take(pa.array(outcome.truth)), PREDICTION: classes.take(pa.array(outcome.predicted_classes))}
    )


def _flip_tests(
    rules: FairnessRules, labels: pa.Table, schema: Mapping[str, Any], splits: Splits
) -> dict[tuple[str, str], FlipTest]:
    """Run the flip test of each facet on the encoded features."""
    features = [column["name"] for column in model_columns(schema)]
    found: dict[tuple[str, str], FlipTest] = {}
    for facet in rules.config.facets:
        values = pa.Table.from_batches(list(_read(splits.records, [facet.column])))
        config = replace(rules.config, facets=(facet,), predicted_label=PREDICTION, group_variable=None)
        columns = {FACET: values[facet.column]} | dict(zip(labels.column_names, labels.columns, strict=True))
        alone = replace(config, facets=(replace(facet, column=FACET),))
        tests = flip_tests(_beside(_read(splits.test, features), pa.table(columns)), alone)
        found |= {(facet.column, group): test for (_, group), test in tests.items()}
    return found


def _read(folder: Path, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Yield columns of the Parquet files of a folder, in the order of the files' names."""
    try:
        for path in sorted(folder.glob("*.parquet")):
            file = pq.ParquetFile(path)
            if missing := sorted({*columns} - {*file.schema_arrow.names}):
                raise EvaluationError(
                    f"{path} has no column {', '.join(map(repr, missing))}; run Preprocess with the same settings of "
                    "fairness"
                )
            for batch in file.iter_batches(columns=list(columns)):
                yield batch.select(columns)
    except (OSError, pa.ArrowInvalid) as error:
        raise EvaluationError(f"{folder} is not readable ({error}); expected the output of Preprocess") from error


def _beside(batches: Iterable[pa.RecordBatch], others: pa.Table) -> Iterator[pa.RecordBatch]:
    """Yield batches of rows with further columns of the same rows."""
    others, start = others.combine_chunks(), 0
    for batch in batches:
        part = others.slice(start, len(batch))
        start += len(batch)
        if len(part) < len(batch):
            continue
        columns = [column.combine_chunks() for column in part.columns]
        yield pa.RecordBatch.from_arrays([*batch.columns, *columns], [*batch.schema.names, *part.column_names])
    if start != len(others):
        raise EvaluationError(
            f"the records have {start} rows and the test split {len(others)}; use the outputs of one execution"
        )


def _groups(rules: FairnessRules, results: Mapping[str, Sequence[FacetResult]]) -> list[dict[str, Any]]:
    """Return the groups as in summary.json: those of the facets in their order, with what was measured of each."""
    found: dict[tuple[str, str], dict[str, FacetResult]] = {}
    for facet in rules.config.facets:
        for stage, of_stage in results.items():
            for result in of_stage:
                if result.column == facet.column:
                    value = _value_text(facet.sensitive) if facet.sensitive else result.value_or_threshold
                    found.setdefault((facet.column, value), {})[stage] = result
    return [
        {"column": column, "value": value} | {stage: _stage(rules, stage, of_group.get(stage)) for stage in SPLITS}
        for (column, value), of_group in found.items()
    ]


def _stage(rules: FairnessRules, stage: str, result: FacetResult | None) -> dict[str, Any]:
    """Return what was measured of a group on one split; a value may be in one split only."""
    metrics: Sequence[MetricValue]
    if result is None:
        rows = other_rows = 0
        error = f"the {SPLITS[stage]} split has no row of this group"
        metrics = [MetricValue(name, BY_NAME[name].description, None, error) for name in rules.metrics(stage)]
    else:
        rows, other_rows = result.rows_sensitive, result.rows_other
        metrics = result.pre_training if stage == PRE_TRAINING else result.post_training
    return {
        "rows": rows,
        "other_rows": other_rows,
        "metrics": [_metric(metric, rules.limits.get(metric.name)) for metric in metrics],
    }


def _metric(metric: MetricValue, limit: tuple[float, float] | None) -> dict[str, Any]:
    value = None if metric.value is None else finite(metric.value)
    error = metric.error
    if value is None and error is None:
        error = metric.note or f"it is {metric.value}"
    return {
        "name": metric.name,
        "description": metric.description,
        "value": value,
        "lower": None if metric.lower is None else finite(metric.lower),
        "upper": None if metric.upper is None else finite(metric.upper),
        "error": error,
        "note": metric.note,
        "fair_value": BY_NAME[metric.name].fair_value,
        "limit": None if limit is None else [*limit],
        "passes": None if limit is None else int(value is not None and limit[0] <= value <= limit[1]),
    }


def _value_text(values: ValuesOrThreshold) -> str:
    """Name values as a reader would."""
    if values.threshold is not None:
        return f"above {values.threshold:.12g}"
    return ", ".join(map(str, values.values))


def decide(groups: Sequence[Mapping[str, Any]], limits: Mapping[str, Any]) -> dict[str, Any]:
    """Return whether all metrics with a limit are within it, and in a sentence which are not."""
    judged = [
        (group, stage, metric)
        for group in groups
        for stage in SPLITS
        for metric in group[stage]["metrics"]
        if metric["limit"] is not None
    ]
    missed = [sentence(*item) for item in judged if not item[2]["passes"]]
    if not limits:
        text = "no limits are set for metrics of bias"
    elif missed:
        more = len(missed) - MOST_NAMED
        text = "; ".join(missed[:MOST_NAMED]) + (f"; and {more} more metrics of bias" if more > 0 else "")
    else:
        of = " and ".join(f"{group['column']} {group['value']}" for group in groups)
        text = f"{', '.join(limits)} {'is' if len(limits) == 1 else 'are'} within the limits for {of}"
    return {"passes": int(not missed), "limited": len(judged), "missed": len(missed), "sentence": text}


def sentence(group: Mapping[str, Any], stage: str, metric: Mapping[str, Any]) -> str:
    """Say what was measured of a group and what is required."""
    low, high = metric["limit"]
    subject = f"{metric['name']} for {group['column']} {group['value']}"
    required = f"must be between {low:.12g} and {high:.12g}"
    rows = f"{group[stage]['rows']:,} of {group[stage]['rows'] + group[stage]['other_rows']:,} {SPLITS[stage]} rows"
    if metric["value"] is None:
        return f"{subject} ({rows}) {required}, but has no value: {metric['error']}"
    nearest = low if metric["value"] < low else high
    between = f"95 % interval {readable(metric['lower'])} to {readable(metric['upper'])}"
    return f"{subject} ({rows}) is {readable(metric['value'], nearest)} ({between}) and {required}"
