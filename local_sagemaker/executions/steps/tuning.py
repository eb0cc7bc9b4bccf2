"""Tuning: a hyperparameter tuning job."""

from __future__ import annotations

import re

from local_sagemaker.executions.steps.job_step import run_job
from local_sagemaker.executions.steps.step_type import Outcome, StepRun, StepType, invoke, without_nulls
from local_sagemaker.storage.records import Record

CACHE_KEY = ("HyperParameterTuningJobConfig", "TrainingJobDefinition", "TrainingJobDefinitions")
# what a step keeps for get_top_model_s3_uri
MOST_TOP_JOBS = 50


class Tuning(StepType):
    def run(self, run: StepRun) -> Outcome:
        arguments = without_nulls(run.resolve(run.step.arguments))
        name = _short_name(run)
        run_job(run, "HyperParameterTuningJob", arguments, lambda arn: {"TuningJob": {"Arn": arn}}, name)
        description = invoke(run, "DescribeHyperParameterTuningJob", {"HyperParameterTuningJobName": name})
        objective = description["HyperParameterTuningJobConfig"]["HyperParameterTuningJobObjective"]
        query = {
            "HyperParameterTuningJobName": name,
            "SortBy": "FinalObjectiveMetricValue",
            "SortOrder": "Descending" if objective["Type"] == "Maximize" else "Ascending",
            "MaxResults": MOST_TOP_JOBS,
        }
        jobs = invoke(run, "ListTrainingJobsForHyperParameterTuningJob", query)["TrainingJobSummaries"]
        best = invoke(run, "DescribeTrainingJob", {"TrainingJobName": jobs[0]["TrainingJobName"]})
        properties = {**description, "TrainingJobSummaries": jobs}
        return Outcome(properties, [best["ModelArtifacts"]["S3ModelArtifacts"]])

    def cache_key(self, run: StepRun) -> Record | None:
        arguments = without_nulls(run.resolve({name: run.step.arguments.get(name) for name in CACHE_KEY}))
        return dict(arguments)


def _short_name(run: StepRun) -> str:
    """A name of at most 32 characters, as a tuning job's has to be: <execution>-<step>-<10 at random>."""
    step = re.sub(r"[^a-zA-Z0-9]+", "-", run.step.name)[:8].strip("-")
    return "-".join(filter(None, [run.execution_id, step, run.job_name[-10:]]))
