"""The analyzer's commands: their result files and exit status."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from analyzer.analysis import DataQuality
from analyzer.commands import app
from analyzer.files import analysis_file
from pipelines.bundles import QUALITY_CHECK

Write = Callable[[str, str | bytes], Path]
Event = Callable[..., dict[str, Any]]
REPOSITORY = Path(__file__).parents[2]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def baseline(write: Write, tmp_path: Path) -> list[object]:
    """Create a baseline, and return the options for it."""
    path = write("train.csv", "age,plan\n" + "".join(f"{20 + row % 50},{'ab'[row % 2]}\n" for row in range(500)))
    result = run("baseline", path, "-o", tmp_path / "baseline")
    assert result.exit_code == 0, result.output
    return [
        "--statistics",
        tmp_path / "baseline" / "statistics.json",
        "--constraints",
        tmp_path / "baseline" / "constraints.json",
    ]


def test_a_check_exits_with_3_on_violations_only_with_fail_on_violation(
    write: Write, baseline: list[object], tmp_path: Path
) -> None:
    good = write("good.csv", (tmp_path / "train.csv").read_text())
    bad = write("bad.csv", "age,plan\n" + "90,c\n" * 100)
    output = ("-o", tmp_path / "check")
    assert run("check", good, *output, *baseline, "--fail-on-violation").exit_code == 0
    found = run("check", bad, *output, *baseline)
    assert (found.exit_code, found.output) == (
        0,
        "CompletedWithViolations: Job completed successfully with 3 violations. 2 features drifted (distance at most "
        "0.1): age 0.8028, plan 0.8028. plan: 100 % of the values are unknown categories (at most 0 %).\n",
    )
    assert run("check", bad, *output, *baseline, "--fail-on-violation").exit_code == 3


def test_captures_of_the_last_hours_are_checked_and_ranked_by_importance(
    write: Write, event: Event, baseline: list[object], tmp_path: Path
) -> None:
    events = [
        event('{"age": 90, "plan": "a"}', identity=str(hour), time=f"2026-01-31T{hour:02}:00:00Z") for hour in range(24)
    ]
    captures = write("captures/a.jsonl", "".join(json.dumps(item) + "\n" for item in events) + "cut off")
    result = run(
        "check",
        captures.parent,
        "--format",
        "captures",
        "--start",
        "2026-01-31T10:00:00Z",
        "--end",
        "2026-01-31T12:00:00Z",
        "--importance",
        write("gain.json", '{"age": 1, "plan": 3}'),
        "-o",
        tmp_path / "check",
        *baseline,
    )
    assert result.exit_code == 0, result.output
    analysis = analysis_file.read(tmp_path / "check")
    assert (analysis.name, analysis.item_count, analysis.skipped.count) == ("captures", 2, 1)
    assert analysis.window.start is not None and analysis.window.start.isoformat() == "2026-01-31T10:00:00+00:00"
    assert isinstance(analysis.result, DataQuality)
    assert {drift.feature_name: drift.importance for drift in analysis.result.drift} == {"age": 0.25, "plan": 0.75}


def test_errors_are_one_line_and_status_1(write: Write, tmp_path: Path) -> None:
    path = write("data.csv", "x\n1\n")
    result = run("check", path, "-o", tmp_path / "out")
    assert (result.exit_code, result.stderr) == (
        1,
        "error: no baseline to check against; pass --statistics, --constraints, or both\n",
    )
    result = run("baseline", tmp_path / "absent.csv", "-o", tmp_path / "out")
    assert result.exit_code == 1
    assert "absent.csv does not exist" in result.stderr
    ragged = write("ragged.csv", "a,b\n1,2\n3\n")
    assert "row 3 has 1 fields" in run("baseline", ragged, "-o", "out", "--malformed-records-limit", 0).stderr
    assert run("baseline", path).exit_code == 2


def test_model_quality_of_merged_captures(write: Write, event: Event, tmp_path: Path) -> None:
    captures = write(
        "captures.jsonl",
        "".join(json.dumps(event("1", str(score), identity=str(score))) + "\n" for score in (1.5, 2.5)),
    )
    labels = write(
        "labels.jsonl",
        "".join(
            json.dumps({"groundTruthData": {"data": "1", "encoding": "CSV"}, "eventMetadata": {"eventId": str(score)}})
            + "\n"
            for score in (1.5, 2.5)
        ),
    )
    merged = run("merge-ground-truth", captures, labels, "-o", tmp_path / "merged")
    assert merged.output.startswith("Completed: Merged 2 of 2 inferences")
    result = run(
        "model-quality",
        tmp_path / "merged",
        "--format",
        "merged",
        "--problem-type",
        "Regression",
        "--inference",
        "0",
        "-o",
        tmp_path / "quality",
    )
    assert result.exit_code == 0, result.output
    metrics = json.loads((tmp_path / "quality" / "statistics.json").read_text())["regression_metrics"]
    assert metrics["mae"]["value"] == 1.0


@pytest.mark.parametrize("command", ["baseline", "check", "model-quality", "merge", "merge-ground-truth"])
def test_the_help_of_every_command_has_an_example(command: str) -> None:
    result = run(command, "--help")
    assert result.exit_code == 0
    assert "Example: python -m analyzer " + command in " ".join(result.output.split())


def test_the_processing_script_needs_no_typer_and_fails_on_violations_if_asked(write: Write, tmp_path: Path) -> None:
    """As in a processing container: only the modules of the bundle and the package analyzer."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "analyzer").symlink_to(REPOSITORY / "analyzer")
    for name in QUALITY_CHECK:
        shutil.copy(REPOSITORY / "processing_scripts" / name, tmp_path / "code")
    script = tmp_path / "code" / "quality_check.py"
    blocked = write("blocked/typer/__init__.py", "raise ImportError('there is no typer in the container')")
    constraints = '{"features": [{"name": "x", "inferred_type": "Integral", "completeness": 1.0}]}'
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(blocked.parents[1]),
        "dataset_source": str(write("data.csv", "x\n1.5\n")),
        "dataset_format": '{"csv": {"header": true}}',
        "output_path": str(tmp_path / "output"),
        "baseline_constraints": str(write("constraints.json", constraints)),
    }
    for fail_on_violation, status in (("false", 0), ("true", 3)):
        arguments = ["--model-package-group=churn", "--skip-check=true", f"--fail-on-violation={fail_on_violation}"]
        result = subprocess.run(
            [sys.executable, str(script), *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (result.returncode, result.stderr) == (status, "")
        assert result.stdout == (
            "CompletedWithViolations: Job completed successfully with 1 violations. x: only 0 % of the values are "
            "Integral (at least 100 %).\n"
        )


def test_booleans_of_csv_and_json_are_the_same_values(write: Write, tmp_path: Path) -> None:
    train = write("train.csv", "flag,x\n" + "".join(f"{row % 3 == 0},{row}\n" for row in range(60)))
    assert run("baseline", train, "-o", tmp_path / "baseline").exit_code == 0
    now = "".join(json.dumps({"flag": row % 3 == 0, "x": row}) + "\n" for row in range(60))
    options = [f"--{name}={tmp_path}/baseline/{name}.json" for name in ("statistics", "constraints")]
    result = run("check", write("now.jsonl", now), "--format", "json", "-o", tmp_path / "check", *options)
    assert result.output == "Completed: Job completed successfully with no violations.\n"


@pytest.mark.slow
def test_time_grows_linearly_with_the_number_of_columns(write: Write, tmp_path: Path) -> None:
    def seconds(columns: int) -> float:
        names = ",".join(f"column_{number}" for number in range(columns))
        path = write("wide.csv", f"{names}\n" + 2 * (",".join(["a"] * columns) + "\n"))
        start = time.process_time()
        assert run("baseline", path, "-o", tmp_path / "baseline").exit_code == 0
        options = [f"--{name}={tmp_path}/baseline/{name}.json" for name in ("statistics", "constraints")]
        assert run("check", path, "-o", tmp_path / "check", *options).exit_code == 0
        return time.process_time() - start

    # Twelve times the columns took a hundred times as long.
    seconds(50)
    assert seconds(3000) < 40 * seconds(250)
