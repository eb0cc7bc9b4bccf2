"""Explanations of a Clarify job: global and local SHAP values, and partial dependence."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from analyzer import QualityError
from analyzer.attribution.baseline import cluster_baseline
from analyzer.attribution.global_shap import GlobalShap, aggregate
from analyzer.attribution.kernel_shap import KernelShap
from analyzer.attribution.local_shap import LocalShap
from analyzer.attribution.partial_dependence import PartialDependence, partial_dependence
from analyzer.clarify.columns import Columns
from analyzer.clarify.config import PARQUET, AnalysisConfig, ShapConfig
from analyzer.clarify.datasets import Records, open_dataset
from analyzer.clarify.jmes import Expression
from analyzer.clarify.models import Model
from analyzer.clarify.tables import concatenate, sample, to_batch
from analyzer.datasets.selection import shorten

FOLDER = "explanations_shap"
# Records that Kernel SHAP explains at a time.
CHUNK_ROWS = 100
# Clusters and partial dependence are averages, which more records change by less than the plot shows.
SAMPLE_ROWS = 10_000


@dataclass(frozen=True)
class Explanations:
    """The explanations of a model.

    Attributes:
        shap: Global SHAP values, if asked for.
        pdp: Partial dependence of features, if asked for.
    """

    shap: GlobalShap | None
    pdp: Sequence[PartialDependence] | None


def kernel_explanations(
    model: Model,
    records: Records,
    features: Sequence[str],
    config: ShapConfig,
    baseline: pa.Table | None,
    seed: int,
    folder: Path,
) -> Iterator[LocalShap]:
    """Explain records by Kernel SHAP, and write the baseline if it is computed.

    Args:
        model: The model.
        records: The records.
        features: The columns that the model gets.
        config: The section ``methods.shap``.
        baseline: The rows that stand for missing features; None to cluster the records.
        seed: Seed, if the section has none.
        folder: Folder of the explanations.
    """
    seed = seed if config.seed is None else config.seed
    table = concatenate([*records.batches(features)])
    if baseline is None:
        baseline = cluster_baseline(sample(table.to_batches(), SAMPLE_ROWS, seed), config.num_clusters, seed)
        folder.mkdir(parents=True, exist_ok=True)
        pacsv.write_csv(baseline, folder / "baseline.csv", pacsv.WriteOptions(include_header=False))
    table, baseline = _of_equal_types(table, baseline.select([*features]))
    explainer = KernelShap(
        model.predict, baseline, num_samples=config.num_samples, use_logit=config.use_logit, seed=seed
    )
    for start in range(0, table.num_rows, CHUNK_ROWS):
        shap = explainer.explain(table.slice(start, CHUNK_ROWS))
        yield replace(shap, outputs=[*model.outputs])


def global_values(shaps: Iterable[LocalShap], columns: Columns, config: ShapConfig, path: Path | None) -> GlobalShap:
    """Aggregate SHAP values, and write the local ones.

    Args:
        shaps: The SHAP values of batches of records.
        columns: The columns of the dataset, for ``features_to_explain``.
        config: The section ``methods.shap``.
        path: The CSV file for local values; None for none.
    """
    chosen = [columns.find(place, "methods.shap.features_to_explain") for place in config.features]
    selected = (_select(shap, chosen) for shap in shaps)
    if path is None:
        return aggregate(selected, config.agg_method)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        return aggregate(_written(selected, file), config.agg_method)


def dependence(
    model: Model,
    records: Records,
    features: Sequence[str],
    config: AnalysisConfig,
    shap: GlobalShap | None,
    seed: int,
) -> list[PartialDependence]:
    """Compute the partial dependence of features, on a sample of the records.

    Args:
        model: The model.
        records: The records.
        features: The columns that the model gets.
        config: The configuration.
        shap: Global SHAP values, which say what the most important features are.
        seed: Seed of the sample.
    """
    assert config.pdp is not None
    chosen = [records.columns.find(place, "methods.pdp.features") for place in config.pdp.features]
    importance: Mapping[str, float] | None = None
    if shap is not None:
        # The importance of a feature to all labels.
        total: dict[str, float] = {}
        for values in shap.labels.values():
            for name, value in values.global_shap_values.items():
                total[name] = total.get(name, 0.0) + abs(value)
        importance = total
    found = partial_dependence(
        model.predict,
        sample(records.batches(features), SAMPLE_ROWS, seed),
        features=chosen or None,
        grid_resolution=config.pdp.grid_resolution,
        top_k_features=config.pdp.top_k_features,
        importance=importance,
    )
    # An endpoint's outputs are known once it has answered.
    return [item if item.error else replace(item, label_headers=[*model.outputs]) for item in found]


def read_baseline(baseline: Any, config: AnalysisConfig, features: Sequence[str]) -> pa.Table:
    """Read the rows of ``methods.shap.baseline``, in the layout of the dataset without the label.

    Args:
        baseline: The rows, or the path of a file with them.
        config: The configuration.
        features: The columns that the model gets.

    Raises:
        QualityError: The rows do not have these features.
    """
    if isinstance(baseline, Path):
        # The label is not in the file, nor are the columns that are not features.
        plain = replace(
            config, headers=() if config.dataset_type == PARQUET else tuple(features), label=None, predicted_label=None
        )
        return concatenate([*open_dataset(baseline, plain).batches([*features])])
    rows = _rows(baseline, config)
    if any(len(row) != len(features) for row in rows):
        width = next(len(row) for row in rows if len(row) != len(features))
        raise QualityError(
            f"methods.shap.baseline has a row of {width} values for the {len(features)} features "
            f"({', '.join(features)}); leave out the label and the excluded columns"
        )
    records = [dict(zip(features, row, strict=True)) for row in rows]
    return concatenate([to_batch(records, features)])


def _rows(baseline: Any, config: AnalysisConfig) -> list[list[Any]]:
    """Return the rows: lists of values, or what the JMESPath of the features finds in the document or in each item."""
    if config.features is not None and not (isinstance(baseline, list) and isinstance(baseline[0], list)):
        expression = Expression(config.features, "features")
        try:
            baseline = expression.search(baseline)
        except ValueError:
            try:
                baseline = [expression.search(item) for item in baseline]
            except ValueError as error:
                raise QualityError(f"methods.shap.baseline {error}; give it the layout of the dataset") from error
    rows = [[*row.values()] if isinstance(row, dict) else row for row in baseline] if isinstance(baseline, list) else []
    if not rows or not all(isinstance(row, list) for row in rows):
        raise QualityError("methods.shap.baseline is not a list of rows; each row is a list of the features' values")
    return rows


def _select(shap: LocalShap, chosen: Sequence[str]) -> LocalShap:
    if not chosen:
        return shap
    others = [name for name in chosen if name not in shap.features]
    if others:
        raise QualityError(
            f"methods.shap.features_to_explain has {others[0]!r}, which is not a feature of the model; use some of "
            f"{shorten(shap.features)}"
        )
    places = [shap.features.index(name) for name in chosen]
    return LocalShap([*chosen], shap.outputs, shap.values[:, :, places], shap.expected)


def _written(shaps: Iterable[LocalShap], file: Any) -> Iterator[LocalShap]:
    """Write SHAP values as they pass: a column for each label and feature, as in Clarify."""
    is_first = True
    for shap in shaps:
        if is_first:
            header = [f"{feature}_{output}" for output in shap.outputs for feature in shap.features]
            csv.writer(file, lineterminator="\n").writerow(header)
            is_first = False
        rows = np.asarray(shap.values).reshape(len(shap.values), -1)
        sink = pa.BufferOutputStream()
        names = [str(index) for index in range(rows.shape[1])]
        table = pa.table([np.ascontiguousarray(column) for column in rows.T], names=names)
        pacsv.write_csv(table, sink, pacsv.WriteOptions(include_header=False))
        file.write(sink.getvalue().to_pybytes().decode())
        yield shap


def _of_equal_types(table: pa.Table, baseline: pa.Table) -> tuple[pa.Table, pa.Table]:
    both = concatenate([*table.to_batches(), *baseline.to_batches()])
    return both.slice(0, table.num_rows), both.slice(table.num_rows)
