"""What a job reads: its configuration with what the job adds, and its dataset with those that complete it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from analyzer import QualityError
from analyzer.clarify.captures import CapturedRecords
from analyzer.clarify.config import CSV, JSON, JSON_LINES, PARQUET, AnalysisConfig
from analyzer.clarify.config_file import read_config
from analyzer.clarify.datasets import Records, open_dataset
from analyzer.clarify.files import local_path
from analyzer.clarify.joins import join
from analyzer.clarify.settings import ClarifyJob
from analyzer.datasets import dataset as formats
from analyzer.datasets.malformed_records import MalformedRecords
from analyzer.schema import Schema


def configuration(job: ClarifyJob) -> AnalysisConfig:
    """Read the configuration, and complete it by what the job says.

    Raises:
        QualityError: It is invalid, or needs a model that there is not.
    """
    config = read_config(job.config)
    dataset_type = _dataset_type(job.dataset_format or {})
    if dataset_type is not None:
        config = replace(config, dataset_type=dataset_type)
    attributes = job.attributes
    if attributes.features is not None:
        config = replace(config, features=attributes.features)
    if attributes.probability_threshold is not None:
        config = replace(config, probability_threshold=attributes.probability_threshold)
    if job.excluded_columns:
        config = replace(config, excluded_columns=(*config.excluded_columns, *job.excluded_columns))
    predictor = config.predictor
    if predictor and job.model_name and not predictor.endpoint_name and not predictor.model_name:
        config = replace(config, predictor=replace(predictor, model_name=job.model_name))
    predictor = config.predictor
    if predictor and predictor.label is None and predictor.probability is None:
        # the SDK's monitors give the place of the scores as an attribute of the monitored endpoint only
        label, probability = _place(attributes.inference), _place(attributes.probability)
        config = replace(config, predictor=replace(predictor, label=label, probability=probability))
    if config.explains and job.model is None and config.predictor is None:
        raise QualityError(f"{job.config}: explanations need a model; add predictor, or pass a model archive (--model)")
    return config


def _place(attribute: str | None) -> str | int | None:
    """Return an attribute as a member of the configuration: a JMESPath, or an index as a number."""
    return int(attribute) if attribute is not None and attribute.isdecimal() else attribute


def open_records(job: ClarifyJob, config: AnalysisConfig, schema: Schema | None, downloads: Path) -> Records:
    """Open the dataset, without the columns that other datasets have.

    Args:
        job: The job.
        config: Its configuration.
        schema: Schema of the model archive, if there is one.
        downloads: Folder for what is on S3.
    """
    if is_captured(job):
        return CapturedRecords(
            job.dataset,
            config,
            job.attributes,
            formats.MERGED in (job.dataset_format or {}),
            job.window,
            schema,
            MalformedRecords(job.malformed_records_limit),
        )
    source = job.dataset
    if config.dataset_uri is not None and not (source.is_file() or (source.is_dir() and any(source.iterdir()))):
        source = local_path(config.dataset_uri, downloads, "dataset_uri")
    return open_dataset(source, config, schema.categorical if schema else (), job.malformed_records_limit)


def join_others(records: Records, config: AnalysisConfig, downloads: Path) -> Records:
    """Join the facets and the predicted labels that are in datasets of their own."""
    if config.facet_dataset_uri is not None:
        member = "facet_dataset_uri"
        of_facets = replace(config, headers=config.facet_headers, label=None, predicted_label=None)
        others = open_dataset(local_path(config.facet_dataset_uri, downloads, member), of_facets)
        ids = _ids(records, others, config)
        own = [name for name in others.columns.names if ids is None or name != ids[1]]
        records = join(records, others, own, ids, False, member)
    if config.predicted_label_dataset_uri is not None:
        member = "predicted_label_dataset_uri"
        headers, label = config.predicted_label_headers, config.predicted_label
        of_labels = replace(config, headers=headers, label=label, predicted_label=None)
        others = open_dataset(local_path(config.predicted_label_dataset_uri, downloads, member), of_labels)
        ids = _ids(records, others, config)
        rest = [name for name in others.columns.names if ids is None or name != ids[1]]
        if config.predicted_label is None and len(rest) != 1:
            raise QualityError(f"{member} has the columns {', '.join(rest)}; set predicted_label to one of them")
        place = rest[0] if config.predicted_label is None else config.predicted_label
        records = join(records, others, [others.columns.find(place, "predicted_label")], ids, True, member)
    return records


def label_name(records: Records, config: AnalysisConfig) -> str:
    """Return the name of the label, also if the records have none."""
    if isinstance(records, CapturedRecords):
        return records.label
    return records.columns.label or (config.label if isinstance(config.label, str) else "label")


def is_captured(job: ClarifyJob) -> bool:
    """Whether the dataset is captured inferences."""
    return bool({formats.CAPTURES, formats.MERGED} & set(job.dataset_format or {}))


def _dataset_type(dataset_format: Mapping[str, Mapping[str, object] | None]) -> str | None:
    for kind, options in dataset_format.items():
        if kind == formats.JSON:
            lines = (options or {}).get("lines", (options or {}).get("line", True))
            return JSON_LINES if str(lines).lower() == "true" else JSON
        return {formats.CSV: CSV, formats.PARQUET: PARQUET}.get(kind)
    return None


def _ids(records: Records, others: Records, config: AnalysisConfig) -> tuple[str, str] | None:
    """Return the columns of the record ids in both datasets; None to join by position."""
    if config.join_source is None:
        return None
    member = "joinsource_name_or_index"
    return records.columns.find(config.join_source, member), others.columns.find(config.join_source, member)
