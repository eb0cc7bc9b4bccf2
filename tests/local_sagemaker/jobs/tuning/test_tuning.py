import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from local_sagemaker.jobs.tuning.early_stopping import MedianRule
from local_sagemaker.jobs.tuning.tuning_job import ALL_FAILED
from local_sagemaker.protocol.errors import ServiceError
from tests.local_sagemaker.machine import TIMEOUT, Machine, Record
from tests.local_sagemaker.steps import fail, run, until

# the objective is (x - 3)^2, with its minimum at 3
PARABOLA = """
import argparse, os
parser = argparse.ArgumentParser()
parser.add_argument("-x", type=float)
parser.add_argument("--kind", default="a")
given = parser.parse_args()
open(os.environ["SM_MODEL_DIR"] + "/model.txt", "w").write(str(given.x))
print(f"loss={(given.x - 3) ** 2}")
"""
X = {"ContinuousParameterRanges": [{"Name": "x", "MinValue": "0", "MaxValue": "10"}]}
HYPERBAND = {
    "Strategy": "Hyperband",
    "StrategyConfig": {"HyperbandStrategyConfig": {"MinResource": 1, "MaxResource": 10}},
}


def request(
    machine: Machine, name: str = "tune", script: str = PARABOLA, ranges: Record = X, jobs: int = 3, **config: Any
) -> Record:
    """A CreateHyperParameterTuningJob request; `config` has members of HyperParameterTuningJobConfig."""
    data = machine.put("s3://bucket/a.csv", "1")
    training = machine.training_arguments(name, script, channels={"train": data}, metrics={"loss": "loss=([0-9.e+-]+)"})
    return {
        "HyperParameterTuningJobName": name,
        "HyperParameterTuningJobConfig": {
            "Strategy": "Random",
            "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "loss"},
            "ResourceLimits": {"MaxNumberOfTrainingJobs": jobs, "MaxParallelTrainingJobs": 2},
            "ParameterRanges": ranges,
            "RandomSeed": 1,
            **config,
        },
        "TrainingJobDefinition": {"StaticHyperParameters": training.pop("HyperParameters"), **training},
    }


def tune(machine: Machine, name: str = "tune", warm_start: Record | None = None, **more: Any) -> Record:
    """Run a tuning job to its end and return its description."""
    asked = request(machine, name, **more) | ({"WarmStartConfig": warm_start} if warm_start else {})
    machine.service.call("CreateHyperParameterTuningJob", asked)
    machine.jobs.wait("hyper-parameter-tuning-job", name, TIMEOUT)
    return describe(machine, name)


def describe(machine: Machine, name: str = "tune") -> Record:
    return machine.service.call("DescribeHyperParameterTuningJob", {"HyperParameterTuningJobName": name})


def jobs_of(machine: Machine, name: str = "tune", **query: Any) -> list[Record]:
    query = {"HyperParameterTuningJobName": name, "MaxResults": 100, **query}
    return machine.service.call("ListTrainingJobsForHyperParameterTuningJob", query)["TrainingJobSummaries"]


def value(job: Record) -> float:
    return job["FinalHyperParameterTuningJobObjectiveMetric"]["Value"]


def test_a_tuning_job_finds_the_best_of_its_training_jobs(machine: Machine) -> None:
    job = tune(machine, jobs=4)
    assert job["HyperParameterTuningJobStatus"] == "Completed", job
    counters = {"Completed": 4, "InProgress": 0, "RetryableError": 0, "NonRetryableError": 0, "Stopped": 0}
    assert job["TrainingJobStatusCounters"] == counters
    assert job["ObjectiveStatusCounters"] == {"Succeeded": 4, "Pending": 0, "Failed": 0}
    order = {"SortBy": "FinalObjectiveMetricValue", "SortOrder": "Ascending"}
    best, *others = jobs_of(machine, **order)
    assert job["BestTrainingJob"] == best
    assert all(value(best) <= value(other) for other in others)
    assert value(best) == (float(best["TunedHyperParameters"]["x"]) - 3) ** 2
    trained = machine.service.call("DescribeTrainingJob", {"TrainingJobName": best["TrainingJobName"]})
    assert trained["TuningJobArn"] == job["HyperParameterTuningJobArn"]
    assert trained["HyperParameters"]["x"] == best["TunedHyperParameters"]["x"]
    assert machine.archive(trained["ModelArtifacts"]["S3ModelArtifacts"]) == {
        "model.txt": best["TunedHyperParameters"]["x"]
    }
    assert [job["TrainingJobName"][:8] for job in jobs_of(machine)] == [f"tune-00{number}" for number in (1, 2, 3, 4)]
    (summary,) = machine.service.call("ListHyperParameterTuningJobs", {"NameContains": "TUN"})[
        "HyperParameterTuningJobSummaries"
    ]
    assert (summary["Strategy"], summary["TrainingJobStatusCounters"]) == ("Random", counters)


@pytest.mark.parametrize("several", [False, True])
def test_training_jobs_run_on_the_resources_that_tuning_may_choose_from(machine: Machine, several: bool) -> None:
    instances = {"InstanceType": "ml.m5.xlarge", "InstanceCount": 2, "VolumeSizeInGB": 5}
    other = {**instances, "InstanceType": "ml.m5.4xlarge"}
    asked = request(machine, jobs=1)
    definition = asked["TrainingJobDefinition"]
    del definition["ResourceConfig"]
    definition["HyperParameterTuningResourceConfig"] = {"InstanceConfigs": [instances, other]} if several else instances
    machine.service.call("CreateHyperParameterTuningJob", asked)
    machine.jobs.wait("hyper-parameter-tuning-job", "tune", TIMEOUT)
    [job] = jobs_of(machine)
    trained = machine.service.call("DescribeTrainingJob", {"TrainingJobName": job["TrainingJobName"]})
    assert trained["ResourceConfig"] == instances


def test_the_best_job_of_a_maximize_objective_has_the_highest_value(machine: Machine) -> None:
    job = tune(machine, HyperParameterTuningJobObjective={"Type": "Maximize", "MetricName": "loss"})
    assert value(job["BestTrainingJob"]) == max(map(value, jobs_of(machine)))


def test_grid_search_tries_every_combination_once(machine: Machine) -> None:
    choices = [{"Name": "x", "Values": ["1", "3"]}, {"Name": "kind", "Values": ["a", "b"]}]
    limits = {"MaxParallelTrainingJobs": 2}
    ranges = {"CategoricalParameterRanges": choices}
    job = tune(machine, ranges=ranges, Strategy="Grid", ResourceLimits=limits)
    tried = [
        (record["TunedHyperParameters"]["x"], record["TunedHyperParameters"]["kind"]) for record in jobs_of(machine)
    ]
    assert sorted(tried) == [("1", "a"), ("1", "b"), ("3", "a"), ("3", "b")]
    assert job["BestTrainingJob"]["TunedHyperParameters"]["x"] == "3"


def test_a_training_job_that_fails_does_not_fail_the_others(machine: Machine) -> None:
    choices = {"CategoricalParameterRanges": [{"Name": "x", "Values": ["3", "broken"]}]}
    job = tune(machine, ranges=choices, Strategy="Grid")
    assert job["HyperParameterTuningJobStatus"] == "Completed"
    assert job["TrainingJobStatusCounters"]["NonRetryableError"] == job["ObjectiveStatusCounters"]["Failed"] == 1
    assert [record["TunedHyperParameters"]["x"] for record in jobs_of(machine, StatusEquals="Failed")] == ["broken"]
    assert len(jobs_of(machine, SortBy="FinalObjectiveMetricValue")) == 1


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("raise SystemExit(1)", ALL_FAILED),
        ("print('loss is low')", "No objective metrics found after running 3 training jobs."),
    ],
)
def test_a_tuning_job_without_an_objective_fails_with_the_reason(machine: Machine, script: str, reason: str) -> None:
    job = tune(machine, script=script)
    assert job["HyperParameterTuningJobStatus"] == "Failed"
    assert job["FailureReason"].startswith(reason)
    assert "BestTrainingJob" not in job


def test_a_tuning_job_without_objectives_fails_early(machine: Machine) -> None:
    job = tune(machine, script="", jobs=50)
    assert job["HyperParameterTuningJobStatus"] == "Failed"
    assert 5 <= len(jobs_of(machine)) <= 7


def test_a_stopped_tuning_job_stops_its_training_jobs_and_starts_no_more(machine: Machine) -> None:
    slow = "import time; print('loss=1', flush=True); time.sleep(60)"
    machine.service.call("CreateHyperParameterTuningJob", request(machine, script=slow, jobs=9))
    until(lambda: jobs_of(machine) and machine.log(jobs_of(machine)[0]["TrainingJobName"]))
    machine.service.call("StopHyperParameterTuningJob", {"HyperParameterTuningJobName": "tune"})
    assert describe(machine)["HyperParameterTuningJobStatus"] in ("Stopping", "Stopped")
    machine.jobs.wait("hyper-parameter-tuning-job", "tune", TIMEOUT)
    assert describe(machine)["HyperParameterTuningJobStatus"] == "Stopped"
    assert {job["TrainingJobStatus"] for job in jobs_of(machine)} == {"Stopped"}
    assert len(jobs_of(machine)) <= 2


def test_a_training_job_that_is_worse_than_the_median_is_stopped_early(machine: Machine) -> None:
    script = """
import sys, time
x = float(sys.argv[sys.argv.index("-x") + 1])
print(f"loss={x}", flush=True)
if x > 1: time.sleep(60)
"""
    choices = {"CategoricalParameterRanges": [{"Name": "x", "Values": ["1", "5"]}]}
    limits = {"MaxParallelTrainingJobs": 1}
    more = {"Strategy": "Grid", "ResourceLimits": limits, "TrainingJobEarlyStoppingType": "Auto"}
    job = tune(machine, script=script, ranges=choices, **more)
    assert job["HyperParameterTuningJobStatus"] == "Completed"
    assert [record["TrainingJobStatus"] for record in jobs_of(machine)] == ["Completed", "Stopped"]
    assert [value(job) for job in jobs_of(machine)] == [1, 5]


def test_hyperband_stops_training_jobs_that_are_worse_than_others_were(machine: Machine) -> None:
    script = """
import sys, time
x = float(sys.argv[sys.argv.index("-x") + 1])
for report in range(9):
    print(f"loss={x}", flush=True)
    time.sleep(0.05)
"""
    limits = {"MaxNumberOfTrainingJobs": 9, "MaxParallelTrainingJobs": 1}
    job = tune(machine, script=script, **HYPERBAND, ResourceLimits=limits)
    assert job["HyperParameterTuningJobStatus"] == "Completed"
    assert {record["TrainingJobStatus"] for record in jobs_of(machine)} == {"Completed", "Stopped"}
    assert job["BestTrainingJob"]["TrainingJobStatus"] == "Completed"


def test_the_same_seed_gives_the_same_trials_also_in_parallel(machine: Machine) -> None:
    # in every pair of jobs that run at the same time, another one is slow
    script = PARABOLA + "\nimport random, time\ntime.sleep(random.choice([0, 0.2]))"
    limits = {"MaxNumberOfTrainingJobs": 10, "MaxParallelTrainingJobs": 2}
    tried = []
    for name in ("one", "two"):
        tune(machine, name, script=script, Strategy="Bayesian", ResourceLimits=limits)
        tried.append([(job["TunedHyperParameters"], value(job)) for job in jobs_of(machine, name)])
    assert tried[0] == tried[1]


def test_training_jobs_that_run_at_the_same_time_share_the_cpus_and_know_the_objective(machine: Machine) -> None:
    script = "import os, sys; print('loss=1', os.environ['SM_NUM_CPUS'], '_tuning_objective_metric' in sys.argv)"
    limits = {"MaxNumberOfTrainingJobs": 2, "MaxParallelTrainingJobs": 2}
    tune(machine, script=script, ResourceLimits=limits)
    share = max(1, (os.cpu_count() or 1) // min(2, os.cpu_count() or 1))
    for job in jobs_of(machine):
        assert f"loss=1 {share} False" in machine.log(job["TrainingJobName"])
        trained = machine.service.call("DescribeTrainingJob", {"TrainingJobName": job["TrainingJobName"]})
        assert trained["HyperParameters"]["_tuning_objective_metric"] == "loss"


def test_a_warm_start_learns_from_its_parents(machine: Machine) -> None:
    tune(machine, "parent", jobs=6)
    parents = {
        "ParentHyperParameterTuningJobs": [{"HyperParameterTuningJobName": "parent"}],
        "WarmStartType": "IdenticalDataAndAlgorithm",
    }
    child = tune(machine, "child", jobs=2, warm_start=parents, Strategy="Bayesian")
    alone = tune(machine, "alone", jobs=2, Strategy="Bayesian")
    assert child["HyperParameterTuningJobStatus"] == "Completed" and child["WarmStartConfig"] == parents
    tried = [[job["TunedHyperParameters"] for job in jobs_of(machine, name)] for name in ("child", "alone")]
    assert tried[0] != tried[1] and alone["HyperParameterTuningJobStatus"] == "Completed"
    with pytest.raises(ServiceError, match="the parent 'none' is not a tuning job that has ended"):
        none = {**parents, "ParentHyperParameterTuningJobs": [{"HyperParameterTuningJobName": "none"}]}
        tune(machine, "orphan", warm_start=none)


@pytest.mark.parametrize("start", ["IdenticalDataAndAlgorithm", "TransferLearning"])
def test_the_overall_best_job_can_be_a_parents_if_data_and_algorithm_are_identical(
    machine: Machine, start: str
) -> None:
    tune(machine, "parent", jobs=6)
    parents = {
        "ParentHyperParameterTuningJobs": [{"HyperParameterTuningJobName": "parent"}],
        "WarmStartType": start,
    }
    child = tune(machine, "child", jobs=1, warm_start=parents)
    best = min(jobs_of(machine, "parent"), key=value)
    assert value(best) < value(child["BestTrainingJob"])
    if start == "TransferLearning":
        assert "OverallBestTrainingJob" not in child
    else:
        overall = child["OverallBestTrainingJob"]
        assert (overall["TrainingJobName"], overall["TuningJobName"]) == (best["TrainingJobName"], "parent")


def test_deleting_a_tuning_job_keeps_its_training_jobs(machine: Machine) -> None:
    name = {"HyperParameterTuningJobName": "tune"}
    machine.service.call("CreateHyperParameterTuningJob", request(machine, script="import time; time.sleep(60)"))
    with pytest.raises(ServiceError, match="tune is in status InProgress; stop it first"):
        machine.service.call("DeleteHyperParameterTuningJob", name)
    until(lambda: machine.store.all("training-job"))
    machine.service.call("StopHyperParameterTuningJob", name)
    machine.jobs.wait("hyper-parameter-tuning-job", "tune", TIMEOUT)
    machine.service.call("DeleteHyperParameterTuningJob", name)
    assert machine.service.call("ListHyperParameterTuningJobs", {})["HyperParameterTuningJobSummaries"] == []
    assert len(machine.store.all("training-job")) >= 1


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"Strategy": "Hyperband"}, "Strategy Hyperband needs MaxResource in HyperbandStrategyConfig"),
        (
            {**HYPERBAND, "TrainingJobEarlyStoppingType": "Auto"},
            "TrainingJobEarlyStoppingType must be Off with Strategy Hyperband",
        ),
        ({"Strategy": "Grid"}, "Strategy Grid supports CategoricalParameterRanges only; change the ranges of x"),
        ({"ParameterRanges": {}}, "ParameterRanges must contain at least one range"),
        ({"HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "auc"}}, "'auc' is not in Metric"),
        ({"ResourceLimits": {"MaxParallelTrainingJobs": 1}}, "ResourceLimits requires MaxNumberOfTrainingJobs"),
        (
            {"TuningJobCompletionCriteria": {"TargetObjectiveMetricValue": 1.0}},
            "TuningJobCompletionCriteria; remove it",
        ),
    ],
)
def test_an_unsupported_tuning_request_is_rejected(machine: Machine, changes: Record, expected: str) -> None:
    with pytest.raises(ServiceError, match=f"ValidationException: .*{expected}"):
        tune(machine, **changes)
    assert machine.store.all("hyper-parameter-tuning-job") == []


def test_tuning_jobs_that_a_server_left_running_are_failed_by_the_next(machine: Machine, tmp_path: Path) -> None:
    machine.service.call("CreateHyperParameterTuningJob", request(machine, script="import time; time.sleep(60)"))
    until(lambda: jobs_of(machine))
    # as the records are now; the jobs themselves continue
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in tmp_path.glob("state.sqlite*"):
        shutil.copy(file, copy)
    next_server = Machine(copy)
    next_server.executor.recover()
    assert describe(next_server)["HyperParameterTuningJobStatus"] == "Failed"
    assert "the local SageMaker ended" in describe(next_server)["FailureReason"]
    assert {job["TrainingJobStatus"] for job in jobs_of(next_server)} == {"Failed"}


# the Tuning step


def test_later_steps_can_use_the_best_models_of_a_tuning_step(machine: Machine) -> None:
    arguments = request(machine)
    del arguments["HyperParameterTuningJobName"]
    top = ["s3:/", "bucket", "tune", {"Get": "Steps.Tune.TrainingJobSummaries[1].TrainingJobName"}]
    uri = {"Std:Join": {"On": "/", "Values": [*top, "output/model.tar.gz"]}}  # the SDK's get_top_model_s3_uri
    expected = {"Std:Join": {"On": " ", "Values": [{"Get": "Steps.Tune.BestTrainingJob.TrainingJobName"}, uri]}}
    cached = {"CacheConfig": {"Enabled": True, "ExpireAfter": "P1D"}}
    steps = [{"Name": "Tune", "Type": "Tuning", "Arguments": arguments, **cached}, fail("End", expected)]
    _, shown = run(machine, steps)
    (job,) = machine.store.all("hyper-parameter-tuning-job")
    assert shown["Tune"]["Metadata"] == {"TuningJob": {"Arn": job["HyperParameterTuningJobArn"]}}
    best, second, _ = sorted(jobs_of(machine, job["HyperParameterTuningJobName"]), key=value)
    name, uri = shown["End"]["FailureReason"].split()
    assert name == best["TrainingJobName"]
    assert machine.archive(uri) == {"model.txt": second["TunedHyperParameters"]["x"]}
    # not part of the cache key, as the documentation has it
    arguments["TrainingJobDefinition"]["OutputDataConfig"]["S3OutputPath"] = "s3://bucket/elsewhere"
    _, shown = run(machine, steps)
    assert "CacheHitResult" in shown["Tune"]
    assert len(machine.store.all("hyper-parameter-tuning-job")) == 1


@pytest.mark.parametrize("maximize", [False, True])
def test_the_median_rule_compares_with_running_averages_at_the_same_epoch(maximize: bool) -> None:
    sign = -1 if maximize else 1
    rule = MedianRule(maximize)
    assert not any(rule.should_stop("first", sign * value) for value in (9, 3, 1)), "nothing to compare with"
    rule.job_ended("first", completed=True)
    rule.should_stop("broken", sign * -100)
    rule.job_ended("broken", completed=False)
    assert not rule.should_stop("second", sign * 9)  # average 9
    assert not rule.should_stop("second", sign * 6)  # average 6
    assert rule.should_stop("second", sign * 5)  # average 13/3


def test_definitions_with_tuning_steps_are_checked_for_their_image(machine: Machine) -> None:
    arguments = request(machine)
    arguments["TrainingJobDefinition"]["AlgorithmSpecification"]["TrainingImage"] = "me/mine:1"
    definition = json.dumps(
        {"Version": "2020-12-01", "Steps": [{"Name": "Tune", "Type": "Tuning", "Arguments": arguments}]}
    )
    call = {"PipelineName": "p", "PipelineDefinition": definition, "ClientRequestToken": "t" * 32}
    with pytest.raises(ServiceError, match="step 'Tune': image 'me/mine:1' cannot run on this machine"):
        machine.service.call("CreatePipeline", {**call, "RoleArn": "arn:aws:iam::123456789012:role/R"})
