"""Preprocess on Spark gives the checks, the schema and the splits of one instance."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pyspark", reason="the Spark tests have an environment of their own: make test-spark")

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

EXAMPLES = Path(__file__).parents[2] / "examples"
SPLITS = ("train", "validation", "test", "baseline", "records")
FACETS = "facets"


@dataclass(frozen=True)
class Result:
    """What a run has written, and its error message."""

    error: str | None
    report: dict[str, Any]
    schema: dict[str, Any] | None
    splits: dict[str, pa.Table]
    parts: dict[str, bytes]


Run = Callable[..., Result]


@pytest.fixture
def preprocess_on(spark: Any, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a preprocessing by an engine, "single" or "spark", on files by name."""
    import preprocess
    from preprocessing_spark import engine

    # small tables have fewer parts here
    monkeypatch.setattr(engine, "PARTS", 3)

    def run(name: str, files: dict[str, pa.Table | bytes], *arguments: str, **data_settings: Any) -> Result:
        with tempfile.TemporaryDirectory() as folder:
            given_, output = Path(folder, "input"), Path(folder, "output")
            for path, content in files.items():
                write(content, given_ / path)
            options = ["--input-dir", str(given_), "--output-dir", str(output), "--baseline-format", "parquet"]
            options += ["--target-column", "target", "--min-rows", "10", *arguments]
            if data_settings:
                Path(folder, "data.json").write_text(json.dumps(data_settings))
                options += ["--data-settings", str(Path(folder, "data.json"))]
            error = None
            try:
                if name == "spark":
                    preprocess.run(engine.Spark(spark), preprocess.parse_arguments(options))
                else:
                    preprocess.main(options)
            except SystemExit as exit_:
                error = str(exit_.code)
            finally:
                spark.catalog.clearCache()
            report = json.loads((output / "report" / "validation_report.json").read_text())
            schema = None if error else json.loads((output / "schema" / "schema.json").read_text())
            written = [*SPLITS, *([FACETS] if (output / FACETS).exists() else [])]
            tables = {} if error else {split: pq.read_table(output / split) for split in written}
            parts = {str(path.relative_to(output)): path.read_bytes() for path in sorted(output.rglob("*.parquet"))}
            return Result(error, report, schema, tables, parts)

    return run


def write(content: pa.Table | bytes, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif path.suffix == ".csv":
        pa.csv.write_csv(content, path)
    else:
        pq.write_table(content, path)


def rows(table: pa.Table) -> list[tuple[Any, ...]]:
    return sorted(zip(*(column.to_pylist() for column in table.columns), strict=True), key=repr)


def assert_same(spark: Result, single: Result) -> None:
    assert spark.error == single.error
    assert spark.report == single.report
    assert spark.schema == single.schema
    for split, expected in single.splits.items():
        found = spark.splits[split]
        assert found.schema.equals(expected.schema), split
        assert rows(found) == rows(expected), split


def example(name: str, target: str, drop: tuple[str, ...] = ()) -> pa.Table:
    folder = EXAMPLES / name
    parquet = folder / "data.parquet"
    table = pq.read_table(parquet) if parquet.exists() else pa.csv.read_csv(folder / "data.csv")
    table = table.drop_columns([*drop])
    return table.rename_columns(["target" if column == target else column for column in table.column_names])


def searches() -> pa.Table:
    """Return the results of 80 searches with their relevance."""
    rows = range(800)
    columns = {"query": [f"q{row * 7 % 80}" for row in rows], "price": [row * 37 % 101 for row in rows]}
    return pa.table(columns | {"target": [row * row % 7 % 5 for row in rows]})


def in_files(table: pa.Table, count: int, suffix: str) -> dict[str, pa.Table]:
    size = -(-len(table) // count)
    return {f"{number}{suffix}": table.slice(number * size, size) for number in range(count)}


BINARY, MULTICLASS, REGRESSION = (
    ("--problem-type", name) for name in ("BinaryClassification", "MulticlassClassification", "Regression")
)


@pytest.mark.parametrize(
    ("table", "arguments"),
    [
        (
            example("churn", "churned"),
            (
                *(*BINARY, "--positive-class", "yes", "--drop-columns", "customer_id"),
                *("--segment-columns", "customer_id", "gender"),
                *("--facet-columns", "gender", "customer_id", "--numeric-facet-columns", "tenure_months"),
            ),
        ),
        (example("wine", "cultivar"), MULTICLASS),
        (
            example("taxi", "pickups").slice(0, 3000),
            (*REGRESSION, "--split-strategy", "time", "--time-column", "pickup_time"),
        ),
        (searches(), ("--problem-type", "Ranking", "--split-strategy", "group", "--group-column", "query")),
        (
            example("churn", "churned", ("customer_id",)).append_column(
                "team", pa.array([f"team {row % 97}" for row in range(4000)])
            ),
            (*BINARY, "--split-strategy", "group", "--group-column", "team", "--weight-column", "tenure_months"),
        ),
    ],
    ids=["random", "multiclass", "time", "ranking", "group"],
)
def test_real_data_are_split_and_encoded_as_on_one_instance(
    table: pa.Table, arguments: tuple[str, ...], preprocess_on: Run
) -> None:
    single = preprocess_on("single", {"data.parquet": table}, *arguments)
    spark = preprocess_on("spark", {"data.parquet": table}, *arguments)
    assert single.error is None
    assert_same(spark, single)
    # neither the order of the rows nor the files change a part
    reversed_ = table.take(pa.array(range(len(table))[::-1]))
    again = preprocess_on("spark", in_files(reversed_, 4, ".parquet"), *arguments)
    assert again.parts == spark.parts


def test_the_rows_of_a_query_are_in_one_part_one_behind_the_other(preprocess_on: Run) -> None:
    arguments = ("--problem-type", "Ranking", "--split-strategy", "group", "--group-column", "query")
    spark = preprocess_on("spark", {"data.parquet": searches()}, *arguments)
    found: list[int] = []
    for path, content in spark.parts.items():
        if path.startswith(("train/", "validation/", "test/")):
            numbers = pq.read_table(pa.BufferReader(content))["@group"].to_pylist()
            found += [number for index, number in enumerate(numbers) if not index or numbers[index - 1] != number]
    assert sorted(found) == list(range(80))


@given(
    rows=st.lists(
        st.tuples(st.sampled_from(["a", "a ", "b", "7"]), st.integers(0, 99), st.one_of(st.none(), st.integers(0, 9))),
        min_size=40,
        max_size=80,
        unique_by=lambda row: (row[0].strip(), row[1]),
    ),
    keys=st.sampled_from([["store"], ["store", "region"]]),
    copied=st.integers(0, 5),
    files=st.integers(1, 3),
)
@settings(max_examples=3, deadline=None, derandomize=True, suppress_health_check=[*HealthCheck])
def test_lags_are_those_of_one_instance(
    rows: list[tuple[str, int, int | None]], keys: list[str], copied: int, files: int, preprocess_on: Run
) -> None:
    rows += rows[:copied]
    columns = dict(zip(("store", "day", "visitors"), zip(*rows, strict=True), strict=True))
    table = pa.table(columns | {"region": [day % 2 for _, day, _ in rows], "target": [day % 13 for _, day, _ in rows]})
    arguments = (*REGRESSION, "--split-strategy", "time", "--time-column", "day", "--duplicates", "drop")
    lags = {"key": keys, "columns": ["visitors", "target"], "steps": [1, 3]}
    single, spark = (
        preprocess_on(engine, in_files(table, files, ".parquet"), *arguments, lags=lags)
        for engine in ("single", "spark")
    )
    assert_same(spark, single)


VALUES = {
    "whole": st.one_of(st.none(), st.integers(-3, 3), st.just(2**60)),
    "real": st.one_of(st.none(), st.sampled_from([0.0, -0.5, 0.1, 1e300, 7.0])),
    "text": st.one_of(st.none(), st.sampled_from(["a", "A", " a", "é", "true", "007", "x,y"])),
    "target": st.sampled_from(["no", "no", "no", "yes"]),
}


@given(
    columns=st.integers(30, 90).flatmap(
        lambda count: st.fixed_dictionaries(
            {name: st.lists(values, min_size=count, max_size=count) for name, values in VALUES.items()}
        )
    ),
    files=st.integers(1, 3),
    suffix=st.sampled_from([".csv", ".parquet"]),
    duplicates=st.sampled_from(["keep", "drop", "error"]),
    seed=st.integers(0, 2**31 - 1),
)
@settings(max_examples=5, deadline=None, derandomize=True, suppress_health_check=[*HealthCheck])
def test_any_table_gives_the_checks_and_splits_of_one_instance(
    columns: dict[str, list[Any]], files: int, suffix: str, duplicates: str, seed: int, preprocess_on: Run
) -> None:
    types = {"whole": pa.int64(), "real": pa.float64(), "text": pa.string(), "target": pa.string()}
    table = pa.table({name: pa.array(values, types[name]) for name, values in columns.items()})
    given_ = in_files(table, files, suffix)
    arguments = (*BINARY, "--duplicates", duplicates, "--seed", str(seed))
    assert_same(preprocess_on("spark", given_, *arguments), preprocess_on("single", given_, *arguments))


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a.csv": b"x,target\n1,0\n", "b.csv": b"x,target\n1,2,3\n"}, "b.csv"),
        ({"a.csv": b"x,target\n1,0\n", "b.csv": b"y,target\n1,0\n"}, "b.csv has different columns"),
        ({"a.csv": b"x,target\n"}, "a.csv has a header but no rows"),
        ({"a.csv": b"x,other\n" + b"1,0\n" * 20}, "column 'target' is not in a.csv"),
        ({"a.csv": b"x,target\n" + b"1,0\n" * 20}, "only one class"),
    ],
)
def test_an_error_is_that_of_one_instance(files: dict[str, bytes], message: str, preprocess_on: Run) -> None:
    single = preprocess_on("single", dict(files), *BINARY)
    assert single.error is not None
    assert message in single.error
    assert_same(preprocess_on("spark", dict(files), *BINARY), single)


def test_a_column_with_text_in_one_file_is_text_in_all(preprocess_on: Run) -> None:
    content = [f"{row % 7:03},{row % 2}" for row in range(60)]
    files = {
        "a.csv": "\n".join(["code,target", *content]).encode(),
        "b.csv": "\n".join(["code,target", *content[:-1], "n/k,0"]).encode(),
    }
    spark = preprocess_on("spark", dict(files), *BINARY)
    assert_same(spark, preprocess_on("single", dict(files), *BINARY))
    assert spark.schema is not None
    assert "003" in spark.schema["features"][0]["categories"]


SETTINGS = {
    "columns": {"spend": {"type": "currency"}, "active": {"type": "boolean"}, "plan": {"normalize": True}},
    "missing_values": ["unknown"],
}


@pytest.mark.parametrize("last", ["$5", "much"], ids=["valid", "invalid"])
def test_values_as_people_write_them_are_read_as_on_one_instance(last: str, preprocess_on: Run, tmp_path: Path) -> None:
    settings_file = tmp_path / "data.json"
    settings_file.write_text(json.dumps(SETTINGS), encoding="utf-8")
    arguments = (*BINARY, "--data-settings", str(settings_file))
    lines = [
        f"${row * 37 % 101}.50,{'yN'[row % 2]},{['Gold', 'gold ', 'unknown'][row % 3]},{row % 2}" for row in range(60)
    ]
    header = "spend,active,plan,target"
    files = {
        "a.csv": "\n".join([header, *lines]).encode(),
        "b.csv": "\n".join([header, *lines[:-1], f"{last},no,GOLD,0"]).encode(),
    }
    single = preprocess_on("single", dict(files), *arguments)
    assert_same(preprocess_on("spark", dict(files), *arguments), single)
    assert (single.error is None) == (last == "$5")


def orders() -> bytes:
    lines = ["at,shop,spend,target"]
    for row in range(400):
        at = "" if row % 9 == 0 else f"2024-{row % 12 + 1:02}-{row % 28 + 1:02}T{row % 24:02}:30:00Z"
        lines.append(f"{at},S{row % 23},{row / 7},{row * row % 17 / 3}")
    return "\n".join(lines).encode() + b"\n"


DERIVED = {
    "datetime_columns": {"at": {"parts": ["month", "hour"], "cyclic": ["weekday"]}},
    "encodings": {"shop": "target"},
}


def test_derived_columns_are_the_same(preprocess_on: Run) -> None:
    files = {"data.csv": orders()}
    spark, single = (
        preprocess_on(engine, files, "--problem-type", "Regression", **DERIVED) for engine in ("spark", "single")
    )
    assert single.error is None
    assert_same(spark, single)


@pytest.mark.parametrize("failing", [False, True])
def test_the_columns_of_features_py_are_the_same(preprocess_on: Run, tmp_path: Path, failing: bool) -> None:
    source = (
        "def add_features(rows):\n"
        "    rows['due'] = rows['at'] + rows['at'].sub(rows['at'])\n"
        "    rows['shop'] = rows['shop'].str.lower()\n"
        "    rows['large'] = rows['spend'] > 20\n"
        f"    assert not {failing} or not (rows['spend'] == 333 / 7).any(), 'too much'\n"
        "    return rows.drop(columns='at')\n"
    )
    path = tmp_path / "features.py"
    path.write_text(source)
    options = ("--problem-type", "Regression", "--features", str(path))
    spark, single = (
        preprocess_on(engine, {"data.csv": orders()}, *options, **DERIVED) for engine in ("spark", "single")
    )
    assert (single.error is not None) == failing
    if failing:
        assert single.error == "features.py, line 5, in add_features: AssertionError: too much (row 334 of data.csv)"
    assert_same(spark, single)
