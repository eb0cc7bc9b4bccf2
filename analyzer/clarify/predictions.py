"""What a job's model adds to its records: predicted labels and explanations."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from analyzer import QualityError
from analyzer.attribution.local_shap import LocalShap
from analyzer.attribution.tree_shap import ModelArchive
from analyzer.clarify.config import AnalysisConfig
from analyzer.clarify.datasets import ParquetRecords, Records
from analyzer.clarify.explanations import (
    FOLDER,
    Explanations,
    dependence,
    global_values,
    kernel_explanations,
    read_baseline,
)
from analyzer.clarify.files import local_path
from analyzer.clarify.joins import JoinedRecords
from analyzer.clarify.models import ArchiveModel, EndpointModel, LabelKind, Model
from analyzer.clarify.shadow_endpoint import endpoint
from analyzer.clarify.tables import concatenate
from analyzer.datasets.selection import shorten

logger = logging.getLogger(__name__)

PREDICTED = "predicted_label"
LOCAL_VALUES = "out.csv"


@dataclass(frozen=True)
class Prediction:
    """What a model adds to records.

    Attributes:
        labels: The predicted labels, if they were asked for.
        explanations: The explanations that were asked for.
    """

    labels: pa.Table | None
    explanations: Explanations


def predict(
    records: Records,
    config: AnalysisConfig,
    archive: Path | None,
    with_labels: bool,
    seed: int,
    results: Path,
    downloads: Path,
) -> Prediction:
    """Predict and explain records.

    Args:
        records: The records.
        config: The configuration.
        archive: A model archive; None for the section ``predictor``.
        with_labels: Whether to predict labels.
        seed: Of sampling, if the configuration names none.
        results: Folder for local explanations.
        downloads: Folder for what is on S3.

    Raises:
        QualityError: There is no model, or it does not fit the records.
    """
    with ExitStack() as stack:
        features = records.columns.features(config)
        model: Model
        if archive is not None:
            model = ArchiveModel(stack.enter_context(ModelArchive(archive)), config)
            needed = model.features
            features = [name for name in needed if name in features]
            if not features:
                raise QualityError(
                    f"the dataset has none of the features of {archive.name} ({shorten(needed)}); name its columns as "
                    "in the training data"
                )
            if absent := [name for name in needed if name not in features]:
                logger.warning(
                    "the dataset does not have %d of the %d features of %s (%s), which the model takes as missing "
                    "values; if it has them by other names, name them as in the training data",
                    len(absent),
                    len(needed),
                    archive.name,
                    shorten(absent),
                )
        elif config.predictor is not None:
            kind = _label_kind(records) if with_labels else LabelKind()
            name = stack.enter_context(endpoint(config.predictor))
            model = EndpointModel(name, config.predictor, config, features, kind)
        else:
            raise QualityError(
                "post-training bias needs predictions; set predicted_label or predictor, or pass a model archive with "
                "--model"
            )
        labels: list[pa.Array] = []
        shap = None
        local = results / FOLDER / LOCAL_VALUES if config.shap and config.shap.save_local else None
        if config.shap is not None and model.explains_itself:
            shap = global_values(_explained(model, records, features, labels), records.columns, config.shap, local)
        elif with_labels:
            labels += [batch.labels for batch in model.batches(_batches(records, features), False)]
        if config.shap is not None and shap is None:
            baseline = config.shap.baseline
            rows = None
            if baseline is not None:
                source = local_path(baseline, downloads, "baseline") if isinstance(baseline, str) else baseline
                rows = read_baseline(source, config, features)
            shaps = kernel_explanations(model, records, features, config.shap, rows, seed, results / FOLDER)
            shap = global_values(shaps, records.columns, config.shap, local)
        pdp = None if config.pdp is None else dependence(model, records, features, config, shap, seed)
    table = None
    if with_labels:
        table = concatenate([pa.RecordBatch.from_arrays([piece], names=[PREDICTED]) for piece in labels])
    return Prediction(table, Explanations(shap, pdp))


def with_predictions(records: Records, labels: pa.Table) -> Records:
    """Return records with their predicted labels."""
    return JoinedRecords(records, labels, True, "the model's output")


def _explained(model: Model, records: Records, features: Sequence[str], labels: list[pa.Array]) -> Iterator[LocalShap]:
    """Yield the SHAP values of records, and collect the labels that come with them."""
    for batch in model.batches(_batches(records, features), True):
        labels.append(batch.labels)
        assert batch.shap is not None
        yield batch.shap


def _batches(records: Records, features: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Yield the features; as texts unless all batches have the same types."""
    for batch in records.batches(features):
        if isinstance(records, ParquetRecords):
            yield batch
        else:
            columns = [column.cast(pa.string()) for column in batch.columns]
            yield pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _label_kind(records: Records) -> LabelKind:
    """Return up to three distinct labels, which tell two classes from more and from numbers."""
    label = records.columns.label
    if label is None:
        return LabelKind()
    found: dict[Any, None] = {}
    for batch in records.batches([label]):
        found |= dict.fromkeys(batch.column(label).unique().drop_null().to_pylist())
        if len(found) > 2:
            break
    return LabelKind(tuple(found)[:3])
