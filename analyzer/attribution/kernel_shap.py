"""SHAP values of any model by Kernel SHAP, which only needs its predictions.

For a model behind an endpoint or in another container; our own archives have exact values (tree_shap.py). A feature is
missing where it has the values of the baseline. The predictions for a subset of features are averaged over the rows of
the baseline before the logarithm of the odds is taken, if it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache

import numpy as np
import pyarrow as pa

from analyzer import QualityError
from analyzer.attribution.coalitions import Coalitions, coalitions
from analyzer.attribution.local_shap import LocalShap
from analyzer.attribution.predictions import Predict, output_names, predicted

# Records that the model predicts at once: each record, with each subset of its features, for each row of the baseline.
MAX_RECORDS = 100_000
# The logarithm of the odds of 0 and 1 is infinite, so that probabilities are kept so far away from them.
MIN_PROBABILITY = 1e-12


class KernelShap:
    """Explains the predictions of a model.

    Args:
        predict: The model.
        baseline: The rows whose values stand for missing ones: the same features as the records, at least one row.
        outputs: The names of the outputs; None for label0, label1, ...
        num_samples: How many subsets of the features to evaluate for a record; None for 2 * features + 2048. The
            values are exact where there are not more subsets.
        use_logit: Whether to explain the log-odds of the predictions.
        seed: Makes the values reproducible. They depend neither on the other records nor on any order.

    Attributes:
        expected: The expected value of each output: the mean prediction for the baseline.

    Raises:
        QualityError: The baseline is empty, or the model's predictions cannot be explained.
    """

    def __init__(
        self,
        predict: Predict,
        baseline: pa.Table,
        *,
        outputs: Sequence[str] | None = None,
        num_samples: int | None = None,
        use_logit: bool = False,
        seed: int | None = None,
    ) -> None:
        if not len(baseline) or not baseline.num_columns:
            raise QualityError("the SHAP baseline is empty; give at least one row with a value for each feature")
        if num_samples is not None and num_samples < 1:
            raise QualityError(f"num_samples is {num_samples}; set it to 1 or more")
        if seed is not None and seed < 0:
            raise QualityError(f"seed is {seed}; set it to 0 or more")
        self._predict, self._baseline, self._use_logit = predict, baseline, use_logit
        self._samples = num_samples or 2 * baseline.num_columns + 2048
        self.expected = self._linked(predicted(predict, baseline).mean(axis=0))
        self._outputs = output_names(outputs, len(self.expected))
        entropy = np.random.SeedSequence(seed).entropy
        self._coalitions = cache(
            lambda features: coalitions(features, self._samples, np.random.default_rng([entropy, features]))
        )

    def explain(self, records: pa.Table) -> LocalShap:
        """Explain the predictions for records.

        Args:
            records: Their features, under the names of the baseline.

        Raises:
            QualityError: A feature is missing or has other types of values, or the predictions cannot be explained.
        """
        names = self._baseline.column_names
        missing = [name for name in names if name not in records.column_names]
        if missing:
            raise QualityError(f"the records have no column {', '.join(missing)}, but the SHAP baseline has")
        values = np.zeros((len(records), len(self._outputs), len(names)))
        if len(records):
            rows = _stacked(self._baseline, records.select(names))
            totals = self._linked(predicted(self._predict, rows.slice(len(self._baseline)))) - self.expected
            varying = _varying(rows, len(self._baseline))
            counts = varying.sum(axis=1)
            # subsets are drawn by place, so that the order of the columns would matter
            by_name = np.argsort(names)
            # what a feature has in the baseline, too, contributes nothing, and a single other one contributes all
            for record in np.flatnonzero(counts == 1):
                values[record][:, varying[record]] = totals[record][:, None]
            for count in np.unique(counts[counts > 1]):
                group = np.flatnonzero(counts == count)
                subsets = self._coalitions(int(count))
                places = by_name[np.nonzero(varying[group][:, by_name])[1].reshape(len(group), count)]
                for start, gains in self._gains(rows, group, places, subsets):
                    part = group[start : start + len(gains)]
                    of_varying = subsets.shap_values(np.moveaxis(gains, 1, 2), totals[part])
                    for record, features, found in zip(part, places[start:], of_varying, strict=False):
                        values[record][:, features] = found
        return LocalShap(names, self._outputs, values, self.expected)

    def _gains(
        self, rows: pa.Table, group: np.ndarray, places: np.ndarray, subsets: Coalitions
    ) -> Iterator[tuple[int, np.ndarray]]:
        """Predict records with subsets of their features.

        Args:
            rows: The baseline, followed by all records.
            group: The records to predict.
            places: The features of each that the subsets are made of, shape (records, features).
            subsets: The subsets.

        Yields:
            The place of a record in the group, and the predictions for it and those after it, less the expected value,
            shape (records, subsets, outputs).
        """
        width, depth = len(subsets.present), len(self._baseline)
        step = max(1, MAX_RECORDS // (width * depth))
        for start in range(0, len(group), step):
            part = group[start : start + step]
            present = np.zeros((len(part), width, rows.num_columns), bool)
            for record, features in enumerate(places[start : start + step]):
                present[record][:, features] = subsets.present
            yield start, self._mean_predictions(rows, part, present) - self.expected

    def _mean_predictions(self, rows: pa.Table, records: np.ndarray, present: np.ndarray) -> np.ndarray:
        """Predict records with the features that are present, and the others from each row of the baseline.

        Args:
            rows: The baseline, followed by all records.
            records: The places of the records.
            present: Shape (records, subsets, features).

        Returns:
            Means over the rows of the baseline, shape (records, subsets, outputs).
        """
        depth = len(self._baseline)
        own = np.repeat(depth + records, present.shape[1])
        flat = present.reshape(-1, rows.num_columns)
        means = []
        # a single record may have more than are predicted at once
        for start in range(0, len(flat), max(1, MAX_RECORDS // depth)):
            part = slice(start, start + max(1, MAX_RECORDS // depth))
            from_record = np.repeat(flat[part], depth, axis=0)
            of_record = np.repeat(own[part], depth)
            of_baseline = np.tile(np.arange(depth), len(flat[part]))
            columns = [
                column.take(pa.array(np.where(from_record[:, place], of_record, of_baseline)))
                for place, column in enumerate(rows.columns)
            ]
            found = predicted(self._predict, pa.table(columns, rows.column_names))
            means.append(found.reshape(len(flat[part]), depth, -1).mean(axis=1))
        return self._linked(np.concatenate(means)).reshape(*present.shape[:2], -1)

    def _linked(self, predictions: np.ndarray) -> np.ndarray:
        if not self._use_logit:
            return predictions
        if predictions.min() < 0 or predictions.max() > 1:
            raise QualityError(
                f"use_logit needs probabilities, but the model predicts {predictions.min():.6g} to "
                f"{predictions.max():.6g}; set it to false"
            )
        clipped = np.clip(predictions, MIN_PROBABILITY, 1 - MIN_PROBABILITY)
        return np.log(clipped) - np.log1p(-clipped)


def _stacked(baseline: pa.Table, records: pa.Table) -> pa.Table:
    """Return the rows of both, columns of different types as numbers if both are numbers, otherwise as texts."""
    columns = []
    for first, second in zip(baseline.columns, records.columns, strict=True):
        if first.type != second.type:
            try:
                type_ = pa.concat_tables(
                    [pa.table({"": first}).slice(0, 0), pa.table({"": second}).slice(0, 0)],
                    promote_options="permissive",
                ).schema.types[0]
            except pa.ArrowTypeError:
                type_ = pa.string()
            first, second = first.cast(type_), second.cast(type_)
        columns.append(pa.chunked_array([*first.chunks, *second.chunks], first.type).combine_chunks())
    return pa.table(columns, baseline.column_names)


def _varying(rows: pa.Table, baseline: int) -> np.ndarray:
    """Return which features of a record differ from a row of the baseline, bool, shape (records, features)."""
    varying = np.empty((len(rows) - baseline, rows.num_columns), bool)
    for place, column in enumerate(rows.columns):
        encoded = column.combine_chunks().dictionary_encode(null_encoding="encode")
        codes = encoded.indices.to_numpy(zero_copy_only=False)
        varying[:, place] = (codes[baseline:] != codes[0]) | (codes[:baseline] != codes[0]).any()
    return varying
