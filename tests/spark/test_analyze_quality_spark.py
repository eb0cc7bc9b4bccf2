"""The analyzer on Spark gives the results of one instance."""

from __future__ import annotations

import gzip
import json
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pyspark", reason="the Spark tests have an environment of their own: make test-spark")

import datasketches
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from analyzer import QualityError
from analyzer.drift.distances import numerical_distance
from analyzer.files import json_files
from analyzer.files.statistics_file import read_statistics
from analyzer.profile.number_state import SKETCH_K
from analyzer.profile.statistics import FeatureStatistics

REPOSITORY = Path(__file__).parents[2]
Analyse = Callable[..., Path]

CSV = '{"csv": {"header": true}}'
ROWS = 20_000
# Two sketches of the same values, merged in different ways, may each be off by this share of the ranks.
SKETCH_ERROR = datasketches.kll_doubles_sketch(SKETCH_K).normalized_rank_error(False)


def columns(rows: int = ROWS, shift: float = 0.0, seed: int = 0) -> dict[str, list[Any]]:
    """Numbers with and without fractions, some missing, texts with all that CSV quotes, and a column of no value."""
    generator = np.random.default_rng(seed)
    return {
        "amount": (generator.normal(50 + shift, 10, rows) * 10.0 ** generator.integers(-3, 4, rows)).tolist(),
        "share": [
            None if missing else value
            for missing, value in zip(generator.random(rows) < 0.05, generator.random(rows).tolist(), strict=True)
        ],
        "visits": generator.integers(-5, 1000, rows).tolist(),
        "plan": generator.choice(["basic", 'the "gold" one', "a, b", "Zoë 🎈"], rows).tolist(),
        "nothing": [None] * rows,
    }


def as_csv(data: dict[str, list[Any]], line_end: str = "\n") -> str:
    def cell(value: Any) -> str:
        if isinstance(value, str):
            return '"' + value.replace('"', '""') + '"'
        return "" if value is None else repr(value)

    lines = [",".join(data), *(",".join(map(cell, record)) for record in zip(*data.values(), strict=True))]
    return line_end.join(lines)


def parts(data: dict[str, list[Any]], cuts: tuple[int, ...] = (3_000, 3_001)) -> list[dict[str, list[Any]]]:
    bounds = [0, *cuts, len(data["amount"])]
    return [{name: values[low:high] for name, values in data.items()} for low, high in pairwise(bounds)]


def write_csv(folder: Path, data: dict[str, list[Any]]) -> str:
    """A tree of three files: with a newline at the end and without, and compressed; and a marker of their writer."""
    (folder / "later").mkdir(parents=True)
    first, second, third = map(as_csv, parts(data))
    (folder / "a.csv").write_text(first, encoding="utf-8")
    (folder / "later" / "b.csv").write_text(second + "\n", encoding="utf-8")
    (folder / "later" / "c.csv.gz").write_bytes(gzip.compress(third.encode()))
    (folder / "_SUCCESS").write_text("x,y\n1,2\n")
    return CSV


def write_long_csv(folder: Path, data: dict[str, list[Any]]) -> str:
    """One file of many blocks, with the line ends of Windows."""
    folder.mkdir()
    (folder / "long.csv").write_bytes(as_csv(data, "\r\n").encode())
    return CSV


def write_csv_without_header(folder: Path, data: dict[str, list[Any]]) -> str:
    folder.mkdir()
    (folder / "long.csv").write_text(as_csv(data).split("\n", 1)[1], encoding="utf-8")
    return '{"csv": {}}'


def write_json(folder: Path, data: dict[str, list[Any]]) -> str:
    folder.mkdir()
    records = (dict(zip(data, record, strict=True)) for record in zip(*data.values(), strict=True))
    (folder / "records.jsonl").write_text("\n".join(json.dumps({"customer": record}) for record in records))
    return '{"json": {"lines": true}}'


def write_parquet(folder: Path, data: dict[str, list[Any]]) -> str:
    folder.mkdir()
    for number, part in enumerate(parts(data)):
        pq.write_table(
            pa.table(part | {"nothing": pa.nulls(len(part["plan"]), pa.string())}), folder / f"{number}.parquet"
        )
    return '{"parquet": {}}'


def write_captures(folder: Path, data: dict[str, list[Any]]) -> str:
    folder.mkdir()
    events = (
        {
            "captureData": {
                "endpointInput": {"observedContentType": "text/csv", "mode": "INPUT", "data": row, "encoding": "CSV"}
            },
            "eventMetadata": {"eventId": str(number), "inferenceTime": "2026-01-31T12:00:00Z"},
            "eventVersion": "0",
        }
        for number, row in enumerate(as_csv(data).split("\n")[1:])
    )
    (folder / "capture.jsonl").write_text("\n".join(map(json.dumps, events)) + "\n", encoding="utf-8")
    return '{"sagemakerCaptureJson": {"captureIndexNames": ["endpointInput"]}}'


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


def assert_same_statistics(found: Path, expected: Path) -> None:
    ours, theirs = (read_statistics(folder / json_files.STATISTICS) for folder in (found, expected))
    assert ours.item_count == theirs.item_count
    assert sorted(f.name for f in ours.features) == sorted(f.name for f in theirs.features)
    for feature in theirs.features:
        same = ours.feature(feature.name)
        assert same is not None
        assert_same_feature(same, feature)


def read(folder: Path, name: str) -> Any:
    return json.loads((folder / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "write",
    [write_csv, write_long_csv, write_csv_without_header, write_json, write_parquet, write_captures],
)
def test_results_are_those_of_one_instance(
    write: Callable[[Path, dict[str, list[Any]]], str], on_spark: Analyse, on_one_machine: Analyse, tmp_path: Path
) -> None:
    dataset_format = write(tmp_path / "data", columns())
    spark, one = (run(tmp_path / "data", dataset_format) for run in (on_spark, on_one_machine))
    assert_same_statistics(spark, one)
    assert read(spark, json_files.CONSTRAINTS) == read(one, json_files.CONSTRAINTS)


def test_violations_are_those_of_one_instance(on_spark: Analyse, on_one_machine: Analyse, tmp_path: Path) -> None:
    write_csv(tmp_path / "before", columns())
    baseline = shutil.copytree(on_one_machine(tmp_path / "before", CSV), tmp_path / "baseline")
    drifted = columns(shift=300, seed=1)
    drifted["share"] = [None] * 4_000 + drifted["share"][4_000:]
    drifted["plan"] = ["unheard of" if plan == "a, b" else plan for plan in drifted["plan"]]
    del drifted["visits"]
    write_csv(tmp_path / "after", drifted)
    given = {
        name: baseline / f"{name.removeprefix('baseline_')}.json"
        for name in ("baseline_statistics", "baseline_constraints")
    }
    spark, one = (run(tmp_path / "after", CSV, **given) for run in (on_spark, on_one_machine))
    found, expected = (
        {(v["feature_name"], v["constraint_check_type"]) for v in read(folder, json_files.VIOLATIONS)["violations"]}
        for folder in (spark, one)
    )
    assert found == expected
    assert {kind for _, kind in found} >= {"baseline_drift_check", "completeness_check", "missing_column_check"}
    assert read(spark, "analysis.json")["name"] == "after"


def test_a_column_with_text_in_one_task_is_text_as_on_one_instance(
    on_spark: Analyse, on_one_machine: Analyse, tmp_path: Path
) -> None:
    data = columns()
    codes: list[Any] = [f"{value:.2f}" for value in np.arange(ROWS) % 50]
    source = tmp_path / "codes.csv"
    source.write_text(
        "code,amount\n" + "\n".join(map(",".join, zip([*codes[:-1], "n/a"], map(str, data["visits"]), strict=True)))
    )
    spark, one = (run(source, CSV) for run in (on_spark, on_one_machine))
    assert_same_statistics(spark, one)
    counts = read_statistics(spark / json_files.STATISTICS).features[0].strings
    assert counts is not None
    assert counts.counts["7.00"] == ROWS // 50


def test_malformed_rows_of_all_tasks_count_towards_the_limit(on_spark: Analyse, tmp_path: Path) -> None:
    rows = ["1,2"] * 60_000
    for position in (10, 30_000, 59_990):
        rows[position] = "1,2,3"
    source = tmp_path / "ragged.csv"
    source.write_text("\n".join(["a,b", *rows]) + "\n")
    skipped = read(on_spark(source, CSV, malformed_records_limit=3), "analysis.json")["skipped"]
    assert skipped["count"] == 3
    assert {Path(sample["file"].split(" ")[0]).name for sample in skipped["samples"]} == {"ragged.csv"}
    assert min(sample["line"] for sample in skipped["samples"]) == 12
    with pytest.raises(QualityError, match=r"3 records are malformed and 2 may be skipped; .*ragged\.csv .*3 fields"):
        on_spark(source, CSV, malformed_records_limit=2)
    with pytest.raises(QualityError, match=r"ragged\.csv row 12 has 3 fields"):
        on_spark(source, CSV, malformed_records_limit=0)


def test_files_with_different_headers_are_refused(on_spark: Analyse, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.csv").write_text("x,y\n1,2\n" * 2)
    (tmp_path / "data" / "b.csv").write_text("y,x\n1,2\n")
    with pytest.raises(QualityError, match="need the same header line"):
        on_spark(tmp_path / "data", CSV)
    assert not (tmp_path / "on-spark").exists()


@pytest.mark.parametrize(
    ("content", "variables", "message"),
    [
        ("x,y\n", {}, "has no records"),
        ("", {}, "has no records"),
        ("x,y\n1,2\n", {"dataset_format": '{"xml": {}}'}, "is not supported"),
        ("x,y\n1,2\n", {"dataset_format": '{"parquet": {}}'}, "Spark cannot analyze"),
        (
            "x,y\n1,2\n",
            {"analysis_type": "MODEL_QUALITY", "problem_type": "Regression"},
            "model quality is not supported on Spark",
        ),
        ("x,y\n1,2\n", {"record_preprocessor_script": "script.py"}, "is not supported on Spark"),
        ("x,y\n1,2\n", {"baseline_statistics": "absent.json"}, "absent.json"),
        (None, {}, "Spark cannot analyze .*data.csv"),
    ],
)
def test_the_reason_for_a_failed_analysis_is_named(
    content: str | None, variables: dict[str, str], message: str, on_spark: Analyse, tmp_path: Path
) -> None:
    source = tmp_path / "data.csv"
    if content is not None:
        source.write_text(content)
    with pytest.raises(QualityError, match=message):
        on_spark(source, **{"dataset_format": CSV, **variables})


def test_spark_submit_runs_the_script_with_the_package_as_a_zip(java: None, tmp_path: Path) -> None:
    """As in a Processing job: the script alone, the package by --py-files, the settings in the environment."""
    package = shutil.make_archive(str(tmp_path / "analyzer"), "zip", REPOSITORY, "analyzer")
    script = shutil.copy(REPOSITORY / "processing_scripts" / "analyze_quality_spark.py", tmp_path)
    (tmp_path / "before.csv").write_text(as_csv(columns(2_000)), encoding="utf-8")
    (tmp_path / "after.csv").write_text(as_csv(columns(2_000, shift=300)), encoding="utf-8")

    def submit(source: str, output: str, **variables: str) -> subprocess.CompletedProcess[str]:
        from tests.spark.conftest import contract

        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        return subprocess.run(
            [
                str(Path(sys.executable).with_name("spark-submit")),
                *("--master", "local[2]", "--conf", "spark.ui.enabled=false", "--py-files", package),
                script,
                "--fail-on-violation",
            ],
            env=environment
            | {"PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}
            | contract(tmp_path / source, CSV, tmp_path / output, variables),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    baseline = submit("before.csv", "baseline")
    assert baseline.returncode == 0, baseline.stderr[-2000:]
    assert "no violations" in baseline.stdout
    check = submit("after.csv", "check", baseline_statistics=str(tmp_path / "baseline" / json_files.STATISTICS))
    assert check.returncode == 3, check.stderr[-2000:]
    assert "CompletedWithViolations" in check.stdout
    assert "amount" in {v["feature_name"] for v in read(tmp_path / "check", json_files.VIOLATIONS)["violations"]}
    failed = submit("absent.csv", "nowhere")
    assert failed.returncode == 1
    # The launcher prints both of the script's outputs on its own standard output.
    assert "error: Spark cannot analyze" in failed.stdout
