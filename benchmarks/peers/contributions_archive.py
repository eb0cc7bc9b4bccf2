"""Ours: the SHAP values of a model archive by its own code, aggregated."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pyarrow.parquet as pq

from analyzer.attribution.global_shap import aggregate
from analyzer.attribution.tree_shap import ModelArchive

folder = Path(sys.argv[1])
with ModelArchive(folder / "model.tar.gz") as archive:
    scored = archive.score(pq.ParquetFile(folder / "records.parquet").iter_batches(), explain=True)
    result = aggregate(batch.shap for batch in scored if batch.shap)
print(json.dumps([*result.labels["label0"].global_shap_values.values()]))
