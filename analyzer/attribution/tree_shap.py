"""Exact SHAP values (TreeSHAP) of a model archive of this project, by the archive's own code.

The archive's `code/score_file.py` reads and encodes the records as the endpoint does, and LightGBM computes what each
column of the model adds to the raw score: for two classes the log-odds of the positive one. It runs in a process of its
own, so that its modules and ours cannot meet.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from analyzer.attribution.local_shap import LocalShap


@dataclass(frozen=True)
class ScoredBatch:
    """Predictions for a batch of records.

    Attributes:
        predictions: The columns that score_file.py writes: prediction, probability, probability_CLASS.
        shap: The SHAP values; None where they were not asked for.
    """

    predictions: pa.RecordBatch
    shap: LocalShap | None


class ModelArchive:
    """An unpacked model archive; a context manager, which removes the folder.

    Attributes:
        schema: The content of its schema.json.
        features: The features that it reads from records, by name; others are ignored.

    Raises:
        QualityError: The file is not a model archive of this project.
    """

    schema: Mapping[str, Any]
    features: Sequence[str]

    def __init__(self, archive: Path) -> None:
        raise NotImplementedError

    def __enter__(self) -> ModelArchive:
        raise NotImplementedError

    def __exit__(self, *_: object) -> None:
        raise NotImplementedError

    def score(self, batches: Iterable[pa.RecordBatch], explain: bool = False) -> Iterator[ScoredBatch]:
        """Predict records in their order, and explain the predictions.

        Columns of the model that are derived from one feature alone count for that feature. A column of the user's
        features.py counts for itself.

        Args:
            batches: Records with at least one of the features, as original values or texts.
            explain: Whether to compute SHAP values, which takes some hundred times as long.

        Raises:
            QualityError: A value does not match its feature, or the archive cannot explain.
        """
        raise NotImplementedError
