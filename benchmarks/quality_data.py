"""The data of benchmarks/quality.py: the same bytes for the same arguments, whatever the machine.

It is a program of its own so that its memory is not counted as that of the contenders, which a process that started
them would bequeath to them (Linux counts the memory before exec, too).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

FLOATS = 22
COLUMNS = FLOATS + 4
MISSING_COLUMNS = ("number_00", "number_07", "number_14")
MISSING_SHARE = 0.01
CATEGORIES = ("basic", "bronze", "silver", "gold", "platinum", "family", "student", "business")
# Rows are made and written in pieces; they are part of the seed, so that a piece is the same in a file of any length.
ROWS_A_PIECE = 100_000

Values = npt.NDArray[np.float64]


def write_features(path: Path, rows: int, seed: int, drifted: bool) -> None:
    """Write a file of 26 columns: 22 floats, 2 integers, a string of 8 categories, a label of 0 and 1.

    The suffix of the path, .csv or .parquet, is the format.
    1 % is missing in three of the float columns. A drifted file has every third float column moved by half a standard
    deviation and its categories in other shares.
    """
    _write(path, rows, lambda generator, size: _features(generator, size, drifted), seed)


def write_predictions(path: Path, rows: int, seed: int) -> None:
    """Write a CSV of a binary model's predictions: prediction, probability, label; its AUC is about 0.9."""
    _write(path, rows, _predictions, seed)


def _write(path: Path, rows: int, make: Callable[[np.random.Generator, int], dict[str, pa.Array]], seed: int) -> None:
    writer: pacsv.CSVWriter | pq.ParquetWriter | None = None
    for piece, start in enumerate(range(0, rows, ROWS_A_PIECE)):
        batch = pa.RecordBatch.from_pydict(make(np.random.default_rng([seed, piece]), min(ROWS_A_PIECE, rows - start)))
        writer = writer or _writer(path, batch.schema)
        writer.write_batch(batch)
    if writer is not None:
        writer.close()


def _writer(path: Path, schema: pa.Schema) -> pacsv.CSVWriter | pq.ParquetWriter:
    if path.suffix == ".parquet":
        # as Preprocess writes it
        return pq.ParquetWriter(path, schema, compression="zstd")
    return pacsv.CSVWriter(path, schema, write_options=pacsv.WriteOptions(quoting_style="needed"))


def _features(generator: np.random.Generator, rows: int, drifted: bool) -> dict[str, pa.Array]:
    shapes: tuple[Callable[[], Values], ...] = (
        lambda: generator.normal(50, 10, rows),
        lambda: generator.lognormal(3, 0.8, rows),
        lambda: generator.uniform(-1, 1, rows),
        lambda: generator.exponential(20, rows),
    )
    columns: dict[str, pa.Array] = {}
    for index in range(FLOATS):
        name = f"number_{index:02}"
        values = shapes[index % len(shapes)]()
        if drifted and index % 3 == 0:
            values = values + 0.5 * values.std()
        missing = generator.random(rows) < MISSING_SHARE if name in MISSING_COLUMNS else None
        columns[name] = pa.array(values, mask=missing)
    shares = np.arange(1.0, len(CATEGORIES) + 1)[:: 1 if drifted else -1]
    columns["visits"] = pa.array(generator.poisson(12, rows))
    columns["age"] = pa.array(generator.integers(18, 95, rows))
    codes = generator.choice(len(CATEGORIES), rows, p=shares / shares.sum())
    columns["plan"] = pa.DictionaryArray.from_arrays(codes.astype(np.int8), CATEGORIES).cast(pa.string())
    columns["label"] = pa.array((generator.random(rows) < 0.2).astype(np.int64))
    return columns


def _predictions(generator: np.random.Generator, rows: int) -> dict[str, pa.Array]:
    labels = (generator.random(rows) < 0.2).astype(np.int64)
    probabilities = 1 / (1 + np.exp(-(generator.normal(-1.5, 1.2, rows) + 2.2 * labels)))
    return {
        "prediction": pa.array((probabilities >= 0.5).astype(np.int64)),
        "probability": pa.array(probabilities),
        "label": pa.array(labels),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=("features", "drifted", "predictions"))
    parser.add_argument("path", type=Path)
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    arguments = parser.parse_args()
    if arguments.kind == "predictions":
        write_predictions(arguments.path, arguments.rows, arguments.seed)
    else:
        write_features(arguments.path, arguments.rows, arguments.seed, drifted=arguments.kind == "drifted")


if __name__ == "__main__":
    main()
