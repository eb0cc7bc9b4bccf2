"""Model Monitor's container contract: from environment variables to files and an exit status."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

import analyzer.__main__ as program
from analyzer import QualityError, container

Write = Callable[[str, str | bytes], Path]
REPOSITORY = Path(__file__).parents[2]

CSV = '{"csv": {"header": true, "output_columns_position": "START"}}'


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., str]:
    """Return a function that runs an analysis in this process, with its files in tmp_path/output."""

    def run_analysis(source: Path, **variables: str | Path) -> str:
        environment = {
            "dataset_source": str(source),
            "dataset_format": CSV,
            "output_path": str(tmp_path / "output"),
            "publish_cloudwatch_metrics": "Disabled",
        }
        return container.run(environment | {name: str(value) for name, value in variables.items()})[0]

    return run_analysis


def document(folder: Path, name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    return content


def raw_features(rows: int, shift: float = 0.0, seed: int = 0) -> str:
    """Return a baseline.csv like that of the preprocess step: numbers and texts, with every twentieth text missing."""
    generator = np.random.default_rng(seed)
    ages = generator.integers(18, 80, rows)
    spends = generator.normal(50 + shift, 10, rows)
    plans = generator.choice(["basic", "gold", "platinum"], rows)
    plans[::20] = ""
    lines = (f"{age},{spend:.3f},{plan}" for age, spend, plan in zip(ages, spends, plans, strict=True))
    return "age,spend,plan\n" + "\n".join(lines) + "\n"


def predictions(rows: int, noise: float = 0.2, seed: int = 0) -> str:
    """Return a predictions.csv like that of the evaluate step for a binary problem."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 2, rows)
    scores = np.clip(labels * 0.6 + 0.2 + generator.normal(0, noise, rows), 0, 1)
    return "prediction,probability,label\n" + "".join(
        f"{int(score >= 0.5)},{score},{label}\n" for score, label in zip(scores, labels, strict=True)
    )


MODEL_QUALITY = {
    "analysis_type": "MODEL_QUALITY",
    "problem_type": "BinaryClassification",
    "inference_attribute": "prediction",
    "probability_attribute": "probability",
    "ground_truth_attribute": "label",
}


def test_a_data_quality_baseline_is_created_and_later_data_checked_against_it(
    write: Write, run: Callable[..., str], tmp_path: Path
) -> None:
    assert run(write("first/baseline.csv", raw_features(1_000))).startswith("Completed: ")
    output = tmp_path / "output"
    made = {path.name for path in output.iterdir()}
    assert made == {"analysis.json", "constraints.json", "report.html", "statistics.json"}
    types = {item["name"]: item["inferred_type"] for item in document(output, "statistics")["features"]}
    assert types == {"age": "Integral", "spend": "Fractional", "plan": "String"}
    baseline = {
        "baseline_statistics": output.rename(tmp_path / "kept") / "statistics.json",
        "baseline_constraints": tmp_path / "kept" / "constraints.json",
    }
    # A check against a baseline from the same data finds no violations, and writes the same files.
    assert run(tmp_path / "first", **baseline) == "Completed: Job completed successfully with no violations."
    assert document(output, "constraint_violations") == {"violations": []}
    message = run(write("second/data.csv", raw_features(1_000, shift=20, seed=1) + "x,1.0,silver\n"), **baseline)
    assert message.startswith("CompletedWithViolations: Job completed successfully with 3 violations. ")
    # named with numbers, but without values of the data, which do not belong into logs
    assert "plan: 0.11 % of the values are unknown categories (at most 0 %)" in message
    assert "silver" not in message
    found = document(output, "constraint_violations")["violations"]
    assert {(item["feature_name"], item["constraint_check_type"]) for item in found} == {
        ("age", "data_type_check"),
        ("spend", "baseline_drift_check"),
        ("plan", "categorical_values_check"),
    }


def test_baseline_statistics_without_constraints_imply_the_suggested_constraints(
    write: Write, run: Callable[..., str], tmp_path: Path
) -> None:
    run(write("baseline.csv", raw_features(500)))
    statistics = (tmp_path / "output" / "statistics.json").rename(tmp_path / "statistics.json")
    message = run(write("now.csv", raw_features(500, shift=20)), baseline_statistics=statistics)
    assert message.startswith("CompletedWithViolations: Job completed successfully with 1 violations. ")


def test_a_model_quality_baseline_is_created_and_later_predictions_checked_against_it(
    write: Write, run: Callable[..., str], tmp_path: Path
) -> None:
    assert run(write("first.csv", predictions(500)), **MODEL_QUALITY).startswith("Completed: ")
    output = tmp_path / "output"
    metrics = document(output, "statistics")["binary_classification_metrics"]
    assert metrics["auc"]["value"] > 0.95
    assert metrics["auc"]["standard_deviation"] > 0
    suggested = document(output, "constraints")["binary_classification_constraints"]
    assert suggested["auc"] == {"threshold": metrics["auc"]["value"], "comparison_operator": "LessThanThreshold"}
    kept = output.rename(tmp_path / "kept") / "constraints.json"
    message = run(write("second.csv", predictions(500, noise=0.6)), **MODEL_QUALITY, baseline_constraints=kept)
    assert message.startswith("CompletedWithViolations: ")
    found = {item["metric_name"] for item in document(output, "constraint_violations")["violations"]}
    assert {"auc", "accuracy", "false_positive_rate"} <= found


def test_probabilities_and_a_threshold_make_predictions(write: Write, run: Callable[..., str], tmp_path: Path) -> None:
    variables = {name: value for name, value in MODEL_QUALITY.items() if name != "inference_attribute"}
    path = write("data.csv", "p,label\n0.2,0\n0.6,1\n0.8,1\n")
    variables |= {"probability_attribute": "p", "ground_truth_attribute": "1"}
    run(path, **variables)
    assert _accuracy(tmp_path) == 1.0
    run(path, **variables, probability_threshold_attribute="0.7")
    assert _accuracy(tmp_path) == pytest.approx(2 / 3)


def _accuracy(tmp_path: Path) -> float:
    value: float = document(tmp_path / "output", "statistics")["binary_classification_metrics"]["accuracy"]["value"]
    return value


@pytest.mark.parametrize(
    ("problem_type", "content", "metric"),
    [
        ("MulticlassClassification", "prediction,probability,label\na,0.9,a\nb,0.5,c\n", "weighted_f1"),
        ("MulticlassClassification", "prediction,probability,label\n1,0.9,1\n2,0.5,3\n", "accuracy"),
        ("Regression", "prediction,label\n1.5,1\n2,2.5\n", "rmse"),
    ],
)
def test_other_problem_types_are_evaluated(
    problem_type: str, content: str, metric: str, write: Write, run: Callable[..., str], tmp_path: Path
) -> None:
    run(write("predictions.csv", content), **MODEL_QUALITY | {"problem_type": problem_type})
    (metrics,) = (value for key, value in document(tmp_path / "output", "statistics").items() if "metrics" in key)
    assert metrics[metric]["value"] == 0.5


def test_json_lines_are_analyzed_like_csv(write: Write, run: Callable[..., str], tmp_path: Path) -> None:
    run(write("data.jsonl", '{"a": 1, "b": "x"}\n{"a": 2.5, "b": null}\n'), dataset_format='{"json": {"lines": true}}')
    types = {item["name"]: item["inferred_type"] for item in document(tmp_path / "output", "statistics")["features"]}
    assert types == {"a": "Fractional", "b": "String"}


BASELINE_OF_OTHER_COLUMNS = '{"features": [{"name": "z", "inferred_type": "Integral", "completeness": 1.0}]}'


@pytest.mark.parametrize(
    ("content", "variables", "message"),
    [
        ("", {}, "has no records"),
        ("a,b\n", {}, "has no records"),
        ("a,b\n1\n", {"malformed_records_limit": "0"}, "row 2 has 1 fields instead of 2"),
        ("a,b\n1\n", {}, "has no records that can be read; the first of 1 malformed ones, .*data.csv:2, has 1 fields"),
        (b"a,b\n1,\xe9\n", {}, "not UTF-8 in column 'b'"),
        ("a\n1\n", {"dataset_format": "csv"}, "dataset_format 'csv' is not a JSON object"),
        ("a\n1\n", {"dataset_format": '{"parquet": {}}'}, "not a Parquet file"),
        ("a\n1\n", {"dataset_format": ""}, "environment variable dataset_format is not set"),
        ("a\n1\n", {"analysis_type": "BIAS"}, "unknown analysis_type 'BIAS'"),
        (
            "a\n1\n",
            {"record_preprocessor_script": "/x.py"},
            r"/x.py is not a Python file; set record_preprocessor_script",
        ),
        ("a\n1\n", {"baseline_constraints": "/absent.json"}, "/absent.json does not exist"),
        ("a\n1\n", {"baseline_constraints": "{other}"}, r"the baseline \(columns z\) and the data \(columns a\)"),
        ("a\n1\n", {"categorical_drift_method": "KS"}, "unknown categorical_drift_method 'KS'"),
        ("a\n1\n", {"analysis_type": "MODEL_QUALITY"}, "environment variable problem_type is not set"),
        ("a\n1\n", MODEL_QUALITY, r"column 'label' is not in .*data.csv \(columns: a\)"),
        ("a\n1\n", MODEL_QUALITY | {"problem_type": "Ranking"}, "unknown problem_type 'Ranking'"),
        ("a\n1\n", MODEL_QUALITY | {"ground_truth_attribute": ""}, "ground_truth_attribute is not set"),
        (
            "a\n1\n",
            MODEL_QUALITY | {"inference_attribute": "", "probability_attribute": ""},
            "inference_attribute is not set; .* or probability_attribute",
        ),
        (
            "prediction,probability,label\n1,0.5,1\n0,0.5,\n",
            MODEL_QUALITY,
            "column 'label' of .*data.csv has no value in record 2",
        ),
        (
            "prediction,probability,label\n1,0.5,yes\n",
            MODEL_QUALITY,
            "labels are 'yes' instead of 0 and 1; set positive_label",
        ),
        (
            "prediction,probability,label\n1,inf,1\n",
            MODEL_QUALITY,
            "probabilities must be finite numbers, but row 1 is inf",
        ),
        (
            "prediction,probability,label\n1,x,1\n",
            MODEL_QUALITY | {"inference_attribute": ""},
            "column 'probability' is not numeric",
        ),
        (
            "prediction,probability,label\n1,0.5,1\n",
            MODEL_QUALITY | {"probability_threshold_attribute": "half"},
            "probability_threshold_attribute 'half' is not a number",
        ),
    ],
)
def test_invalid_input_is_rejected_with_one_message_and_without_result_files(
    content: str | bytes,
    variables: dict[str, str],
    message: str,
    write: Write,
    run: Callable[..., str],
    tmp_path: Path,
) -> None:
    other = write("other.json", BASELINE_OF_OTHER_COLUMNS)
    filled = {name: value.replace("{other}", str(other)) for name, value in variables.items()}
    with pytest.raises(QualityError, match=message):
        run(write("data.csv", content), **filled)
    assert not (tmp_path / "output").exists()


@pytest.mark.parametrize(
    "column",
    [
        [""] * 3,
        ["1"],
        ["5"] * 3,
        ["123456789012345678901234567890", "-1"],
        ["9223372036854775807", "1"],
        ["1e308", "1.7e308", "-1.7e308"],
        ["inf", "nan", "1"],
        ["🦉", "é", ""],
        ["2026-01-02", "2026-01-03"],
        [f"id-{number}" for number in range(50_000)],
    ],
    ids=lambda column: f"{column[0] or 'missing'} x {len(column)}",
)
def test_unusual_columns_have_correct_results_and_valid_files(
    column: list[str], write: Write, run: Callable[..., str], tmp_path: Path
) -> None:
    path = write("data.csv", "key,x\n" + "".join(f"k,{cell}\n" for cell in column))
    run(path)
    kept = (tmp_path / "output").rename(tmp_path / "kept")
    found = document(kept, "statistics")["features"][1]
    common = (found.get("numerical_statistics") or found["string_statistics"])["common"]
    assert common["num_present"] == sum(cell not in ("", "nan", "inf") for cell in column)
    assert common["num_present"] + common["num_missing"] == len(column)
    message = run(path, baseline_statistics=kept / "statistics.json", baseline_constraints=kept / "constraints.json")
    assert message == "Completed: Job completed successfully with no violations."


def process(tmp_path: Path, source: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "analyzer"],
        cwd=REPOSITORY,
        env={
            "PATH": os.environ["PATH"],
            "dataset_source": str(source),
            "dataset_format": CSV,
            "output_path": str(tmp_path / "output"),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_last_line_and_the_exit_status_of_the_process_report_its_result(write: Write, tmp_path: Path) -> None:
    result = process(tmp_path, write("data.csv", raw_features(50)))
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-1] == "Completed: Job completed successfully with no violations."
    assert (tmp_path / "output" / "statistics.json").exists()


def test_the_process_fails_with_one_line_and_status_1(write: Write, tmp_path: Path) -> None:
    source = write("data.csv", "a,b\n")
    result = process(tmp_path, source)
    assert (result.returncode, result.stdout) == (1, "")
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith(f"error: {source} has no records")
    assert not (tmp_path / "output").exists()


def test_the_exit_message_is_written_where_the_service_reads_it(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(program, "EXIT_MESSAGE", tmp_path / "message")
    monkeypatch.setattr(os, "environ", {"dataset_source": str(write("data.csv", "")), "dataset_format": CSV})
    assert program.main([]) == 1
    assert (tmp_path / "message").read_text().startswith("Failed: the environment variable output_path is not set")


def test_the_analyzer_starts_without_pandas_and_without_aws() -> None:
    code = "import sys, analyzer.__main__; print(sorted({'pandas', 'boto3', 'sagemaker'} & sys.modules.keys()))"
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=True
    )
    assert result.stdout.strip() == "[]"


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_data_quality_baseline_is_made_without_pandas(suffix: str, tmp_path: Path) -> None:
    """PyArrow imports it for its conversions from and to Python, which costs more than a small analysis."""
    table = pa.table({"age": [31, None, 40], "plan": ["gold", None, "basic"]})
    if suffix == "csv":
        pyarrow.csv.write_csv(table, tmp_path / "data.csv")
    else:
        pq.write_table(table, tmp_path / "data.parquet")
    features = [
        {"name": "age", "type": "number"},
        {"name": "plan", "type": "category", "categories": ["basic", "gold"]},
    ]
    schema = {"problem_type": "Regression", "features": features, "classes": None}
    (tmp_path / "schema.json").write_text(json.dumps(schema))
    environment = {
        "dataset_source": str(tmp_path / f"data.{suffix}"),
        "dataset_format": CSV if suffix == "csv" else '{"parquet": {}}',
        "model_schema": str(tmp_path / "schema.json"),
        "output_path": str(tmp_path / "output"),
    }
    code = "import os, sys, analyzer.__main__ as m; m.run(dict(os.environ)); print('pandas' in sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=REPOSITORY,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert result.stdout.strip() == "False"


def test_model_quality_needs_numpy_alone(tmp_path: Path) -> None:
    """It ships into a processing container beneath two packages that are otherwise empty."""
    metrics = (REPOSITORY / "analyzer" / "performance" / "metrics").glob("*.py")
    names = ["__init__.py", "performance/__init__.py", *(f"performance/metrics/{path.name}" for path in metrics)]
    for name in names:
        target = tmp_path / "analyzer" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((REPOSITORY / "analyzer" / name).read_bytes())
    code = (
        "import sys, analyzer.performance.metrics as m; "
        "print(sorted({'pyarrow', 'datasketches', 'pandas', 'scipy', 'sklearn'} & sys.modules.keys()), m.__file__)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True
    )
    assert result.stdout.startswith("[] ")
    assert str(tmp_path) in result.stdout
