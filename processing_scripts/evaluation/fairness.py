"""Fairness: bias of the training data and of the predictions, and whether its metrics are within their limits.

The metrics and their signs are Clarify's, which count each row once, whatever its weight.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from analyzer.bias.analysis import MetricValue, measure
from analyzer.bias.catalogue import BY_NAME, METRICS, POST_TRAINING, PRE_TRAINING
from analyzer.bias.columns import EQUAL, ColumnValues
from analyzer.bias.config import BiasConfig, Facet, ValuesOrThreshold
from analyzer.bias.counts import BiasCounts, select
from analyzer.bias.flip_test import FlipTest, flip_tests
from evaluation.decision import readable
from evaluation.errors import EvaluationError
from evaluation.fairness_data import PREDICTION, Splits
from evaluation.intervals import finite

FLIP_TEST = "FT"
SPLITS = {PRE_TRAINING: "training", POST_TRAINING: "test"}
MAX_NAMED = 3
# of an entry of CustomerMetadataProperties, and what it may not have: SageMaker accepts letters, digits, spaces
# and some punctuation, but no commas
MAX_CHARACTERS = 256
NOT_IN_METADATA = re.compile(r"[^\w .:/=+@-]")


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
            predicted_label=PREDICTION,
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
class GroupResult:
    """A group on one split.

    Attributes:
        rows: The number of its rows.
        other_rows: The number of all other rows.
        favourable: The share of its rows with a favourable label, or prediction after the training; None without rows.
        other_favourable: The same share of the other rows.
        metrics: The metrics of bias.
    """

    rows: int
    other_rows: int
    favourable: float | None
    other_favourable: float | None
    metrics: Sequence[MetricValue]


def measure_fairness(rules: FairnessRules, splits: Splits) -> dict[str, Any]:
    """Return the part `fairness` of summary.json.

    Raises:
        EvaluationError: A split cannot be read, or is that of another execution; or the favourable outcome is not one
            of the classes, or all of them.
        QualityError: The columns do not fit the settings.
    """
    config = rules.config
    check_favourable(config, splits.outcome.classes)
    train = BiasCounts.of(splits.training_rows(rules.columns, config.label), replace(config, predicted_label=None))
    test = BiasCounts.of(splits.test_rows(rules.columns, config.label), config)
    flipped = None
    if FLIP_TEST in rules.limits:
        flipped = flip_tests(splits.encoded_test_rows(rules.columns, config.label), test, splits.encoded_features)
    found: dict[tuple[str, str], dict[str, GroupResult]] = {}
    for stage, counts in ((PRE_TRAINING, train), (POST_TRAINING, test)):
        for group, result in measure_groups(rules, stage, counts, flipped):
            found.setdefault(group, {})[stage] = result
    rows = {PRE_TRAINING: train.records, POST_TRAINING: test.records}
    # facets without values have theirs in the order in which the splits do
    columns = [facet.column for facet in config.facets]
    ordered = sorted(found.items(), key=lambda item: columns.index(item[0][0]))
    facets = [
        {"column": column, "value": value}
        | {stage: _stage_json(of_group.get(stage) or _absent(rules, stage, rows[stage]), rules) for stage in SPLITS}
        for (column, value), of_group in ordered
    ]
    return {
        "favourable": _value_text(config.favourable),
        **decide(facets, rules.limits),
        "unmatched": _unmatched(train, test),
        "facets": facets,
    }


def _unmatched(train: BiasCounts, test: BiasCounts) -> list[dict[str, Any]]:
    """Return the values of the settings that no row has: a group of several values would lack one silently."""
    pairs = [*zip(train.facets, test.facets, strict=True), (train.label, test.label)]
    return [
        {"column": of_train.column, "value": value}
        for of_train, of_test in pairs
        for value in of_train.unmatched
        if value in of_test.unmatched
    ]


def check_favourable(config: BiasConfig, classes: Sequence[str]) -> None:
    """Check that some classes are favourable, and others are not; a regression has no classes.

    Raises:
        EvaluationError: None of them is, or all of them are.
    """
    if not classes:
        return
    column = ColumnValues(config.label, config.favourable)
    values = select(pa.RecordBatch.from_pydict({config.label: pa.array(classes)}), [config.label]).column(0)
    codes, keys = column.read(values, len(classes))
    favourable = sum(keys[code] == EQUAL for code in codes)
    named = f"fairness.favourable is {_value_text(config.favourable)!r}"
    if not favourable:
        raise EvaluationError(
            f"{named}, but {config.label!r} has the classes {', '.join(map(repr, classes))}; name one of them"
        )
    if favourable == len(classes):
        raise EvaluationError(
            f"{named}, and so is every class of {config.label!r}: no metric of bias could differ; name only the "
            "classes that are good for a person"
        )


def measure_groups(
    rules: FairnessRules, stage: str, counts: BiasCounts, flipped: Mapping[tuple[str, str], FlipTest] | None
) -> Iterator[tuple[tuple[str, str], GroupResult]]:
    """Yield the groups of a split, by their column and the text of their values."""
    names = {of: rules.metrics(of) if of == stage else () for of in SPLITS}
    results = measure(counts, counts.config, **names, flip_tests=flipped, intervals=True)  # type: ignore[arg-type]
    sensitive = {facet.column: facet.sensitive for facet in rules.config.facets}
    for result in results:
        values = sensitive[result.column]
        rows, other_rows = result.rows_sensitive, result.rows_other
        counted = result.favourable_labels if stage == PRE_TRAINING else result.favourable_predictions
        favourable, other_favourable = counted or (None, None)
        yield (
            (result.column, _value_text(values) if values else result.value_or_threshold),
            GroupResult(
                rows,
                other_rows,
                _share(favourable, rows),
                _share(other_favourable, other_rows),
                result.pre_training or result.post_training,
            ),
        )


def _share(part: int | None, rows: int) -> float | None:
    return None if part is None or not rows else part / rows


def _absent(rules: FairnessRules, stage: str, rows: int) -> GroupResult:
    """Return the result of a value that none of the rows of a split has."""
    error = f"the {SPLITS[stage]} split has no row of this group"
    metrics = [MetricValue(name, BY_NAME[name].description, None, error) for name in rules.metrics(stage)]
    return GroupResult(0, rows, None, None, metrics)


def _stage_json(result: GroupResult, rules: FairnessRules) -> dict[str, Any]:
    metrics = [_metric_json(metric, rules.limits.get(metric.name)) for metric in result.metrics]
    return {**vars(result), "metrics": metrics}


def _metric_json(metric: MetricValue, limit: tuple[float, float] | None) -> dict[str, Any]:
    value, lower, upper = (
        None if number is None else finite(number) for number in (metric.value, metric.lower, metric.upper)
    )
    error = metric.error
    if value is None and error is None:
        error = metric.note or f"it is {metric.value}"
    return {
        "name": metric.name,
        "description": metric.description,
        "value": value,
        "lower": lower,
        "upper": upper,
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


def decide(facets: Sequence[Mapping[str, Any]], limits: Mapping[str, Any]) -> dict[str, Any]:
    """Return whether all metrics with a limit are within it, and in a sentence which are not."""
    judged = [
        (group, stage, metric)
        for group in facets
        for stage in SPLITS
        for metric in group[stage]["metrics"]
        if metric["limit"] is not None
    ]
    missed = [sentence(*item) for item in judged if not item[2]["passes"]]
    if not limits:
        text = "no metric of bias has a limit"
    elif missed:
        more = len(missed) - MAX_NAMED
        rest = [f"{more} more metric{'s' if more > 1 else ''} of bias"] if more > 0 else []
        text = "; ".join([*missed[:MAX_NAMED], *rest])
    else:
        groups = [f"{group['column']} {group['value']}" for group in facets]
        more = len(groups) - MAX_NAMED
        named = f"{', '.join(groups[:MAX_NAMED])} and {more} more" if more > 0 else " and ".join(groups)
        *others, last = limits
        metrics = f"{', '.join(others)} and {last} are" if others else f"{last} is"
        text = f"{metrics} within the limits for {named}"
    return {
        "passes": int(not missed),
        "limited": len(judged),
        "missed": len(missed),
        "sentence": text,
        "limited_text": limited_text(judged),
    }


def limited_text(judged: Sequence[tuple[Mapping[str, Any], str, Mapping[str, Any]]]) -> str:
    """List the metrics with a limit in the characters that the metadata of a model package may have."""
    texts = [
        f"{metric['name']} {readable(metric['value'])} for {group['column']} {group['value']}"
        for group, _, metric in judged
    ]
    text = NOT_IN_METADATA.sub("_", " / ".join(texts))
    return text if len(text) <= MAX_CHARACTERS else f"{text[: MAX_CHARACTERS - 3]}..."


def sentence(group: Mapping[str, Any], stage: str, metric: Mapping[str, Any]) -> str:
    """Say what was measured of a group and what is required."""
    low, high = metric["limit"]
    rows = group[stage]["rows"]
    of = f"{rows:,} of {rows + group[stage]['other_rows']:,} {SPLITS[stage]} rows"
    subject = f"{metric['name']} for {group['column']} {group['value']} ({of})"
    required = f"must be between {low:.12g} and {high:.12g}"
    value = metric["value"]
    if value is None:
        return f"{subject} has no value ({metric['error']}) and {required}"
    between = f"95 % interval {readable(metric['lower'])} to {readable(metric['upper'])}"
    return f"{subject} is {readable(value, low if value < low else high)} ({between}) and {required}"
