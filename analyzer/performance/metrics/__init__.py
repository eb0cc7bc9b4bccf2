"""Model quality metrics in Model Monitor's names and layout.

This package ships with evaluate.py into a processing container, so it needs NumPy and the standard library alone.

Model Monitor leaves some rules open. These apply here:

- A ratio with a zero denominator (precision without positive predictions, recall without positive labels) is 0.0.
- An undefined metric (AUC with labels of one class, r2 of a single row, a sum too large for a double) is the string
  "NaN": JSON has no such number, and Model Monitor itself writes this string for a missing deviation.
- A best-constant-classifier metric is the best value that any constant prediction reaches *on that metric*: for
  recall, precision and F-scores always predicting the positive class, for accuracy predicting the more frequent class.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from analyzer import QualityError
from analyzer.performance.metrics.binary import binary_classification
from analyzer.performance.metrics.inputs import check_shapes
from analyzer.performance.metrics.multiclass import multiclass_classification
from analyzer.performance.metrics.regression import regression

METRICS_KEY = {
    "BinaryClassification": "binary_classification_metrics",
    "MulticlassClassification": "multiclass_classification_metrics",
    "Regression": "regression_metrics",
}


def model_quality(
    problem_type: str,
    labels: npt.ArrayLike,
    predictions: npt.ArrayLike,
    probabilities: npt.ArrayLike | None = None,
) -> dict[str, Any]:
    """Compute the statistics.json document of a model quality analysis.

    Args:
        problem_type: BinaryClassification, MulticlassClassification or Regression.
        labels: Ground truth, shape (n,). Binary: 0 and 1, where 1 is the positive class. Multiclass: any values; they
            are compared as text, where 1.0 equals "1". Regression: finite numbers.
        predictions: Predicted values, shape (n,), of the same kind as the labels.
        probabilities: Binary only: the scores of class 1, shape (n,), as finite numbers that increase with the
            likelihood. Without them there are no curves, no auc and no au_prc. Ignored for other problem types.

    Returns:
        ``{"version": 0.0, "dataset": {"item_count": n}, "<problem type>_metrics": {name: {"value",
        "standard_deviation"}, ...}}``, valid JSON throughout. The deviation is the population standard deviation over
        five random 80 % samples, reproducible for the same input, and the string "NaN" for fewer than 200 rows.

    Raises:
        QualityError: The problem type is unknown, there are no rows, the arrays differ in length, or a value is
            missing or invalid.
    """
    if problem_type not in METRICS_KEY:
        raise QualityError(f"unknown problem type {problem_type!r}; use one of {', '.join(METRICS_KEY)}")
    columns = {"labels": np.asarray(labels), "predictions": np.asarray(predictions)}
    if probabilities is not None and problem_type == "BinaryClassification":
        columns["probabilities"] = np.asarray(probabilities)
    check_shapes(columns)
    compute = {
        "BinaryClassification": binary_classification,
        "MulticlassClassification": multiclass_classification,
        "Regression": regression,
    }[problem_type]
    return {
        "version": 0.0,
        "dataset": {"item_count": len(columns["labels"])},
        METRICS_KEY[problem_type]: compute(**columns),
    }
