"""The table of benchmarks/training.py: the same bytes for the same number of rows, whatever the machine.

A program of its own, so that its memory is not counted as that of the processes measured.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

ROWS_A_PIECE = 100_000
NUMBERS, COUNTS, TEXTS = 14, (5, 50, 500, 10_000, 100_000), (2, 5, 12, 40, 200)
MISSING_SHARE = 0.02


def write(path: Path, rows: int) -> None:
    """Write a CSV of 26 columns: an ID, 14 decimals, 5 counts, 5 texts of 2 to 200 categories, a target of 0 and 1.

    The target depends on all features, on some only a little; an AUC of 0.75 can be reached.
    """
    writer: pacsv.CSVWriter | None = None
    for start in range(0, rows, ROWS_A_PIECE):
        batch = _piece(start, min(ROWS_A_PIECE, rows - start))
        writer = writer or pacsv.CSVWriter(path, batch.schema, write_options=pacsv.WriteOptions(quoting_style="needed"))
        writer.write_batch(batch)
    if writer is not None:
        writer.close()


def _piece(start: int, rows: int) -> pa.RecordBatch:
    generator = np.random.default_rng([1, start])
    columns: dict[str, pa.Array] = {"customer_id": pa.array(np.arange(start, start + rows))}
    score = np.full(rows, -0.5)
    for index in range(NUMBERS):
        values = generator.normal(size=rows)
        score += (0.3 if index < 5 else 0.02) * values
        missing = generator.random(rows) < MISSING_SHARE if index == 3 else None
        columns[f"number_{index:02}"] = pa.array((50 * index + (1 + index) * values).round(3), mask=missing)
    for index, largest in enumerate(COUNTS):
        values = generator.integers(0, largest, rows)
        score += 0.4 * (values % 3 == 0)
        columns[f"count_{index}"] = pa.array(values)
    for index, size in enumerate(TEXTS):
        codes = generator.integers(0, size, rows)
        score += 0.5 * np.sin(1.7 * codes + index)
        categories = [f"text_{index}_{code}" for code in range(size)]
        columns[f"text_{index}"] = pa.DictionaryArray.from_arrays(codes, categories).cast(pa.string())
    columns["target"] = pa.array((generator.random(rows) < 1 / (1 + np.exp(-score))).astype(np.int64))
    return pa.RecordBatch.from_pydict(columns)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path)
    parser.add_argument("--rows", type=int, required=True)
    arguments = parser.parse_args()
    write(arguments.path, arguments.rows)


if __name__ == "__main__":
    main()
