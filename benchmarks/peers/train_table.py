"""Read a CSV with Arrow, encode its texts and split it at random: what the scripts in this folder train on."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.csv

TARGET, DROPPED = "target", ("customer_id",)


def read_splits(path: str) -> tuple[list[int], dict[str, tuple[np.ndarray, np.ndarray]]]:
    """Return the positions of categorical features, and features and target of train, validation and test."""
    table = pa.csv.read_csv(path).drop_columns(DROPPED)
    target = table[TARGET].to_numpy()
    names = [name for name in table.column_names if name != TARGET]
    categorical = [i for i, name in enumerate(names) if table[name].type == pa.string()]
    features = np.empty((len(table), len(names)), order="F")
    for i, name in enumerate(names):
        column = table[name]
        if i in categorical:
            column = column.combine_chunks().dictionary_encode().indices
        features[:, i] = column.to_numpy()
    where = np.random.default_rng(42).random(len(target))
    masks = {"train": where < 0.7, "validation": (where >= 0.7) & (where < 0.8), "test": where >= 0.8}
    return categorical, {name: (features[rows], target[rows]) for name, rows in masks.items()}
