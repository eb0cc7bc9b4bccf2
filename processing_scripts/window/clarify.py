"""Bias and feature attribution of a window, by the analyzer's Clarify jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analyzer import NoRecords, QualityError
from analyzer.bias.intervals import LEAST_RECORDS
from analyzer.clarify.analysis import NAME, STAGES, VIOLATIONS, bias_values, global_shap_values, read
from analyzer.clarify.attributes import Attributes
from analyzer.clarify.drift import find_violations, group_start, ranking_scores, to_json, violation_groups
from analyzer.clarify.job import ClarifyJob, ClarifyResult, run
from analyzer.clarify.metrics import MetricSettings, emit
from analyzer.clarify.report import REPORT, write_report
from analyzer.datasets.malformed_records import MalformedRecords
from analyzer.files import json_files
from analyzer.violations import ViolationGroup
from analyzer.window import Window
from window.inputs import REQUESTS, WindowInputs

# Features and predictions of requests, without and with their labels.
PREDICTIONS = {"sagemakerCaptureJson": {"captureIndexNames": ["endpointInput", "endpointOutput"]}}
LABELLED_PREDICTIONS = {"sagemakerMergeJson": {"captureIndexNames": ["endpointInput", "endpointOutput"]}}

Document = Mapping[str, Any]


@dataclass(frozen=True)
class BiasDrift:
    """The bias of a window.

    Attributes:
        records: Number of predictions, which some of the metrics are those of.
        labelled: Number of predictions with a label, which the others are those of.
        measured: Number of metrics that have a value.
        groups: The violations, those of one group of people together.
    """

    records: int
    labelled: int
    measured: int
    groups: tuple[ViolationGroup, ...]

    @property
    def violations(self) -> int:
        return sum(len(group.subjects) for group in self.groups)


@dataclass(frozen=True)
class AttributionDrift:
    """The global SHAP values of a window.

    Attributes:
        records: Number of requests.
        ndcg: By label, how alike the ranking of the features is to that of the baseline, from 0 to 1; empty for fewer
            than LEAST_RECORDS.
        groups: The violations.
    """

    records: int
    ndcg: Mapping[str, float]
    groups: tuple[ViolationGroup, ...]


def bias(inputs: WindowInputs) -> BiasDrift | None:
    """Measure the bias of the predictions, and with their labels that of the labelled ones; None without any.

    What can be measured without labels is that of all predictions of the window, and does not wait for labels. The rest
    is that of the earlier window whose labels are due. Both are one analysis.json.
    """
    unlabelled = inputs.captures and _bias(inputs, inputs.captures, PREDICTIONS, inputs.window)
    folder, counts = inputs.merged or (None, None)
    labelled = (
        _bias(inputs, folder, LABELLED_PREDICTIONS, inputs.labelled) if folder and counts and counts.merged else None
    )
    if unlabelled is None and labelled is None:
        return None
    analysis = joined(unlabelled.analysis if unlabelled else {}, labelled.analysis if labelled else {})
    baseline = read(inputs.required_file("bias-constraints"))
    violations = find_violations(analysis, baseline, inputs.options.metric_tolerance)
    records = unlabelled.records if unlabelled else 0
    output = inputs.options.output_dir / "bias"
    json_files.write(output, {NAME: analysis, VIOLATIONS: to_json(violations)})
    title = f"Bias of the predictions of {inputs.options.endpoint}"
    write_report(output / REPORT, title, analysis, None, violations, baseline, MalformedRecords(0), records)
    emit(analysis, _metrics(inputs))
    return BiasDrift(
        records=records,
        labelled=labelled.records if labelled else 0,
        measured=sum(value.value is not None for value in bias_values(analysis)),
        groups=violation_groups(violations, analysis, baseline),
    )


def attribution(inputs: WindowInputs) -> AttributionDrift | None:
    """Compute the SHAP values of the requests by the endpoint's own model; None without requests.

    Raises:
        QualityError: The baseline is that of other labels.
    """
    if inputs.captures is None:
        return None
    baseline = inputs.required_file("attribution-constraints")
    job = ClarifyJob(
        config=inputs.required_file("attribution-config"),
        dataset=inputs.captures,
        output=inputs.options.output_dir / "attribution",
        model=inputs.model,
        baseline=baseline,
        dataset_format=REQUESTS,
        window=inputs.window,
        metrics=_metrics(inputs),
        least_records=LEAST_RECORDS,
    )
    try:
        result = run(job)
    except NoRecords as error:
        print(error)
        return None
    if result.records < LEAST_RECORDS:
        return AttributionDrift(result.records, {}, ())
    former = read(baseline)
    scores = ranking_scores(result.analysis, former)
    if not scores:
        known, found = (", ".join(global_shap_values(document)) for document in (former, result.analysis))
        raise QualityError(
            f"the attribution baseline has the labels {known}, but the model has {found}; "
            "create the monitoring schedule again, with the baseline of this model"
        )
    return AttributionDrift(
        records=result.records,
        ndcg=scores,
        groups=violation_groups(result.violations, result.analysis, former),
    )


def joined(unlabelled: Document, labelled: Document) -> dict[str, Any]:
    """Join two analyses of bias: metrics with a value in the first are from there, all others from the second."""
    if not labelled or not unlabelled:
        return {**(labelled or unlabelled)}
    return {**labelled, **{stage: _joined_stage(unlabelled[stage], labelled[stage]) for stage in STAGES}}


def _joined_stage(unlabelled: Document, labelled: Document) -> dict[str, Any]:
    facets = {
        name: _joined_groups(unlabelled["facets"].get(name, []), labelled["facets"].get(name, []))
        for name in dict.fromkeys([*labelled["facets"], *unlabelled["facets"]])
    }
    return {**labelled, "facets": facets}


def _joined_groups(unlabelled: Sequence[Document], labelled: Sequence[Document]) -> list[Document]:
    """Join the groups of a facet; a group with a threshold has the range of the first analysis."""
    groups = []
    others = {group_start(str(group["value_or_threshold"])): group["metrics"] for group in labelled}
    for group in unlabelled:
        more = {metric["name"]: metric for metric in others.pop(group_start(str(group["value_or_threshold"])), [])}
        metrics = [
            metric if metric.get("value") is not None else more.get(metric["name"], metric)
            for metric in group["metrics"]
        ]
        groups.append({**group, "metrics": metrics})
    return [*groups, *(group for group in labelled if group_start(str(group["value_or_threshold"])) in others)]


def _bias(inputs: WindowInputs, dataset: Path, dataset_format: Document, window: Window) -> ClarifyResult | None:
    regression = inputs.options.problem_type == "Regression"
    job = ClarifyJob(
        config=inputs.required_file("bias-config"),
        dataset=dataset,
        output=inputs.options.input_dir / f"bias-{'labelled' if dataset_format is LABELLED_PREDICTIONS else 'all'}",
        model=inputs.model,
        dataset_format=dataset_format,
        attributes=Attributes(inference="predictions[0].prediction" if regression else "predictions[0].label"),
        window=window,
    )
    try:
        return run(job)
    except NoRecords as error:
        print(error)
        return None


def _metrics(inputs: WindowInputs) -> MetricSettings:
    options = inputs.options
    return MetricSettings(inputs.metric_time, options.endpoint, options.schedule, publish=True)
