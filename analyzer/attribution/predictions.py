"""The predictions of the model that is explained: any function of records."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa

from analyzer import QualityError

# Records to predictions, of shape (records,) or (records, outputs).
Predict = Callable[[pa.Table], np.ndarray]


def predicted(predict: Predict, records: pa.Table) -> np.ndarray:
    """Return the predictions for records, shape (records, outputs).

    Raises:
        QualityError: The model does not return a finite number for each record and output.
    """
    found = np.asarray(predict(records), dtype=np.float64)
    if found.ndim not in (1, 2) or len(found) != len(records):
        raise QualityError(
            f"the model returns predictions of shape {found.shape} for {len(records)} records; it has to return a "
            "number for each record, or one for each record and label"
        )
    if not np.isfinite(found).all():
        raise QualityError("the model predicts values that are not finite; SHAP values need numbers")
    return found if found.ndim == 2 else found[:, None]


def output_names(outputs: Sequence[str] | None, count: int) -> list[str]:
    """Return the names of the model's outputs: those that are given, or AWS's placeholders label0, label1, ...

    Raises:
        QualityError: Their number is not that of the outputs.
    """
    if outputs is None:
        return [f"label{place}" for place in range(count)]
    if len(outputs) != count:
        raise QualityError(
            f"there are {len(outputs)} label_headers ({', '.join(outputs)}), but the model predicts {count} numbers "
            "for each record; set one for each number"
        )
    return list(outputs)
