"""Ours: Kernel SHAP of analyzer.attribution."""

import time

STARTED = time.perf_counter()

import sys  # noqa: E402
from pathlib import Path  # noqa: E402

import numpy as np  # noqa: E402
import pyarrow as pa  # noqa: E402
from kernel_cases import measure  # noqa: E402

from analyzer.attribution.kernel_shap import KernelShap  # noqa: E402


def explain(model, baseline, records, samples):
    def table(matrix):
        return pa.table({str(place): column for place, column in enumerate(matrix.T)})

    def predict(rows):
        return model(np.column_stack([column.to_numpy() for column in rows.columns]))

    explainer = KernelShap(predict, table(baseline), num_samples=samples, seed=1)
    return explainer.explain(table(records)).values[:, 0]


measure(explain, Path(sys.argv[1]), STARTED)
