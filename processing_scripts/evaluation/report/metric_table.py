"""All metrics in one table: test with its interval, validation, train, and the best constant prediction."""

from __future__ import annotations

from analyzer.reports.html import escape, metric_number
from evaluation.evaluation import Evaluation
from evaluation.report.pieces import CONSTANT_SUFFIX, defined, interval, metric_title, table_section


def metric_section(evaluation: Evaluation) -> str:
    test, validation, train = (evaluation.summary["metrics"][split] for split in ("test", "validation", "train"))
    constants = {name: evaluation.metrics.get(name + CONSTANT_SUFFIX) for name in test}
    has_constants = any(constants.values())
    rows = []
    for name, metric in test.items():
        row = [escape(metric_title(name)), f"<b>{metric_number(metric['value'])}</b>", interval(metric)]
        row += [metric_number(split[name]) if name in split else "" for split in (validation, train)]
        if has_constants:
            constant = constants[name]
            row.append(metric_number(defined(constant["value"])) if constant else "")
        rows.append(row)
    note = (
        "The intervals are those of 95 % of bootstrap samples of the test rows. Early stopping watched the validation "
        "split, so that its metrics are slightly too good."
    )
    if has_constants:
        note += " A best constant classifier always predicts the same class."
    header = ["Metric", "Test", "95 % interval", "Validation", "Train", *["Best constant"] * has_constants]
    return table_section("Metrics", note, header, rows)
