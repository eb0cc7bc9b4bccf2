"""The results of a tuning job, derived from the records of its training jobs."""

from __future__ import annotations

import time

from local_sagemaker.storage.record_kinds import TRAINING_JOB, TUNING_JOB
from local_sagemaker.storage.records import Record, RecordStore

TUNING, TRAINING = TUNING_JOB.kind, TRAINING_JOB.kind


def described(store: RecordStore, record: Record) -> Record:
    """Return the response of DescribeHyperParameterTuningJob."""
    jobs = training_jobs(store, record)
    statuses = [job["TrainingJobStatus"] for job in jobs]
    objectives = [job["ObjectiveStatus"] for job in jobs]
    best = ranked(jobs, record)
    overall = ranked([*jobs, *_jobs_of_parents(store, record)], record)
    ended = record.get("HyperParameterTuningEndTime", time.time())
    return {
        **record,
        "Strategy": record["HyperParameterTuningJobConfig"]["Strategy"],
        "ResourceLimits": record["HyperParameterTuningJobConfig"]["ResourceLimits"],
        "TrainingJobStatusCounters": {
            "Completed": statuses.count("Completed"),
            "InProgress": statuses.count("InProgress") + statuses.count("Stopping"),
            "RetryableError": 0,
            "NonRetryableError": statuses.count("Failed"),
            "Stopped": statuses.count("Stopped"),
        },
        "ObjectiveStatusCounters": {status: objectives.count(status) for status in ("Succeeded", "Pending", "Failed")},
        "BestTrainingJob": best[0] if best else None,
        "OverallBestTrainingJob": overall[0] if overall and _is_continued(record) else None,
        "ConsumedResources": {"RuntimeInSeconds": round(ended - record["CreationTime"])},
    }


def training_jobs(store: RecordStore, record: Record) -> list[Record]:
    """Return the TrainingJobSummaries of ListTrainingJobsForHyperParameterTuningJob."""
    objective = record["HyperParameterTuningJobConfig"]["HyperParameterTuningJobObjective"]
    found = [(store.get(TRAINING, item["TrainingJobName"]), item) for item in record["TrainingJobs"]]
    return [_summary(job, item, objective) for job, item in found if job is not None]


def ranked(jobs: list[Record], record: Record) -> list[Record]:
    """Return the training jobs with an objective, best first."""
    maximize = record["HyperParameterTuningJobConfig"]["HyperParameterTuningJobObjective"]["Type"] == "Maximize"
    measured = [job for job in jobs if job["ObjectiveStatus"] == "Succeeded"]
    return sorted(
        measured, key=lambda job: job["FinalHyperParameterTuningJobObjectiveMetric"]["Value"], reverse=maximize
    )


def final_value(job: Record, metric: str) -> float | None:
    """Return the last value of a training job's metric, or None."""
    metrics = {item["MetricName"]: item["Value"] for item in job.get("FinalMetricDataList", [])}
    return metrics.get(metric)


def _is_continued(record: Record) -> bool:
    """Return whether the results of the tuning job's parents count as its own."""
    return record.get("WarmStartConfig", {}).get("WarmStartType") == "IdenticalDataAndAlgorithm"


def _jobs_of_parents(store: RecordStore, record: Record) -> list[Record]:
    """Return the summaries of the training jobs of all parents that still exist, with the TuningJobName of each."""
    items = record.get("WarmStartConfig", {}).get("ParentHyperParameterTuningJobs", [])
    parents = [store.get(TUNING, item["HyperParameterTuningJobName"]) for item in items]
    return [
        {**job, "TuningJobName": parent["HyperParameterTuningJobName"]}
        for parent in parents
        if parent is not None
        for job in training_jobs(store, parent)
    ]


def _summary(job: Record, item: Record, objective: Record) -> Record:
    value = final_value(job, objective["MetricName"])
    status = job["TrainingJobStatus"]
    measured = value is not None and status in ("Completed", "Stopped")
    running = status in ("InProgress", "Stopping")
    return {
        **{
            member: job.get(member)
            for member in ("TrainingJobArn", "CreationTime", "TrainingStartTime", "TrainingEndTime", "FailureReason")
        },
        **item,
        "TrainingJobStatus": status,
        "ObjectiveStatus": "Succeeded" if measured else "Pending" if running else "Failed",
        "FinalHyperParameterTuningJobObjectiveMetric": {**objective, "Value": value} if measured else None,
    }
