"""The whole loop: drift, alert, retraining, a new version, its approval, its deployment, and no alert any more."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from project.paths import REPOSITORY
from project.target import Target, local_target
from tests.infrastructure.local_stage import until
from tests.stories.workplace import Ended, Workplace

pytestmark = pytest.mark.slow

NAME = "breast-cancer"
ENDPOINT = f"{NAME}-staging"
EXAMPLE = REPOSITORY / "examples" / NAME
# version 1 takes over without a baking period
UPDATE = "\ndeployment: {update: {wait_seconds: 0}}\n"


class Story:
    """A stage whose endpoint serves version 1 and is monitored."""

    def __init__(self, workplace: Workplace, folder: Path) -> None:
        self.workplace, self.folder = workplace, folder
        self.settings = folder / "settings.yaml"
        self.settings.write_text((EXAMPLE / "settings.yaml").read_text(encoding="utf-8") + UPDATE, encoding="utf-8")
        (folder / "data.csv").write_bytes((EXAMPLE / "data.csv").read_bytes())
        with workplace.here():
            self.target: Target = local_target()
            # clients that work outside the workplace's environment
            self.sagemaker, self.s3 = self.target.sagemaker, self.target.s3
        self.infrastructure("storage-and-roles", "deploy-on-approval")
        workplace.run(settings=str(self.settings))
        self.approve(1)

    def command(self, run: Callable[..., Ended], *arguments: str, code: int = 0) -> str:
        ended = run(*arguments, "--local", "--settings", str(self.settings))
        assert ended.code == code, ended.stderr + ended.stdout
        return ended.stdout

    def infrastructure(self, *stacks: str, parameters: tuple[str, ...] = ()) -> None:
        options = [part for stack in stacks for part in ("--stack", stack)]
        options += [part for parameter in parameters for part in ("--parameter", parameter)]
        self.command(self.workplace.infrastructure, "deploy", "--stage", "staging", "--yes", *options)

    def monitoring(self, *arguments: str, code: int = 0) -> str:
        return self.command(self.workplace.monitoring, *arguments, "--endpoint", ENDPOINT, code=code)

    def approve(self, version: int) -> None:
        """Approve a version, and wait until the stage serves it."""
        self.command(self.workplace.pipelines, "approve", str(version))
        until(lambda: self.served_version() == version, lambda: f"the endpoint serves {self.served_version()}")

    def served_version(self) -> int | None:
        """Return the version that the endpoint in service serves."""
        found = json.loads(self.command(self.workplace.deployment, "list", "--json"))
        for endpoint in found:
            if endpoint["name"] == ENDPOINT and endpoint["status"] == "InService":
                return int(endpoint["variants"][0]["version"])
        return None

    def check(self, data: Path, code: int = 0) -> dict[str, Any]:
        """Send the records of a file and their labels, check them, and return the result."""
        labels = str(self.folder / "labels.csv")
        traffic = ("traffic", "--input", str(data), "--requests", "500", "--rate", "500", "--labels", labels)
        self.command(self.workplace.deployment, *traffic, "--endpoint", ENDPOINT)
        self.monitoring("ground-truth", "upload", labels)
        self.monitoring("schedule", "create", "--run-now")
        (schedule,) = json.loads(self.monitoring("check", "--json", code=code))
        result: dict[str, Any] = schedule["executions"][0]["findings"]
        return result

    def executions(self) -> list[dict[str, Any]]:
        """Return the executions of the training pipeline, the newest first."""
        found = self.sagemaker.list_pipeline_executions(
            PipelineName=NAME, SortBy="CreationTime", SortOrder="Descending"
        )["PipelineExecutionSummaries"]
        return list(found)


@pytest.fixture
def story(workplace: Workplace, tmp_path: Path) -> Story:
    return Story(workplace, tmp_path)


def test_drift_ends_with_a_new_version_that_is_deployed_and_raises_no_alert(story: Story, tmp_path: Path) -> None:
    # ten of thirty features are measured by another scanner, first in new training data
    scanner = pd.read_csv(EXAMPLE / "data.csv")
    scanner[scanner.columns[:10]] *= 2
    scanner.to_csv(tmp_path / "scanner.csv", index=False)
    fresh = f"s3://{story.target.bucket}/{NAME}/fresh"
    story.s3.upload_file(str(tmp_path / "scanner.csv"), story.target.bucket, f"{NAME}/fresh/scanner.csv")
    parameters = ("CoolDownHours=0", f"FreshDataUri={fresh}", f"FreshDataBucketName={story.target.bucket}")
    story.infrastructure("retrain-on-drift", parameters=parameters)

    # drift raises an alert, which starts the training pipeline on the newest data
    drifted = story.check(tmp_path / "scanner.csv", code=3)
    assert drifted["alert"]
    assert {item["feature"] for item in drifted["drift"] if item["drifted"]} == {*scanner.columns[:10]}
    until(lambda: len(story.executions()) == 2)
    retraining = story.executions()[0]["PipelineExecutionArn"]
    parameters_of = story.sagemaker.list_pipeline_parameters_for_execution(PipelineExecutionArn=retraining)
    assert {"Name": "InputDataUri", "Value": f"{fresh}/scanner.csv"} in parameters_of["PipelineParameters"]
    assert f"Retraining  started: {retraining}" in story.monitoring("check", code=3)
    # code 1, as no alarm notifies anybody
    assert f"started: {retraining}" in story.monitoring("health", code=1)

    # it registers a version, whose approval deploys it
    until(lambda: story.executions()[0]["PipelineExecutionStatus"] == "Succeeded")
    latest = story.workplace.models(str(story.settings))[0]
    assert (latest["version"], latest["approval_status"]) == (2, "PendingManualApproval")
    story.approve(2)

    # the same data is no drift from the new version's baselines: no alert, and no further retraining
    quiet = story.check(tmp_path / "scanner.csv")
    assert not quiet["alert"], quiet["reasons"]
    assert not any(item["drifted"] for item in quiet["drift"])
    assert len(story.executions()) == 2
