"""From an empty account to a drifted endpoint, in the pages of Studio; only commands that have no page are commands."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from project.paths import REPOSITORY
from tests.browser.conftest import CheckedPage
from tests.stories.workplace import BREAST_CANCER, Workplace

NAME = "breast-cancer"
DATA = str(REPOSITORY / "examples" / NAME / "data.csv")


def test_an_empty_account_says_what_to_do_next(checked: CheckedPage, studio: str) -> None:
    for section, command in {
        "pipelines": "python -m pipelines run --local",
        "models": "python -m pipelines run --local",
        "endpoints": "python -m deployment deploy --local",
        "monitoring": "python -m monitoring schedule create --local",
    }.items():
        checked.open(f"{studio}/{section}")
        assert command in checked.page.inner_text(".empty"), section
    for section in ("jobs", "logs", "s3"):
        checked.open(f"{studio}/{section}")
        assert checked.page.locator("h1").count() == 1


def test_from_the_first_execution_to_drift(
    checked: CheckedPage, studio: str, workplace: Workplace, tmp_path: Path
) -> None:
    page = checked.page

    # the graph of the first execution goes green while the page is open
    with running(workplace, "pipelines", "run", "--local", "--settings", BREAST_CANCER):
        checked.open(f"{studio}/pipelines")
        while page.locator("a", has_text=NAME).count() == 0:
            checked.open(f"{studio}/pipelines")
        page.click(f"th a:text-is('{NAME}')")
        page.click("nav >> text=Executions")
        page.click("tbody th a")
        node(page, "Preprocess").wait_for()
        page.wait_for_selector("[data-node=RegisterModel] .node.good")
        page.wait_for_selector("[data-node=ModelQualityBaseline] .node.good")
        assert "good" not in (node(page, "QualityTooLow").get_attribute("class") or "")
        page.wait_for_selector(".status.good:text('Succeeded')")

    # the metrics and the log of a step
    node(page, "Train").click()
    page.wait_for_selector("text=validation:auc")
    page.wait_for_selector("figure.plot[data-drawn] svg")
    page.wait_for_function("document.querySelector('pre.log')?.textContent.includes('train')")

    # the report of the model, which is approved
    checked.open(f"{studio}/models/{NAME}/1")
    report = page.frame_locator("iframe")
    report.locator("h1").first.wait_for()
    page.click("button:text('Approve…')")
    page.wait_for_selector("dialog[open] >> text=No EventBridge rule")
    page.fill("dialog[open] input[name=comment]", "good on new customers")
    page.click("dialog[open] button:text-is('Approve')")
    page.wait_for_selector(".status.good:text('Approved')")
    assert workplace.models()[0]["approval_status"] == "Approved"

    # the endpoint answers a record of the form
    assert workplace.deployment("deploy", "--local", "--settings", BREAST_CANCER).code == 0
    checked.open(f"{studio}/endpoints")
    page.click(f"th a:text-is('{NAME}')")
    page.wait_for_selector(".status.good:text('InService')")
    checked.open(f"{studio}/endpoints/{NAME}?tab=invoke")
    page.click("button:text-is('Send') >> nth=0")
    page.wait_for_selector("#answer :text('probability')")

    # drifted traffic, and the check that finds it
    traffic = ["traffic", "--local", "--settings", BREAST_CANCER, "--input", DATA, "--requests", "300"]
    labels = str(tmp_path / "labels.csv")
    drifted = [*traffic, "--labels", labels, "--rate", "300", "--drift", "mean_radius=+2sd"]
    assert workplace.deployment(*drifted).code == 0
    monitoring(workplace, "ground-truth", "upload", labels)
    monitoring(workplace, "schedule", "create", "--schedule", "rate(10 minutes)")
    monitoring(workplace, "schedule", "create", "--run-now")
    checked.open(f"{studio}/endpoints/{NAME}?tab=requests")
    page.wait_for_selector("text=mean_radius")
    checked.open(f"{studio}/monitoring")
    page.click(f"tbody th a:has-text('{NAME}')")
    page.wait_for_selector("text=mean_radius")
    page.wait_for_selector("figure.plot[data-drawn] svg")


def test_an_execution_that_fails_says_why_and_can_be_retried(checked: CheckedPage, studio: str) -> None:
    page = checked.page
    start(checked, studio, MetricThreshold="0.9999")
    page.wait_for_selector("[data-node=QualityTooLow] .node.bad")
    page.wait_for_selector(".failure:has-text('must be at least 0.9999')")
    page.click("button:text-is('Retry')")
    page.click("dialog[open] button:text('Retry the execution')")
    page.wait_for_selector(".status.bad:text('Failed')")


def test_an_execution_is_stopped(checked: CheckedPage, studio: str) -> None:
    page = checked.page
    # nothing of it is cached
    start(checked, studio, NumLeaves="17")
    page.wait_for_selector("[data-node=Train] .node.running")
    page.click("button:text-is('Stop')")
    page.click("dialog[open] button:text('Stop the execution')")
    page.wait_for_selector(".status:text('Stopped')")


def test_executions_are_compared(checked: CheckedPage, studio: str) -> None:
    page = checked.page
    checked.open(f"{studio}/pipelines/{NAME}/executions")
    for box in page.locator("tbody input[type=checkbox]").all()[:2]:
        box.check()
    page.click("button:text('Compare')")
    page.wait_for_selector("tr.differs:has-text('NumLeaves')")


def start(checked: CheckedPage, studio: str, **parameters: str) -> None:
    checked.open(f"{studio}/pipelines/{NAME}/start")
    for name, value in parameters.items():
        checked.page.get_by_label(name, exact=True).fill(value)
    checked.page.click("button:text-is('Start')")
    node(checked.page, "Preprocess").wait_for()


def node(page: Any, name: str) -> Any:
    return page.locator(f"[data-node={name}] .node")


def monitoring(workplace: Workplace, *arguments: str) -> None:
    ended = workplace.monitoring(*arguments, "--local", "--settings", BREAST_CANCER)
    assert ended.code == 0, re.sub(r"\s+", " ", ended.stderr + ended.stdout)


@contextmanager
def running(workplace: Workplace, *arguments: str) -> Iterator[None]:
    """Run `python -m ARGUMENTS` meanwhile; it must succeed."""
    with workplace.here():
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
    try:
        yield
        output, _ = process.communicate(timeout=120)
        assert process.returncode == 0, output
    finally:
        process.kill()
