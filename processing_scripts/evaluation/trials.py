"""The trials of the tuning job that trained the model, read from the SageMaker API.

What cannot be read is missing in the report, with the reason: an evaluation does not fail for it.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

# A job in a VPC without an endpoint for the SageMaker API must not hang.
CONNECT_SECONDS, READ_SECONDS, ATTEMPTS = 5, 20, 3
# In summary.json and the report.
MAX_TRIALS = 200
BEST_TRIALS = 5
# A trial is at an end of a range within this share of it.
EDGE = 0.05
# As a range that SageMaker scales logarithmically by itself, and for all practical purposes 0.
WIDE, NEGLIGIBLE = 1000, 1e-6
# Beyond these values a parameter has none, by LightGBM's documentation.
LEAST = {"num_leaves": 2, "min_data_in_leaf": 1, "max_depth": 1}
MOST = {"feature_fraction": 1, "bagging_fraction": 1, "feature_fraction_bynode": 1}

Range = Mapping[str, Any]


def read_trials(tuning_job: str) -> dict[str, Any]:
    """Return the section `tuning` of summary.json, or only `job` and `unavailable`, the reason."""
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    config = Config(
        connect_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS, retries={"total_max_attempts": ATTEMPTS}
    )
    name = {"HyperParameterTuningJobName": tuning_job}
    try:
        # SageMaker sets AWS_REGION in its containers, which boto3 does not read.
        client = boto3.client("sagemaker", region_name=os.environ.get("AWS_REGION"), config=config)
        job = client.describe_hyper_parameter_tuning_job(**name)
        pages = client.get_paginator("list_training_jobs_for_hyper_parameter_tuning_job").paginate(
            **name, PaginationConfig={"PageSize": 100}
        )
        return summarize_trials(job, [summary for page in pages for summary in page["TrainingJobSummaries"]])
    except (BotoCoreError, ClientError) as error:
        print(f"warning: cannot read the trials of tuning job {tuning_job} ({error}); continuing without them")
        return {"job": tuning_job, "unavailable": str(error)}


def summarize_trials(job: Mapping[str, Any], summaries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the job, its objective, its ranges and its trials, best first.

    Args:
        job: The response of DescribeHyperParameterTuningJob.
        summaries: Those of ListTrainingJobsForHyperParameterTuningJob.
    """
    config = job["HyperParameterTuningJobConfig"]
    objective = config["HyperParameterTuningJobObjective"]
    ranges = parse_ranges(config.get("ParameterRanges", {}))
    trials = in_order((trial(summary) for summary in summaries), objective["Type"] == "Maximize")
    return {
        "job": job["HyperParameterTuningJobName"],
        "strategy": config["Strategy"],
        "objective": {"name": objective["MetricName"], "type": objective["Type"]},
        "ranges": ranges,
        "count": len(trials),
        "failed": sum(item["status"] == "Failed" for item in trials),
        "stopped": sum(item["status"] == "Stopped" for item in trials),
        "trials": trials[:MAX_TRIALS],
        "advice": edge_hits(ranges, trials),
    }


def parse_ranges(ranges: Mapping[str, Sequence[Range]]) -> dict[str, dict[str, Any]]:
    """Return the ranges by parameter: `min`, `max` and `scaling`, or `values`."""
    parsed: dict[str, dict[str, Any]] = {}
    for kind in ("IntegerParameterRanges", "ContinuousParameterRanges"):
        for item in ranges.get(kind, []):
            low, high = float(item["MinValue"]), float(item["MaxValue"])
            scaling = item.get("ScalingType", "Auto")
            if scaling == "Auto":
                scaling = "Logarithmic" if low > 0 and high / low > WIDE else "Linear"
            parsed[item["Name"]] = {"min": low, "max": high, "scaling": scaling}
    for item in ranges.get("CategoricalParameterRanges", []):
        parsed[item["Name"]] = {"values": list(item["Values"])}
    return dict(sorted(parsed.items()))


def trial(summary: Mapping[str, Any]) -> dict[str, Any]:
    objective = summary.get("FinalHyperParameterTuningJobObjectiveMetric") or {}
    started, ended = summary.get("TrainingStartTime"), summary.get("TrainingEndTime")
    return {
        "training_job": summary["TrainingJobName"],
        "status": summary["TrainingJobStatus"],
        "value": objective.get("Value"),
        "seconds": round((ended - started).total_seconds()) if started and ended else None,
        "hyperparameters": dict(sorted(summary["TunedHyperParameters"].items())),
        "failure": summary.get("FailureReason", ""),
    }


def in_order(trials: Iterable[dict[str, Any]], maximize: bool) -> list[dict[str, Any]]:
    """Return the trials, best first, and those without an objective last."""
    sign = -1 if maximize else 1
    return sorted(trials, key=lambda item: math.inf if item["value"] is None else sign * item["value"])


def position(range_: Range, text: str) -> float | None:
    """Return where a value is within its range, from 0 to 1 in the scale of the search; None if it is nowhere."""
    if values := range_.get("values"):
        return values.index(text) / max(1, len(values) - 1) if text in values else None
    try:
        low, high, value = (scaled(number, range_["scaling"]) for number in (range_["min"], range_["max"], float(text)))
    except ValueError:
        return None
    return (value - low) / (high - low) if high > low else 0.5


def scaled(value: float, scaling: str) -> float:
    if scaling == "Logarithmic":
        return math.log(value)
    return -math.log1p(-value) if scaling == "ReverseLogarithmic" else value


def edge_hits(ranges: Mapping[str, Range], trials: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a sentence for each range that most of the best trials leave: its end seems to keep the search away.

    Args:
        ranges: The ranges by parameter.
        trials: The trials, best first.
    """
    measured = [item for item in trials if item["value"] is not None]
    # With few trials the best ones are as good as any.
    if len(measured) < 2 * BEST_TRIALS:
        return []
    best = [item["hyperparameters"] for item in measured[:BEST_TRIALS]]
    sentences = []
    for name, range_ in ranges.items():
        if "values" in range_:
            continue
        places = [place for item in best if (place := position(range_, item.get(name, ""))) is not None]
        for end, hits in (("lower", sum(p <= EDGE for p in places)), ("upper", sum(p >= 1 - EDGE for p in places))):
            bound = range_["min" if end == "lower" else "max"]
            if hits > BEST_TRIALS / 2 and can_move(name, end, bound):
                verb = "lower" if end == "lower" else "raise"
                sentences.append(
                    f"{name}: {hits} of the {BEST_TRIALS} best trials lie at the {end} end, {bound:g}; {verb} it"
                )
    return sentences


def can_move(name: str, end: str, bound: float) -> bool:
    """Return whether there are values beyond the end of a range that would change the model."""
    if end == "upper":
        return bound < MOST.get(name, math.inf)
    return bound > LEAST.get(name, NEGLIGIBLE)
