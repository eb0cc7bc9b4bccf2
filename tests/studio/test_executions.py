"""The page of one execution."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import boto3
import pytest
from botocore.exceptions import ClientError

from project.target import Target
from studio.app import create_app
from studio.queries.execution_details import read_definition
from studio.target import TARGET_KEY
from tests.stories.workplace import Workplace
from tests.studio.conftest import Browser, connected
from tests.studio.small_pipelines import ended, started

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def trained(target: Target) -> str:
    """The address of the execution that has trained the model."""
    executions = target.sagemaker.list_pipeline_executions(PipelineName="breast-cancer", SortOrder="Ascending")
    return address(executions["PipelineExecutionSummaries"][0]["PipelineExecutionArn"])


@dataclass(frozen=True)
class Failing:
    """An execution whose only step fails, with markup in all that is free text."""

    arn: str

    @property
    def address(self) -> str:
        return address(self.arn)


@pytest.fixture(scope="module")
def failing(workplace: Workplace) -> Iterator[Failing]:
    with connected(workplace) as target:
        step = {"Name": "Loud", "Type": "Fail", "DisplayName": HOSTILE, "Arguments": {"ErrorMessage": HOSTILE}}
        arn = started(target, "loud", [step], PipelineExecutionDescription=HOSTILE)
        ended(target, arn)
        yield Failing(arn)


def address(arn: str) -> str:
    _, name, _, execution = arn.split("/")
    return f"/executions/{name}/{execution}"


def test_the_graph_and_the_table_have_each_steps_status(browser: Browser, trained: str) -> None:
    page = browser.get(trained)
    assert re.search(r'id="node-Train" class="node good".*?Succeeded · [\d.]+ s', page, re.DOTALL)
    assert re.search(r'id="node-CheckModelIsNew".*?Succeeded · true', page)
    assert re.search(r'<rect class="good" x="[\d.]+" y="1" width="[\d.]+"', page)
    assert f'href="{trained}?step=Evaluate#step"' in page


def test_parameters_that_differ_from_the_defaults_are_marked(browser: Browser, target: Target) -> None:
    parameters = [
        {"Name": "Rate", "Type": "Float", "DefaultValue": 0.1},
        {"Name": "Rows", "Type": "Integer", "DefaultValue": 5},
    ]
    step = {"Name": "End", "Type": "Fail", "Arguments": {"ErrorMessage": "end"}}
    arn = started(target, "two-parameters", [step], parameters, PipelineParameters=[{"Name": "Rate", "Value": "0.2"}])
    page = browser.get(address(arn))
    assert re.search(r'<tr class="differs"><th scope="row">Rate</th><td>0.2</td><td>0.1</td>', page)
    assert re.search(r'<tr><th scope="row">Rows</th><td>5</td>', page)


def test_a_training_step_has_metrics_links_to_its_data_and_its_log(browser: Browser, trained: str) -> None:
    step = browser.get(f"{trained}/steps/Train")
    assert re.search(r'<th scope="row">validation:auc</th><td class="number">0\.\d+</td>', step)
    assert re.search(r'href="/s3/[^"]+preprocess/train[^"]*"', step)
    assert re.search(r'href="/jobs/training-job/pipelines-\w+-train-\w+"', step)
    assert re.search(r'hx-get="/logs/job\?group=[^"]+TrainingJobs', step)


def test_a_condition_has_the_values_that_it_compared(browser: Browser, trained: str) -> None:
    step = browser.get(f"{trained}/steps/CheckQuality")
    assert re.search(r"metrics\.test\.auc\.value of Evaluate\.EvaluationSummary \(0\.\d+\) ≥", step)
    assert "Parameters.MetricThreshold (0.95)" in step


def test_an_evaluation_has_the_numbers_of_its_property_files(browser: Browser, trained: str) -> None:
    step = browser.get(f"{trained}/steps/Evaluate")
    assert re.search(r'<th scope="row">metrics\.test\.auc\.value</th><td class="number">0\.\d+</td>', step)


def test_a_registering_step_leads_to_the_model_package(browser: Browser, trained: str) -> None:
    assert re.search(r'href="/models/breast-cancer/\d+"', browser.get(f"{trained}/steps/RegisterModel"))


def test_the_failed_step_is_chosen_and_all_text_is_escaped(browser: Browser, failing: Failing) -> None:
    page = browser.get(failing.address)
    assert "The execution has failed." in page
    assert f"{failing.address}/steps/Loud" in page
    assert HOSTILE not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    step = browser.get(f"{failing.address}/steps/Loud")
    assert HOSTILE not in step
    assert "The step has failed." in step


def test_a_failed_execution_is_retried(browser: Browser, target: Target, failing: Failing) -> None:
    page = browser.get(failing.address)
    assert 'data-dialog="stop"' not in page
    response = browser.post(f"{failing.address}/retry", page)
    assert (response.status_code, response.location) == (303, failing.address)
    assert ended(target, failing.arn)["PipelineExecutionStatus"] == "Failed"


def test_the_live_page_follows_an_execution_until_it_is_stopped(browser: Browser, target: Target) -> None:
    queue = boto3.client("sqs", region_name=target.region).create_queue(QueueName="answers")["QueueUrl"]
    step = {"Name": "Ask", "Type": "Callback", "SqsQueueUrl": queue, "Arguments": {}, "OutputParameters": []}
    arn = started(target, "asking", [step])
    page = browser.get(address(arn))
    assert f'sse-connect="{address(arn)}/live"' in page
    # no update may replace an open dialog
    assert '<dialog id="stop"' in page
    assert browser.post(f"{address(arn)}/stop", page).status_code == 303
    assert "Stopping" in browser.get(address(arn))
    # SageMaker waits for the answer
    (asked,) = target.sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn)["PipelineExecutionSteps"]
    token = asked["Metadata"]["Callback"]["CallbackToken"]
    target.sagemaker.send_pipeline_execution_step_success(CallbackToken=token)
    ended(target, arn)
    events = browser.get(f"{address(arn)}/live")
    names = re.findall(r"^event: (.*)$", events, re.MULTILINE)
    assert names == ["summary", "actions", "steps", "node-Ask", "step", "end"]
    assert "Stopped" in events and "<dialog" not in events
    # whoever confirms too late sees how it has ended
    assert browser.post(f"{address(arn)}/stop", page).location == address(arn)


def without_permission(target: Target, operation: str) -> Browser:
    """Return the browser of a user who may not call an operation of SageMaker."""
    app = create_app(target)

    def deny(**_: object) -> None:
        message = f"User: me is not authorized to perform: sagemaker:{operation}"
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": message}}, operation)

    app.extensions[TARGET_KEY].sagemaker.meta.events.register(f"before-call.sagemaker.{operation}", deny)
    return Browser(app.test_client())


def test_a_missing_permission_leaves_the_rest_of_the_page(target: Target, trained: str) -> None:
    page = without_permission(target, "ListPipelineParametersForExecution").get(trained)
    assert "Your credentials lack sagemaker:ListPipelineParametersForExecution." in page
    assert 'id="node-Train"' in page


def test_without_the_permission_to_read_the_definition_the_page_is_live_but_for_the_graph(
    target: Target, trained: str
) -> None:
    read_definition.cache_clear()
    browser = without_permission(target, "DescribePipelineDefinitionForExecution")
    page = browser.get(trained)
    assert "Your credentials lack sagemaker:DescribePipelineDefinitionForExecution." in page
    assert "NumLeaves" in page
    events = browser.get(f"{trained}/live")
    assert re.findall(r"^event: (.*)$", events, re.MULTILINE) == ["summary", "actions", "steps", "step", "end"]


def test_an_execution_that_does_not_exist_is_not_found(browser: Browser) -> None:
    browser.get("/executions/breast-cancer/aaaaaaaaaaaa", 404)
    browser.get("/executions/no-such-pipeline/aaaaaaaaaaaa", 404)


def test_a_step_that_does_not_exist_is_not_found(browser: Browser, trained: str) -> None:
    assert "no step &#39;Nothing&#39;" in browser.get(f"{trained}/steps/Nothing", 404)
