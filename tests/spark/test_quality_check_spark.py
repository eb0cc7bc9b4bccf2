"""The data quality check on Spark gives the results of one instance."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pyspark", reason="the Spark tests have an environment of their own: make test-spark")

import datasketches
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from analyzer import QualityError
from analyzer.__main__ import run as analyze
from analyzer.drift.distances import numerical_distance
from analyzer.files import json_files
from analyzer.files.statistics_file import read_statistics
from analyzer.profile.number_state import SKETCH_K
from analyzer.profile.statistics import FeatureStatistics

EXAMPLES = Path(__file__).parents[2] / "examples"
# Two sketches of the same values, merged in different ways, may each be off by this share of the ranks.
SKETCH_ERROR = datasketches.kll_doubles_sketch(SKETCH_K).normalized_rank_error(False)
Check = Callable[..., Path]


def example(name: str) -> pa.Table:
    folder = EXAMPLES / name
    if (folder / "data.parquet").exists():
        return pq.read_table(folder / "data.parquet")
    return pa.csv.read_csv(folder / "data.csv")


def write_parts(table: pa.Table, folder: Path, cuts: tuple[float, ...] = (0.2, 0.201, 0.7)) -> Path:
    """Write a table as part files of different sizes, one of them without a row, and the marker of a writer."""
    folder.mkdir()
    bounds = [0, 0, *(int(cut * len(table)) for cut in cuts), len(table)]
    for number, (low, high) in enumerate(pairwise(bounds)):
        pq.write_table(table.slice(low, high - low), folder / f"part-{number:05}.parquet")
    (folder / "_SUCCESS").touch()
    return folder


def contract(source: Path, output: Path, variables: dict[str, object]) -> dict[str, str]:
    fixed = {"dataset_source": source, "dataset_format": '{"parquet": {}}', "output_path": output}
    return {name: str(value) for name, value in {**fixed, **variables}.items()}


@pytest.fixture
def on_spark(spark: Any, tmp_path: Path) -> Check:
    """Run an analysis on Spark and return its output folder."""
    from quality_check_spark import PROFILES, profile_on_spark

    def run(source: Path, **variables: object) -> Path:
        environment = contract(source, tmp_path / "on-spark", variables)
        profiles = tmp_path / "profiles" / source.name
        profiles.parent.mkdir()
        profile_on_spark(spark, environment, profiles)
        analyze({**environment, "dataset_source": str(profiles), "dataset_format": PROFILES})
        return tmp_path / "on-spark"

    return run


@pytest.fixture
def on_one_instance(tmp_path: Path) -> Check:
    """Run the same analysis in this process."""

    def run(source: Path, **variables: object) -> Path:
        analyze(contract(source, tmp_path / "on-one-instance", variables))
        return tmp_path / "on-one-instance"

    return run


def assert_same_feature(found: FeatureStatistics, expected: FeatureStatistics) -> None:
    for name in ("name", "inferred_type", "present", "missing", "integral", "fractional", "strings"):
        assert getattr(found, name) == getattr(expected, name), expected.name
    if expected.numbers is None:
        assert found.numbers is None
        return
    assert found.numbers is not None
    assert (found.numbers.min, found.numbers.max) == (expected.numbers.min, expected.numbers.max)
    for name in ("mean", "sum", "std_dev"):
        assert math.isclose(getattr(found.numbers, name), getattr(expected.numbers, name), rel_tol=1e-11), name
    assert found.numbers.sketch.count == expected.numbers.sketch.count == expected.present
    assert numerical_distance(found.numbers.sketch, expected.numbers.sketch, robust=False) <= 2 * SKETCH_ERROR


def read(folder: Path, name: str) -> Any:
    return json.loads((folder / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["taxi", "churn", "breast-cancer", "fraud"])
def test_statistics_and_constraints_are_those_of_one_instance(
    name: str, on_spark: Check, on_one_instance: Check, tmp_path: Path
) -> None:
    parts = write_parts(example(name), tmp_path / "data")
    spark, one = (run(parts) for run in (on_spark, on_one_instance))
    ours, theirs = (read_statistics(folder / json_files.STATISTICS) for folder in (spark, one))
    assert ours.item_count == theirs.item_count == len(example(name))
    for found, expected in zip(ours.features, theirs.features, strict=True):
        assert_same_feature(found, expected)
    assert read(spark, json_files.CONSTRAINTS) == read(one, json_files.CONSTRAINTS)


def test_violations_are_those_of_one_instance(on_spark: Check, on_one_instance: Check, tmp_path: Path) -> None:
    table = example("churn")
    baseline = on_one_instance(write_parts(table, tmp_path / "before")).rename(tmp_path / "baseline")
    numbers = [name for name in table.column_names if pa.types.is_floating(table[name].type)]
    drifted = table.drop_columns([table.column_names[0]])
    for name in numbers:
        shifted = pa.array([None if row % 3 == 0 else value for row, value in enumerate(drifted[name].to_pylist())])
        drifted = drifted.set_column(drifted.column_names.index(name), name, shifted)
    after = write_parts(drifted, tmp_path / "after")
    given = {f"baseline_{kind}": baseline / f"{kind}.json" for kind in ("statistics", "constraints")}
    spark, one = (run(after, **given) for run in (on_spark, on_one_instance))
    found, expected = (read(folder, json_files.VIOLATIONS)["violations"] for folder in (spark, one))
    assert found == expected
    assert {violation["constraint_check_type"] for violation in found} >= {"missing_column_check"}
    assert read(spark, "analysis.json")["name"] == "after"


def test_a_damaged_part_is_named(on_spark: Check, tmp_path: Path) -> None:
    parts = write_parts(example("churn"), tmp_path / "data")
    (parts / "part-00002.parquet").write_bytes(b"PAR1")
    with pytest.raises(QualityError, match=r"part-00002\.parquet is not a Parquet file"):
        on_spark(parts)
    assert not (tmp_path / "on-spark").exists()


def test_a_dataset_without_rows_is_refused(on_spark: Check, tmp_path: Path) -> None:
    with pytest.raises(QualityError, match="no records"):
        on_spark(write_parts(example("churn").slice(0, 0), tmp_path / "data"))
