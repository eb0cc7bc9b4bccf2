"""Model quality by Model Monitor's names and layout: how well predictions meet the labels.

This module ships with evaluate.py into a processing container, so it needs numpy and the standard library alone.

Rules that Model Monitor leaves open, and what holds here:

- A ratio with nothing to divide by (precision without a positive prediction, recall without a positive label) is 0.0.
- A metric that cannot be defined (AUC with labels of one class, r2 of a single row, a sum too large for a double) is
  the string "NaN": JSON has no such number, and Model Monitor itself writes this string for a missing deviation.
- A best-constant-classifier twin is the best value that any constant prediction reaches *on that metric*: for recall,
  precision and F that is always predicting the positive class, for accuracy the more frequent class.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from analyzer import QualityError

Array = npt.NDArray[Any]
Metrics = dict[str, float]

METRICS_KEY = {
    "BinaryClassification": "binary_classification_metrics",
    "MulticlassClassification": "multiclass_classification_metrics",
    "Regression": "regression_metrics",
}
NOT_A_NUMBER = "NaN"
CURVE_POINTS = 500
CLASSES_LIMIT = 1_000

# Documented by AWS: the deviation over five random samples of 80 % of the data, given for 200 rows and more.
DEVIATION_ROWS = 200
DEVIATION_SAMPLES = 5
DEVIATION_SHARE = 0.8
DEVIATION_SEED = 20

BETAS = {"f0_5": 0.5, "f1": 1.0, "f2": 2.0}


def model_quality(
    problem_type: str,
    labels: npt.ArrayLike,
    predictions: npt.ArrayLike,
    probabilities: npt.ArrayLike | None = None,
) -> dict[str, Any]:
    """Return the statistics.json of a model-quality analysis.

    Args:
        problem_type: BinaryClassification, MulticlassClassification or Regression.
        labels: the ground truth, shape (n,). Binary: 0 and 1, where 1 is the positive class. Multiclass: any values;
            they are compared by their text, where 1.0 is "1". Regression: finite numbers.
        predictions: what the model said, shape (n,), of the same kind as labels.
        probabilities: binary only, shape (n,): the score of class 1, any finite number that rises with the likelihood.
            Without it there are no curves, no auc and no au_prc. Other problem types need none and ignore it.

    Returns:
        ``{"version": 0.0, "dataset": {"item_count": n}, "<problem type>_metrics": {name: {"value",
        "standard_deviation"}, ...}}``; all of it valid JSON. The deviation is the population standard deviation over
        five random 80 % samples, the same for the same input, and the string "NaN" for fewer than 200 rows.

    Raises:
        QualityError: an unknown problem type, no rows, arrays of unequal length, or a missing or impossible value.
    """
    if problem_type not in METRICS_KEY:
        raise QualityError(f"problem type {problem_type!r} is unknown; use one of {', '.join(METRICS_KEY)}")
    columns = {"labels": np.asarray(labels), "predictions": np.asarray(predictions)}
    if probabilities is not None and problem_type == "BinaryClassification":
        columns["probabilities"] = np.asarray(probabilities)
    _check_shapes(columns)
    analyse = {
        "BinaryClassification": _binary,
        "MulticlassClassification": _multiclass,
        "Regression": _regression,
    }[problem_type]
    return {
        "version": 0.0,
        "dataset": {"item_count": len(columns["labels"])},
        METRICS_KEY[problem_type]: analyse(**columns),
    }


# --- binary ---


def _binary(labels: Array, predictions: Array, probabilities: Array | None = None) -> dict[str, Any]:
    truth = _zero_one("labels", labels)
    predicted = _zero_one("predictions", predictions)
    if probabilities is None:
        scores = None
    else:
        scores = _finite("probabilities", probabilities)
        # Sorted once here, every 80 % sample below is sorted too, which makes its AUC a matter of cumulative sums.
        order = np.argsort(-scores, kind="stable")
        truth, predicted, scores = truth[order], predicted[order], scores[order]

    def metrics(rows: Array | slice) -> Metrics:
        counts = np.bincount(2 * truth[rows] + predicted[rows], minlength=4)
        result = _binary_metrics(*(int(count) for count in counts))
        if scores is not None:
            positives, negatives = _cumulative_counts(truth[rows], scores[rows])
            result["auc"] = _area_under_roc(positives, negatives)
            result["au_prc"] = _average_precision(positives, negatives)
        return result

    report: dict[str, Any] = {"confusion_matrix": _confusion_matrix(truth, predicted, ["0", "1"])}
    report |= _with_deviations(metrics, len(truth))
    if scores is not None:
        report |= _curves(*_cumulative_counts(truth, scores))
    return report


def _binary_metrics(
    true_negatives: int, false_positives: int, false_negatives: int, true_positives: int
) -> dict[str, float]:
    positives = true_positives + false_negatives
    negatives = true_negatives + false_positives
    rows = positives + negatives
    recall = _ratio(true_positives, positives)
    precision = _ratio(true_positives, true_positives + false_positives)
    constant_recall = float(positives > 0)
    share = positives / rows
    result = {
        "recall": recall,
        "precision": precision,
        "accuracy": (true_positives + true_negatives) / rows,
        "recall_best_constant_classifier": constant_recall,
        "precision_best_constant_classifier": share,
        "accuracy_best_constant_classifier": max(share, negatives / rows),
        "true_positive_rate": recall,
        "true_negative_rate": _ratio(true_negatives, negatives),
        "false_positive_rate": _ratio(false_positives, negatives),
        "false_negative_rate": _ratio(false_negatives, positives),
    }
    result |= {name: _f_score(precision, recall, beta) for name, beta in BETAS.items()}
    result |= {
        f"{name}_best_constant_classifier": _f_score(share, constant_recall, beta) for name, beta in BETAS.items()
    }
    return result


def _cumulative_counts(truth: Array, scores: Array) -> tuple[Array, Array]:
    """Positives and negatives at or above each distinct score, falling; both start with 0 (a threshold above all)."""
    last_of_score = np.append(np.flatnonzero(scores[1:] != scores[:-1]), len(scores) - 1)
    positives = np.cumsum(truth, dtype=np.int64)[last_of_score]
    negatives = last_of_score + 1 - positives
    return np.insert(positives, 0, 0), np.insert(negatives, 0, 0)


def _area_under_roc(positives: Array, negatives: Array) -> float:
    if positives[-1] == 0 or negatives[-1] == 0:
        return math.nan
    # Twice the trapezoids' area in whole numbers: exact, where a sum of rates would round at every step.
    doubled = int(np.sum(np.diff(negatives) * (positives[1:] + positives[:-1])))
    return doubled / (2 * int(positives[-1]) * int(negatives[-1]))


def _average_precision(positives: Array, negatives: Array) -> float:
    """Area under the precision-recall curve as the sum of precision times the step in recall (no interpolation)."""
    if positives[-1] == 0 or negatives[-1] == 0:
        return math.nan
    precisions = positives[1:] / (positives[1:] + negatives[1:])
    return float(np.sum(np.diff(positives) * precisions)) / int(positives[-1])


def _curves(positives: Array, negatives: Array) -> dict[str, dict[str, list[float]]]:
    """ROC and precision-recall curves from (0, 0) and recall 0 on; empty where the labels have one class only."""
    if positives[-1] == 0 or negatives[-1] == 0:
        no_points: Array = np.empty(0)
        false_rates = true_rates = recalls = precisions = no_points
    else:
        false_rates, true_rates = _thin(negatives / negatives[-1], positives / positives[-1])
        recalls, precisions = _thin(
            positives / positives[-1],
            np.append(1.0, positives[1:] / (positives[1:] + negatives[1:])),
        )
    return {
        "receiver_operating_characteristic_curve": {
            "false_positive_rates": false_rates.tolist(),
            "true_positive_rates": true_rates.tolist(),
        },
        "precision_recall_curve": {"precisions": precisions.tolist(), "recalls": recalls.tolist()},
    }


def _thin(x: Array, y: Array) -> tuple[Array, Array]:
    """At most CURVE_POINTS of a curve's points, evenly spread over its length |dx| + |dy|, with both ends.

    Even steps in row number would spend the points where many rows share a score and draw steep parts as one line.
    """
    if len(x) <= CURVE_POINTS:
        return x, y
    length = np.append(0.0, np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y))))
    marks = np.linspace(0.0, length[-1], CURVE_POINTS)
    chosen = np.unique(np.minimum(np.searchsorted(length, marks), len(x) - 1))
    chosen[-1] = len(x) - 1
    return x[chosen], y[chosen]


# --- multiclass ---


def _multiclass(labels: Array, predictions: Array) -> dict[str, Any]:
    classes, truth, predicted = _class_codes(labels, predictions)

    def metrics(rows: Array | slice) -> Metrics:
        return _multiclass_metrics(_counts(truth[rows], predicted[rows], len(classes)))

    report: dict[str, Any] = {"confusion_matrix": _confusion_matrix(truth, predicted, classes)}
    return report | _with_deviations(metrics, len(truth))


def _multiclass_metrics(counts: Array) -> Metrics:
    """Metrics from a confusion matrix, rows by label; "weighted" averages over classes by their share of the labels."""
    hits = np.diagonal(counts)
    labelled = counts.sum(axis=1)
    recalls = _ratios(hits, labelled)
    precisions = _ratios(hits, counts.sum(axis=0))
    shares = labelled / labelled.sum()
    accuracy = float(hits.sum() / labelled.sum())
    constant = float(shares.max())
    result = {
        "accuracy": accuracy,
        # The supports cancel out, so this is the accuracy by definition; AWS lists both.
        "weighted_recall": accuracy,
        "weighted_precision": float(shares @ precisions),
    }
    for name, beta in BETAS.items():
        scores = [_f_score(precision, recall, beta) for precision, recall in zip(precisions, recalls, strict=True)]
        result[f"weighted_{name}"] = float(shares @ np.array(scores))
    result |= {
        "accuracy_best_constant_classifier": constant,
        "weighted_recall_best_constant_classifier": constant,
        "weighted_precision_best_constant_classifier": constant * constant,
    }
    for name, beta in BETAS.items():
        result[f"weighted_{name}_best_constant_classifier"] = constant * _f_score(constant, 1.0, beta)
    return result


def _class_codes(labels: Array, predictions: Array) -> tuple[list[str], Array, Array]:
    """The classes' names in order (numbers by size, else by text), and each row's label and prediction as an index."""
    values = {"labels": labels.tolist(), "predictions": predictions.tolist()}
    names: dict[Hashable, str] = {}
    for column, rows in values.items():
        for value in set(rows):
            if value is None or value != value:
                raise QualityError(f"{column} have a missing value in row {_first_missing(rows)}; every row needs one")
            names[value] = _class_name(value)
    classes = sorted(set(names.values()), key=_class_order)
    if len(classes) > CLASSES_LIMIT:
        raise QualityError(
            f"labels and predictions hold {len(classes)} classes, more than {CLASSES_LIMIT}; "
            "is this a Regression, or is the attribute another column?"
        )
    index = {name: code for code, name in enumerate(classes)}
    codes = {value: index[name] for value, name in names.items()}
    truth, predicted = (
        np.fromiter(map(codes.__getitem__, rows), dtype=np.int64, count=len(rows)) for rows in values.values()
    )
    return classes, truth, predicted


def _first_missing(rows: list[Any]) -> int:
    return next(row for row, value in enumerate(rows, start=1) if value is None or value != value)


def _class_name(value: Hashable) -> str:
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _class_order(name: str) -> tuple[float, str]:
    try:
        return float(name), name
    except ValueError:
        return math.inf, name


# --- regression ---


def _regression(labels: Array, predictions: Array) -> dict[str, Any]:
    truth = _finite("labels", labels)
    predicted = _finite("predictions", predictions)

    def metrics(rows: Array | slice) -> Metrics:
        errors = truth[rows] - predicted[rows]
        squares = errors**2
        mse = float(squares.mean())
        return {
            "mae": float(np.abs(errors).mean()),
            "mse": mse,
            "rmse": math.sqrt(mse),
            "r2": _r2(truth[rows], float(squares.sum())),
        }

    # Values near a double's limit overflow to infinity; they are reported as "NaN" instead of warned about.
    with np.errstate(over="ignore", invalid="ignore"):
        return _with_deviations(metrics, len(truth))


def _r2(truth: Array, squared_error: float) -> float:
    """1 - SSE / SST; for constant labels 1.0 when every prediction is right and else 0.0, as scikit-learn has it."""
    if len(truth) < 2:
        return math.nan
    # Asked of the values: the mean of equal numbers need not be that number, and the rounding would pass for variance.
    if truth.min() == truth.max():
        return float(squared_error == 0.0)
    squared_total = float(np.sum((truth - truth.mean()) ** 2))
    return 1.0 - squared_error / squared_total if squared_total else math.nan


# --- shared ---


def _with_deviations(metrics: Callable[[Array | slice], Metrics], rows: int) -> dict[str, dict[str, float | str]]:
    """Each metric over all rows and its deviation over samples; ``metrics`` takes a mask or slice of the rows."""
    whole = metrics(slice(None))
    if rows < DEVIATION_ROWS:
        deviations = dict.fromkeys(whole, math.nan)
    else:
        generator = np.random.default_rng(DEVIATION_SEED)
        chosen = np.arange(rows) < round(DEVIATION_SHARE * rows)
        samples = [metrics(generator.permutation(chosen)) for _ in range(DEVIATION_SAMPLES)]
        deviations = {name: float(np.std([sample[name] for sample in samples])) for name in whole}
    return {
        name: {"value": json_number(value), "standard_deviation": json_number(deviations[name])}
        for name, value in whole.items()
    }


def _confusion_matrix(truth: Array, predicted: Array, classes: list[str]) -> dict[str, dict[str, int]]:
    """Counts by label, then by prediction."""
    counts = _counts(truth, predicted, len(classes)).tolist()
    return {label: dict(zip(classes, row, strict=True)) for label, row in zip(classes, counts, strict=True)}


def _counts(truth: Array, predicted: Array, classes: int) -> Array:
    return np.bincount(truth * classes + predicted, minlength=classes * classes).reshape(classes, classes)


def _f_score(precision: float, recall: float, beta: float) -> float:
    return _ratio((1 + beta**2) * precision * recall, beta**2 * precision + recall)


def _ratio(numerator: float, denominator: float) -> float:
    return float(numerator / denominator) if denominator else 0.0


def _ratios(numerators: Array, denominators: Array) -> Array:
    return np.divide(numerators, denominators, out=np.zeros(len(numerators)), where=denominators != 0)


def json_number(value: float) -> float | str:
    """The value, or "NaN" as a string where JSON has no number for it."""
    return value if math.isfinite(value) else NOT_A_NUMBER


def _check_shapes(columns: Mapping[str, Array]) -> None:
    for name, values in columns.items():
        if values.ndim != 1:
            raise QualityError(f"{name} have shape {values.shape}; one value a row is needed, shape (n,)")
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise QualityError("unequal lengths: " + ", ".join(f"{length} {name}" for name, length in lengths.items()))
    if lengths["labels"] == 0:
        raise QualityError("no rows: model quality needs at least one label with its prediction")


def _finite(column: str, values: Array) -> Array:
    """The values as doubles; raises QualityError with the first value that is none."""
    try:
        numbers = values.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise QualityError(f"{column} must be numbers: {error}") from error
    bad = np.flatnonzero(~np.isfinite(numbers))
    if len(bad):
        raise QualityError(f"{column} must be finite numbers, row {bad[0] + 1} is {values[bad[0]]!s}")
    return numbers


def _zero_one(column: str, values: Array) -> Array:
    numbers = _finite(column, values)
    bad = np.flatnonzero((numbers != 0) & (numbers != 1))
    if len(bad):
        raise QualityError(
            f"{column} of a binary classification must be 0 or 1 (1 is the positive class), "
            f"row {bad[0] + 1} is {values[bad[0]]!s}"
        )
    return numbers.astype(np.int64)
