"""Executions and model versions side by side."""

from __future__ import annotations

from project.target import Target
from studio.queries.comparison import compared
from tests.studio.conftest import Browser


def arns(target: Target) -> tuple[str, str]:
    """Return the ARNs of the project's first execution and first model version."""
    first = {"SortBy": "CreationTime", "SortOrder": "Ascending"}
    executions = target.sagemaker.list_pipeline_executions(PipelineName="breast-cancer", **first)
    packages = target.sagemaker.list_model_packages(ModelPackageGroupName="breast-cancer", **first)
    return (
        executions["PipelineExecutionSummaries"][0]["PipelineExecutionArn"],
        packages["ModelPackageSummaryList"][0]["ModelPackageArn"],
    )


def test_an_execution_and_the_model_it_has_registered_are_one_training(browser: Browser, target: Target) -> None:
    execution, package = arns(target)
    page = browser.get(f"/compare?arn={execution}&arn={package}")
    assert "NumLeaves" in page and "differs" not in page
    assert "Durations by step" in page and "Preprocess" in page


def test_metrics_have_their_intervals(browser: Browser, target: Target) -> None:
    execution, package = arns(target)
    page = browser.get(f"/compare/metrics?title=a&title=b&package={package}&package=&execution=&execution={execution}")
    # an execution without a model package shows what its evaluation has written
    assert page.count("auc") == 1 and page.count(" to ") > 2
    assert "best" not in page


def test_curves_of_training_are_plotted(browser: Browser, target: Target) -> None:
    steps = target.sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arns(target)[0])
    job = next(step for step in steps["PipelineExecutionSteps"] if step["StepName"] == "Train")
    name = job["Metadata"]["TrainingJob"]["Arn"].rpartition("/")[2]
    page = browser.get(f"/compare/training?title=a&title=b&job={name}&job=")
    assert "num_leaves" in page and "validation:auc by iteration" in page


def test_an_execution_that_is_gone_fails_in_its_own_column(browser: Browser, target: Target) -> None:
    execution, _ = arns(target)
    page = browser.get(f"/compare?arn={execution}&arn={execution[:-12]}aaaaaaaaaaaa")
    assert "Not found" in page and "NumLeaves" in page


def test_one_choice_cannot_be_compared(browser: Browser, target: Target) -> None:
    assert "1 is chosen" in browser.get(f"/compare?arn={arns(target)[0]}")
    assert "none are chosen" in browser.get("/compare")


def test_an_address_with_a_column_too_few_is_refused(browser: Browser) -> None:
    assert "title, job" in browser.get("/compare/training?title=a&title=b&job=c", status=400)
    assert "title, package, execution" in browser.get("/compare/metrics?title=a&package=b", status=400)


def test_the_best_value_is_the_lowest_of_errors_and_the_highest_of_others() -> None:
    rows = {row.name: row for row in compared([{"auc": 0.9, "rmse": 2.0}, {"auc": 0.8, "rmse": 1.0}], mark_best=True)}
    assert rows["auc"].best == {0} and rows["rmse"].best == {1}


def test_an_item_of_which_nothing_is_known_differs_from_none() -> None:
    rows = {row.name: row for row in compared([{}, {"seed": 1, "depth": 2}, {"seed": 1, "depth": 3}])}
    assert rows["seed"].values == [None, 1, 1] and not rows["seed"].differs
    assert rows["depth"].differs


def test_of_metrics_that_are_not_known_none_is_best() -> None:
    (row,) = compared([{"profit": 1.0}, {"profit": 2.0}], mark_best=True)
    assert row.differs and not row.best
