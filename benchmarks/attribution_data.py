"""The model archive and the records of benchmarks/attribution.py, with reproducible bytes.

A program of its own, so that its memory is not counted as that of the processes measured.
"""

from __future__ import annotations

import shutil
import sys
import tarfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.inference_data import FEATURES
from benchmarks.inference_data import write as write_model
from pipelines.bundles import VALUES

ROOT = Path(__file__).parents[1]


def write(folder: Path, rows: int) -> None:
    """Write model.tar.gz, the same model unpacked in model/, and records.parquet of so many rows."""
    write_model(folder)
    code = folder / "model" / "code"
    shutil.copytree(ROOT / "inference", code, ignore=shutil.ignore_patterns("__pycache__"))
    (code / "analyzer").mkdir()
    for name in VALUES:
        shutil.copy(ROOT / "analyzer" / name, code / "analyzer" / name)
    with tarfile.open(folder / "model.tar.gz", "w:gz") as archive:
        archive.add(folder / "model", ".")
    values = np.random.default_rng(8).normal(size=(FEATURES, rows))
    names = [f"feature_{index:02}" for index in range(FEATURES)]
    pq.write_table(pa.table(dict(zip(names, values, strict=True))), folder / "records.parquet")


if __name__ == "__main__":
    write(Path(sys.argv[1]), int(sys.argv[2]))
