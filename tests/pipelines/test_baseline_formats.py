"""A baseline has the same statistics and constraints whether Preprocess writes it as CSV or as Parquet."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tests.container_scripts  # noqa: F401, container scripts become importable
from analyzer.container import run
from examples import EXAMPLES
from pipelines.preprocess_arguments import preprocess_arguments
from project.paths import REPOSITORY
from project.settings import load_settings

FORMATS = {"csv": '{"csv": {"header": true}}', "parquet": '{"parquet": {}}'}
# The first compaction of a sketch, from which on it keeps a random half of the values, whatever the format.
SKETCH_SIZE = 2048
JSON_LINES = '{"json": {"lines": true}}'

BASELINE = ("statistics", "constraints")
Documents = tuple[dict[str, Any], dict[str, Any]]


def preprocess(source: Path, output: Path, format_: str, *arguments: str) -> None:
    import preprocess

    places = ["--input-dir", str(source), "--output-dir", str(output)]
    preprocess.main([*arguments, *places, "--baseline-format", format_])


def analyze(source: Path, format_: str, schema: Path, output: Path, **variables: str) -> tuple[str, Documents]:
    environment = {
        "dataset_source": str(source),
        "dataset_format": format_,
        "model_schema": str(schema),
        "output_path": str(output),
    }
    message, _ = run(environment | variables)
    statistics, constraints = (json.loads((output / f"{name}.json").read_text()) for name in BASELINE)
    return message, (statistics, constraints)


def baselines(source: Path, folder: Path, *arguments: str) -> tuple[Documents, Documents]:
    documents = []
    for name, dataset_format in FORMATS.items():
        output = folder / name
        preprocess(source, output, name, *arguments)
        assert [path.name for path in (output / "baseline").iterdir()] == [f"baseline.{name}"]
        documents.append(analyze(output / "baseline", dataset_format, output / "schema", output / "analysis")[1])
    return documents[0], documents[1]


def without_sketches(statistics: dict[str, Any]) -> dict[str, Any]:
    """Leave out the distributions of numbers, and keep their bounds."""
    for feature in statistics["features"]:
        if numbers := feature.get("numerical_statistics"):
            buckets = numbers.pop("distribution")["kll"]["buckets"]
            numbers["bounds"] = [(bucket["lower_bound"], bucket["upper_bound"]) for bucket in buckets]
    return statistics


@pytest.mark.slow
@pytest.mark.parametrize("name", EXAMPLES)
def test_the_baseline_of_an_example_is_the_same_from_both_formats(name: str, tmp_path: Path) -> None:
    source = REPOSITORY / "examples" / name
    example = load_settings(source / "settings.yaml")
    (tmp_path / "input").mkdir()
    data = Path(example.data.input).name
    (tmp_path / "input" / data).symlink_to(source / data)
    (statistics, constraints), (of_parquet, constraints_of_parquet) = baselines(
        tmp_path / "input", tmp_path, *preprocess_arguments(example)
    )
    assert constraints == constraints_of_parquet
    if statistics["dataset"]["item_count"] >= SKETCH_SIZE:
        statistics, of_parquet = without_sketches(statistics), without_sketches(of_parquet)
    assert statistics == of_parquet


ROWS = 240
COLUMNS: dict[str, pa.Array] = {
    "whole doubles": pa.array([float(row % 7) for row in range(ROWS)]),
    "some fractions": pa.array([row / 2 for row in range(ROWS)]),
    "missing doubles": pa.array([None if row % 3 == 0 else 30.0 + row % 5 for row in range(ROWS)]),
    "tiny and huge": pa.array([10.0 ** (row % 600 - 300) for row in range(ROWS)]),
    "integers": pa.array([row % 11 - 3 for row in range(ROWS)]),
    "missing integers": pa.array([None if row % 4 == 0 else row for row in range(ROWS)]),
    "beyond 2^53": pa.array([2**53 + row for row in range(ROWS)]),
    "beyond int64": pa.array([2**63 + row for row in range(ROWS)], pa.uint64()),
    "decimals": pa.array([row / 10 for row in range(ROWS)]).cast(pa.decimal128(20, 4), safe=False),
    "singles": pa.array([row / 10 for row in range(ROWS)], pa.float32()),
    "texts like numbers": pa.array([("007", "7", "1e3", "3.0")[row % 4] for row in range(ROWS)]),
    "booleans": pa.array([row % 3 == 0 for row in range(ROWS)]),
    "spellings of booleans": pa.array([("True", "false", "TRUE", None)[row % 4] for row in range(ROWS)]),
    "missing texts": pa.array([("gold", "NA", "", None, " basic ")[row % 5] for row in range(ROWS)]),
    'quotes, "commas"': pa.array([('say "x"', "a,b", "a\nb", "a\r\nb", "é🦉")[row % 5] for row in range(ROWS)]),
    "dates": pa.array([20_000 + row % 9 for row in range(ROWS)], pa.int32()).cast(pa.date32()),
}
ARGUMENTS = ("--problem-type", "Regression", "--target-column", "y")


def write_table(columns: dict[str, pa.Array], folder: Path) -> Path:
    folder.mkdir()
    rows = len(next(iter(columns.values())))
    pq.write_table(pa.table({**columns, "y": pa.array([row / 3 for row in range(rows)])}), folder / "data.parquet")
    return folder


def test_values_of_every_type_are_the_same_from_both_formats(tmp_path: Path) -> None:
    of_csv, of_parquet = baselines(write_table(COLUMNS, tmp_path / "input"), tmp_path, *ARGUMENTS)
    assert of_csv == of_parquet
    types = {feature["name"]: feature["inferred_type"] for feature in of_parquet[0]["features"]}
    integral = {"integers", "missing integers", "beyond 2^53"}
    fractional = {"whole doubles", "some fractions", "missing doubles", "tiny and huge", "decimals", "singles"}
    assert {name for name, type_ in types.items() if type_ == "Integral"} == integral
    # Whole numbers beyond int64 are doubles, for Model Monitor too.
    assert {name for name, type_ in types.items() if type_ == "Fractional"} == fractional | {"beyond int64"}
    assert {name for name, type_ in types.items() if type_ == "String"} == COLUMNS.keys() - integral - fractional - {
        "beyond int64"
    }


def test_requests_with_the_training_values_meet_the_constraints_from_parquet(tmp_path: Path) -> None:
    source = write_table(COLUMNS, tmp_path / "input")
    preprocess(source, tmp_path, "parquet", *ARGUMENTS)
    schema = tmp_path / "schema"
    analyze(tmp_path / "baseline", FORMATS["parquet"], schema, tmp_path / "made")
    rows = pq.read_table(tmp_path / "baseline").to_pylist()
    requests = tmp_path / "requests.jsonl"
    # Decimals, which JSON does not have, are sent as numbers with the same digits.
    requests.write_text("".join(json.dumps(row, default=lambda value: json.loads(str(value))) + "\n" for row in rows))
    files = {f"baseline_{name}": str(tmp_path / "made" / f"{name}.json") for name in BASELINE}
    message, _ = analyze(requests, JSON_LINES, schema, tmp_path / "check", **files)
    assert message == "Completed: Job completed successfully with no violations."


VALUES = {
    "doubles": st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers(-9, 9).map(float)),
    "integers": st.integers(-(2**63), 2**63 - 1),
    "texts": st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=5),
    "words": st.sampled_from(["007", "7", "7.0", "true", "True", "1e3", "inf", "none", " a ", '"', "\n"]),
}


@settings(max_examples=10, deadline=None)
@given(st.data())
def test_any_values_are_the_same_from_both_formats(data: st.DataObject) -> None:
    columns = {}
    for (name, values), present in zip(VALUES.items(), (0.5, 1, "x", "x"), strict=True):
        drawn = data.draw(st.lists(st.one_of(values, st.none()), min_size=3, max_size=3), label=name)
        columns[name] = pa.array([*drawn, present] * 20)
    with tempfile.TemporaryDirectory() as folder:
        of_csv, of_parquet = baselines(write_table(columns, Path(folder, "input")), Path(folder), *ARGUMENTS)
    assert of_csv == of_parquet


@pytest.mark.parametrize("rows", [5, ROWS, 2 * ROWS])
def test_the_samples_have_rows_of_their_split_whatever_their_order(rows: int, tmp_path: Path) -> None:
    from preprocessing import writing

    samples, test_samples = [], []
    for name, numbers in (("one", [*range(ROWS)]), ("other", [*reversed(range(ROWS))])):
        columns = {"row": pa.array(numbers)}
        table = pa.table({**columns, "y": pa.array([number / 3 for number in numbers])})
        (tmp_path / name).mkdir()
        pq.write_table(table, tmp_path / name / "data.parquet")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(writing, "SAMPLE_ROWS", rows)
            patch.setattr(writing, "EXPLAINED_ROWS", rows)
            preprocess(tmp_path / name, tmp_path / name / "output", "parquet", *ARGUMENTS)
        text = (tmp_path / name / "output" / "schema" / "sample.csv").read_text()
        samples.append([int(row["row"]) for row in csv.DictReader(io.StringIO(text))])
        test_sample = pq.read_table(tmp_path / name / "output" / "schema" / "test_sample.parquet")
        assert test_sample.column_names == ["row"]
        test_samples.append(test_sample["row"].to_pylist())
    for (one, other), output in ((samples, "baseline"), (test_samples, "records")):
        split = pq.read_table(tmp_path / "one" / "output" / output)["row"].to_pylist()
        assert one == other
        assert len(one) == len({*one}) == min(rows, len(split))
        assert {*one} <= {*split}
