"""Bias metrics of a Clarify job: from the records to the sections of analysis.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from analyzer.bias.analysis import FacetResult, measure
from analyzer.bias.config import BiasConfig, Facet, ValuesOrThreshold
from analyzer.bias.counts import BiasCounts
from analyzer.bias.flip_test import FlipTest, flip_tests
from analyzer.clarify.analysis import POST_TRAINING, PRE_TRAINING, bias_sections
from analyzer.clarify.config import AnalysisConfig
from analyzer.clarify.datasets import Records

FLIP_TEST = "FT"

FlipTests = Mapping[tuple[str, str], FlipTest]


@dataclass(frozen=True)
class BiasResult:
    """The bias of a dataset and of predictions for it.

    Attributes:
        facets: The metrics of each group.
        sections: Those of analysis.json.
        label: Name of the label.
        label_values: Clarify's text for the favourable labels.
        records: The number of records.
    """

    facets: tuple[FacetResult, ...]
    sections: dict[str, dict[str, Any]]
    label: str
    label_values: str
    records: int


def measure_bias(
    records: Records, config: AnalysisConfig, label: str, seed: int, features: Sequence[str]
) -> BiasResult:
    """Compute the bias metrics that a configuration asks for.

    Args:
        records: The records, with a predicted label if post-training metrics are asked for.
        config: The configuration.
        label: Name of the label, which the records need not have.
        seed: Seed of the bootstrap.
        features: The columns by which the flip test finds similar records.

    Raises:
        QualityError: A column is missing, a metric is unknown, or the records cannot be read.
    """
    columns = records.columns
    bias_config = BiasConfig(
        label=label,
        favourable=ValuesOrThreshold.as_in_clarify(config.favourable),
        facets=tuple(
            Facet(
                columns.find(facet.column, "facet"),
                ValuesOrThreshold.as_in_clarify(facet.values) if facet.values else None,
            )
            for facet in config.facets
        ),
        predicted_label=columns.predicted_label if config.post_training is not None else None,
        group_variable=None if config.group_variable is None else columns.find(config.group_variable, "group_variable"),
    )
    counted = [
        bias_config.label,
        bias_config.predicted_label,
        bias_config.group_variable,
        *(facet.column for facet in bias_config.facets),
    ]
    names = [name for name in dict.fromkeys(counted) if name in columns.names]
    counts = BiasCounts.of(records.batches(names), bias_config)
    pre, post = config.pre_training, config.post_training
    tests = _flip_tests(records, counts, features) if post == "all" or FLIP_TEST in (post or ()) else None
    results = measure(
        counts,
        bias_config,
        () if pre is None else pre,
        () if post is None else post,
        flip_tests=tests,
        intervals=True,
        seed=seed,
    )
    stages = [PRE_TRAINING] * (pre is not None) + [POST_TRAINING] * (post is not None)
    label_values = counts.label_value_or_threshold
    return BiasResult(results, bias_sections(results, label, label_values, stages), label, label_values, counts.records)


def _flip_tests(records: Records, counts: BiasCounts, features: Sequence[str]) -> FlipTests | None:
    config = counts.config
    if config.predicted_label is None:
        return None
    needed = [config.predicted_label, *(facet.column for facet in config.facets)]
    names = [name for name in dict.fromkeys([*features, *needed]) if name in records.columns.names]
    return flip_tests(records.batches(names), counts, features)
