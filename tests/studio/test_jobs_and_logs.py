"""The pages of jobs and of logs."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch
from urllib.parse import quote

import pytest
from botocore.stub import Stubber

from project.target import Target
from studio.app import create_app
from studio.pages.jobs import curve_plots
from studio.queries import job_metrics, logs
from studio.queries.job_metrics import Point, curves_of, read_curves
from studio.queries.jobs import describe_job
from studio.target import TARGET_KEY
from tests.studio.conftest import Browser

TRAINING_LOGS = quote("/aws/sagemaker/TrainingJobs", safe="")


def training_job(browser: Browser) -> str:
    """Return the address of a training job."""
    found = re.search(r'href="(/jobs/training-job/[^"]+)"', browser.get("/jobs?order=Ascending"))
    assert found
    return found[1]


def stream(browser: Browser) -> str:
    """Return the address of the log of a training job."""
    page = browser.get(f"/logs/streams?group={TRAINING_LOGS}")
    found = re.search(r'href="(/logs/events\?[^"]+)"', page)
    assert found
    return found[1].replace("&amp;", "&")


def test_jobs_are_listed_by_kind_and_filtered_by_name(browser: Browser) -> None:
    page = browser.get("/jobs?kind=processing-job&name=Evaluate")
    names = re.findall(r'href="/jobs/processing-job/([^"]+)"', page)
    assert names
    assert all("-Evaluate-" in name for name in names)


def test_a_list_without_jobs_says_what_creates_some(browser: Browser) -> None:
    page = browser.get("/jobs?kind=hyper-parameter-tuning-job")
    assert "There are no tuning jobs yet." in page
    assert "python -m pipelines run --local" in page


def test_a_tuning_job_with_several_definitions_shows_them_and_its_best_trials_first(target: Target) -> None:
    def definition(name: str) -> dict[str, Any]:
        return {
            "DefinitionName": name,
            "TuningObjective": {"Type": "Maximize", "MetricName": "auc"},
            "AlgorithmSpecification": {"TrainingImage": f"image-of-{name}", "TrainingInputMode": "File"},
            "RoleArn": "arn:aws:iam::111122223333:role/TrainingRole",
            "OutputDataConfig": {"S3OutputPath": "s3://bucket/models"},
            "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        }

    def trial(value: float) -> dict[str, Any]:
        return {
            "TrainingJobDefinitionName": "second",
            "TrainingJobName": f"trial-{value}",
            "TrainingJobArn": "arn:aws:sagemaker:us-east-1:111122223333:training-job/trial",
            "CreationTime": datetime.now(UTC),
            "TrainingJobStatus": "Completed",
            "TunedHyperParameters": {},
            "FinalHyperParameterTuningJobObjectiveMetric": {"MetricName": "auc", "Value": value},
        }

    job = {
        "HyperParameterTuningJobName": "tuning",
        "HyperParameterTuningJobArn": "arn:aws:sagemaker:us-east-1:111122223333:hyper-parameter-tuning-job/tuning",
        "HyperParameterTuningJobConfig": {
            "Strategy": "Bayesian",
            "ResourceLimits": {"MaxNumberOfTrainingJobs": 2, "MaxParallelTrainingJobs": 1},
        },
        "TrainingJobDefinitions": [definition("first"), definition("second")],
        "HyperParameterTuningJobStatus": "Completed",
        "CreationTime": datetime.now(UTC),
        "TrainingJobStatusCounters": {"Completed": 2},
        "ObjectiveStatusCounters": {"Succeeded": 2},
    }
    app = create_app(target)
    with Stubber(app.extensions[TARGET_KEY].sagemaker) as stubber:
        stubber.add_response("describe_hyper_parameter_tuning_job", job)
        page = Browser(app.test_client()).get("/jobs/hyper-parameter-tuning-job/tuning")
        stubber.add_response("describe_hyper_parameter_tuning_job", job)
        trials = {"TrainingJobSummaries": [trial(0.5), trial(0.9)]}
        stubber.add_response("list_training_jobs_for_hyper_parameter_tuning_job", trials)
        table = Browser(app.test_client()).get("/jobs/hyper-parameter-tuning-job/tuning/trials")
    assert "image-of-first, image-of-second" in page and "Maximize auc" in page and "s3://bucket/models" in page
    assert re.findall(r"trial-0\.\d(?=</a>)", table) == ["trial-0.9", "trial-0.5"]


def test_an_unknown_kind_or_job_is_not_found(browser: Browser) -> None:
    assert "the kinds are training-job, processing-job" in browser.get("/jobs?kind=labeling-job", 404)
    browser.get("/jobs/training-job/nothing", 404)
    browser.get("/jobs/transform-job/nothing", 404)


def test_a_job_has_its_phases_hyperparameters_and_outputs(browser: Browser) -> None:
    page = browser.get(training_job(browser))
    assert '<th scope="row">Downloading</th>' in page
    assert '<th scope="row">learning_rate</th>' in page
    assert re.search(r'href="/s3/[^"]+model\.tar\.gz', page)


def test_a_job_leads_to_the_execution_that_has_created_it(browser: Browser) -> None:
    link = browser.get(f"{training_job(browser)}/execution")
    assert re.search(r'href="/executions/breast-cancer/\w{12}"', link)
    assert "Not created by an existing pipeline" in browser.get("/jobs/training-job/by-hand/execution")


def test_the_metrics_of_a_training_job_are_plotted_by_iteration(browser: Browser) -> None:
    plots = browser.get(f"{training_job(browser)}/curves")
    assert "auc by iteration" in plots
    assert '"series": "validation"' in plots


def test_a_stream_is_searched_by_a_filter_pattern(browser: Browser) -> None:
    found = browser.get(f"{stream(browser)}&filter=best_iteration")
    assert len(re.findall(r'<td class="mono message">best_iteration=', found)) == 1
    assert "No events match" in browser.get(f"{stream(browser)}&filter=nothing-like-this")


def test_a_group_is_searched_over_all_streams(browser: Browser) -> None:
    found = browser.get(f"/logs/events?group={TRAINING_LOGS}&filter=best_iteration")
    assert re.search(r'<td><a href="/logs/events[^"]+">pipelines-\w+-Train-', found)


def test_a_followed_log_asks_for_the_events_after_its_last_one(browser: Browser) -> None:
    page = browser.get(f"{stream(browser)}&follow=1")
    more = re.search(r'hx-get="(/logs/more\?[^"]+)" hx-trigger="load delay:2s"', page)
    assert more
    again = browser.get(more[1].replace("&amp;", "&"))
    assert "best_iteration" not in again
    assert more[1] in again


def test_a_group_that_does_not_exist_is_not_found(browser: Browser) -> None:
    browser.get("/logs/streams?group=/aws/sagemaker/Nothing", 404)


def test_curves_have_the_values_of_all_pages_of_a_log_up_to_a_limit(browser: Browser, target: Target) -> None:
    events = [{"timestamp": 1, "ingestionTime": 1, "message": f"auc={number}"} for number in range(4)]
    pages = {None: (events[:2], "f/1"), "f/1": ([], "f/2"), "f/2": (events[2:], "f/3"), "f/3": ([], "f/3")}
    responses = {token: {"events": page, "nextForwardToken": after} for token, (page, after) in pages.items()}
    job = describe_job(target, "training-job", training_job(browser).rpartition("/")[2])
    job = replace(job, metric_regexes={"auc": r"auc=(\d)"})
    with patch.object(target.logs, "get_log_events", lambda nextToken=None, **_: responses[nextToken]):
        whole = read_curves(target, job)
        with patch.object(logs, "MAX_CALLS", 2):
            part = read_curves(target, job)
    assert [point.value for point in whole.points["auc"]] == [0, 1, 2, 3]
    assert not whole.remarks
    assert [point.value for point in part.points["auc"]] == [0, 1]
    assert part.remarks == ["The log is long: only the metrics in its first 2 lines are shown."]


def test_curves_are_read_by_the_metrics_regular_expressions() -> None:
    lines = [
        "iteration=1 of 9 auc=0.5",
        "Epoch 4: auc=0.75",
        "[7] auc=0.875",
        "auc=0.875",
        "nothing to see",
        "auc=none",
        "[8] auc=nan",
    ]
    curves = curves_of(lines, {"a:auc": r"auc=(\S+)", "all": r"0\.\d+", "once": "nothing", "cut": r"(\d)?auc=0\.\d+"})
    points = [Point(1, 0.5), Point(4, 0.75), Point(7, 0.875)]
    assert curves.points == {"a:auc": points, "all": points}
    assert not curves.remarks


@pytest.mark.parametrize("regex", ["(?<n>x", "(?=a)b", r"(a)\1"])
def test_a_regular_expression_that_is_not_supported_is_named(regex: str) -> None:
    curves = curves_of(["loss: 3", "loss: 2"], {"auc": regex, "loss": r"loss: (\d)"})
    assert list(curves.points) == ["loss"]
    assert curves.remarks[0].startswith(f"auc is not shown: its regular expression {regex} is not supported (")


def test_no_regular_expression_takes_long_or_keeps_other_threads_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    start = time.monotonic()
    assert not curves_of(["a" * 28 + "!", "\ud800"], {"loss": "(a+)+$"}).remarks
    monkeypatch.setattr(job_metrics, "SEARCH_SECONDS", 0.2)
    curves = curves_of(["a" * 5000] * 5000, {"slow": "((a?){30}){30}z", "loss": "loss"})
    assert [remark.partition(" ")[0] for remark in curves.remarks] == ["slow", "loss"]
    assert "takes too long" in curves.remarks[0]
    assert time.monotonic() - start < 10


def test_lines_without_an_iteration_are_counted() -> None:
    assert curves_of(["loss: 3", "loss: 2"], {"loss": r"loss: (\d)"}).points == {"loss": [Point(1, 3.0), Point(2, 2.0)]}


def test_a_metric_of_several_data_sets_has_one_plot() -> None:
    points = [Point(1, 0.5), Point(2, 0.75)]
    assert list(curve_plots({"train:auc": points, "validation:auc": points, "loss": points})) == ["auc", "loss"]
