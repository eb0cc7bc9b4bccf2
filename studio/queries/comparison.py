"""Executions and model packages side by side: parameters, training and metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from pipelines.runner import Step, execution_parameters
from project.settings import LOWER_IS_BETTER, METRICS, OTHER_METRICS
from project.target import Target
from studio.definitions import all_steps
from studio.queries import execution_details, executions, jobs, lineage, models
from studio.queries.job_metrics import Curves, read_curves
from studio.queries.model_metrics import Evaluation, evaluated_metrics, evaluation_of
from studio.queries.property_files import read_property_file
from studio.target import call_each

MAX_ITEMS = 5
# metrics of which it is known whether higher values are better
KNOWN_METRICS = frozenset(name for metrics in (METRICS, OTHER_METRICS) for names in metrics.values() for name in names)


@dataclass(frozen=True)
class Item:
    """An execution or a model package.

    Attributes:
        title: Its title, which differs from those of the other items.
        execution_arn: ARN of the execution, or of the one that registered the model package; empty if unknown.
        package_arn: ARN of the model package, or of the one that the execution registered; empty if there is none.
        job: Name of the training job; empty if there is none.
        error: Why the item itself could not be read.
    """

    arn: str
    title: str
    status: str = ""
    started: datetime | None = None
    execution_arn: str = ""
    package_arn: str = ""
    job: str = ""
    parameters: Mapping[str, str] | None = None
    steps: Sequence[Step] = ()
    error: ClientError | None = None


@dataclass(frozen=True)
class Training:
    """A training job: its hyperparameters and metrics."""

    hyperparameters: Mapping[str, str]
    metrics: Mapping[str, float]
    curves: Curves


@dataclass(frozen=True)
class ComparedRow:
    """A name with the values of all items; None where an item does not have it.

    Attributes:
        differs: Whether not all values are the same.
        best: The places of the best values; empty if it is not known which are, or all are the same.
    """

    name: str
    values: Sequence[Any]
    differs: bool
    best: frozenset[int] = frozenset()


def read_items(target: Target, arns: Sequence[str]) -> list[Item]:
    """Describe executions and model packages, each with the execution, model package and training job it belongs to."""
    items = call_each(lambda arn: _described(target, arn), arns)
    items = call_each(lambda item: _with_execution(target, item), items)
    items = call_each(lambda item: _with_job(target, item), items)
    return _with_unique_titles(items)


def read_evaluation(target: Target, package_arn: str, execution_arn: str) -> Evaluation:
    """Return the metrics of a model: those of its package, else those in property files of its execution."""
    if package_arn:
        return evaluated_metrics(target, models.describe_package(target, package_arn).description)
    if execution_arn:
        definition = execution_details.read_definition(target, execution_arn)
        ran = {step.name: step.job for step in execution_details.read_steps(target, execution_arn)}
        for step in all_steps(definition.get("Steps", ())):
            if step.get("PropertyFiles") and ":processing-job/" in ran.get(step["Name"], ""):
                job = jobs.describe_job(target, "processing-job", _name(ran[step["Name"]]))
                evaluation = _best_documented(target, step, job)
                if evaluation.metrics:
                    return evaluation
    return Evaluation(())


def read_training(target: Target, job_name: str) -> Training:
    if not job_name:
        return Training({}, {}, Curves({}))
    job = jobs.describe_job(target, "training-job", job_name)
    return Training(job.own_hyperparameters, job.metrics, read_curves(target, job))


def compared(columns: Sequence[Mapping[str, Any]], *, mark_best: bool = False) -> list[ComparedRow]:
    """Return a row for each name of any column.

    Args:
        columns: Values by name of each item; an item of which nothing is known, such as the training of an execution
            that has failed before, differs from none.
        mark_best: Whether the names are those of metrics.
    """
    names = dict.fromkeys(name for column in columns for name in column)
    rows = []
    for name in names:
        values = [column.get(name) for column in columns]
        known = [column.get(name) for column in columns if column]
        differs = any(value != known[0] for value in known)
        best = _best(name, values) if mark_best and differs else frozenset()
        rows.append(ComparedRow(name, values, differs, best))
    return rows


def _best(name: str, values: Sequence[Any]) -> frozenset[int]:
    numbers = [value for value in values if value is not None]
    # names of files with several sections have that of the section before them
    metric = name.rpartition(": ")[2]
    # the best of one is not worth a mark
    if metric not in KNOWN_METRICS or len(numbers) < 2:
        return frozenset()
    best = min(numbers) if metric in LOWER_IS_BETTER else max(numbers)
    return frozenset(place for place, value in enumerate(values) if value == best)


def _described(target: Target, arn: str) -> Item:
    try:
        if ":pipeline/" in arn:
            execution = executions.describe_execution(target, arn)
            return Item(arn, execution.title, execution.status, execution.started, execution_arn=arn)
        package = models.describe_package(target, arn)
        return Item(
            arn,
            package.title,
            package.description.get("ModelApprovalStatus", ""),
            package.description.get("CreationTime"),
            execution_arn=package.execution_arn,
            package_arn=package.arn,
        )
    except ClientError as error:
        return Item(arn, arn.rpartition(":")[2], error=error)


def _with_execution(target: Target, item: Item) -> Item:
    """Add parameters and steps; the execution of a model package may have been deleted with its pipeline."""
    if item.error or not item.execution_arn:
        return item
    try:
        steps = execution_details.read_steps(target, item.execution_arn)
        parameters = execution_parameters(target, item.execution_arn)
    except ClientError as error:
        return replace(item, execution_arn="") if item.package_arn else replace(item, error=error)
    registered = ((step.metadata or {}).get("RegisterModel", {}).get("Arn", "") for step in steps)
    return replace(
        item, steps=steps, parameters=parameters, package_arn=item.package_arn or next(filter(None, registered), "")
    )


def _with_job(target: Target, item: Item) -> Item:
    """Add the training job: a step's, the best one of a tuning job, or that of the model artifacts."""
    found = {step.job.split(":")[-1].partition("/")[0]: _name(step.job) for step in reversed(item.steps) if step.job}
    if "training-job" in found:
        return replace(item, job=found["training-job"])
    try:
        if "hyper-parameter-tuning-job" in found:
            tuning = jobs.describe_job(target, "hyper-parameter-tuning-job", found["hyper-parameter-tuning-job"])
            return replace(item, job=tuning.response.get("BestTrainingJob", {}).get("TrainingJobName", ""))
        if item.package_arn and not item.error:
            job = lineage.training_job(target, models.describe_package(target, item.package_arn))
            return replace(item, job=job.name if job else "")
    except ClientError:
        # the training is shown where it is known
        return item
    return item


def _with_unique_titles(items: Sequence[Item]) -> list[Item]:
    """Add the ID to titles that several items have: plots tell items by their titles."""
    titles = [item.title for item in items]
    return [
        replace(item, title=f"{item.title} {_name(item.arn)}") if titles.count(item.title) > 1 else item
        for item in items
    ]


def _best_documented(target: Target, step: Mapping[str, Any], job: jobs.Job) -> Evaluation:
    """Return the metrics of a step's property file that has most of them."""
    found = [Evaluation(())]
    for file in step["PropertyFiles"]:
        try:
            document = read_property_file(target, step, job, file["PropertyFileName"])
        except ClientError:
            # the step has not written it
            continue
        if document and isinstance(document.content, dict):
            found.append(evaluation_of(document.content, document.uri))
    # the first of equal ones has been defined first
    return max(found, key=lambda evaluation: (bool(evaluation.rows), len(evaluation.metrics)))


def _name(arn: str) -> str:
    return arn.rpartition("/")[2]
