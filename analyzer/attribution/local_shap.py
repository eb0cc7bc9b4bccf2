"""SHAP values of records: what each feature adds to the output of a model for each of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class LocalShap:
    """SHAP values of a batch of records.

    For each record and output, the values and the expected value sum to what was explained: the raw score of our models
    (TreeSHAP), or a prediction, with use_logit its log-odds (Kernel SHAP).

    Attributes:
        features: The names of the features.
        outputs: The names of the explained outputs: the labels of more than two classes, otherwise a single one.
        values: Shape (records, outputs, features).
        expected: The expected value of each output, shape (outputs,).
    """

    features: Sequence[str]
    outputs: Sequence[str]
    values: np.ndarray
    expected: np.ndarray
