"""SHAP values of any model by Kernel SHAP, which only needs its predictions.

For a model behind an endpoint or in another container; our own archives have exact values (tree_shap.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa

from analyzer.attribution.local_shap import LocalShap

# Records to predictions, of shape (records,) or (records, outputs).
Predict = Callable[[pa.Table], np.ndarray]


def cluster_baseline(data: pa.Table, num_clusters: int | None = None, seed: int | None = None) -> pa.Table:
    """Summarize records as a baseline, as Clarify does where the configuration has none.

    Args:
        data: Features of records; those that are not numbers are categories.
        num_clusters: How many rows to make; None for a suitable number between 1 and 12.
        seed: Makes the result reproducible.

    Returns:
        The center of each cluster: means of numbers (k-means), the most frequent category (k-prototypes).
    """
    raise NotImplementedError


class KernelShap:
    """Explains the predictions of a model.

    Args:
        predict: The model.
        baseline: The rows whose values stand for missing ones: the same features as the records, at least one row.
        outputs: The names of the outputs; None for label0, label1, ...
        num_samples: How many subsets of the features to evaluate for a record; None for 2 * features + 2048. All
            subsets are evaluated where there are not more, and the values are exact.
        use_logit: Whether to explain the log-odds of the predictions.
        seed: Makes the values reproducible.
        features: The features to explain; None for all. The others keep the values of the record.

    Attributes:
        expected: The expected value of each output: that of the baseline.
    """

    expected: np.ndarray

    def __init__(
        self,
        predict: Predict,
        baseline: pa.Table,
        *,
        outputs: Sequence[str] | None = None,
        num_samples: int | None = None,
        use_logit: bool = False,
        seed: int | None = None,
        features: Sequence[str] | None = None,
    ) -> None:
        raise NotImplementedError

    def explain(self, records: pa.Table) -> LocalShap:
        """Explain the predictions for records.

        Args:
            records: Their features, under the names and in the order of the baseline.
        """
        raise NotImplementedError
