"""report.html, from top to bottom: the verdict first, then what it rests on, and details last."""

from __future__ import annotations

from collections.abc import Sequence

from analyzer.reports.html import contents, escape, page, section
from evaluation.evaluation import Evaluation
from evaluation.outcome import BINARY, MULTICLASS, RANKING, REGRESSION
from evaluation.report.champion import champion_section
from evaluation.report.charts import charts
from evaluation.report.classification import class_section, classification_cards
from evaluation.report.fairness import fairness_section
from evaluation.report.metric_table import metric_section
from evaluation.report.pieces import table_section
from evaluation.report.ranking import ranking_cards
from evaluation.report.reasons import reasons_section, records_section
from evaluation.report.regression import regression_cards
from evaluation.report.segments import segment_section
from evaluation.report.threshold import threshold_cards
from evaluation.report.training import parameter_section, training_section
from evaluation.report.tuning import tuning_section
from evaluation.report.verdict import HEADLINES, first_screen

__all__ = ["HEADLINES", "report_page"]


def report_page(evaluation: Evaluation) -> str:
    """Write the page. Names come from the data, so that all of them are escaped."""
    training, summary = evaluation.training, evaluation.summary
    sections = [
        champion_section(evaluation),
        quality_section(evaluation),
        metric_section(evaluation),
        class_section(evaluation.metrics["confusion_matrix"]) if evaluation.outcome.problem_type == MULTICLASS else "",
        segment_section(summary.get("segments") or [], summary["metrics"]["test"]),
        fairness_section(summary.get("fairness")),
        reasons_section(evaluation.explanations),
        records_section(evaluation.explanations),
        training_section(training),
        tuning_section(summary.get("tuning")),
        warning_section("Warnings of LightGBM", "", training.get("warnings", [])),
        warning_section("Data warnings", DATA_WARNINGS, evaluation.warnings),
        parameter_section(training),
    ]
    body = "\n".join(filter(None, sections))
    title = f"Evaluation of {evaluation.schema['target']}"
    return page(title, f"<h1>{escape(title)}</h1>\n{first_screen(evaluation)}\n{contents(body)}\n{body}")


def quality_section(evaluation: Evaluation) -> str:
    outcome = evaluation.outcome
    if outcome.problem_type == REGRESSION:
        cards = regression_cards(outcome)
    elif outcome.problem_type == RANKING:
        cards = ranking_cards(outcome)
    else:
        threshold = evaluation.schema.get("decision_threshold", 0.5)
        cards = classification_cards(outcome, evaluation.metrics, threshold)
    if outcome.problem_type == BINARY:
        cards += threshold_cards(outcome, evaluation.summary.get("decision_threshold") or {})
    note = "On the test split, which the training has not seen."
    if outcome.weights is not None:
        note += (
            " The rows count by their weights in Metrics and in the choice of the threshold, alike in the other charts."
        )
    return section("Quality", note, charts(cards))


DATA_WARNINGS = (
    "Preprocess accepted the data with these warnings; validation_report.json has all checks with their numbers."
)


def warning_section(title: str, note: str, warnings: Sequence[str]) -> str:
    rows = [[str(number), escape(warning)] for number, warning in enumerate(warnings, start=1)]
    return table_section(title, note, ["", "Warning"], rows, text_columns=[1]) if rows else ""
