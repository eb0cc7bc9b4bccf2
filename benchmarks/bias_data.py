"""The table of benchmarks/bias.py, with its configurations of Clarify: the same bytes for the same number of rows.

A program of its own, so that its memory is not counted as that of the processes measured.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

ROWS_A_PIECE = 100_000
FEATURES = 12
REGIONS = tuple(f"region {number}" for number in range(1, 9))
HOUSING = ("own", "rent", "free", "other")
FEW, MANY = ["number_00", "number_01", "number_02"], [f"number_{index:02}" for index in range(FEATURES)]

FACETS = [
    {"name_or_index": "sex", "value_or_threshold": ["female"]},
    {"name_or_index": "age", "value_or_threshold": [60]},
    {"name_or_index": "income", "value_or_threshold": [2500.5]},
    {"name_or_index": "region"},
]
PRE_TRAINING = ["CDDL", "CI", "DPL", "JS", "KL", "KS", "LP", "TVD"]
POST_TRAINING = ["AD", "CDDPL", "DAR", "DCA", "DCR", "DI", "DPPL", "DRR", "GE", "RD", "SD", "TE"]


def write(folder: Path, rows: int) -> None:
    """Write table.parquet and table.csv, and flip tables of numbers alone with 3 and with 12 features."""
    table = pa.Table.from_batches(
        [_piece(start, min(ROWS_A_PIECE, rows - start)) for start in range(0, rows, ROWS_A_PIECE)]
    )
    pq.write_table(table, folder / "table.parquet", compression="zstd")
    pacsv.write_csv(table, folder / "table.csv", pacsv.WriteOptions(quoting_style="needed"))
    for name, features in (("few", FEW), ("many", MANY)):
        pq.write_table(table.select([*features, "sex", "label", "predicted"]), folder / f"{name}.parquet")
    methods = {"pre_training_bias": {"methods": PRE_TRAINING}, "post_training_bias": {"methods": POST_TRAINING}}
    configure(folder / "parquet.json", "application/x-parquet", FACETS, methods, group_variable="housing")
    configure(folder / "csv.json", "text/csv", FACETS, methods, group_variable="housing")
    flip_test = {"post_training_bias": {"methods": ["FT"]}}
    configure(folder / "flip.json", "application/x-parquet", FACETS[:1], flip_test)


def configure(path: Path, dataset_type: str, facets: list[Any], methods: dict[str, Any], **more: str) -> None:
    """Write a configuration of Clarify."""
    columns = {"label": "label", "label_values_or_threshold": [1], "predicted_label": "predicted"}
    content = {"dataset_type": dataset_type, "facet": facets, "methods": methods, **columns, **more}
    path.write_text(json.dumps(content), encoding="utf-8")


def _piece(start: int, rows: int) -> pa.RecordBatch:
    generator = np.random.default_rng([7, start])
    female = generator.random(rows) < 0.4
    features = generator.normal(size=(rows, FEATURES))
    score = features[:, 0] + 0.5 * features[:, 1] - 0.4 * female
    label = score + generator.normal(size=rows) > 0
    columns = {name: features[:, index].round(6) for index, name in enumerate(MANY)}
    columns |= {"age": generator.integers(18, 90, rows), "income": generator.lognormal(7.5, 0.6, rows).round(2)}
    texts = {
        "sex": np.where(female, "female", "male"),
        "region": generator.choice(REGIONS, rows),
        "housing": generator.choice(HOUSING, rows, p=[0.5, 0.3, 0.15, 0.05]),
    }
    outcomes = {"label": label.astype(np.int64), "predicted": (score > 0).astype(np.int64)}
    return pa.RecordBatch.from_pydict(
        {**columns, **{name: pa.array(values.tolist()) for name, values in texts.items()}, **outcomes}
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, required=True)
    arguments = parser.parse_args()
    write(arguments.folder, arguments.rows)


if __name__ == "__main__":
    main()
