"""report.html, from top to bottom: the verdict first, then what it rests on, and details last."""

from __future__ import annotations

from collections.abc import Sequence

from analyzer.reports.html import escape, page, section
from evaluation.evaluation import Evaluation
from evaluation.outcome import MULTICLASS, REGRESSION
from evaluation.report.charts import charts
from evaluation.report.classification import class_section, classification_cards
from evaluation.report.metric_table import metric_section
from evaluation.report.pieces import table_section
from evaluation.report.reasons import reasons_section
from evaluation.report.regression import regression_cards
from evaluation.report.training import lightgbm_warning_section, parameter_section, training_section
from evaluation.report.verdict import HEADLINES, first_screen

__all__ = ["HEADLINES", "report_page"]


def report_page(evaluation: Evaluation) -> str:
    """Write the page. Names come from the data, so that all of them are escaped."""
    training = evaluation.training
    parts = [
        first_screen(evaluation),
        quality_section(evaluation),
        reasons_section(evaluation.explanations),
        training_section(training),
        class_section(evaluation.metrics["confusion_matrix"]) if evaluation.outcome.problem_type == MULTICLASS else "",
        metric_section(evaluation),
        data_warning_section(evaluation.warnings) if evaluation.warnings else "",
        lightgbm_warning_section(training["warnings"]) if training.get("warnings") else "",
        parameter_section(training),
    ]
    title = f"Evaluation of {evaluation.schema['target']}"
    return page(title, f"<h1>{escape(title)}</h1>\n" + "\n".join(filter(None, parts)))


def quality_section(evaluation: Evaluation) -> str:
    outcome = evaluation.outcome
    if outcome.problem_type == REGRESSION:
        cards = regression_cards(outcome)
    else:
        threshold = evaluation.schema.get("decision_threshold", 0.5)
        cards = classification_cards(outcome, evaluation.metrics, threshold)
    return section("Quality", "On the test split, which the training has not seen.", charts(cards))


def data_warning_section(warnings: Sequence[str]) -> str:
    note = "Preprocess accepted the data with these warnings; validation_report.json has all checks with their numbers."
    rows = [[str(number), escape(warning)] for number, warning in enumerate(warnings, start=1)]
    return table_section("Data warnings", note, ["", "Warning"], rows, text_columns=[1])
