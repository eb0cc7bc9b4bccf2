"""summary.json: what was measured and decided, for the pipeline's conditions, the report and other programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evaluation.decision import Rules, gate_sentence
from evaluation.inputs import DataReport, ModelArchive
from evaluation.intervals import Interval, finite
from evaluation.outcome import BINARY, Outcome

VERSION = 1
# Train prints its losses under LightGBM's names.
NAMES_OF_TRAINING = {"binary_logloss": "log_loss", "multi_logloss": "log_loss"}


def summarize(
    model: ModelArchive,
    outcome: Outcome,
    test_metrics: Mapping[str, Interval],
    report: DataReport,
    rules: Rules,
    champion: Mapping[str, Any] | None,
    segments: Sequence[Mapping[str, Any]],
    segment_gate: Mapping[str, Any] | None,
    fairness: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Return the content of summary.json.

    Args:
        model: The model archive.
        outcome: The predictions for the test split.
        test_metrics: The metrics of the test split.
        report: Preprocess's report.
        rules: What is required of the model.
        champion: The comparison with the champion; None if it is not asked for.
        segments: The metrics by segment.
        segment_gate: What the segments reached; None if nothing is required of them.
        fairness: The metrics of bias; None if they are not asked for.
    """
    gates = [gate.decide(test_metrics[gate.metric]) for gate in rules.gates]
    schema, training = model.schema, model.training
    return {
        "version": VERSION,
        "problem_type": schema["problem_type"],
        "target": schema["target"],
        "rows": {**report.rows, "test": len(outcome.truth)},
        "metrics": {
            "test": {name: interval.to_json() for name, interval in test_metrics.items()},
            **{split: training_metrics(training.get(split, {})) for split in ("train", "validation")},
        },
        "gates": gates,
        "champion": champion,
        "segments": [*segments],
        "segment_gate": segment_gate,
        "fairness": fairness,
        "verdict": verdict(gates, [part for part in (champion, segment_gate, decided_fairness(fairness)) if part]),
        "decision_threshold": decision_threshold(schema, training) if schema["problem_type"] == BINARY else None,
        "calibration": {"method": "none", **training.get("calibration", {})},
        "folds": training.get("folds"),
        "parameters": dict(training.get("parameters", {})),
    }


def verdict(gates: Sequence[Mapping[str, Any]], others: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return whether the model passes, and in a sentence what it missed or, if nothing, what it reached.

    Args:
        gates: The gates.
        others: The champion, the gate of the segments and fairness, each with `passes` and its `sentence`.
    """
    decisions = [(gate["passed"], gate_sentence(gate)) for gate in gates]
    decisions += [(bool(other["passes"]), other["sentence"]) for other in others]
    missed = [sentence for passed, sentence in decisions if not passed]
    return {"passed": not missed, "sentence": "; ".join(missed or [sentence.rstrip(".") for _, sentence in decisions])}


def decided_fairness(fairness: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Return the metrics of bias if some of them have a limit."""
    return fairness if fairness and fairness["limited"] else None


def decision_threshold(schema: Mapping[str, Any], training: Mapping[str, Any]) -> dict[str, Any]:
    """Return the threshold of two classes, with the rule by which Train chose it and what it reached on validation."""
    value = schema.get("decision_threshold", 0.5)
    return {"rule": value, **training.get("decision_threshold", {}), "value": value}


def training_metrics(metrics: Mapping[str, float]) -> dict[str, float | None]:
    """Return the metrics of a split in Train's metrics.json, under the names of those of the test split."""
    names = {name: NAMES_OF_TRAINING.get(name, name).replace("@", "_at_") for name in metrics}
    return {names[name]: finite(value) for name, value in metrics.items()}
