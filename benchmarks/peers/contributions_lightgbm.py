"""The floor of exact SHAP values: LightGBM's pred_contrib on encoded rows, and the mean of its absolute values."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import lightgbm as lgb
import numpy as np
import pyarrow.parquet as pq

folder = Path(sys.argv[1])
booster = lgb.Booster(model_file=folder / "model" / "model.txt")
total, rows = np.zeros(booster.num_feature()), 0
for batch in pq.ParquetFile(folder / "records.parquet").iter_batches(10_000):
    matrix = np.column_stack([column.to_numpy() for column in batch.columns])
    total += np.abs(booster.predict(matrix, pred_contrib=True)[:, :-1]).sum(axis=0)
    rows += len(batch)
print(json.dumps((total / rows).tolist()))
