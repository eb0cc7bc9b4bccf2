"""Bias in production: a model that was gated for sex and age, a group that changes, an alert, an alarm, retraining."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from project.paths import REPOSITORY
from project.target import local_target
from tests.infrastructure.local_stage import until
from tests.stories.workplace import Ended, Workplace

pytestmark = pytest.mark.slow

NAME = "german-credit"
ENDPOINT = f"{NAME}-staging"
EXAMPLE = REPOSITORY / "examples" / NAME
# sex and age are not features: clients send them besides, for the monitoring of bias
MORE_SETTINGS = """
attribution: {}
quality_checks: processing
monitoring: {analyses: [data-quality, model-quality, bias, attribution], label_delay_minutes: 0}
deployment: {unknown_features: ignore, update: {wait_seconds: 0}}
"""


class Story:
    """A stage whose endpoint serves version 1 of the example."""

    def __init__(self, workplace: Workplace, folder: Path) -> None:
        self.workplace, self.folder = workplace, folder
        self.settings = folder / "settings.yaml"
        example = (EXAMPLE / "settings.yaml").read_text(encoding="utf-8")
        self.settings.write_text(example + MORE_SETTINGS, encoding="utf-8")
        self.data = pd.read_csv(EXAMPLE / "data.csv")
        self.data.to_csv(folder / "data.csv", index=False)
        with workplace.here():
            self.target = local_target()
            # clients that work outside the workplace's environment
            self.sagemaker, self.s3 = self.target.sagemaker, self.target.s3
        self.command(
            workplace.infrastructure, "deploy", "--stage", "staging", "--yes", *self.stacks("deploy-on-approval")
        )
        self.trained = workplace.run(settings=str(self.settings))
        self.command(workplace.pipelines, "approve", "1")
        until(self.is_served)

    def command(self, run: Callable[..., Ended], *arguments: str, code: int = 0) -> str:
        ended = run(*arguments, "--local", "--settings", str(self.settings))
        assert ended.code == code, ended.stderr + ended.stdout
        return ended.stdout

    def infrastructure(self, *arguments: str) -> None:
        self.command(self.workplace.infrastructure, "deploy", "--stage", "staging", "--yes", *arguments)

    def monitoring(self, *arguments: str, code: int = 0) -> str:
        return self.command(self.workplace.monitoring, *arguments, "--endpoint", ENDPOINT, code=code)

    @staticmethod
    def stacks(*names: str) -> list[str]:
        return [part for name in ("storage-and-roles", *names) for part in ("--stack", name)]

    def is_served(self) -> bool:
        found = json.loads(self.command(self.workplace.deployment, "list", "--json"))
        return any(item["name"] == ENDPOINT and item["status"] == "InService" for item in found)

    def send(self, data: pd.DataFrame, name: str) -> Path:
        """Send records; returns the file of their labels."""
        data.to_csv(self.folder / f"{name}.csv", index=False)
        labels = self.folder / f"{name}-labels.csv"
        traffic = ("traffic", "--input", str(self.folder / f"{name}.csv"), "--requests", "600", "--rate", "500")
        self.command(self.workplace.deployment, *traffic, "--labels", str(labels), "--endpoint", ENDPOINT)
        # data is captured shortly after the response
        time.sleep(1)
        return labels

    def check(self, code: int = 0) -> dict[str, Any]:
        self.monitoring("schedule", "create", "--run-now")
        (schedule,) = json.loads(self.monitoring("check", "--json", code=code))
        findings: dict[str, Any] = schedule["executions"][0]["findings"]
        return findings

    def alarms(self) -> dict[str, str]:
        return {
            item["AlarmName"]: item["StateValue"] for item in json.loads(self.monitoring("alarms", "list", "--json"))
        }


def measured(findings: dict[str, Any]) -> set[str]:
    return {metric["name"] for metric in findings["bias"] if metric["value"] is not None}


def test_a_group_that_gets_fewer_loans_raises_an_alarm_and_starts_retraining(
    workplace: Workplace, tmp_path: Path
) -> None:
    story = Story(workplace, tmp_path)
    sentence = story.trained["Verdict"]["sentence"]
    assert "DI and DPPL are within the limits for sex female and age above 25" in sentence
    story.monitoring("schedule", "create", "--schedule", "rate(10 minutes)")
    story.monitoring("alarms", "create", "--periods", "1", "--email", "me@example.com")

    # applicants like those of the training data: without labels, three metrics of bias
    labels = story.send(story.data, "usual")
    early = story.check(code=3)
    assert measured(early) == {"CI", "DI", "DPPL"}
    # the only reason is that labels are missing
    assert early["reasons"] == ["100% of the inferences have no label (at most 90%)"]
    # with their labels, which come late, all others
    story.monitoring("ground-truth", "upload", str(labels))
    usual = story.check()
    assert {"AD", "RD", "DPL", "TE"} <= measured(usual)
    assert (usual["alert"], usual["violations"]) == (False, [])
    assert usual["rankings"][0]["ndcg"] > 0.95
    story.monitoring("health")
    assert story.alarms()[f"{ENDPOINT}-monitoring-bias"] == "OK"

    # women apply for longer loans, from emptier accounts: too few of all applicants for drift of a feature
    story.infrastructure("--parameter", "CoolDownHours=0", *story.stacks("retrain-on-drift"))
    changed = story.data.copy()
    women = changed["sex"] == "female"
    changed.loc[women, "checking_account"] = "below 0 DM"
    changed.loc[women, "duration_months"] += 18
    story.send(changed[women], "changed")
    biased = story.check(code=3)
    assert biased["alert"]
    assert any(reason.startswith("bias for sex = female: ") for reason in biased["reasons"]), biased["reasons"]
    assert {"DI", "DPPL"} <= {metric["name"] for metric in biased["bias"] if metric["violated"]}
    until(lambda: story.alarms()[f"{ENDPOINT}-monitoring-bias"] == "ALARM")

    # the pages show it
    paths = story.monitoring("report", "--output", str(tmp_path / "reports")).split()
    pages = {Path(path).parent.name: Path(path).read_text(encoding="utf-8") for path in paths}
    assert pages.keys() == {"data-quality", "model-quality", "bias", "attribution"}
    assert "Disparate Impact (DI)" in pages["bias"] and "sex = female" in pages["bias"]
    trend = Path(story.monitoring("trend", "--output", str(tmp_path / "reports")).strip()).read_text(encoding="utf-8")
    assert "worse than in the baseline" in trend and "Feature attribution" in trend

    # and retraining starts
    until(lambda: len(executions(story)) == 2)
    assert f"Retraining  started: {executions(story)[0]}" in story.monitoring("check", code=3)


def executions(story: Story) -> list[str]:
    """Return the ARNs of the training pipeline's executions, the newest first."""
    found = story.sagemaker.list_pipeline_executions(PipelineName=NAME, SortBy="CreationTime", SortOrder="Descending")
    return [item["PipelineExecutionArn"] for item in found["PipelineExecutionSummaries"]]
