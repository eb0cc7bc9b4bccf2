"""The progress of a running training job, read from its log."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from pipelines import training_progress
from pipelines.runner import PipelineExecution, Step
from pipelines.training_progress import TrainingProgress, trials_text
from project.target import Target

TARGET = Target("role", "bucket", "us-east-1")
JOB = "arn:aws:sagemaker:us-east-1:123456789012:training-job/pipelines-x-train-y"


def execution(status: str = "Executing", job: str = JOB) -> PipelineExecution:
    return PipelineExecution("arn", "Executing", "", (Step("Train", status, job=job),))


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The log's last lines, or an error, for each reading."""
    readings: list[Any] = []

    def log_lines(target: Target, step: Step, last: int) -> list[str]:
        reading = readings.pop(0)
        if isinstance(reading, Exception):
            raise reading
        return list(reading)

    monkeypatch.setattr(training_progress, "log_lines", log_lines)
    return readings


def test_the_last_iteration_and_its_validation_metric_are_shown(log: list[Any]) -> None:
    log += [
        [
            "iteration=1 of 500 train_binary_logloss=0.6 validation_binary_logloss=0.61",
            "iteration=11 of 500 train_binary_logloss=0.5 validation_binary_logloss=0.51234 train_auc=0.9",
            "another line",
        ]
    ]
    (step,) = TrainingProgress(TARGET).add_to(execution()).steps
    assert step.progress == "iteration 11 of 500, validation_binary_logloss 0.5123"


def test_the_log_is_read_every_few_seconds_and_a_failure_keeps_what_was_read(log: list[Any]) -> None:
    denied = ClientError({"Error": {"Code": "AccessDeniedException"}}, "DescribeLogStreams")
    log += [["iteration=1 of 9 validation_rmse=5"], denied, ["no iteration"]]
    # two looks at the clock for each reading, one if it is too early
    times = iter([0.0, 0.0, 1.0, 5.0, 5.0, 10.0, 10.0])
    progress = TrainingProgress(TARGET, clock=lambda: next(times))
    for _ in range(4):
        (step,) = progress.add_to(execution()).steps
        assert step.progress == "iteration 1 of 9, validation_rmse 5.0000"
    assert not log


def test_no_log_is_read_of_steps_that_do_not_train_or_have_ended(log: list[Any]) -> None:
    progress = TrainingProgress(TARGET)
    for state in (
        execution("Succeeded"),
        execution(job=JOB.replace("training-job", "processing-job")),
        execution(job=""),
    ):
        assert progress.add_to(state) == state


def tuning_job(**members: Any) -> dict[str, Any]:
    counters = {"Completed": 10, "InProgress": 2, "RetryableError": 0, "NonRetryableError": 1, "Stopped": 1}
    limits = {"MaxNumberOfTrainingJobs": 30, "MaxParallelTrainingJobs": 2}
    config = {"HyperParameterTuningJobConfig": {"ResourceLimits": limits}}
    return {"TrainingJobStatusCounters": counters, **config, **members}


def test_the_trials_of_a_tuning_job_and_the_best_objective_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    best = {"FinalHyperParameterTuningJobObjectiveMetric": {"MetricName": "validation:auc", "Value": 0.98126}}
    monkeypatch.setattr(training_progress, "describe_job", lambda target, step: tuning_job(BestTrainingJob=best))
    tuning = execution(job=JOB.replace("training-job", "hyper-parameter-tuning-job"))
    (step,) = TrainingProgress(TARGET).add_to(tuning).steps
    assert step.progress == "12 of 30 trials, best validation:auc 0.9813"


def test_the_trials_of_a_grid_have_no_limit_and_the_first_ones_no_best() -> None:
    limits = {"HyperParameterTuningJobConfig": {"ResourceLimits": {"MaxParallelTrainingJobs": 2}}}
    assert trials_text(tuning_job(**limits)) == "12 trials"
