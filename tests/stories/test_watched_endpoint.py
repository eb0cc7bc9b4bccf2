"""From training to a monitored endpoint and its removal, with the commands of the README on one local server."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from project.paths import REPOSITORY
from project.target import Target, local_target
from tests.stories.workplace import Ended, Workplace

pytestmark = pytest.mark.slow

NAME = "breast-cancer"
DATA = str(REPOSITORY / "examples" / NAME / "data.csv")


def test_an_endpoint_is_monitored_from_training_to_removal(workplace: Workplace, tmp_path: Path) -> None:
    workplace.run()
    workplace.pipelines("approve", "1", "--local")
    deployment(workplace, "deploy")
    assert workplace.models()[0]["endpoints"] == [NAME]
    monitoring(workplace, "schedule", "create", "--schedule", "rate(10 minutes)")
    monitoring(workplace, "alarms", "create", "--periods", "1", "--email", "me@example.com")

    # traffic like the training data, with labels: no violations
    send(workplace, tmp_path / "labels.csv")
    upload = monitoring(workplace, "ground-truth", "upload", str(tmp_path / "labels.csv"), "--json")
    assert json.loads(upload.stdout)["matched"] == 500
    run_now(workplace)
    clean = latest(monitoring(workplace, "check", "--json"))
    assert (clean["records"], clean["labelled"], clean["missing_label_share"]) == (500, 500, 0)
    assert (clean["alert"], clean["violations"]) == (False, [])
    assert {metric["name"]: metric["value"] for metric in clean["metrics"]}["auc"] > 0.95
    monitoring(workplace, "health")
    assert set(alarm_states(workplace).values()) == {"OK"}

    # drifted traffic: the features and their drift distances
    send(workplace, tmp_path / "drifted.csv", "--drift", "mean_radius=+2sd", "--drift", "worst_texture=*1.5")
    run_now(workplace)
    drifted = monitoring(workplace, "check", "--json", code=3)
    moved = {item["feature"]: item["distance"] for item in latest(drifted)["drift"] if item["drifted"]}
    assert moved.keys() == {"mean_radius", "worst_texture"}
    assert all(0.1 < distance < 1 for distance in moved.values())
    printed = monitoring(workplace, "check", code=3).stdout
    assert "drifted (distance at most 0.1)" in printed

    # an alarm is raised, and the reports show the drift
    assert goes_into_alarm(workplace, f"{NAME}-monitoring-drift")
    reports = monitoring(workplace, "report", "--output", str(tmp_path / "reports")).stdout.splitlines()
    assert [Path(path).parent.name for path in reports] == ["data-quality", "model-quality"]
    assert "mean_radius" in Path(reports[0]).read_text(encoding="utf-8")
    page = monitoring(workplace, "trend", "--output", str(tmp_path / "reports")).stdout.strip()
    assert "2 runs" in Path(page).read_text(encoding="utf-8")

    # a threshold is raised by hand: the next check finds fewer violations
    monitoring(workplace, "constraints", "edit", "--feature", "mean_radius", "--threshold", "1")
    run_now(workplace)
    relaxed = latest(monitoring(workplace, "check", "--json", code=3))
    assert [item["feature"] for item in relaxed["drift"] if item["drifted"]] == ["worst_texture"]

    # Model Monitor's own schedules find the same
    monitoring(workplace, "schedule", "create", "--backend", "model-monitor", "--run-now")
    schedules = {item["schedule"]["name"]: item for item in checked(monitoring(workplace, "check", "--json", code=3))}
    native = schedules[f"{NAME}-data-quality"]["executions"][0]["findings"]
    assert [item["subject"] for item in native["violations"]] == ["worst_texture"]
    assert schedules[f"{NAME}-model-quality"]["executions"][0]["findings"]["labelled"] == 500

    # everything is removed
    monitoring(workplace, "cleanup", "--yes", "--reports")
    deployment(workplace, "delete", "--yes")
    with workplace.here():
        remaining = remaining_resources(local_target())
    assert not any(remaining.values()), remaining


def monitoring(workplace: Workplace, *arguments: str, code: int = 0) -> Ended:
    ended = workplace.monitoring(*arguments, "--local")
    assert ended.code == code, ended.stderr + ended.stdout
    return ended


def deployment(workplace: Workplace, *arguments: str) -> None:
    ended = workplace.deployment(*arguments, "--local")
    assert ended.code == 0, ended.stderr + ended.stdout


def send(workplace: Workplace, labels: Path, *drift: str) -> None:
    """Send 500 requests with the features of the example's data."""
    deployment(
        workplace, "traffic", "--input", DATA, "--requests", "500", "--rate", "500", "--labels", str(labels), *drift
    )
    # data is captured shortly after the response
    time.sleep(1)


def run_now(workplace: Workplace) -> None:
    monitoring(workplace, "schedule", "create", "--run-now")


def checked(ended: Ended) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(ended.stdout)
    return found


def latest(ended: Ended) -> dict[str, Any]:
    """Return the findings of the latest execution of the first schedule."""
    findings: dict[str, Any] = checked(ended)[0]["executions"][0]["findings"]
    return findings


def alarm_states(workplace: Workplace) -> dict[str, str]:
    listed = json.loads(monitoring(workplace, "alarms", "list", "--json").stdout)
    return {alarm["AlarmName"]: alarm["StateValue"] for alarm in listed}


def goes_into_alarm(workplace: Workplace, alarm: str) -> bool:
    deadline = time.monotonic() + 20
    while alarm_states(workplace)[alarm] != "ALARM":
        assert time.monotonic() < deadline, alarm_states(workplace)
        time.sleep(0.5)
    return True


def remaining_resources(target: Target) -> dict[str, list[Any]]:
    sagemaker = target.sagemaker
    pipelines = sagemaker.list_pipelines()["PipelineSummaries"]
    objects = target.s3.list_objects_v2(Bucket=target.bucket, Prefix=f"{NAME}/monitoring/")
    return {
        "endpoints": sagemaker.list_endpoints()["Endpoints"],
        "configs": sagemaker.list_endpoint_configs()["EndpointConfigs"],
        "models": sagemaker.list_models()["Models"],
        "schedules": target.scheduler.list_schedules()["Schedules"],
        "monitoring schedules": sagemaker.list_monitoring_schedules()["MonitoringScheduleSummaries"],
        "data-quality definitions": sagemaker.list_data_quality_job_definitions()["JobDefinitionSummaries"],
        "model-quality definitions": sagemaker.list_model_quality_job_definitions()["JobDefinitionSummaries"],
        "pipelines": [item for item in pipelines if item["PipelineName"] != NAME],
        "alarms": target.cloudwatch.describe_alarms()["MetricAlarms"],
        "topics": target.sns.list_topics()["Topics"],
        "scaling": target.autoscaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"],
        "reports": objects.get("Contents", []),
    }
