"""Tuning step: runs a hyperparameter tuning job."""

from __future__ import annotations

import re

from local_sagemaker.executions.steps.job_step import run_job
from local_sagemaker.executions.steps.step_type import (
    Outcome,
    StepRun,
    StepType,
    invoke,
    resolved_arguments,
    select_resolved,
)
from local_sagemaker.storage.records import Record

# number of training jobs in a step's properties, for the SDK's get_top_model_s3_uri
MAX_TOP_JOBS = 50


class Tuning(StepType):
    operation = "CreateHyperParameterTuningJob"
    cache_key_arguments = ("HyperParameterTuningJobConfig", "TrainingJobDefinition")
    # the documentation names them, as there are others
    cache_key_members = (
        "AlgorithmSpecification",
        "HyperParameterRanges",
        "InputDataConfig",
        "StaticHyperParameters",
        "TuningObjective",
    )
    image_argument = ("TrainingJobDefinition", "AlgorithmSpecification", "TrainingImage")
    job_kind = "training-job"

    def cache_key(self, run: StepRun) -> Record:
        config, definition = self.cache_key_arguments
        members = run.step.arguments.get(definition, {})
        return {
            **select_resolved(run, run.step.arguments, [config]),
            definition: select_resolved(run, members, self.cache_key_members),
        }

    def run(self, run: StepRun) -> Outcome:
        name = _short_name(run)
        arguments = resolved_arguments(run)
        run_job(run, "HyperParameterTuningJob", arguments, lambda arn: {"TuningJob": {"Arn": arn}}, name)
        description = invoke(run, "DescribeHyperParameterTuningJob", {"HyperParameterTuningJobName": name})
        objective = description["HyperParameterTuningJobConfig"]["HyperParameterTuningJobObjective"]
        query = {
            "HyperParameterTuningJobName": name,
            "SortBy": "FinalObjectiveMetricValue",
            "SortOrder": "Descending" if objective["Type"] == "Maximize" else "Ascending",
            "MaxResults": MAX_TOP_JOBS,
        }
        jobs = invoke(run, "ListTrainingJobsForHyperParameterTuningJob", query)["TrainingJobSummaries"]
        best = invoke(run, "DescribeTrainingJob", {"TrainingJobName": jobs[0]["TrainingJobName"]})
        properties = {**description, "TrainingJobSummaries": jobs}
        return Outcome(properties, [best["ModelArtifacts"]["S3ModelArtifacts"]])


def _short_name(run: StepRun) -> str:
    """Return a name within a tuning job's limit of 32 characters: <execution>-<step>-<10 random characters>."""
    step = re.sub(r"[^a-zA-Z0-9]+", "-", run.step.name)[:8].strip("-")
    return "-".join(filter(None, [run.execution_id, step, run.job_name[-10:]]))
