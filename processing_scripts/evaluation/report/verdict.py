"""The first screen: is the model good enough, how good is it, for which data, and what might mislead a reader."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from analyzer.reports.html import counted, escape, headline, metric_number, percent, verdict
from evaluation.decision import gate_sentence
from evaluation.evaluation import Evaluation
from evaluation.outcome import BINARY, MULTICLASS, RANKING, REGRESSION
from evaluation.report.charts import shortened
from evaluation.report.pieces import CONSTANT_SUFFIX, defined, interval, metric_title
from evaluation.summary import decided_fairness

HEADLINES = {
    BINARY: ["auc", "f1", "precision", "recall", "accuracy"],
    MULTICLASS: ["accuracy", "weighted_f1", "weighted_precision", "weighted_recall"],
    REGRESSION: ["rmse", "mae", "r2"],
    RANKING: ["ndcg", "ndcg_at_5", "ndcg_at_10", "map"],
}
MAX_CLASSES = 8


def first_screen(evaluation: Evaluation) -> str:
    parts = [
        f"<p>{escape(subtitle(evaluation))}</p>",
        decision(evaluation.summary),
        headline(headline_card(name, evaluation) for name in HEADLINES[evaluation.outcome.problem_type]),
        remark_card(evaluation.summary.get("remarks", [])),
        fact_card(evaluation),
    ]
    return "\n".join(filter(None, parts))


def subtitle(evaluation: Evaluation) -> str:
    outcome = evaluation.outcome
    problem = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", outcome.problem_type).capitalize()
    columns = counted(len(evaluation.schema["features"]), "feature")
    facts = [f"{problem} on the test split", counted(len(outcome.truth), "row"), columns]
    if outcome.problem_type == BINARY:
        facts.append(f"positive class: {shortened(outcome.classes[-1], 28)}")
    elif outcome.classes:
        facts.append(f"{len(outcome.classes)} classes")
    if evaluation.warnings:
        facts.append(f"{counted(len(evaluation.warnings), 'warning')} about the data")
    return " · ".join(facts)


def decision(summary: Mapping[str, Any]) -> str:
    """Return the verdict and what it rests on: what was missed or, if nothing, all; empty if nothing is required."""
    champion, segment_gate = summary.get("champion"), summary.get("segment_gate")
    decisions = []
    for gate in summary.get("gates", []):
        title = metric_title(gate["metric"])
        sentence = gate_sentence(gate, title)
        decisions.append((gate["passed"], f"{title} misses the threshold", sentence[0].upper() + sentence[1:]))
    if champion:
        decisions.append((bool(champion["passes"]), "not better than the champion", champion["sentence"]))
    if segment_gate:
        decisions.append((bool(segment_gate["passes"]), "a segment misses the threshold", segment_gate["sentence"]))
    if fairness := decided_fairness(summary.get("fairness")):
        decisions.append((bool(fairness["passes"]), "bias beyond its limits", fairness["sentence"]))
    if not decisions:
        return ""
    missed = [reason for passed, reason, _ in decisions if not passed]
    sentences = [sentence.rstrip(".") for passed, _, sentence in decisions if not passed or not missed]
    detail = "".join(f"{sentence}. " for sentence in sentences).strip()
    if missed:
        return verdict("bad", f"Refused: {', '.join(missed)}", detail)
    return verdict("good", "Good enough to register", detail)


def headline_card(name: str, evaluation: Evaluation) -> tuple[str, str, str]:
    measured = evaluation.summary["metrics"]["test"][name]
    notes = [between] if (between := interval(measured)) else []
    if constant := evaluation.metrics.get(name + CONSTANT_SUFFIX):
        notes.append(f"best constant {metric_number(defined(constant['value']))}")
    return metric_title(name), metric_number(measured["value"]), "\n".join(notes)


def remark_card(remarks: Sequence[str]) -> str:
    """Return the remarks on what could mislead a reader; empty without remarks."""
    texts = [re.sub("`([^`]+)`", r"<code>\1</code>", escape(remark)) for remark in remarks]
    items = "".join(f"<li>{text}</li>" for text in texts)
    return f'<div class="card warn remarks"><h3>Read with care</h3><ul>{items}</ul></div>' if items else ""


def fact_card(evaluation: Evaluation) -> str:
    """Return what was evaluated: data, execution, model, rows, balance."""
    facts = dict(evaluation.provenance)
    rows = evaluation.summary["rows"]
    facts["Rows"] = ", ".join(f"{count:,} {name}" for name, count in rows.items())
    if balance := class_balance(evaluation):
        facts["Test labels"] = balance
    facts |= decision_facts(evaluation.summary)
    items = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(text)}</dd></div>" for name, text in facts.items())
    return f'<div class="card facts"><h3>What was evaluated</h3><dl>{items}</dl></div>' if items else ""


def decision_facts(summary: Mapping[str, Any]) -> dict[str, str]:
    facts = {}
    if threshold := summary.get("decision_threshold"):
        rule = threshold.get("rule")
        text = f"{threshold['value']:.4g}"
        facts["Decision threshold"] = (
            text if isinstance(rule, (int, float)) or not rule else f"{text} ({rule_text(rule)})"
        )
    method = (summary.get("calibration") or {}).get("method", "none")
    if method != "none":
        facts["Calibration"] = f"{method}, fitted on the validation split"
    return facts


def rule_text(rule: str | Mapping[str, Any]) -> str:
    if isinstance(rule, str):
        return rule
    return ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in rule.items())


def class_balance(evaluation: Evaluation) -> str:
    """Return the share of each class among the labels, the range of a number."""
    outcome = evaluation.outcome
    if not outcome.classes:
        low, middle, high = np.quantile(outcome.truth, [0.05, 0.5, 0.95]).tolist()
        return f"median {metric_number(middle)}, 90 % of them from {metric_number(low)} to {metric_number(high)}"
    counts = np.bincount(outcome.truth, minlength=len(outcome.classes))
    order = np.argsort(-counts, kind="stable")
    shares = [
        f"{shortened(outcome.classes[index], 24)}: {percent(counts[index] / counts.sum())} ({counts[index]:,})"
        for index in order[:MAX_CLASSES].tolist()
    ]
    if len(order) > MAX_CLASSES:
        shares.append(f"and {len(order) - MAX_CLASSES:,} more")
    return ", ".join(shares)
