"""The model and the requests of benchmarks/inference.py: the same bytes for the same versions, whatever the machine."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import lightgbm as lgb
import numpy as np

FEATURES, TREES, LEAVES, ROWS = 25, 200, 31, 1000
TRAINING_ROWS = 20_000


def write(folder: Path) -> None:
    """model/model.txt and schema.json; records.jsonl and rows.csv, the same rows; expected.json, LightGBM's answers.

    Values have all their digits, which is the most work for whoever parses them. No two rows are alike, as a processor
    learns the way of a single one down the trees by heart.
    """
    generator = np.random.default_rng(7)
    names = [f"feature_{index:02}" for index in range(FEATURES)]
    training, rows = (generator.normal(size=(size, FEATURES)) for size in (TRAINING_ROWS, ROWS))
    noise = generator.normal(size=TRAINING_ROWS)
    target = training[:, :20].sum(axis=1) + training[:, 0] * training[:, 1] + noise > 0
    parameters = {"objective": "binary", "num_leaves": LEAVES, "verbosity": -1, "deterministic": True, "seed": 7}
    booster = lgb.train(parameters, lgb.Dataset(training, target, feature_name=names), TREES)
    (folder / "model").mkdir()
    booster.save_model(folder / "model" / "model.txt")
    schema = {
        "problem_type": "BinaryClassification",
        "features": [{"name": name, "type": "number"} for name in names],
        "classes": ["no", "yes"],
    }
    (folder / "model" / "schema.json").write_text(json.dumps(schema), encoding="utf-8")
    values = rows.tolist()
    records = [json.dumps(dict(zip(names, row, strict=True))) + "\n" for row in values]
    (folder / "records.jsonl").write_text("".join(records), encoding="utf-8")
    (folder / "rows.csv").write_text("".join(",".join(map(repr, row)) + "\n" for row in values), encoding="utf-8")
    (folder / "expected.json").write_text(json.dumps(booster.predict(rows).tolist()), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
