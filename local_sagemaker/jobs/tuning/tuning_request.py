"""What a CreateHyperParameterTuningJob request asks for: its validation, its record and its search."""

from __future__ import annotations

import re

from local_sagemaker.algorithms.xgboost.built_in import metric_definitions
from local_sagemaker.containers.images.errors import UnsupportedImage
from local_sagemaker.containers.images.images import Images
from local_sagemaker.jobs.job import job_record
from local_sagemaker.jobs.script_mode import TUNING_OBJECTIVE
from local_sagemaker.jobs.tuning.ranges import SearchError
from local_sagemaker.jobs.tuning.results import TRAINING, TUNING, ranked, training_jobs
from local_sagemaker.jobs.tuning.search import Search, make_search
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.storage.records import Record, RecordStore


def new_tuning_record(request: Record, images: Images, now: float) -> Record:
    """Return the record of a new tuning job.

    Raises:
        ServiceError: The request is invalid or not supported on this machine.
    """
    config, definition = request["HyperParameterTuningJobConfig"], request.get("TrainingJobDefinition")
    if definition is None or "HyperParameterTuningJobObjective" not in config:
        raise ServiceError(
            "ValidationException", "TrainingJobDefinition and HyperParameterTuningJobObjective are required"
        )
    specification, metric = definition["AlgorithmSpecification"], config["HyperParameterTuningJobObjective"]
    static = definition.get("StaticHyperParameters", {})
    try:
        runtime = images.find(specification.get("TrainingImage", ""), TRAINING)
        regexes = {item["Name"]: item["Regex"] for item in metric_definitions(runtime, specification)}
        for regex in regexes.values():
            re.compile(regex)
    except (re.error, UnsupportedImage) as error:
        raise ServiceError("ValidationException", str(error)) from error
    if metric["MetricName"] not in regexes:
        raise ServiceError(
            "ValidationException",
            f"The objective metric {metric['MetricName']!r} is not in MetricDefinitions ({', '.join(regexes)})",
        )
    definition = {**definition, "StaticHyperParameters": {**static, TUNING_OBJECTIVE: metric["MetricName"]}}
    if config["Strategy"] != "Grid" and "MaxNumberOfTrainingJobs" not in config["ResourceLimits"]:
        raise ServiceError("ValidationException", "ResourceLimits requires MaxNumberOfTrainingJobs")
    return {**job_record(TUNING, request, now), "TrainingJobDefinition": definition, "TrainingJobs": []}


def search_of(store: RecordStore, record: Record) -> Search:
    """Return the search of a tuning job, which starts with the results of its parents.

    Raises:
        ServiceError: The ranges cannot be searched, or a parent is not a tuning job that has ended.
    """
    config = record["HyperParameterTuningJobConfig"]
    ranges = config.get("ParameterRanges") or record["TrainingJobDefinition"].get("HyperParameterRanges") or {}
    earlier = []
    for parent in _parents(store, record):
        for job in ranked(training_jobs(store, parent), parent):
            static = parent["TrainingJobDefinition"].get("StaticHyperParameters", {})
            value = job["FinalHyperParameterTuningJobObjectiveMetric"]["Value"]
            earlier.append(({**static, **job["TunedHyperParameters"]}, value))
    try:
        return make_search(config, ranges, earlier, record["TrainingJobDefinition"].get("StaticHyperParameters"))
    except SearchError as error:
        raise ServiceError("ValidationException", str(error)) from error


def _parents(store: RecordStore, record: Record) -> list[Record]:
    """Return the records of the parents in WarmStartConfig."""
    items = record.get("WarmStartConfig", {}).get("ParentHyperParameterTuningJobs", [])
    parents = []
    for name in [item.get("HyperParameterTuningJobName", "") for item in items]:
        parent = store.get(TUNING, name)
        if parent is None or parent["HyperParameterTuningJobStatus"] in ("InProgress", "Stopping"):
            raise ServiceError(
                "ValidationException", f"WarmStartConfig: the parent {name!r} is not a tuning job that has ended"
            )
        parents.append(parent)
    return parents
