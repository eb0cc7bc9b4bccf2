"""SHAP baselines in the layouts of all datasets, and the samples of explanations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from analyzer import QualityError
from analyzer.clarify.config import AnalysisConfig
from analyzer.clarify.explanations import read_baseline
from analyzer.clarify.tables import concatenate, sample

LINES, JSON = "application/jsonlines", "application/json"
NAMES = ["age", "home"]


# The baselines of AWS's examples.
@pytest.mark.parametrize(
    ("dataset_type", "features", "baseline"),
    [
        ("text/csv", None, [[39, "own"]]),
        (LINES, "features", [{"features": [39, "own"]}]),
        (LINES, None, [{"age": 39, "home": "own"}]),
        (JSON, "instances[*].features", {"instances": [{"features": [39, "own"]}]}),
        (JSON, '[*].["age", "home"]', [{"home": "own", "age": 39}]),
        (JSON, "instances[*].features", [[39, "own"]]),
    ],
)
def test_a_baseline_has_the_layout_of_the_dataset(dataset_type: str, features: str | None, baseline: Any) -> None:
    config = AnalysisConfig(dataset_type=dataset_type, features=features)
    assert read_baseline(baseline, config, NAMES).to_pylist() == [{"age": 39, "home": "own"}]


def test_a_baseline_may_be_a_file(write: Callable[..., Path]) -> None:
    csv = AnalysisConfig(dataset_type="text/csv", headers=("age", "home", "paid"), label="paid")
    assert read_baseline(write("rows.csv", "39,own\n"), csv, NAMES).to_pylist() == [{"age": 39, "home": "own"}]
    lines = AnalysisConfig(dataset_type=LINES, features="x", headers=("age", "home", "paid"), label="y")
    assert read_baseline(write("rows.jsonl", '{"x": [39, "own"]}\n'), lines, NAMES).to_pylist() == [
        {"age": 39, "home": "own"}
    ]


@pytest.mark.parametrize(
    ("baseline", "message"),
    [
        ([[1]], r"has a row of 1 values for the 2 features \(age, home\)"),
        ({"features": 3}, "baseline is not a list of rows"),
        ([{"x": [1, 2]}], "has nothing at features 'features'; give it the layout of the dataset"),
    ],
)
def test_a_baseline_in_another_layout_is_refused(baseline: Any, message: str) -> None:
    with pytest.raises(QualityError, match=message):
        read_baseline(baseline, AnalysisConfig(dataset_type=LINES, features="features"), NAMES)


def batches(*sizes: int) -> list[pa.RecordBatch]:
    starts = [sum(sizes[:place]) for place in range(len(sizes))]
    return [
        pa.RecordBatch.from_pydict({"x": list(range(start, start + size))})
        for start, size in zip(starts, sizes, strict=True)
    ]


def test_a_sample_has_records_of_all_batches_in_their_order() -> None:
    found = sample(batches(500, 10, 700, 300), 100, seed=1)["x"].to_pylist()
    assert len(found) == 100
    assert found == sorted(set(found))
    assert sample(batches(500, 10, 700, 300), 100, seed=1)["x"].to_pylist() == found
    assert sample(batches(30, 20), 100, seed=1)["x"].to_pylist() == list(range(50))


def test_each_record_is_as_likely_in_a_sample() -> None:
    counts = Counter(
        value // 10 for seed in range(300) for value in sample(batches(50, 150), 20, seed)["x"].to_pylist()
    )
    # 300 of the expected 6,000 / 20 in each twentieth; five standard errors.
    assert all(abs(counts[part] - 300) < 90 for part in range(20))


def test_columns_whose_type_changes_become_the_type_that_holds_all() -> None:
    pieces = [
        pa.RecordBatch.from_pydict({"a": [1], "b": [1], "c": [None]}),
        pa.RecordBatch.from_pydict({"a": [1.5], "b": ["x"], "c": [None]}),
    ]
    assert concatenate(pieces).to_pydict() == {"a": [1.0, 1.5], "b": ["1", "x"], "c": [None, None]}
